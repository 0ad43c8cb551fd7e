"""Patch tokens equal those of Transformers on the folders that it saves, to 1e-4."""

import pytest
import torch

from weclip.backbones.dino.weights import load_dino

transformers = pytest.importorskip(
    "transformers", reason="transformers (extra dev) is not installed"
)

SIZES = {"hidden_size": 128, "num_attention_heads": 2, "num_hidden_layers": 3}
SIZES |= {"patch_size": 4, "image_size": 12}


def model_of(kind):
    """A random DINOv2 of Transformers, far enough from zero for every part to matter."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**SIZES)
    model = getattr(transformers, f"{kind}Model")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:  # norms, biases, layer scale
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif "tokens" in name or "embeddings" in name:
                parameter.copy_(torch.randn_like(parameter))
    return model


@pytest.mark.parametrize(
    ("kind", "registers", "size"),
    [
        ("Dinov2", 0, (12, 12)),  # at others, Transformers resizes positions as no DINOv2 did
        ("Dinov2WithRegisters", 4, (12, 12)),
        ("Dinov2WithRegisters", 4, (8, 20)),
    ],
)
def test_features_are_those_of_transformers(kind, registers, size, tmp_path):
    model = model_of(kind)
    model.save_pretrained(tmp_path)
    encoder = load_dino(tmp_path).image
    assert len(encoder.registers) == registers
    image = torch.randint(256, (2, 3, *size))
    with torch.no_grad():
        theirs = model(encoder.prepare(image)).last_hidden_state[:, 1 + registers :]
    torch.testing.assert_close(encoder(image).features, theirs, rtol=1e-4, atol=1e-4)


def test_a_classifier_of_transformers(tmp_path):
    config = transformers.Dinov2Config(**SIZES)
    transformers.Dinov2ForImageClassification(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="a classifier on top of an image encoder"):
        load_dino(tmp_path)


def test_the_giants_layers(tmp_path):
    config = transformers.Dinov2Config(**SIZES, use_swiglu_ffn=True)
    transformers.Dinov2Model(config).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="its layers are SwiGLU"):
        load_dino(tmp_path)
