"""What the system does to a command is one line that names what to lower in that command."""

import errno

import pytest
import torch
import typer

from weclip.cli.app import app
from weclip.system.errors import RunError
from weclip.system.exits import run_app
from weclip.system.failures import ADVICE, FREE_SOME, failure, is_out_of_memory

NO_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("can't start new thread"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    OSError(errno.ENOMEM, "Cannot allocate memory", "photos/1.jpg"),
    ImportError("libtorch_cpu.so: failed to map segment from shared object"),
]
COMMANDS = ["train", "evaluate", "predict", "label", "tag", "demo", "check", "convert"]


def one_command(name, error):
    """A command line `weclip NAME` that ends with an error."""
    app = typer.Typer(add_completion=False)

    @app.callback()
    def group():
        pass

    @app.command(name)
    def command():
        raise error

    return run_app(app, lambda: [name])


@pytest.mark.parametrize("error", NO_MEMORY, ids=repr)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_memory_in_any_command(capsys, name, error):
    assert one_command(name, error) == 1
    assert capsys.readouterr().err == (
        f"weclip: error: out of memory; {ADVICE.get(name, FREE_SOME)}\n"
    )


def test_the_commands_with_advice_are_there():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names > ADVICE.keys()
    assert ADVICE.keys() == {"train", "evaluate", "predict", "label", "regions", "tag", "demo"}


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_commands_that_see_images_whole_name_tiles(command):
    assert "add eval.tile=512" in str(failure(MemoryError(), command))


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes do not match"), ImportError("no module"), OSError(errno.EINVAL, "bad")],
)
def test_a_bug_keeps_its_traceback(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error), match=str(error.args[-1])):
        one_command("label", error)


def test_dead_helpers_and_sisters():
    died = RuntimeError("A process in the process pool was terminated abruptly while")
    assert "a process that computes the CRF died (often for lack of memory)" in failure(died, "")
    worker = RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed.\nmore")
    assert failure(worker, "").endswith(
        "lower data.workers); DataLoader worker (pid 7) is killed by signal: Killed."
    )
    thread = RuntimeError("Pin memory thread exited unexpectedly")
    assert "a process that reads images died" in failure(thread, "")
    assert "another process of this run" in failure(RuntimeError("gloo: Connection closed"), "")


def test_a_run_error_has_said_it(capsys):
    assert one_command("train", RunError("step 5: out of memory; lower it")) == 1
    assert capsys.readouterr().err == "weclip: error: step 5: out of memory; lower it\n"
