"""The commands `models evaluate` (the figures of the page, printed and as JSON), `models second` and `embed --also`."""

import html
import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Run
from tests.conftest import BF16_IS_QUICKER, FLOAT32_IS_QUICKER, SECOND, set_times
from tests.given import by_turns, dice, given_set
from tests.imaging.pictures import write_folder
from url_viz.base.wording import decimal
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.evidence.evaluation import WITHIN, by_class, lead_over
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.second_reading import VARIABLE
from url_viz.store.about import known_sets

COUNT = 40


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Cats and dogs under given embeddings, a few of them where the others are, with an own measure of most."""
    base, number = tmp_path_factory.mktemp("evaluate"), np.arange(COUNT)
    paths, rows = by_turns(COUNT), dice(COUNT)
    rows[:, 0] += np.where((number % 2 == 0) ^ (number % 9 == 0), 2, -2)
    found = given_set(base, paths, rows)
    doubts = "\n".join(f"{path},{i}" for i, path in enumerate(paths[:-4]))
    (base / "own.csv").write_text(f"path,doubt\n{doubts}\n")
    found.columns.add(base / "own.csv", uncertainty=("doubt",))
    return found


@pytest.mark.slow
def test_what_it_prints_is_what_the_functions_of_python_give(image_set: ImageSet, run: Run) -> None:
    evaluated = image_set.evaluate()
    assert evaluated is not None
    lines = run("models evaluate").splitlines()
    low, high = evaluated.pictures.recall_interval.low, evaluated.pictures.recall_interval.high
    assert lines[0] == (
        f"Recall@1 {100 * evaluated.pictures.recall:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %, "
        "counted on 40 pictures of 2 classes."
    )
    assert lines[1].split()[:4] == ["Measure", "R-AUROC", "Within", "class"]
    figures = list(evaluated.figures.index)
    assert {"ambiguity", "confusability", "uncertainty", "inverse_norm", "doubt"} < set(figures)
    assert figures[-4:] == ["nearest_gap", "logistic_regression", "uncertainty", "doubt"], "the own ones last"
    for line, one in zip(lines[2 : 2 + len(figures)], figures, strict=True):
        said, aurc = " ".join(line.split()), decimal(evaluated.figures["aurc"][one], digits=3)
        assert f" {evaluated.figure(one).text(digits=3)} {evaluated.figure(one, WITHIN).text(digits=3)} " in said
        assert f" {36 if one in ('doubt', 'uncertainty') else COUNT} {aurc} " in said
    assert lines[2 + len(figures)].startswith("Of the measures without classes, “Easily mistaken” ")
    assert "“doubt” has a value for 36 of the 40 pictures" in lines[3 + len(figures)]
    assert "Within class: the same among pictures of one class" in lines[-1]


@pytest.mark.slow
def test_a_report_says_which_pictures_a_measure_with_gaps_is_on(image_set: ImageSet) -> None:
    page = html.unescape(report_html(image_set, is_live=False))
    assert "“doubt” has a value for 36 of the 40 pictures" in page
    assert "<td>Doubt</td>" in page


@pytest.mark.slow
def test_the_json_holds_the_same_and_what_it_is_of(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    assert f"All of it is in {tmp_path / 'e.json'}." in run("models evaluate", "--out", tmp_path / "e.json")
    told, found = json.loads((tmp_path / "e.json").read_text()), image_set.evaluate()
    assert found is not None
    assert (told["pictures"], told["classes"], told["left_out"]) == (40, 2, 0)
    assert told["recall_at_1"] == found.pictures.recall
    assert told["recall_at_1_low"] < told["recall_at_1"] < told["recall_at_1_high"]
    assert told["set"]["folder"] == "photos"
    assert str(image_set.root) not in (tmp_path / "e.json").read_text()
    by_name = {one["measure"]: one for one in told["measures"]}
    for one in found.figures.index:
        figures, auroc = by_name[one], found.figure(one)
        assert (figures["r_auroc"], figures["r_auroc_low"]) == (auroc.value, auroc.interval.low)
        assert sum(tenth["pictures"] for tenth in figures["tenths"]) == figures["pictures"]
    assert (by_name["doubt"]["pictures"], by_name["ambiguity"]["pictures"]) == (36, 40)
    assert by_name["nearest_similarity"]["lead_over_nearest_similarity"] is None
    baselines = [name for name, one in by_name.items() if one["is_baseline"]]
    assert baselines == ["inverse_norm", "nearest_similarity", "nearest_gap", "logistic_regression"]
    assert by_name["doubt"]["knows"] == "–"
    lead = lead_over(found.pictures_of["uncertainty"], "confusability", "uncertainty")
    said = tuple(told["lead"][name] for name in ("by", "low", "high"))
    assert said == (lead.value, lead.interval.low, lead.interval.high)
    classes = by_class(found.pictures, told["classes_by"])
    assert [row["label"] for row in told["by_class"]] == classes["label"].tolist() == ["cat", "dog"]
    assert [row["recall"] for row in told["by_class"]] == classes["recall"].tolist()


def test_without_classes_it_says_what_it_needs(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    image_set.labels.use(None)
    try:
        told = run("models evaluate", "--out", tmp_path / "e.json", status=1)
    finally:
        image_set.labels.use("folders")
    assert "at least 20 pictures in two or more class folders" in told
    assert f"`url-viz labels list {image_set.root}`" in told
    assert not (tmp_path / "e.json").exists()


@pytest.fixture
def run_by_head(
    workspace: Path, head_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a command on a folder as read by `head_file`; what it prints."""
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))

    def ran(command: str, folder: Path, *arguments: str, status: int = 0) -> str:
        assert main([*command.split(), str(folder), "--model", str(head_file), *arguments]) == status
        shown = capsys.readouterr()
        return shown.err + shown.out

    return ran


