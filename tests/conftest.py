"""What every test stands on: a home of its own, one prepared model for the whole run, and a head made of numbers."""

import gc
import hashlib
import itertools
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.imaging.pictures import write_folder
from tests.leaky import leaky_set
from tests.pipeline.reader import Reader
from tests.read_sets import Shelf, copied, undecided
from tests.wrong_labels import set_with_wrong_labels
from url_viz.base.workspace import HOME_VARIABLE, Workspace
from url_viz.image_set import ImageSet
from url_viz.models.head import Head, HeadProvenance, save_head
from url_viz.models.model import Model, ModelSource, load_model, load_source, prepared_folder, resolve, with_head
from url_viz.models.model_names import DEFAULT, SECOND_MODELS
from url_viz.models.precision import KEPT, Times, keep_times
from url_viz.models.runtime_openvino import convert
from url_viz.second_reading import VARIABLE

EMBEDDING_SIZE = 1280
SHIPPED_PX = 224
SIDE_PX = 64
"""The side of what the models see in tests: a tenth of the work of the side that they are shipped with."""
SECOND = SECOND_MODELS[0]
SECONDS = (("browser", 5.0), ("slow", 3.0), ("model", 0.5))
"""About how long a test with each mark takes."""
BF16_IS_QUICKER: Times = {"bf16": 4.0, "float32": 8.0}
FLOAT32_IS_QUICKER: Times = {"bf16": 8.0, "float32": 4.0}
ON_ONE_SERVER = {
    **dict.fromkeys(("components", "gallery", "grid", "map_styles", "tabs"), "components in the browser"),
    **dict.fromkeys(("menu", "model_page", "objects", "review", "search_upload"), "app in the browser"),
}
"""Files of tests/browser whose tests share a server and, with it, what its browser has compiled."""

LONGEST = (
    "tests/browser/test_story.py",
    "tests/cluster/test_on_ray.py",
    "app in the browser",
    "components in the browser",
    "tests/hostile/browser/test_visitors.py",
    "tests/ui/test_explore_page.py",
    "tests/test_package.py",
)
"""What takes longest, and is begun first."""

FOLDERS = itertools.count()
AT_ROOT = pytest.StashKey[set[str]]()
ROOT = Path(__file__).parents[1]
PREPARED = ROOT / ".pytest_cache" / "prepared"
MODELS_CODE = ROOT / "url_viz" / "models"
WORKSPACE_CODE = ROOT / "url_viz" / "base" / "workspace.py"

pytest_plugins = ["tests.browser.fixtures"]  # one browser for the whole run, also for the hostile tests


