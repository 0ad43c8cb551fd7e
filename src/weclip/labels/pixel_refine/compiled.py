"""numba's compiler for whole loops, with its cache where there can be one.

numba refuses to compile for a cache that it cannot write: a read-only package and home, as in
containers and for service users, or a full disk. Then each process compiles anew.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit

from weclip.system.errors import Notice


@cache
def _tell() -> None:
    """Say it once, though there are several kernels."""
    warnings.warn(
        "compiled code cannot be kept here, so each command compiles anew, which takes some "
        "seconds; to keep it, set NUMBA_CACHE_DIR to a folder of your own",
        Notice,
        stacklevel=2,
    )


class Kernel:
    """A function compiled with all cores at its first call, from the cache if it is there.

    Args:
        function: The function, as numba wants it.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._compiled: Callable[..., Any] | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Call it; without a cache if that cannot be written."""
        if self._compiled is not None:
            return self._compiled(*arguments)
        try:
            compiled = njit(parallel=True, cache=True)(self.function)
            result = compiled(*arguments)
        except (RuntimeError, OSError) as error:
            if isinstance(error, RuntimeError) and "cannot cache" not in str(error):
                raise
            _tell()
            compiled = njit(parallel=True)(self.function)
            result = compiled(*arguments)
        self._compiled = compiled
        return result
