"""Imported by the server of `processes`: numba's tables, which else each process fills anew."""

from numba.core.registry import cpu_target

import weclip.labels.pixel_refine.native  # noqa: F401  imported late by commands

cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
