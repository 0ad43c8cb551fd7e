"""Patch-text maps of another embedding than that of their own blocks; see also `test_tag_maps`."""

import numpy as np
import pytest
import torch
from tests.literal.patch_text import patch_text
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip, tiny_weclip_plus

from weclip.labels.maps.patch_text import over_tokens
from weclip.labels.tag_slots import pack_tags
from weclip.system.errors import InputError

TAGS = ((0, 2), (), (4,))


def guided(**quirks):
    config = tiny_config(**quirks)
    config.cam.source, config.cam.embedding = "patch_text", "region_attention"
    config.affinity.source = "none"
    return config


@pytest.mark.parametrize("quirk", [None, "unit_over_tokens", "class_token_in_range"])
def test_patches_are_those_of_region_attention_and_the_class_token_the_images_own(quirk):
    method = tiny_weclip(guided(**({quirk: True} if quirk else {})), dropout=0.0)
    batch = make_batch(TAGS, size=(48, 64))
    view, slots = method.maps.see(batch.image), pack_tags(batch.tags)
    found = method.maps.make(view, slots)
    assert found.shape == (3, 2, 6, 9)
    patches = method.maps.embedder.embedded(view).rows
    rows = torch.cat([view.encoder.to_joint(view.class_token), patches], dim=1)
    rows = over_tokens(rows) if quirk == "unit_over_tokens" else rows
    for image, tags in enumerate(TAGS):
        wide = rows[image].double().numpy(), view.all_texts.double().numpy()
        expected = patch_text(*wide, tags, with_class_token=quirk == "class_token_in_range")
        for ours, theirs in zip(found[image], expected, strict=False):
            np.testing.assert_allclose(ours.flatten(), theirs, atol=1e-4)


def test_own_embedding_is_that_of_the_blocks():
    """The same by the way of other embeddings, up to rounding."""
    config = guided()
    config.cam.embedding = None
    method, batch = tiny_weclip(config), make_batch(TAGS)
    view, slots = method.maps.see(batch.image), pack_tags(batch.tags)
    own = method.maps.make(view, slots)
    config.cam.embedding = "text_probability"
    other = tiny_weclip(config).maps
    torch.testing.assert_close(other.make(other.see(batch.image), slots), own, rtol=0, atol=1e-4)


@pytest.mark.parametrize("make", [tiny_weclip, tiny_weclip_plus])
def test_trainings_learn_from_it(make):
    config = guided()
    if make is tiny_weclip_plus:
        config.method.name = "weclip_plus"
        config.loss.terms = ("segmentation", "affinity", "cross", "dice")
    method, batch = make(config, dropout=0.0), make_batch(TAGS, size=(48, 64))
    output = method.training_step(batch, step=0)
    assert output.loss.isfinite()
    assert output.cam.shape == (3, 2, 6, 9)  # of 7 pixels; CLIP's are 8


def test_a_foreign_grid_is_refused():
    config = guided()
    config.affinity.source = "attention"
    with pytest.raises(
        InputError, match=r"cam.embedding=region_attention makes maps on .*add affinity.source=none"
    ):
        tiny_weclip(config)
