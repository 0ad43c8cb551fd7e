import pytest
import torch

from weclip.backbones.dropout import ChannelDropout
from weclip.data.batch import Share
from weclip.methods.decoder import Decoder


def decoder(**changes):
    torch.manual_seed(0)
    sizes = {
        "clip_width": 12,
        "clip_blocks": 3,
        "num_classes": 5,
        "width": 16,
        "blocks": 2,
        "heads": 4,
        "dropout": 0.5,
    }
    return Decoder(**(sizes | changes))


def tokens(grid, *, batch=2, blocks=3, width=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 1 + grid[0] * grid[1], width)
    return [torch.randn(shape, generator=generator) for _ in range(blocks)]


def test_parameter_count_of_the_paper():
    """5.99 M at ViT-B/16 (11 blocks of width 768) and the 21 classes of VOC."""
    with torch.device("meta"):
        module = Decoder(
            clip_width=768,
            clip_blocks=11,
            num_classes=21,
            width=256,
            blocks=3,
            heads=8,
            dropout=0.1,
        )
    assert sum(p.numel() for p in module.parameters()) == 5_985_045


@pytest.mark.parametrize("grid", [(2, 3), (5, 1), (1, 1)])
def test_shapes(grid):
    decoded = decoder()(tokens(grid), grid)
    patches = grid[0] * grid[1]
    assert decoded.logits.shape == (2, 5, *grid)
    assert decoded.feature_affinity.shape == (2, patches, patches)


def test_affinity_is_the_sigmoid_of_inner_products():
    module, grid = decoder().eval(), (2, 3)
    inputs = tokens(grid)
    projected = [p(x[:, 1:]) for p, x in zip(module.fusion.projections, inputs, strict=True)]
    weight = module.fusion.fuse.weight[:, :, 0, 0]
    features = torch.cat(projected, -1) @ weight.T + module.fusion.fuse.bias  # (B, N, E)
    affinity = module(inputs, grid).feature_affinity
    for i in range(6):
        for j in range(6):
            expected = torch.sigmoid((features[:, i] * features[:, j]).sum(-1))
            torch.testing.assert_close(affinity[:, i, j], expected)


def test_class_token_is_not_read():
    module, grid = decoder().eval(), (2, 2)
    inputs = tokens(grid)
    changed = [x.clone() for x in inputs]
    for x in changed:
        x[:, 0] = 100
    assert torch.equal(module(inputs, grid).logits, module(changed, grid).logits)


def test_dropout_drops_whole_channels_and_reaches_the_affinity():
    """In training only; it is the only randomness."""
    module, grid = decoder(), (3, 3)
    inputs = tokens(grid)
    module.train()
    one, other = module(inputs, grid), module(inputs, grid)
    assert not torch.equal(one.logits, other.logits)
    assert not torch.equal(one.feature_affinity, other.feature_affinity)
    module.eval()
    one, other = module(inputs, grid), module(inputs, grid)
    assert torch.equal(one.logits, other.logits)
    assert torch.equal(one.feature_affinity, other.feature_affinity)


def test_dropout_equals_that_of_pytorch():
    features = torch.randn(4, 5, 2, 3)
    for probability in (0.0, 0.3, 1.0):
        torch.manual_seed(1)
        expected = torch.nn.functional.dropout2d(features, probability)
        torch.manual_seed(1)
        assert torch.equal(ChannelDropout(probability)(features), expected)


def test_processes_that_share_a_batch_drop_what_one_process_would():
    module, grid = decoder().train(), (3, 3)
    inputs = [torch.cat([block, block + 1, block - 1]) for block in tokens(grid)]
    torch.manual_seed(5)
    whole = module(inputs, grid).logits
    for first, last in ((0, 1), (1, len(whole))):
        torch.manual_seed(5)
        part = [block[first:last] for block in inputs]
        logits = module(part, grid, Share(first, len(whole))).logits
        torch.testing.assert_close(logits, whole[first:last])


def test_patches_have_no_position():
    """Without positional embedding a permutation of patches permutes the logits."""
    module, grid = decoder().eval(), (2, 3)
    inputs = tokens(grid)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(0))
    shuffled = [torch.cat([x[:, :1], x[:, 1:][:, order]], 1) for x in inputs]
    expected = module(inputs, grid).logits.flatten(2)[..., order]
    torch.testing.assert_close(module(shuffled, grid).logits.flatten(2), expected)
