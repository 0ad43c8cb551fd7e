"""The plugins that docs/extending.md shows, as files outside the package."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
FILE = re.compile(r"```python\n# file: (\S+)\n(.*?)```", re.DOTALL)


def write_plugins(folder: Path) -> dict[str, Path]:
    """Write every plugin of the page below `folder`; its path by its name without suffix."""
    found = dict(FILE.findall(PAGE.read_text(encoding="utf-8")))
    for name, code in found.items():
        (folder / name).write_text(code, encoding="utf-8")
    return {name.removesuffix(".py"): folder / name for name in found}
