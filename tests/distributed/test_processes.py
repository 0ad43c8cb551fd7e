"""Several processes give what one gives: losses, weights, scores, predictions."""

import json
from pathlib import Path

import pytest
import torch
from tests.distributed import launch
from tests.end_to_end import worlds

from weclip.cli import app as cli
from weclip.demo.world import write_world
from weclip.training.checkpoint import latest_checkpoint
from weclip.training.runlog import read_log

STEPS, VAL_SCENES = 6, 7


def commands(root: Path, world: Path, trained: Path) -> list[list[str]]:
    """Train with scores, evaluate a model and its labels, predict, evaluate masks: of 7 images.

    Adam divides a gradient by its own size, which blows up one that is only rounding (of biases of
    keys, which no attention depends on); `optim.eps` above rounding keeps it what it is.
    """
    run, model = root / "run", ["--model", str(trained)]
    masks = str(trained.parent / "predicted" / "masks")
    changes = [
        f"data.root={world}",
        *("train.precision=float32", "train.log_every=1", "train.eval_every=3"),
        *(f"train.steps={STEPS}", "train.batch_size=5", "optim.eps=1e-4"),
        *("data.crop_size=96", "par.iterations=4"),
    ]
    afa = [f"quirks.cam_runs_{name}=true" for name in ("in_training_mode", "feed_batchnorm")]
    afa += ["method.afa.classification_only_until=0", "method.afa.initial_labels_until=2"]
    plus = ["method.weclip_plus.confident_from=2", "train.eval_every=0", "data.eval_split=null"]
    return [
        ["train", "--config", "demo", "--out", str(run), *changes],
        ["train", "--config", "demo-plus", "--out", str(root / "plus"), *changes, *plus],
        ["train", "--config", "demo-afa", "--out", str(root / "afa"), *changes, *afa, plus[-1]],
        ["evaluate", *model, "--out", str(root / "scores")],
        ["evaluate", *model, "--out", str(root / "labels"), "--labels"],
        ["predict", *model, "--out", str(root / "predicted"), f"{world}/JPEGImages/val_*"],
        [
            "evaluate",
            "--masks",
            masks,
            "--config",
            "demo",
            changes[0],
            "--out",
            str(root / "masks"),
        ],
    ]


RUNS = ["run", "plus", "afa"]
SEVERAL = [2, pytest.param(3, marks=pytest.mark.long)]
THREE_SCORED = pytest.param(3, "scores", marks=pytest.mark.long)


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """Folder of the outputs, and what was printed, by number of processes.

    The world and the CLIP are those of the demo: labels of a random CLIP are near ties everywhere,
    which the last bit of a float decides.
    """
    world = tmp_path_factory.mktemp("demo") / "world"
    write_world(world, train_scenes=10, val_scenes=VAL_SCENES, seed=0)

    class Folders(dict):
        def __missing__(self, processes):
            root = tmp_path_factory.mktemp(f"processes{processes}")
            trained = root / "run" if processes == 1 else self[1][0] / "run"
            lines = commands(root, world, trained)
            said = ""
            if processes == 1:
                assert [cli.run(line) for line in lines] == [0] * 7
            else:
                few = lines if processes == 2 else lines[:4]  # they take their time
                said = launch.run(processes, *few)
            self[processes] = root, said
            return self[processes]

    return Folders()


def weights(run: Path) -> torch.Tensor:
    """All weights of the decoder."""
    state = latest_checkpoint(run / "checkpoints")[0].trained
    return torch.cat([values.flatten() for values in state.values()])


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("processes", SEVERAL)
def test_weights_are_those_of_one_process(launched, processes, run):
    one, other = (weights(launched[count][0] / run) for count in (1, processes))
    assert (one - other).norm() / one.norm() <= 1e-6


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("processes", SEVERAL)
def test_losses_are_those_of_one_process(launched, processes, run):
    one, other = (read_log(launched[count][0] / run / "log.jsonl") for count in (1, processes))
    steps = [row["step"] for row in one if "loss" in row]
    assert steps == list(range(1, STEPS + 1))
    for row, of_several in zip(one, other, strict=True):
        row.pop("images_per_second", None)
        of_several.pop("images_per_second", None)
        assert of_several == pytest.approx(row, rel=1e-6)


@pytest.mark.parametrize(
    ("processes", "kind"), [(2, "scores"), (2, "labels"), (2, "masks"), THREE_SCORED]
)
def test_evaluation_records_are_identical(launched, processes, kind):
    records = []
    for count in (1, processes):
        records.append(json.loads((launched[count][0] / kind / "evaluation.json").read_text()))
    assert records[0] == records[1]
    assert all(each["num_images"] == VAL_SCENES for each in records[0].values())
    assert all(0 < each["boundary_iou"] < 1 for each in records[0].values())


def test_each_image_is_predicted_once(launched):
    one, other = (
        worlds.folder_content(launched[count][0] / "predicted" / "masks") for count in (1, 2)
    )
    assert len(one) == VAL_SCENES
    assert one == other


def test_only_the_first_process_speaks_and_writes(launched):
    root, told = launched[2]
    assert told.count("model: ") == 3  # of three trainings
    assert told.count(f"{VAL_SCENES} label maps in") == 1
    assert sorted(path.name for path in (root / "run").iterdir()) == sorted(
        path.name for path in (launched[1][0] / "run").iterdir()
    )
