"""Stage by stage against tensors of the published code; see the README of the golden folder."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.configs import new_config
from tests.golden.folders import GOLDEN as FOLDER
from tests.golden.folders import close
from tests.golden.stored_case import StoredCase
from torch import Tensor

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.build.method import assemble
from weclip.class_texts import encode_classes
from weclip.data.batch import Batch
from weclip.data.classes import load_classes
from weclip.inference.multi_scale import multi_scale_logits
from weclip.labels.maps.gradcam import softmax_gradcam
from weclip.methods.heads.published import decoder_key, decoder_state
from weclip.methods.weclip import WeClipSettings
from weclip.training.schedule import build_optimizer, learning_rate

CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.safetensors"))

pytestmark = pytest.mark.skipif(
    not CASES, reason=f"no golden cases in {FOLDER}; set WECLIP_GOLDEN to their folder"
)


@dataclass(frozen=True)
class Case(StoredCase):
    @cached_property
    def config(self):
        config = new_config(faithful=True)
        if self.meta["dataset"] == "coco":
            config.affinity.attention.refined_layers, config.affinity.attention.box_threshold = (
                10,
                0.7,
            )
        config.method.weclip.refine_from = 0 if self.meta["refined"] else -1
        config.method.weclip.dropout = 0.0
        return config

    @cached_property
    def method(self):
        return make_method(self.config, self.meta["dataset"], self.folder)

    @cached_property
    def batch(self) -> Batch:
        image = self.expected["image"]
        classes = self.method.maps.class_text.shape[0]
        tags = torch.zeros(len(image), classes, dtype=torch.bool)
        for row, ids in zip(tags, self.meta["tags"], strict=True):
            row[ids] = True
        box = torch.tensor([[0, 0, *image.shape[-2:]]] * len(image))
        return Batch(image, tags, box, tuple(map(str, range(len(image)))))

    @cached_property
    def step(self):
        return self.method.training_step(self.batch, step=0)


def make_method(config, dataset: str, folder: Path):
    state = {k: v.float() for k, v in load_file(FOLDER / "clip.safetensors").items()}
    decoder = decoder_state(load_file(folder / "decoder.safetensors"), WeClipSettings.published)
    config.method.weclip.width = decoder["fusion.fuse.weight"].shape[0]
    image_encoder = build_image_encoder(state)
    classes = load_classes(dataset, faithful=True)
    text = encode_classes(
        config.clip,
        build_text_encoder(state),
        classes,
        scale=state["logit_scale"].exp().item(),
    )
    method = assemble(config, image_encoder, text, classes.num_classes)
    method.trained.load_state_dict(decoder)
    method.maps.mean.zero_()  # golden images are normalised already
    method.maps.std.fill_(1)
    return method


@pytest.fixture(scope="module", params=CASES)
def case(request) -> Case:
    return Case(FOLDER / request.param)


def test_text_features(case):
    close(case.method.maps.class_text, case.expected["text_fg"])
    close(case.method.maps.background_text, case.expected["text_bg"])


def test_encoder(case):
    features = case.method.image_encoder(case.expected["image"])
    close(features.tokens[0].transpose(0, 1), case.expected["hidden_block1"])
    close(features.tokens[10].transpose(0, 1), case.expected["hidden_block11"])
    maps = torch.stack([features.attention[i] for i in (0, 5, 10)])
    close(maps, case.expected["attention_blocks_1_6_11"])
    last = case.method.image_encoder.run_last_block(features.tokens[-1])
    close(last.attention[-1:], case.expected["attention_block12_last_image"])


def probability_of(case):
    """Softmax of each image over its tags and the background words."""
    method = case.method
    features = method.image_encoder(method.maps.normalise(case.batch.image))
    return softmax_gradcam(
        method.image_encoder.run_last_block(features.tokens[-1]),
        case.step.detail.slots,
        class_text=method.maps.class_text,
        background_text=method.maps.background_text,
        scale=method.maps.scale,
        patch_grid=features.patch_grid,
        eps=1e-7,
    ).probability


def test_cam(case):
    for i, ids in enumerate(case.meta["tags"]):
        assert case.step.detail.slots.index[i][case.step.detail.slots.filled[i]].tolist() == sorted(
            ids
        )
        order = slot_order(case, i)
        filled, background = len(ids), case.method.maps.background_text.shape[0]
        probability = probability_of(case)[i]
        tags_first = torch.cat([probability[:filled][order], probability[-background:]])
        close(tags_first[None], case.expected[f"class_prob_{i}"])
        close(case.step.cam[i][order], case.expected[f"cam_raw_{i}"])


def test_affinity_and_refined_cam(case):
    detail = case.step.detail
    for i in range(len(case.meta["tags"])):
        order = slot_order(case, i)
        close(detail.refined.affinity[i], case.expected[f"affinity_{i}"])
        close(detail.refined.transition[i], case.expected[f"transition_{i}"])
        close(detail.refined.cam[i][order], case.expected[f"cam_refined_{i}"])
        close(detail.pseudo_label.cam[i][order], case.expected[f"cam_highres_{i}"])


def test_pseudo_label(case):
    order = [0, *(k + 1 for k in slot_order(case, 0))]
    close(case.step.detail.pseudo_label.scores[0][order], case.expected["par_out_0"])
    agreement = (case.step.target == case.expected["pseudo_label"]).float().mean()
    assert agreement >= 0.999


def test_decoder(case):
    close(case.step.logits, case.expected["seg_logits"])
    close(case.step.detail.feature_affinity, case.expected["feature_affinity"])


def test_affinity_labels(case):
    from weclip.methods.losses.affinity import affinity_labels

    grid = tuple(case.step.logits.shape[-2:])
    radius = case.config.loss.affinity.radius
    labels = affinity_labels(case.expected["pseudo_label"], grid, radius)
    assert torch.equal(labels, case.expected["affinity_label"])


def test_gradients_and_four_steps(case):
    case.config.optim.warmup_steps, case.config.train.steps = 2, 10
    method = make_method(case.config, case.meta["dataset"], case.folder)
    optimizer = build_optimizer(
        method.parameter_groups(),
        weight_decay=case.config.optim.weight_decay,
        betas=case.config.optim.betas,
        eps=case.config.optim.eps,
    )
    for step in range(4):
        rate = learning_rate(
            step,
            peak=case.config.optim.learning_rate,
            steps=10,
            warmup_steps=2,
            warmup_ratio=case.config.optim.warmup_ratio,
            power=case.config.optim.power,
        )
        assert rate == pytest.approx(case.expected["lr"][step].item(), rel=1e-4)
        for group in optimizer.param_groups:
            group["lr"] = rate
        output = method.training_step(case.batch, step)
        names = ("segmentation", "affinity", "loss")
        close(torch.stack([output.terms[n] for n in names]), case.expected["losses"][step])
        optimizer.zero_grad()
        output.loss.backward()
        if step == 0:
            check_named(case, "grad.", {n: p.grad for n, p in method.trained.named_parameters()})
        optimizer.step()
    check_named(case, "after.", dict(method.trained.named_parameters()))


def check_named(case: Case, prefix: str, ours: dict[str, Tensor]) -> None:
    found = {k.removeprefix(prefix): v for k, v in case.expected.items() if k.startswith(prefix)}
    assert found
    for published, expected in found.items():
        close(ours[decoder_key(published, WeClipSettings.published)], expected)


def slot_order(case: Case, image: int) -> list[int]:
    """Our slots are in ascending order of class; the published ones in that of `keys`."""
    keys = case.expected[f"keys_{image}"].tolist()
    return [sorted(keys).index(key) for key in keys]


@pytest.mark.skipif(
    not (FOLDER / "evaluation.safetensors").exists(), reason="no evaluation tensors"
)
def test_evaluation():
    expected = load_file(FOLDER / "evaluation.safetensors")
    case = Case(FOLDER / "voc_initial")
    method, image = case.method.eval(), expected["image"]
    with torch.no_grad():
        close(
            multi_scale_logits(method, image, scales=(1.0,), flip=False),
            expected["logits_single_scale"],
        )
        logits = multi_scale_logits(method, image, scales=(1.0, 0.75), flip=True)
    close(logits, expected["logits_multi_scale_flip"])
    prediction = torch.nn.functional.interpolate(
        logits, size=image.shape[-2:], mode="bilinear", align_corners=False
    ).argmax(dim=1)
    assert (prediction == expected["prediction"]).float().mean() >= 0.999
