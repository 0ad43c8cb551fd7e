"""CLIP-ES stage by stage against tensors of the published code."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.golden.folders import agree, clip_state, close, images_of, label_cases, needs_cases

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.build.without_training import build_label_crf, training_free
from weclip.class_texts import encode_classes
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.inference.label_masks import Scores, label_mask, shares
from weclip.labels.boxes import box_mask
from weclip.labels.maps.gradcam import softmax_gradcam
from weclip.labels.tag_slots import tag_slots
from weclip.methods.training_free import as_batch, fit_to_patches

pytestmark = needs_cases("clip-es")
CRF = pytest.mark.skipif(find_spec("pydensecrf") is None, reason="weclip[crf] is not installed")


class Case:
    """One folder, and CLIP-ES as published."""

    def __init__(self, folder: Path) -> None:
        self.golden = load_file(folder / "case.safetensors")
        changes = ["data.root=.", "clip.weights=.", "quirks.exclusive_box_edge=true"]
        self.config = load_config("voc", [*changes, "label.max_side=null"], method="clip-es")
        state = clip_state()
        scale = state["logit_scale"].exp().item()
        encoder, classes = build_text_encoder(state), load_classes("voc")
        text = encode_classes(self.config.clip, encoder, classes, scale=scale)
        self.method = training_free(self.config, build_image_encoder(state), text)

    def __getitem__(self, key: str) -> torch.Tensor:
        return self.golden[key]

    def tags(self, i: int) -> tuple[int, ...]:
        return tuple(self[f"tags_{i}"].tolist())


@pytest.fixture(scope="module", params=label_cases("clip-es"), ids=lambda path: path.name)
def case(request) -> Case:
    return Case(request.param)


def test_texts(case):
    close(case.method.maps.class_text, case["text_fg"])
    close(case.method.maps.background_text, case["text_bg"])


def test_maps_and_affinity(case):
    maps = case.method.maps
    for i in images_of(case.golden):
        image = case[f"image_{i}"].numpy()
        view = maps.see(as_batch(fit_to_patches(image, maps.image_encoder.patch_size)))
        close(view.normalised, case[f"normalised_{i}"])
        close(view.tokens[-1].transpose(0, 1), case[f"hidden_block11_{i}"])
        attention = torch.cat([*view.features.attention, view.last_block.attention])
        close(attention, case[f"attention_{i}"])
        slots = tag_slots(case.tags(i), len(maps.class_text))
        made = softmax_gradcam(
            view.last_block,
            slots,
            class_text=maps.class_text,
            background_text=maps.background_text,
            scale=maps.scale,
            patch_grid=view.patch_grid,
            eps=1e-7,
        )
        close(made.probability[0], case[f"class_prob_{i}"])
        close(maps.make(view, slots)[0], case[f"cam_raw_{i}"])
        refined = maps.spread(made.cam, view, None)
        close(refined.affinity[0], case[f"affinity_{i}"])
        close(refined.transition[0], case[f"transition_{i}"])
        boxes = box_mask(made.cam, maps.affinity.box_threshold, exclusive_edge=True)
        agree(boxes[0], case[f"box_mask_{i}"])
        close(refined.cam[0], case[f"cam_refined_{i}"])


def test_scores_and_masks(case):
    for i in images_of(case.golden):
        image = case[f"image_{i}"].numpy()
        made = case.method(image, case.tags(i))
        close(made.refined, case[f"cam_refined_{i}"])
        close(made.scores.whole(), case[f"scores_{i}"])
        scores = Scores(made.scores)
        mask = label_mask(image, scores, None, 0.0).label_map
        agree(torch.from_numpy(mask), case[f"mask_plain_{i}"])


@CRF
@pytest.mark.parametrize("kind", ["", "_rgb"])
def test_crf(case, kind):
    """The published script hands the CRF a wrapped, blue-first image; ours the image itself."""
    crf = build_label_crf(load_config("voc", ["data.root=.", "clip.weights=.", "label.crf=true"]))
    for i in images_of(case.golden):
        key = f"image_{i}" if kind else f"crf_image_{i}"
        image = np.ascontiguousarray(case[key].numpy())
        made = case.method(case[f"image_{i}"].numpy(), case.tags(i))
        scores = Scores(made.scores)
        values = shares(made.scores.whole().numpy())
        close(torch.from_numpy(crf(image, values)), case[f"crf{kind}_{i}"], atol=2e-2)
        mask = label_mask(image, scores, crf, 0.95).label_map
        agree(torch.from_numpy(mask), case[f"mask{kind}_{i}"])
