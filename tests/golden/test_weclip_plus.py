"""WeCLIP+ against tensors of the published code; see the README of the golden folder."""

from dataclasses import dataclass
from functools import cached_property

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from tests.golden.folders import GOLDEN, agree, clip_state, close
from tests.golden.folders import GOLDEN_PLUS as FOLDER
from tests.golden.stored_case import StoredCase
from torch import Tensor

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.clip.text_encoder import build_text_encoder
from weclip.backbones.dino.weights import load_dino
from weclip.build.method import assemble
from weclip.class_texts import encode_classes
from weclip.config_file import load_config
from weclip.data.batch import Batch
from weclip.data.classes import load_classes
from weclip.inference.multi_scale import multi_scale_logits
from weclip.labels.maps.gradcam import softmax_gradcam
from weclip.methods.heads.published import decoder_key, decoder_state
from weclip.methods.labelling import class_probability, confident_classes
from weclip.methods.losses.affinity import affinity_labels
from weclip.methods.losses.cross import predicted_labels
from weclip.methods.losses.dice import dice_loss, overlap_sums
from weclip.methods.losses.segmentation import segmentation_loss
from weclip.methods.weclip_plus import WeClipPlusSettings
from weclip.training.schedule import build_optimizer, learning_rate

CASES = sorted(path.parent.name for path in FOLDER.glob("*/expected.safetensors"))
PREFIXES = WeClipPlusSettings.published

pytestmark = pytest.mark.skipif(
    not CASES or not (GOLDEN / "clip.safetensors").exists(),
    reason=f"no golden cases in {FOLDER}, or no CLIP in {GOLDEN}; set WECLIP_GOLDEN_PLUS and "
    "WECLIP_GOLDEN to their folders",
)


@dataclass(frozen=True)
class Case(StoredCase):
    @cached_property
    def config(self):
        preset = f"{self.meta['dataset']}-plus"
        given = ["data.root=.", "clip.weights=.", "dino.weights=.", "faithful=true"]
        config = load_config(preset, [*given, "method.weclip_plus.dropout=0"])
        config.method.weclip_plus.confident_from = 0 if self.meta["confident_labels"] else -1
        return config

    def make_method(self):
        state = decoder_state(load_file(self.folder / "decoder.safetensors"), PREFIXES)
        self.config.method.weclip_plus.width = state["clip_head.fuse.weight"].shape[0]
        clip = clip_state()
        classes = load_classes(self.meta["dataset"], faithful=True)
        scale = clip["logit_scale"].exp().item()
        encoder = build_text_encoder(clip)
        text = encode_classes(self.config.clip, encoder, classes, scale=scale)
        dino = load_dino(FOLDER / "dino.safetensors").image
        image_encoder = build_image_encoder(clip)
        method = assemble(self.config, image_encoder, text, classes.num_classes, dino)
        method.trained.load_state_dict(state)
        for part in (method.maps, dino):  # golden images are normalised already
            part.mean.zero_()
            part.std.fill_(1)
        return method

    @cached_property
    def method(self):
        return self.make_method()

    @cached_property
    def batch(self) -> Batch:
        image = self.expected["image"]
        tags = torch.zeros(len(image), len(self.method.maps.class_text), dtype=torch.bool)
        for row, ids in zip(tags, self.meta["tags"], strict=True):
            row[ids] = True
        box = torch.tensor([[0, 0, *image.shape[-2:]]] * len(image))
        return Batch(image, tags, box, tuple(map(str, range(len(image)))))

    @cached_property
    def step(self):
        return self.method.training_step(self.batch, 0)

    @cached_property
    def view(self):
        return self.method.see(self.batch.image, 0)

    def order(self, image: int) -> list[int]:
        """Our slots are in ascending order of class; the published ones in that of `keys`."""
        keys = self.expected[f"keys_{image}"].tolist()
        return [sorted(keys).index(key) for key in keys]


