"""Which precision is quicker on this processor is measured once, and kept beside the network whatever comes later."""

import json
from pathlib import Path

import pytest

from tests.conftest import BF16_IS_QUICKER, FLOAT32_IS_QUICKER, set_times
from url_viz.base.files import record_in, sealed
from url_viz.imaging.decode import Preprocessing
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.precision import (
    KEPT,
    Times,
    fast_words,
    has_bf16,
    keep_times,
    measured_times,
    precision_here,
    quicker,
    times_of,
)
from url_viz.models.runtime import Precision
from url_viz.models.runtime_openvino import converted


@pytest.mark.parametrize(
    ("bf16", "float32", "fast", "words"),
    [
        (10.0, 19.0, "bf16", "bf16, measured 1.9 times as fast as float32 on this processor"),
        (14.0, 10.3, "float32", "float32, measured 1.4 times as fast as bf16 on this processor"),
        (10.0, 11.0, "float32", "float32, measured as fast as bf16 on this processor"),
        (10.0, 9.5, "float32", "float32, measured as fast as bf16 on this processor"),
    ],
)
def test_fast_is_the_quicker_one_and_float32_where_they_are_equal_within_a_tenth(
    bf16: float, float32: float, fast: Precision, words: str
) -> None:
    times: Times = {"bf16": bf16, "float32": float32}
    assert (quicker(times), fast_words(times)) == (fast, words)
    assert precision_here("fast", "cpu", times) == fast
    assert precision_here("exact", "cpu", times) == "float32"


def seen(folder: Path) -> Preprocessing:
    prepared = converted(folder)
    assert prepared is not None
    return prepared[1]


@pytest.mark.slow
class TestMeasured:
    """Of the default model, prepared in a folder of its own."""

    @pytest.fixture
    def folder(self, workspace: Path) -> Path:
        set_times(workspace, None)
        [folder] = (workspace / "models").glob(f"{DEFAULT}-*")
        return folder

    def test_once_and_kept_beside_what_other_processors_took_without_the_slower_network(self, folder: Path) -> None:
        (folder / KEPT).write_text(sealed({"another": {"bf16": 1, "float32": 2}}))
        assert times_of(folder) is None
        times = measured_times(folder, seen(folder))
        assert times_of(folder) == times
        assert min(times.values()) > 0
        assert "another" in record_in((folder / KEPT).read_bytes())
        assert [path.name for path in folder.glob("compiled-*/")] == [f"compiled-{quicker(times)}"]

    def test_what_another_process_kept_meanwhile_stays(self, folder: Path) -> None:
        keep_times(folder, FLOAT32_IS_QUICKER)
        assert measured_times(folder, seen(folder)) == FLOAT32_IS_QUICKER

    def test_a_record_that_is_damaged_counts_as_none_and_is_written_anew(self, folder: Path) -> None:
        keep_times(folder, BF16_IS_QUICKER)
        record = json.loads((folder / KEPT).read_text())
        for damaged in ("", "[]", json.dumps({**record, "seal": "0" * 16}), sealed({"another": 3})):
            (folder / KEPT).write_text(damaged)
            assert times_of(folder) is None
        keep_times(folder, BF16_IS_QUICKER)
        assert times_of(folder) == BF16_IS_QUICKER


@pytest.mark.parametrize(("times", "fast"), [(BF16_IS_QUICKER, "bf16"), (FLOAT32_IS_QUICKER, "float32")])
def test_a_model_opens_in_what_was_measured_unless_another_precision_is_named(
    workspace: Path, times: Times, fast: Precision
) -> None:
    set_times(workspace, times)
    assert load_model(DEFAULT, device="cpu", workspace=workspace).space.precision == fast
    for named in ("bf16", "float32"):
        assert load_model(DEFAULT, device="cpu", precision=named, workspace=workspace).space.precision == named


@pytest.mark.parametrize("has", [True, False])
def test_what_was_not_measured_is_where_bf16_can_be_computed_and_only_if_fast_is_asked_for(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    if has and not has_bf16():
        pytest.skip("this processor has no bf16 to be measured")
    set_times(workspace, None)
    [folder] = (workspace / "models").glob(f"{DEFAULT}-*")
    monkeypatch.setattr("url_viz.models.precision.has_bf16", lambda: has)
    load_model(DEFAULT, device="cpu", precision="exact", workspace=workspace)
    assert times_of(folder) is None
    model = load_model(DEFAULT, device="cpu", workspace=workspace)
    times = times_of(folder)
    assert (times is not None) == has
    assert model.space.precision == (quicker(times) if times else "float32")
