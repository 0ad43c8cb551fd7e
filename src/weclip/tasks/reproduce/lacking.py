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


def _descriptions(request: Request) -> str | None:
    given = any(change.startswith("clip.descriptions=") for change in request.changes)
    return None if given else "clip.descriptions=FILE, texts that are not shipped"


NEEDS: Mapping[str, Callable[[Request], str | None]] = {
    "crf": _crf,
    "test images": _test_images,
    "descriptions": _descriptions,
}
"""What is said where a need is not met, by its name; None where it is."""
