"""A bundle: whole, the same bits wherever it is, and nothing of the machine that made it."""

import errno
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.end_to_end.worlds import folder_content, train, voc_changes

import weclip
from weclip.cli import app as cli
from weclip.data.masks.mask_files import read_mask
from weclip.system.files import sha256_of
from weclip.tasks.load.model import load_model
from weclip.tasks.share import bundle as bundling

IMAGE = torch.rand(1, 3, 60, 90, generator=torch.Generator().manual_seed(1)) * 255


@pytest.fixture
def moved(bundled, tmp_path):
    """A copy of the bundle elsewhere."""
    return shutil.copytree(bundled, tmp_path / "elsewhere")


def logits(model, **how):
    with torch.no_grad():
        return load_model(model, **how).method(IMAGE)


@pytest.mark.parametrize("run", ["run_folder", "plus_run"])
def test_in_float32_it_is_the_run_bit_for_bit(run, request, tmp_path):
    run = request.getfixturevalue(run)
    made = weclip.bundle(run, out=tmp_path / "model", precision="float32")
    assert torch.equal(logits(made.out), logits(run))
    assert made.size == sum(path.stat().st_size for path in made.out.iterdir())


def test_in_float16_it_is_half_as_large_and_nearly_the_same(run_folder, plus_run, tmp_path):
    for run, towers in ((run_folder, ["clip"]), (plus_run, ["clip", "dino"])):
        out = weclip.bundle(run, out=tmp_path / run.name).out
        tensors = [load_file(out / f"{name}.safetensors") for name in towers]
        assert {value.dtype for each in tensors for value in each.values()} == {torch.float16}
        found, expected = logits(out), logits(run)
        assert not torch.equal(found, expected)
        assert torch.allclose(found, expected, rtol=0.02, atol=0.02 * expected.abs().max())


def test_moved_it_gives_the_same_bits_without_what_it_was_made_of(
    bundled, moved, voc_world, tmp_path, monkeypatch
):
    expected = logits(bundled)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(logits(moved), expected)
    assert torch.equal(logits("elsewhere/model.safetensors"), expected)
    images = voc_world / "JPEGImages"
    done = weclip.predict(images, model=moved, out=tmp_path / "masks")
    model = weclip.load(bundled)
    for path in images.iterdir():
        assert np.array_equal(model.predict(path), read_mask(done.masks / path.name))
    record = json.loads((done.out / "run.json").read_text())
    assert record["clip"]["name"] == "clip.safetensors (tiny-clip.safetensors in float16)"
    assert record["clip"]["sha256"] == sha256_of(moved / "clip.safetensors")


def test_it_is_scored_as_a_run_is(run_folder, moved, voc_world, clip_file, tmp_path, capsys):
    of_run = weclip.evaluate(run_folder, out=tmp_path / "a").scores["Segmentation"]
    overrides = {"data.root": str(voc_world)}
    of_bundle = weclip.evaluate(moved, out=tmp_path / "b", overrides=overrides)
    assert of_bundle.scores["Segmentation"]["miou"] == pytest.approx(of_run["miou"], abs=0.02)
    line = ["evaluate", str(voc_world), "--model", str(moved), "--labels"]
    assert cli.run([*line, "--out", str(tmp_path / "c")]) == 2
    error = capsys.readouterr().err
    assert "a bundle holds no texts" in error
    assert "as --clip tiny-clip.safetensors (SHA-256 " in error
    assert error.count("\n") == 1
    assert cli.run([*line, "--clip", str(clip_file), "--out", str(tmp_path / "c")]) == 0


def test_with_the_clip_it_was_trained_with_it_is_the_run(run_folder, bundled, clip_file):
    assert torch.equal(logits(bundled, clip=clip_file), logits(run_folder))


def test_the_same_name_is_another_file_than_the_tower(bundled, clip_file, monkeypatch):
    monkeypatch.chdir(clip_file.parent)
    clip = load_model(bundled).config.clip.weights
    assert load_model(bundled, clip=clip, maps=True).backbones.clip.name == clip
    with pytest.raises(weclip.InputError, match=f"as --clip {clip}"):
        load_model(bundled, maps=True)
    with pytest.raises(weclip.InputError, match=r"computes with quick_gelu, and clip\.activation"):
        load_model(bundled, overrides=["clip.activation=gelu"])


