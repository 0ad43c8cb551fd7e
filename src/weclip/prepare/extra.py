"""The extra `prepare`: packages that only the conversion of masks needs."""

from importlib.util import find_spec

from weclip.system.errors import InputError


def require_extra(*modules: str) -> None:
    """Raise InputError if a module is not installed; said before anything is fetched."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise InputError(
            f"preparing this data set needs {' and '.join(missing)}, not installed here; "
            'pip install "weclip[prepare]"'
        )
