"""What is kept of an evaluation: a JSON record, and a table for the terminal.

Stage 6. A score is never alone: its record names everything needed to read and repeat it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from weclip.inference.prediction import MAX

if TYPE_CHECKING:
    from weclip.inference.scores.evaluate import EvaluationResult

KINDS = ("cam", "refined_cam", "pseudo_label", "segmentation", "masks")
"""What a record scores; the first three read the tags of the images they label."""


def evaluation_record(
    result: "EvaluationResult",
    *,
    class_names: Sequence[str],
    kind: str,
    split: str,
    protocol: Mapping[str, Any],
    checkpoint: str,
    seed: int | None,
    versions: Mapping[str, str],
) -> dict[str, Any]:
    """Everything needed to read and repeat a score, as JSON values.

    Args:
        result: The scores.
        class_names: C names, background first.
        kind: One of `KINDS`.
        split: Name of the split scored.
        protocol: `long_side`, `scales`, `flip`, `crf`, `precision`, `tags_used`, and `tile` and
            `overlap` where images were seen in tiles; for `masks`, of which only `crf` is known,
            also what `unsure` pixels count as, and which images were `missing`.
        checkpoint: What was scored; a file, or the CLIP for CAMs, or the folder of masks.
        seed: Seed of the training run, None if unknown.
        versions: Package versions and git commit.

    Raises:
        ValueError: An unknown kind, or a protocol that leaves one of its entries out.
    """
    needed = {"long_side", "scales", "flip", "crf", "precision", "tags_used"}
    missing = ({"unsure", "missing", "crf"} if kind == "masks" else needed) - protocol.keys()
    if kind not in KINDS or missing:
        raise ValueError(
            f"kind '{kind}' must be one of {KINDS}; missing in protocol: {sorted(missing)}"
        )
    groups = {name: s.to_dict(class_names) for name, s in result.group_scores.items()}
    return {
        "kind": kind,
        "split": split,
        **result.scores.to_dict(class_names),
        "groups": groups,
        "protocol": dict(protocol),
        "checkpoint": checkpoint,
        "seed": seed,
        "versions": dict(versions),
    }


def scores_table(records: Mapping[str, Mapping[str, Any]]) -> Table:
    """Evaluation records side by side, in percent, for the terminal.

    Args:
        records: Column name -> record of `evaluation_record`; the same classes in all.
    """
    table = Table(title="Scores in %", caption="\n".join(map(_caption, records.values())))
    table.add_column("")
    for name in records:
        table.add_column(name, justify="right")
    columns = list(records.values())
    for key, label in (
        ("miou", "mIoU"),
        ("pixel_accuracy", "pixel accuracy"),
        ("mean_class_accuracy", "mean class accuracy"),
    ):
        table.add_row(label, *(percent(record[key]) for record in columns))
    boundary = any("boundary_iou" in record for record in columns)
    if boundary:
        table.add_row("boundary IoU", *(percent(r.get("boundary_iou")) for r in columns))
    groups = dict.fromkeys(group for record in columns for group in record["groups"])
    for group in groups:
        values = [record["groups"].get(group, {}).get("miou") for record in columns]
        table.add_row(f"mIoU, {group}", *map(percent, values))
    table.add_section()
    if boundary:
        table.add_row("IoU / boundary IoU", *("" for _ in columns))
    for class_name in columns[0]["per_class_iou"] if columns else ():
        table.add_row(class_name, *(_of_class(record, class_name) for record in columns))
    return table


def _of_class(record: Mapping[str, Any], name: str) -> str:
    """IoU of a class, and boundary IoU where there is one."""
    iou = percent(record["per_class_iou"][name])
    boundary = record.get("per_class_boundary_iou")
    return f"{iou} / {percent(boundary[name])}" if boundary else iou


def percent(value: float | None) -> str:
    """A score in [0, 1] as per cent with one decimal; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f}"


def protocol_text(record: Mapping[str, Any]) -> str:
    """How a record was measured, in one line."""
    protocol = record["protocol"]
    if record["kind"] == "masks":
        unsure = f"unsure (255) on {100 * record['unsure_share']:.2g} % of the pixels"
        return (
            f"masks {'after the dense CRF' if protocol['crf'] else 'as given'}; {unsure}, "
            f"counted as {protocol['unsure']}; {protocol['missing']['count']} masks missing"
        )
    scales = ", ".join(f"{scale:g}" for scale in protocol["scales"])
    size = f"long side {protocol['long_side']}" if protocol["long_side"] else "original size"
    if protocol.get("tile"):
        size += f" in tiles of {protocol['tile']}, overlap {protocol['overlap']:g}"
    return "; ".join(
        (
            size,
            f"scales {scales}{' by their maximum' if protocol.get('scale_merge') == MAX else ''}",
            "flip" if protocol["flip"] else "no flip",
            "CRF" if protocol["crf"] else "no CRF",
            protocol["precision"] or "precision unknown",
            "tags given" if protocol["tags_used"] else "no tags",
            *_regions_text(protocol),
        )
    )


def _regions_text(protocol: Mapping[str, Any]) -> list[str]:
    """The regions that a model read, and whether what made them learnt from people's masks."""
    if "regions" not in protocol:
        return []
    saw = protocol["saw_human_masks"]
    known = ", which saw masks that people drew" if saw else ""
    if isinstance(saw, str):
        known = f" (whether these saw masks that people drew is {saw})"
    return [f"regions of {protocol['regions']}{known}"]


def _caption(record: Mapping[str, Any]) -> str:
    return (
        f"{record['kind']} on {record['split']}, {record['num_images']} images: "
        f"{protocol_text(record)}"
    )
