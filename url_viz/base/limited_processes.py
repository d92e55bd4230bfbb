"""Processes with limits on time, memory and environment, in which files of others are read: a crash costs one file."""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from url_viz.base.errors import UrlVizError
from url_viz.base.processes import needed_variables

FILES_A_START = 16
"""About how many pictures are decoded in the time that a process takes to start."""
PATIENCE_S = 0.3
"""How long one of few files waits for a running process before another is started."""

_VARIABLES = {
    "OPENBLAS_NUM_THREADS": "1",  # no needless threads
    "ARROW_DEFAULT_MEMORY_POOL": "system",  # takes no address space in advance, which is limited here
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),  # glibc keeps the few MiB that one small picture after another needs, and
    "MALLOC_TRIM_THRESHOLD_": str(4 << 20),  # does not ask the system for them each time: a tenth less time a picture
}
_READY = b"ready"
_LARGE = b"large"
"""Message of a process before it reads a large file; it continues when it gets an answer."""

Answer = tuple[dict[str, Any], bytes]


class LimitedProcesses:
    """A pool of at most `most` processes of `python -m MODULE`, started on demand, reused, ended with this process.

    A few files share one process, unless that takes long: starting a second would take longer than reading them.
    Threads may share the pool, and are served in order. A file that crashes its process or takes more than `most_s`
    raises `error`; one that needs more than `most_memory_bytes` is refused that memory.
    """

    def __init__(
        self, module: str, *, most: int, most_s: float, most_memory_bytes: int, error: type[UrlVizError]
    ) -> None:
        self._module, self._most, self._error = module, most, error
        self._bounds = (most_s, most_memory_bytes)
        self.forget()

    def close(self) -> None:
        """End the idle processes; the next file starts a new one."""
        with self._lock:
            for slot in self._free:
                slot.end()

    def forget(self) -> None:
        """Begin without processes: at first, and in a fork of this process, which must not share them."""
        self._lock = threading.Lock()
        self._large = threading.RLock()
        self._free = [_WorkerSlot(self._module, *self._bounds) for _ in range(self._most)]
        self._waiting: deque[Future[_WorkerSlot]] = deque()
        self._requests = 0

    def ask(self, what: str, data: bytes, **options: object) -> Answer:
        """A process's answer to `what` about `data`: facts and bytes. Raises the pool's error with the reason."""
        question = json.dumps([what, options]).encode()
        with self._slot() as slot, ExitStack() as turn:
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
                    # Another file may be the reason: an earlier one corrupted the memory of a used process, or a
                    # concurrent one took all memory. Try once more, in a new process, in turn with large pictures.
                    is_first_kill = status == -signal.SIGKILL and not was_killed
                    if status == -signal.SIGALRM or (was_new and not is_first_kill):
                        raise self._error(_why_it_ended(status, self._bounds[0])) from None
                    if is_first_kill:
                        was_killed = True
                        turn.enter_context(self._large)
        if "reason" in facts:
            raise self._error(facts["reason"])
        return facts, body

    @contextmanager
    def _slot(self) -> Iterator["_WorkerSlot"]:
        """A slot for this thread alone, preferably with a running process; threads wait in order."""
        turn: Future[_WorkerSlot] = Future()
        try:
            with self._lock:
                self._requests += 1
                self._waiting.append(turn)
                self._hand_out()
            while not turn.done():
                try:
                    turn.result(PATIENCE_S)
                except TimeoutError:
                    with self._lock:
                        if not turn.done() and self._free:  # another process is started
                            self._waiting.remove(turn)
                            turn.set_result(self._free.pop())
            yield turn.result()
        except BaseException:  # a late answer of its process would be read as the answer to the next question
            if turn.done():
                turn.result().end()
            raise
        finally:
            with self._lock:
                if turn.done():
                    slot = turn.result()
                    self._free.insert(0 if slot.is_new else len(self._free), slot)
                else:  # stopped by Ctrl-C while it waited
                    self._waiting.remove(turn)
                self._hand_out()

    def _hand_out(self) -> None:
        """Give slots to those who wait, but none to start a process in while the running ones are enough."""
        while self._waiting and self._free:
            running = self._most - sum(slot.is_new for slot in self._free)
            if self._free[-1].is_new and running > 0 and self._requests <= running * FILES_A_START:
                return
            self._waiting.popleft().set_result(self._free.pop())


