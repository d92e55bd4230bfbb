"""The app's own routes serve known image sets, to this machine's own pages, and nothing else."""

import io
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit import config

from tests.drawing.decoded_points import decode_mask, decode_points
from tests.imaging.pictures import noise, write_folder
from tests.ui.pages import client_of
from url_viz.base.errors import ImageError
from url_viz.base.wording import standing
from url_viz.columns.filters import OneOf, ReviewSpec, Scope
from url_viz.columns.ranking import ends, percentile, with_percentile
from url_viz.drawing.points import map_points
from url_viz.drawing.tiles import (
    answers_url,
    card_url,
    order_url,
    picture_url,
    points_url,
    representatives_url,
    thumbnail_url,
    tiles_url,
)
from url_viz.image_set import ImageSet
from url_viz.imaging.containers import python_dataset
from url_viz.models.model import Model
from url_viz.reading import embed_dataset, embed_folder
from url_viz.ui.http import mask_url, middleware
from url_viz.ui.open_sets import GridOrder, LruCache, cache_order, cached_masks, cached_orders, ids_at, ranges_of
from url_viz.ui.review.desk import opened_review


@pytest.fixture(scope="module")
def read_set(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 8, classes=("cat", "dog"))
    noise(9, width=2000, height=1500).save(folder / "cat" / "<b>large.jpg")
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(read_set.workspace.root))
    return read_set


@pytest.fixture
def client(image_set: ImageSet) -> TestClient:
    return client_of()


def test_a_picture_is_bounded(image_set: ImageSet, client: TestClient) -> None:
    large = int(image_set.table().set_index("width")["id"][2000])
    answer = client.get(picture_url(image_set, large))
    assert Image.open(io.BytesIO(answer.content)).size == (1600, 1200)


