import pytest
import torch
import torch.nn.functional as F
from tests.literal.gradcam import gradcam
from tests.methods.tiny_weclip import BLOCKS, JOINT, WIDTH, clip_state, text_features

from weclip.backbones.clip.image_encoder import build_image_encoder
from weclip.labels import tag_slots
from weclip.labels.maps.gradcam import softmax_gradcam
from weclip.labels.tag_slots import min_max, pack_tags

TAGS = [[3], [], [0, 1, 2, 4], [1, 4], [0, 2, 3]]  # K = 1, 0, 4, 2, 3 in one batch


def multi_hot(tags, classes=5):
    rows = torch.zeros(len(tags), classes, dtype=torch.bool)
    for row, indices in zip(rows, tags, strict=True):
        row[indices] = True
    return rows


def run(tags, tokens, grid, text, encoder=None):
    encoder = encoder or build_image_encoder(clip_state())
    last = encoder.run_last_block(tokens)
    slots = pack_tags(multi_hot(tags))
    cam = softmax_gradcam(
        last,
        slots,
        class_text=text.classes,
        background_text=text.background,
        scale=text.scale,
        patch_grid=grid,
        eps=1e-7,
    )
    return last, slots, cam


def random_tokens(count, grid, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1 + grid[0] * grid[1], WIDTH, generator=generator)


@pytest.mark.parametrize("grid", [(4, 4), (3, 5), (7, 2), (1, 3)])
@pytest.mark.parametrize("scale", [5.0, 20.0])
def test_against_literal(grid, scale):
    text, tokens = text_features(scale=scale), random_tokens(len(TAGS), grid)
    last, slots, cam = run(TAGS, tokens, grid, text)
    state = {name: value.double() for name, value in clip_state().items()}
    for i, tags in enumerate(TAGS):
        for k in range(len(tags)):
            expected, probability, attention = gradcam(
                state,
                block=BLOCKS - 1,
                heads=WIDTH // 64,
                tokens=tokens[i].double(),
                texts=torch.cat([text.classes[tags], text.background]).double(),
                tag=k,
                scale=scale,
                grid=grid,
            )
            torch.testing.assert_close(cam.cam[i, k].double(), expected, rtol=1e-3, atol=1e-4)
            ours = torch.cat([cam.probability[i, : len(tags)], cam.probability[i, -4:]])
            torch.testing.assert_close(ours.double(), probability, rtol=1e-4, atol=1e-6)
        assert slots.index[i, : len(tags)].tolist() == tags
        assert (cam.cam[i, len(tags) :] == 0).all()
        assert (cam.probability[i, len(tags) : -4] == 0).all()
    torch.testing.assert_close(last.attention[-1].double(), attention, rtol=1e-4, atol=1e-6)
    assert cam.cam.dtype == torch.float32
    assert not cam.cam.requires_grad


def test_batch_equals_single_images():
    grid, text = (3, 4), text_features()
    tokens = random_tokens(len(TAGS), grid)
    _, _, together = run(TAGS, tokens, grid, text)
    for i, tags in enumerate(TAGS):
        _, _, alone = run([tags], tokens[i : i + 1], grid, text)
        slots = max(1, len(tags))
        torch.testing.assert_close(together.cam[i, :slots], alone.cam[0], rtol=1e-3, atol=1e-5)


def test_two_heads():
    """The head average and the gradient through several heads."""
    state = clip_state(width=128, joint=JOINT)
    encoder, text, grid = build_image_encoder(state), text_features(), (3, 3)
    tokens = torch.randn(1, 10, 128, generator=torch.Generator().manual_seed(1))
    last, _, cam = run([[2]], tokens, grid, text, encoder)
    expected, _, attention = gradcam(
        {name: value.double() for name, value in state.items()},
        block=BLOCKS - 1,
        heads=2,
        tokens=tokens[0].double(),
        texts=torch.cat([text.classes[[2]], text.background]).double(),
        tag=0,
        scale=text.scale,
        grid=grid,
    )
    torch.testing.assert_close(cam.cam[0, 0].double(), expected, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(last.attention[0].double(), attention, rtol=1e-4, atol=1e-6)


def test_works_inside_no_grad():
    grid, text, tokens = (2, 3), text_features(), random_tokens(1, (2, 3))
    _, _, expected = run([[1]], tokens, grid, text)
    with torch.no_grad():
        _, _, cam = run([[1]], tokens, grid, text)
    assert torch.equal(cam.cam, expected.cam)


def test_saturated_softmax_is_finite():
    """A probability of exactly 1 has no gradient: the map is empty, not NaN."""
    grid, text, tokens = (3, 3), text_features(scale=1e6), random_tokens(2, (3, 3))
    _, _, cam = run([[0, 1], [2]], tokens, grid, text)
    assert cam.cam.isfinite().all()


def test_bf16_tokens_do_not_crash():
    grid, text = (2, 3), text_features()
    encoder = build_image_encoder(clip_state()).bfloat16()
    text = type(text)(text.classes.bfloat16(), text.background.bfloat16(), text.scale)
    _, _, cam = run([[0, 3]], random_tokens(1, grid).bfloat16(), grid, text, encoder)
    assert cam.cam.isfinite().all()
    assert cam.cam.amax() <= 1


@pytest.mark.parametrize("tags", [[[]], [[], []], [[0, 1, 2, 3, 4]], [[4], [], [0, 4]]])
def test_pack_tags(tags):
    slots = pack_tags(multi_hot(tags))
    assert slots.index.shape[1] == max(1, *(len(t) for t in tags), 1)
    for i, expected in enumerate(tags):
        assert slots.index[i][slots.filled[i]].tolist() == expected
        assert (slots.index[i][~slots.filled[i]] == 0).all()


@pytest.mark.parametrize("tags", [[[]], [[0, 1, 2, 3, 4]], [[4], [], [0, 4]]])
def test_tags_are_sent_in_one_copy(tags, monkeypatch):
    sent, honest = [], tag_slots.send
    monkeypatch.setattr(tag_slots, "send", lambda *what: sent.append(what) or honest(*what))
    slots = pack_tags(multi_hot(tags))
    assert slots.to(torch.device("cpu")) is slots
    there = slots.to(torch.device("meta"))
    assert len(sent) == 1
    monkeypatch.setattr(tag_slots, "send", lambda values, device: values)
    back = slots.to(torch.device("meta"))  # through the same packing
    for name in ("index", "filled", "image", "slot"):
        ours, theirs, far = (getattr(each, name) for each in (slots, back, there))
        assert torch.equal(ours, theirs)
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        assert (ours.dtype, ours.shape, "meta") == (far.dtype, far.shape, far.device.type)


def test_allowed_classes_are_background_and_tags():
    tags = multi_hot([[], [4], [0, 1, 2, 3, 4], [0, 3]])
    expected = F.pad(tags, (1, 0), value=True)
    assert torch.equal(pack_tags(tags).allowed(expected.shape[1]), expected)


def test_min_max():
    maps = torch.tensor([[[[2.0, 4.0], [3.0, 2.0]]], [[[5.0, 5.0], [5.0, 5.0]]]])
    scaled = min_max(maps, 1e-7)
    torch.testing.assert_close(scaled[0, 0], torch.tensor([[0.0, 1.0], [0.5, 0.0]]))
    assert (scaled[1] == 0).all()  # a constant map has no maximum
    tiny = min_max(torch.tensor([[0.0, 1e-7]]), 1e-7)
    assert tiny.max() == pytest.approx(0.5)  # why the CAM is scaled twice
    assert min_max(tiny, 1e-7).max() == pytest.approx(1.0)
