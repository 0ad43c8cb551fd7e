"""Configurations for tests: the defaults, with a section for every shipped part."""

from typing import Any

from weclip.config import Config
from weclip.config_schema import schema


def new_config(**values: Any) -> Config:
    """The defaults, with values of the first level; sections can be changed in place."""
    return schema()(**values)