@pytest.fixture(scope="module", params=CASES)
def case(request) -> Case:
    return Case(FOLDER / request.param)


def test_text_features(case):
    close(case.method.maps.class_text, case.expected["text_fg"])
    close(case.method.maps.background_text, case.expected["text_bg"])


def test_clip(case):
    features = case.method.maps.image_encoder(case.batch.image)
    for block in (1, 10, 11):
        tokens = features.tokens[block - 1].transpose(0, 1)
        close(tokens, case.expected[f"hidden_block{block}"])
    maps = torch.stack([features.attention[i] for i in (0, 5, 10)])
    close(maps, case.expected["attention_blocks_1_6_11"])
    for i in range(len(case.batch.image)):
        close(case.view.last_block.attention[i : i + 1], case.expected[f"attention_block12_{i}"])


def test_dino(case):
    dino = case.method.maps.second_encoder
    prepared = dino.prepare(case.batch.image)
    close(prepared, case.expected["dino_image"])
    grid = dino.grid_of(tuple(case.batch.image.shape[2:]))
    close(dino.positions(grid)[None], case.expected["dino_pos_embed"])
    tokens = dino.embed(prepared)
    with torch.no_grad():
        for number, block in enumerate(dino.transformer.blocks, start=1):
            tokens = block(tokens)
            if number in (1, 6, 12):
                close(tokens, case.expected[f"dino_block{number}"])
    close(dino(case.batch.image).features, case.expected["dino_patch_tokens"])


def test_decoder(case):
    decoder, view, expected = case.method.trained, case.view, case.expected
    with torch.no_grad():
        of_clip = decoder.clip_head([view.tokens[-1][:, 1:]], view.patch_grid)
        of_dino = decoder.guide_head([view.guide.features], view.guide.patch_grid)
    close(of_clip, expected["clip_features"])
    close(of_dino, expected["dino_features_native"])
    resized = F.interpolate(of_dino, view.patch_grid, mode="bilinear", align_corners=False)
    close(resized, expected["dino_features"])
    decoded = case.step.detail.decoded
    close(decoded.branches[0], expected["logits_clip"])
    close(decoded.branches[1], expected["logits_dino"])
    close(decoded.feature_affinity, expected["feature_affinity"])


def test_maps(case):
    slots, maps = case.step.detail.slots, case.method.maps
    found = softmax_gradcam(
        case.view.last_block,
        slots,
        class_text=maps.class_text,
        background_text=maps.background_text,
        scale=maps.scale,
        patch_grid=case.view.patch_grid,
        eps=1e-7,
    )
    weights = class_probability(case.step.logits, slots, case.step.logits.shape[2:])
    for i, ids in enumerate(case.meta["tags"]):
        order, background = case.order(i), len(maps.background_text)
        probability = found.probability[i]
        tags_first = torch.cat([probability[: len(ids)][order], probability[-background:]])
        close(tags_first[None], case.expected[f"class_prob_{i}"])
        close(case.step.cam[i][order], case.expected[f"cam_raw_{i}"])
        close(case.step.detail.weighted[i][order], case.expected[f"cam_weighted_{i}"])
        class_ids = slots.index[i, slots.filled[i]] + 1
        close(weights[i, : len(ids)], case.expected[f"class_map_{i}"][class_ids])


def test_affinity(case):
    detail = case.step.detail
    for i, ids in enumerate(case.meta["tags"]):
        order = case.order(i)
        close(detail.refined.affinity[i], case.expected[f"affinity_{i}"])
        close(detail.refined.transition[i], case.expected[f"transition_{i}"])
        mask = detail.refined.mask
        ones = torch.ones_like(detail.refined.cam[i][: len(ids)])
        mask = ones if mask is None else mask[i][order].float()
        close(mask, case.expected[f"mask_{i}"])
        close(detail.refined.cam[i][order], case.expected[f"cam_refined_{i}"])
        close(detail.pseudo_label.cam[i][order], case.expected[f"cam_highres_{i}"])


