"""Plugins: a user's own file of parts, run only where a call names it.

A run folder and a model file record a plugin's name and SHA-256, never where it was; so nothing in
a file can have code executed. Whoever reads such a file names the plugin again (`--plugin`,
`plugins=`), and it must be the same one.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from types import ModuleType

from weclip import parts
from weclip.system.errors import InputError
from weclip.system.files import at_home
from weclip.system.untrusted.files import MAX_DOCUMENT, read_bytes


@dataclass(frozen=True)
class Plugin:
    """A file that was run.

    Attributes:
        name: File name, without folders.
        sha256: Of its content.
        parts: What it declares.
    """

    name: str
    sha256: str
    parts: parts.Parts

    def __hash__(self) -> int:
        return hash((self.name, self.sha256))


PluginFiles = Sequence[str | PathLike[str] | Plugin]
"""Paths of Python files, or plugins that are loaded."""

_read: dict[str, Plugin] = {}
"""Plugins that this process has run, by SHA-256: a part stays the same class."""


def load_plugins(files: PluginFiles) -> tuple[Plugin, ...]:
    """Run plugins, each once in a process.

    Raises:
        InputError: A file that is not there, does not run, or declares nothing or a name that is
            taken; two files of one name.
    """
    plugins = tuple(
        file if isinstance(file, Plugin) else _load(Path(at_home(str(file)))) for file in files
    )
    seen: dict[tuple[str, str], str] = {}
    for plugin in plugins:
        if [other.name for other in plugins].count(plugin.name) > 1:
            raise InputError(f"--plugin {plugin.name}: two files of this name; rename one")
        for key in plugin.parts:
            if key in seen:
                raise InputError(
                    f"--plugin {plugin.name}: {key[0]} '{key[1]}' is in {seen[key]} too; rename one"
                )
            seen[key] = plugin.name
    return plugins


def require_plugins(wanted: object, given: Sequence[Plugin], origin: str) -> None:
    """InputError unless all plugins that a file was made with are given, and are the same.

    Args:
        wanted: Name -> SHA-256, as the file says.
        given: Plugins that this call names.
        origin: The file.
    """
    if not wanted:
        return
    if not isinstance(wanted, Mapping):
        raise InputError(f"{origin}: plugins must be a map of file names to SHA-256")
    have = {plugin.name: plugin.sha256 for plugin in given}
    for name, sha256 in wanted.items():
        short = f"SHA-256 {str(sha256)[:12]}..."
        if name not in have:
            raise InputError(
                f"{origin} was made with the plugin {name} ({short}); give it with --plugin FILE "
                "(from Python: plugins=[FILE])"
            )
        if have[name] != sha256:
            raise InputError(
                f"{origin} was made with another {name} ({short}) than the one that is given "
                f"({have[name][:12]}...); give the same file"
            )


def _load(file: Path) -> Plugin:
    if not file.exists():
        raise InputError(f"--plugin {file}: no such file; give a Python file of parts")
    content = read_bytes(file, "plugin", MAX_DOCUMENT)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 not in _read:
        _read[sha256] = Plugin(file.name, sha256, _run(file, content, sha256))
    known = _read[sha256]
    return known if known.name == file.name else Plugin(file.name, sha256, known.parts)


def _run(file: Path, content: bytes, sha256: str) -> parts.Parts:
    """What the file declares; it is run as a module of its own."""
    parts.shipped()  # so that a name that is taken is seen
    module = ModuleType(f"weclip_plugin_{sha256[:16]}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # where dataclasses look their types up
    try:
        exec(compile(content, str(file), "exec"), module.__dict__)
        found = parts.declared_in(module.__name__)
    except InputError as error:
        raise InputError(f"--plugin {file}: {error}") from None
    except Exception as error:
        raise InputError(f"--plugin {file}: {_where(error, file)}") from error
    finally:
        parts.forget(module.__name__)
    if not found:
        raise InputError(
            f"--plugin {file}: declares no part; put @loss('name'), @map_source('name'), "
            "@affinity('name') or @method('name') of weclip.parts over a class"
        )
    return found


def _where(error: Exception, file: Path) -> str:
    """What went wrong in the file, and in which of its lines."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"line {line}: {type(error).__name__}: {' '.join(said.split())[:200]}"
