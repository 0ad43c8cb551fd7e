"""Tensors inside tuples and dataclasses: listed, exchanged, compared.

Stage 2.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

EQUAL_LABELS = 0.999
"""Share of whole numbers that have to be equal: a rounding moves a label now and then."""

RELATIVE = 1e-3
"""Of a tensor's largest number, by which others may differ: a kernel that adds in another order
stays under it in float32 and in bf16 sums, a number of another batch does not."""


def leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All that is no tuple, list or dataclass, with its place.

    >>> [name for name, _ in leaves(((1, 2), None), "given")]
    ['given[0][0]', 'given[0][1]', 'given[1]']
    """
    if is_dataclass(tree):
        for each in fields(tree):
            yield from leaves(getattr(tree, each.name), f"{name}.{each.name}".lstrip("."))
    elif isinstance(tree, tuple | list):
        for index, each in enumerate(tree):
            yield from leaves(each, f"{name}[{index}]")
    else:
        yield name, tree


def tensors_of(tree: Any) -> list[Tensor]:
    """All tensors in it, in the order of `leaves`."""
    return [leaf for _, leaf in leaves(tree) if isinstance(leaf, Tensor)]


def with_tensors(tree: Any, tensors: Iterator[Tensor]) -> Any:
    """The same with other tensors, in the order of `leaves`."""
    if is_dataclass(tree) and not isinstance(tree, type):
        named = {e.name: with_tensors(getattr(tree, e.name), tensors) for e in fields(tree)}
        return replace(tree, **named)
    if isinstance(tree, tuple | list):
        return type(tree)(with_tensors(each, tensors) for each in tree)
    return next(tensors) if isinstance(tree, Tensor) else tree


def difference(found: Any, right: Any) -> str | None:
    """What differs between two results, of which one was replayed; None if they agree.

    A host waits for the answer.
    """
    theirs = list(leaves(right))
    for (name, ours), (_, other) in zip(leaves(found), theirs, strict=True):
        if not isinstance(other, Tensor):
            reason = None if ours == other else f"{ours} instead of {other}"
        else:
            reason = _unlike(ours, other)
        if reason is not None:
            return f"{name}: {reason}" if name else reason
    return None


def _unlike(found: Tensor, right: Tensor) -> str | None:
    """How a tensor differs from the right one; None if it agrees."""
    if (found.shape, found.dtype) != (right.shape, right.dtype):
        return f"{found.dtype} {list(found.shape)} instead of {right.dtype} {list(right.shape)}"
    if not right.numel():
        return None
    if not right.is_floating_point():
        equal = (found == right).double().mean().item()
        return None if equal >= EQUAL_LABELS else f"{1 - equal:.1%} are not equal"
    found, right = found.double(), right.double()
    largest = right.masked_fill(~right.isfinite(), 0).abs().max()
    apart = (found - right).abs()
    same = (found == right) | (found.isnan() & right.isnan()) | (apart <= RELATIVE * largest)
    if bool(same.all()):
        return None
    return f"up to {apart[~same].nan_to_num(torch.inf, torch.inf).max().item():.2g} apart"
