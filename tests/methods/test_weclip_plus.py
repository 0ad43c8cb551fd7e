"""WeCLIP+: sizes, the order of its stages, its switches, and who takes part when."""

import pytest
import torch
import torch.nn.functional as F
from tests.methods.tiny_weclip import (
    CLASSES,
    clip_state,
    dino_encoder,
    make_batch,
    plus_config,
    text_features,
    tiny_weclip_plus,
)

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD
from weclip.build.method import assemble
from weclip.data.batch import IGNORE_INDEX
from weclip.labels.boxes import box_mask
from weclip.labels.spreading import Refined, propagate
from weclip.methods.decoder import TwoBranchDecoder
from weclip.methods.labelling import class_probability, confident_classes
from weclip.system.errors import InputError

BOX = (5, 3, 26, 40)  # content of a padded crop, 32 x 48
PUBLISHED = {"clip_width": 768, "width": 256, "heads": 8, "dropout": 0.1}


def run(config=None, *, step=0, box=None, tags=((0, 2), (), (4,))):
    """One step without dropout, of a decoder that is not undecided as a fresh one is."""
    method = tiny_weclip_plus(config, dropout=0.0).eval()
    with torch.no_grad():
        method.trained.segmenter.classifier.weight.mul_(10)
    return method, method.training_step(make_batch(tags, box=box), step)


def confident(at=0.3, **quirks):
    """Predictions replace labels from the first step on, and easily."""
    config = plus_config(**quirks)
    config.method.weclip_plus.confident_from = 0
    config.method.weclip_plus.confident_above = at
    return config


@pytest.mark.parametrize(
    ("guide_width", "blocks", "classes", "millions"),
    [(384, 3, 21, 2.93), (768, 3, 21, 3.03), (1024, 5, 21, 4.68), (384, 3, 81, 2.95)],
    ids=["VOC S", "VOC B", "VOC L", "COCO S"],
)
def test_number_of_trained_parameters(guide_width, blocks, classes, millions):
    sizes = {"guide_width": guide_width, "blocks": blocks, "num_classes": classes}
    with torch.device("meta"):
        decoder = TwoBranchDecoder(**PUBLISHED, **sizes)
    count = sum(parameter.numel() for parameter in decoder.parameters())
    assert round(count / 1e6, 2) == millions


def test_stages_of_a_step():
    method, output = run()
    detail = output.detail
    assert output.logits.shape == (3, 6, 4, 6)
    assert detail.decoded.feature_affinity.shape == (3, 24, 24)
    assert output.cam.shape == detail.weighted.shape == detail.refined.cam.shape == (3, 2, 4, 6)
    assert output.target.shape == (3, 32, 48)
    terms = output.terms
    total = terms["segmentation"] + 0.1 * (terms["affinity"] + terms["cross"]) + terms["dice"]
    torch.testing.assert_close(terms["loss"], total)
    one, other = detail.decoded.branches
    torch.testing.assert_close(output.logits, 0.5 * one + 0.5 * other)
    assert not any(p.requires_grad for p in method.maps.parameters())


def test_maps_are_weighed_by_the_prediction_before_they_are_spread():
    _, output = run()
    detail, slots = output.detail, output.detail.slots
    probability = output.logits.softmax(1)
    for image, slot in zip(slots.image, slots.slot, strict=True):
        class_id = slots.index[image, slot] + 1
        expected = output.cam[image, slot] * probability[image, class_id]
        torch.testing.assert_close(detail.weighted[image, slot], expected)
    found = class_probability(output.logits, slots, output.logits.shape[2:])
    torch.testing.assert_close(found[0, 1], probability[0, 3])
    spread = propagate(detail.weighted, detail.refined.transition, detail.refined.mask)
    torch.testing.assert_close(detail.refined.cam, spread)


@pytest.mark.parametrize("boxes", [True, False])
def test_boxes_are_those_of_the_maps_before_they_are_weighed(boxes):
    config = plus_config()
    config.affinity.attention.refined_boxes = boxes
    _, output = run(config)
    if not boxes:
        assert output.detail.refined.mask is None
        return
    expected = box_mask(output.cam, config.affinity.attention.box_threshold, exclusive_edge=False)
    assert torch.equal(output.detail.refined.mask, expected)


