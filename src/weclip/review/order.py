"""Which image comes first."""

from collections.abc import Mapping, Sequence

from weclip.data.corrections.folder import Correction
from weclip.review.reviewed import Reviewed
from weclip.system.errors import InputError

ORDERS = {
    "differ": "masks that differ most first",
    "doubt": "most doubtful masks first",
    "suspects": "suspected tags first",
    "all": "in the order of the data",
}
"""Name -> what is shown of it; the first that there is is the default (docs/review.md)."""


def missing_orders(reviewed: Reviewed) -> dict[str, str]:
    """Orders that there are not, with what to do."""
    needed = {"differ": (reviewed.differ, "--second"), "suspects": (reviewed.doubts, "--suspects")}
    return {order: f"give {option}" for order, (known, option) in needed.items() if not known}


def in_order(
    reviewed: Reviewed, order: str, corrections: Mapping[str, Correction], class_index: int | None
) -> Sequence[int]:
    """Positions of images in an order.

    Args:
        reviewed: The images.
        order: One of `ORDERS`; `suspects` has only the images that are suspected.
        corrections: What was said of images so far, by name.
        class_index: Only images with this 0-based class among their tags; None: all.

    Raises:
        InputError: There is no such order.
    """
    if order not in ORDERS:
        raise InputError(f"no order '{order[:40]}'; known: {', '.join(ORDERS)}")
    chosen = [i for i in range(len(reviewed.items)) if _has(reviewed, i, corrections, class_index)]
    if order == "suspects":
        doubts = reviewed.doubts
        named = [i for i in chosen if doubts.get(reviewed.items[i].image.name)]
        return sorted(named, key=lambda i: -_worst(reviewed, i))
    if order == "differ":  # those that nobody knows it of come last
        return sorted(chosen, key=lambda i: -reviewed.differ.get(reviewed.items[i].image.name, -1))
    if order == "doubt":
        return sorted(chosen, key=lambda i: _confidence(reviewed, i))
    return chosen


def _worst(reviewed: Reviewed, place: int) -> float:
    return max(doubt.confidence for doubt in reviewed.doubts[reviewed.items[place].image.name])


def _confidence(reviewed: Reviewed, place: int) -> float:
    """Images that nobody knows it of come last, in the order of the data."""
    confidence = reviewed.items[place].confidence
    return 2.0 if confidence is None else confidence


def _has(
    reviewed: Reviewed,
    place: int,
    corrections: Mapping[str, Correction],
    class_index: int | None,
) -> bool:
    if class_index is None:
        return True
    image = reviewed.items[place].image
    said = corrections.get(image.name)
    tags = image.tags if said is None or said.tags is None else said.tags
    return class_index in tags
