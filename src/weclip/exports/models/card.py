"""The model card of a bundle: its README.md, with the front matter that the hub reads."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from huggingface_hub import EvalResult, ModelCardData

from weclip.exports.models.licences import Licence
from weclip.inference.scores.record import percent
from weclip.system.untrusted.text import shown

LIBRARY = "weclip"
PIPELINE = "image-segmentation"
TAGS = ("weclip", "semantic-segmentation", "weakly-supervised")
OTHER = "other"
"""The hub's word for a licence that is none of those it lists."""

LICENCES_NAME = "LICENSES.md"
NAMES = {"clip": "CLIP", "dino": "DINOv2"}
MOST_LISTED = 300
"""Letters of the list of classes at the top; the table below has them all."""


@dataclass(frozen=True)
class Score:
    """Scores of a model on one split, in 0..1.

    Attributes:
        miou: Mean IoU.
        protocol: How it was measured, in one line.
        split: Name of the split.
        images: How many images it has; None: not recorded.
        per_class: IoU by class name; None for a class that no mask has.
    """

    miou: float
    protocol: str
    split: str
    images: int | None = None
    per_class: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class TowerFacts:
    """What the card says of a frozen tower.

    Attributes:
        name: What its weights are called.
        sha256: Of these weights.
        licence: Theirs.
        repository: Where the hub has them, `owner/name`; None: not known.
    """

    name: str
    sha256: str
    licence: Licence
    repository: str | None = None


GIVE = (
    ": in the command, and in Python in `overrides=[...]` of `weclip.predict`. Or cut images "
    "otherwise than in training, with `regions.files=null regions.source=merged`."
)
"""Said of what a prediction needs beside the folder."""


@dataclass(frozen=True)
class Facts:
    """What a card is written from; nothing of a machine is in it.

    Attributes:
        method: Name of the method.
        steps: Training steps.
        classes: Names with background.
        data: Name of the data set's folder.
        images: How many images it was trained on; None: not recorded.
        towers: By the method's name for them.
        precision: Of their weights.
        licence: Of the trained part, as the hub writes it.
        score: Its scores; None: none are recorded.
        versions: Of packages.
        plugins: Names of the files of plugins it needs.
        start: What its trained encoder started from, with the licence; None: it has none.
        corrected: Masks that a person corrected and it learnt from; None: it learnt from tags
            alone; 0: there were some, and no record says how many.
        given: What a prediction needs beside the folder, such as `regions.files=FOLDER`; empty:
            nothing.
    """

    method: str
    steps: int
    classes: Sequence[str]
    data: str
    images: int | None
    towers: Mapping[str, TowerFacts]
    precision: str
    licence: str
    score: Score | None
    versions: Mapping[str, str]
    plugins: Sequence[str] = ()
    start: str | None = None
    corrected: int | None = None
    given: str = ""


def model_card(facts: Facts, name: str = "FOLDER") -> str:
    """The card as Markdown.

    Args:
        facts: What is known of the model.
        name: What it is loaded by: a folder, or `hf:owner/name`.
    """
    title = name.removeprefix("hf:").rpartition("/")[2] if name.startswith("hf:") else facts.data
    parts = (
        f"---\n{front_matter(facts, title)}\n---",
        f"# Segmentation of {inline(facts.data)} by weclip",
        _about(facts),
        _use(name, facts),
        "## Scores\n\n" + (_scores(facts.score) if facts.score else "None are recorded."),
        "## Classes\n\n" + _classes(facts),
        "## Training and towers\n\n" + _origin(facts),
        "## Licences\n\n" + licence_table(facts),
    )
    return "\n\n".join(parts) + "\n"


def front_matter(facts: Facts, title: str) -> str:
    """The YAML that the hub reads."""
    bases = [each.repository for each in facts.towers.values() if each.repository]
    unknown = facts.licence == OTHER
    score = facts.score
    results = None
    if score:
        results = [
            EvalResult(
                task_type=PIPELINE,
                dataset_type="image-folder",
                dataset_name=shown(facts.data),
                dataset_split=shown(score.split),
                metric_type="mean_iou",
                metric_name="mIoU",
                metric_value=round(score.miou, 4),
            )
        ]
    data = ModelCardData(
        library_name=LIBRARY,
        pipeline_tag=PIPELINE,
        tags=[*TAGS, *(["clip"] if "clip" in facts.towers else [])],
        license=facts.licence,
        license_name="see-the-table" if unknown else None,
        license_link=LICENCES_NAME if unknown else None,
        base_model=bases or None,
        model_name=shown(title) if results else None,
        eval_results=results,
    )
    return str(data.to_yaml()).strip()


