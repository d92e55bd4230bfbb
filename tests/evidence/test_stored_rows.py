"""Joined rows that were kept are as those joined anew, and are let go of as soon as anything below them changes."""

import io
import os
import shutil
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.hostile.packed import table_bytes
from tests.imaging.pictures import noise, write_folder
from url_viz import column_list as columns
from url_viz import reading
from url_viz.evidence import order as order_module
from url_viz.evidence.order import Order, leading_order
from url_viz.image_set import ImageSet, open_set
from url_viz.imaging.scan import display_name
from url_viz.imaging.uploaded_files import IncomingFile
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.tables.reader import ENCODING_TABLE, Store
from url_viz.store.tables.stored_arrow import write_cached

NAMES = ["cat/a.jpg", "cat/b.jpg", "dog/\udcff\n.jpg", "dog/c.jpg", "dog/ä.jpg", "x.jpg"]


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (columns, reading):
        monkeypatch.setattr(module, "CACHED_FROM", 1)


def read(root: Path, home: Path, *, names: list[str] = NAMES, copies: bool = True) -> ImageSet:
    """Pictures, the first two copies of each other, and a file that is none; random embeddings in a model's place."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        noise(0 if number == 1 and copies else number).save(root / name)
    (root / "broken.jpg").write_bytes(b"no picture")
    file = io.BytesIO()
    paths = [display_name(os.fsencode(name)) for name in names]
    np.savez(file, paths=np.array(paths), values=np.random.default_rng(0).normal(size=(len(names), 8)))
    return embed_folder(root, embeddings=IncomingFile("given.npz", file.getvalue()), workspace=home)


def kept_files(image_set: ImageSet) -> list[Path]:
    return sorted((image_set.workspace.root / "sets" / image_set.set_id / "derived").rglob("*.arrow"))


def again(image_set: ImageSet) -> ImageSet:
    return open_set(image_set.set_id, model=image_set.source.name, workspace=image_set.workspace)


def joined_anew(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    with monkeypatch.context() as patch:
        patch.setattr("url_viz.columns.engine.read_cached", lambda *_: None)
        anew = again(image_set)
        anew.table()
        return anew


def without_reading(monkeypatch: pytest.MonkeyPatch, *also: str) -> None:
    """Let any reading of columns from the store fail, and what else of it is named.

    But for how files are encoded, which nothing keeps besides: findings ask for it.
    """
    columns_of = Store._columns

    def read(*_: object) -> None:
        pytest.fail("the store was read")

    def read_columns(store: Store, table: str, *rest: Any) -> object:
        return columns_of(store, table, *rest) if table == ENCODING_TABLE else read()

    monkeypatch.setattr(Store, "_columns", read_columns)
    for name in also:
        monkeypatch.setattr(Store, name, read)


@pytest.mark.slow
def test_a_set_opened_from_kept_rows_is_the_same_and_reads_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(tmp_path / "zoo", tmp_path / "home")
    first.decisions.decide(first.core.ids[:2], "drop")
    expected = joined_anew(first, monkeypatch)
    table, failures, paths = expected.table(), expected.failures(), expected.core.paths_of(expected.core.ids)
    assert {file.parent.name for file in kept_files(first)} == {"rows", "own_graph_columns", "order"}
    opened = again(first)
    pd.testing.assert_frame_equal(opened.failures(), failures)
    with monkeypatch.context() as patch:
        without_reading(patch)
        opened = again(first)
        pd.testing.assert_frame_equal(opened.table(), table)
        assert opened.core.paths_of(opened.core.ids) == paths
        assert [finding.kind for finding in opened.findings()] == [finding.kind for finding in expected.findings()]
    own = opened.table()
    own.loc[0, "entropy"] = 7.0  # a copy of its own: what others see stays
    assert not (opened.table()["entropy"] == 7.0).any()


@pytest.mark.slow
def test_new_pictures_are_there_and_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    first = read(tmp_path / "zoo", tmp_path / "home")
    more = read(tmp_path / "zoo", tmp_path / "home", names=[*NAMES, "dog/new.jpg"])
    assert (len(again(first)), len(more)) == (7, 7)
    before = again(first).table()
    for path in kept_files(first):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    pd.testing.assert_frame_equal(again(first).table(), before)


@pytest.mark.slow
def test_what_is_searched_among_and_what_leads_are_kept_until_something_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [*NAMES, "cat/c.jpg", "cat/d.jpg"]
    first = read(tmp_path / "zoo", tmp_path / "home", names=names)
    found, order = first.search(int(first.core.ids[0])), first.order()
    counted: list[Order] = []

    def leading(*values: Any, **named: Any) -> Order:
        counted.append(leading_order(*values, **named))
        return counted[-1]

    monkeypatch.setattr(order_module, "leading_order", leading)
    opened = again(first)
    with monkeypatch.context() as patch:
        without_reading(patch, "whitened", "graph")
        pd.testing.assert_frame_equal(opened.search(int(first.core.ids[0])), found)
        assert (repr(opened.order()), counted) == (repr(order), [])
    opened.labels.give({int(first.core.ids[0]): "dog"})
    assert repr(opened.order()) == repr(counted[0])
    more = read(tmp_path / "zoo", tmp_path / "home", names=[*names, "dog/new.jpg"])
    assert sorted(more.search(int(more.core.ids[0]), k=99)["id"]) == sorted(more.core.ids[1:])


def test_a_large_set_is_prepared_by_its_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PREPARED_FROM", 1)
    first = read(tmp_path / "zoo", tmp_path / "home")
    assert {file.parent.name for file in kept_files(first)} == {"rows", "own_graph_columns", "order", "whitened"}


@pytest.mark.slow
def test_rows_of_another_model_that_left_are_not_taken_for_those_read_anew(tmp_path: Path) -> None:
    first = read(tmp_path / "zoo", tmp_path / "home")
    kept = tmp_path / "derived"
    shutil.copytree(first.workspace.root / "sets" / first.set_id / "derived", kept)
    before = again(first).table()["nearest_similarity"].to_numpy()
    shutil.rmtree(first.workspace.root)
    anew = read(tmp_path / "zoo", tmp_path / "home", copies=False)
    shutil.copytree(kept, anew.workspace.root / "sets" / anew.set_id / "derived", dirs_exist_ok=True)
    after = again(anew).table()
    assert len(after) == len(before)
    assert after["twin_group"].isna().all()  # the first picture is no copy of the second any more


def test_whether_a_second_model_is_asked_is_seen(
    tmp_path: Path, model: Model, second_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "zoo", 12, classes=("cat", "dog"))
    both = embed_folder(folder, model=model, also=second_model, workspace=tmp_path / "home")
    by_both = joined_anew(both, monkeypatch).table()["confusability"]
    pd.testing.assert_series_equal(again(both).table()["confusability"], by_both)
    both.core.second.enable(is_enabled=False)
    alone = again(both).table()["confusability"]
    pd.testing.assert_series_equal(alone, joined_anew(both, monkeypatch).table()["confusability"])
    assert not alone.equals(by_both)
    both.core.second.enable()
    pd.testing.assert_series_equal(again(both).table()["confusability"], by_both)


def shown(image_set: ImageSet) -> str:
    """All that is read from kept files."""
    near = image_set.search(int(image_set.core.ids[0]))
    return repr((image_set.table().to_dict(), near.to_dict(), image_set.order(), image_set.failures().to_dict()))


def other_tables(table: pa.Table) -> Iterator[pa.Table]:
    """Tables that are as valid as this one, and not what it is read for."""
    yield table.replace_schema_metadata(None)
    for name, said in (table.schema.metadata or {}).items():
        for other in (b"x", b"-1", b"9999999", b"[" * 5000, said.replace(b"confusability", b"path")):
            if other != said:
                yield table.replace_schema_metadata({**table.schema.metadata, name: other})
    if "path" not in table.column_names:  # how many of the readable files have an embedding nothing else states
        yield table.slice(1)
    yield pa.concat_tables([table, table])
    for number, field in enumerate(table.schema):
        if number % 8 == 1:  # columns are told by the schema as a whole
            yield table.remove_column(number)
        if number % 8 == 2 and field.name not in ("width", "height"):
            yield table.set_column(number, field.name, pa.nulls(len(table), field.type))
        if number % 8 == 0:
            yield table.set_column(number, field.name, pa.nulls(len(table), pa.string()))
        if pa.types.is_integer(field.type) and field.name in ("nearest", "copy_group", "twin_group", "first_class"):
            yield table.set_column(number, field, pa.array([2**31 - 1] * len(table), field.type))


@pytest.mark.slow
def test_a_kept_file_of_somebody_else_is_made_again(tmp_path: Path) -> None:
    first = read(tmp_path / "zoo", tmp_path / "home", names=[*NAMES, "cat/c.jpg", "cat/d.jpg"])
    expected = shown(first)
    assert shown(again(first)) == expected
    files = kept_files(first)
    assert len(files) >= 5
    whole = [pa.ipc.open_file(pa.py_buffer(table_bytes(file.read_bytes()))).read_all() for file in files]
    tried = 0
    for others in zip_longest(*map(other_tables, whole)):  # one of each file at a time
        put = [(file, table) for file, table in zip(files, others, strict=True) if table is not None]
        for file, table in put:
            space, _, key = file.stem.partition("-")
            write_cached(file.parent, space, key, table)
        assert shown(again(first)) == expected, [(file, table.schema) for file, table in put]
        tried += len(put)
    assert tried > 50
