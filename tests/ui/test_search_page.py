"""Search as a mode of Explore, in every state a visitor meets: no query, hits, gated, warned of, and back."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import encoded, noise, write_folder
from tests.ui.pages import galleries, linked, named, opened, words
from url_viz.columns.ranking import percentile
from url_viz.evidence.evaluation import CountedPictures, Evidence, evaluated
from url_viz.evidence.selective_retrieval import MODES, Restriction
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.outside.uploads import NewPicture, unlike_in_words
from url_viz.reading import embed_folder
from url_viz.ui.search import Gate, Query, evenly_sampled, looks_in_words, matches, warning
from url_viz.ui.text import escape
from url_viz.ui.widgets.buttons import offered
from url_viz.ui.widgets.components import drawn_box

COUNT = 24


def by_confusability(image_set: ImageSet, place: int) -> int:
    """The id of the picture at a place of the order, 0 the clearest."""
    return int(image_set.table().sort_values(["confusability", "id"])["id"].iloc[place])


def searching(image_set: ImageSet, query: int | None = None) -> AppTest:
    """Explore while it searches, with a picture of the set or with none yet."""
    chosen: dict[str, Any] = {} if query is None else {"view__query_id": query}
    return opened(image_set, view__searching=True, **chosen)


def gated(at: AppTest, percentile: int, *, by: str | None = None) -> AppTest:
    """The search once pictures above a percentile are left out, by the order that leads or another."""
    if by is not None:
        named(at.segmented_control, "Ambiguous by").set_value(by).run()
    return named(at.slider, "Leave out above").set_value(percentile).run()


def test_explore_leads_to_a_search_and_back_to_its_view_as_it_was(seen_set: ImageSet) -> None:
    at = linked(seen_set, colour="label").run()
    at.button(key="search.start").click().run()
    assert at.query_params["search"] == ""
    assert "Similar pictures" in words(at)
    assert "most similar" not in words(at)
    assert "search.another" not in [button.key for button in at.button]
    at.button(key="search.leave").click().run()
    assert "search" not in at.query_params
    assert at.query_params["colour"] == "label"
    assert seen_set.root.name in at.title[0].value


def test_a_link_with_an_id_searches_with_that_picture_and_no_other_does(seen_set: ImageSet) -> None:
    for text in ("9" * 5000, "9" * 19, "-1", "x", ""):
        assert "most similar" not in words(linked(seen_set, search=text).run())
    at = linked(seen_set, search=str(by_confusability(seen_set, 3))).run()
    assert f"{COUNT - 1} most similar" in words(at)
    at.button(key="search.another").click().run()
    assert "most similar" not in words(at)
    text = words(searching(seen_set, 2**62))
    assert "The picture to search with is not in this image set" in text
    assert "most similar" not in text


def test_back_in_the_browser_leads_to_what_was_shown_then(seen_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    query = by_confusability(seen_set, 3)
    at = searching(seen_set, query)
    monkeypatch.setattr("url_viz.ui.search.is_back_or_forward", lambda: True)
    at.query_params["search"] = str(by_confusability(seen_set, 5))
    shown = words(at.run())
    assert str(seen_set.row(by_confusability(seen_set, 5))["path"]) in shown
    del at.query_params["search"]
    assert "Similar pictures" not in words(at.run())


def test_a_picture_of_the_set_can_be_opened_from_its_search(seen_set: ImageSet) -> None:
    query = by_confusability(seen_set, 0)
    at = searching(seen_set, query)
    at.button(key="search.open").click().run()
    assert at.query_params["picture"] == str(query)
    at.button(key="search_with").click().run()
    assert "picture" not in at.query_params, "a search closes what was open"
    assert at.query_params["search"] == str(query)


def test_a_part_that_was_drawn_finds_what_its_crop_does(seen_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.ui.search.component_state", lambda key: {"box": [0.25, 0.25, 0.5, 0.5]})
    assert [drawn_box({"box": drawn}) for drawn in ([-1, 0, 1, 1], "all", None)] == [None] * 3
    query, asked = by_confusability(seen_set, 3), list[object]()
    real = ImageSet.safe_search
    monkeypatch.setattr(ImageSet, "safe_search", lambda of, it, **how: asked.append(it) or real(of, it, **how))
    text = words(searching(seen_set, query))
    with Image.open(seen_set.files.path(query)) as picture:
        width, height = picture.size
        crop = picture.convert("RGB").crop((width // 4, height // 4, 3 * width // 4, 3 * height // 4))
    assert f"{COUNT} most similar" in text, "the picture itself too"
    assert f"{width // 2} × {height // 2} px of it" in text
    [part] = asked
    assert isinstance(part, NewPicture)
    hits = real(seen_set, part, k=COUNT).hits["id"]
    assert hits.tolist() == seen_set.search(crop, k=COUNT)["id"].tolist()


def test_a_picture_of_the_set_finds_all_others_and_the_gate_withholds_what_find_does(seen_set: ImageSet) -> None:
    query = by_confusability(seen_set, 0)
    at = searching(seen_set, query)
    text = words(at)
    assert f"{COUNT - 1} most similar" in text
    values = seen_set.table().set_index("id")["confusability"]
    others = values.drop(query)  # two pictures may be the clearest: which are depends on the processor
    above = (others > values[query]).mean() + (others == values[query]).mean() / 2
    assert f"Easily mistaken: {'lowest' if above == 1 else f'below {100 * above:.0f} % of the others'}" in text
    assert "left out:" not in text
    assert at.query_params["search"] == str(query)
    gated(at, 50)
    result = seen_set.safe_search(query, max_percentile=50)
    assert result.by == "confusability"
    assert 0 < len(result.withheld) < COUNT
    assert (result.hits["confusability_percentile"] <= 50).all()
    switch = at.toggle(key="search.show_withheld")
    assert switch.label == f"{len(result.withheld)} nearer left out: too ambiguous to trust. Show"
    assert [len(tiles) for tiles in galleries(at)] == [len(result.hits)]
    switch.set_value(True).run()
    assert [len(tiles) for tiles in galleries(at)] == [len(result.withheld), len(result.hits)]
    assert f"{len(result.hits)} most similar" in words(at)


def test_every_measure_of_the_set_can_gate_and_the_leading_one_does_at_first(seen_set: ImageSet) -> None:
    query = int(seen_set.table().sort_values("uncertainty")["id"].iloc[0])
    at = searching(seen_set, query)
    by = named(at.segmented_control, "Ambiguous by")
    assert seen_set.order().measure == by.value == "confusability"
    assert sorted(by.options) == ["Easily mistaken", "General model", "Torn between classes"]
    assert "Needs no classes" in words(at)
    gated(at, 50, by="uncertainty")
    assert "Uses nothing else of this set" in words(at)
    found = seen_set.safe_search(query, by="uncertainty", max_percentile=50)
    assert f"{len(found.hits)} most similar" in words(at)
    assert found.hits["id"].tolist() != seen_set.safe_search(query, max_percentile=50).hits["id"].tolist()


def test_a_query_above_the_threshold_is_warned_of_until_one_insists(seen_set: ImageSet) -> None:
    at = searching(seen_set, by_confusability(seen_set, -1))
    gated(at, 60)
    assert "By “Easily mistaken”, this picture is **highest**. The threshold is 60 %." in at.warning[0].value
    assert "most similar" not in words(at)
    at.button(key="search.go_on").click().run()
    assert "most similar" in words(at)
    assert "The query itself is above the threshold." in words(at)
    gated(at, 50)
    assert "most similar" not in words(at)


def test_a_query_between_two_classes_is_said_to_be(seen_set: ImageSet) -> None:
    row = seen_set.table().sort_values("ambiguity").iloc[-1].to_dict()
    lies = f"between {row['first_class']} and {row['second_class']}"  # without shares: the labels are by dice
    at = searching(seen_set, int(row["id"]))
    assert f"B{lies[1:]}" in words(at)
    gated(at, 60, by="ambiguity")
    assert f"By “Torn between classes”, this picture is **highest**, {lies}" in at.warning[0].value
    assert looks_in_words({"first_class": None, "second_class": None}) is None
    classes = {"first_class": "cat", "second_class": "dog"}
    assert looks_in_words({**classes, "first_share": 0.6, "second_share": 0.3}) == "between cat (60 %) and dog (30 %)"
    assert looks_in_words({**classes, "first_share": 0.98, "second_share": 0.01}) == "like cat (98 %)"


def evidence_from(uncertainty: list[float], is_right: list[bool]) -> Evidence:
    """Evidence of six classes of four pictures each, every class with these values and outcomes."""
    labels = np.repeat([f"c{i}" for i in range(6)], len(uncertainty))
    values, right = np.tile(uncertainty, 6), np.tile(is_right, 6)
    rows, orders = np.arange(len(labels)), {"confusability": values, "nearest_similarity": values}
    pictures = CountedPictures(rows, rows, labels, np.where(right, labels, "other"), orders, left_out=0)
    left_out = Restriction(*(dict.fromkeys(MODES, recall) for recall in (0.625, 0.5)))
    auroc = evaluated(pictures).figure("confusability")
    return Evidence(pictures, "confusability", auroc, left_out, {0.1: left_out}, percentile(values))


def query_at(rank: float) -> Query:
    return Query("a.jpg", "", 1, 1, {"confusability": 0.9}, {"confusability": rank})


def test_the_warning_says_no_more_than_the_evidence_shows() -> None:
    gate, query = Gate("confusability", 70), query_at(90)
    telling = evidence_from([0.1, 0.2, 0.3, 0.9], [True, True, True, False])
    assert "**100 %** have a nearest picture of another class; of those below it, 0 %" in warning(query, gate, telling)
    silent = evidence_from([0.1, 0.2, 0.3, 0.9], [False, True, True, False])
    said = warning(query, gate, silent)
    assert "says nothing clear about its hits." in said
    assert "of another class" not in said
    assert "Nothing shows yet whether" in warning(query, gate, None)
    assert "has no value of “Easily mistaken” here" in warning(query_at(float("nan")), gate, telling)


def test_a_query_without_the_value_is_not_vouched_for() -> None:
    assert Gate("ambiguity", 60).withholds(query_at(10))
    assert not Gate("confusability", 60).withholds(query_at(60))
    assert Gate("confusability", 60).withholds(query_at(60.1))
    assert not Gate("confusability", 100).withholds(query_at(100))


def test_a_picture_from_outside_is_scored_and_searched_with_and_no_other_file_is(seen_set: ImageSet) -> None:
    at = searching(seen_set)
    at.file_uploader[0].set_value(("x.jpg", b"hello, I am text", "image/jpeg")).run()
    assert "The picture is not in a known image format" in at.error[0].value
    assert "most similar" not in words(at)
    at.file_uploader[0].set_value(("<b>new</b>.jpg", encoded(noise(99)), "image/jpeg")).run()
    text = words(at)
    assert f"{COUNT} most similar" in text
    assert escape("<b>new</b>.jpg") in text
    assert "Easily mistaken: " in text
    image_id = by_confusability(seen_set, 2)
    at.button(key="search.another").click().run()
    at.file_uploader[0].set_value(("copy.jpg", seen_set.files.path(image_id).read_bytes(), "image/jpeg")).run()
    own = searching(seen_set, image_id)
    [mine, its] = ([each.value for each in found.markdown[:2]] for found in (at, own))
    assert mine == its, "as the same picture of the set"


def test_a_picture_that_nothing_here_is_like_has_no_value(
    tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    at = searching(embed_folder(write_folder(tmp_path / "zoo", 60), model=model, workspace=workspace))
    at.file_uploader[0].set_value(("plain.png", encoded(Image.new("RGB", (64, 64), "red"), "PNG"), "image/png")).run()
    text = words(at)
    assert "**Unlike this set**" in text
    assert "Easily mistaken: " not in text
    assert at.get("bidi_component"), "hits are shown all the same"
    gated(at, 90)
    assert unlike_in_words() in at.warning[0].value


def test_names_are_found_by_all_their_words_and_by_class(seen_set: ImageSet) -> None:
    table = seen_set.table()
    assert matches(table, "CAT 0002")["path"].tolist() == ["cat/0002.jpg"]
    assert len(matches(table, "")) == COUNT
    assert len(matches(table, "dog")) == COUNT // 2
    assert matches(table, "(.*").empty


def test_a_spread_looks_into_the_whole_table(seen_set: ImageSet) -> None:
    table = seen_set.table()
    assert evenly_sampled(table, 3)["path"].tolist() == [table["path"].iloc[i] for i in (0, 12, 23)]
    assert len(evenly_sampled(table, 100)) == COUNT
    assert evenly_sampled(table.iloc[:0], 5).empty
    assert len(evenly_sampled(table.iloc[:1], 5)) == 1


def test_a_set_with_few_pictures_offers_the_measures_it_has(tmp_path: Path, workspace: Path, model: Model) -> None:
    two = embed_folder(write_folder(tmp_path / "two", 2), model=model, workspace=workspace)
    assert two.order().measure is None
    assert offered(two) == [name for name in two.core.measures() if name != "entropy"], "baselines are left to Model"
    assert "ambiguity" not in offered(two)


def test_dropped_pictures_are_left_out_at_a_click(seen_set: ImageSet) -> None:
    first = by_confusability(seen_set, 0)
    assert "Leave out dropped" not in words(searching(seen_set, first))
    seen_set.decisions.decide([by_confusability(seen_set, 1), by_confusability(seen_set, 2)], "drop")
    at = searching(seen_set, first)
    assert "Leave out dropped (2)" in words(at)
    named(at.toggle, "Leave out dropped (2)").set_value(True).run()
    assert f"{COUNT - 3} most similar" in words(at)
    seen_set.decisions.undo()