def test_a_dataset_that_is_not_open_shows_its_thumbnails(
    client: TestClient, read_set: ImageSet, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [(noise(seed, width=300, height=240), 0) for seed in range(3)]
    made = embed_dataset(items, name="noise", model=model, workspace=read_set.workspace.root)
    image_id = int(made.core.ids[0])
    thumbnail = client.get(thumbnail_url(made.set_id, image_id)).content
    assert client.get(picture_url(made, image_id)).content != thumbnail
    monkeypatch.delitem(python_dataset._OPEN, made.root)
    assert client.get(picture_url(made, image_id)).content == thumbnail
    with pytest.raises(ImageError, match=r"by url_viz\.embed_dataset\.$"):
        made.files.data(image_id)


def test_representatives_are_pictures_of_the_set_with_their_names(image_set: ImageSet, client: TestClient) -> None:
    rows = client.get(representatives_url(image_set)).json()
    assert {row["id"] for row in rows} <= {str(image_id) for image_id in image_set.core.ids}
    assert sum(row["size"] for row in rows) <= len(image_set)
    assert set(rows[0]) == {"id", "name", "thumbnail", "x", "y", "size", "label", "share", "looks_like"}


def test_a_card_lists_the_measures_the_one_on_the_map_first_and_two_classes(
    image_set: ImageSet, client: TestClient
) -> None:
    table = image_set.table()
    row = table.iloc[0]
    card = client.get(card_url(image_set).format(id=row["id"])).json()
    assert card["id"] == str(row["id"])
    assert card["name"] == row["path"] == "cat/0000.jpg"
    assert card["label"] == "cat"
    assert card["thumbnail"] == thumbnail_url(image_set.set_id, row["id"])
    assert [entry["title"] for entry in card["measures"]] == [
        "Torn between classes",
        "Easily mistaken",
        "General model",
    ]
    ambiguity = card["measures"][0]
    assert ambiguity["value"] == pytest.approx(row["ambiguity"])
    assert ambiguity["percentile"] == pytest.approx(percentile(table["ambiguity"].to_numpy())[0])
    assert card["measures"][2] == {
        "title": "General model",
        "value": pytest.approx(row["uncertainty"]),
        "percentile": pytest.approx(row["percentile"]),
    }
    assert {row["first_class"], row["second_class"]} == {"cat", "dog"}
    assert card["between"] == [
        {"name": row[f"{nth}_class"], "share": None}  # the labels are by dice
        for nth in ("first", "second")
    ]
    for measure, title in (("uncertainty", "General model"), ("width", "width")):
        card = client.get(card_url(image_set, measure=measure).format(id=row["id"])).json()
        titles = [entry["title"] for entry in card["measures"]]
        assert titles[0] == title
        assert len(titles) == len(set(titles))


def test_a_card_of_a_picture_without_classes_or_values_has_none(
    tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
    alone = embed_folder(write_folder(tmp_path / "one", 1), model=model, workspace=workspace)
    client = client_of()
    for measure in (None, "confusability", "path", "nothing"):
        card = client.get(card_url(alone, measure=measure).format(id=alone.table()["id"].iloc[0])).json()
        assert card["between"] == []
        assert card["label"] is None
        assert [entry["title"] for entry in card["measures"]] == ["General model"]


def test_points_are_all_there_and_cached_by_version(image_set: ImageSet, client: TestClient) -> None:
    url = points_url(image_set, measure="ambiguity", category="label")
    answer = client.get(url)
    points = decode_points(answer.content)
    table = image_set.table()
    assert sorted(points.ids) == sorted(table["id"])
    assert np.abs(points.x - table["x"].to_numpy()).max() < 1e-2
    assert set(points.category) == {0, 1}
    again = client.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    bare = decode_points(client.get(points_url(image_set)).content)
    assert set(bare.category) == {-1}
    assert np.isnan(bare.value).all()


def test_any_measure_or_column_is_the_value_or_colour_of_the_points(image_set: ImageSet, client: TestClient) -> None:
    table = image_set.table()
    for measure in ("ambiguity", "entropy", "first_share"):
        points = decode_points(client.get(points_url(image_set, measure=measure, category="first_class")).content)
        expected = pd.Series(percentile(table[measure].to_numpy()), index=table["id"])
        assert points.value == pytest.approx(expected[points.ids].to_numpy(), abs=0.2)
    names = np.array(sorted(table["first_class"].unique()))
    assert names[points.category].tolist() == table.set_index("id")["first_class"][points.ids].tolist()
    points = decode_points(client.get(points_url(image_set, measure="width", category="height")).content)
    row = {int(i): r for r, i in enumerate(points.ids)}
    large = row[int(table.set_index("width")["id"][2000])]
    assert points.value[large] == 100
    assert points.category[large] == max(points.category)
    assert len(set(points.category)) == table["height"].nunique()


def test_a_mask_keeps_what_a_filter_keeps_in_the_order_of_the_points(image_set: ImageSet, client: TestClient) -> None:
    table = image_set.table()
    points = decode_points(client.get(points_url(image_set)).content)
    is_kept = (table["label"] == "dog").to_numpy()
    mask = decode_mask(client.get(mask_url(table, is_kept)).content)
    assert points.ids[mask].tolist() == table["id"][is_kept].tolist()
    assert mask_url(table, np.ones(len(table), bool)) == ""


def test_a_mask_follows_the_sample_of_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("url_viz.drawing.points.MOST_DRAWN", 40)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.random(100).astype(np.float32) for name in ("x", "y", "uncertainty", "own")})
    table = table.assign(id=np.arange(100))
    table["percentile"] = percentile(table["uncertainty"].to_numpy())
    is_kept = rng.random(100) < 0.5
    for measure in ("uncertainty", "own", None):
        points = map_points(table, measure=measure)
        mask = cached_masks.get(mask_url(table, is_kept, measure=measure).rsplit("/", 1)[1])
        assert mask is not None
        assert len(points.ids) == 40
        assert measure is None or {0, 100} <= set(points.value)
        assert decode_mask(mask).tolist() == is_kept[points.ids].tolist()


