"""`weclip review`: open a folder, hold its corrections, and serve the page until it is ended."""

import webbrowser
from dataclasses import replace
from pathlib import Path
from threading import Thread

from rich.console import Console

from weclip.data.corrections.folder import FOLDER
from weclip.data.corrections.writing import open_for_writing
from weclip.review.session import Session
from weclip.system.console import QUIET
from weclip.system.errors import InputError
from weclip.tasks.review.opening import ReviewAt, open_reviewed
from weclip.tasks.review.second import differences
from weclip.tasks.review.suspects import read_suspects


def review(
    place: ReviewAt,
    *,
    port: int = 0,
    browser: bool = True,
    suspects: Path | None = None,
    second: Path | None = None,
    console: Console = QUIET,
) -> Path:
    """Serve the page until a signal ends it; where the corrections are.

    Args:
        place: What is reviewed.
        port: Where the page is, on this machine; 0: a free port.
        browser: Whether it is opened in the browser.
        suspects: A list of `weclip check --suspects`.
        second: Output folder with masks of the same images by another method.
        console: Where the address is told.

    Raises:
        InputError: Anything given cannot be used, or another process corrects the same folder.
    """
    from weclip.review.web.server import serve  # needs the extra `review`

    if not place.out.is_dir():
        raise InputError(f"{place.out}: no such folder; give what weclip label or predict wrote")
    folder = place.out / FOLDER
    reviewed = open_reviewed(place, console)
    if suspects is not None:
        names = {item.image.name for item in reviewed.items}
        reviewed = replace(reviewed, doubts=read_suspects(suspects, names))
    if second is not None:
        reviewed = replace(reviewed, differ=differences(reviewed.items, second, console))
    with open_for_writing(folder, reviewed.classes, "review") as writer:

        def ready(address: str, once: str) -> None:
            console.print(f"corrections: {folder}", soft_wrap=True, markup=False, highlight=False)
            console.print(f"open {address}", soft_wrap=True, markup=False, highlight=False)
            console.print("Ctrl-C ends it; everything is saved as you go", highlight=False)
            if browser:  # a browser in a terminal would wait for its end
                Thread(target=webbrowser.open, args=(once,), daemon=True).start()

        try:
            serve(Session(reviewed, writer), port, ready)
        except KeyboardInterrupt:
            console.print("ended", highlight=False)
    return folder
