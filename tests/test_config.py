import re
from dataclasses import asdict, fields
from functools import reduce
from importlib import resources

import pytest
from tests.configs import new_config

from weclip.config_file import from_yaml, load_config, override, presets, to_yaml
from weclip.system.errors import InputError

NEEDED = ["data.root=VOC2012", "clip.weights=ViT-B-16.pt"]

# spec/weclip.md, by section
PUBLISHED = {
    "data.crop_size": 320,
    "data.scale_range": (0.5, 2.0),
    "data.flip_probability": 0.5,
    "clip.prompt_template": "a clean origami {}.",
    "cam.min_max_eps": 1e-7,
    "affinity.attention.layers": 8,
    "affinity.attention.refined_layers": 6,
    "method.weclip.refine_from": 9145,
    "affinity.attention.sinkhorn_rounds": 3,
    "affinity.attention.box_threshold": 0.4,
    "par.iterations": 20,
    "par.dilations": (1, 2, 4, 8, 12, 24),
    "par.colour_width": 0.3,
    "par.position_width": 0.3,
    "par.position_weight": 0.01,
    "method.weclip.width": 256,
    "method.weclip.blocks": 3,
    "method.weclip.heads": 8,
    "method.weclip.dropout": 0.1,
    "loss.segmentation.background_weight": 0.5,
    "loss.affinity.weight": 0.1,
    "loss.affinity.radius": 8,
    "optim.learning_rate": 2e-3,
    "optim.weight_decay": 0.01,
    "optim.betas": (0.9, 0.999),
    "optim.eps": 1e-8,
    "optim.warmup_steps": 50,
    "optim.warmup_ratio": 1e-6,
    "optim.power": 1.0,
    "train.steps": 30_000,
    "train.batch_size": 4,
    "data.max_side": None,
    "eval.long_side": 512,
    "eval.scales": (1.0, 0.75),
    "eval.flip": True,
    "eval.crf": False,
}
COCO = {
    "affinity.attention.refined_layers": 10,
    "method.weclip.refine_from": 40_001,
    "affinity.attention.box_threshold": 0.7,
    "train.steps": 80_000,
    "train.batch_size": 8,
}


def value(config, key):
    return reduce(getattr, key.split("."), config)


def refused(pattern, *overrides, config="voc"):
    with pytest.raises(InputError, match=pattern) as caught:
        load_config(str(config), [*NEEDED, *overrides])
    assert "\n" not in str(caught.value)
    assert "  " not in str(caught.value)


@pytest.fixture
def written(tmp_path):
    """Writes a configuration file."""

    def write(content):
        path = tmp_path / "my.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(("key", "number"), PUBLISHED.items())
def test_defaults_and_preset_voc_are_the_published_numbers(key, number):
    assert value(new_config(), key) == number
    assert value(load_config("voc", NEEDED), key) == number


@pytest.mark.parametrize("key", PUBLISHED)
def test_preset_coco_differs_where_the_paper_does(key):
    assert value(load_config("coco", NEEDED), key) == COCO.get(key, PUBLISHED[key])


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_its_header_says_how_to_run_it(name):
    config = load_config(name, NEEDED)
    assert config.data.root == "VOC2012"
    text = resources.files("weclip.presets").joinpath(f"{name}.yaml").read_text("utf-8")
    command = re.search(r"^# Command:  (weclip .+)$", text, re.MULTILINE)
    assert command
    assert f"--config {name}" in text or command[1].startswith("weclip demo --out ")


def test_presets_are_these():
    assert len(presets()) == 13


def test_faithful_turns_every_quirk_on_and_each_has_its_own_switch():
    names = [field.name for field in fields(new_config().quirks)]
    assert len(names) == 16
    default, faithful = load_config("voc", NEEDED), load_config("voc", [*NEEDED, "faithful=true"])
    for name in names:
        assert not default.quirk(name)
        assert faithful.quirk(name)
        for config, on in ((default, "true"), (faithful, "false")):
            changed = override(config, [f"quirks.{name}={on}"])
            differing = [n for n in names if changed.quirk(n) != config.quirk(n)]
            assert differing == [name]


