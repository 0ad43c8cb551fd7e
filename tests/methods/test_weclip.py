"""The order of the stages, the step that starts the refinement module, and every quirk switch."""

import pytest
import torch
import torch.nn.functional as F
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD
from weclip.data.batch import IGNORE_INDEX
from weclip.labels.tag_slots import pack_tags

BOX = (5, 3, 26, 40)  # content of a padded crop, 32 x 48


def run(config=None, *, step=0, box=BOX, seed=0):
    """One step without dropout."""
    method = tiny_weclip(config, dropout=0.0).eval()
    return method.training_step(make_batch(box=box, seed=seed), step)


def stages(output):
    """The tensors of a step in the order in which they are computed."""
    return {
        "logits": output.logits.detach(),
        "feature_affinity": output.detail.feature_affinity.detach(),
        "cam": output.cam,
        "affinity": output.detail.refined.affinity,
        "transition": output.detail.refined.transition,
        "refined_cam": output.detail.refined.cam,
        "pixel_cam": output.detail.pseudo_label.cam,
        "scores": output.detail.pseudo_label.scores,
        "label_map": output.detail.pseudo_label.label_map,
        "target": output.target,
    }


def changed(one, other):
    one, other = stages(one), stages(other)
    return {name for name in one if not torch.equal(one[name], other[name])}


def test_shapes_of_a_step():
    output = run()
    shapes = {name: tuple(value.shape) for name, value in stages(output).items()}
    assert shapes == {
        "logits": (3, 6, 4, 6),
        "feature_affinity": (3, 24, 24),
        "cam": (3, 2, 4, 6),
        "affinity": (3, 24, 24),
        "transition": (3, 24, 24),
        "refined_cam": (3, 2, 4, 6),
        "pixel_cam": (3, 2, 32, 48),
        "scores": (3, 3, 32, 48),
        "label_map": (3, 32, 48),
        "target": (3, 32, 48),
    }
    terms = output.terms
    torch.testing.assert_close(terms["loss"], terms["segmentation"] + 0.1 * terms["affinity"])
    assert not any(term.requires_grad for term in terms.values())


def test_only_the_decoder_outputs_carry_a_graph():
    output = run()
    with_graph = {"logits", "feature_affinity"}
    assert output.logits.requires_grad
    assert output.detail.feature_affinity.requires_grad
    frozen = {n: v for n, v in stages(output).items() if n not in with_graph}
    assert not any(value.requires_grad for value in frozen.values())


def test_image_is_not_seen_by_others_of_its_batch():
    """Tags in a batch are packed into slots; an image gets the same labels alone."""
    method = tiny_weclip(dropout=0.0).eval()
    tags = ((0, 1, 3), (), (4,), (2, 3))
    together = method.training_step(make_batch(tags), 0)
    for i, own in enumerate(tags):
        batch = make_batch(tags)
        one = type(batch)(
            batch.image[i : i + 1], batch.tags[i : i + 1], batch.content_box[i : i + 1], ("0",)
        )
        alone = method.training_step(one, 0)
        slots = max(1, len(own))
        torch.testing.assert_close(
            together.detail.refined.cam[i, :slots],
            alone.detail.refined.cam[0],
            rtol=1e-3,
            atol=1e-5,
        )
        agreement = (together.target[i] == alone.target[0]).float().mean()
        assert agreement > 0.999


def test_refinement_starts_at_its_step_and_forwards_do_not_count():
    """The released code counts forward calls, those of validation too; we own the step."""
    config = tiny_config()
    config.method.weclip.refine_from = 7
    method = tiny_weclip(config, dropout=0.0).eval()
    batch = make_batch()
    early = method.training_step(batch, 6)
    for _ in range(10):
        method(batch.image)
    assert not changed(early, method.training_step(batch, 6))
    late = method.training_step(batch, 7)
    assert {"affinity", "transition", "refined_cam"} <= changed(early, late)
    assert not {"cam", "logits"} & changed(early, late)
    assert not changed(late, method.training_step(batch, 10**6))


def test_refinement_can_be_off():
    config = tiny_config()
    config.method.weclip.refine_from = -1
    method = tiny_weclip(config, dropout=0.0).eval()
    batch = make_batch()
    first, last = method.training_step(batch, 0), method.training_step(batch, 10**6)
    assert not changed(first, last)
    assert changed(first, run(step=0, box=None))


def test_initial_affinity_is_the_mean_attention():
    config = tiny_config()
    config.method.weclip.refine_from, config.affinity.attention.layers = -1, 2
    method = tiny_weclip(config, dropout=0.0).eval()
    batch = make_batch()
    features = method.image_encoder(method.maps.normalise(batch.image))
    last = method.image_encoder.run_last_block(features.tokens[-1])
    expected = (features.attention[-1] + last.attention)[:, 1:, 1:] / 2
    torch.testing.assert_close(method.training_step(batch, 0).detail.refined.affinity, expected)


def test_only_attention_maps_that_are_read_are_made():
    config = tiny_config()
    config.method.weclip.refine_from = 7
    config.affinity.attention.layers, config.affinity.attention.refined_layers = 1, 3
    method, image = tiny_weclip(config), make_batch().image
    formed = [len(method.maps.see(image, refined=r).features.attention) for r in (False, True)]
    assert formed == [0, 2]


