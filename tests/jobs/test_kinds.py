"""A kind of job is described once: it reads its call or configuration back, and the rest follows from that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tyro

from tests.jobs.conftest import until
from training.command import FLAT
from training.config import FinetuneConfig, PretrainConfig
from url_viz.base.command_line import CALL
from url_viz.base.errors import JobError
from url_viz.base.workspace import Workspace
from url_viz.export.selection import Selection
from url_viz.jobs import JobState, log_tail
from url_viz.jobs.calls import Call, call, read_call
from url_viz.jobs.kinds import (
    ADAPT,
    COMPARE,
    EMBED,
    EXPORT,
    KINDS,
    MEASURE,
    NOWHERE,
    PRETRAIN,
    REFIT,
    REVIEW_WORTH,
    About,
    JobKind,
)

ZOO, HOME = Path("/zoo"), Path("/home")
SELECTION = Selection(listed=Path("list"), above=2.5)
OPENING: dict[str, Any] = {"folder": ZOO, "model": "b0", "workspace": HOME}
ASKED: list[tuple[JobKind[Any], Any]] = [
    (EMBED, call("embed", also="b1", strict=True, within=(ZOO, HOME), limit=3, ray="auto", **OPENING)),
    (REFIT, call("sets refit", **OPENING)),
    (EXPORT, call("export fiftyone", out=Path("out"), how="copy", selection=SELECTION, **OPENING)),
    (COMPARE, call("versions diff", since="3", keep=True, **OPENING)),
    (COMPARE, call("versions diff", other=Path("/farm"), **OPENING)),
    (MEASURE, call("subsets worth", ids=Path("ids"), result=Path("out.json"), **OPENING)),
    (REVIEW_WORTH, call("labels worth", seeds=5, result=Path("out.json"), **OPENING)),
    (ADAPT, FinetuneConfig(data="folder:/zoo", out=Path("out"), model="b0", mode="labels", limit=None)),
    (PRETRAIN, PretrainConfig(("folder:/zoo", "folder:/farm"), Path("out"), report=("folder:/sea",))),
]


@dataclass(frozen=True)
class TimeitConfig:
    """What `python -m timeit` takes."""

    number: int
    repeat: int = 5


def title_of_timing(config: TimeitConfig, about: About) -> str:
    return f"Time {config.number} loops for {about['whom']}"


TIMEIT: JobKind[TimeitConfig] = JobKind("timeit", title_of_timing, "timeit", weight=lambda config: "free")


@pytest.mark.parametrize(("kind", "config"), ASKED, ids=lambda one: getattr(one, "name", ""))
def test_a_command_reads_back_what_its_job_says(kind: JobKind[Any], config: Any) -> None:
    _, module, *words = kind.words(config)
    if isinstance(config, Call):
        assert (module, words[0]) == ("url_viz", CALL)
        assert read_call(words[1]) == config
    else:
        assert tyro.cli(type(config), args=words, config=FLAT) == config


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", '{":do": "fly"}', '{":do": "labels worth", "seeds": "many"}', "[1]"),
        *('{":do": "rank"}', '{":do": "export table", "folder": "photos"}', "[" * 100_000),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(JobError, match="no call of a capability"):
        read_call(text)


def test_every_kind_is_looked_at() -> None:
    assert {id(kind) for kind, _ in ASKED} == set(map(id, KINDS))


def test_one_declaration_is_a_job(tmp_path: Path) -> None:
    job = TIMEIT.start(TimeitConfig(3, repeat=2), about={"whom": "all"}, workspace=Workspace(tmp_path))
    until(lambda: not job.status().is_live)
    assert job.state is JobState.SUCCEEDED, log_tail(job)
    assert (job.kind, job.title, job.config.queue) == ("timeit", "Time 3 loops for all", None)
    assert job.command == ("-m", "timeit", "--number", "3", "--repeat", "2")
    assert "3 loops, best of 2" in log_tail(job)


def test_a_new_folder_is_taken_where_none_is_chosen(tmp_path: Path) -> None:
    home, about = Workspace(tmp_path), {"set_name": "my / zoo"}
    usual, chosen = (call("export fiftyone", out=out, **OPENING) for out in (NOWHERE, tmp_path))
    placed = [EXPORT.placed(usual, about=about, workspace=home).given["out"] for _ in range(2)]
    assert len(set(placed)) == 2
    assert {path.parent for path in placed} == {home.exports}
    assert all(path.name.startswith("my-zoo-fiftyone-") for path in placed)
    assert EXPORT.placed(chosen, about=about, workspace=home) is chosen
