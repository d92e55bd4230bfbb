"""A hostile file in the folder of checkpoints costs itself alone: the real command, and the pages, with such files."""

import json
import os
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from tests.conftest import dice_head
from tests.hostile.bad_checkpoints import ODD_NAME, mutated, parents, wide, write_all
from tests.hostile.browser.offline import SOURCE
from tests.hostile.test_permissions import go_without_the_key
from tests.processes import run_python
from tests.ui.pages import opened
from url_viz.base.errors import CheckpointError, UrlVizError
from url_viz.base.limited_processes import LimitedProcesses
from url_viz.base.records import read_plain
from url_viz.base.workspace import Workspace
from url_viz.models import checkpoint_folder
from url_viz.models.catalogue import KnownModel, known_models
from url_viz.models.checkpoint_folder import Checkpoint
from url_viz.models.checkpoints import load_weights
from url_viz.models.head import save_head
from url_viz.models.model_names import DEFAULT, WeightsFile, shipped_head

FEW, COUNT = 40, 120
"""Mutants in the run of `make test`, and in each of the many."""
MOST_S = 3
MOST_MIB = 1_500
NOT_UTF8 = os.fsdecode(b"\xff.pth")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def limited() -> Iterator[LimitedProcesses]:
    """One process that looks at files for all tests here, as importing timm takes seconds; in it are no keys."""
    with pytest.MonkeyPatch.context() as patched, closing(readers()) as one:
        patched.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
        reason(one, Path("gone.pth"))
        yield one


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: LimitedProcesses) -> Workspace:
    monkeypatch.setenv("URL_VIZ_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(checkpoint_folder, "_readers", limited)
    opened = Workspace.at()
    opened.checkpoints.mkdir()
    return opened


Put = Callable[[Path], dict[str, str]]


@pytest.fixture(scope="module")
def put_bad(tmp_path_factory: pytest.TempPathFactory) -> Put:
    """Puts every bad file into a folder, as links to files that are written once; what is said of each, by name."""
    once = tmp_path_factory.mktemp("bad")
    reasons = write_all(once)

    def put(folder: Path) -> dict[str, str]:
        for path in once.iterdir():
            os.link(path, folder / path.name, follow_symlinks=False)
        return reasons

    return put


def test_the_command_lists_every_bad_file_with_its_reason_and_asks_no_other_machine(
    tmp_path: Path, put_bad: Put
) -> None:
    """And a folder that may not be listed costs itself alone."""
    if os.geteuid() == 0 and not sys.platform.startswith("linux"):
        pytest.skip("only on Linux can root go without its key")
    home = Workspace.at(tmp_path / "home")
    (home.checkpoints / "closed").mkdir(parents=True)
    expected = put_bad(home.checkpoints)
    save_head(dice_head(), home.checkpoints / "good.safetensors")
    shutil.copy(home.checkpoints / "good.safetensors", home.checkpoints / "closed")
    (home.checkpoints / "closed").chmod(0)
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(SOURCE)
    tried = tmp_path / "tried"
    done = run_python(
        *("-m", "url_viz", "models", "list", "--json", "--workspace", home.root),
        env={**os.environ, "PYTHONPATH": str(tmp_path / "guard"), "URL_VIZ_TEST_TRIED": str(tried)},
        preexec_fn=go_without_the_key if os.geteuid() == 0 else None,
    )
    (home.checkpoints / "closed").chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["title"]: row for row in json.loads(done.stdout)}
    for name, why in expected.items():
        assert rows[name]["state"] == "cannot be read"
        assert any(part in rows[name]["why"] for part in why.split("|")), rows[name]["why"]
    assert "cannot be listed: Permission denied" in rows["closed"]["why"]
    assert rows["good"]["state"] == "ready"
    assert not tried.exists(), tried.read_text()
    assert "url_viz.models.recognise" in tried.with_name("tried.guarded").read_text(), "it was guarded too"


def test_pages_stand_and_say_what_cannot_be_used(home: Workspace, put_bad: Put, limited: LimitedProcesses) -> None:
    """And the process that looked at all of it took little memory, and got no keys."""
    expected = put_bad(home.checkpoints)
    (home.checkpoints / NOT_UTF8).write_bytes(b"no checkpoint")
    assert set(expected) <= {Path(str(model.file)).name for model in bad(home)}
    process = process_of(limited)
    assert not [name for name, value in process.environ().items() if "secret" in value]
    assert peak_mib(process) < MOST_MIB
    assert checkpoint_folder.checkpoint_names(home) == []
    for page in ("explore", "models"):
        at = opened(page=page)
        assert not at.exception
        assert not at.error
    markdown = "\n".join(text.value for text in (*at.markdown, *at.caption))
    titles = [name for name in expected if name != ODD_NAME]
    assert not [name for name in titles if name.replace("_", "\\_") not in markdown]
    assert "\\<img src=x onerror=1\\> \\[l\\](https" in markdown
    assert "rename it" in markdown.lower()
    assert "not plain numbers in memory" in markdown


