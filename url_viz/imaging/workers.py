"""Image decoding in isolated worker processes, so that a crash of the decoder costs one picture."""

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from PIL import Image

from url_viz.child_environment import child_variables
from url_viz.errors import ImageError, UrlVizError
from url_viz.imaging.decode import decode, decode_large_in_turns, format_of, read_file
from url_viz.imaging.digest import content_key
from url_viz.imaging.preprocess import Preprocessing
from url_viz.imaging.read import Picture, Reading, picture_of, reading_of

MOST_S = 60.0
MOST_MEMORY_BYTES = 6 << 30
"""Twice the memory of the largest accepted picture."""
PICTURES_A_START = 16
"""About as many pictures are decoded in the time that a process takes to start."""
PATIENCE_S = 0.3
"""How long a picture waits for a running process, where few were asked for, before it has another one started."""

_VARIABLES = {
    "OPENBLAS_NUM_THREADS": "1",  # no needless threads
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),  # glibc keeps the few MiB that one small picture after another needs, and
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),  # does not ask the system for them each time: a tenth less time a picture
}
_READY = b"ready"
_LARGE = b"large"
"""Message of a worker before it decodes a large picture; it continues when it gets an answer."""


class Decoders:
    """A pool of at most `most` decoding processes, started on demand, reused, and ended with this process.

    A few pictures share one, unless it takes long: a second would start while they are decoded. Thread-safe; threads
    are served in the order of their requests. A picture that crashes its decoder or takes more than `most_s` raises
    ImageError; one that needs more than `most_memory_bytes` is refused that memory.
    """

    def __init__(
        self, most: int | None = None, *, most_s: float = MOST_S, most_memory_bytes: int = MOST_MEMORY_BYTES
    ) -> None:
        self._most = most or max(2, os.cpu_count() or 1)  # at least two: one that hangs does not block the others
        self._bounds = (most_s, most_memory_bytes)
        self.forget()

    def read(
        self,
        data: bytes,
        preprocessing: Preprocessing,
        *,
        content: int | None = None,
        also: Sequence[Preprocessing] = (),
    ) -> Picture:
        """The `Picture` from the bytes of a file, whose content key may be given; `also` as for `picture_of`.

        Raises ImageError as `decode` does, or after a crash or timeout.
        """
        key = content_key(data) if content is None else content
        asked = (preprocessing, *also)
        facts, body = self._ask("read", data, preprocessings=[one.as_record() for one in asked])
        ends = np.cumsum([0, *(3 * one.size_px**2 for one in asked)]).tolist()
        flat = np.frombuffer(body, np.uint8, ends[-1])
        parts = zip(ends[:-1], ends[1:], asked, strict=True)
        crop, *others = (flat[start:end].reshape(one.size_px, one.size_px, 3) for start, end, one in parts)
        return Picture(key, facts["width"], facts["height"], crop, body[ends[-1] :], tuple(others))

    def shown(self, data: bytes, *, most_px: int, quality: int) -> bytes:
        """A JPEG of a picture, upright, at most `most_px` on its long side; raises ImageError like `read`."""
        return self._ask("shown", data, most_px=most_px, quality=quality)[1]

    def format_of(self, data: bytes) -> str | None:
        """Pillow's name of a file's format; None if it is not accepted, or crashes its decoder."""
        with suppress(ImageError):
            name: str | None = self._ask("format", data)[0]["format"]
            return name
        return None

    def close(self) -> None:
        """End the idle processes; the next picture starts a new one."""
        with self._lock:
            for slot in self._free:
                slot.end()

    def forget(self) -> None:
        """Reset to no processes: at first, and in a fork of this process, which must not share them."""
        self._lock = threading.Lock()
        self._large = threading.RLock()
        self._free = [_Slot(*self._bounds) for _ in range(self._most)]
        self._waiting: deque[Future[_Slot]] = deque()
        self._asked = 0

    def _ask(self, what: str, data: bytes, **options: object) -> tuple[dict[str, Any], bytes]:
        question = json.dumps([what, options]).encode()
        with self._slot() as slot, ExitStack() as alone:
            was_killed = False
            while True:
                was_new = slot.is_new
                if was_new:
                    slot.start()
                try:
                    facts, body = slot.ask(question, data, self._large)
                    break
                except (EOFError, OSError):
                    status = slot.end()
                    # Another picture may be the reason: an earlier one corrupted the memory of a used process, or one
                    # beside it took what memory there is. Try once more, in a new process, in turn with large pictures.
                    is_first_kill = status == -signal.SIGKILL and not was_killed
                    if status == -signal.SIGALRM or (was_new and not is_first_kill):
                        raise ImageError(_why_it_ended(status, self._bounds[0])) from None
                    if is_first_kill:
                        was_killed = True
                        alone.enter_context(self._large)
        if "reason" in facts:
            raise ImageError(facts["reason"])
        return facts, body

    @contextmanager
    def _slot(self) -> Iterator["_Slot"]:
        """A slot for this thread alone, preferably with a running process; threads wait in order."""
        turn: Future[_Slot] = Future()
        with self._lock:
            self._asked += 1
            self._waiting.append(turn)
            self._hand_out()
        slot = self._patiently(turn)
        try:
            yield slot
        except BaseException:  # a late answer of its process would be read as the answer to the next question
            slot.end()
            raise
        finally:
            with self._lock:
                self._free.insert(0 if slot.is_new else len(self._free), slot)
                self._hand_out()

    def _hand_out(self) -> None:
        """Give slots to those who wait, but none to start a process in while the running ones are enough."""
        while self._waiting and self._free and not (self._free[-1].is_new and self._is_early_to_start()):
            self._waiting.popleft().set_result(self._free.pop())

    def _is_early_to_start(self) -> bool:
        """Whether the running processes, all of them in use, are enough for the pictures that were asked for so far."""
        running = self._most - sum(slot.is_new for slot in self._free)
        return running > 0 and self._asked <= running * PICTURES_A_START

    def _patiently(self, turn: "Future[_Slot]") -> "_Slot":
        """The slot that comes to a thread in its turn, or a new one once that takes long."""
        while True:
            with suppress(TimeoutError):
                return turn.result(PATIENCE_S)
            with self._lock:
                if not turn.done() and self._free:
                    self._waiting.remove(turn)
                    turn.set_result(self._free.pop())


