"""Where a run takes place, as the Finetune page asks it: nothing without SLURM, else a partition within its bounds."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from url_viz.ui.finetune.slurm_options import FINETUNE_PLACE, HERE, ON_SLURM, PARTITION, SHARED

SINFO = "printf 'cpu*|up|1-00:00:00|(null)|16\\ngpu|up|2:00:00|gpu:a100:4|2\\n'"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on PATH with SLURM's programs as shell scripts; sinfo tells of two partitions."""
    import streamlit as st

    for name in ("sbatch", "squeue", "scancel", "sinfo"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{SINFO if name == 'sinfo' else 'exit 1'}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    st.cache_data.clear()
    yield tmp_path
    st.cache_data.clear()


def script() -> None:
    import streamlit as st

    from url_viz.errors import JobError
    from url_viz.ui.finetune.slurm_options import chosen_request, show_target

    show_target()
    try:
        st.text(repr(chosen_request()))
    except JobError as error:
        st.text(str(error))


def page() -> AppTest:
    at = AppTest.from_function(script).run()
    assert not at.exception
    return at


def on_slurm() -> AppTest:
    at = page()
    at.button_group(key=FINETUNE_PLACE).set_value(ON_SLURM).run()
    assert not at.exception
    return at


def test_without_slurm_nothing_of_it_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    at = page()
    assert [text.value for text in at.text] == ["None"]
    assert len(at.main) == 1


def test_a_run_takes_place_here_unless_slurm_is_chosen(programs: Path) -> None:
    at = page()
    assert at.button_group(key=FINETUNE_PLACE).value == HERE
    assert at.text[0].value == "None"
    assert not at.selectbox


def test_slurm_offers_its_partitions_within_their_bounds(programs: Path) -> None:
    at = on_slurm()
    assert SHARED in [caption.value for caption in at.caption]
    assert at.selectbox(key=PARTITION).options == ["cpu", "gpu"]
    assert at.text[0].value == "SlurmRequest(partition='cpu', gpus=0, cpus=4, minutes=60)"
    at.selectbox(key=PARTITION).set_value("gpu").run()
    assert at.text[0].value == "SlurmRequest(partition='gpu', gpus=1, cpus=2, minutes=60)"
    assert [(n.label, n.max) for n in at.number_input] == [("GPUs", 4), ("CPUs", 2), ("Minutes", 120)]
    at.number_input(key="finetune.slurm.gpus.gpu").set_value(3).run()
    assert "gpus=3" in at.text[0].value


def test_a_cluster_that_does_not_answer_is_told_and_starts_nothing(programs: Path) -> None:
    (programs / "sinfo").write_text("#!/bin/sh\necho Unable to contact slurm controller >&2; exit 1\n")
    at = on_slurm()
    assert "Unable to contact slurm controller" in at.error[0].value
    assert "No partition is chosen" in at.text[0].value


def test_a_cluster_whose_partitions_are_down_is_told(programs: Path) -> None:
    (programs / "sinfo").write_text("#!/bin/sh\necho 'cpu*|down|infinite|(null)|4'\n")
    assert "No partition of this cluster is up" in on_slurm().error[0].value