def test_an_order_is_served_in_parts_with_what_stands_on_its_tiles(image_set: ImageSet, client: TestClient) -> None:
    table = image_set.table()
    rows = ends(with_percentile(table, "uncertainty"), by="uncertainty").ambiguous
    key = cache_order(GridOrder.from_rows(rows))
    assert np.frombuffer(client.get(order_url(key)).content, "<i8").tolist() == rows["id"].tolist()
    image_set.decisions.decide([int(rows["id"].iloc[2])], "drop")
    at = tiles_url(image_set, order=key, measure="uncertainty")
    found = client.get(at.replace("{from}", "1").replace("{to}", "4")).json()
    image_set.decisions.undo()
    assert [tile["id"] for tile in found] == list(map(str, rows["id"].iloc[1:4]))
    assert [tile["decision"] for tile in found] == [None, "drop", None]
    assert found[0]["value"].endswith(f"{standing(rows['rank_percentile'].iloc[1])}")
    for places in (("-1", "4"), ("a", "4"), ("1", ""), ("9" * 10, "4")):
        assert client.get(at.replace("{from}", places[0]).replace("{to}", places[1])).status_code == 404
    words = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    assert {"path", "label", "decision", "tags", "reasons"} <= set(words)
    at = at.replace("{from}", "0").replace("{to}", "9")
    for column in words:
        assert client.get(at.replace("measure=uncertainty", f"measure={column}")).status_code == 404, column


def test_an_order_skips_what_has_left_the_set() -> None:
    rows = pd.DataFrame({"id": [5, 7, 9], "rank_percentile": [100.0, 50, 0], "twins": [0, 2, 0]})
    order = cached_orders.get(cache_order(GridOrder.from_rows(rows)))
    assert order is not None
    found = order.rows(rows[rows["id"] != 5], start=0, stop=2)
    assert found["id"].tolist() == [7]
    assert found["twins"].tolist() == [2]
    assert found["copies"].tolist() == [0]


def test_ranges_of_an_order_are_its_pictures() -> None:
    key = cache_order(GridOrder.from_rows(pd.DataFrame({"id": [5, 7, 9, 11], "rank_percentile": np.zeros(4)})))
    assert ids_at(key, [(0, 1), (2, 4)]).tolist() == [5, 9, 11]
    assert ids_at(key, [(-3, 2), (3, 99)]).tolist() == [5, 7, 11]
    assert ids_at(key, []).tolist() == []
    assert ranges_of(key, np.array([11, 5, 9, 4])) == [(0, 1), (2, 4)]
    assert ranges_of(key, np.array([], np.int64)) == ranges_of("gone", np.array([5])) == []
    assert ids_at("gone", [(0, 4)]).tolist() == []


def test_masks_are_let_go_of() -> None:
    masks = LruCache[bytes, bytes](most=2)
    keys = [masks.put(value, value) for value in (b"\x01", b"\x02", b"\x01", b"\x03")]
    assert [masks.get(key) for key in keys] == [b"\x01", None, b"\x01", b"\x03"]


UNKNOWN = (
    "/url-viz/thumbnail/{set}/1.jpg",
    "/url-viz/thumbnail/0000000000000000/1.jpg",
    "/url-viz/thumbnail/..%2F..%2Fetc/1.jpg",
    "/url-viz/thumbnail/{set}/9223372036854775808.jpg",
    "/url-viz/picture/{set}/9223372036854775808.jpg",
    "/url-viz/card/{set}/9223372036854775808",
    "/url-viz/card/{set}/" + "9" * 5000,
    "/url-viz/picture/{set}/1.jpg",
    "/url-viz/picture/{set}/..%2F..%2Fetc%2Fpasswd.jpg",
    "/url-viz/card/{set}/1",
    "/url-viz/points/nonsense",
    "/url-viz/points/{set}?measure=label",
    "/url-viz/points/{set}?measure=nothing",
    "/url-viz/points/{set}?category=nothing",
    "/url-viz/mask/0123456789abcdef",
    "/url-viz/order/0123456789abcdef",
    "/url-viz/tiles/{set}?order=0123456789abcdef&measure=uncertainty&from=0&to=9",
    "/url-viz/points/{set}?model=/etc/passwd",
    "/url-viz/points/{set}?model=nothing-of-the-kind",
)