def test_imagenet_normalisation():
    """Quirk: the encoder's input is scaled by ImageNet's constants instead of CLIP's."""
    plain = tiny_weclip(tiny_config())
    quirky = tiny_weclip(tiny_config(imagenet_normalisation=True))
    image = make_batch().image
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    expected = (image - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(quirky.maps.normalise(image), expected)
    expected = (image / 255 - torch.tensor(CLIP_MEAN).view(3, 1, 1)) / torch.tensor(CLIP_STD).view(
        3, 1, 1
    )
    torch.testing.assert_close(plain.maps.normalise(image), expected, rtol=1e-5, atol=1e-5)
    assert "logits" in changed(run(), run(tiny_config(imagenet_normalisation=True)))


def test_train_on_padding():
    """Quirk: padding is a target like any other; by default both losses ignore it."""
    plain, quirky = run(), run(tiny_config(train_on_padding=True))
    assert changed(plain, quirky) == {"target"}
    assert torch.equal(quirky.target, quirky.detail.pseudo_label.label_map)
    y0, x0, y1, x1 = BOX
    inside = torch.zeros(32, 48, dtype=torch.bool)
    inside[y0:y1, x0:x1] = True
    assert (plain.target[:, ~inside] == IGNORE_INDEX).all()
    assert torch.equal(plain.target[:, inside], quirky.target[:, inside])
    for term in ("segmentation", "affinity"):
        assert plain.terms[term] != quirky.terms[term]
    assert not changed(run(box=None), run(tiny_config(train_on_padding=True), box=None))


def test_padding_without_content_is_survived():
    """A content box of no whole patch leaves nothing to learn from, and no NaN."""
    output = run(box=(31, 47, 32, 48))
    assert all(term.isfinite() for term in output.terms.values())


def test_signed_layer_distance():
    """Quirk: which attention maps are averaged, and nothing else.

    Where the decoder's affinity lies above every attention map, as a fresh decoder's does, signed
    and absolute distances are the same; so one that crosses the maps is put in its place.
    """
    assert not changed(run(), run(tiny_config(signed_layer_distance=True)))
    kept = {}
    for signed in (False, True):
        method = tiny_weclip(tiny_config(signed_layer_distance=signed), dropout=0.0).eval()
        batch = make_batch()
        view = method.maps.see(batch.image, refined=True)
        cam = method.maps.make(view, pack_tags(batch.tags))
        crossing = [block.clamp(1e-6, 1 - 1e-6) for block in view.attention(3)]
        kept[signed] = [method.maps.spread(cam, view, a).affinity / a for a in crossing]
    assert len(kept[True]) == 3
    for other in kept[True][1:]:  # the released choice is the same whatever the decoder says
        torch.testing.assert_close(other, kept[True][0], rtol=1e-4, atol=1e-6)
    assert any(
        not torch.allclose(absolute, released, rtol=1e-3)
        for absolute, released in zip(kept[False], kept[True], strict=True)
    )


def test_exclusive_box_edge():
    """Quirk: sources in the last row and column are lost; affinity and CAM are as before."""
    plain, quirky = run(), run(tiny_config(exclusive_box_edge=True))
    before = {"logits", "feature_affinity", "cam", "affinity", "transition"}
    assert not before & changed(plain, quirky)
    assert "refined_cam" in changed(plain, quirky)
    # the released result is that of maps without their last row and column
    maps = plain.cam.clone()
    maps[..., -1, :] = maps[..., -1] = 0
    sources = torch.einsum("bnm,bkm->bkn", plain.detail.refined.transition, maps.flatten(2))
    assert (quirky.detail.refined.cam.flatten(2) <= sources + 1e-6).all()


def test_par_on_normalised_image():
    """Quirk without effect: PAR divides by local deviations, so a channel's scale cancels."""
    plain, quirky = run(), run(tiny_config(par_on_normalised_image=True))
    assert changed(plain, quirky) <= {"scores"}
    filled = plain.detail.pseudo_label.scores.isfinite()
    difference = (
        plain.detail.pseudo_label.scores[filled] - quirky.detail.pseudo_label.scores[filled]
    )
    assert difference.abs().max() < 1e-4


@pytest.mark.parametrize("quirk", [True, False])
def test_par_is_guided_by(quirk, monkeypatch):
    guides, batch = [], make_batch()
    method = tiny_weclip(tiny_config(par_on_normalised_image=quirk))
    make_label = method.make_label
    monkeypatch.setattr(method, "make_label", lambda *a: guides.append(a[2]) or make_label(*a))
    method.training_step(batch, 0)
    expected = method.maps.normalise(batch.image) if quirk else batch.image.float()
    assert torch.equal(guides[0], expected)


def test_normalising_and_resizing_commute():
    """The released test normalises first, ours resizes first: bilinear weights sum to 1."""
    normalise = tiny_weclip().maps.normalise
    image = make_batch().image.float()
    for size in ((24, 36), (17, 61)):
        first = F.interpolate(normalise(image), size, mode="bilinear", align_corners=False)
        last = normalise(F.interpolate(image, size, mode="bilinear", align_corners=False))
        torch.testing.assert_close(first, last, rtol=1e-4, atol=1e-5)


def test_labels_and_losses_stay_in_float32_under_autocast():
    """Only the frozen encoder and the decoder run in bfloat16."""
    method = tiny_weclip(dropout=0.0).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = method.training_step(make_batch(), 0)
    half = {n for n, v in stages(output).items() if v.dtype == torch.bfloat16}
    assert half == {"logits"}
    assert {term.dtype for term in output.terms.values()} == {torch.float32}
    full = run(box=None)
    torch.testing.assert_close(output.terms["loss"], full.terms["loss"], rtol=0.1, atol=0)


def test_moves_with_its_module():
    """Constants are buffers: nothing is left behind on another type or device."""
    method = tiny_weclip()
    names = {name for name, _ in method.named_buffers()}
    assert {f"maps.{n}" for n in ("mean", "std", "class_text", "background_text")} <= names
    assert not names & set(method.state_dict())
    assert {b.device.type for b in method.to("meta").buffers()} == {"meta"}
