"""What commands have in common: how their help looks, and the options `--quiet` and `--device`.

These options are handled before a command's function runs, which knows nothing of them.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from weclip.system.console import quietly
from weclip.system.errors import InputError

DEVICE = re.compile(r"cpu|mps|cuda(:\d{1,3})?")

_shared = typer.Typer(add_completion=False)


def _keep(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> None:
    """Keep the value of an option for `PlainCommand.invoke`."""
    context.meta[f"weclip.{parameter.name}"] = value


@_shared.command()
def _options(
    device: Annotated[
        str | None,
        typer.Option(
            help="cpu, cuda, cuda:1 or mps; by default a GPU if there is one.",
            metavar="DEVICE",
            callback=_keep,
            expose_value=False,
            autocompletion=lambda: ["cpu", "cuda", "mps"],
        ),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", help="Show only warnings and errors.", callback=_keep, expose_value=False
        ),
    ] = False,
) -> None:
    """Holds the options."""


def _plain(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


class PlainCommand(TyperCommand):
    """A command whose flags show no type, and that can be quiet."""

    shared: tuple[str, ...] = ("quiet",)

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, those that commands share, and `--help`."""
        *own, help_option = super().get_params(ctx)
        shared = [each for each in get_command(_shared).params if each.name in self.shared]
        return _plain([*own, *shared, help_option])

    def invoke(self, ctx: Any) -> Any:
        """Run the command, where and as loud as it was told to."""
        with quietly(ctx.meta["weclip.quiet"]), _on(ctx.meta.get("weclip.device")):
            return super().invoke(ctx)


class ComputingCommand(PlainCommand):
    """A command that computes on a device."""

    shared = ("device", "quiet")


class PlainGroup(TyperGroup):
    """The command that holds all commands, whose flags show no type."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters, `--help` included."""
        return _plain(super().get_params(ctx))


@contextmanager
def _on(device: str | None) -> Iterator[None]:
    """Compute on a device; without one PyTorch need not be there."""
    if device is None:
        yield
        return
    if not DEVICE.fullmatch(device):
        raise InputError(
            f"--device {device}: there is none of this name; give cpu, cuda, cuda:1 or mps"
        )
    from weclip.system.distributed import on_device
    from weclip.tasks.load.opening import require_device

    require_device(device, "--device ")
    with on_device(device):
        yield