class _Slot:
    """A slot for one worker process, used by one thread at a time."""

    def __init__(self, most_s: float, most_memory_bytes: int) -> None:
        self._bounds = (repr(most_s), str(most_memory_bytes))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_new(self) -> bool:
        """Whether no process was started in this slot yet."""
        return self._process is None

    def ask(self, question: bytes, data: bytes, large: AbstractContextManager[object]) -> tuple[dict[str, Any], bytes]:
        """The answer as facts and bytes; raises EOFError or OSError if the process ended meanwhile."""
        there = self._connection
        there.send_bytes(question)
        there.send_bytes(data)
        answer = there.recv_bytes()
        with ExitStack() as turn:
            while answer == _LARGE:
                turn.enter_context(large)
                there.send_bytes(_LARGE)
                answer = there.recv_bytes()
        return json.loads(answer), there.recv_bytes()

    def end(self) -> int:
        """End the process if one runs; returns its exit status, or a negative signal number."""
        if self._process is None:
            return 0
        self._connection.close()
        with self._process as process:  # closing ends it, unless it is dead already or hangs
            try:
                status = process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
        self._process = None
        return status

    def start(self, *, is_again: bool = False) -> None:
        """Start the process, once more if it is killed meanwhile; raises UrlVizError if it ends at once."""
        self._connection, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "url_viz.imaging.workers", str(number), *self._bounds]
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **child_variables(), **_VARIABLES},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(number,),
                start_new_session=True,  # Ctrl-C in the terminal is for this process, which ends the workers
            )
        try:
            self._connection.recv_bytes()
        except (EOFError, OSError) as error:
            status = self.end()
            if status == -signal.SIGKILL and not is_again:
                return self.start(is_again=True)
            raise UrlVizError(
                f"Pictures cannot be decoded: the process for it ended as it started (status {status}; its output is "
                "in the terminal). Close other programs if memory is short, and start again: what was read is kept."
            ) from error


decoders = Decoders()
"""The pool that all threads of this process share."""
atexit.register(decoders.close)
os.register_at_fork(after_in_child=decoders.forget)


