"""A folder of regions: what it holds for an image, found by the image's name.

Stage 1. `beach/1.png` is the id map of the image `beach/1`, `beach/1.json` its overlapping masks.
A folder of `weclip regions` has them in `maps/` and `masks/`.
"""

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from weclip.data.images.decoding import DECODE_ERRORS, open_header, orientation
from weclip.data.images.listing import Listings, existing_folder
from weclip.data.images.rasters.turns import ON_THEIR_SIDE
from weclip.data.images.reading import MAX_PIXELS
from weclip.data.masks.run_lengths import Size
from weclip.data.regions.id_maps import IdMap, read_id_map
from weclip.data.regions.mask_lists import Masks, Scores, WrongSizeError, read_mask_list
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER, kind_of

KIND = "regions"
"""Kind of the folders of `weclip regions`."""

MAPS, MASKS = "maps", "masks"


@dataclass(frozen=True)
class StoredRegions:
    """Regions of an image, as files have them.

    Attributes:
        id_map: (H, W) int32 numbers of regions, 0 for none; None where only masks are there.
        masks: (P, H, W) bool that may overlap; None where there are none.
        scores: (P,) float32 of the masks.
        surer_on_top: Whether, where masks overlap, the one of the larger score lies on top.
    """

    id_map: IdMap | None
    masks: Masks | None = None
    scores: Scores | None = None
    surer_on_top: bool = False


@dataclass
class RegionFiles:
    """The regions in a folder.

    Attributes:
        folder: The folder.
        max_pixels: Width times height of the largest id map that is decoded.
        own: Whether `weclip regions` made it.
    """

    folder: Path
    max_pixels: int = MAX_PIXELS
    own: bool = field(init=False)

    def __post_init__(self) -> None:
        existing_folder(self.folder, "folder of regions (regions.files)")
        kind = kind_of(self.folder / RUN_MARKER)
        if kind not in (None, KIND):
            raise InputError(
                f"regions.files={self.folder}: a {kind} of weclip's, no regions; weclip regions "
                "makes them"
            )
        self.own = kind == KIND
        maps, masks = (MAPS, MASKS) if self.own else ("", "")
        self._maps, self._masks = Listings(self.folder / maps), Listings(self.folder / masks)

    def files_of(self, name: str) -> tuple[Path | None, Path | None]:
        """Where an image's id map and its list of masks are; None for what is not there.

        Raises:
            InputError: There is neither, or in a folder made elsewhere both.
        """
        id_map, masks = _find(self._maps, f"{name}.png"), _find(self._masks, f"{name}.json")
        if id_map is None and (masks is None or self.own):
            raise InputError(
                f"regions.files={self.folder}: no regions of image '{name}', neither "
                f"{name}.png (an id map) nor {name}.json (masks); make them, or leave "
                "regions.files out"
            )
        if id_map is not None and masks is not None and not self.own:
            raise InputError(f"{id_map} and {masks} are both there; which is meant? keep one")
        return id_map, masks

    def read(self, name: str, image: Path, size: Size) -> StoredRegions:
        """The regions of an image.

        Args:
            name: Its name in the data set, sub-folders with `/`, without suffix.
            image: Its file, for messages.
            size: (H, W) as it is read, turned as its EXIF says.

        Raises:
            InputError: They are missing, broken, or of another size.
        """
        map_file, masks_file = self.files_of(name)
        id_map = masks = scores = None
        surer = False
        try:
            if map_file is not None:
                id_map = read_id_map(map_file, max_pixels=self.max_pixels)
                if id_map.shape != size:
                    raise WrongSizeError(map_file, len(id_map), id_map.shape[1], size)
            if masks_file is not None:
                masks, scores, surer = read_mask_list(masks_file, size)
        except WrongSizeError as error:
            if error.given == size[::-1] and _lies_on_its_side(image):
                raise InputError(
                    f"{map_file or masks_file}: regions of {size[1]} x {size[0]} pixels (height x "
                    f"width), made of the photo as it is stored; {image} is turned as its EXIF "
                    f"says, to {size[0]} x {size[1]}: turn the regions too, or make them again"
                ) from None
            raise
        return StoredRegions(id_map, masks, scores, surer)


def _find(listings: Listings, file: str) -> Path | None:
    found = listings.find(PurePosixPath(file))
    return listings.root / found if listings.exists(found) else None


def _lies_on_its_side(image: Path) -> bool:
    """Whether EXIF swaps the sides of an image file."""
    try:
        with open_header(image) as opened:
            return orientation(opened) in ON_THEIR_SIDE
    except DECODE_ERRORS:
        return False
