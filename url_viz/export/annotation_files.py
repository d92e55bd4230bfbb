"""Annotations for other programs: a set's own files with their corrections, and tasks for CVAT and Label Studio."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np
import pandas as pd

from url_viz.base.errors import FolderError, ImageError, ImageSetError
from url_viz.base.wording import command, counted, first_of, one_line
from url_viz.export.picture_files import Wanted, new_folder
from url_viz.export.selection import leading_first
from url_viz.export.table_files import as_json, plain_value, write_table
from url_viz.findings.object_findings import double_boxes
from url_viz.image_set import ImageSet
from url_viz.imaging.annotations.formats import format_of
from url_viz.imaging.decode import EMPTY, read_file
from url_viz.imaging.places import PictureSize, Size, picture_path
from url_viz.imaging.scan import display_name
from url_viz.imaging.source import Objects
from url_viz.imaging.workers import decoders
from url_viz.labels.ambiguity import question_of
from url_viz.labels.label_choice import relabelled
from url_viz.store.about import embed_command
from url_viz.store.columns.source_columns import BOX_COLUMNS, BOX_IS_WRONG, CLASS
from url_viz.store.decisions.decision_rows import tags_of

REDRAW = "to_redraw.csv"
LOST = (
    "Objects taken out stay visible in their pictures: a detector learns them as background. Where they are real, "
    "leave out the whole pictures, which `url-viz export table FOLDER dropped.csv --decision drop` lists."
)
Changes = Mapping[bytes, dict[int, str | None]]
"""What changes in each file, by its path in the copy: the new class at a place, None for an object that goes."""


@dataclass(frozen=True)
class AnnotationCopy:
    """How many files were written to `out`, classes corrected, objects dropped, and boxes are to be drawn again.

    `lost` are the dropped objects that have no box any more.
    """

    out: Path
    files: int
    corrected: int
    dropped: int
    to_redraw: int
    lost: int

    @property
    def words(self) -> tuple[str, ...]:
        changed = f"{counted(self.corrected, 'class')} corrected, {counted(self.dropped, 'object')} taken out"
        sentence = (
            f"{counted(self.files, 'file')} in {str(self.out)!r}: {changed}; all else byte for byte, no pictures."
        )
        redraw = f"{counted(self.to_redraw, 'box is', 'boxes are')} to be drawn again: {REDRAW}."
        return (sentence, *([LOST] if self.lost else []), *([redraw] if self.to_redraw else []))


def write_annotations(wanted: Wanted) -> AnnotationCopy:
    """Write a set's own annotation files to the new folder, corrected, and the list `REDRAW` where a box is wrong.

    Raises ImageSetError for a selection, for a class that has no number, and for files that have changed since they
    were read.
    """
    image_set = wanted.image_set
    if wanted.ids is not None:
        raise ImageSetError("Annotation files are written whole. Leave out what selects objects.")
    changed, redraw = _changed(image_set), image_set.objects.to_redraw()
    source = Objects(image_set.root, image_set.within)
    changes = _by_file(image_set, source, changed)
    unnumbered = sorted(
        {label for label in changed.values() if label is not None} - {*source.annotations.names.values()}
    )
    if unnumbered and format_of(source.annotations).numbers_classes:
        theirs = image_set.core.paths_of([image_id for image_id, label in changed.items() if label in unnumbered])
        have, it = ("have no number", "them") if len(unnumbered) > 1 else ("has no number", "it")
        raise ImageSetError(
            f"{', '.join(map(repr, unnumbered))} {have} in {source.root.name!r}. Add {it} to the classes there and "
            f"read it again ({embed_command(source.root)}), or give another class to "
            f"{first_of([*map(display_name, theirs)])}."
        )
    count = 0
    with new_folder(wanted.out, image_set) as folder:
        for path, data in _edited(source, changes):
            target = folder / os.fsdecode(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
            count += 1
        if len(redraw):
            write_table(redraw, folder / REDRAW)
    dropped = list(changed.values()).count(None)
    lost = lost_objects(image_set.table())
    return AnnotationCopy(wanted.out, count, len(changed) - dropped, dropped, len(redraw), lost)


def lost_objects(table: pd.DataFrame) -> int:
    """How many dropped objects have no box any more: of two boxes on one object the other one may stay."""
    is_dropped = np.array(table["decision"] == "drop")
    for group in double_boxes(table):
        is_dropped[group] &= is_dropped[group].all()
    return int(is_dropped.sum())


def _changed(image_set: ImageSet) -> dict[int, str | None]:
    """The class of each corrected object by its id, None for a dropped one."""
    table = image_set.table()
    is_dropped = (table["decision"] == "drop").to_numpy(bool)
    is_changed = is_dropped | relabelled(table)
    if is_changed.any() and image_set.labels.chosen != CLASS:
        raise ImageSetError(
            "Labels are not the classes of the annotations now. Choose these: "
            f"`{command('labels', 'use', image_set.root, CLASS)}`."
        )
    labels = table["label"].where(~is_dropped, None)
    return dict(zip(table["id"][is_changed].tolist(), labels[is_changed].tolist(), strict=True))


def _by_file(image_set: ImageSet, source: Objects, changed: Mapping[int, str | None]) -> Changes:
    """Raises ImageSetError for an object that does not stand in its file as it was read."""
    facts = source.facts if changed else {}
    boxes = image_set.table().set_index("id").loc[[*changed]].reindex(columns=[CLASS, *BOX_COLUMNS[:4]])
    by_file: dict[bytes, dict[int, str | None]] = {}
    gone = []
    for before, (image_id, label) in zip(boxes.itertuples(index=False, name=None), changed.items(), strict=True):
        picture, item, place = facts.get(image_id, (None, None, None))
        if picture is None or item is None or place is None or before != (item.label, *place.box):
            gone.append(image_id)
        elif by_file.setdefault(picture.file, {}).setdefault(item.place, label) != label:
            raise ImageSetError(
                f"The line of {display_name(place.path)!r} is that of another picture, too, and what became of the two "
                "differs. Decide the same of both."
            )
    if gone:
        raise ImageSetError(
            f"{counted(len(gone), 'corrected or dropped object')} stand differently in the files now than when they "
            f"were read: {first_of([display_name(path) for path in image_set.core.paths_of(gone)])}. Read them again: "
            f"{embed_command(image_set.root)}."
        )
    return by_file


def _edited(source: Objects, changes: Changes) -> Iterator[tuple[bytes, bytes]]:
    """Each annotation file's path in the copy and its new bytes. Raises FolderError for a file that is gone."""
    annotations, written_as = source.annotations, format_of(source.annotations)
    numbers = {name: number for number, name in reversed([*annotations.names.items()])}  # of two, the first
    for path, place in written_as.files(source.root, annotations):
        try:
            data = read_file(place, within=source.within)
        except ImageError as error:
            if str(error) != EMPTY:
                raise FolderError(f"{display_name(place)!r} {error}. Read the annotations again.") from error
            data = b""
        edits = changes.get(path)
        yield path, written_as.edited(data, edits, numbers) if edits else data


