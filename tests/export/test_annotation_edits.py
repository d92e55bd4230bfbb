"""Edits of annotation files: nothing but the classes and objects that change differs, whatever the text looks like."""

import codecs
import json
import re
from collections.abc import Sequence
from typing import ClassVar
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from url_viz.base.errors import FolderError
from url_viz.imaging.annotations.annotation_format import Changes
from url_viz.imaging.annotations.coco import Coco
from url_viz.imaging.annotations.labelme import LabelMe
from url_viz.imaging.annotations.voc import Voc
from url_viz.imaging.annotations.yolo import Yolo

BLANK = st.text(" \t\n\r", max_size=3)
WHAT = st.sampled_from(["keep", "drop", "cat", "dog", "ä & <ö>"])
"""What becomes of an object: it stays, goes, or gets a class."""


def changes_of(what: Sequence[str], *, first: int) -> Changes:
    return {at: None if one == "drop" else one for at, one in enumerate(what, first) if one != "keep"}


def assert_lists(text: str, head: str, parts: Sequence[str], tail: str) -> None:
    """Between a head and a tail stand these parts with a comma each, whatever the blanks around them."""
    between = r"[ \t\n\r]*"
    middle = f"{between},{between}".join(map(re.escape, parts))
    assert re.fullmatch(f"{re.escape(head)}{between}{middle}{between}{re.escape(tail)}", text)


class TestYolo:
    """A line an object."""

    NUMBERS: ClassVar = {"cat": "0", "dog": "17", "ä & <ö>": "2"}
    LINE = st.tuples(
        st.text(" \t", max_size=2),
        st.sampled_from(["0", "17"]),
        st.sampled_from([" .5 .5 .1 .1", "\t1 0  17 4 \t"]),
        st.sampled_from(["\n", "\r\n", "\r"]),
        WHAT,
    )

    @given(st.lists(LINE), st.sampled_from([b"", codecs.BOM_UTF8]))
    def test_all_but_the_class_stays(self, lines: list[tuple[str, str, str, str, str]], mark: bytes) -> None:
        data = mark + "".join(f"{before}{number}{after}{end}" for before, number, after, end, _ in lines).encode()
        left = [line for line in lines if line[-1] != "drop"]
        changed = (f"{before}{self.NUMBERS.get(what, number)}{after}{end}" for before, number, after, end, what in left)
        expected = mark + "".join(changed).encode()
        assert Yolo().edited(data, {}, self.NUMBERS) == data
        assert Yolo().edited(data, changes_of([what for *_, what in lines], first=1), self.NUMBERS) == expected

    def test_comments_odd_bytes_and_a_last_line_without_end_stay(self) -> None:
        data = b"# \xff note\r\n\r\n0 .5 .5 .1 .1\n7 1 1 1 1 # \xc3\n0 .1 .1 .1 .1"
        expected = b"# \xff note\r\n\r\n17 .5 .5 .1 .1\n7 1 1 1 1 # \xc3\n"
        assert Yolo().edited(data, {3: "dog", 5: None}, self.NUMBERS) == expected


class TestCoco:
    """The number in an entry, or the entry with one comma."""

    NUMBERS: ClassVar = {"cat": "1", "dog": '"dog"', "ä & <ö>": "3e0"}
    HEAD = """{"images":[{"annotations" : [7]}],"annotations":[8],
        "categories": [ {"name":"cat","id":1}, 5, {"id" : "dog", "name":"dog"}, {"id":3e0,"name":"ä & <ö>"}], """
    TAIL = ', "annotations ": [9]}\n'
    ENTRY = st.tuples(st.sampled_from(["1", '"dog"', "1.0", "null"]), BLANK, BLANK, WHAT)

    @staticmethod
    def entry(number: str, place: int) -> str:
        text = '{"a":{"category_id":9}, "category_id":8, "note":"]}\\",{ö", "category_id" : NUMBER,\n"id":PLACE}'
        return text.replace("NUMBER", number).replace("PLACE", str(place))

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    @given(st.lists(ENTRY))
    def test_all_but_the_number_stays(self, encoding: str, entries: list[tuple[str, str, str, str]]) -> None:
        listed = ",".join(
            f"{before}{self.entry(number, place)}{after}" for place, (number, before, after, _) in enumerate(entries)
        )
        data = f'{self.HEAD}"annotations" :\t[{listed}]{self.TAIL}'.encode(encoding)
        assert Coco().edited(data, {}, {}) == data
        kept = [
            self.entry(self.NUMBERS.get(what, number), place)
            for place, (number, _, _, what) in enumerate(entries)
            if what != "drop"
        ]
        result = Coco().edited(data, changes_of([what for *_, what in entries], first=0), {}).decode(encoding)
        assert_lists(result, f'{self.HEAD}"annotations" :\t[', kept, f"]{self.TAIL}")
        assert json.loads(result)["annotations"] == [json.loads(text) for text in kept]

    def test_the_comma_that_goes_is_that_before_the_entry(self) -> None:
        text = '{"categories": [], "annotations": [\n  {"id": 1},\n  {"id": 2},\n  {"id": 3}\n]}'
        for gone, left in ((0, "{2},\n  {3}"), (1, "{1},\n  {3}"), (2, "{1},\n  {2}")):
            expected = '{"categories": [], "annotations": [\n  ' + left.replace("{", '{"id": ') + "\n]}"
            assert Coco().edited(text.encode(), {gone: None}, {}).decode() == expected

    def test_a_text_that_cannot_be_written_back_is_refused(self) -> None:
        text = '{"categories": [], "annotations": [1]}'
        with pytest.raises(FolderError, match="not in UTF-8"):
            Coco().edited(text.encode("utf-16"), {0: None}, {})


