"""The stages of a reproduction: which there are, in order, from the arguments alone.

`--dry-run` shows them, `run.py` does them; neither knows another list.
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from weclip.prepare.sources import PUBLISHED as FILES
from weclip.prepare.weights.published import FAMILIES, Family
from weclip.tasks.reproduce.costs import Cost, cost_of
from weclip.tasks.reproduce.published import MAPS, Published, Row

SERVER_FOLDER = "results/VOC2012/Segmentation/comp6_test_cls"
"""Where VOC's server looks for masks in an archive; comp6: trained with other data too, as CLIP
is (the challenge's development kit)."""

ARCHIVE_NAME = "results.tar.gz"
TEST_LIST = Path("ImageSets", "Segmentation", "test.txt")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be reproduced.

    Attributes:
        table: The published table.
        root: Folder of data and weights.
        out: Folder of the reproduction.
        seeds: Of the trainings.
        changes: Of the configuration, the user's.
    """

    table: Published
    root: Path
    out: Path
    seeds: tuple[int, ...] = (0,)
    changes: tuple[str, ...] = ()

    @property
    def weights(self) -> dict[str, Path]:
        """Files or folders of weights that are fetched, by family: those not given."""
        wanted = [FAMILIES[word] for word in self.table.weights]
        return {
            family.word: self.root / _kept_as(family)
            for family in wanted
            if not any(change.startswith(f"{family.key}=") for change in self.changes)
        }

    @property
    def where(self) -> tuple[str, ...]:
        """Changes that say where data and weights are."""
        paths = {FAMILIES[word].key: path for word, path in self.weights.items()}
        paths = {"data.root": self.root, **paths}
        return tuple(_assign(key, path) for key, path in paths.items())

    @property
    def settings(self) -> tuple[str, ...]:
        """All changes of the preset, in the order in which they count."""
        return (*self.table.recipe, *self.where, *self.changes)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage, which is one command.

    Attributes:
        name: Its folder below that of the reproduction; of a preparation only its name.
        kind: What does it: a key of `work.WORK`.
        changes: Of the configuration, as the command has them.
        source: What is prepared, or the folder of the stage whose result is read.
        needs: What must be there, of `lacking.NEEDS`.
        command: As one would type it, quoted.
        cost: What it takes.
    """

    name: str
    kind: str
    changes: tuple[str, ...] = ()
    source: str = ""
    needs: tuple[str, ...] = ()
    command: str
    cost: Cost


def _kept_as(family: Family) -> str:
    """What `weclip prepare` calls a family's usual weights: a file, or a folder of the hub."""
    name = family.names[0]
    return FILES[name].name if family.has_file(name) else name.rpartition("/")[2]


def stages(request: Request) -> list[Stage]:
    """The stages, in order; a pure function."""
    found = [_prepare(request, what) for what in (request.table.data, *request.weights)]
    if request.table.method is not None:
        for row in request.table.rows:
            found.extend(_label(request, row))
        return found
    for seed in request.seeds:
        found.append(_train(request, seed))
        scored = {stage_name(row, seed): row for row in request.table.rows}
        found.extend(_scoring(request, row, seed) for row in scored.values())
    return found


def seeds_of(request: Request) -> tuple[int | None, ...]:
    """The seeds that a row has a score for; None where nothing is trained."""
    return request.seeds if request.table.method is None else (None,)


def stage_name(row: Row, seed: int | None) -> str:
    """The stage whose record has the score of a row."""
    variant = f"-{row.variant.replace(' ', '-')}" if row.variant else ""
    crf = "-crf" if row.crf else ""
    if row.scored == MAPS:
        return f"maps{variant}{crf}-scores"
    labels = "" if row.scored == "Segmentation" else "-labels"
    return f"seed-{seed}/{row.split}{labels}{crf}"


def _prepare(request: Request, what: str) -> Stage:
    command = _typed("prepare", what, "--root", str(request.root))
    cost = cost_of("prepare", what)
    return Stage(name=f"prepare-{what}", kind="prepare", source=what, command=command, cost=cost)


def _train(request: Request, seed: int) -> Stage:
    name = f"seed-{seed}/train"
    changes = (*request.settings, f"train.seed={seed}")
    how = ("--config", request.table.preset)
    command = _typed("train", *how, *changes, *_out(request, name), "--resume")
    cost = cost_of("train", request.table.name)
    return Stage(name=name, kind="train", changes=changes, command=command, cost=cost)


def _scoring(request: Request, row: Row, seed: int) -> Stage:
    """The stage that scores a trained model, or predicts what a server scores."""
    name, source = stage_name(row, seed), f"seed-{seed}/train"
    model = ("--model", str(request.out / source))
    crf = f"eval.crf={str(row.crf).lower()}"
    needs = (*row.needs, *(("crf",) if row.crf else ()))
    if row.split == "test":
        return _predict(request, name, source, (*request.where[1:], crf), needs)
    labels = row.scored != "Segmentation"
    changes = (*request.where, f"data.eval_split={row.split}", crf)
    command = ("evaluate", *model, *changes, *(["--labels"] if labels else []))
    return Stage(
        name=name,
        kind="labels" if labels else "evaluate",
        changes=changes,
        source=source,
        needs=needs,
        command=_typed(*command, *_out(request, name)),
        cost=cost_of("labels" if labels else "evaluate", request.table.name),
    )


def _predict(
    request: Request, name: str, source: str, changes: tuple[str, ...], needs: tuple[str, ...]
) -> Stage:
    """Masks of VOC's test split, packed for its server."""
    voc, out = request.root / "VOCdevkit" / "VOC2012", request.out / name
    rename = shlex.quote(f"s|.*|{voc / 'JPEGImages'}/&.jpg|")
    images = f"$(sed {rename} {shlex.quote(str(voc / TEST_LIST))})"
    model = shlex.join(["--model", str(request.out / source), *changes, *_out(request, name)])
    rename_all = f"--transform=s|^[.]|{SERVER_FOLDER}|"
    packed = ("tar", "-czf", str(out / ARCHIVE_NAME), "-C", str(out / "masks"), rename_all, ".")
    return Stage(
        name=name,
        kind="predict",
        changes=changes,
        source=source,
        needs=("test images", *needs),
        command=f"weclip predict {images} {model} --resume && {shlex.join(packed)}",
        cost=cost_of("predict", request.table.data),
    )


def _label(request: Request, row: Row) -> Iterator[Stage]:
    """Masks of a method without training, and their scores."""
    table, scores = request.table, stage_name(row, None)
    name = scores.removesuffix("-scores")
    crf = ("label.crf=true", "label.confidence=0") if row.crf else ()
    changes = (*request.settings, f"data.train_split={row.split}", *row.changes, *crf)
    how = ("--config", table.preset, "--method", str(table.method))
    needs = (*row.needs, *(("crf",) if row.crf else ()))
    yield Stage(
        name=name,
        kind="label",
        changes=changes,
        needs=needs,
        command=_typed("label", *how, *changes, *_out(request, name), "--resume"),
        cost=cost_of("label", table.name),
    )
    masks = f"{MAPS}={request.out / name / 'masks'}"
    given = (change for change in request.changes if change.startswith("data."))
    changes = (request.where[0], *given, f"data.eval_split={row.split}", "eval.crf=false")
    command = ("evaluate", "--masks", masks, "--config", table.preset, *changes)
    yield Stage(
        name=scores,
        kind="masks",
        changes=changes,
        source=name,
        needs=needs,
        command=_typed(*command, *_out(request, scores)),
        cost=cost_of("masks", table.name),
    )


def _typed(*words: str) -> str:
    return shlex.join(["weclip", *words])


def _out(request: Request, name: str) -> tuple[str, str]:
    return ("--out", str(request.out / name))


def _assign(key: str, path: Path) -> str:
    """A change that sets a path, whatever it is called."""
    text = str(path)
    plain = text[0] not in "\"'" and text not in ("null", "~")
    return f"{key}={text if plain else json.dumps(text, ensure_ascii=False)}"
