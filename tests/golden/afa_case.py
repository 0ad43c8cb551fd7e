"""A case of the golden folder of AFA, at float64 or float32."""

from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
from safetensors.torch import load_file
from tests.golden.folders import GOLDEN_AFA as FOLDER
from tests.golden.stored_case import StoredCase
from torch import Tensor

from weclip.backbones.mit.weights import read_mit
from weclip.build.method import compose
from weclip.config_file import load_config
from weclip.data.batch import Batch
from weclip.labels.tag_slots import pack_tags
from weclip.labels.two_scores.guide import colours
from weclip.methods.heads.released import COUNTER, our_name
from weclip.methods.method import total_of_one

CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.safetensors"))
KINDS = {"float64": (torch.float64, 1e-5), "float32": (torch.float32, 1e-4)}
STEPS = 4

NEEDS_CASES = pytest.mark.skipif(
    not CASES or not (FOLDER / "mit.safetensors").exists(),
    reason=f"no golden cases in {FOLDER}, or no mit.safetensors; set WECLIP_GOLDEN_AFA",
)


def ours(released: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under our names, without the counter."""
    renamed = {our_name(name.removeprefix("module.")): v for name, v in released.items()}
    return {name: value for name, value in renamed.items() if name != COUNTER}


@dataclass(frozen=True)
class Case(StoredCase):
    kind: torch.dtype
    tolerance: float

    @cached_property
    def config(self):
        heads = load_file(self.folder / "heads.safetensors")
        meta, own = self.meta, "method.afa."
        width = heads["decoder.linear_fuse.conv.weight"].shape[0]
        return load_config(
            f"{meta['dataset']}-afa",
            [
                "data.root=.",
                "mit.weights=.",
                "faithful=true",
                f"{own}width={width}",
                f"{own}dropout=0",
                f"{own}drop_path=0",
                f"{own}classification_only_until={meta['classification_only_until']}",
                f"{own}initial_labels_until={meta['initial_labels_until']}",
                f"par.iterations={meta['par_iterations']}",
            ],
        )

    def make_method(self):
        heads = ours(load_file(self.folder / "heads.safetensors"))
        num_classes = len(heads["segmenter.classifier.bias"])
        method = compose(self.config, num_classes, mit=read_mit(FOLDER / "mit.safetensors"))
        lacking = method.trained.load_state_dict(heads, strict=False)
        assert not lacking.unexpected_keys
        assert all(name.startswith("encoder.") for name in lacking.missing_keys)
        return method.to(self.kind).train()

    @cached_property
    def method(self):
        return self.make_method()

    @cached_property
    def batch(self) -> Batch:
        expected = self.expected
        box = torch.tensor(self.meta["content_box"])
        names = tuple(map(str, range(len(box))))
        return Batch(expected["image"], expected["tags"].bool(), box, names)

    @cached_property
    def slots(self):
        return pack_tags(self.batch.tags)

    @cached_property
    def seen(self):
        with torch.no_grad():
            return self.make_method().trained(self.batch.image, None, total_of_one, pairs=True)

    @cached_property
    def runs(self):
        scale = max(self.config.method.afa.cam_scales)
        return self.method.look(self.batch.image, self.slots, scale, None, total_of_one)

    @cached_property
    def guide(self):
        return colours(self.batch.image, self.kind, truncated=True)

    @property
    def size(self):
        return tuple(self.batch.image.shape[2:])

    def close(self, actual: Tensor, expected: Tensor, tolerance: float | None = None) -> None:
        atol = tolerance or self.tolerance
        torch.testing.assert_close(actual.float(), expected.float(), rtol=atol, atol=atol)

    def agree(self, actual: Tensor, expected: Tensor) -> None:
        """Equal labels in float64, all but 0.1 % in float32."""
        assert actual.shape == expected.shape
        equal = (actual.long() == expected.long()).double().mean().item()
        assert equal >= (1 if self.kind == torch.float64 else 0.999), equal

    def each(self):
        """Number and tags of each image."""
        return enumerate(self.meta["tags"])
