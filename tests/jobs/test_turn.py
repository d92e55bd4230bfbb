"""Whose turn it is: heavy jobs alone, two light ones side by side where memory lasts; what a waiting one is told."""

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from tests.jobs.conftest import LONG, ended, running, start
from url_viz.base.workspace import Workspace
from url_viz.jobs import Job, cancel_job, list_jobs, live_jobs, waiting_for
from url_viz.jobs import runner as memory_of
from url_viz.jobs.runner import LIGHT_NEEDS_MB, Turn, available_mb, can_run_alongside

GIB = 2**30


def light(workspace: Workspace, set_id: str = "", command: list[str] = LONG) -> Job:
    return start(command, workspace=workspace, is_light=True, about={"set_id": set_id} if set_id else {})


@pytest.mark.slow
class TestRealJobs:
    pytestmark = pytest.mark.skipif(available_mb() < LIGHT_NEEDS_MB, reason="too little memory for two jobs at once")

    def test_two_light_jobs_run_side_by_side_and_a_third_waits(self, workspace: Workspace) -> None:
        first, second = running(light(workspace, "a")), running(light(workspace, "b"))
        third = light(workspace, "c")
        assert third.state == "queued"
        waiting = waiting_for(third)
        assert waiting is not None
        assert waiting.jobs == (first, second)
        assert 0 <= waiting.seconds < 60
        assert live_jobs(workspace) == [third, second, first]
        cancel_job(first)
        assert running(third).state == "running"
        assert second.state == "running"
        assert waiting_for(third) is None
        assert live_jobs(workspace) == [third, second]
        assert list_jobs(workspace) == [third, second, first]

    def test_a_heavy_job_runs_alone_and_is_not_overtaken(self, workspace: Workspace) -> None:
        first = running(light(workspace, "a"))
        heavy = start(LONG, workspace=workspace)
        late = light(workspace, "b")
        assert [heavy.state, late.state] == ["queued", "queued"]
        cancel_job(first)
        assert running(heavy).state == "running"
        assert late.state == "queued"
        cancel_job(heavy)
        assert running(late).state == "running"

    def test_without_memory_a_light_job_waits_for_it(
        self, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        first = running(light(workspace, "a"))
        second = ended(light(workspace, "b", ["-c", "pass"]))  # so that its own runner has left its place
        assert can_run_alongside(second, [first])
        assert not can_run_alongside(replace(second, config=first.config), [first]), "of one image set"
        turn = Turn(second)
        monkeypatch.setattr(memory_of, "CGROUP", container(tmp_path, "4000000000000", used="3999999999999"))
        assert not turn.take([first])
        monkeypatch.setattr(memory_of, "CGROUP", container(tmp_path, "max"))
        assert turn.take([first])
        turn.leave()


def container(folder: Path, limit: str, *, used: str = "0") -> Path:
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    return folder


def test_the_least_of_machine_and_container_is_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_of, "CGROUP", tmp_path / "none")
    of_machine = available_mb()
    assert 0 < of_machine <= psutil.virtual_memory().total // 2**20
    for limit, used, mb in [(str(GIB), str(GIB - 2**26), 64), (str(GIB), str(2 * GIB), 0)]:
        monkeypatch.setattr(memory_of, "CGROUP", container(tmp_path, limit, used=used))
        assert available_mb() == mb
    for limit in ("max", str(2**60)):
        monkeypatch.setattr(memory_of, "CGROUP", container(tmp_path, limit))
        assert available_mb() == pytest.approx(of_machine, rel=0.5)
