import pytest
import torch
from tests.literal import afa as literal
from tests.methods.contract import optimizer_of, weights
from tests.methods.tiny_afa import afa_config, tiny_afa
from tests.methods.tiny_weclip import make_batch

from weclip.backbones.imagenet import IMAGENET_MEAN, IMAGENET_STD
from weclip.data.batch import IGNORE_INDEX, Share
from weclip.labels.pixel_refine import ParSettings
from weclip.labels.spreading import propagate, window_transition
from weclip.labels.tag_slots import pack_tags
from weclip.labels.two_scores.guide import LOWERED, colours
from weclip.labels.two_scores.mirrored import Mirrored, multi_scale_cam
from weclip.labels.two_scores.scores import Backgrounds, agreed_label, both_softmax
from weclip.methods.heads.mlp_head import MlpHead, ScoreAffinity
from weclip.methods.method import total_of_one
from weclip.system.errors import InputError

NO_PAR = ParSettings(
    iterations=0, dilations=(1,), colour_width=1, position_width=1, position_weight=0
)


def tagged(*tags):
    multi_hot = torch.zeros(len(tags), 5, dtype=torch.bool)
    for row, ids in zip(multi_hot, tags, strict=True):
        row[list(ids)] = True
    return pack_tags(multi_hot)


def test_labels_of_two_backgrounds_against_literal():
    tags = [(0, 3), (), (1, 2, 4)]
    slots = tagged(*tags)
    cam = torch.rand(3, 3, 6, 7) * slots.filled[..., None, None]
    backgrounds = Backgrounds(low=0.35, high=0.55, par=NO_PAR)
    found = agreed_label(both_softmax(cam, slots.filled, backgrounds), slots.index)
    for i, ids in enumerate(tags):
        expected = literal.two_score_label(cam[i, : len(ids)], ids, 0.35, 0.55)
        assert torch.equal(found[i], expected)
    assert IGNORE_INDEX in found


@pytest.mark.parametrize("grid", [(3, 4), (1, 6)])
def test_spreading_against_literal(grid):
    count = grid[0] * grid[1]
    scores = torch.randn(1, count, count)
    affinity = (scores + scores.transpose(1, 2)).sigmoid()
    planes = torch.rand(1, 3, *grid)
    transition = window_transition(affinity, grid, radius=1, power=2, eps=0.1)
    expected = literal.spread(planes[0].flatten(1), affinity[0], grid, 1, 2, 0.1)
    torch.testing.assert_close(propagate(planes, transition)[0].flatten(1), expected)


def test_maps_of_scales_against_literal():
    scales = [Mirrored(torch.randn(2, 2, *s), torch.randn(2, 2, *s)) for s in ((3, 4), (5, 2))]
    filled = torch.tensor([[True, True], [True, False]])
    found = multi_scale_cam(scales, (9, 8), filled, 1e-5)
    for b, k in ((0, 0), (0, 1), (1, 0)):
        pairs = [(each.straight[b, k], each.mirrored[b, k]) for each in scales]
        torch.testing.assert_close(found[b, k], literal.multi_scale_cam(pairs, (9, 8), 1e-5))
    assert not found[1, 1].any()


def test_heads_against_literal():
    maps = [torch.randn(2, d, *s) for d, s in ((3, (8, 12)), (5, (4, 6)), (6, (2, 3)), (7, (2, 3)))]
    head = MlpHead((3, 5, 6, 7), width=4, num_classes=3, dropout=0)
    torch.testing.assert_close(head.fused(maps), literal.fused(head, maps), rtol=1e-5, atol=1e-5)
    scores, mix = torch.randn(2, 5, 6, 6), ScoreAffinity(5)
    weight, bias = mix.mix.weight.flatten().tolist(), mix.mix.bias.item()
    expected = torch.stack([literal.affinity(each, weight, bias) for each in scores])
    torch.testing.assert_close(mix(scores), expected)


def test_truncated_guide():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    found = (255 * colours(levels, torch.float64, truncated=True)).round().long()
    for channel, (mean, std) in enumerate(zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)):
        expected = [literal.guide_level(level, 255 * mean, 255 * std) for level in range(256)]
        assert found[0, channel].flatten().tolist() == expected
    assert sum(map(len, LOWERED)) == 7
    assert torch.equal(255 * colours(levels, torch.float64, truncated=False), levels.double())


def step(number=0, tags=((0, 2), (), (4,)), box=None, **quirks):
    """A training step of a new method, always with the same random numbers."""
    method = tiny_afa(afa_config(**quirks)).train()
    torch.manual_seed(5)
    batch = make_batch(tags, (64, 64), box=box)
    return method, method.training_step(batch, number)


def test_cam_runs_in_training_mode():
    _, plain = step()
    _, noisy = step(cam_runs_in_training_mode=True)
    assert not torch.equal(plain.cam, noisy.cam)
    assert torch.equal(plain.cam, step(1)[1].cam)  # by the seed alone


