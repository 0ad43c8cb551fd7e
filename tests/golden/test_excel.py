"""ExCEL without its training, stage by stage against tensors of the published code."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tests.golden.folders import agree, clip_state, close, images_of, label_cases, needs_cases

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.backbones.clip.text_features import enrich
from weclip.build.without_training import training_free
from weclip.class_texts import encode_classes
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.labels.maps.patch_text import over_tokens
from weclip.labels.tag_slots import tag_slots
from weclip.methods.training_free import as_batch

pytestmark = needs_cases("excel")


class Case:
    """One folder, and `--method excel faithful=true` at the size of its input."""

    def __init__(self, folder: Path) -> None:
        self.golden = load_file(folder / "case.safetensors")
        side = self["input_0"].shape[-1]
        changes = ["data.root=.", "clip.weights=.", "faithful=true", f"label.square={side}"]
        config = load_config("voc", changes, method="excel")
        state = clip_state()
        scale = state["logit_scale"].exp().item()
        text = encode_classes(
            config.clip, build_text_encoder(state), load_classes("voc"), scale=scale
        )
        self.method = training_free(config, build_image_encoder(state), text)
        changes.append("label.par=false")
        plain = load_config("voc", changes, method="excel")
        self.plain = training_free(plain, build_image_encoder(state), text)

    def __getitem__(self, key: str) -> torch.Tensor:
        return self.golden[key]

    def tags(self, i: int) -> tuple[int, ...]:
        return tuple(self[f"tags_{i}"].tolist())

    def view(self, i: int):
        image, size = as_batch(self[f"image_{i}"].numpy()), self[f"input_{i}"].shape[-2:]
        return self.method.maps.see(F.interpolate(image, size, mode="bilinear"))


@pytest.fixture(scope="module", params=label_cases("excel"), ids=lambda path: path.name)
def case(request) -> Case:
    return Case(request.param)


def test_texts(case):
    close(case.view(0).all_texts, case["text"])
    classes = case["text"][:20]
    rich = enrich(classes, case["descriptions"], share=0.9, weight=1.0)
    close(torch.cat([rich, case["text"][20:]]), case["text_enriched"])


def test_embedding(case):
    for i in images_of(case.golden):
        view = case.view(i)
        close(view.normalised, case[f"input_{i}"])
        tokens = torch.cat([view.class_token, view.patch_tokens(5)], dim=1)
        raw = view.encoder.project(tokens)
        close(raw[0], case[f"embedding_raw_{i}"])
        close(over_tokens(raw)[0], case[f"embedding_{i}"])


def test_maps_and_affinity(case):
    maps = case.method.maps
    for i in images_of(case.golden):
        view, slots = case.view(i), tag_slots(case.tags(i), len(maps.class_text))
        cam = maps.make(view, slots)
        close(cam[0], case[f"cam_{i}"])
        patches = case[f"attention_{i}"][:, 1:, 1:]
        ours = view.attention(len(patches))[:, 0]
        ours[1:] *= view.encoder.heads
        close(ours, patches)
        refined = maps.spread(cam, view, None)
        close(refined.affinity[0], case[f"affinity_{i}"])
        close(refined.transition[0], case[f"transition_{i}"])
        close(refined.cam[0], case[f"cam_refined_{i}"])


def test_scores_and_masks(case):
    for i in images_of(case.golden):
        image, tags = case[f"image_{i}"].numpy(), case.tags(i)
        plain = case.plain(image, tags)
        close(plain.scores.whole(), case[f"scores_{i}"])
        ids = torch.from_numpy(plain.scores.class_ids)
        agree(ids[plain.scores.whole().argmax(0)], case[f"mask_plain_{i}"])
        agree(ids[case.method(image, tags).scores.whole().argmax(0)], case[f"mask_{i}"])