@pytest.mark.parametrize("name", presets())
def test_yaml_round_trip(name, written):
    config = load_config(name, [*NEEDED, 'data.root="é: #1"', "faithful=true"])
    assert config.data.root == "é: #1"
    assert from_yaml(to_yaml(config), "here") == config
    assert load_config(str(written(to_yaml(config)))) == config
    assert config.par.dilations == tuple(config.par.dilations)


def test_override_leaves_the_original():
    config = load_config("voc", NEEDED)
    before = asdict(config)
    assert override(config, ["train.steps=5"]).train.steps == 5
    assert asdict(config) == before


def test_overrides_in_order_and_null():
    config = load_config("voc", [*NEEDED, "train.steps=5", "train.steps=6", "eval.long_side=null"])
    assert (config.train.steps, config.eval.long_side) == (6, None)


def test_an_empty_file_is_the_defaults(written):
    given = [*NEEDED, "data.classes=voc"]
    assert load_config(str(written("")), given) == load_config("voc", NEEDED)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ("trian.steps=5", r"unknown key trian; did you mean 'train'\? known at the top: faithful,"),
        ("train.stepz=5", r"unknown key train.stepz; did you mean 'steps'\? known under train:"),
        ("zzz=5", r"'zzz=5': unknown key zzz; known at the top"),
        ("train.steps=many", "'train.steps=many': train.steps must be a whole number or auto, not"),
        ("train.steps=1.5", "train.steps must be a whole number or auto, not 1.5"),
        ("train.steps=", "train.steps must be a whole number or auto, not null"),
        ("eval.long_side=all", "eval.long_side must be a whole number, auto or null, not 'all'"),
        ("train.steps.x=4", "train.steps must be a whole number or auto, not {'x': 4}"),
        ("optim.power=fast", "optim.power must be a number, not 'fast'"),
        ("faithful=maybe", "faithful must be true or false, not 'maybe'"),
        ("data.scale_range=[1]", r"data.scale_range must be a list of two numbers, not \[1\]"),
        ("par.dilations=[a]", r"par.dilations must be a list of whole numbers, not \['a'\]"),
        ("train=5", "train is a section; its keys are steps, epochs, batch_size"),
        ("train=", "train is a section"),
        ("train=???", "train is a section"),
        ("train.steps=???", "no value for train.steps; add train.steps=... to the command"),
        ("data.root=${oc.env:HOME}", "data.root: references such as .* are not supported"),
        ("train.steps", "'train.steps' is not of the form section.key=value"),
        ("=5", "is not of the form section.key=value"),
        ("data..root=5", "is not of the form section.key=value"),
        ("[a=5", "is not of the form section.key=value"),
        ("par.dilations=[1", r"'par.dilations=\[1': not a valid value"),
    ],
)
def test_bad_changes(change, pattern):
    refused(pattern, change)


