"""Files that hold weights: one, of a folder, in parts; never a plain pickle."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from weclip.backbones.weight_files.folder import NAMES, find_weights, read_object
from weclip.system.errors import InputError

ONE, TWO = {"a": torch.arange(3.0)}, {"b": torch.ones(2), "c": torch.zeros(1)}


def write_parts(folder, name, save, parts=(ONE, TWO)):
    """Two parts and their index, as Transformers names them."""
    stem, _, ending = name.rpartition(".")
    names = [f"{stem}-0000{k}-of-0000{len(parts)}.{ending}" for k in range(1, len(parts) + 1)]
    for file, part in zip(names, parts, strict=True):
        save(part, folder / file)
    weight_map = {key: file for file, part in zip(names, parts, strict=True) for key in part}
    index = folder / f"{name}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 24}, "weight_map": weight_map}))
    return index


SAVERS = {"model.safetensors": save_file, "pytorch_model.bin": torch.save}


@pytest.mark.parametrize("name", SAVERS)
@pytest.mark.parametrize("given", ["folder", "index"])
def test_parts_are_one(name, given, tmp_path):
    index = write_parts(tmp_path, name, SAVERS[name])
    found = find_weights(tmp_path if given == "folder" else index)
    state = found.read()
    assert found.file == index
    assert {key: value.tolist() for key, value in state.items()} == {
        "a": [0, 1, 2],
        "b": [1, 1],
        "c": [0],
    }


def test_digest_of_parts_is_that_of_what_sha256sum_prints(tmp_path):
    found = find_weights(write_parts(tmp_path, "model.safetensors", save_file))
    names = sorted(part.name for part in tmp_path.glob("*.safetensors"))
    printed = subprocess.run(["sha256sum", *names], cwd=tmp_path, capture_output=True, check=True)
    assert found.sha256() == hashlib.sha256(printed.stdout).hexdigest()
    save_file({"a": torch.arange(3.0) + 1}, tmp_path / names[0])
    assert found.sha256() != hashlib.sha256(printed.stdout).hexdigest()


def test_digest_of_one_file_is_its_own(tmp_path):
    save_file(ONE, tmp_path / "model.safetensors")
    content = (tmp_path / "model.safetensors").read_bytes()
    assert find_weights(tmp_path).sha256() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("json")])
def test_every_name_of_a_folder(name, tmp_path):
    SAVERS.get(name, save_file if name.endswith("safetensors") else torch.save)(
        ONE, tmp_path / name
    )
    assert find_weights(tmp_path).file == tmp_path / name


def test_safetensors_come_before_pickles(tmp_path):
    save_file(ONE, tmp_path / "open_clip_model.safetensors")
    torch.save(ONE, tmp_path / "pytorch_model.bin")
    assert find_weights(tmp_path).file.name == "open_clip_model.safetensors"


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("in_parts", [False, True])
def test_code_in_a_bin_is_refused_and_not_run(in_parts, tmp_path):
    marker = tmp_path / "was-run"
    evil = {"a": Attack(marker)}
    if in_parts:
        write_parts(tmp_path, "pytorch_model.bin", torch.save, (ONE, evil))
    else:
        torch.save(evil, tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="refused, its pickle asks for"):
        find_weights(tmp_path).read()
    assert not marker.exists()


def test_a_missing_part(tmp_path):
    index = write_parts(tmp_path, "model.safetensors", save_file)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    message = r"1 of 2 parts are missing, model-00002-of-00002\.safetensors first; download them"
    with pytest.raises(InputError, match=message):
        find_weights(index)


def test_a_tensor_in_two_parts(tmp_path):
    write_parts(tmp_path, "model.safetensors", save_file)
    save_file(ONE | TWO, tmp_path / "model-00002-of-00002.safetensors")
    with pytest.raises(InputError, match=r"00002-of-00002\.safetensors: holds a once more"):
        find_weights(tmp_path).read()


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "sub/a.bin", "", 7, None])
def test_an_index_that_points_elsewhere(name, tmp_path):
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(InputError, match="which is no file beside it"):
        find_weights(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "weight_map is missing"),
        ('{"weight_map": {}}', "weight_map is missing"),
        ('{"weight_map": [1]}', "weight_map is missing"),
        ("[1]", r"holds \[1\], not an object of JSON"),
        ("{", "not valid JSON"),
        ('{"weight_map": ' + "1" * 5000 + "}", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('"' + "x" * 9999 + '"', r"holds 'x{56}\.\.\., not an object"),
    ],
)
def test_broken_indices(content, message, tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        find_weights(tmp_path)
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


def test_json_that_is_not_text(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not valid JSON"):
        read_object(tmp_path / "config.json")


def test_json_with_a_mark_of_its_encoding(tmp_path):
    (tmp_path / "config.json").write_text('{"a": 1}', encoding="utf-8-sig")
    assert read_object(tmp_path / "config.json") == {"a": 1}


def test_json_without_end(tmp_path):
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(2**33)  # sparse
    with pytest.raises(InputError, match="over 67108864 bytes"):
        read_object(tmp_path / "config.json")


def test_a_pipe_is_no_weight_file(tmp_path):
    os.mkfifo(tmp_path / "clip.pt")
    with pytest.raises(InputError, match="not a regular file"):
        find_weights(tmp_path / "clip.pt")
    with pytest.raises(InputError, match=r"the folder has no model\.safetensors"):
        find_weights(tmp_path)


def test_one_part_alone(tmp_path):
    write_parts(tmp_path, "model.safetensors", save_file)
    message = r"one part of several; give model\.safetensors\.index\.json, or the folder"
    with pytest.raises(InputError, match=message):
        find_weights(tmp_path / "model-00001-of-00002.safetensors")


def test_a_folder_with_other_weights_names_them(tmp_path):
    for name in ("ViT-B-16.pt", "ViT-L-14.pt", "notes.txt"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"give one of its files: ViT-B-16\.pt, ViT-L-14\.pt$"):
        find_weights(tmp_path)


def test_the_cache_of_hugging_face(tmp_path):
    inner = (
        tmp_path / "models--openai--clip" / "snapshots" / "57c216476eefef5ab752ec549e440a49ae4ae5f3"
    )
    inner.mkdir(parents=True)
    with pytest.raises(InputError, match=f"; give {inner}$"):
        find_weights(tmp_path / "models--openai--clip")


def test_weights_behind_links(tmp_path):
    """The cache of Hugging Face links names to files named by their digest."""
    blob = tmp_path / "blobs" / "51e4"
    blob.parent.mkdir()
    save_file(ONE, blob)
    (tmp_path / "model.safetensors").symlink_to(Path("blobs") / "51e4")
    assert find_weights(tmp_path).read()["a"].tolist() == [0, 1, 2]
