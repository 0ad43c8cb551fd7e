"""Signals that ask a run to end.

Stage 5. Ctrl-C, SIGTERM and SIGUSR1 as clusters send them before they kill, and SIGHUP of a closed
terminal, unless that is ignored, as `nohup` does.
"""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from weclip.system.errors import StoppedError
from weclip.system.processes import STOP_SIGNALS


class StopRequests:
    """Notes, while its context lasts, that a signal asked to end; a second one interrupts at once.

    Outside the main thread, where Python allows no handlers, nothing is noted.

    Attributes:
        name: Name of the signal that came; None before.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequests":
        if threading.current_thread() is threading.main_thread():
            self._before = {
                number: signal.signal(number, self._note)
                for number in STOP_SIGNALS
                if signal.Signals(number).name != "SIGHUP"
                or signal.getsignal(number) != signal.SIG_IGN
            }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.name is not None:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name


class StopAtOnce(StopRequests):
    """As `StopRequests`, where nothing can be lost: the signal raises `StoppedError` on the spot.

    Args:
        state: What is saved, and what is not, for the message.
    """

    def __init__(self, state: str) -> None:
        super().__init__()
        self.state = state

    def _note(self, number: int, frame: FrameType | None) -> None:
        super()._note(number, frame)
        raise StoppedError(f"{self.name} came; {self.state}")
