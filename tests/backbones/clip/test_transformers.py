"""Features equal those of Transformers on the same random weights, to 1e-4."""

import json
import shutil
from functools import cache

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.backbones.tiny_clip import openai_shapes, to_hugging_face
from torch.nn.functional import normalize

from weclip.backbones.clip.image_encoder import CLIP_MEAN, CLIP_STD
from weclip.backbones.clip.text_encoder import tokenize
from weclip.backbones.clip.weights import load_clip

transformers = pytest.importorskip(
    "transformers", reason="transformers (extra dev) is not installed"
)

PROMPTS = ["a clean origami dog.", "a photo of a very large potted plant", "sky"]
TOLERANCE = 1e-4


def model_of(seed=0, **changes):
    """A random CLIP of Transformers, far enough from zero for every part to matter.

    Args:
        seed: Of its numbers.
        changes: Of its configuration; `vision` and `text` go into its two parts.
    """
    torch.manual_seed(seed)
    vision = {"hidden_size": 128, "intermediate_size": 512, "num_attention_heads": 2}
    vision |= {"num_hidden_layers": 3, "patch_size": 4, "image_size": 12}
    text = {"hidden_size": 32, "intermediate_size": 128, "num_attention_heads": 1}
    text |= {"num_hidden_layers": 2}
    config = transformers.CLIPConfig(
        vision_config=vision | changes.pop("vision", {}),
        text_config=text | changes.pop("text", {}),
        projection_dim=32,
        **changes,
    )
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1:  # norms, biases
                parameter.add_(0.2 * torch.randn_like(parameter))
            elif parameter.ndim > 1:
                spread = 1 if "embedding" in name else 2 * parameter[0].numel() ** -0.5
                parameter.copy_(spread * torch.randn_like(parameter))
    return model


def features(clip, image):
    """Tokens after every block, class embedding and text features, as this package computes."""
    found = clip.image(image)
    last = clip.image.transformer.blocks[-1](found.tokens[-1])
    return [*found.tokens, last], clip.image.to_joint(last[:, 0]), clip.text.encode(PROMPTS)


