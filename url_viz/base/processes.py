"""Our own processes and threads: environment of children, cores, reading ahead, garbage collection, the server."""

import atexit
import gc
import json
import os
import site
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Generic, NoReturn, TypeVar

from url_viz.base.workspace import is_in_bucket

Item = TypeVar("Item")
Result = TypeVar("Result")

WITHIN_VARIABLE = "URL_VIZ_WITHIN"
_NEEDED = (
    *("HOME", "LANG", "LANGUAGE", "PATH", "TMPDIR", "TZ", "URL_VIZ_PATIENTS"),
    *("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH"),
)
_NEEDED_BEGIN = ("LC_", "PYTHON", "OMP_", "MKL_")


def child_variables() -> dict[str, str]:
    """Variables to add to the environment of a process that runs `python -m` with one of our modules.

    `$PYTHONSAFEPATH` keeps a `training.py` or `numpy.py` of the current folder, which is the user's, from being taken
    for ours. `$PYTHONPATH` leads to a checkout. An installed package needs none, and with one its site-packages would
    come before the standard library.
    """
    package_at = Path(__file__).resolve().parents[2]
    variables = {"PYTHONSAFEPATH": "1"}
    if package_at in {Path(path).resolve() for path in (*site.getsitepackages(), site.getusersitepackages())}:
        return variables
    others = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(package_at))]
    return {**variables, "PYTHONPATH": os.pathsep.join([str(package_at), *others])}


def needed_variables() -> dict[str, str]:
    """The whole environment of a process that reads files of others: what Python and its libraries start with.

    No keys of object storage and no tokens are in it: a reader that is taken over finds none.
    """
    needed = {name: os.environ[name] for name in os.environ if name in _NEEDED or name.startswith(_NEEDED_BEGIN)}
    return needed | child_variables()


def within_variable(within: Sequence[Path] | None) -> dict[str, str]:
    """The variable by which a command of training reads no picture outside these folders; none without such a bound."""
    if within is None:
        return {}
    return {WITHIN_VARIABLE: json.dumps([str(folder) for folder in within if not is_in_bucket(folder)])}


def within_from_environment() -> tuple[Path, ...] | None:
    """The folders that `within_variable` named for this process; None for no bound."""
    named = os.environ.get(WITHIN_VARIABLE)
    return None if named is None else tuple(map(Path, json.loads(named)))


def usable_cores() -> int:
    """Cores that this process may run on, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS binds no process to cores


def read_ahead(
    batches: Iterable[Iterable[Item]],
    read: Callable[[Item], Result],
    *,
    ahead: int = 1,
    at_a_time: int | None = None,
) -> Generator[list[Result], None, None]:
    """The results of each batch, in order; while one is being processed, the next `ahead` are read.

    `at_a_time` items are read at once, by default one per core. Closed early, as after Ctrl-C, it waits only for what
    is being read, not for what was queued.
    """
    pool = ThreadPoolExecutor(at_a_time or usable_cores(), thread_name_prefix="read")
    waiting: deque[list[Future[Result]]] = deque()
    try:
        for batch in batches:
            waiting.append([pool.submit(read, item) for item in batch])
            if len(waiting) > ahead:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)


def read_each(items: Iterable[Item], read: Callable[[Item], Result]) -> list[Result]:
    """The results of all items, in their order."""
    return next(read_ahead([items], read))


def awaited(begun: Iterable[Callable[[], Result]], *, ahead: int) -> Iterator[Result]:
    """The results of what was begun, in order; waits for the first only when `ahead` others are under way."""
    under_way: deque[Callable[[], Result]] = deque()
    for wait in begun:
        under_way.append(wait)
        if len(under_way) > ahead:
            yield under_way.popleft()()
    while under_way:
        yield under_way.popleft()()


class MemoryBudget:
    """Bytes that threads may reserve together; a single larger reservation waits for all others to end."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._reserved = 0
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size_bytes: int) -> Iterator[None]:
        """Reserve `size_bytes` for the block; waits until there is room."""
        with self._changed:
            self._changed.wait_for(lambda: not self._reserved or self._reserved + size_bytes <= self._most)
            self._reserved += size_bytes
        try:
            yield
        finally:
            with self._changed:
                self._reserved -= size_bytes
                self._changed.notify_all()