@pytest.mark.parametrize(
    "change",
    [
        "data.crop_size=0",
        "data.scale_range=[2.0,1.0]",
        "data.scale_range=[0.0,1.0]",
        "data.flip_probability=1.5",
        "data.workers=-1",
        "data.format=png",
        "clip.prompt_template=a photo",
        "clip.prompt_template='{a} {}'",
        "cam.min_max_eps=0",
        "affinity.attention.layers=0",
        "affinity.attention.refined_layers=0",
        "affinity.attention.sinkhorn_rounds=-1",
        "affinity.attention.box_threshold=-0.1",
        "par.iterations=-1",
        "par.dilations=[]",
        "par.dilations=[0,1]",
        "par.colour_width=0",
        "par.position_weight=-1",
        "method.weclip.width=0",
        "method.weclip.dropout=2",
        "loss.affinity.weight=-1",
        "loss.segmentation.background_weight=1.5",
        "optim.learning_rate=0",
        "optim.learning_rate=.nan",
        "optim.betas=[0.9,1.0]",
        "optim.eps=0",
        "optim.warmup_steps=-1",
        "optim.warmup_ratio=2",
        "train.steps=0",
        "train.batch_size=0",
        "train.seed=-1",
        "train.seed=4294967296",
        "train.precision=fp8",
        "train.eval_every=-1",
        "train.save_every=0",
        "train.best_metric=loss",
        "eval.long_side=31",
        "data.max_side=31",
        "eval.scales=[]",
        "eval.scales=[1.0,0.01]",
        "eval.scales=[1e9]",
        "eval.long_side=1000000000",
        "data.crop_size=1000000",
        "data.scale_range=[1.0,1e9]",
        "data.workers=1000000",
        "label.scale=1e9",
        "tags.self_attention_blocks=1000000000",
        "par.iterations=1000000000",
        "par.dilations=[1000000000]",
        "train.batch_size=1000000000",
        "train.steps=100000000000000",
        "method.weclip.width=1000000",
        "method.weclip.blocks=1000000",
        "method.weclip.heads=1000000",
        "affinity.attention.power=1000000000",
        "affinity.attention.sinkhorn_rounds=1000000000",
        "loss.affinity.radius=1000000000",
    ],
)
def test_values_out_of_range(change):
    key = change.partition("=")[0]
    refused(rf"^{re.escape(key)}=.* is not allowed; it must be \S+", change)


def test_heads_divide_the_width():
    refused(
        "method.weclip.width=256 must be a multiple of method.weclip.heads=7",
        "method.weclip.heads=7",
    )


def test_missing_values_are_named():
    with pytest.raises(InputError, match=r"preset voc: no value for clip.weights, data.root; add"):
        load_config("voc")


def test_values_that_nobody_reads_may_be_missing():
    config = load_config("voc", ["data.root=x"], unused=["clip.weights"])
    assert (config.data.root, config.clip.weights) == ("x", "")
    given = load_config("voc", ["data.root=x", "clip.weights=y"], unused=["clip.weights"])
    assert given.clip.weights == "y"
    with pytest.raises(InputError, match=r"preset voc: no value for data.root; add data.root="):
        load_config("voc", unused=["clip.weights"])


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("data: {root: [a]}", r"my.yaml: data.root must be a text, not \['a'\]"),
        ("data: {root: x", "my.yaml: not valid YAML"),
        ("a: b: c", "my.yaml: not valid YAML"),
        ("data: !!python/object:os.system x", "my.yaml: not valid YAML"),
        ("\x00\x01", "my.yaml: not valid YAML"),
        (b"\xff\xfe\x00", "my.yaml: configuration cannot be read; save it as UTF-8"),
        ("5", "my.yaml: must hold sections with keys"),
        ("just words", "my.yaml: must hold sections with keys"),
        ("- a\n- b", "my.yaml: must hold sections with keys"),
        ("data: [1]", "my.yaml: data is a section; its keys are format, root"),
        ("data: ???", "my.yaml: data is a section"),
        ("data:\n", "my.yaml: data is a section"),
        ("train: {stepz: 1}", "my.yaml: unknown key train.stepz; did you mean 'steps'"),
        ("1: 2", "my.yaml: unknown key 1; known at the top"),
        ("train: {steps: [1]}", r"my.yaml: train.steps must be a whole number or auto, not \[1\]"),
    ],
)
def test_bad_files(content, pattern, written):
    refused(pattern, config=written(content))


def test_neither_preset_nor_file(tmp_path):
    refused(r"--config vox: neither a file nor a preset \(coco, .*\); did you mean", config="vox")
    refused("neither a file nor a preset", config=tmp_path)


@pytest.mark.parametrize("text", ["{{", "5", "train: 3", "train: {stepz: 3}", "data: {}"])
def test_a_damaged_stored_configuration_names_its_file(text):
    with pytest.raises(InputError, match=r"^model.safetensors: "):
        from_yaml(text, "model.safetensors")
