"""The files that a preparation reads: given by hand with `--from`, or else fetched."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from weclip.prepare.download import DEFAULT_PATIENCE, Patience, fetch
from weclip.prepare.sources import Report, Source, require_match
from weclip.system.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Archives:
    """Finds published files by their key.

    Attributes:
        sources: Table of the files.
        folder: Where fetched files go.
        given: Key -> file that the user has fetched.
        report: Told of the progress.
        patience: Timeouts and attempts.
    """

    sources: Mapping[str, Source]
    folder: Path
    given: Mapping[str, Path]
    report: Report
    patience: Patience = DEFAULT_PATIENCE

    def get(self, key: str) -> Path:
        """The file, complete and checked; InputError if it cannot be had."""
        if key in self.given:
            return self.given[key]
        return fetch(self.sources[key], self.folder, report=self.report, patience=self.patience)


def check_given(
    files: Iterable[Path], sources: Mapping[str, Source], keys: Collection[str]
) -> dict[str, Path]:
    """Assign the files of `--from` to sources by their names, and check them.

    Returns:
        Key -> file.

    Raises:
        InputError: A file is missing, is none of those needed, or has another checksum.
    """
    names = {sources[key].name: key for key in keys}
    given: dict[str, Path] = {}
    for path in files:
        if not path.is_file():
            raise InputError(f"--from {path}: no such file")
        if path.name not in names:
            hint = did_you_mean(path.name, names)
            raise InputError(
                f"--from {path}: not a file that is needed here; these are, by name: "
                f"{', '.join(names)}. {hint}".strip()
            )
        key = names[path.name]
        if key in given:
            raise InputError(f"--from: {given[key]} and {path} are the same file; give one")
        require_match(path, sources[key])
        given[key] = path
    return given
