"""Objects in their whole pictures: boxes of a picture, verdicts on them in a review, those to be drawn again."""

import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.imaging.pictures import write_folder
from tests.object_sets import CORNERS, SIDE, SIZE, write_objects
from tests.read_sets import opened_again, undecided
from url_viz.base.errors import ImageError
from url_viz.drawing.tiles import card_of, card_url, whole_url
from url_viz.export.picture_files import with_boxes
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.pictures.set_files import DETECTOR, ObjectBox, WholePicture
from url_viz.reading import embed_folder
from url_viz.review.cards import CardAnswer
from url_viz.store.columns.source_columns import BOX_IS_WRONG, NO_SUCH_OBJECT
from url_viz.ui.http import middleware, routes
from url_viz.ui.review.desk import desk_state, opened_review, parse_answer, take_answers
from url_viz.ui.widgets.picture import facts_of
from url_viz.ui.widgets.picture_layers import invented_legend, object_legend

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def read(module_workspace: Path, model: Model) -> ImageSet:
    return embed_folder(write_objects(module_workspace.parent / "shapes"), model=model, workspace=module_workspace)


@pytest.fixture
def objects(read: ImageSet) -> ImageSet:
    return undecided(read, labels="class")


@pytest.fixture
def client(objects: ImageSet, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("URL_VIZ_HOME", str(objects.workspace.root))
    return TestClient(Starlette(routes=routes(), middleware=middleware()), base_url="http://127.0.0.1")


def ids_of(image_set: ImageSet) -> list[int]:
    return [int(one) for one in image_set.table()["id"]]


def test_no_percentage_is_told_of_objects_whose_labels_may_all_be_right(objects: ImageSet) -> None:
    """P(wrong) is known, but too high for objects in a crowd."""
    doubtful = objects.labels.doubtful()
    assert doubtful is not None
    assert not doubtful.are_chances_known
    first = doubtful.first(1).iloc[0]
    assert np.isfinite(first["wrong"])
    question = objects.reviews.open("suspects").card(int(first["id"])).question
    assert first["suggested"] in question.text
    assert np.isnan(question.wrong)
    suggested = next(choice for choice in question.choices if choice.label == first["suggested"])
    assert np.isnan(suggested.share)
    assert suggested.votes == f"{first['support']} of {first['neighbours']} neighbours"
    assert not objects.labels.shows_shares()
    row = objects.row(int(first["id"]))
    facts = facts_of(objects, row).set_index("Fact")["Value"]
    assert facts["Looks like"] == f"{row['first_class']}, then {row['second_class']}"
    assert all(entry["share"] is None for entry in card_of(objects, int(first["id"]))["between"])  # type: ignore[attr-defined]


def test_a_whole_picture_has_the_boxes_in_it_that_of_the_object_first(objects: ImageSet) -> None:
    second = ids_of(objects)[1]
    objects.labels.give({second: "star"})
    whole = objects.objects.whole(second)
    assert whole is not None
    assert whole.data == (objects.folder / "images" / "0.png").read_bytes()
    assert whole.size == SIZE
    assert [box.box for box in whole.boxes] == [(*CORNERS[at], SIDE, SIDE) for at in (1, 0, 2)]
    assert [box.label for box in whole.boxes] == ["star", "ellipse", "line"]
    assert whole.boxes[0].id == second


def test_the_picture_is_served_with_its_boxes_drawn_and_nothing_of_a_set_of_pictures(
    objects: ImageSet, client: TestClient, tmp_path: Path, model: Model
) -> None:
    first = ids_of(objects)[0]
    answer = client.get(str(whole_url(objects, first)))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    drawn = ET.fromstring(answer.text)
    assert drawn.get("viewBox") == f"0 0 {SIZE[0]} {SIZE[1]}"
    strong = [box for box in drawn.iter(f"{SVG}rect") if box.get("stroke") == "#ffd60a"]
    assert [(box.get("x"), box.get("y"), box.get("width")) for box in strong] == [("0.00", "20.00", "96.00")]
    assert [text.text for text in drawn.iter(f"{SVG}text")] == ["ellipse"]
    card = client.get(card_url(objects).replace("{id}", str(first))).json()
    assert not list(ET.fromstring(client.get(card["whole"]).text).iter(f"{SVG}text")), "too small to be read"
    plain = embed_folder(write_folder(tmp_path / "plain", 2), model=model, workspace=objects.workspace.root)
    assert plain.objects.whole(ids_of(plain)[0]) is None
    assert whole_url(plain, ids_of(plain)[0]) is None
    assert client.get(f"/url-viz/whole/{plain.set_id}/{ids_of(plain)[0]}.svg").status_code == 404
    assert "verdict" not in plain.reviews.open("confusability").card(ids_of(plain)[0]).takes


def test_what_a_detector_predicted_is_a_dashed_box_with_words(
    objects: ImageSet, client: TestClient, tmp_path: Path
) -> None:
    results = tmp_path / "results.json"
    own = {"image_id": "0", "category_id": "rectangle", "score": 0.7, "bbox": [10, 20, SIDE, SIDE]}
    results.write_text(json.dumps([own, {**own, "bbox": [300, 0, 40, 30]}, {**own, "bbox": [290, 200, SIDE, SIDE]}]))
    brought = objects.objects.predictions(results)
    first, missed, beside, *_ = ids_of(objects)
    objects.decisions.tag([beside], BOX_IS_WRONG)
    [redraw] = objects.objects.to_redraw().to_dict("records")
    assert (redraw["nearest_class"], redraw["predicted_x"], redraw["predicted_y"]) == ("rectangle", 290, 200)
    objects.decisions.untag([beside], BOX_IS_WRONG)
    drawn = ET.fromstring(client.get(str(whole_url(objects, first))).text)
    dashed = [box for box in drawn.iter(f"{SVG}rect") if box.get("stroke-dasharray") != "none"]
    assert {(box.get("x"), box.get("y"), box.get("width")) for box in dashed} == {("10.00", "20.00", "96.00")}
    assert len(dashed) == 2, "a dark line under it"
    assert [text.text for text in drawn.iter(f"{SVG}text")] == ["ellipse", "predicted rectangle"]
    words = [list(object_legend(objects.row(one))) for one in (first, missed, beside)]
    assert words[0] == [("solid", "labelled box"), ("dashed", "predicted rectangle, score .70, IoU .81")]
    assert words[1] == [("solid", "labelled box"), ("none", "not predicted")]
    assert words[2] == [*words[1], ("dashed", "nearest prediction: rectangle, score .70, IoU .46")]
    whole = objects.objects.whole(beside)
    assert whole is not None
    assert [text.text for text in ET.fromstring(with_boxes(whole, most_px=100)).iter(f"{SVG}text")] == [
        "line",
        "predicted rectangle",
    ]
    for plain in (str(whole_url(objects, missed)), str(whole_url(objects, first, "1"))):
        assert all(
            box.get("stroke-dasharray") == "none" for box in ET.fromstring(client.get(plain).text).iter(f"{SVG}rect")
        )

    alone, near = (objects.objects.invented(row) for row in brought.detections.invented.to_dict("records"))
    assert (alone.own, len(alone.others), alone.size) == (None, 3, SIZE)
    assert near.own is not None
    assert near.own.label == "line"
    assert invented_legend(alone)[1][1] == "no labelled box overlaps it"
    assert [words for _, words in invented_legend(near)] == [
        "predicted rectangle, score .70, IoU .46",
        "nearest labelled box: line",
    ]
    svg = ET.fromstring(with_boxes(alone, most_px=100))
    assert [box.get("x") for box in svg.iter(f"{SVG}rect") if box.get("stroke-dasharray") != "none"] == ["300.00"] * 2
    with pytest.raises(ImageError, match="Match the predictions again"):
        objects.objects.invented({**brought.detections.invented.iloc[0].to_dict(), "picture": "gone.png"})
    objects.columns.remove(DETECTOR)


def test_a_class_cannot_leave_its_place_in_the_drawing_and_a_picture_is_bounded() -> None:
    file = io.BytesIO()
    Image.new("RGB", (300, 200)).save(file, "PNG")
    box = ObjectBox(1, '</text><script>"&', (0, 0, 50, 50))
    svg = with_boxes(WholePicture(file.getvalue(), (300, 200), box), most_px=100)
    assert [text.text for text in ET.fromstring(svg).iter(f"{SVG}text")] == ['</text><script>"&']
    import base64

    data = base64.b64decode(re.findall(r"base64,([^\"]+)", svg)[0])
    assert Image.open(io.BytesIO(data)).size == (100, 67)


class TestVerdicts:
    """Two more answers in a review of objects."""

    def test_box_is_wrong_is_a_tag_and_no_such_object_a_tag_and_dropped(self, objects: ImageSet) -> None:
        review = objects.reviews.open("confusability")
        wrong, absent, labelled = (int(one) for one in review.ids[:3])
        assert "verdict" in review.card(wrong).takes
        review.store(labelled, CardAnswer(label="star"))
        review.store(wrong, CardAnswer(verdict=BOX_IS_WRONG))
        review.store(absent, CardAnswer(verdict=NO_SUCH_OBJECT))
        objects.decisions.tag([wrong], "mine")
        table = objects.table().set_index("id")
        assert table.loc[[wrong, absent], "tags"].tolist() == ["box is wrong; mine", NO_SUCH_OBJECT]
        assert table.loc[[wrong, absent, labelled], "decision"].tolist() == [None, "drop", None]
        assert review.progress().done == 3
        assert [now.verdict for now in review.state([wrong, absent, labelled])] == [BOX_IS_WRONG, NO_SUCH_OBJECT, None]
        again = opened_again(objects).reviews.open("ambiguity", afresh=True)
        assert not {wrong, absent, labelled} & {*again.ids.tolist()}, "they are settled in other reviews too"
        review.store(wrong, CardAnswer(label="star", verdict=BOX_IS_WRONG))
        review.store(absent, CardAnswer())
        table = objects.table().set_index("id")
        assert table.loc[[wrong, absent], "tags"].tolist() == ["box is wrong; mine", ""]
        assert (table.loc[wrong, "label"], table.loc[absent, "decision"]) == ("star", None)

    def test_each_is_one_action_that_can_be_undone(self, objects: ImageSet) -> None:
        review = objects.reviews.open("confusability")
        one = int(review.ids[0])
        assert review.store(one, CardAnswer(verdict=BOX_IS_WRONG)).sentence == "Tagged 1 object “box is wrong”"
        objects.decisions.undo()
        assert objects.table().set_index("id").loc[one, "tags"] == ""
        assert not review.is_done(review.ids).any()

    def test_the_desk_takes_them_and_no_others(self, objects: ImageSet) -> None:
        here = opened_review(objects.reviews.open("confusability"))
        one = int(here.review.ids[0])
        card = desk_state(objects, here)["cards"][0]
        assert card["whole"] == whole_url(objects, one)
        sent = {"sequence": 1, "id": str(one), "decision": None, "label": None}
        assert parse_answer({**sent, "verdict": "kiwi"}) is None
        answer = parse_answer({**sent, "verdict": BOX_IS_WRONG})
        assert answer is not None
        take_answers(here, [answer], who="anna")
        assert (card["verdict"], desk_state(objects, here)["cards"][0]["verdict"]) == (None, BOX_IS_WRONG)

    def test_what_is_to_be_drawn_again_is_a_table(self, objects: ImageSet) -> None:
        review, one = objects.reviews.open("confusability"), ids_of(objects)[4]
        assert objects.objects.to_redraw().empty
        review.store(one, CardAnswer(verdict=BOX_IS_WRONG))
        [row] = objects.objects.to_redraw().to_dict("records")
        assert list(row.values()) == ["images/1.png#2", "images/1.png", "2", *CORNERS[1], SIDE, SIDE, "line"]


def test_a_table_of_whole_pictures_is_of_all_objects_in_them(objects: ImageSet, tmp_path: Path) -> None:
    pictures = objects.table()["picture"].unique().tolist()
    scores = {f"/elsewhere/images/{name}": {"possible_fn": 0.5 + n} for n, name in enumerate(pictures)}
    del scores[f"/elsewhere/images/{pictures[-1]}"]
    (tmp_path / "scores.json").write_text(json.dumps(scores))
    added = objects.columns.add(tmp_path / "scores.json")
    table = objects.table()
    without = int((table["picture"] == pictures[-1]).sum())
    assert added.words == (
        f"{len(scores)} of {len(scores)} rows of 'scores.json' are of a picture of this set.",
        f"{without} objects have no row.",
    )
    wanted = table["picture"].map({name: 0.5 + n for n, name in enumerate(pictures[:-1])})
    assert table["possible_fn"].equals(wanted.rename("possible_fn"))
    assert [column.is_uncertainty for column in objects.columns.list() if column.name == "possible_fn"] == [True]
    by_object = tmp_path / "one.csv"
    by_object.write_text(f"path,mine\n{table['path'].iloc[1]},2\n")
    objects.columns.add(by_object)
    assert objects.table()["mine"].dropna().to_dict() == {1: 2.0}
    objects.columns.remove("scores")
    objects.columns.remove("one")
