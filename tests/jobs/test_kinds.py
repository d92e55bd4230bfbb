"""A kind of job is described once: its command line reads its configuration back, and the rest follows from it."""

import inspect
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import tyro
from tyro.conf import Positional

from tests.jobs.conftest import until
from training.command import FLAT
from training.config import FinetuneConfig, PretrainConfig
from url_viz.base.workspace import Workspace
from url_viz.capabilities import places
from url_viz.cli.doors import parse
from url_viz.cli.help import find_words
from url_viz.cli.main import app
from url_viz.jobs import JobState, log_tail
from url_viz.jobs.configs import (
    DiffConfig,
    EmbedConfig,
    ExportConfig,
    MeasureConfig,
    RefitConfig,
    WorthConfig,
)
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
ASKED: list[tuple[JobKind[Any], Any]] = [
    (EMBED, EmbedConfig(ZOO, "b0", also="b1", workspace=HOME, strict=True, within=(ZOO, HOME), limit=3, ray="auto")),
    (REFIT, RefitConfig(ZOO, workspace=HOME)),
    (EXPORT, ExportConfig("fiftyone", ZOO, Path("out"), how="copy", listed=Path("list"), within=(ZOO,))),
    (COMPARE, DiffConfig(ZOO, since="3", keep=True, model="b0", workspace=HOME)),
    (COMPARE, DiffConfig(ZOO, Path("/farm"))),
    (MEASURE, MeasureConfig(ZOO, Path("ids"), Path("out.json"), workspace=HOME)),
    (REVIEW_WORTH, WorthConfig(ZOO, seeds=5, out=Path("out.json"), workspace=HOME)),
    (ADAPT, FinetuneConfig(data="folder:/zoo", out=Path("out"), model="b0", mode="labels", limit=None)),
    (PRETRAIN, PretrainConfig(("folder:/zoo", "folder:/farm"), Path("out"), report=("folder:/sea",))),
]


@dataclass(frozen=True)
class YearConfig:
    """What `python -m calendar` takes."""

    year: Positional[int]
    months: int = 3


def title_of_year(config: YearConfig, about: About) -> str:
    return f"Print {config.year} for {about['whom']}"


YEAR: JobKind[YearConfig] = JobKind("year", ("calendar",), title=title_of_year, weight=lambda config: "free")


@pytest.mark.parametrize(("kind", "config"), ASKED, ids=lambda one: getattr(one, "command", [""])[-1])
def test_a_command_reads_back_the_configuration_of_its_job(kind: JobKind[Any], config: Any) -> None:
    _, module, *words = kind.words(config)
    if module != "url_viz":
        assert tyro.cli(type(config), args=words, config=FLAT) == config
    elif (found := find_words(words)) is not None:
        call, how = parse(places()[found].load(), words[len(found) :], prog="")
        given = {**call.given, **how, "kind": found[-1]}
        assert {one.name: getattr(config, one.name) for one in fields(config)}.items() <= given.items()
    else:
        assert tyro.cli(type(config), args=words[1:]) == config
        assert inspect.signature(app.commands[words[0]]) == inspect.signature(type(config))


def test_every_kind_is_looked_at() -> None:
    assert {id(kind) for kind, _ in ASKED} == set(map(id, KINDS))


def test_one_declaration_is_a_job(tmp_path: Path) -> None:
    job = YEAR.start(YearConfig(2026, months=4), about={"whom": "all"}, workspace=Workspace(tmp_path))
    until(lambda: not job.status().is_live)
    assert job.state is JobState.SUCCEEDED, log_tail(job)
    assert (job.kind, job.title, job.config.queue) == ("year", "Print 2026 for all", None)
    assert job.command == ("-m", "calendar", "2026", "--months", "4")
    assert "December" in log_tail(job)


def test_a_new_folder_is_taken_where_none_is_chosen(tmp_path: Path) -> None:
    home, about = Workspace(tmp_path), {"set_name": "my / zoo"}
    usual, chosen = ExportConfig("fiftyone", ZOO, NOWHERE), ExportConfig("fiftyone", ZOO, tmp_path)
    placed = [EXPORT.placed(usual, about=about, workspace=home).out for _ in range(2)]
    assert len(set(placed)) == 2
    assert {path.parent for path in placed} == {home.exports}
    assert all(path.name.startswith("my-zoo-fiftyone-") for path in placed)
    assert EXPORT.placed(chosen, about=about, workspace=home) is chosen