def test_nothing_of_the_machine_is_in_it(bundled, run_folder, voc_world, clip_file):
    for path in bundled.iterdir():
        content = path.read_bytes()
        for folder in (run_folder.parent, voc_world.parent, clip_file.parent, bundled.parent):
            assert str(folder).encode() not in content, path


def test_paths_become_names(voc_world, clip_file, tmp_path):
    run = tmp_path / "run"
    tags = shutil.copy(voc_world / "tags.csv", tmp_path / "secret-tags.csv")
    cache = tmp_path / "cache"
    changes = [f"data.tags_file={tags}", f"data.decoded_cache={cache}", "train.steps=2"]
    assert train(run, *voc_changes(voc_world, clip_file), *changes) == 0
    config = load_model(weclip.bundle(run, out=tmp_path / "model").out).config
    assert (config.data.root, config.data.tags_file) == ("VOC2012", "secret-tags.csv")
    assert (config.data.decoded_cache, config.clip.weights) == (None, "tiny-clip.safetensors")


def test_the_manifest_lists_every_file(bundled):
    manifest = json.loads((bundled / "run.json").read_text())
    files = {path.name: sha256_of(path) for path in bundled.iterdir()}
    del files["run.json"]
    assert manifest["files"] == files
    assert files.keys() == {"LICENSES.md", "README.md", "clip.safetensors", "model.safetensors"}
    assert manifest["towers"]["clip"]["original"] != files["clip.safetensors"]


def change_manifest(folder, **changes):
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def with_own_sums(folder):
    """Make the manifest name the files that are there, as somebody with bad intent would."""
    names = json.loads((folder / "run.json").read_text())["files"]
    change_manifest(folder, files={name: sha256_of(folder / name) for name in names})


