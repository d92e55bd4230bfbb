"""The gate as a process: its exit status, what it writes and where not, and the files that pipelines take it from."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from PIL import Image

from tests.imaging.pictures import SHAPES, drawing
from tests.processes import run_python
from url_viz.cli.main import main
from url_viz.export.gate_files import read_baseline

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
GATE = ROOT / "examples" / "gate"
POLICY = "leaks = 0\nunreadable = 0\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three shapes in train/ and test/, and a policy beside them."""
    for number in sorted({*range(31)} - {26}):  # which is near-empty
        place = tmp_path / "photos" / ("test" if number >= 24 else "train") / SHAPES[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        drawing(SHAPES[number % 3], number).save(place / f"{number}.png")
    (tmp_path / "policy.toml").write_text(POLICY)
    return tmp_path / "photos"


def spoil(photos: Path) -> None:
    shutil.copy(photos / "train" / SHAPES[0] / "0.png", photos / "test" / SHAPES[0] / "copy.png")


def words_of(photos: Path, workspace: Path, *words: object) -> list[str]:
    options = ["--policy", photos.parent / "policy.toml", "--workspace", workspace, "--device", "cpu"]
    return ["check", *map(str, (photos, *options, *words))]


def check(photos: Path, workspace: Path, *words: object, status: int) -> str:
    """The command on the folder, in a process of its own, ends with this status; what it printed."""
    done = run_python("-m", "url_viz", *words_of(photos, workspace, *words))
    assert done.returncode == status, done.stderr
    return done.stderr if status == 2 else done.stdout


def test_statuses(photos: Path, workspace: Path, tmp_path: Path) -> None:
    before = sorted(photos.rglob("*"))
    files = [tmp_path / name for name in ("a.json", "a.xml", "a.md")]
    outs = [word for pair in zip(("--json", "--junit", "--markdown"), files, strict=True) for word in pair]
    assert "The policy holds: 30 pictures in photos." in check(photos, workspace, *outs, status=0)
    assert sorted(photos.rglob("*")) == before
    assert ElementTree.parse(files[1]).getroot().attrib == {"tests": "2", "failures": "0", "errors": "0"}
    assert files[2].read_text().startswith("### ✅ photos: 30 pictures, passed")
    result = read_baseline(files[0])
    assert result is not None
    assert (result.state, result.pictures) == ("passed", 30)

    spoil(photos)
    shown = check(photos, workspace, status=1)
    assert "BROKEN     leaks: 1 of 31, at most 0" in shown
    assert "    test/ellipse/copy.png: in test, with its twin train/ellipse/0.png in train" in shown
    check(photos, workspace, "--baseline", files[0], "--json", files[0], status=1)
    assert "1 known" in check(photos, workspace, "--baseline", files[0], status=0)


def test_what_cannot_be_checked_is_neither_passed_nor_broken(
    photos: Path, workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: object) -> str:
        assert main(words_of(photos, workspace, *words)) == 2
        return capsys.readouterr().err

    def under(policy: str) -> str:
        (photos.parent / "policy.toml").write_text(policy)
        return refused()

    (tmp_path / "other.json").write_text("{}")
    for baseline in (tmp_path, tmp_path / "other.json"):
        assert re.search("no --json of an earlier check, and .* was not read yet", refused("--baseline", baseline))
    assert "lies in" in refused("--json", photos / "a.json")
    assert "There is no folder" in refused("--json", tmp_path / "no" / "a.json")
    assert "no-such-model" in refused("--model", "no-such-model")
    with pytest.raises(SystemExit, match="2"):
        refused("--no-such-option")
    capsys.readouterr()
    assert under("leaks = -1") == (
        'error: policy.toml: leaks is -1. Give a whole number from 0 on, or a share from "0%" to "100%".\n'
    )
    under("tiny = 0")  # of pictures
    (photos.parent / "policy.toml").write_text(POLICY)
    (tmp_path / "a.json").mkdir()
    assert "Cannot write" in refused("--json", tmp_path / "a.json")
    shutil.rmtree(photos)
    assert "error: " in check(photos, workspace, status=2)
    photos.mkdir()
    (photos / "a.jpg").write_bytes(b"no picture")
    assert "can be read as a picture" in refused()


@pytest.fixture
def environment(tmp_path: Path, workspace: Path) -> dict[str, str]:
    """What a pipeline's shell has: url-viz on the path, and where a summary of the job goes."""
    command = tmp_path / "bin" / "url-viz"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m url_viz "$@"\n')
    command.chmod(0o755)
    paths = {"PATH": f"{command.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return {**os.environ, **paths, "URL_VIZ_HOME": str(workspace), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def test_the_workflow_and_the_hook_run_as_they_stand(photos: Path, environment: dict[str, str]) -> None:
    (job,) = yaml.safe_load((GATE / "workflow.yml").read_text("utf-8"))["jobs"].values()
    lines = [step["run"] for step in job["steps"] if "run" in step]
    assert lines[0].startswith("pip install ")
    (hook,) = yaml.safe_load((GATE / "pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    assert (hook["language"], hook["pass_filenames"]) == ("system", False)
    folder = photos.parent
    shutil.copy(GATE / "policy.toml", folder)
    for status in (0, 1):
        for line in (*lines[1:], hook["entry"]):
            done = subprocess.run(["/bin/sh", "-ec", line], cwd=folder, env=environment, check=False, timeout=280)
            assert done.returncode == status, line
        assert {"check.xml", "check.json", "summary.md"} <= {path.name for path in folder.iterdir()}
        spoil(photos)
        Image.new("RGB", (96, 96)).save(photos / "train" / SHAPES[0] / "black.png")