class TestVoc:
    """The text of a name, or the element with the blanks before it."""

    NAME = st.sampled_from(["cat", "d&amp;g", "<![CDATA[c<t]]>", "c<!-- no -->at", " cat "])
    OBJECT = st.tuples(
        BLANK, NAME, st.sampled_from(["", "<!-- a --><b/>", "<part><name>x</name></part>", "\n<?p q?>"]), WHAT
    )

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1"])
    @given(st.lists(OBJECT), st.booleans())
    def test_all_but_the_name_stays(
        self, encoding: str, objects: list[tuple[str, str, str, str]], is_declared: bool
    ) -> None:
        declared = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
        head = declared if is_declared or "8859" in encoding else ""
        head += "<annotation>\n<x>\n</x>\n<!-- <object><name>no</name></object> -->ö"
        whole, changed = head, head
        for before, name, inside, what in objects:
            new = name if what == "keep" else escape(what)
            whole += f'{before}<object a=">">{inside}<name >{name}</name>\n<name>second</name></object >'
            if what != "drop":
                changed += f'{before}<object a=">">{inside}<name >{new}</name>\n<name>second</name></object >'
        whole, changed = whole + "\n</annotation>\n", changed + "\n</annotation>\n"
        data = whole.encode(encoding)
        assert Voc().edited(data, {}, {}) == data
        result = Voc().edited(data, changes_of([what for *_, what in objects], first=1), {})
        assert result == changed.encode(encoding)
        names = [what if what != "keep" else None for *_, what in objects if what != "drop"]
        read = [one.findtext("name") for one in ET.fromstring(result).iter("object")]
        assert all(found == name for found, name in zip(read, names, strict=True) if name is not None)

    def test_a_name_that_the_encoding_lacks_is_written_as_a_reference(self) -> None:
        data = b'<?xml version="1.0" encoding="ascii"?><a><object><name>cat</name></object></a>'
        result = Voc().edited(data, {1: "猫"}, {})
        assert result == data.replace(b"cat", b"&#29483;")
        assert ET.fromstring(result).findtext("object/name") == "猫"

    def test_an_object_in_one_that_goes_goes_with_it(self) -> None:
        data = (
            b"<a> <object><name>cat</name><object><name>dog</name></object></object><object><name>x</name></object></a>"
        )
        assert Voc().edited(data, {1: None, 2: "cow", 3: "y"}, {}) == b"<a><object><name>y</name></object></a>"


class TestLabelMe:
    """The text of a label, or the shape with one comma; points and the picture's data stay."""

    SHAPE = st.tuples(
        BLANK, st.sampled_from(["cat", "d\\u00f6g"]), st.sampled_from(["[[1,2],[3.50, 4e0]]", "[]"]), WHAT
    )

    @given(st.lists(SHAPE), st.booleans())
    def test_all_but_the_label_stays(self, shapes: list[tuple[str, str, str, str]], is_ascii: bool) -> None:
        def written(before: str, label: str, points: str) -> str:
            return f'{before}{{"flags":{{"label":9}}, "label" : "{label}",\n"points":{points}}}'

        head = '{"version": "5", "note": {"shapes": [7]}, "shapes" :' + ("" if is_ascii else " \n") + "["
        tail = '], "imageData": "AAAA=="' + ("" if is_ascii else ', "ö": 1') + "}"
        data = (head + ",".join(written(*one[:3]) for one in shapes) + tail).encode()
        assert LabelMe().edited(data, {}, {}) == data
        left = [
            written("", label if what == "keep" else json.dumps(what, ensure_ascii=is_ascii)[1:-1], points)
            for _, label, points, what in shapes
            if what != "drop"
        ]
        result = LabelMe().edited(data, changes_of([what for *_, what in shapes], first=0), {}).decode()
        assert_lists(result, head, left, tail)
        assert json.loads(result)["shapes"] == [json.loads(text) for text in left]
