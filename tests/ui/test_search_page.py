"""Search in every state, through app.py as a visitor meets it: no set, no query, hits, gated, warned of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.imaging.pictures import encoded, noise, write_folder
from tests.ui.pages import opened, order_by, words
from url_viz.columns.ranking import percentile
from url_viz.evidence.evaluation import CountedPictures, Evidence, evaluated
from url_viz.evidence.selective_retrieval import MODES, Restriction
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.outside.uploads import NewPicture
from url_viz.reading import embed_folder
from url_viz.ui.menu import purpose_of
from url_viz.ui.search import Gate, Query, between_shares, evenly_sampled, evidence_of, matches, verdict, warning
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.components import drawn_box

COUNT = 24


@pytest.fixture(scope="module")
def read_set(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "zoo", COUNT, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(read_set.workspace.root))
    return read_set


def by_confusability(image_set: ImageSet, place: int) -> int:
    """The id of the picture at a place of the order, 0 the clearest."""
    return int(image_set.table().sort_values(["confusability", "id"])["id"].iloc[place])


def test_without_a_query_the_page_says_how_to_choose_one_and_what_the_evidence_is(image_set: ImageSet) -> None:
    at = opened(image_set, "search")
    text = words(at)
    assert purpose_of("Search") in text
    assert "Most similar" not in text
    assert f"{image_set.root.parent.name}/zoo · {COUNT} pictures" in text
    assert f"of {COUNT} pictures of 2 classes (recall@1)" in text
    scores = [f"{name} R-AUROC" for name in ("Easily mistaken", "Torn between classes", "General model")]
    help_of_recall = next(each.help for each in at.caption if "(recall@1)" in each.value)
    assert all(score in help_of_recall for score in scores)
    assert "Torn between classes uses these classes" in text
    of_confusability = image_set.cached(evidence_of, "confusability")
    assert of_confusability is not None
    assert verdict(of_confusability) in text
    assert "A picture is never its own hit." in text
    table = at.table[0].value
    assert list(table.columns) == ["By class", "Overall"]
    assert list(table.index) == ["Left out", "Both", "Refused"]


def test_a_link_with_an_id_searches_with_that_picture_and_no_other_does(image_set: ImageSet) -> None:
    at = opened(image_set, "search")
    for text in ("9" * 5000, "9" * 19, "-1", "x", ""):
        at.query_params["id"] = text
        assert "Most similar" not in words(at.run())
    at.query_params["id"] = str(by_confusability(image_set, 3))
    assert f"Most similar · {COUNT - 1}" in words(at.run())
    text = words(opened(image_set, "search", search__query_id=2**62))
    assert "The picture to search with is not in this image set" in text
    assert "Most similar" not in text


def test_a_part_that_was_drawn_finds_what_its_crop_does(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.ui.search.component_state", lambda key: {"box": [0.25, 0.25, 0.5, 0.5]})
    assert [drawn_box({"box": drawn}) for drawn in ([-1, 0, 1, 1], "all", None)] == [None] * 3
    query, asked = by_confusability(image_set, 3), list[object]()
    real = ImageSet.safe_search
    monkeypatch.setattr(ImageSet, "safe_search", lambda of, it, **how: asked.append(it) or real(of, it, **how))
    text = words(opened(image_set, "search", search__query_id=query))
    with Image.open(image_set.files.path(query)) as picture:
        width, height = picture.size
        crop = picture.convert("RGB").crop((width // 4, height // 4, 3 * width // 4, 3 * height // 4))
    assert f"Most similar · {COUNT}" in text, "the picture itself too"
    assert f"{width // 2} × {height // 2} px of it" in text
    [part] = asked
    assert isinstance(part, NewPicture)
    hits = real(image_set, part, k=COUNT).hits["id"]
    assert hits.tolist() == image_set.search(crop, k=COUNT)["id"].tolist()


def test_a_picture_of_the_set_finds_all_others_and_the_gate_withholds_what_find_does(image_set: ImageSet) -> None:
    query = by_confusability(image_set, 0)
    at = opened(image_set, "search", search__query_id=query)
    text = words(at)
    assert f"Most similar · {COUNT - 1}" in text
    assert "General model **" in text
    assert "pictures left out: show" not in text
    assert at.query_params["id"] == str(query)
    at.slider[0].set_value(50).run()
    result = image_set.safe_search(query, max_percentile=50)
    assert result.by == "confusability"
    assert 0 < len(result.withheld) < COUNT
    assert (result.hits["confusability_percentile"] <= 50).all()
    assert [toggle.label for toggle in at.toggle if toggle.key == "search.show_withheld"] == [
        f"{len(result.withheld)} nearer pictures left out: show"
    ]
    assert f"Most similar · {len(result.hits)}" in words(at)


def test_every_measure_of_the_set_can_gate_and_the_leading_one_does_at_first(image_set: ImageSet) -> None:
    query = int(image_set.table().sort_values("uncertainty")["id"].iloc[0])
    at = opened(image_set, "search", search__query_id=query)
    assert image_set.order().measure == order_by(at).value == "confusability"
    assert sorted(order_by(at).options) == ["Easily mistaken", "General model", "Torn between classes"]
    assert "Needs no classes" in words(at)
    order_by(at).set_value("uncertainty").run()
    at.slider[0].set_value(50).run()
    assert "Uses nothing else of this set" in words(at)
    found = image_set.safe_search(query, by="uncertainty", max_percentile=50)
    assert f"Most similar · {len(found.hits)}" in words(at)
    assert found.hits["id"].tolist() != image_set.safe_search(query, max_percentile=50).hits["id"].tolist()


def test_a_query_above_the_threshold_is_warned_of_until_one_insists(image_set: ImageSet) -> None:
    at = opened(image_set, "search", search__query_id=by_confusability(image_set, -1))
    at.slider[0].set_value(60).run()
    assert "By “Easily mistaken”, this picture is **highest**. The threshold is 60 %." in at.warning[0].value
    assert "Most similar" not in words(at)
    at.button(key="search.go_on").click().run()
    assert "Most similar" in words(at)
    assert "The query itself is above the threshold." in words(at)
    at.slider[0].set_value(50).run()
    assert "Most similar" not in words(at)


def test_a_query_between_two_classes_is_said_to_be(image_set: ImageSet) -> None:
    row = image_set.table().sort_values("ambiguity").iloc[-1].to_dict()
    lies = f"between {row['first_class']} and {row['second_class']}"  # without shares: the labels are by dice
    at = opened(image_set, "search", search__query_id=int(row["id"]))
    assert f"Lies {lies}" in words(at)
    order_by(at).set_value("ambiguity").run()
    at.slider[0].set_value(60).run()
    assert f"By “Torn between classes”, this picture is **highest**, {lies}" in at.warning[0].value
    assert between_shares({"first_class": None, "second_class": None}) is None


def evidence_from(uncertainty: list[float], is_right: list[bool]) -> Evidence:
    """Evidence of six classes of four pictures each, every class with these values and outcomes."""
    labels = np.repeat([f"c{i}" for i in range(6)], len(uncertainty))
    values, right = np.tile(uncertainty, 6), np.tile(is_right, 6)
    rows, orders = np.arange(len(labels)), {"confusability": values, "nearest_similarity": values}
    pictures = CountedPictures(rows, rows, labels, np.where(right, labels, "other"), orders, left_out=0)
    left_out = Restriction(*(dict.fromkeys(MODES, recall) for recall in (0.625, 0.5)))
    return Evidence(pictures, evaluated(pictures).measures[0], left_out, {0.1: left_out}, percentile(values))


def query_at(rank: float) -> Query:
    return Query("a.jpg", "", 1, 1, {"confusability": 0.9}, {"confusability": rank})


def test_the_warning_says_no_more_than_the_evidence_shows() -> None:
    gate, query = Gate("confusability", 70), query_at(90)
    telling = evidence_from([0.1, 0.2, 0.3, 0.9], [True, True, True, False])
    assert "**100 %** have a nearest picture of another class; of those below it, 0 %" in warning(query, gate, telling)
    assert (
        "Refusing ambiguous queries **avoids errors**: by “Easily mistaken”, a picture with a wrong match ranks above"
        in verdict(telling)
    )
    silent = evidence_from([0.1, 0.2, 0.3, 0.9], [False, True, True, False])
    said = warning(query, gate, silent)
    assert "says nothing clear about its hits." in said
    assert "of another class" not in said
    assert "Refusing ambiguous queries **does not clearly avoid errors**" in verdict(silent)
    assert r"by **\+12.5 points** compared with leaving out as many at random" in verdict(silent)
    assert "Without classes, nothing shows" in warning(query, gate, None)
    assert "has no value of “Easily mistaken” here" in warning(query_at(float("nan")), gate, telling)


def test_a_query_without_the_value_is_not_vouched_for() -> None:
    assert Gate("ambiguity", 60).withholds(query_at(10))
    assert not Gate("confusability", 60).withholds(query_at(60))
    assert Gate("confusability", 60).withholds(query_at(60.1))
    assert not Gate("confusability", 100).withholds(query_at(100))


def test_a_picture_from_outside_is_scored_and_searched_with_and_no_other_file_is(image_set: ImageSet) -> None:
    at = opened(image_set, "search")
    at.file_uploader[0].set_value(("x.jpg", b"hello, I am text", "image/jpeg")).run()
    assert "The picture is not in a known image format" in at.error[0].value
    assert "Most similar" not in words(at)
    at.file_uploader[0].set_value(("<b>new</b>.jpg", encoded(noise(99)), "image/jpeg")).run()
    text = words(at)
    assert f"Most similar · {COUNT}" in text
    assert at.code[0].value == "<b>new</b>.jpg"
    assert "Easily mistaken **" in text
    image_id = by_confusability(image_set, 2)
    at.file_uploader[0].set_value(("copy.jpg", image_set.files.path(image_id).read_bytes(), "image/jpeg")).run()
    own = opened(image_set, "search", search__query_id=image_id)
    assert at.markdown[0].value == own.markdown[0].value, "as the same picture of the set"


def test_a_picture_that_nothing_here_is_like_has_no_value(
    tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    at = opened(embed_folder(write_folder(tmp_path / "zoo", 60), model=model, workspace=workspace), "search")
    at.file_uploader[0].set_value(("plain.png", encoded(Image.new("RGB", (64, 64), "red"), "PNG"), "image/png")).run()
    text = words(at)
    assert "**Unlike this set**" in text
    assert "Easily mistaken **" not in text
    at.slider(key="search.percentile").set_value(90).run()
    assert "Nothing in this set is like this picture" in words(at)


def test_without_classes_the_page_says_what_evidence_takes(
    tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    plain = embed_folder(write_folder(tmp_path / "plain", 6), model=model, workspace=workspace)
    assert "This needs classes" in words(opened(plain, "search", search__query_id=by_confusability(plain, 0)))


def test_names_are_found_by_all_their_words_and_by_class(image_set: ImageSet) -> None:
    table = image_set.table()
    assert matches(table, "CAT 0002")["path"].tolist() == ["cat/0002.jpg"]
    assert len(matches(table, "")) == COUNT
    assert len(matches(table, "dog")) == COUNT // 2
    assert matches(table, "(.*").empty


def test_a_spread_looks_into_the_whole_table(image_set: ImageSet) -> None:
    table = image_set.table()
    assert evenly_sampled(table, 3)["path"].tolist() == [table["path"].iloc[i] for i in (0, 12, 23)]
    assert len(evenly_sampled(table, 100)) == COUNT
    assert evenly_sampled(table.iloc[:0], 5).empty
    assert len(evenly_sampled(table.iloc[:1], 5)) == 1


def test_a_set_with_few_pictures_offers_the_measures_it_has(tmp_path: Path, workspace: Path, model: Model) -> None:
    two = embed_folder(write_folder(tmp_path / "two", 2), model=model, workspace=workspace)
    assert two.order().measure is None
    assert offered(two) == [name for name in two.core.measures() if name != "entropy"], "baselines are left to Evaluate"
    assert "ambiguity" not in offered(two)


def test_dropped_pictures_are_left_out_at_a_click(image_set: ImageSet) -> None:
    first = by_confusability(image_set, 0)
    assert "Leave out dropped" not in words(opened(image_set, "search", search__query_id=first))
    image_set.decisions.decide([by_confusability(image_set, 1), by_confusability(image_set, 2)], "drop")
    at = opened(image_set, "search", search__query_id=first)
    assert "Leave out dropped (2)" in words(at)
    at.toggle(key="search.without_dropped").set_value(True).run()
    assert f"Most similar · {COUNT - 3}" in words(at)
    image_set.decisions.undo()