def pytest_configure(config: pytest.Config) -> None:
    """Let properties take their time, with few examples; `make torture` tries many."""
    settings.register_profile("few", deadline=None, max_examples=30)  # no deadline: the machine may be busy
    settings.register_profile("thorough", deadline=None, max_examples=500)
    settings.load_profile(config.getoption("--hypothesis-profile") or "few")
    gc.disable()  # nothing that importing the tests makes is given up
    os.environ["URL_VIZ_TOKEN"] = "off"  # whoever has accounts on the machine that tests
    os.environ[VARIABLE] = "off"  # readings of most tests are about one model; those about a second switch it on


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Let Ctrl-C raise KeyboardInterrupt, also in the children of a test.

    A run in the background of a shell begins with SIGINT ignored, and so would each process that a test starts.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Spare every collection of cycles a look at what the imports of all tests made: a third of a second for each."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 50)  # after what is frozen little is old, and Python would look at all of it often
    gc.enable()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Note what lies at the root of the checkout."""
    session.config.stash[AT_ROOT] = _plain_names()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that has left something at the root: a folder is named by what was no path."""
    left = _plain_names() - session.config.stash[AT_ROOT] - {"build", "__pycache__"}
    if left and not hasattr(session.config, "workerinput"):
        print(f"\nThese were made at the root of the checkout by a test: {sorted(left)}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _plain_names() -> set[str]:
    return {name for name in os.listdir(ROOT) if not name.startswith(".")}


def pytest_unconfigure() -> None:
    """Look once at what is left, where pytest and Python would six times more."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the real backbone, whose preparation takes seconds; put the files that take long first.

    Processes take files in this order: they would wait for a long one that came last.
    """
    for item in items:
        if {"prepared", "prepared_as_shipped"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.model)
    seconds: Counter[str] = Counter()
    for item in items:
        seconds[in_one_process(item.nodeid)] += next(
            (cost for mark, cost in SECONDS if item.get_closest_marker(mark)), 0.02
        )
    first = dict(zip(LONGEST, range(-len(LONGEST), 0), strict=True))
    items.sort(key=lambda item: (first.get(place := in_one_process(item.nodeid), 0), -seconds[place]))


def in_one_process(nodeid: str) -> str:
    """The name of what one process runs: a file, or the files of browser tests on one server."""
    file = nodeid.split("::", 1)[0]
    return ON_ONE_SERVER.get(file.removeprefix("tests/browser/test_").removesuffix(".py"), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """With `--dist loadfile`, files on one server go to one process, so that it is started once."""
    return ByServer(config, log) if config.getoption("dist") == "loadfile" else None


class ByServer(LoadFileScheduling):
    """Gives a process a file at a time, or the files of browser tests on one server."""

    def _split_scope(self, nodeid: str) -> str:
        return in_one_process(nodeid)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder for a test alone, numbered by us: pytest would look through those of thousands of earlier tests."""
    return _new_folder(tmp_path_factory, re.sub(r"\W", "_", request.node.name)[:30])


def _new_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder as `mktemp` makes it, which would follow every link on the way to it each time."""
    folder = tmp_path_factory.getbasetemp() / f"{next(FOLDERS)}-{name}"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(autouse=True)
def _no_real_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """No test reads or writes the home folder of the person who runs it (a browser looks there for its files).

    The app may read the tests' own folders, wherever each made its pictures and heads.
    """
    home = _new_folder(tmp_path_factory, "home")
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setenv(HOME_VARIABLE, str(home / "url_viz"))
    if "browser" not in request.path.parts:
        monkeypatch.setenv("HOME", str(home))


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace in which the default model is converted: once for the whole run, and a copy for each process.

    It looks at pictures of SIDE_PX; `prepared_as_shipped` is for what hangs on the size it is shipped with.
    """
    workspace = tmp_path_factory.mktemp("prepared") / "workspace"
    shutil.copytree(_prepared_for_all(DEFAULT, tmp_path_factory, size_px=SIDE_PX), workspace)
    with _held(workspace):
        yield workspace


@pytest.fixture(scope="session")
def prepared_as_shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace in which the default model is converted at the size that it was trained with."""
    workspace = _prepared_for_all(DEFAULT, tmp_path_factory, size_px=SHIPPED_PX)
    with _held(workspace):
        yield workspace


@contextmanager
def _held(workspace: Path) -> Iterator[None]:
    """Hold the default model of a workspace, so that what opens it meanwhile need not compile it."""
    model = load_model(DEFAULT, device="cpu", workspace=workspace)
    yield
    del model


def _prepared_for_all(name: str, tmp_path_factory: pytest.TempPathFactory, *, size_px: int) -> Path:
    """A workspace in which a model is converted for pictures of one size, by the first process that asks for it."""
    of_all = tmp_path_factory.getbasetemp()
    of_all = of_all.parent if "PYTEST_XDIST_WORKER" in os.environ else of_all
    first, done = of_all / f"{name} at {size_px}", of_all / f"{name} at {size_px}.done"
    with FileLock(of_all / f"{name} at {size_px}.lock"):
        if not done.exists():
            shutil.copytree(_kept(name, size_px), first)
            done.touch()
    return first


def _kept(name: str, size_px: int) -> Path:
    """Such a workspace, kept from run to run until what converts models changes: each takes seconds."""
    code = b"".join(path.read_bytes() for path in (*sorted(MODELS_CODE.rglob("*.py")), WORKSPACE_CODE))
    versions = " ".join(map(version, ("openvino", "timm", "torch")))
    PREPARED.mkdir(parents=True, exist_ok=True)
    kept = PREPARED / f"{name} at {size_px}, {hashlib.sha256(code + versions.encode()).hexdigest()[:16]}"
    with FileLock(PREPARED / f"{name} at {size_px}.lock"):
        if not kept.exists():
            for older in PREPARED.glob(f"{name} at {size_px}, *"):
                shutil.rmtree(older)
            _convert(name, size_px, kept.with_suffix(".new"))
            kept.with_suffix(".new").rename(kept)
    return kept


def _convert(name: str, size_px: int, workspace: Path) -> None:
    source = resolve(name)
    shipped = load_source(source)
    sized = replace(shipped, preprocessing=replace(shipped.preprocessing, size_px=size_px))
    convert(sized, prepared_folder(source, Workspace.at(workspace)))
    loaded = load_model(name, device="cpu", workspace=workspace)
    assert "OpenVINO" in loaded.runtime.device
    assert loaded.space.preprocessing == sized.preprocessing


@pytest.fixture(scope="session")
def head_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head for the default backbone, by dice: it knows nothing, and gives every picture its own uncertainty."""
    path = tmp_path_factory.mktemp("heads") / "dice.safetensors"
    save_head(dice_head(), path)
    return path


def held(model: Model) -> Callable[[], AbstractContextManager[Model]]:
    """A model for whoever scores files: nobody else waits for it."""
    return lambda: nullcontext(model)


def dice_head(seed: int = 0, *, size: int = EMBEDDING_SIZE, backbone: str = DEFAULT) -> Head:
    """A head with random weights, wide enough that uncertainties differ."""
    rng = np.random.default_rng(seed)
    weights = (rng.normal(0, size**-0.5, (16, size)), rng.normal(0, 1, (1, 16)))
    return Head(
        weights=tuple(w.astype(np.float32) for w in weights),
        biases=(np.zeros(16, np.float32), np.ones(1, np.float32)),
        provenance=HeadProvenance(backbone),
    )


@pytest.fixture(scope="session")
def model(prepared: Path, head_file: Path) -> Model:
    """The default backbone under the dice head, on the CPU."""
    return load_model(head_file, device="cpu", workspace=prepared)


@pytest.fixture(scope="session")
def second_model(prepared: Path, model: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A second backbone, on the CPU, in the precision of the first one; prepared where that is."""
    second = _prepared_for_all(SECOND, tmp_path_factory, size_px=SIDE_PX)
    shutil.copytree(second / "models", prepared / "models", dirs_exist_ok=True)
    return load_model(SECOND, device="cpu", precision=model.space.precision, workspace=prepared)


@pytest.fixture(scope="session")
def bare_model(model: Model) -> Model:
    """The same running backbone without a head, whether or not one is shipped for it."""
    return with_head(model, ModelSource(DEFAULT, DEFAULT, None))


@pytest.fixture
def workspace(tmp_path: Path, prepared: Path) -> Path:
    """A new workspace that has the prepared model already."""
    return _workspace(tmp_path, prepared)


@pytest.fixture
def prepared_home(_no_real_home: None, prepared: Path) -> None:
    """The default workspace has the prepared model already, for commands that take no other."""
    home = Path(os.environ[HOME_VARIABLE])
    home.mkdir(parents=True)
    (home / "models").symlink_to(prepared / "models")


@pytest.fixture(scope="module")
def module_workspace(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Path:
    """The same for all tests of a module, for a set that they read once."""
    return _workspace(tmp_path_factory.mktemp("module"), prepared)


def _workspace(parent: Path, prepared: Path) -> Path:
    root = parent / "workspace"
    root.mkdir()
    (root / "models").symlink_to(prepared / "models")
    return root


def set_times(workspace: Path, times: Times | None, *, name: str = DEFAULT) -> None:
    """Let `times` be what a model was measured to take on this processor, or let it not be measured yet.

    The workspace gets prepared models of its own: those of the fixtures are shared.
    """
    models = workspace / "models"
    if models.is_symlink():
        shared = models.resolve()
        models.unlink()
        shutil.copytree(shared, models)
    [folder] = models.glob(f"{name}-*")
    (folder / KEPT).unlink(missing_ok=True)
    if times is not None:
        keep_times(folder, times)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Gives a copy of an image set, which each process makes once, for a module or a test to decide on."""

    @cache
    def made(make: Callable[[Path], ImageSet]) -> ImageSet:
        return make(tmp_path_factory.mktemp(make.__name__))

    def take(make: Callable[[Path], ImageSet]) -> ImageSet:
        base, once = tmp_path_factory.mktemp("taken"), made(make)
        return copied(once, base / once.root.name, home=base / "home")

    return take


@pytest.fixture(scope="module")
def mislabelled_once(shelf: Shelf) -> ImageSet:
    """A set with two wrong labels, for the tests of a module."""
    return shelf(set_with_wrong_labels)


@pytest.fixture
def mislabelled(mislabelled_once: ImageSet) -> ImageSet:
    """The same with nothing decided, no review begun."""
    return undecided(mislabelled_once)


@pytest.fixture(scope="module")
def leaky_once(shelf: Shelf) -> ImageSet:
    """A set with one of everything that is to be found first, for the tests of a module."""
    return shelf(leaky_set)


@pytest.fixture
def leaky(leaky_once: ImageSet) -> ImageSet:
    """The same with nothing decided, no review begun."""
    return undecided(leaky_once)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six small pictures in two class folders."""
    return write_folder(tmp_path / "pictures", 6, classes=("cat", "dog"))


@pytest.fixture
def read(tmp_path: Path, workspace: Path, model: Model) -> Reader:
    """Reads a folder of pictures, again and again."""
    (tmp_path / "pictures").mkdir()
    return Reader(tmp_path / "pictures", workspace, model)