class _WorkerSlot:
    """A slot for one worker process, used by one thread at a time."""

    def __init__(self, module: str, most_s: float, most_memory_bytes: int) -> None:
        self._arguments = (module, repr(most_s), str(most_memory_bytes))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_new(self) -> bool:
        return self._process is None

    def ask(self, question: bytes, data: bytes, large: AbstractContextManager[object]) -> tuple[dict[str, Any], bytes]:
        """The answer as facts and bytes; raises EOFError or OSError if the process ended meanwhile."""
        process = self._connection
        process.send_bytes(question)
        process.send_bytes(data)
        answer = process.recv_bytes()
        with ExitStack() as turn:
            while answer == _LARGE:
                turn.enter_context(large)
                process.send_bytes(_LARGE)
                answer = process.recv_bytes()
        return json.loads(answer), process.recv_bytes()

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
            module, *bounds = self._arguments
            command = [sys.executable, "-m", module, str(number), *bounds]
            self._process = subprocess.Popen(
                command,
                env=needed_variables() | _VARIABLES,
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
                f"Files of others cannot be read: the process for it ended as it started (status {status}; its output "
                "is in the terminal). Close other programs if memory is short, and start again: what was read is kept."
            ) from error


def _why_it_ended(status: int, most_s: float) -> str:
    if -status == signal.SIGALRM:
        return f"takes longer than {most_s:g} s to read, or never ends"
    if -status == signal.SIGKILL:
        return "ends the process that reads it (killed, SIGKILL): it likely needs more memory than there is"
    how = signal.Signals(-status).name if -status in set(signal.Signals) else f"exit status {status}"
    return f"ends the process that reads it ({how}): it is damaged, or made to crash its reader"


# The rest of this module runs in those processes.


class _Turns:
    """Context in which a large file is read: waits for the parent's permission, with the timer stopped."""

    def __init__(self, parent: Connection, messages: "SimpleQueue[bytes]", most_s: float) -> None:
        self._parent, self._messages, self._most_s = parent, messages, most_s

    def __enter__(self) -> None:
        end_after(0)
        self._parent.send_bytes(_LARGE)
        self._messages.get()
        end_after(self._most_s)

    def __exit__(self, *_: object) -> None:
        """The turn ends with the answer."""


def end_after(seconds: float) -> None:
    """End this process by SIGALRM after some seconds, even inside a decoder; 0: never."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def allow_memory(more_bytes: int) -> None:
    """Limit this process to the memory that it has now, and `more_bytes` more."""
    with suppress(ValueError, OSError):  # macOS has no such limit
        now_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now_bytes + more_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _answer(
    work: Mapping[str, Callable[..., Answer]], question: bytes, data: bytes, most_s: float
) -> tuple[bytes, bytes]:
    what, options = json.loads(question)
    end_after(most_s)
    try:
        facts, body = work[what](data, **options)
        return json.dumps(facts).encode(), body
    except UrlVizError as error:
        reason = str(error)
    except MemoryError:
        reason = "needs more memory than there is"
    except Exception as error:  # noqa: BLE001 - a damaged or hostile file may raise anything
        reason = f"cannot be read: {str(error) or type(error).__name__}"
    finally:
        end_after(0)
    return json.dumps({"reason": reason}).encode(), b""


def serve(
    work: Mapping[str, Callable[..., Answer]], *, prepare: Callable[[AbstractContextManager[object]], object]
) -> None:
    """Do `work` by its name for the parent process, once `prepare` has imported what it needs, untimed.

    The command's first argument is the socket to the parent; the others limit seconds a file and bytes of memory.
    `prepare` is given the context in which a large file is read: one at a time in all processes.
    """
    parent, most_s, most_bytes = Connection(int(sys.argv[1])), float(sys.argv[2]), int(sys.argv[3])
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    with suppress(OSError):  # the OOM killer ends this process before others
        Path("/proc/self/oom_score_adj").write_text("1000")
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    messages: SimpleQueue[bytes] = SimpleQueue()

    def listen() -> None:
        with suppress(EOFError, OSError):
            while True:
                messages.put(parent.recv_bytes())
        os._exit(0)  # the parent has ended

    threading.Thread(target=listen, daemon=True).start()
    prepare(_Turns(parent, messages, most_s))
    with suppress(ConnectionError):  # the parent has ended
        parent.send_bytes(_READY)
        while True:
            for part in _answer(work, messages.get(), messages.get(), most_s):
                parent.send_bytes(part)
