"""Heads are trained without what stands on top of training: benchmark, evaluation, full finetuning, published sets."""

import os
import shutil
from pathlib import Path

import pytest

from tests.processes import run_python
from tests.test_architecture import ON_TOP, ROOT
from tests.training.conftest import draw_folder

SMALL = ("--device", "cpu", "--precision", "exact", "--views", "1", "--epochs", "1", "--batch", "8")


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A folder with the package `training` without those folders."""
    left_out = shutil.ignore_patterns("__pycache__", *(package.rpartition(".")[2] for package in ON_TOP))
    shutil.copytree(ROOT / "training", tmp_path / "alone" / "training", ignore=left_out)
    return tmp_path / "alone"


@pytest.mark.slow
def test_heads_are_trained_without_what_stands_on_top(tmp_path: Path, alone: Path, prepared: Path) -> None:
    pictures = draw_folder(tmp_path / "pictures", 24, ("n01440764", "n01443537"), blur_px=(5, 0, 0, 0))
    commands = {
        "finetune": ("--mode", "labels", "--data", str(pictures)),
        "pretrain": ("--reads", "functions", "--seeds", "1", "--data", str(pictures)),
    }
    for name, words in commands.items():
        out = tmp_path / name
        environment = os.environ | {"PYTHONPATH": f"{alone}:{ROOT}", "URL_VIZ_HOME": str(prepared)}
        told = run_python("-m", f"training.{name}", *words, *SMALL, "--out", str(out), cwd=alone, env=environment)
        assert told.returncode == 0, told.stderr
        assert (out / "head.safetensors").is_file()
    assert "Measured on no set" in (tmp_path / "pretrain" / "head.md").read_text("utf-8")
    told = run_python(
        "-c", "from training.data.spec import list_pictures; list_pictures('cub:nowhere')", cwd=alone, env=environment
    )
    assert "'cub:nowhere' names the kind 'cub', and known are folder, tar." in told.stderr
