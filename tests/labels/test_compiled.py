"""A kernel runs where its compiled form cannot be kept."""

import warnings

import pytest

from weclip.labels.pixel_refine import compiled
from weclip.labels.pixel_refine.compiled import Kernel
from weclip.system.errors import Notice


def double(x):
    return 2 * x


def compiler(refuse):
    """Stands for numba: with a cache it does what `refuse` does."""

    def njit(**how):
        def compile_(function):
            if how.get("cache"):
                refuse()
            return function

        return compile_

    return njit


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cannot cache function 'double': no locator available for file 'x.py'"),
        OSError(28, "No space left on device"),
        PermissionError(13, "Permission denied"),
    ],
)
def test_without_a_cache(monkeypatch, error):
    def refuse():
        raise error

    monkeypatch.setattr(compiled, "njit", compiler(refuse))
    compiled._tell.cache_clear()
    kernels = Kernel(double), Kernel(double)
    with pytest.warns(Notice, match="compiled code cannot be kept here") as told:
        results = [kernel(3) for kernel in kernels]
    assert results == [6, 6]
    assert len(told) == 1


def test_with_a_cache(monkeypatch):
    monkeypatch.setattr(compiled, "njit", compiler(lambda: None))
    kernel = Kernel(double)
    with warnings.catch_warnings(action="error"):
        assert (kernel(3), kernel(4)) == (6, 8)


def test_an_error_of_the_compiler_is_not_hidden(monkeypatch):
    def refuse():
        raise RuntimeError("a bug")

    monkeypatch.setattr(compiled, "njit", compiler(refuse))
    with pytest.raises(RuntimeError, match="a bug"):
        Kernel(double)(3)