def test_a_file_that_was_looked_at_is_not_looked_at_again(home: Workspace, limited: LimitedProcesses) -> None:
    (home.checkpoints / "x.pth").write_bytes(b"no checkpoint")
    [first], requests = bad(home), limited._requests
    assert bad(home) == [first]
    assert limited._requests == requests
    (home.checkpoints / "x.pth").write_bytes(b"another one that is none")
    bad(home)
    assert limited._requests == requests + 1


class TestInThisProcess:
    """What is opened by its name is read here: bombs are refused before they are unfolded."""

    def test_a_tensor_of_one_number_fills_no_memory(self, tmp_path: Path) -> None:
        torch.save({"head.weight": wide(2**22, 2**22)}, tmp_path / "x.pth")
        with pytest.raises(CheckpointError, match=r"not plain numbers in memory.*head\.weight"):
            load_weights(WeightsFile.finetuned("vit_tiny_patch16_224", tmp_path / "x.pth"))

    def test_a_network_is_made_only_for_tensors_that_fit_it(self, tmp_path: Path) -> None:
        """A classifier of 30 million classes would take 24 GB; its file has the bytes of one number each."""
        torch.save({"head.weight": torch.zeros(30_000_000, 1, dtype=torch.int8)}, tmp_path / "x.pth")
        with pytest.raises(CheckpointError, match="in another shape"):
            load_weights(WeightsFile.finetuned("vit_tiny_patch16_224", tmp_path / "x.pth"))

    def test_no_name_of_a_shipped_head_leads_elsewhere(self, tmp_path: Path) -> None:
        save_head(dice_head(), tmp_path / "x.safetensors")
        assert shipped_head(str(tmp_path / "x")) is None
        assert shipped_head(f"../heads/{DEFAULT}") is None
        assert shipped_head(DEFAULT) is not None


@pytest.mark.parametrize(
    ("first", "count"),
    [(0, FEW), *(pytest.param(COUNT * i, COUNT, marks=pytest.mark.torture) for i in range(40))],
)
def test_mutants_are_models_or_rows_with_a_reason(
    tmp_path: Path, limited: LimitedProcesses, first: int, count: int
) -> None:
    files, seconds = parents(tmp_path), []
    outcomes: Counter[bool] = Counter()
    for number in range(first, first + count):
        path = tmp_path / f"{number}{(parent := files[number % len(files)]).suffix}"
        path.write_bytes(mutated(parent.read_bytes(), np.random.default_rng(number)))
        started = time.monotonic()
        outcomes[reason(limited, path) == ""] += 1
        seconds.append(time.monotonic() - started)
        path.unlink()
    if process_of(limited).is_running():
        assert peak_mib(process_of(limited)) < MOST_MIB
    assert outcomes.total() == count
    assert min(outcomes.values()) > count // 20, "mutants that are all alike prove nothing"
    assert max(seconds) < 60, f"mutant {first + int(np.argmax(seconds))}"


def test_nothing_waits_for_what_never_ends(home: Workspace) -> None:
    """The last one here: it ends the process."""
    torch.save({"module." * 400_000: torch.zeros(1)}, home.checkpoints / "endless.pth")
    [row] = bad(home, timeout_s=0)
    assert (row.state, "still being looked at" in row.why) == ("being read", True)
    [row] = bad(home)
    assert f"takes longer than {MOST_S} s" in row.why


def reason(limited: LimitedProcesses, path: Path) -> str:
    """Why a file is no model; "" if it is one."""
    try:
        facts, _ = limited.ask("recognise", os.fsencode(path))
    except UrlVizError as error:
        return str(error)
    return read_plain(Checkpoint, facts | {"path": path}).why


def process_of(limited: LimitedProcesses) -> psutil.Process:
    [slot] = limited._free
    assert slot._process is not None
    return psutil.Process(slot._process.pid)


def peak_mib(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) >> 10


def readers() -> LimitedProcesses:
    return LimitedProcesses(
        "url_viz.models.recognise",
        most=1,
        most_s=MOST_S,
        most_memory_bytes=resource.RLIM_INFINITY,
        error=UrlVizError,
    )


def bad(home: Workspace, *, timeout_s: float | None = None) -> list[KnownModel]:
    return [model for model in known_models(home, timeout_s=timeout_s) if model.kind == "own" and not model.is_ready]
