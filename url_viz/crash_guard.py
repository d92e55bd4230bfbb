"""Crash supervisor: a small parent process that forks a command, and forks it again after a crash."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

CRASHED_VARIABLE = "URL_VIZ_CRASHED"
"""Environment variable that tells a restarted command which signal ended its predecessor."""

MOST_CRASHES = 100
TOGETHER_S = 0.5
"""Two SIGINT within this time count as one: the terminal's, and the one that the parent process forwards."""

_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def supervised(work: Callable[[], int]) -> int:
    """Run `work` in a child process, again after each crash; returns its exit status.

    Any other end of the child ends this process in the same way. This one imports nothing large before it forks.
    """
    for _ in range(MOST_CRASHES):
        status = _run_below(work)
        if -status not in _CRASHES:
            break
        os.environ[CRASHED_VARIABLE] = signal.Signals(-status).name
        print(f"\nThe process crashed ({os.environ[CRASHED_VARIABLE]}). Starting again.", file=sys.stderr, flush=True)
    return _ended_alike(status)


def _run_below(work: Callable[[], int]) -> int:
    """The exit status of `work` in a child, or a negative signal number; the child itself leaves with SystemExit."""
    end, held_open = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
    child = os.fork()
    if child == 0:
        os.close(held_open)
        _listen_below(end)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        sys.exit(work())
    os.close(end)
    earlier = _pass_on(child)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for number, handler in earlier.items():
        signal.signal(number, handler)
    os.close(held_open)
    return status


def _pass_on(child: int) -> dict[signal.Signals, Any]:
    """Forward signals that ask to stop to the child; returns the earlier handlers. Ignored signals stay ignored."""
    heard = [number for number in _PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN]
    return {number: signal.signal(number, lambda sent, _: os.kill(child, sent)) for number in heard}


def _listen_below(end: int) -> None:
    """In the child: count a doubled Ctrl-C once, and end when the parent process ends, for any reason."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _Interrupt())
    threading.Thread(target=_end_with_above, args=(end,), daemon=True).start()


def _end_with_above(end: int) -> None:
    os.read(end, 1)  # returns when the parent has closed the other end
    os.kill(os.getpid(), signal.SIGKILL)


class _Interrupt:
    """Raises KeyboardInterrupt, once for signals that come together."""

    def __init__(self) -> None:
        self._last = -TOGETHER_S

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        is_new, self._last = now - self._last > TOGETHER_S, now
        if is_new:
            raise KeyboardInterrupt


def _ended_alike(status: int) -> int:
    """The exit status; if a signal ended the child, the same signal ends this process."""
    if status >= 0:
        return status
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
    return 128 - status