def spoil(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def exchange_tower(folder):
    state = load_file(folder / "clip.safetensors")
    save_file({name: -value for name, value in state.items()}, folder / "clip.safetensors")


def less_a_tensor(folder):
    state = load_file(folder / "clip.safetensors")
    del state["visual.ln_post.bias"]
    save_file(state, folder / "clip.safetensors")
    with_own_sums(folder)


def other_original(folder):
    towers = json.loads((folder / "run.json").read_text())["towers"]
    towers["clip"]["original"] = "0" * 64
    change_manifest(folder, towers=towers)


def other_heads(folder, heads):
    towers = json.loads((folder / "run.json").read_text())["towers"]
    towers["clip"]["blocks"]["heads"] = heads
    change_manifest(folder, towers=towers)


SPOILT = {
    "its clip.safetensors is damaged or another file": lambda f: spoil(f / "clip.safetensors"),
    "its clip.safetensors is damaged or another": exchange_tower,
    "its model.safetensors is damaged or another": lambda f: spoil(f / "model.safetensors"),
    "its clip.safetensors is missing": lambda f: (f / "clip.safetensors").unlink(),
    "its model.safetensors is missing": lambda f: (f / "model.safetensors").unlink(),
    "not a whole image tower of CLIP: missing visual.ln_post.bias": less_a_tensor,
    "but its model was trained with tiny-clip.safetensors": other_original,
    "its CLIP computes otherwise than its model was": lambda f: other_heads(f, 2),
    "its run.json is damaged": lambda f: other_heads(f, "many"),
    "holds no CLIP, which its model needs": lambda f: change_manifest(f, towers={}),
    "in the format 'weclip-bundle-9', which this": lambda f: change_manifest(
        f, format="weclip-bundle-9"
    ),
}


@pytest.mark.parametrize("said", SPOILT)
def test_what_is_damaged_or_exchanged_is_refused_in_one_line(said, moved):
    SPOILT[said](moved)
    with pytest.raises(weclip.InputError) as caught:
        weclip.load(moved)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("../clip.safetensors", None),
        ("clip.safetensors", {"../x": "0" * 64}),
        ("clip.safetensors", {"a": "b"}),
    ],
)
def test_a_manifest_names_no_file_elsewhere(moved, name, files):
    manifest = json.loads((moved / "run.json").read_text())
    manifest["towers"]["clip"]["file"] = name
    change_manifest(moved, towers=manifest["towers"], files=files or manifest["files"])
    with pytest.raises(weclip.InputError, match=r"its run\.json is damaged"):
        weclip.load(moved)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": "float8"}, "--precision float8: give float16 or float32"),
        ({"license": "My Own"}, "--license My Own: none of the hub's words"),
        ({"license": "gpl3"}, "--license gpl3: none of the hub's words .* did you mean 'gpl'"),
        ({"scores": "none.json"}, "none.json: record of scores not found"),
    ],
)
def test_wrong_options(run_folder, tmp_path, given, said):
    with pytest.raises(weclip.InputError, match=said):
        weclip.bundle(run_folder, out=tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_a_bundle_is_not_bundled_again_nor_lost(bundled, run_folder, tmp_path):
    with pytest.raises(weclip.InputError, match="is a bundle already; copy it"):
        weclip.bundle(bundled, out=tmp_path / "out")
    killed, other = tmp_path / ".out.123-0123abcd.tmp", tmp_path / ".out.v2.123-0123abcd.tmp"
    for folder in (killed, other):
        folder.mkdir()
    out = weclip.bundle(run_folder, out=tmp_path / "out").out
    assert not killed.exists()
    other.rmdir()  # of another folder's
    with pytest.raises(weclip.InputError, match="is not empty; choose another"):
        weclip.bundle(run_folder, out=out)
    assert weclip.bundle(run_folder, out=out, overwrite=True).out == out
    with pytest.raises(weclip.InputError, match="lies in --out"):
        weclip.bundle(run_folder, out=run_folder, overwrite=True)
    (out / "run.json").write_text('{"kind": "prediction"}')
    with pytest.raises(weclip.InputError, match="holds a prediction and no bundle"):
        weclip.bundle(run_folder, out=out, overwrite=True)
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_folder_in_which_somebody_works_is_left_alone(run_folder, tmp_path):
    out, work = tmp_path / "out", "import sys, weclip.system.locks as l, pathlib as p\n"
    work += "with l.working_in(p.Path(sys.argv[1]), 'training'): print(flush=True); input()"
    command = [sys.executable, "-c", work, str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(weclip.InputError, match=r"a training \(process \d+"):
            weclip.bundle(run_folder, out=out)
        assert (out / ".lock").exists()
        other.stdin.close()
    assert other.wait() == 1  # its input has ended


def test_what_does_not_fit_float16(run_folder, voc_world, clip_file, tmp_path):
    state = load_file(clip_file)
    state["visual.ln_post.weight"][0] = 1e5
    large = tmp_path / "large.safetensors"
    save_file(state, large)
    run, out = tmp_path / "run", tmp_path / "out"
    assert train(run, *voc_changes(voc_world, large), "train.steps=2") == 0
    with pytest.raises(weclip.InputError, match=r"ln_post\.weight does not fit float16; add"):
        weclip.bundle(run, out=out)
    assert weclip.bundle(run, out=out, precision="float32")
    before = folder_content(out)
    with pytest.raises(weclip.InputError, match="does not fit float16"):
        weclip.bundle(run, out=out, overwrite=True)
    assert folder_content(out) == before


def test_an_earlier_bundle_stays_until_the_new_one_is_whole(
    run_folder, moved, tmp_path, monkeypatch
):
    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = folder_content(moved)
    monkeypatch.setattr(bundling, "require_same_bits", full)
    with pytest.raises(weclip.InputError, match="elsewhere: No space left"):
        weclip.bundle(run_folder, out=moved, overwrite=True)
    assert folder_content(moved) == before
    assert [path.name for path in tmp_path.iterdir()] == [moved.name]


def test_the_folder_that_one_is_in_is_not_replaced(run_folder, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for name in (".", "..", str(tmp_path / "in")):
        with pytest.raises(weclip.InputError, match="you are in this folder"):
            weclip.bundle(run_folder, out=name)
