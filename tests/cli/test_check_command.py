"""The gate: its exit status, what it writes and where not, and the files that pipelines take it from."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from tests.imaging.pictures import SHAPES, drawing
from url_viz.cli.main import main
from url_viz.export.result_files import read_baseline

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


Check = Callable[..., str]


@pytest.fixture
def check(photos: Path, workspace: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """The command on the folder ends with a `status`; what it printed, of 2 on stderr."""

    def ran(*words: object, status: int) -> str:
        capsys.readouterr()
        options = ["--policy", photos.parent / "policy.toml", "--workspace", workspace, "--device", "cpu"]
        assert main(["check", *map(str, (photos, *options, *words))]) == status
        told = capsys.readouterr()
        return told.err if status == 2 else told.out

    return ran


def test_statuses(photos: Path, check: Check, tmp_path: Path) -> None:
    before = sorted(photos.rglob("*"))
    files = [tmp_path / name for name in ("a.json", "a.xml", "a.md")]
    outs = [word for pair in zip(("--json", "--junit", "--markdown"), files, strict=True) for word in pair]
    assert "The policy holds: 30 pictures in photos." in check(*outs, status=0)
    assert sorted(photos.rglob("*")) == before
    assert ElementTree.parse(files[1]).getroot().attrib == {"tests": "2", "failures": "0", "errors": "0"}
    assert files[2].read_text().startswith("### ✅ photos: 30 pictures, passed")
    result = read_baseline(files[0])
    assert result is not None
    assert (result.state, result.pictures) == ("passed", 30)

    spoil(photos)
    shown = check(status=1)
    assert "BROKEN     leaks: 1 of 31, at most 0" in shown
    assert "    test/ellipse/copy.png: in test, with a copy train/ellipse/0.png in train" in shown
    check("--baseline", files[0], "--json", files[0], status=1)
    assert "1 known" in check("--baseline", files[0], status=0)


def test_a_list_that_names_pictures_in_two_splits_breaks_the_policy(
    photos: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [path.relative_to(photos).as_posix() for path in sorted(photos.rglob("train/*/*.png"))][:12]
    lines = [f"{path},train" for path in paths] + [f"{path},val" for path in paths[:6]]
    (photos / "list.csv").write_text("\n".join(["path,split", *lines]))
    options = ["--workspace", str(workspace), "--device", "cpu"]
    assert main(["check", str(photos / "list.csv"), "--policy", str(photos.parent / "policy.toml"), *options]) == 1
    shown = capsys.readouterr().out
    assert "leaks: 6 of 12, at most 0" in shown
    assert f"{paths[0]}: in val and in train" in shown
    assert main(["findings", str(photos / "list.csv"), *options[:2]]) == 0
    assert "6 pictures are in two splits at once, of train and val" in capsys.readouterr().out
    assert main(["splits", "leaks", str(photos / "list.csv"), *options[:2]]) == 0
    assert "same file" in capsys.readouterr().out


def test_what_is_printed_is_no_command_of_the_runner(photos: Path, check: Check) -> None:
    """Names of files and folders stand at the start of lines; tests/hostile/test_gate_words.py has any text."""
    for place in ("::error file=a.py,line=1::no.png", "train/##vso[task.complete result=Failed]/b.png"):
        (photos / place).parent.mkdir(exist_ok=True)
        shutil.copy(photos / "train" / SHAPES[0] / "0.png", photos / place)
    (photos.parent / "policy.toml").write_text('copies = 0\n[ambiguous]\n"##[group]" = 0\n')
    shown = check(status=1)
    assert not [line for line in shown.splitlines() if line.strip().startswith("::")]
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert "error file=a.py" in shown, "it is printed"


def test_what_cannot_be_checked_is_neither_passed_nor_broken(photos: Path, check: Check, tmp_path: Path) -> None:
    refused = partial(check, status=2)
    (tmp_path / "other.json").write_text("{}")
    for baseline in (tmp_path, tmp_path / "other.json"):
        assert re.search("no --json of an earlier check, and .* was not read yet", refused("--baseline", baseline))
    assert "lies in" in refused("--json", photos / "a.json")
    assert "There is no folder" in refused("--json", tmp_path / "no" / "a.json")
    assert "no-such-model" in refused("--model", "no-such-model")
    with pytest.raises(SystemExit, match="2"):
        refused("--no-such-option")
    (photos.parent / "policy.toml").write_text("leaks = -1")
    assert refused() == (
        'error: policy.toml: leaks is -1. Give a whole number from 0 on, or a share from "0%" to "100%".\n'
    )
    (photos.parent / "policy.toml").write_text(POLICY)
    (tmp_path / "a.json").mkdir()
    assert "Cannot write" in refused("--json", tmp_path / "a.json")
    shutil.rmtree(photos)
    assert "error: " in refused()
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
    assert len(lines) == 2
    for status, line in enumerate((lines[1], hook["entry"])):
        done = subprocess.run(["/bin/sh", "-ec", line], cwd=folder, env=environment, check=False, timeout=280)
        assert done.returncode == status, line
        spoil(photos)
    assert {"check.xml", "check.json", "summary.md"} <= {path.name for path in folder.iterdir()}