def test_both_encoders_see_the_image_in_their_own_way():
    """ImageNet's numbers are right for DINOv2, whatever CLIP gets."""
    method = tiny_weclip_plus(plus_config(imagenet_normalisation=False))
    dino = method.maps.second_encoder
    assert dino.mean.flatten().tolist() == pytest.approx([255 * v for v in IMAGENET_MEAN])
    assert dino.std.flatten().tolist() == pytest.approx([255 * v for v in IMAGENET_STD])
    assert not torch.allclose(dino.mean, method.maps.mean)


def test_cam_skips_block():
    """VOC's released code: block L reads block L-2 for maps and attention; the decoder does not."""
    (_, plain), (method, quirky) = run(), run(plus_config(cam_skips_block=True))
    assert torch.equal(plain.logits, quirky.logits)
    assert not torch.equal(plain.cam, quirky.cam)
    seen = method.see(make_batch().image, 0)
    tokens = seen.tokens[-2].float()
    expected = method.maps.image_encoder.run_last_block(tokens).attention
    assert torch.equal(seen.last_block.attention, expected)
    last = seen.attention(2)
    torch.testing.assert_close(last[1], expected[:, 1:, 1:])
    torch.testing.assert_close(last[0], tiny_attention(method, seen, 1))


def tiny_attention(method, seen, block):
    """Attention between patches of a block (from 0) in the ordinary pass."""
    return method.maps.image_encoder.transformer.blocks[block].with_map(seen.tokens[block - 1])[1][
        :, 1:, 1:
    ]


def test_predictions_replace_labels_from_their_step_on():
    config = confident()
    config.method.weclip_plus.confident_from = 7
    for step, replaced in ((6, False), (7, True)):
        _, output = run(config, step=step)
        same = torch.equal(output.target, output.detail.pseudo_label.label_map)
        assert same is not replaced
    config.method.weclip_plus.confident_from = -1
    _, output = run(config, step=10**9)
    assert torch.equal(output.target, output.detail.pseudo_label.label_map)


def test_only_confident_pixels_are_replaced():
    _, output = run(confident(at=0.5, confident_untagged=True))
    labels = output.detail.pseudo_label.label_map
    confidence, prediction = confident_classes(output.logits, (32, 48))
    expected = torch.where(confidence > 0.5, prediction, labels)
    assert torch.equal(output.target, expected)
    assert not torch.equal(output.target, labels)


def test_affinity_learns_from_labels_before_they_are_replaced():
    _, before = run()
    _, after = run(confident())
    assert not torch.equal(before.target, after.target)
    assert torch.equal(before.terms["affinity"], after.terms["affinity"])
    assert not torch.equal(before.terms["segmentation"], after.terms["segmentation"])


@pytest.mark.parametrize("quirk", [True, False])
def test_confident_untagged(quirk):
    """As released any class replaces; by default only background and the image's own tags."""
    _, output = run(confident(confident_untagged=quirk))
    allowed = [{0, 1, 3}, {0}, {0, 5}]
    found = [set(target.unique().tolist()) for target in output.target]
    inside = all(ids <= own for ids, own in zip(found, allowed, strict=True))
    assert inside is not quirk


@pytest.mark.parametrize("quirk", [True, False])
def test_train_on_padding(quirk):
    """Padding is left out of every label and loss, also of what predictions replace."""
    _, output = run(confident(train_on_padding=quirk), box=BOX)
    outside = torch.ones(3, 32, 48, dtype=torch.bool)
    outside[:, BOX[0] : BOX[2], BOX[1] : BOX[3]] = False
    assert torch.equal(output.target == IGNORE_INDEX, outside) is not quirk
    if quirk:
        assert (output.target != IGNORE_INDEX).all()


