"""Whether the tokenizer beside the weights is OpenAI's, which alone is read here.

Stage 2. A vocabulary of the same size with merges of its own would give other ids to every word.
"""

from pathlib import Path

from weclip.backbones.clip.configuration.keys import WAY_OUT
from weclip.backbones.clip.tokenizer import merge_table
from weclip.backbones.weight_files.folder import MAX_JSON, read_object
from weclip.system.errors import InputError
from weclip.system.untrusted.files import read_text


def require_openais_merges(folder: Path) -> None:
    """Compare `merges.txt` and `tokenizer.json` of a folder, where they are, with our table.

    Raises:
        InputError: Another merge table, or a tokenizer without one.
    """
    for name, read in (("merges.txt", merges_of_text), ("tokenizer.json", merges_of_json)):
        file = folder / name
        if file.is_file() and read(file) != merge_table():
            raise InputError(
                f"{file}: another tokenizer than OpenAI's, whose merge table alone is read here; "
                f"{WAY_OUT}"
            )


def merges_of_text(file: Path) -> list[tuple[str, ...]]:
    """The pairs of a `merges.txt`."""
    lines = read_text(file, "merge table", MAX_JSON).split("\n")
    return [
        tuple(line.split()) for line in lines if line.strip() and not line.startswith("#version")
    ]


def merges_of_json(file: Path) -> list[tuple[str, ...]]:
    """The pairs of a `tokenizer.json`, written as texts or as pairs; none for other kinds."""
    model = read_object(file).get("model")
    merges = model.get("merges") if isinstance(model, dict) else None
    if not isinstance(merges, list):
        return []
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in merges)
    return [tuple(pair) if isinstance(pair, list) else () for pair in pairs]