def test_labels(case):
    detail, expected = case.step.detail, case.expected
    order = [0, *(k + 1 for k in case.order(0))]
    close(detail.pseudo_label.scores[0][order], expected["par_out_0"])
    agree(detail.pseudo_label.label_map, expected["pseudo_label"])
    size = tuple(case.batch.image.shape[2:])
    confidence, prediction = confident_classes(case.step.logits, size)
    close(confidence, expected["confidence"])
    agree(prediction, expected["prediction"])
    agree(case.step.target, expected["target"])
    branches = detail.decoded.branches
    agree(predicted_labels(branches[0], case.step.target), expected["prediction_clip"])
    agree(predicted_labels(branches[1], case.step.target), expected["prediction_dino"])
    grid, radius = tuple(case.step.logits.shape[-2:]), case.config.loss.affinity.radius
    pairs = affinity_labels(expected["pseudo_label"].long(), grid, radius)
    assert torch.equal(pairs, expected["affinity_label"].to(pairs.dtype))


def test_gradients_and_four_steps(case):
    method, config = case.make_method(), case.config
    optim = config.optim
    optimizer = build_optimizer(
        method.parameter_groups(),
        weight_decay=optim.weight_decay,
        betas=optim.betas,
        eps=optim.eps,
    )
    for step in range(4):
        rate = learning_rate(
            step,
            peak=optim.learning_rate,
            steps=10,
            warmup_steps=2,
            warmup_ratio=optim.warmup_ratio,
            power=optim.power,
        )
        assert rate == pytest.approx(case.expected["lr"][step].item(), rel=1e-4)
        for group in optimizer.param_groups:
            group["lr"] = rate
        output = method.training_step(case.batch, step)
        close(losses_of(output), case.expected["losses"][step], 1e-4 if step < 2 else 1e-3)
        optimizer.zero_grad()
        output.loss.backward()
        if step == 0:
            gradients = {n: p.grad for n, p in method.trained.named_parameters()}
            check_named(case, "grad.", gradients, 1e-4)
        optimizer.step()
    check_named(case, "after.", dict(method.trained.named_parameters()), 1e-3)


def losses_of(output) -> Tensor:
    """Segmentation, affinity, both halves of cross, dice, total."""
    one, other = output.detail.decoded.branches
    cross = [
        segmentation_loss(logits, predicted_labels(teacher, output.target))
        for logits, teacher in ((one, other), (other, one))
    ]
    terms = output.terms
    close(sum(cross), terms["cross"])
    close(dice_loss(overlap_sums(output.logits, output.target), 1e-7), terms["dice"])
    named = [terms["segmentation"], terms["affinity"], *cross, terms["dice"], terms["loss"]]
    return torch.stack([term.detach() for term in named])


def check_named(case: Case, prefix: str, ours: dict[str, Tensor], tolerance: float) -> None:
    found = {k.removeprefix(prefix): v for k, v in case.expected.items() if k.startswith(prefix)}
    assert found
    for released, expected in found.items():
        close(ours[decoder_key(released, PREFIXES)], expected, tolerance)


@pytest.mark.skipif(
    not (FOLDER / "evaluation.safetensors").exists(), reason="no evaluation tensors"
)
def test_evaluation():
    path = FOLDER / "evaluation.safetensors"
    with safe_open(path, "pt") as file:
        case = Case(FOLDER / file.metadata()["case"])
    expected, method = load_file(path), case.method.eval()
    image = expected["image"]
    with torch.no_grad():
        single = multi_scale_logits(method, image, scales=(1.0,), flip=False)
        close(single, expected["logits_single_scale"])
        scales = case.config.eval.scales
        logits = multi_scale_logits(method, image, scales=scales, flip=case.config.eval.flip)
    close(logits, expected["logits_multi_scale_flip"])
    resized = F.interpolate(logits, image.shape[-2:], mode="bilinear", align_corners=False)
    agree(resized.argmax(dim=1), expected["prediction"])
