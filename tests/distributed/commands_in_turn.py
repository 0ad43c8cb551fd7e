"""Run command lines, given as JSON, one after the other in each process of a launch."""

import json
import sys

from weclip.cli import app as cli


def main() -> int:
    """The first exit code that is not 0, or else 0."""
    codes = (cli.run(arguments) for arguments in json.loads(sys.argv[1]))
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
