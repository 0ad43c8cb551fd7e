"""The corpus by area, and its table."""

from tests.bad_inputs import (
    class_lists,
    command_lines,
    configuration,
    converted,
    csv_tables,
    exports,
    folders,
    images,
    json_lines,
    label_parts,
    labelling,
    layouts,
    outputs,
    predicted_masks,
    region_sources,
    runs,
    second_encoder,
    tagging,
    trained_encoder,
    weights,
    windows,
    yaml_files,
)
from tests.bad_inputs.case import Case

AREAS: dict[str, tuple[Case, ...]] = {
    "Command lines": command_lines.CASES,
    "Configurations": configuration.CASES + yaml_files.CASES,
    "Data layouts": layouts.CASES + folders.CASES,
    "Tags tables": csv_tables.CASES + json_lines.CASES,
    "Exports of annotation tools": exports.CASES,
    "Class lists": class_lists.CASES,
    "Images and masks": images.CASES,
    "Predicted masks": predicted_masks.CASES,
    "Weights, models, checkpoints": weights.CASES
    + second_encoder.CASES
    + trained_encoder.CASES
    + runs.CASES,
    "Output folders and inputs of prediction": outputs.CASES,
    "Masks without training": labelling.CASES + label_parts.CASES,
    "Tags by CLIP": tagging.CASES,
    "Regions": region_sources.CASES,
    "Windows, no tags": windows.CASES,
    "Convert and prepare": converted.CASES,
}
CASES = tuple(case for cases in AREAS.values() for case in cases)

HEAD = """\
# Bad inputs

What users get wrong, and what `weclip` answers: one line on standard error, and the exit code. Each
case is made by the code of this folder in a fresh copy of a small world (`world.py`) and given to
the command line by `test_corpus.py`, which also compares every file before and after: nothing of
the user's is changed, removed or added, except below `--out` where the case says so.

`...` stands for any text, such as a library's own words. Of cases with "stdout" the line is a
finding of `weclip check`, or says that the input is accepted. Written by
`python -m tests.bad_inputs`; a test compares.
"""


def table() -> str:
    """README.md."""
    parts = [f"{HEAD}\n{len(CASES)} cases.\n"]
    for area, cases in AREAS.items():
        rows = "".join(_row(case) for case in cases)
        columns = "| Case | What is wrong | Exit code | Line |\n|---|---|---|---|\n"
        parts.append(f"\n## {area}\n\n{columns}{rows}")
    return "".join(parts)


def _row(case: Case) -> str:
    where = "stdout: " if case.says == "out" else ""
    fence = "``" if "`" in case.line else "`"
    cells = (case.name, case.wrong, str(case.code), f"{where}{fence}{case.line}{fence}")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
