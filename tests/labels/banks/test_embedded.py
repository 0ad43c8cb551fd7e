"""Which embedding parts read, and what a memory is of."""

import pytest
import torch
from tests.methods.tiny_weclip import make_batch, tiny_config, tiny_weclip

from weclip.labels.banks.embedded import embedding_of, of_blocks, patches_of
from weclip.parts import AFFINITY, MAP_SOURCE
from weclip.system.errors import InputError
from weclip.tasks.banks.memory import made_by


def config_of(source, affinity, embedding=None, blocks=5):
    config = tiny_config()
    config.cam.source, config.affinity.source, config.cam.embedding = source, affinity, embedding
    config.cam.patch_text.self_self_blocks = blocks
    return config


def parts_of(config):
    source = config.part(MAP_SOURCE, config.cam.source)
    return source, config.part(AFFINITY, config.affinity.source)


@pytest.mark.parametrize(
    ("source", "affinity", "embedding", "blocks", "expected"),
    [
        ("gradcam", "attention", None, 2, of_blocks(5)),
        ("patch_text", "none", None, 2, of_blocks(2)),
        ("text_probability", "class_distribution", None, 2, of_blocks(5)),
        ("gradcam", "class_distribution", "region_attention", 2, "region attention"),
        ("patch_text", "class_distribution", "region_attention", 2, "region attention"),
        ("patch_text", "class_distribution", "text_probability", 2, of_blocks(5)),
        ("region_attention", "none", None, 2, "region attention"),
    ],
)
def test_a_memory_is_of_what_is_read(source, affinity, embedding, blocks, expected):
    config = config_of(source, affinity, embedding, blocks)
    name = embedding_of(*parts_of(config), config.embedder())
    assert name.startswith(expected)
    assert made_by(config) == f"guide patches; {name}"


def test_two_embeddings_have_no_memory():
    config = config_of("region_attention", "class_distribution")
    with pytest.raises(InputError, match=r"one embedding, and cam.source reads 'region attention"):
        made_by(config)


def test_rows_of_a_memory_are_those_that_are_named():
    config = config_of("patch_text", "none", "region_attention", 2)
    maps, batch = tiny_weclip(config).maps, make_batch()
    expected = maps.embedder.embedded(maps.see(batch.image)).rows
    found = patches_of(*parts_of(config), maps.see(batch.image))
    assert torch.equal(found.rows, expected)
    own = config_of("patch_text", "none", blocks=2)
    view = tiny_weclip(own).maps.see(batch.image)
    assert torch.equal(patches_of(*parts_of(own), view).rows, view.patch_embedding(2))
