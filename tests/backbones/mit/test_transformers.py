"""Maps equal those of Transformers on the folders that it saves, but for its epsilon."""

import pytest
import torch
from torch import nn

from weclip.backbones.mit.weights import read_mit

transformers = pytest.importorskip(
    "transformers", reason="transformers (extra dev) is not installed"
)

SIZES = {"hidden_sizes": [16, 32, 40, 64], "strides": [4, 2, 2, 1], "num_labels": 3}


@pytest.mark.parametrize("kind", ["Model", "ForImageClassification", "ForSemanticSegmentation"])
def test_maps_are_those_of_transformers(kind, tmp_path):
    torch.manual_seed(0)
    config = transformers.SegformerConfig(**SIZES)
    model = getattr(transformers, f"Segformer{kind}")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # norms and biases
                parameter.add_(0.2 * torch.randn_like(parameter))
            else:
                parameter.mul_(5)
    model.save_pretrained(tmp_path)
    encoder = read_mit(tmp_path).make_encoder().eval()
    for module in encoder.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5  # in every one of Transformers'
    image = torch.randn(2, 3, 45, 64)
    with torch.no_grad():
        theirs = model(image, output_hidden_states=True).hidden_states
        ours = encoder(image).maps
    assert len(theirs) == 4
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)
