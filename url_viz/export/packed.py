"""Image sets written anew as WebDataset shards or Parquet files, with labels as corrected and without dropped pictures.

The bytes of a picture stay as they are, wherever it lies; an object in a picture is its crop, as PNG.
"""

import io
import os
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from url_viz.base.errors import ImageError, ImageSetError
from url_viz.base.progress import Clock
from url_viz.export.picture_files import Exported, Wanted, new_folder
from url_viz.export.table_files import as_json, column_names, plain_value
from url_viz.image_set import ImageSet
from url_viz.imaging.folder_classes import SPLIT, parted_splits
from url_viz.imaging.scan import ScannedFile, display_name
from url_viz.labels.soft import SOFT_LABEL

ROWS_PER_FILE = 1_000
ROWS_PER_GROUP = 100
"""Rows that a reader of Parquet has in memory at once; what Hugging Face advises for pictures."""
CLASSES = "classes.json"
UNSPLIT = "pictures"
_MARKS = {b"\xff\xd8": "jpg", b"\x89PNG": "png"}


@dataclass(frozen=True)
class Packed:
    """A picture to be written: bytes, file name, code of its class (−1 for none), and `facts` as JSON has them.

    `soft` are the shares of the classes in its label, where they are wanted.
    """

    data: bytes
    name: str
    code: int
    facts: Mapping[str, object]
    soft: Sequence[float] | None = None


@dataclass(frozen=True)
class Content:
    """What is written of a set: N rows of its table, their `paths`, `codes` among the `classes`, and `facts`.

    `facts` (N rows) are the columns that come along, under the names that they get; `soft` (N) the soft labels, None
    where they are not wanted.
    """

    image_set: ImageSet
    table: pd.DataFrame
    paths: Sequence[bytes]
    classes: Sequence[str]
    codes: Sequence[int]
    facts: pd.DataFrame
    soft: Sequence[Sequence[float] | None] | None = None

    def picture(self, row: int) -> Packed:
        """The picture of a row. Raises ImageError if it cannot be read."""
        files, path = self.image_set.files, self.paths[row]
        if self.image_set.is_of_objects:
            with files.open_crop(path) as file:
                data = file.read()
        else:
            data = files.source.read(ScannedFile(path, 0, 0))  # also from a bucket
        facts = {str(name): plain_value(values.iloc[row]) for name, values in self.facts.items()}
        # The ending is that of the first bytes, else the file's own.
        ending = next((ending for mark, ending in _MARKS.items() if data.startswith(mark)), None)
        ending = ending or re.sub(r"[^a-z0-9]", "", os.path.splitext(os.fsdecode(path))[1].lower()) or "img"
        soft = None if self.soft is None else self.soft[row]
        return Packed(data, f"{row:08d}.{ending}", self.codes[row], facts, soft)

    def files(self) -> Iterator[tuple[str, Sequence[int]]]:
        """The name of each file, without its ending, and its rows: those of one split, at most `ROWS_PER_FILE`.

        A picture in several splits is in a file of each.
        """

        def file_name(split: object) -> str:
            return re.sub(r"[^A-Za-z0-9]+", "_", split) if isinstance(split, str) else UNSPLIT

        rows_by_split: dict[str, list[int]] = {}
        for row, cell in enumerate(self.table.get(SPLIT, [None] * len(self.table))):
            for name in dict.fromkeys(map(file_name, parted_splits(cell))):
                rows_by_split.setdefault(name, []).append(row)
        for split, rows in sorted(rows_by_split.items()):
            for number, start in enumerate(range(0, len(rows), ROWS_PER_FILE)):
                yield f"{split}-{number:06d}", rows[start : start + ROWS_PER_FILE]


Pack = Callable[[Path, Iterable[Packed], Content], None]


def content_of(image_set: ImageSet, ids: Iterable[int] | None, *, soft: bool = False) -> Content:
    """The pictures of a set (all, or those in `ids`) that were not dropped. Raises ImageSetError if there are none."""
    table = image_set.table()
    rows = np.arange(len(table)) if ids is None else np.unique(image_set.core.rows_of(ids))
    rows = rows[image_set.core.keep_mask()[rows]]
    if not len(rows):
        raise ImageSetError(f"No picture of {str(image_set.root)!r} is to be written: all of them are dropped.")
    table = table.iloc[rows].reset_index(drop=True)
    own = [
        name for name in (SPLIT, "name", "tags") if (table.get(name, pd.Series(dtype=object)).fillna("") != "").any()
    ]
    brought = [column.name for column in image_set.columns.list()]
    names = column_names(
        list(dict.fromkeys(["path", *own, *brought])), reserved=("image", "label", "class", SOFT_LABEL)
    )
    codes, classes = pd.factorize(table["label"], sort=True)
    facts, paths = table[list(names)].rename(columns=names), image_set.core.paths_of(table["id"])
    if not soft:
        return Content(image_set, table, paths, list(map(str, classes)), codes.tolist(), facts)
    labels = image_set.labels.soft()
    codes = pd.Index(labels.classes).get_indexer(pd.Index(table["label"]))
    return Content(image_set, table, paths, labels.classes, codes.tolist(), facts, [*labels.lists(table["id"])])


