"""What a stage takes, as far as anybody has measured or published it: data, not code.

Figures are from `docs/benchmarks.md` and the papers, sizes of archives from their publishers.
"""

from typing import NamedTuple

UNKNOWN = "not measured"


class Cost(NamedTuple):
    """Disk, time and memory of a stage, in words."""

    disk: str = UNKNOWN
    time: str = UNKNOWN
    memory: str = UNKNOWN


_TWO_CORES = "2 CPU cores"

COSTS: dict[tuple[str, str], Cost] = {
    ("prepare", "voc"): Cost(
        disk="about 2 GB for VOC's archive, unpacked as much again; SBD: not measured"
    ),
    ("prepare", "coco"): Cost(disk="archives 13 GB, 6 GB and 0.2 GB, unpacked as much again"),
    ("train", "voc"): Cost(
        time="published: 270 minutes on one RTX 3090; our steps: 7 h in bf16, 18 h in float32 on "
        f"{_TWO_CORES}; GPU: not measured",
        memory="published: 6.2 GB of GPU memory; ours on a CPU: 1.4 GB in bf16, 1.7 GB in float32",
    ),
    ("train", "voc-plus"): Cost(
        time=f"our steps: 20 h in bf16, 31 h in float32 on {_TWO_CORES}; GPU: not measured",
        memory="ours on a CPU: 1.9 GB in bf16, 2.2 GB in float32",
    ),
    ("evaluate", "voc"): Cost(
        time=f"without CRF 23 minutes in bf16, 57 in float32 on {_TWO_CORES}; GPU, CRF: not "
        "measured"
    ),
    ("label", "clip-es"): Cost(
        time=f"without CRF 23 minutes in float32 on {_TWO_CORES}; GPU, CRF: not measured"
    ),
    ("label", "excel"): Cost(time=f"27 minutes in float32 on {_TWO_CORES}; GPU: not measured"),
    ("label", "cd-clip"): Cost(time=f"34 minutes in float32 on {_TWO_CORES}; GPU: not measured"),
}
"""By kind of stage and name. Times are images or steps times what one took in
`docs/benchmarks.md`: 30,000 steps of 0.885 and 2.145 s (WeCLIP), 2.382 and 3.737 s (WeCLIP+); 1,449
images at 1.04 and 0.42 a second; 1,464 at 1.04 (CLIP-ES), 0.89 (ExCEL, PAR) and 0.71 (CD-CLIP)."""


def cost_lines(cost: Cost) -> list[str]:
    """A cost in words.

    >>> cost_lines(Cost())
    ['disk, time, memory: not measured']
    """
    named = cost._asdict()
    unknown = [name for name, text in named.items() if text == UNKNOWN]
    known = [f"{name}: {text}" for name, text in named.items() if name not in unknown]
    return [*known, *([f"{', '.join(unknown)}: {UNKNOWN}"] if unknown else [])]


def cost_of(kind: str, name: str) -> Cost:
    """The cost of a stage of this kind; unknown where it is not in the table."""
    return COSTS.get((kind, name), Cost())