class Latest(Generic[Result]):
    """Holds one result. Threads may share it: two may make the result at once, and either holds."""

    _latest: tuple[object, Result] | None = None

    def get(self, cause: object, make: Callable[[], Result]) -> Result:
        """The result of `make` for the object `cause`, made now only if the latest was made for another one."""
        latest = self._latest  # one reading: another thread may put a newer one there
        if latest is None or latest[0] is not cause:
            latest = self._latest = cause, make()
        return latest[1]


EVERY = 10_000
"""New objects after which the young ones are searched, in place of the 700 that Python has by itself."""
WAIT_S = 10.0
"""After a page, memory held in cycles, such as tables of a closed set, is freed within this many seconds."""
_wished = threading.Lock()


def search_rarely() -> None:
    """Have this process search for reference cycles more rarely than Python would, and not once more as it ends."""
    gc.set_threshold(EVERY)
    atexit.register(gc.freeze)  # what is frozen is left out of the last search


def collect_soon() -> None:
    """Wish for a search of every object some seconds later, once for any number of wishes until then.

    It takes .1 s once pandas and Plotly are there, and lets nobody else run. `runner.postScriptGC` in
    `.streamlit/config.toml` keeps Streamlit from one after each page.
    """

    def collect() -> None:
        _wished.release()  # what is dropped from now on may be missed, and asks for another
        gc.collect()

    if _wished.acquire(blocking=False):
        timer = threading.Timer(WAIT_S, collect)
        timer.daemon = True
        timer.start()


# Before numba is imported: else `.numba_config.yaml` of the working folder, which may be a stranger's, says where
# compiled code lies, and numba unpickles what it finds there. An empty variable wins, and means the usual places.
for _variable in ("NUMBA_CACHE_DIR", "NUMBA_CACHE_LOCATOR_CLASSES"):
    os.environ.setdefault(_variable, "")


def keep_compiled(*modules: ModuleType) -> None:
    """Let numba keep the machine code of each module's functions, as it does where a library asks for it.

    umap-learn asks for it in few of its functions, so each process compiled the rest for seconds, at any size of map.
    numba puts the code next to the module, else into the user's cache folder (or `NUMBA_CACHE_DIR`), and makes it again
    for another processor, another numba or another version of the module.
    """
    from numba.core.dispatcher import Dispatcher

    for module in modules:
        for function in list(vars(module).values()):  # another thread may be importing into it
            if isinstance(function, Dispatcher):
                with suppress(RuntimeError):  # without a folder that numba may write into each process compiles anew
                    function.enable_caching()


ROOTS_VARIABLE = "URL_VIZ_ROOTS"
"""The folders and addresses that the app may read, separated as in $PATH."""
GIVEN_VARIABLE = "URL_VIZ_GIVEN"
"""More folders, files or addresses that a command was given, as a JSON list: a path may hold any character."""
OPENED_VARIABLE, BROWSER_VARIABLE = "URL_VIZ_OPENED", "URL_VIZ_BROWSER"
"""The query of the app's address at which it begins; and, if set, that it is opened in the browser."""


def become_app(options: Sequence[str], variables: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by the app's server, with options of Streamlit and more variables in its environment."""
    package = Path(__file__).resolve().parents[1]
    scripts = (package / "_app" / "app.py", package.parent / "app.py")  # in the wheel, in a checkout
    script = next(path for path in scripts if path.exists())
    sys.stdout.flush()
    # -P: Python modules in the current folder are the user's, not what Streamlit imports.
    words = [sys.executable, "-P", "-m", "url_viz.ui.server", str(script), *options]
    os.execve(sys.executable, words, {**os.environ, **child_variables(), **(variables or {})})
