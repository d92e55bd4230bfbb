"""The command on pictures made in memory: what it prints and writes, from one end to the other."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.training.conftest import draw
from tests.training.evaluate.test_evaluate import first_number_head
from training.benchmark import __main__ as program
from training.benchmark.benchmark_tables import read_benchmark
from training.benchmark.orders import KNOWS
from training.command import command
from training.config import BenchmarkConfig
from url_viz.models.head import save_head
from url_viz.models.model_names import PACKAGED


@pytest.mark.slow
@pytest.mark.usefixtures("prepared_home")
def test_the_command_prints_and_writes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "PACKAGED", {name: PACKAGED[name] for name in ("tf_efficientnet_lite0",)})
    save_head(first_number_head(), tmp_path / "head.safetensors")
    other, votes, out = tmp_path / "other", tmp_path / "votes.json", tmp_path / "out.json"
    for i in range(18):
        path = other / f"{i % 3}" / f"other-{i:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        draw(100 + i, blur_px=i % 4).save(path)
    votes.write_text(
        json.dumps(
            {
                f"{i:02d}": {"human_entropy": i % 3 / 10, "authors_uncertainty": i / 9, "authors_class_entropy": None}
                for i in range(24)
            }
        )
    )
    words = ["--data", str(folder), "--data", f"folder:{other}", "--model", str(tmp_path / "head.safetensors")]
    words += ["--json", str(out), "--arrays", str(tmp_path / "arrays"), "--pictures", str(tmp_path / "pictures")]
    words += ["--votes", str(votes), "--upstream", str(other)]
    words += ["--seen-classes", f"folder:{other}"]
    assert command(BenchmarkConfig, program.main, words) == 0
    printed = capsys.readouterr().out
    assert "P is left out" in printed
    found = read_benchmark(out)
    assert (found.probe_model, found.upstream) == (None, str(other))
    assert found.head == first_number_head().digest
    first, second = found.sets
    assert found.seen_classes == (second.data,)
    means = {mean.name: mean for mean in found.means}
    for order in first.orders:  # alone in the means and the verdicts
        assert repr(means[order.name].paper.auroc.value) == repr(order.paper.auroc.value)
    assert {lead.data for verdict in found.verdicts for lead in verdict.sets} == {first.data}
    assert (first.data, first.pictures, first.classes) == (str(folder), 24, 2)
    assert {order.name: order.knows for order in first.orders} == {
        name: knows for name, knows in KNOWS.items() if name != "authors_class_entropy"
    }
    assert all(order.votes is not None and order.probe is None for order in first.orders)
    assert all(order.votes is None for order in second.orders)
    for one, chosen_on in ((first, second), (second, first)):
        assert one.chosen is None or one.chosen.on == (chosen_on.data,)
    assert json.loads(out.read_text())["sets"][0]["orders"][0]["nearest"]["auroc"].keys() == {"value", "interval"}

    assert len(list((tmp_path / "arrays").glob("*.npz"))) == 2
    table = pd.read_parquet(tmp_path / "pictures" / f"01-{folder.name}.parquet")
    assert table["path"].tolist() == sorted(table["path"])
    assert (table["label"] == table["path"].str.partition("/")[0]).all()
    assert 1 - table["nearest_wrong"].mean() == pytest.approx(first.recall_at_1.value)
    assert {order.name for order in first.orders} < set(table)
    assert table["human_entropy"].notna().all()