def test_cam_runs_feed_batchnorm():
    plain, fed = step()[0], step(cam_runs_feed_batchnorm=True)[0]
    one, other = (each.network.segmenter.norm.running_mean for each in (plain, fed))
    assert not torch.equal(one, other)
    # of four updates the first one's weight is left at 0.9 ** 3
    assert (other.abs().sum() / one.abs().sum()).item() > 1.5


def test_par_sees_padding():
    box = (10, 6, 60, 40)
    _, plain = step(box=box)
    _, padded = step(box=box, par_sees_padding=True)
    for output in (plain, padded):
        outside = output.target.clone()
        outside[:, 10:60, 6:40] = IGNORE_INDEX
        assert (outside == IGNORE_INDEX).all()
    assert not torch.equal(plain.target, padded.target)


def test_phases():
    config = afa_config()
    config.method.afa.classification_only_until = 0
    method = tiny_afa(config).train()
    batch = make_batch(size=(64, 64))
    first, second = (method.training_step(batch, number) for number in (0, 1))
    assert first.loss.item() == pytest.approx(first.terms["classification"].item())
    assert second.loss.item() > second.terms["classification"].item()
    spread = method.training_step(batch, 3)
    assert not torch.equal(spread.target, spread.detail.pairs)
    config.method.afa.pairs_from_target = True
    both = tiny_afa(config).train().training_step(batch, 3)
    assert both.target is both.detail.pairs


def test_losses_of_weight_zero_decay_the_heads():
    config = afa_config()
    config.method.afa.classification_only_until = 0
    method = tiny_afa(config).train()
    optimizer = optimizer_of(method)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    before = method.network.segmenter.classifier.weight.clone()
    method.training_step(make_batch(size=(64, 64)), 0).loss.backward()
    assert not method.network.segmenter.classifier.weight.grad.any()
    optimizer.step()
    torch.testing.assert_close(method.network.segmenter.classifier.weight, before * (1 - 1e-3))


def test_normalisations_of_the_encoder_stay():
    method = tiny_afa().train()
    kept = {n: v for n, v in weights(method.network.encoder).items() if "norm" in n}
    optimizer = optimizer_of(method)
    for group in optimizer.param_groups:
        group["lr"] = 0.1
    method.training_step(make_batch(size=(64, 64)), 0).loss.backward()
    optimizer.step()
    after = weights(method.network.encoder)
    assert kept
    assert all(torch.equal(value, after[name]) for name, value in kept.items())
    assert method.network.segmenter.norm.weight.requires_grad


def test_rates_of_the_groups():
    encoder, heads = tiny_afa().parameter_groups()
    assert (encoder.rate_factor, heads.rate_factor) == (1, 10)


def test_the_largest_scale_gives_the_affinity():
    config = afa_config()
    config.method.afa.cam_scales = (1.5, 1.0)
    _, output = step()
    assert output.detail.runs.patch_grid == (6, 6)
    other = tiny_afa(config).train().training_step(make_batch(size=(64, 64)), 0)
    assert other.detail.runs.patch_grid == (6, 6)
    config.method.afa.cam_scales = (0.5, 1.5)
    with pytest.raises(InputError, match=r"cam_scales=.* must hold 1"):
        tiny_afa(config)


def test_there_are_three_losses():
    _, output = step()
    assert output.terms.keys() == {"classification", "segmentation", "affinity", "loss"}


def test_shares_of_a_batch_draw_what_the_whole_would():
    """Two processes, whose sums are those of both; dropout, depth and maps are the same."""
    tags = ((0,), (1, 2), (3,))
    whole = step(2, tags, cam_runs_in_training_mode=True)[1]
    batch = make_batch(tags, (64, 64))
    for first, images in ((0, slice(0, 1)), (1, slice(1, 3))):
        method = tiny_afa(afa_config(cam_runs_in_training_mode=True)).train()
        torch.manual_seed(5)
        part = type(batch)(
            batch.image[images],
            batch.tags[images],
            batch.content_box[images],
            batch.names[images],
            Share(first, 3),
        )
        output = method.training_step(part, 2, total_of_one)
        kept = output.cam.shape[1]
        torch.testing.assert_close(output.cam, whole.cam[images, :kept], rtol=1e-4, atol=1e-4)
        found = output.detail.seen.class_logits
        torch.testing.assert_close(found, whole.detail.seen.class_logits[images])


def test_affinity_between_patches_of_another_encoder():
    method = tiny_afa().eval()
    image = make_batch(size=(64, 48)).image

    class View:
        rgb, patch_grid = image, (4, 3)

    assert method.feature_affinity(View).shape == (3, 12, 12)
    View.patch_grid = (8, 6)
    with pytest.raises(InputError, match=r"between 4 x 3 patches, and the CLIP has 8 x 6"):
        method.feature_affinity(View)