def write_packed(
    wanted: Wanted,
    *,
    ending: str,
    pack: Pack,
    describe: Callable[[Path, Content], None] = lambda folder, content: None,
) -> Exported:
    """Write pictures that were not dropped to a few large files by `pack`; `describe` adds what else belongs to them.

    A file has at most `ROWS_PER_FILE` pictures of one split, with whose name it begins. Pictures that cannot be read
    are left out, and listed. Raises ImageSetError if nothing is to be written.
    """
    image_set, content = wanted.image_set, content_of(wanted.image_set, wanted.ids, soft=wanted.soft)
    written, left_out = set[int](), dict[str, str]()
    clock = Clock("share", len(content.paths))

    def pictures(rows: Iterable[int]) -> Iterator[Packed]:
        for row in rows:
            try:
                picture = content.picture(row)
            except ImageError as error:
                left_out[display_name(content.paths[row])] = str(error)
            else:
                written.add(row)
                yield picture
            wanted.progress(clock.at(len(written) + len(left_out)))

    with new_folder(wanted.out, image_set) as folder:
        for name, rows in content.files():
            pack(folder / f"{name}{ending}", pictures(rows), content)
        if not written:
            reason = next(iter(left_out.values()))
            raise ImageSetError(f"No picture of {str(image_set.root)!r} can be read: {reason}.")
        describe(folder, content)
        return wanted.done(folder, len(written), [*left_out.items()])


def write_tar(file: Path, pictures: Iterable[Packed], content: Content) -> None:
    """A WebDataset shard: of each picture its file, `.cls` (its class's number in classes.json) and `.json`.

    Times and owners are left out, so that the same pictures make the same bytes.
    """

    def add(name: str, data: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))

    with tarfile.open(file, "w") as archive:
        for picture in pictures:
            key, facts = picture.name.partition(".")[0], dict(picture.facts)
            add(picture.name, picture.data)
            if picture.code >= 0:
                add(f"{key}.cls", str(picture.code).encode())
                facts["class"] = content.classes[picture.code]
            add(f"{key}.json", as_json(facts).encode("utf-8"))


def write_classes(folder: Path, content: Content) -> None:
    """Write classes.json, the names of the classes by their numbers in `.cls`."""
    (folder / CLASSES).write_text(as_json(content.classes, indent=1) + "\n", encoding="utf-8")


def write_parquet(file: Path, pictures: Iterable[Packed], content: Content) -> None:
    """A Parquet file with the columns of `packed_schema`."""
    schema = packed_schema(content)
    rows: list[dict[str, object]] = []
    with pq.ParquetWriter(file, schema) as writer:
        for picture in pictures:
            image, code = {"bytes": picture.data, "path": picture.name}, picture.code if picture.code >= 0 else None
            soft = {} if content.soft is None else {SOFT_LABEL: picture.soft}
            rows.append({**picture.facts, "image": image, "label": code, **soft})
            if len(rows) == ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))


def packed_schema(content: Content) -> pa.Schema:
    """`image` (bytes and name), `label` (number), soft labels and facts, as Hugging Face's `datasets` knows these."""
    kinds: dict[str, pa.DataType] = {"image": pa.struct([("bytes", pa.binary()), ("path", pa.string())])}
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if content.classes:
        kinds["label"], features["label"] = pa.int64(), {"names": content.classes, "_type": "ClassLabel"}
    if content.soft is not None:
        kinds[SOFT_LABEL] = pa.list_(pa.float32())
        features[SOFT_LABEL] = {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "Sequence"}
    for name, values in content.facts.items():
        is_number = pd.api.types.is_numeric_dtype(values)
        kinds[str(name)] = pa.float64() if is_number else pa.string()
        features[str(name)] = {"dtype": "float64" if is_number else "string", "_type": "Value"}
    noted = as_json({"info": {"features": features}}).encode("utf-8")
    return pa.schema(list(kinds.items()), metadata={b"huggingface": noted})
