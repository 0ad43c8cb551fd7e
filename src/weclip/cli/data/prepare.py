"""The command line of `weclip prepare`; imports wait until it runs, as in `app.py`."""

from weclip.cli import options
from weclip.system.console import screen


def prepare(
    what: options.Prepared,
    root: options.Root,
    given: options.Given = None,
    name: options.WeightsName = None,
    void_border: options.VoidBorder = False,
) -> int:
    """Fetch VOC with SBD, COCO 2014, or weights of CLIP, DINOv2 or MiT; again to continue.

    For example: weclip prepare voc --root data
    """
    from weclip.tasks.prepare import prepare as run

    console = screen()
    command, exit_code = run(
        what, root, console=console, given=given or (), name=name, void_border=void_border
    )
    console.print(command, soft_wrap=True, markup=False, highlight=False)
    return exit_code