def assert_equal(clip, model, size=12):
    image = torch.randn(2, 3, size, size)
    with torch.no_grad():
        out = model(tokenize(PROMPTS, clip.text.context), image, output_hidden_states=True)
        tokens, embedding, text = features(clip, image)
    for ours, theirs in zip(tokens, out.vision_model_output.hidden_states[1:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    torch.testing.assert_close(embedding, normalize(out.image_embeds, dim=-1), atol=1e-4, rtol=0)
    torch.testing.assert_close(text, normalize(out.text_embeds, dim=-1), atol=1e-4, rtol=0)
    assert clip.scale == pytest.approx(model.logit_scale.exp().item(), rel=1e-4)


def far_apart(one, other):
    """How far two CLIPs are from computing the same: the smaller of image's and text's distance."""
    image = torch.randn(1, 3, 12, 12)
    a, b = features(one, image), features(other, image)
    return min(float((a[k] - b[k]).abs().max()) for k in (1, 2))


BOTH = {"gelu": {"hidden_act": "gelu"}, "quick_gelu": {"hidden_act": "quick_gelu"}}
H14 = {"hidden_size": 160, "intermediate_size": 640, "num_attention_heads": 2}  # 80 channels a head
KINDS = {
    "openai": {},
    "laion": {"vision": BOTH["gelu"], "text": BOTH["gelu"]},
    "ViT-H-14": {"vision": BOTH["gelu"] | H14, "text": BOTH["gelu"]},
    "ViT-g-14": {"vision": BOTH["gelu"] | H14 | {"intermediate_size": 700}, "text": BOTH["gelu"]},
    "one activation each": {"vision": BOTH["gelu"]},
    "more heads than OpenAI": {
        "vision": {"num_attention_heads": 8},
        "text": {"num_attention_heads": 4},
    },
    "another epsilon": {"vision": {"layer_norm_eps": 0.1}, "text": {"layer_norm_eps": 0.1}},
    "a shorter context": {"text": {"max_position_embeddings": 32}},
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A kind's model, and a folder that Transformers has saved it in; made once."""

    @cache
    def save(kind):
        model, folder = model_of(**KINDS[kind]), tmp_path_factory.mktemp("clip")
        model.save_pretrained(folder)
        return model, folder

    return save


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_of_transformers(kind, saved):
    model, folder = saved(kind)
    clip = load_clip(folder)
    assert clip.note is None
    assert_equal(clip, model)


@pytest.mark.parametrize("kind", ["laion", "ViT-H-14"])
def test_its_file_named_directly(kind, saved):
    model, folder = saved(kind)
    assert_equal(load_clip(folder / "model.safetensors"), model)


@pytest.mark.parametrize(("kind", "clip_activation"), [("laion", "quick_gelu"), ("openai", "gelu")])
def test_another_activation_would_be_seen(kind, clip_activation, saved):
    _, folder = saved(kind)
    assert far_apart(load_clip(folder), load_clip(folder, clip_activation)) > 20 * TOLERANCE


def test_a_configuration_without_defaults(tmp_path):
    """Older Transformers leave out what is a default: 12 heads, whatever the width."""
    model = model_of(vision={"hidden_size": 144, "num_attention_heads": 12})
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["vision_config"]["num_attention_heads"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert_equal(load_clip(tmp_path), model)


def test_an_older_configuration_that_says_it_twice(saved, tmp_path):
    """`text_config_dict` replaces `text_config`, as Transformers does it."""
    model, folder = saved("laion")
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    for name in ("text_config", "vision_config"):
        config[f"{name}_dict"] = config[name] | {"transformers_version": None}
        config[name] = config[name] | {"hidden_act": "quick_gelu", "num_attention_heads": 1}
    (tmp_path / "config.json").write_text(json.dumps(config))
    reread = transformers.CLIPConfig.from_pretrained(tmp_path)
    assert reread.text_config.hidden_act == "gelu"  # what Transformers makes of it
    assert_equal(load_clip(tmp_path), model)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_a_folder_in_parts(suffix, saved, tmp_path):
    """As Transformers cuts it, or with the same cuts as pickles of older ones."""
    model, _ = saved("laion")
    model.save_pretrained(tmp_path, max_shard_size="2MB")
    parts = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(parts) > 1
    if suffix == "bin":
        index = tmp_path / "model.safetensors.index.json"
        text = index.read_text().replace("model-", "pytorch_model-").replace("safetensors", "bin")
        (tmp_path / "pytorch_model.bin.index.json").write_text(text)
        for part in parts:
            name = f"pytorch_{part.name}".replace("safetensors", "bin")
            torch.save(load_file(part), tmp_path / name)
            part.unlink()
        index.unlink()
    assert_equal(load_clip(tmp_path), model)


def random_state(heads_width=64, **sizes):
    """A random CLIP in OpenAI layout, float32."""
    generator = torch.Generator().manual_seed(3)
    state = {
        name: (1.0 if "embedding" in name else 0.15) * torch.randn(shape, generator=generator)
        for name, shape in openai_shapes(
            width=2 * heads_width, blocks=3, patch=4, grid=3, joint=32, text_width=32,
            text_blocks=2, **sizes,
        ).items()
    }  # fmt: skip
    for name in state:
        if "ln_" in name and name.endswith("weight"):
            state[name] = 1 + state[name]
    return state | {"logit_scale": torch.tensor(4.6)}


def as_transformers(state, **kind):
    """The same numbers in a model of Transformers, through the tests' own renaming."""
    model = model_of(**kind)
    loaded = model.load_state_dict(to_hugging_face(state), strict=False)
    assert not loaded.missing_keys
    assert loaded.unexpected_keys == ["vision_model.embeddings.position_ids"]
    return model


def test_openais_layout(tmp_path):
    state = random_state()
    torch.save(state, tmp_path / "ViT-B-16.pt")
    assert_equal(load_clip(tmp_path / "ViT-B-16.pt"), as_transformers(state))


@pytest.mark.parametrize(("kind", "head_width"), [("laion", 64), ("ViT-H-14", 80)])
def test_open_clips_layout(kind, head_width, tmp_path):
    state = random_state(heads_width=head_width)
    save_file(state, tmp_path / "open_clip_model.safetensors")
    vision = {"width": 2 * head_width, "layers": 3, "patch_size": 4, "image_size": 12}
    vision |= {"head_width": head_width} if head_width != 64 else {}
    model_cfg = {
        "embed_dim": 32,
        "vision_cfg": vision,
        "text_cfg": {"width": 32, "heads": 1, "layers": 2},
    }
    config = {"model_cfg": model_cfg, "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    assert_equal(load_clip(tmp_path), as_transformers(state, **KINDS[kind]))


@pytest.mark.parametrize(("kind", "grid"), [("openai", 2), ("laion", 5), ("ViT-H-14", 8)])
def test_another_image_size(kind, grid, saved):
    """Our resized positions in a Transformers model of that size."""
    model, folder = saved(kind)
    clip = load_clip(folder)
    vision = KINDS[kind].get("vision", {}) | {"image_size": 4 * grid}
    larger = model_of(**KINDS[kind] | {"vision": vision})
    state = model.state_dict()
    state["vision_model.embeddings.position_embedding.weight"] = clip.image.positions((grid, grid))
    larger.load_state_dict(state)
    assert_equal(clip, larger, size=4 * grid)


def test_images_normalised_otherwise(saved, tmp_path):
    """A CLIP trained with mean and deviation 0.5, as LAION's L/14, given OpenAI's normalisation."""
    _, folder = saved("laion")
    plain = load_clip(folder)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    theirs = [0.5, 0.5, 0.4], [0.5, 0.25, 0.5]
    processor = dict(zip(("image_mean", "image_std"), theirs, strict=True))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    rgb = torch.rand(2, 3, 20, 16)  # 0..1, and not the native size
    openais = normalised(rgb, CLIP_MEAN, CLIP_STD)
    ours = load_clip(tmp_path).image(openais).tokens[-1]
    expected = plain.image(normalised(rgb, *theirs)).tokens[-1]
    torch.testing.assert_close(ours, expected, rtol=TOLERANCE, atol=TOLERANCE)
    assert (ours - plain.image(openais).tokens[-1]).abs().max() > 0.1


def normalised(rgb, mean, std):
    """(rgb - mean) / std, channel by channel."""
    return (rgb - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