def read_apart(
    path: bytes,
    preprocessing: Preprocessing,
    *,
    known: Container[int] = (),
    also: Sequence[Preprocessing] = (),
    by: Decoders = decoders,
) -> Reading:
    """Like `read_picture`, but decoded in a process with limits on time and memory: a crash is a Failure too."""
    return fetched_apart(partial(read_file, path), preprocessing, known=known, also=also, by=by)


def fetched_apart(
    fetch: Callable[[], bytes],
    preprocessing: Preprocessing,
    *,
    known: Container[int] = (),
    also: Sequence[Preprocessing] = (),
    by: Decoders = decoders,
) -> Reading:
    """The same of the bytes that `fetch` brings."""
    return reading_of(fetch, preprocessing, known=known, also=also, decoded=by.read)


def _why_it_ended(status: int, most_s: float) -> str:
    if -status == signal.SIGALRM:
        return f"takes longer than {most_s:g} s to read, or never ends"
    if -status == signal.SIGKILL:
        return "ends the process that reads it (killed, SIGKILL): it likely needs more memory than there is"
    how = signal.Signals(-status).name if -status in set(signal.Signals) else f"exit status {status}"
    return f"ends the process that reads it ({how}): it is damaged, or made to crash a decoder"


# The rest of this module runs in the worker processes.


def _read(data: bytes, preprocessings: list[dict[str, Any]]) -> tuple[dict[str, Any], bytes]:
    asked = [Preprocessing(**one | {name: tuple(one[name]) for name in ("mean", "std")}) for one in preprocessings]
    picture = picture_of(data, asked[0], content=0, also=asked[1:])  # the key is known to the parent process
    crops = b"".join(crop.tobytes() for crop in (picture.crop, *picture.also))
    return {"width": picture.width, "height": picture.height}, crops + picture.thumbnail


def _shown(data: bytes, most_px: int, quality: int) -> tuple[dict[str, Any], bytes]:
    image, _ = decode(data, short_side_px=most_px // 2)
    image.thumbnail((most_px, most_px), Image.Resampling.BICUBIC)
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return {}, file.getvalue()


def _format(data: bytes) -> tuple[dict[str, Any], bytes]:
    return {"format": format_of(data)}, b""


_WORK: dict[str, Callable[..., tuple[dict[str, Any], bytes]]] = {"read": _read, "shown": _shown, "format": _format}


class _Turns:
    """Context in which a large picture is decoded: waits for the parent's permission, with the timer stopped."""

    def __init__(self, above: Connection, heard: "SimpleQueue[bytes]", most_s: float) -> None:
        self._above, self._heard, self._most_s = above, heard, most_s

    def __enter__(self) -> None:
        _end_after(0)
        self._above.send_bytes(_LARGE)
        self._heard.get()
        _end_after(self._most_s)

    def __exit__(self, *_: object) -> None:
        """The turn ends with the answer."""


def _end_after(seconds: float) -> None:
    """End this process by SIGALRM after some seconds, even inside a decoder; 0: never."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _bound_memory(most_bytes: int) -> None:
    """Limit the memory of this process, and make it the first one that the OOM killer ends."""
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _listen(above: Connection, heard: "SimpleQueue[bytes]") -> None:
    """Queue the messages of the parent process, and exit as soon as the parent ends."""
    with suppress(EOFError, OSError):
        while True:
            heard.put(above.recv_bytes())
    os._exit(0)


def _answered(question: bytes, data: bytes, most_s: float) -> tuple[dict[str, Any], bytes]:
    what, options = json.loads(question)
    _end_after(most_s)
    try:
        return _WORK[what](data, **options)
    except ImageError as error:
        return {"reason": str(error)}, b""
    except MemoryError:
        return {"reason": "needs more memory than there is"}, b""
    finally:
        _end_after(0)


def main() -> None:
    """Serve the connection of the first argument; the others limit seconds per picture and bytes of memory."""
    above, most_s = Connection(int(sys.argv[1])), float(sys.argv[2])
    _bound_memory(int(sys.argv[3]))
    heard: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(above, heard), daemon=True).start()
    decode_large_in_turns(_Turns(above, heard, most_s))
    format_of(b"")  # imports what decoders need, before the first timer starts
    with suppress(ConnectionError):  # the parent process has ended
        above.send_bytes(_READY)
        while True:
            facts, body = _answered(heard.get(), heard.get(), most_s)
            above.send_bytes(json.dumps(facts).encode())
            above.send_bytes(body)


if __name__ == "__main__":
    main()
