"""The manifest of a bundle."""

from weclip.backbones.transformer import BlockSettings
from weclip.exports.models.bundle import Manifest, Tower, read_manifest, write_manifest

WHOLE = Manifest(
    "float16",
    {"clip": Tower("clip.safetensors", "ViT-B-16.pt", "ab" * 32, BlockSettings(12))},
    {"model.safetensors": "cd" * 32, "clip.safetensors": "ef" * 32},
    {"weclip": "0.1.0"},
)


def test_round_trip(tmp_path):
    write_manifest(tmp_path, WHOLE)
    assert read_manifest(tmp_path / "run.json", "here") == WHOLE
