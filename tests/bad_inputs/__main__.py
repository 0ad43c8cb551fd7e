"""Writes the table of the corpus: `python -m tests.bad_inputs`."""

from pathlib import Path

from tests.bad_inputs.corpus import table

if __name__ == "__main__":
    Path(__file__).with_name("README.md").write_text(table(), encoding="utf-8")
