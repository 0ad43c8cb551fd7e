"""Where tasks show what they do, if anywhere.

Tasks are called from Python without a console too; then they are silent.
"""

from rich.console import Console

QUIET = Console(quiet=True)
"""A console that shows nothing."""