MEDIA = "images"
IMAGE, LABEL, CHOICE = "image", "label", "choice"
SELECTED, WRONG = "selected", "box_is_wrong"
"""Attributes of boxes: selected, unlike the others in their pictures; wrong by a review, so to be drawn again."""
_CHECKBOX = {"mutable": False, "input_type": "checkbox", "default_value": "false", "values": ["false"]}
FACTS = ("path", "label", "first_class", "first_share", "second_class", "second_share", "ambiguity")
"""Columns that come with a whole picture, beside its question and its place in the order."""


@dataclass(frozen=True)
class BoxedPicture:
    """A picture: its `file` in the data set, its upright `size` (width, height), its `objects` as rows of the table.

    Their columns `selected` and `box_is_wrong` are there where these hold for some.
    """

    file: str
    size: Size
    objects: pd.DataFrame

    def boxes(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        """Each object's row, and its box cut to the picture: left, top, right, bottom in pixels."""
        for row in self.objects.to_dict("records"):
            x, y, width, height = (float(row[name]) for name in BOX_COLUMNS[:4])
            across, down = self.size
            ends = max(0.0, x), max(0.0, y), min(float(across), x + width), min(float(down), y + height)
            yield {str(name): value for name, value in row.items()}, ends

    def labelled(self) -> Iterator[tuple[dict[str, Any], tuple[float, float, float, float]]]:
        return (
            (row, ends) for row, ends in self.boxes() if isinstance(row["label"], str) and row["decision"] != "drop"
        )


def by_picture(paths: Sequence[bytes]) -> dict[bytes, list[int]]:
    """The rows of the objects in each picture, by the picture's path; `paths` are those of the objects."""
    rows: dict[bytes, list[int]] = {}
    for row, path in enumerate(paths):
        rows.setdefault(picture_path(path), []).append(row)
    return rows


def size_of(image_set: ImageSet, path: bytes) -> Size:
    """Width and height of an object's picture, upright. Raises ImageError as `SetFiles.open` does."""
    with image_set.files.open(path) as file:
        return PictureSize(*decoders.header_of(file.read())).upright


def describe_for_cvat(wanted: Wanted, folder: Path, pictures: Sequence[BoxedPicture]) -> None:
    """Write annotations.xml, a box for each object that has a class and is not dropped, and labels.json, the classes.

    Attributes of boxes are SELECTED, where only some objects were, and WRONG, where some boxes are.
    """
    marks = [mark for mark in (SELECTED, WRONG) if any(mark in picture.objects for picture in pictures)]
    attributes = [{"name": mark, **_CHECKBOX} for mark in marks]
    _write_labels(folder, wanted.image_set.labels.classes(), "rectangle", attributes)
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    for number, picture in enumerate(pictures):
        width, height = map(str, picture.size)
        image = SubElement(root, "image", id=str(number), name=Path(picture.file).name, width=width, height=height)
        for row, ends in picture.labelled():
            corners = {name: f"{end:.2f}" for name, end in zip(("xtl", "ytl", "xbr", "ybr"), ends, strict=True)}
            box = SubElement(image, "box", {"label": row["label"], "occluded": "0", "z_order": "0", **corners})
            for mark in marks:
                SubElement(box, "attribute", name=mark).text = str(row[mark]).lower()
    _write_xml(root, folder / "annotations.xml")


def describe_for_label_studio(wanted: Wanted, folder: Path, pictures: Sequence[BoxedPicture]) -> None:
    """Write tasks.json, a task for each picture with its boxes as a prediction, and interface.xml, the classes.

    The `meta` of a box has SELECTED and WRONG as in `describe_for_cvat`, and a note where it is wrong. Pictures are
    addressed in a local storage whose document root is the folder above `folder`.
    """
    version = f"url-viz {wanted.origin.version}"
    tasks = [_task(picture, f"{folder.name}/{picture.file}", version) for picture in pictures]
    (folder / "tasks.json").write_text(as_json(tasks, indent=1), "utf-8")
    view = Element("View")
    SubElement(view, "Image", name=IMAGE, value="$image")
    labels = SubElement(view, "RectangleLabels", name=LABEL, toName=IMAGE)
    for name in wanted.image_set.labels.classes():
        SubElement(labels, "Label", value=name)
    _write_xml(view, folder / "interface.xml")


def in_order(image_set: ImageSet, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the set's table, the most ambiguous by the leading order first, with their place as `order` (from 1)."""
    return leading_first(image_set, table).assign(order=range(1, len(table) + 1))


def numbered_places(image_set: ImageSet, table: pd.DataFrame, paths: list[bytes]) -> list[bytes]:
    """Names of pictures that begin with their place in the order: CVAT sorts pictures by name."""
    order = in_order(image_set, table)["order"].reindex(table.index)
    digits = len(str(len(table)))
    return [b"%0*d-%s" % (digits, place, path.rpartition(b"/")[2]) for place, path in zip(order, paths, strict=True)]


def classes_to_choose(image_set: ImageSet) -> list[str]:
    """The classes that a whole picture may get. Raises ImageSetError if the set has none."""
    classes = sorted({*map(one_line, image_set.labels.classes())})
    if not classes:
        raise ImageSetError(
            f"{str(image_set.root)!r} has no classes to choose from. Name some pictures, or say what the label is: "
            f"`{command('labels', 'use', image_set.root, 'COLUMN')}`."
        )
    return classes


def tags_for_cvat(wanted: Wanted, folder: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Write annotations.xml, the likeliest class of each whole picture as a tag, and labels.json, the classes.

    FACTS are attributes of the tag, which labels.json declares.
    """
    facts = [*FACTS, "order"]
    attribute = {"mutable": False, "input_type": "text", "default_value": "", "values": [""]}
    attributes = [{"name": fact, **attribute} for fact in facts]
    _write_labels(folder, classes_to_choose(wanted.image_set), "tag", attributes)
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    pictures = in_order(wanted.image_set, table.assign(file=names)).to_dict("records")
    for number, row in enumerate(pictures):
        width, height = str(row["width"]), str(row["height"])
        image = SubElement(root, "image", id=str(number), name=row["file"], width=width, height=height)
        if (chosen := _likeliest(row)) is None:
            continue
        tag = SubElement(image, "tag", label=chosen, source="auto")
        for name, value in _facts(row).items():
            if name in facts:
                SubElement(tag, "attribute", name=name).text = str(value)
    _write_xml(root, folder / "annotations.xml")


def _write_labels(folder: Path, classes: Sequence[str], kind: str, attributes: Sequence[Mapping[str, object]]) -> None:
    labels = [{"name": name, "type": kind, "attributes": attributes} for name in classes]
    (folder / "labels.json").write_text(as_json(labels, indent=1), "utf-8")


def choices_for_label_studio(wanted: Wanted, folder: Path, table: pd.DataFrame, names: list[str]) -> None:
    """Write tasks.json, a task for each whole picture, the most ambiguous first, and interface.xml, the classes.

    A task predicts the likeliest class, with its share as score; its data are the question and FACTS. Addresses are as
    in `describe_for_label_studio`.
    """
    classes, version = classes_to_choose(wanted.image_set), f"url-viz {wanted.origin.version}"
    tasks = []
    for row in in_order(wanted.image_set, table.assign(file=names)).to_dict("records"):
        data = {IMAGE: _address(f"{folder.name}/{MEDIA}/{row['file']}"), **_facts(row)}
        tasks.append({"data": data, "predictions": _predictions(row, version)})
    (folder / "tasks.json").write_text(as_json(tasks, indent=1), "utf-8")
    view = Element("View")
    SubElement(view, "Header", value="$question")
    SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
    choices = SubElement(
        view, "Choices", name=CHOICE, toName=IMAGE, choice="single", showInline="true", required="true"
    )
    for name in classes:
        SubElement(choices, "Choice", value=name)
    _write_xml(view, folder / "interface.xml")


def _likeliest(row: Mapping[Any, Any]) -> str | None:
    """The likeliest class, else the one that the picture has."""
    likeliest = next((row[name] for name in ("first_class", LABEL) if isinstance(row.get(name), str)), None)
    return None if likeliest is None else one_line(likeliest)


def _facts(row: Mapping[Any, Any]) -> dict[str, object]:
    """A picture's question, "leek or onion? Labelled leek.", its place in the order, and those of FACTS that it has."""
    likeliest, label = _likeliest(row), row.get(LABEL)
    question = question_of({str(name): value for name, value in row.items()}) or (
        f"{likeliest}?" if likeliest else "Which class?"
    )
    question = one_line(f"{question} Labelled {label}." if isinstance(label, str) else question)
    facts = {name: _rounded(row.get(name)) for name in FACTS}
    plain = {name: one_line(fact) if isinstance(fact, str) else fact for name, fact in facts.items()}
    return {"question": question, "order": row["order"]} | {n: fact for n, fact in plain.items() if fact is not None}


def _rounded(value: object) -> object:
    plain = plain_value(value)
    return round(plain, 4) if isinstance(plain, float) else plain


def _predictions(row: Mapping[Any, Any], version: str) -> list[dict[str, object]]:
    chosen = _likeliest(row)
    if chosen is None:
        return []
    result = {"id": str(row["id"]), "type": "choices", "from_name": CHOICE, "to_name": IMAGE}
    share = _rounded(row.get("first_share"))
    scored = {} if share is None else {"score": share}
    return [{"model_version": version, **scored, "result": [{**result, "value": {"choices": [chosen]}}]}]


def _address(path: str) -> str:
    return f"/data/local-files/?d={quote(path)}"


def _write_xml(root: Element, path: Path) -> None:
    ElementTree(root).write(path, encoding="utf-8", xml_declaration=path.name == "annotations.xml")


def with_wrong_boxes(table: pd.DataFrame) -> pd.DataFrame:
    """Objects with the column WRONG, if the box of any of them is wrong by a review."""
    is_wrong = [BOX_IS_WRONG in tags_of(tags) for tags in table["tags"]]
    return table.assign(**{WRONG: is_wrong}) if any(is_wrong) else table


def _task(picture: BoxedPicture, path: str, version: str) -> dict[str, object]:
    width, height = picture.size
    results = []
    for row, (left, top, right, bottom) in picture.labelled():
        meta = {name: plain_value(row[name]) for name in ("ambiguity", SELECTED, WRONG) if name in row}
        if row.get(WRONG):
            meta["text"] = [BOX_IS_WRONG]  # which Label Studio shows beside the box
        shares = left / width, top / height, (right - left) / width, (bottom - top) / height
        percent = {
            name: round(100 * share, 4) for name, share in zip(("x", "y", "width", "height"), shares, strict=True)
        }
        results.append(
            {
                "id": str(row["id"]),
                "type": "rectanglelabels",
                "from_name": LABEL,
                "to_name": IMAGE,
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {**percent, "rotation": 0, "rectanglelabels": [row["label"]]},
                "meta": meta,
            }
        )
    return {"data": {IMAGE: _address(path)}, "predictions": [{"model_version": version, "result": results}]}
