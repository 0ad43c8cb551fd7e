"""One review: what the page asks, and what it does, without a word of HTTP.

Images are asked for by their position in the list; no name of a request ever becomes a path. All
calls may come from several threads.
"""

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weclip.data.batch import IGNORE_INDEX
from weclip.data.corrections.writing import Accepted, Writer
from weclip.data.masks.colours import colour_text
from weclip.data.masks.mask_files import read_mask
from weclip.inference.given_image import as_rgb
from weclip.inference.prediction import CERTAIN, Prediction
from weclip.review.order import ORDERS, in_order, missing_orders
from weclip.review.pictures import (
    MOST_PIXELS,
    PICTURE_SIDE,
    THUMBNAIL_SIDE,
    Remembered,
    heat_png,
    jpeg,
    soft_map,
)
from weclip.review.reviewed import Item, Reviewed
from weclip.system.errors import InputError

Mask = NDArray[np.uint8]
CAM, CONFIDENCE = "cam", "confidence"


class Session:
    """A review of a folder, which `writer` holds."""

    def __init__(self, reviewed: Reviewed, writer: Writer) -> None:
        self.reviewed = reviewed
        self._writer = writer
        self._turn = Lock()  # of the model
        self._pictures = Remembered[tuple[bytes, tuple[int, int]]](24)
        self._thumbnails = Remembered[bytes](4000)
        self._predicted = Remembered[Prediction](24)
        self._changed: list[int] = []  # every action's image, in turn

    def item(self, place: int) -> Item:
        """The image at a position; IndexError if there is none."""
        if not 0 <= place < len(self.reviewed.items):
            raise IndexError(place)
        return self.reviewed.items[place]

    def start(self) -> dict[str, Any]:
        """What the page needs before it shows an image."""
        return {
            "title": self.reviewed.title,
            "count": len(self.reviewed.items),
            "orders": ORDERS,
            "missingOrders": missing_orders(self.reviewed),
            "noCam": self.reviewed.no_cam,
            "noConfidence": self.reviewed.no_confidence,
            "names": [item.image.name for item in self.reviewed.items],
            **self.classes(),
        }

    def classes(self) -> dict[str, Any]:
        """The classes by id, and the version of their list."""
        rows = enumerate(self._writer.classes.colours_by_name.items())
        return {
            "classes": [{"id": i, "name": n, "colour": colour_text(c)} for i, (n, c) in rows],
            "classesVersion": self._writer.classes_version,
        }

    def queue(self, order: str, class_id: int | None) -> dict[str, Any]:
        """Positions of images in an order; InputError if there is no such order."""
        said = self._writer.corrections.images
        index = None if class_id is None else class_id - 1
        return {"images": in_order(self.reviewed, order, said, index)}

    def progress(self, since: int) -> dict[str, Any]:
        """What was decided, and which images have changed after so many actions."""
        said = self._writer.corrections.images
        changed = sorted({*self._changed[max(0, since) :]}) if since else None
        places = range(len(self.reviewed.items)) if changed is None else changed
        decided = {}
        for place in places:
            found = said.get(self.reviewed.items[place].image.name)
            if found is not None:
                decided[place] = [found.decision, found.version]
        counts = dict.fromkeys(("accept", "reject", "skip"), 0)
        for item in self.reviewed.items:
            decision = found.decision if (found := said.get(item.image.name)) else "open"
            if decision in counts:
                counts[decision] += 1
        return {
            "sequence": len(self._changed),
            "counts": counts,
            "images": decided,
            "classesVersion": self._writer.classes_version,
        }

    def shown(self, place: int) -> dict[str, Any]:
        """All that is known of an image."""
        item = self.item(place)
        height, width = self.size(place)
        confidence = item.confidence
        if confidence is None and self.reviewed.predict is not None:
            confidence = float(self._prediction(place).confidence.mean()) / CERTAIN
        return {
            "place": place,
            "name": item.image.name,
            "width": width,
            "height": height,
            "confidence": confidence,
            "given": [tag + 1 for tag in item.image.tags],
            "doubts": [each.text for each in self.reviewed.doubts.get(item.image.name, ())],
            **self.state(place),
        }

    def state(self, place: int) -> dict[str, Any]:
        """What was said of an image so far."""
        image = self.item(place).image
        said = self._writer.of(image.name)
        tags = image.tags if said.tags is None else said.tags
        return {
            "decision": said.decision,
            "version": said.version,
            "tags": [tag + 1 for tag in tags],
            "corrected": said.mask is not None,
        }

    def size(self, place: int) -> tuple[int, int]:
        """(H, W) of an image; InputError where it is too large to be corrected on the page."""
        size = self._picture(place)[1]
        if size[0] * size[1] > MOST_PIXELS:
            raise InputError(
                f"{self.item(place).image.path}: {size[1]} x {size[0]} pixels, and the page "
                f"corrects up to {MOST_PIXELS}; correct it in another tool and bring it back "
                "with weclip import-masks"
            )
        return size

    def picture(self, place: int) -> bytes:
        """The image as a JPEG."""
        return self._picture(place)[0]

    def thumbnail(self, place: int) -> bytes:
        """The image as a small JPEG."""
        item = self.item(place)
        return self._thumbnails.get(
            place, lambda: jpeg(self._pixels(item), THUMBNAIL_SIDE, quality=80)
        )

    def mask(self, place: int) -> Mask:
        """The mask as it is now (H, W): corrected, or as it was made.

        Raises:
            InputError: It cannot be read, or does not fit the image.
        """
        said = self._writer.of(self.item(place).image.name)
        if said.mask is not None and said.mask.is_file():
            return self._fitting(place, read_mask(said.mask, max_pixels=MOST_PIXELS))
        return self.made_mask(place)

    def made_mask(self, place: int) -> Mask:
        """The mask as it was made; 255 everywhere where nobody made one."""
        item = self.item(place)
        size = self.size(place)
        if self.reviewed.predict is not None:
            return self._prediction(place).label_map
        if item.mask is None or not item.mask.is_file():
            return np.full(size, IGNORE_INDEX, np.uint8)
        count = self.reviewed.classes.num_classes
        mask = read_mask(item.mask, num_classes=count, max_pixels=MOST_PIXELS)
        return self._fitting(place, mask)

    def heat(self, place: int, what: str, class_id: int) -> bytes | str:
        """A heat map as a PNG: the CAM of a class, or the confidence; or why there is none."""
        item = self.item(place)
        if what == CAM:
            if self.reviewed.no_cam or item.soft is None or not item.soft.is_file():
                return self.reviewed.no_cam or "no soft maps of this image; weclip label --soft"
            levels = soft_map(item.soft, class_id)
            return (
                "no CAM: the mask was made without this tag" if levels is None else heat_png(levels)
            )
        if self.reviewed.predict is not None:
            return heat_png(self._prediction(place).confidence)
        if self.reviewed.no_confidence or item.sure is None or not item.sure.is_file():
            return self.reviewed.no_confidence or "no confidence of this image"
        return heat_png(read_mask(item.sure, max_pixels=MOST_PIXELS))

    def save_mask(self, place: int, mask: Mask, seen: int) -> dict[str, Any]:
        """Save a mask that is being corrected; errors as `Writer.edit_mask`.

        Raises:
            InputError: It has an id that no class has.
        """
        self._require_ids(mask)
        self._writer.edit_mask(self.item(place).image, mask, seen=seen)
        return self._after(place)

    def save_tags(self, place: int, class_ids: Sequence[int], seen: int) -> dict[str, Any]:
        """Save an image's tags; errors as `save_mask`."""
        known = range(1, self._writer.classes.num_classes)
        if any(class_id not in known for class_id in class_ids):
            raise InputError("tags: a class id that no class has; reload the page")
        self._writer.edit_tags(self.item(place).image, [i - 1 for i in class_ids], seen=seen)
        return self._after(place)

    def decide(self, place: int, decision: str, seen: int) -> dict[str, Any]:
        """Save a decision; errors as `save_mask`. What is accepted is what is there now."""
        image = self.item(place).image
        if decision == "accept":
            mask, tags = self.mask(place), [tag - 1 for tag in self.state(place)["tags"]]
            self._writer.accept(Accepted(image, tuple(tags), mask), seen=seen)
        elif decision in ("reject", "skip", "open"):
            self._writer.decide(image, decision, seen=seen)
        else:
            raise InputError(f"no decision '{decision[:40]}'; accept, reject, skip or open")
        return self._after(place)

    def add_class(self, name: str, seen: int) -> dict[str, Any]:
        """Save a new class; errors as `Writer.add_class`."""
        self._writer.add_class(name.strip(), seen=seen)
        return self.classes()

    def rename_class(self, class_id: int, name: str, seen: int) -> dict[str, Any]:
        """Save another name; errors as `Writer.add_class`."""
        if not 1 <= class_id < self._writer.classes.num_classes:
            raise InputError("no class of this id; the background has no other name")
        self._writer.rename_class(class_id, name.strip(), seen=seen)
        return self.classes()

    def _after(self, place: int) -> dict[str, Any]:
        self._changed.append(place)
        return self.state(place)

    def _pixels(self, item: Item) -> NDArray[np.uint8]:
        return as_rgb(item.image.path, reading=self.reviewed.reading)

    def _picture(self, place: int) -> tuple[bytes, tuple[int, int]]:
        item = self.item(place)

        def make() -> tuple[bytes, tuple[int, int]]:
            pixels = self._pixels(item)
            return jpeg(pixels, PICTURE_SIDE), (pixels.shape[0], pixels.shape[1])

        return self._pictures.get(place, make)

    def _prediction(self, place: int) -> Prediction:
        predict, item = self.reviewed.predict, self.item(place)
        assert predict is not None
        with self._turn:
            return self._predicted.get(place, lambda: predict(self._pixels(item)))

    def _fitting(self, place: int, mask: Mask) -> Mask:
        size = self.size(place)
        if mask.shape != size:
            item = self.item(place)
            raise InputError(
                f"{item.mask or item.image.name}: the mask has {mask.shape[1]} x {mask.shape[0]} "
                f"pixels and the image {size[1]} x {size[0]}; are these the images that the "
                "masks were made of? give them with --data"
            )
        return mask

    def _require_ids(self, mask: Mask) -> None:
        known = np.zeros(256, bool)
        known[: self._writer.classes.num_classes] = known[IGNORE_INDEX] = True
        if not known[mask].all():
            raise InputError("mask: a class id that no class has; reload the page")