def licence_table(facts: Facts) -> str:
    """Which part is under which licence."""
    own = "not stated by who trained it" if facts.licence == OTHER else facts.licence
    if facts.start is not None:
        own += f"; started from {facts.start}"
    rows = [("trained part", "`model.safetensors`", own)]
    for name, tower in facts.towers.items():
        text = f", text in `LICENSE-{name}.txt`" if tower.licence.text else ""
        rows.append(
            (
                f"image tower of {NAMES[name]}",
                f"`{name}.safetensors`",
                tower.licence.in_words() + text,
            )
        )
    return table(("Part", "File", "Licence"), rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(inline, line)) + " |" for line in lines)


def inline(text: str) -> str:
    """A text that stays in its place in Markdown: no cell, tag or link begins in it.

    >>> inline("a|b <c> [d]")
    'a\\\\|b &lt;c> \\\\[d]'
    """
    return shown(text).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def _about(facts: Facts) -> str:
    names = ", ".join(facts.classes[1:])
    listed = names if len(names) <= MOST_LISTED else f"{len(facts.classes) - 1} classes"
    return (
        f"Finds in an image: {inline(listed)}. Trained by `weclip` from image-level tags"
        f"{'' if facts.corrected is None else ' and corrected masks'}"
        f"{', on a frozen CLIP' if facts.towers else ''}. This folder holds all that predictions "
        f"need{', but what cuts images into regions' if facts.given else ''}."
    )


def _use(name: str, facts: Facts) -> str:
    plugins = "".join(f" --plugin {_typed(each)}" for each in facts.plugins)
    given = f", plugins=[{', '.join(map(_literal, facts.plugins))}]" if facts.plugins else ""
    more = f"\n\nAlso give `{facts.given}`{GIVE}" if facts.given else ""
    return f"""## Use

```bash
weclip predict photos/ --model {_typed(name)} --out masks --overlays{plugins}
```

```python
import weclip

model = weclip.load({_literal(name)}{given})
found = model.predict("photo.jpg")
found.save("mask.png")
print(found.classes)
```

In place of `photos/` and `photo.jpg` give your own images.{more}"""


def _typed(text: str) -> str:
    """A text as a word of a shell's command, on one line."""
    return shlex.quote(shown(text))


def _literal(text: str) -> str:
    """A text as a literal of Python."""
    return json.dumps(text, ensure_ascii=False)


def _scores(score: Score) -> str:
    count = "" if score.images is None else f", {score.images} images"
    where = f"on the split {inline(score.split)}{count}"
    head = f"mIoU **{percent(score.miou)} %** {where}: {inline(score.protocol)}."
    if not score.per_class:
        return head
    rows = [(name, percent(value)) for name, value in score.per_class.items()]
    return f"{head}\n\n{table(('Class', 'IoU in %'), rows)}"


def _classes(facts: Facts) -> str:
    return table(("Id", "Class"), [(str(index), name) for index, name in enumerate(facts.classes)])


def _origin(facts: Facts) -> str:
    count = "" if facts.images is None else f", {facts.images} images"
    lines = [
        f"- Method `{facts.method}`, {facts.steps} steps.",
        f"- Data: {inline(facts.data)}{count}, and their tags.",
    ]
    if facts.corrected is not None:
        many = f"{facts.corrected or 'Some'} masks"
        lines.append(f"- {many} that a person corrected took the place of labels made from tags.")
    for name, tower in facts.towers.items():
        lines.append(
            f"- {NAMES[name]}: {inline(tower.name)}, SHA-256 `{tower.sha256}`. Here is its image "
            f"tower alone, in {facts.precision}."
        )
    if facts.start is not None:
        lines.append(f"- All of it was trained; its encoder started from {inline(facts.start)}.")
    if facts.towers and facts.precision == "float16":
        lines.append(
            "- Rounding to float16 changes few pixels; any score above was measured without it."
        )
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    return "\n".join([*lines, f"- Made with {versions}."])
