"""Reports: what they say, that they are small and whole, and that nothing from files is more than text in them."""

import datetime
import html
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import url_viz
from tests.export.sets import HOSTILE, hostile_set
from tests.imaging.pictures import noise, write_folder
from url_viz.base.errors import FolderError, ImageSetError
from url_viz.columns.measures import measure_named, shown_reason
from url_viz.export.diffs import diff_html, write_diff_report
from url_viz.export.report import (
    HEIGHT,
    MOST_POINTS,
    WIDTH,
    class_paths,
    drawn_points,
    measure_paths,
    report_html,
    write_report,
)
from url_viz.findings.reasons import reason_counts
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder

NOW = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def page(shared_set: ImageSet) -> str:
    return report_html(shared_set, now=NOW, is_live=False)


@pytest.fixture(scope="module")
def live(shared_set: ImageSet) -> str:
    return report_html(shared_set, now=NOW)


def data_of(page: str) -> dict[str, list[Any]]:
    found = re.search(r'<script type="application/json" id="(?:points|live-data)">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    record: dict[str, list[Any]] = json.loads(found[1])
    return record


def words_of(page: str) -> str:
    body = page[page.index("<main>") : page.index("</main>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


def test_it_says_what_was_read_with_what(page: str, shared_set: ImageSet) -> None:
    said = words_of(page)
    assert f"{len(shared_set)} pictures" in said
    assert "an order, not a probability" in said
    assert shared_set.source.head is not None
    assert shared_set.source.head.digest in said
    assert shared_set.space.weights_digest in said
    assert "2026-01-02 03:04 UTC" in said
    assert "1 files not readable" in said
    assert shared_set.order().reason in said
    assert "R-AUROC" in said
    assert "Torn between classes uses these classes, but never a picture's own label" in html.unescape(said)
    assert "fusion" not in said.lower()
    for measure in ("ambiguity", "confusability", "uncertainty"):
        assert measure_named(measure).meaning in html.unescape(said)
    assert "Keeping one of each" in said


def test_where_the_folder_lies_is_told_only_where_asked(page: str, shared_set: ImageSet) -> None:
    assert str(shared_set.root) not in page
    assert str(shared_set.root.parent) not in page
    assert str(shared_set.root) in report_html(shared_set, with_folder=True)


def test_it_asks_for_nothing_and_runs_only_its_own_script(page: str) -> None:
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://", page.replace("http:__x", ""))
    assert not re.findall(r'(?:src|href)="(?!data:image/jpeg;base64,)', page)
    assert page.count("<script") == 2
    assert len(page) < 3_000_000


def test_names_and_a_title_are_text(page: str, shared_set: ImageSet) -> None:
    assert HOSTILE not in page
    assert "<img src=x" not in page.replace("&lt;", "")
    assert any(HOSTILE in str(name) for name in data_of(page)["name"])
    titled = report_html(shared_set, title="</title><script>alert(1)</script>")
    assert "<script>alert" not in titled
    assert "&lt;/title&gt;&lt;script&gt;alert" in titled


def test_the_live_one_runs_its_own_script_and_has_every_picture(live: str, shared_set: ImageSet) -> None:
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in live
    assert set(re.findall(r"https?://[\w.]+", live.replace("http:__x", ""))) <= {"http://www.w3.org"}, "names of SVG"
    assert live.count("<script") == 2
    assert HOSTILE not in live
    data = data_of(live)
    table = shared_set.table().sort_values("confusability", ascending=False, kind="stable")
    assert [tile["name"] for tile in data["tiles"]] == table["path"].tolist(), "the most ambiguous first"
    assert [card["rank"] for card in data["cards"]] == pytest.approx(table["confusability_percentile"].tolist())
    assert all(tile["thumbnail"].startswith("data:image/jpeg;base64,") for tile in data["tiles"])
    for measure in data["measures"]:
        assert len(measure["values"]) == len(measure["percentiles"]) == len(table)
    assert data["measures"][0]["title"] == "Easily mistaken"
    counts = Counter(name for card in data["cards"] for name in card["reasons"])
    assert counts == {shown_reason(name): count for name, count in reason_counts(table["reasons"]).items()}


def test_many_pictures_are_drawn_and_why_is_said(shared_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.export.report.MOST_LIVE", 10)
    drawn = report_html(shared_set, now=NOW)
    assert "live-data" not in drawn
    assert "Of more than 10 pictures this is a drawing" in words_of(drawn)


def test_every_picture_is_on_the_map_with_its_name_and_percentile(page: str, shared_set: ImageSet) -> None:
    data, table = data_of(page), shared_set.table()
    assert [int(str(i)) for i in data["id"]] == table["id"].tolist()
    assert data["rank"] == [round(float(p)) for p in table["confusability_percentile"]]
    assert data["measure"] == shared_set.order().measure == "confusability"
    assert len(data["thumbnail"]) == len(table)


def test_a_selection_keeps_the_percentiles_of_the_whole(shared_set: ImageSet) -> None:
    table = shared_set.table().sort_values("confusability_percentile").tail(5)
    page = report_html(shared_set, ids=table["id"].tolist(), is_live=False)
    assert f"A selection of 5 of {len(shared_set)} pictures" in words_of(page)
    assert sorted(map(int, data_of(page)["rank"])) == sorted(round(float(p)) for p in table["confusability_percentile"])


def test_what_cannot_be_reported_is_told(shared_set: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(ImageSetError, match="no picture to report"):
        report_html(shared_set, ids=[])
    with pytest.raises(ImageSetError, match="no picture with id 5"):
        report_html(shared_set, ids=[5])
    with pytest.raises(FolderError, match=r"does not end in \.html"):
        write_report(shared_set, tmp_path / "report.pdf")
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match="Cannot write"):
        write_report(shared_set, tmp_path / "file" / "report.html")
    assert write_report(shared_set, tmp_path / "report.html").stat().st_size > 50_000


def dice_table(count: int, seed: int = 0) -> pd.DataFrame:
    dice = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": dice.normal(size=count),
            "y": dice.normal(size=count),
            "rank_percentile": dice.permutation(count) * 100 / (count - 1),
            "label": dice.choice([f"class {n}" for n in range(12)], count),
        }
    )


def test_the_map_draws_every_point_once_inside_its_frame() -> None:
    table = dice_table(900)
    points = drawn_points(table)
    assert len(points) == 900
    assert ((points.x >= 0) & (points.x <= WIDTH) & (points.y >= 0) & (points.y <= HEIGHT)).all()
    drawn = re.findall(r"M(\d+) (\d+)h0", measure_paths(points, table["rank_percentile"].to_numpy()))
    assert sorted((int(x), int(y)) for x, y in drawn) == sorted(zip(points.x.tolist(), points.y.tolist(), strict=True))
    highest = int(np.argmax(table["y"]))
    assert points.y[highest] == points.y.min(), "up is up"
    paths, names = class_paths(points, table["label"])
    assert len(re.findall("M", paths)) == 900
    assert len(names) == 7


def test_of_many_points_both_extremes_and_some_from_everywhere_are_drawn() -> None:
    table = dice_table(30_000)
    points = drawn_points(table)
    assert len(np.unique(points.rows)) == MOST_POINTS
    ranks = np.sort(table["rank_percentile"].to_numpy()[points.rows])
    assert (ranks < 2).sum() == (ranks > 98).sum() == 600, "all of the two hundredths at either end"
    assert np.diff(ranks).max() < 0.2


def test_a_set_without_coordinates_has_no_map() -> None:
    assert len(drawn_points(dice_table(5).assign(x=np.nan))) == 0


def test_the_worth_of_decisions_is_told_only_where_there_are_some(
    page: str, tmp_path: Path, model: Model, prepared: Path
) -> None:
    assert "What was done" not in page
    image_set = hostile_set(tmp_path, model, prepared, count=6)
    table = image_set.table()
    image_set.decisions.decide(table.loc[table["label"] == HOSTILE, "id"], "drop")
    image_set.labels.give({int(table.loc[table["label"] != HOSTILE, "id"].iloc[0]): "another"})
    found = image_set.labels.worth()
    assert found is not None
    reported = report_html(image_set)
    said = html.unescape(words_of(reported))
    dropped = int((table["label"] == HOSTILE).sum())
    done = f"What was done 1 relabelled, {dropped} dropped. {found.words}"
    assert done in " ".join(said.split()), "before anything else"
    assert reported.index("What was done") < reported.index("Most ambiguous</h2>")
    assert "no decision changed" in said
    assert HOSTILE not in reported
    assert "These figures are of the whole image set" in words_of(report_html(image_set, ids=table["id"].head(9)))
    assert re.search(rf"\b{1 + dropped}\s*reviewed", words_of(reported)), "one was relabelled"
    image_set.labels.use(None)
    assert found.words not in report_html(image_set)


NAME = "<img src=x onerror=alert(1)>.jpg"


def test_it_says_what_changed_shows_it_and_escapes_names(tmp_path: Path, workspace: Path, model: Model) -> None:
    first = embed_folder(write_folder(tmp_path / "a", 12, classes=("cat", "dog")), model=model, workspace=workspace)
    folder = shutil.copytree(first.root, tmp_path / "b")
    noise(50).save(folder / "cat" / NAME, "JPEG")
    (folder / "dog" / "0001.jpg").unlink()
    (folder / "cat" / "0002.jpg").rename(folder / "dog" / "0002.jpg")
    found = url_viz.diff(first, embed_folder(folder, model=model, workspace=workspace))
    page = diff_html(found)
    assert "<h1>a → b</h1>" in page
    assert "12 pictures before, 12 after: 1 added, 1 removed, 1 moved or renamed, 1 relabelled." in page
    assert page.count("data:image/jpeg") == 4  # the removed one's is the earlier set's
    assert "cat → dog" in page
    assert ">nan<" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;.jpg" in page
    assert "<img src=x" not in page
    assert str(tmp_path) not in page
    assert write_diff_report(found, tmp_path / "d.html").read_text("utf-8")
    with pytest.raises(FolderError, match="does not end in"):
        write_diff_report(found, tmp_path / "d.txt")