def test_unknown_things_are_not_there(image_set: ImageSet, client: TestClient) -> None:
    for path in UNKNOWN:
        answer = client.get(path.format(set=image_set.set_id))
        assert answer.status_code == 404, path
        assert str(image_set.root.parent) not in answer.text
        assert "cannot be read" not in answer.text


LET_IN = ("http://127.0.0.1", None, "https://proxied.example", "https://trusted.example:1")
REFUSED = (
    *("http://127.0.0.1:9999", "http://localhost", "http://evil.example", "null", "file://", "http://["),
    "https://trusted.example:2",
)


def test_a_socket_opens_to_its_own_host_and_port() -> None:
    async def opened(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    client = TestClient(Starlette(routes=[WebSocketRoute("/s", opened)], middleware=middleware()))
    before = config.get_option("server.corsAllowedOrigins")
    config.set_option("server.corsAllowedOrigins", ["https://trusted.example:1"])
    try:
        for origin in (*LET_IN, *REFUSED):
            headers = {"X-Forwarded-Host": "proxied.example"} | ({} if origin is None else {"Origin": origin})
            told = nullcontext() if origin in LET_IN else pytest.raises(WebSocketDisconnect)
            with told, client.websocket_connect("ws://127.0.0.1/s", headers=headers):
                pass
    finally:
        config.set_option("server.corsAllowedOrigins", before)


def test_other_hosts_and_other_sites_are_refused(image_set: ImageSet, client: TestClient) -> None:
    url = thumbnail_url(image_set.set_id, int(image_set.table()["id"].iloc[0]))
    assert client.get(url, headers={"Host": "evil.example"}).status_code == 400
    assert client.get(url, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    for headers in ({}, {"Sec-Fetch-Site": "same-origin"}):
        answer = client.get(url, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        assert answer.content[:3] == b"\xff\xd8\xff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


class TestAnswers:
    """What pages post of a review."""

    RECORD = {"sequence": 3, "once": "x", "decision": "drop"}  # noqa: RUF012

    def post(self, client: TestClient, url: str, *records: object, **headers: str) -> Any:
        sent = {"Content-Type": "application/json", "Origin": "http://127.0.0.1", **headers}
        return client.post(url, content=json.dumps({"answers": records}), headers=sent)

    def test_they_are_stored_once_for_whoever_has_the_review_open_or_had_it(
        self, image_set: ImageSet, client: TestClient
    ) -> None:
        spec = ReviewSpec("confusability", Scope(filters=(OneOf("label", ("cat",)),)), most=3)
        url = answers_url(image_set, spec)
        here = opened_review(image_set.reviews.open(spec), url)
        first, second, third = here.review.ids.tolist()
        before = len(image_set.decisions.history())
        for _ in range(2):
            answer = self.post(client, f"{url}&desk={here.name}", self.RECORD | {"id": str(first)})
            assert answer.json() == {"refused": [], "stepped": None}
        assert here.review.progress().done == 1
        assert len(image_set.decisions.history()) == before + 1
        skip = {"sequence": 4, "once": "y", "id": str(third), "skip": True}
        self.post(client, f"{url}&desk=gone", {"sequence": 5, "once": "z", "id": str(second), "label": "dog"}, skip)
        progress = image_set.reviews.open(spec).progress()
        assert (progress.done, progress.skipped) == (2, 1)
        undone = self.post(client, f"{url}&desk={here.name}", {"sequence": 6, "command": "undo"}).json()["stepped"]
        assert undone["position"] == 1
        assert undone["words"].startswith("Undone: labelled cat/")
        missing = self.post(client, f"{url}&desk={here.name}", self.RECORD | {"id": "5", "once": "w"}).json()["refused"]
        assert missing == [{"sequence": 3, "message": missing[0]["message"]}]

    def test_an_answer_on_what_is_not_asked_costs_no_other_answer(
        self, image_set: ImageSet, client: TestClient
    ) -> None:
        """Of a review of copies, in a set that has none: a late answer after its group was dissolved is one."""
        ids = image_set.core.ids.tolist()
        before = len(image_set.decisions.history())
        for spec in (ReviewSpec("copies"), ReviewSpec("confusability")):
            url = answers_url(image_set, spec)
            for number in (5, 1 << 62, 1 << 63, 10**30, -(10**30)):
                strange = {"sequence": 1, "once": f"{spec.by} {number}", "id": str(number), "keep": [str(number)]}
                for late in (False, True):
                    answer = self.post(client, url, strange | {"late": late, "once": f"{strange['once']} {late}"})
                    assert answer.status_code == 200
        assert len(image_set.decisions.history()) == before
        lone = {"sequence": 1, "once": "lone", "id": str(ids[0]), "keep": [str(ids[0])], "late": True}
        refused = self.post(client, answers_url(image_set, ReviewSpec("copies")), lone).json()["refused"]
        assert [one["message"] for one in refused] == [
            "A picture is no longer asked about in this review: its answer was left out."
        ]
        url = answers_url(image_set, ReviewSpec("confusability"))
        sent = [
            {"sequence": 1, "once": "s", "id": "5", "decision": "drop"},
            self.RECORD | {"id": str(ids[0]), "once": "t"},
        ]
        assert [one["sequence"] for one in self.post(client, url, *sent).json()["refused"]] == [1]
        assert len(image_set.decisions.history()) == before + 1, "the other one is stored"
        image_set.decisions.undo()

    def test_answers_to_a_review_that_is_no_more_are_refused_so_that_none_waits_forever(
        self, image_set: ImageSet, client: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """As of an order by a column that the set has lost, or of doubtful labels where all labels went."""
        url = answers_url(image_set, ReviewSpec("no_such_order"))
        before = image_set.decisions.version
        answers = (self.RECORD | {"id": "5", "late": True}, self.RECORD | {"sequence": 4, "id": "6"})
        answer = self.post(client, url, *answers)
        assert answer.status_code == 200
        assert [each["sequence"] for each in answer.json()["refused"]] == [3, 4]
        assert {each["message"] for each in answer.json()["refused"]} == {
            "This review can no longer be opened: an answer to it was left out. Begin another on the Review page."
        }
        assert "no_such_order" in capsys.readouterr().err
        assert image_set.decisions.version == before

    def test_of_what_is_gone_nothing_is_kept(self, client: TestClient) -> None:
        for place in ("0" * 16 + "?review=entropy&desk=x", "uploads.k.entropy?desk=x"):
            assert self.post(client, f"/url-viz/answers/{place}", self.RECORD | {"id": "1"}).status_code == 410

    def test_other_sites_and_what_is_no_answer_are_refused(self, image_set: ImageSet, client: TestClient) -> None:
        url, record = answers_url(image_set, ReviewSpec("entropy")), self.RECORD | {"id": str(image_set.core.ids[0])}
        version = image_set.decisions.version
        for headers in (
            {"Origin": "http://evil.example"},
            {"Origin": "http://127.0.0.1:8000"},
            {"Sec-Fetch-Site": "same-site"},
            {"Content-Type": "text/plain"},
        ):
            assert self.post(client, url, record, **headers).status_code == 403
        assert self.post(client, url, record, Host="evil.example").status_code == 400
        assert self.post(client, url, record | {"tag": "x" * (1 << 20)}).status_code == 413
        pieces = {"Content-Type": "application/json", "Content-Length": "10", "Transfer-Encoding": "chunked"}
        assert self.post(client, url, record, **pieces).status_code == 413
        assert client.get(url).status_code == 405
        headers = {"Content-Type": "application/json"}
        for body in ("", "[]", "{}", '{"answers": 3}', "[" * 100_000):
            assert client.post(url, content=body, headers=headers).status_code == 400
        assert self.post(client, url, {"sequence": "x"}).json()["refused"] == []
        assert image_set.decisions.version == version
