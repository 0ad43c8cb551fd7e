"""`train.cuda_graphs`: said at the start and in the record; refused where it cannot be."""

import json

import pytest
import torch
from tests.configs import new_config
from tests.end_to_end.worlds import train, voc_changes
from tests.fake_graphs import StaleRecorder, fake_graphs

from weclip.build.method import replay_steps
from weclip.config_rules import validate
from weclip.system.errors import InputError
from weclip.system.files import RUN_MARKER
from weclip.tasks.train import run


def record_of(out):
    return json.loads((out / RUN_MARKER).read_text())


def test_a_run_says_so_and_drops_what_differs(
    tmp_path, run_folder, voc_world, clip_file, monkeypatch, capsys
):
    made = []

    def replay(config, method, device, warn):
        assert config.train.cuda_graphs
        method.maps.graphs, _, _ = fake_graphs(method.maps, StaleRecorder)
        method.maps.graphs._warn = warn
        made.append(method.maps.graphs)

    monkeypatch.setattr(run, "replay_steps", replay)
    changes = [*voc_changes(voc_world, clip_file), "train.cuda_graphs=true"]
    assert train(tmp_path / "run", *changes) == 0
    said = capsys.readouterr().out.splitlines()
    assert "CUDA graphs" in next(line for line in said if line.startswith("machine"))
    assert sum(line.startswith("warning: no CUDA graph for CLIP") for line in said) == 1
    assert "CLIP" in made[0].dropped
    assert record_of(tmp_path / "run")["cuda_graphs"] is True
    assert record_of(run_folder)["cuda_graphs"] is False


def test_on_a_gpu_they_are_made():
    config, maps = new_config(), torch.nn.Module()
    maps.graphs = None
    method = torch.nn.Module()
    method.maps = maps
    replay_steps(config, method, torch.device("cpu"), print)
    assert maps.graphs is None
    config.train.cuda_graphs = True
    replay_steps(config, method, torch.device("cuda"), print)
    assert maps.graphs is not None
    with pytest.raises(InputError, match="needs a CUDA GPU, and this runs on mps; leave it out"):
        replay_steps(config, method, torch.device("mps"), print)


def valid():
    config = new_config()
    config.data.root = config.clip.weights = "x"
    config.train.cuda_graphs = True
    return config


def test_what_they_contradict():
    config = valid()
    validate(config)
    config.train.deterministic = True
    with pytest.raises(InputError, match=r"train\.deterministic=true contradict each other"):
        validate(config)
    config = valid()
    config.method.name = "afa"
    config.loss.terms = ("segmentation",)
    with pytest.raises(InputError, match="method 'afa' has nothing to replay"):
        validate(config)
