"""How every command runs: what it prints is text; errors, a full disk and Ctrl-C become lines and exit statuses."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO, cast

from url_viz.errors import UrlVizError, UsageError
from url_viz.escaping import inert, printable
from url_viz.options import numbers
from url_viz.roots import refuse_credentials

FULL = (errno.ENOSPC, errno.EDQUOT)


class PrintableOutput:
    """Standard output whose every line is printable and no command of a pipeline: names may come from others."""

    def __init__(self, file: TextIO) -> None:
        self._file, self._is_blank = file, True

    def write(self, text: str) -> int:
        shown, before = printable(text, allowed="\n"), "" if self._is_blank else "…"
        last = (before + shown).rpartition("\n")[2]
        self._is_blank = not last.strip()
        return self._file.write(inert(before + shown).removeprefix(before))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextmanager
def printable_output() -> Iterator[None]:
    """Let what the block prints be printable; the help of commands, printed before, keeps its colours."""
    with redirect_stdout(cast(TextIO, PrintableOutput(sys.stdout))):
        yield


def exit_status(words: Sequence[str], run: Callable[[], int | None]) -> int:
    """Parse and run a command that was given `words` → its exit status.

    0, or what `run` returns; 2 where an option has a value that it cannot have, 1 after any other UrlVizError, a full
    disk or a full GPU, each with a line on stderr; 130 after Ctrl-C; 141 where nobody reads what is printed.
    """
    try:
        refuse_credentials(words)
        with numbers():
            status = run()
        sys.stdout.flush()
    except UrlVizError as error:
        return _failed(str(error), status=2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        print("\nStopped. What was read or written is kept; the same command goes on from there.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _drop_output()
        return 141
    except (OSError, RuntimeError) as error:
        advice = _advice_on(error)
        if advice is None:
            raise
        _drop_output()
        return _failed(advice)
    return int(status or 0)


def _failed(words: str, *, status: int = 1) -> int:
    print(f"error: {inert(printable(' '.join(words.splitlines())))}", file=sys.stderr)
    return status


def _advice_on(error: Exception) -> str | None:
    """Advice on a full disk or full GPU memory; None for any other error, which is a bug."""
    if isinstance(error, OSError) and error.errno in FULL:
        where = f" ({error.filename})" if error.filename else ""
        return f"The disk is full{where}. What was written is whole: make room and run the same command again."
    if type(error).__name__ == "OutOfMemoryError":  # torch's; it is not imported here for the sake of --help
        return (
            f"The GPU's memory does not hold this ({str(error).partition('. ')[0]}). Close other programs that use the "
            f"GPU, choose --device cpu, or give a training a smaller --batch (--joint-batch with --mode full)."
        )
    return None


def _drop_output() -> None:
    """Throw away what cannot be printed any more: Python would report an error when it flushes at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