def test_the_second_encoders_map_is_resized_after_its_dropout():
    """Whole channels are dropped, each head its own."""
    method = tiny_weclip_plus(dropout=0.5).train()
    seen = method.see(make_batch().image, 0)
    torch.manual_seed(0)
    of_clip = method.trained.clip_head([seen.tokens[-1][:, 1:]], seen.patch_grid)
    of_guide = method.trained.guide_head([seen.guide.features], seen.guide.patch_grid)
    assert of_guide.shape[2:] == (4, 6) == tuple(seen.guide.patch_grid)  # 32 // 7, 48 // 7
    dropped = [(features == 0).all(dim=(2, 3)) for features in (of_clip, of_guide)]
    assert all(each.any() for each in dropped)
    assert not torch.equal(*dropped)


def test_prediction_needs_no_tags_and_is_the_mean_of_branches():
    method = tiny_weclip_plus().eval()
    image = make_batch().image
    seen = method.see(image, 0)
    decoded = method.decode(seen)
    torch.testing.assert_close(method(image), decoded.logits)
    assert torch.equal(F.one_hot(decoded.logits.argmax(1)).sum(), torch.tensor(3 * 24))


def test_labels_for_scores_are_those_of_training():
    method = tiny_weclip_plus(dropout=0.0).eval()
    output = method.training_step(make_batch(((0, 2),)), 0)
    image = make_batch(((0, 2),)).image.float()
    found = method.label_maps(image, (0, 2), size=(32, 48), step=0)
    expected = output.detail.pseudo_label.label_map[0]
    share = (found.label_map["pseudo_label"].long() == expected).float().mean()
    assert share > 0.999


def test_maps_labels_and_losses_stay_in_float32_under_autocast():
    """Weighted maps are small: what rounds them decides which tags get pixels."""
    method = tiny_weclip_plus(dropout=0.0).eval()
    with torch.autocast("cpu", torch.bfloat16):
        output = method.training_step(make_batch(), 0)
    assert output.detail.decoded.branches[0].dtype == torch.bfloat16
    refined = output.detail.refined
    kept = (output.cam, output.detail.weighted, refined.transition, refined.cam, output.loss)
    assert {each.dtype for each in kept} == {torch.float32}


def test_refine_from():
    """Published: from the first step. Before it, maps are as CLIP gives them, as in WeCLIP."""
    config = plus_config()
    config.method.weclip_plus.refine_from = 5
    (_, before), (_, after), (_, released) = run(config, step=4), run(config, step=5), run()
    assert torch.equal(before.detail.weighted, before.cam)
    assert not torch.equal(before.detail.refined.affinity, after.detail.refined.affinity)
    assert torch.equal(after.detail.refined.cam, released.detail.refined.cam)
    assert torch.equal(after.target, released.target)
    config.method.weclip_plus.refine_from = -1
    _, never = run(config, step=10**6)
    assert torch.equal(never.detail.refined.cam, before.detail.refined.cam)


def test_an_affinity_that_does_more_than_its_transition_is_refused():
    """Weighted maps are spread by transition and mask; what else an affinity does would be lost."""

    def doubling(cam, view, feature_affinity):
        same = torch.eye(cam.shape[-1] * cam.shape[-2]).expand(len(cam), -1, -1)
        return Refined(same, same, 2 * cam)

    method = tiny_weclip_plus()
    method.maps.affinity = doubling
    with pytest.raises(InputError, match="its maps are not those of its own transition and mask"):
        method.training_step(make_batch(), 0)


@pytest.mark.parametrize(("blocks", "skips"), [(1, False), (2, True)])
def test_a_clip_of_too_few_blocks_is_refused(blocks, skips):
    config = plus_config(cam_skips_block=skips)
    encoder = build_image_encoder(clip_state(blocks=blocks))
    with pytest.raises(InputError, match=f"has {blocks} blocks, and the method reads {blocks + 1}"):
        assemble(config, encoder, text_features(), CLASSES, dino_encoder())


def test_auto_is_for_trainings():
    config = plus_config()
    config.method.weclip_plus.confident_from = "auto"
    with pytest.raises(InputError, match="confident_from=auto is for trainings"):
        run(config)