def test_a_second_model_from_reading_to_leaving_it_out(
    tmp_path: Path, head_file: Path, second_model: Model, run_by_head: Run
) -> None:
    folder = write_folder(tmp_path / "zoo", 6)
    assert f"and with {SECOND} beside it" in run_by_head("embed", folder, "--also", second_model.name)
    assert f"by two models: dice, which looks twice, and {SECOND}" in run_by_head("models second", folder)
    assert f"by two models (also {SECOND})" in run_by_head("rank", folder)
    assert f"by dice alone; {SECOND} has read the pictures too" in run_by_head("models second", folder, "--ask", "no")
    assert "two models" not in run_by_head("rank", folder)
    assert "by two models" in run_by_head("models second", folder, "--ask", "yes")
    write_folder(folder, 1, start=6)
    said = run_by_head("embed", folder)
    assert f"{SECOND} has not read all of these pictures" in said
    assert f"--also {SECOND}" in said
    assert "alone" in run_by_head("models second", folder)
    assert "is the first model already" in run_by_head("embed", folder, "--also", str(head_file), status=1)


@pytest.mark.usefixtures("second_model")
def test_a_new_folder_is_read_by_a_second_model_unless_it_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_by_head: Run
) -> None:
    def read(name: str, *options: str) -> str:
        return run_by_head("embed", write_folder(tmp_path / name, 6), "--device", "cpu", *options)

    assert SECOND not in read("switched off for all")
    monkeypatch.delenv(VARIABLE)
    assert SECOND not in read("switched off", "--one-model")
    said = read("new")
    assert said.index("neighbours 6 of 6") < said.index(f"read, {SECOND} 6 of 6") < said.index("by two models: dice")
    assert f"models second {tmp_path / 'new'} --ask no" in said
    assert f"and with {SECOND} beside it" in said


@pytest.mark.usefixtures("second_model")
@pytest.mark.parametrize("options", [("--also", SECOND), ()], ids=["named", "unasked"])
def test_the_second_reads_in_the_precision_of_the_first_whatever_was_measured_of_it(
    workspace: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, run_by_head: Run, options: tuple[str, ...]
) -> None:
    set_times(workspace, BF16_IS_QUICKER)
    set_times(workspace, FLOAT32_IS_QUICKER, name=SECOND)
    monkeypatch.delenv(VARIABLE)
    run_by_head("embed", folder, "--device", "cpu", *options)
    [(_, about)] = known_sets(Workspace.at(workspace))
    assert [space.precision for space in about.spaces] == ["bf16", "bf16"]
