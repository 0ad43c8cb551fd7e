"""Scores of images in batches, by a method without training."""

from collections.abc import Sequence
from dataclasses import dataclass

from weclip.backbones.precision import computing_in
from weclip.inference.label_masks import Named, Scores, soft_maps
from weclip.inference.prediction import batch_pixels
from weclip.methods.training_free import TrainingFree, TrainingFreeMaps


@dataclass(frozen=True)
class Scored:
    """A `Scorer` by a method without training.

    Attributes:
        method: The method.
        soft: Whether soft maps are asked for.
        precision: As in `computing_in`.
    """

    method: TrainingFree
    soft: bool
    precision: str

    @property
    def batch_pixels(self) -> int:
        """Pixels that are scored together."""
        return batch_pixels(on_cpu=self.method.device.type == "cpu")

    def size_of(self, named: Named) -> tuple[int, int] | None:
        """(H, W) at which an image with tags is seen."""
        image, pixels = named
        return self.method.seen_size((len(pixels), pixels.shape[1])) if image.tags else None

    def __call__(self, batch: Sequence[Named]) -> list[Scores]:
        """Scores of images that are seen at one size."""
        given = [pixels for _, pixels in batch], [image.tags for image, _ in batch]
        with computing_in(self.precision, self.method.device):
            made = self.method.together(*given)
        return [self._scores(maps) for maps in made]

    def _scores(self, maps: TrainingFreeMaps) -> Scores:
        levels = soft_maps(maps.refined.float().cpu().numpy()) if self.soft else None
        return Scores(maps.scores, levels)
