"""TagCLIP as released, stage by stage against tensors of the published code."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from tests.golden.folders import agree, clip_state, close, images_of, label_cases, needs_cases

from weclip.backbones.clip.dense_embedding import value_embedding
from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.build.without_training import build_tag_clip
from weclip.config_file import load_config
from weclip.data.classes import load_classes
from weclip.labels.auto_tags import dual_masked_attention, min_max, relative_choice
from weclip.labels.boxes import region_boxes
from weclip.labels.spreading import propagate
from weclip.methods.tag_clip import crop_box
from weclip.methods.training_free import as_batch, fit_to_patches

pytestmark = needs_cases("tagclip")


class Case:
    """One folder, and TagCLIP with `tags.released=true`."""

    def __init__(self, folder: Path) -> None:
        self.golden = load_file(folder / "case.safetensors")
        changes = ["data.root=.", "clip.weights=.", "tags.released=true", "tags.max_side=null"]
        state = clip_state()
        clip = SimpleNamespace(
            image=build_image_encoder(state),
            text=build_text_encoder(state),
            scale=state["logit_scale"].exp().item(),
        )
        self.method = build_tag_clip(load_config("voc", changes), clip, load_classes("voc"))

    def __getitem__(self, key: str) -> torch.Tensor:
        return self.golden[key]

    def view(self, i: int):
        image = fit_to_patches(
            self[f"image_{i}"].numpy(), self.method.maps.image_encoder.patch_size
        )
        return self.method.maps.see(as_batch(image), all_maps=True)


@pytest.fixture(scope="module", params=label_cases("tagclip"), ids=lambda path: path.name)
def case(request) -> Case:
    return Case(request.param)


def test_texts(case):
    close(case.view(0).all_texts, case["text"])


def test_patches(case):
    for i in images_of(case.golden):
        view = case.view(i)
        close(view.normalised, case[f"normalised_{i}"])
        attention = torch.cat([*view.features.attention, view.last_block.attention])
        close(attention, case[f"attention_{i}"])
        embedding = value_embedding(view.encoder, view.tokens[-1])
        close(embedding[0], case[f"embedding_{i}"])
        probability = view.probabilities(embedding[:, 1:])
        close(probability[0], case[f"probability_{i}"])
        masked = dual_masked_attention(view.attention(12), first=8, votes=4)
        close(masked[0], case[f"masked_attention_{i}"])


def test_refined_scores(case):
    for i in images_of(case.golden):
        view, height_width = case.view(i), case[f"boxes_{i}"].shape[1:]
        scores = case[f"probability_{i}"].T.reshape(1, -1, *height_width)
        spread = propagate(scores, case[f"masked_attention_{i}"][None])
        close(spread[0].flatten(1).T, case[f"spread_{i}"])
        scaled = min_max(spread)
        strong = (255 * scaled).floor() > (255 * scaled.mean((2, 3), keepdim=True)).floor()
        boxes = region_boxes(strong[0], exclusive_edge=True)
        assert torch.equal(boxes, case[f"boxes_{i}"].bool())
        refined = case.method.refined_scores(view)[0]
        close(refined.flatten(1).T, case[f"refined_{i}"])
        close(refined[:20].amax(dim=(1, 2)), case[f"local_{i}"])


def test_candidates_are_looked_at_again(case):
    for i in images_of(case.golden):
        view = case.view(i)
        refined = case.method.refined_scores(view)[0]
        low, high = refined.amin(), refined.amax()
        close(low + 0.5 * (high - low), case[f"threshold_{i}"].squeeze())
        chosen = case[f"candidates_{i}"]
        looked = case.method.look_again(view, refined[chosen], chosen)
        close(looked, case[f"looked_score_{i}"])
        assert torch.equal(chosen[: len(looked)], case[f"looked_{i}"])
        for k, box in enumerate(case[f"looked_box_{i}"].tolist()):
            region = min_max(refined[chosen[k]]) > 0.5
            assert crop_box(region) == tuple(box)


def test_scores_and_tags(case):
    for i in images_of(case.golden):
        score = case.method(case[f"image_{i}"].numpy())
        close(score, case[f"score_{i}"])
        tags = relative_choice(score[None], 0.5)[0].nonzero()[:, 0]
        assert torch.equal(tags, case[f"tags_{i}"])
        agree(tags, case[f"tags_{i}"], 1.0)
