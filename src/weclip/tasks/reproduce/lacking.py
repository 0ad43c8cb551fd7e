"""What a stage needs that may not be there; then its row says so, and the others are run."""

from collections.abc import Callable, Mapping
from importlib.util import find_spec

from weclip.data.batch import TaggedImage
from weclip.data.dataset import open_dataset
from weclip.data.images.listing import AUTO
from weclip.system.errors import InputError
from weclip.tasks.reproduce.stages import TEST_LIST, Request, Stage


def lacking(request: Request, stage: Stage) -> str | None:
    """What a stage needs and does not find; None where all is there."""
    reasons = (NEEDS[need](request) for need in stage.needs)
    return next((reason for reason in reasons if reason is not None), None)


def find_test_images(request: Request) -> list[TaggedImage]:
    """The images of VOC's test split, which has no masks and no annotations.

    Raises:
        InputError: There is no such split.
    """
    table = request.table
    dataset = open_dataset(table.data, request.root, classes=table.data, tags_file=AUTO)
    return dataset.read_split("test")


def _crf(request: Request) -> str | None:
    return None if find_spec("pydensecrf") is not None else "weclip[crf]"


def _test_images(request: Request) -> str | None:
    try:
        find_test_images(request)
    except InputError:
        return f"the test images and {TEST_LIST}, which VOC's server gives to those who register"
    return None


def _unless_given(keys: tuple[str, ...], what: str) -> Callable[[Request], str | None]:
    """What is said unless the user gives one of the keys."""
    given = tuple(f"{key}=" for key in keys)

    def missing(request: Request) -> str | None:
        return None if any(change.startswith(given) for change in request.changes) else what

    return missing


NEEDS: Mapping[str, Callable[[Request], str | None]] = {
    "crf": _crf,
    "test images": _test_images,
    "descriptions": _unless_given(
        ("clip.descriptions",), "clip.descriptions=FILE, texts that are not shipped"
    ),
    "guide": _unless_given(
        ("dino.weights",), "dino.weights=FILE, DINO ViT-B/8 (dino_vitbase8_pretrain.pth)"
    ),
    "regions": _unless_given(
        ("regions.sam2.weights", "regions.files", "regions.source"),
        "regions.sam2.weights=FOLDER of facebook/sam2.1-hiera-large",
    ),
}
"""What is said where a need is not met, by its name; None where it is."""
