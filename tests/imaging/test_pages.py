"""Pages of stacks and frames of DICOM files: counted without reading values, read one by one, listed as pictures."""

import os
import shutil
import sys
import tracemalloc
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.imaging.instruments import dicom, ring_tiff, seen, tiff, values
from url_viz.base.errors import ImageError
from url_viz.imaging.decode import decode
from url_viz.imaging.pages import MOST_PAGES, PagedFile, page_bytes, page_of, page_path, paged
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import ScannedFile
from url_viz.imaging.source import Folder, by_page, source_of

STACK = values(5, 30, 40)


@pytest.mark.parametrize("how", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"compression": "zlib"}, {"ome": True}])
def test_pages_of_a_stack_are_counted_and_read(how: dict[str, Any]) -> None:
    data = tiff(STACK, photometric="minisblack", **how)
    assert paged(BytesIO(data)) == PagedFile(5, {"pages": "5", "bits": "16", "bands": "1"})
    for number, page in enumerate(STACK, 1):
        image, _ = decode(page_bytes(data, number), rendering=Rendering(0, 4095))
        assert np.array_equal(np.asarray(image)[..., 0], seen(page))
    for number in (0, 6):
        with pytest.raises(ImageError, match=f"has no page {number}"):
            page_bytes(data, number)


def test_reduced_copies_are_no_pages_and_one_page_is_none() -> None:
    file = BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in STACK[:2]:
            writer.write(page, photometric="minisblack")
            writer.write(page[::2, ::2], photometric="minisblack", subfiletype=1)
    assert paged(BytesIO(file.getvalue())) == PagedFile(2, {"pages": "2", "bits": "16", "bands": "1"})
    second, size = decode(page_bytes(file.getvalue(), 2), rendering=Rendering(0, 4095))
    assert size == (40, 30)
    assert np.array_equal(np.asarray(second)[..., 0], seen(STACK[1]))
    assert paged(BytesIO(tiff(seen(STACK[0])))) is None
    assert paged(BytesIO(tiff(values(9, 8, 3, most=255, kind=np.uint8), photometric="rgb"))) is None
    bands = tiff(values(9, 8, 13), photometric="minisblack", planarconfig="contig")
    assert paged(BytesIO(bands)) == PagedFile(1, {"pages": "1", "bits": "16", "bands": "13"})
    few = tiff(values(9, 8, 2), photometric="minisblack", planarconfig="contig")
    assert paged(BytesIO(few)) == PagedFile(1, {"pages": "1", "bits": "16", "bands": "2"})
    assert paged(BytesIO(b"no picture")) is None


def test_a_page_keeps_colours_bits_and_what_it_says() -> None:
    colours = values(3, 20, 30, 3, most=255, kind=np.uint8)
    data = tiff(colours, photometric="rgb")
    assert np.array_equal(np.asarray(decode(page_bytes(data, 3))[0]), colours[2])
    turned = tiff(STACK, photometric="minisblack", extratags=[(274, "H", 1, 6, False), (341, "H", 1, 4095, False)])
    assert decode(page_bytes(turned, 4))[1] == (30, 40)


@pytest.mark.parametrize("last", [1, 5])
def test_directories_that_form_a_ring_and_endless_ones_are_one_failure(tmp_path: Path, last: int) -> None:
    ring = ring_tiff(STACK, last=last)
    for read in (lambda: paged(BytesIO(ring)), lambda: page_bytes(ring, 2), lambda: decode(ring)):
        with pytest.raises(ImageError, match="form a ring"):
            read()
    (tmp_path / "ring.tif").write_bytes(ring)
    assert [file.path for file in Folder(tmp_path).list().files] == [b"ring.tif"]

    directory = (0).to_bytes(2, "little")
    chain = b"".join(directory + (8 + 6 * (n + 1)).to_bytes(4, "little") for n in range(MOST_PAGES + 5))
    endless = b"II*\0" + (8).to_bytes(4, "little") + chain
    for read in (lambda: paged(BytesIO(endless)), lambda: decode(endless)):
        with pytest.raises(ImageError, match="10,001 pages"):
            read()


@pytest.mark.parametrize("place", [8, 2**31, 2**50, 2**63, 2**64 - 1])
def test_directories_beyond_the_file_are_no_pages(tmp_path: Path, place: int) -> None:
    """2**63 was found by a random change of a BigTIFF: no Python file takes it as a place."""
    data = b"II+\0\x08\0\0\0" + place.to_bytes(8, "little")
    assert paged(BytesIO(data)) is None
    with pytest.raises(ImageError):
        decode(data)
    file = tmp_path / "far.tif"
    file.write_bytes(data)
    with file.open("rb") as opened:
        assert paged(opened) is None
    assert [file.path for file in Folder(tmp_path).list().files] == [b"far.tif"]


def test_a_page_takes_no_more_calls_in_a_stack_of_many() -> None:
    def calls(pages: int) -> int:
        """Calls of Python functions for the last page, once another one was read."""
        data, counted = tiff(values(pages, 8, 8), photometric="minisblack", metadata=None), 0
        page_bytes(data, 1)

        def count(frame: FrameType, event: str, argument: object) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count)
        try:
            page_bytes(data, pages)
        finally:
            sys.setprofile(None)
        return counted

    calls(2)  # imports
    assert calls(60) <= calls(4)


def test_a_frame_takes_no_memory_for_all_others() -> None:
    frames = values(100, 64, 64)
    data = dicom(frames, frames=len(frames))
    page_bytes(data, 1)
    tracemalloc.start()
    try:
        last = page_bytes(data, len(frames))
        assert tracemalloc.get_traced_memory()[1] < len(data) / 2
    finally:
        tracemalloc.stop()
    assert np.array_equal(np.asarray(decode(last, rendering=Rendering(0, 4095))[0])[..., 0], seen(frames[-1]))


def test_paths_of_pages() -> None:
    assert page_path(b"a/stack.tif", 7) == b"a/stack.tif#7"
    assert page_of(b"a/stack.tif#7") == (b"a/stack.tif", 7)
    assert page_of(b"1.2.840.5#12") == (b"1.2.840.5", 12)
    for path in (b"a/stack.tif", b"a#1/stack.tif", b"cat.jpg#3", b"stack.tif#0", b"stack.tif#07", b"stack.tif#x"):
        assert page_of(path) is None


def test_a_folder_lists_a_picture_a_page_with_what_files_say(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "stack.tif").write_bytes(tiff(STACK[:3], photometric="minisblack"))
    (tmp_path / "single.tif").write_bytes(tiff(STACK[0]))
    (tmp_path / "IM0001").write_bytes(dicom(STACK[0], PatientID="P1", Modality="CT"))
    (tmp_path / "1.2.840.9").write_bytes(dicom(STACK[1:3], frames=2, PatientID="P2"))
    (tmp_path / "notes").write_text("no picture")
    (tmp_path / "cut.dcm").write_bytes(dicom(STACK[0])[:140])
    Image.fromarray(seen(STACK[0])).save(tmp_path / "plain.png")
    source = Folder(tmp_path, within=[tmp_path])
    found = source.list()
    assert [file.path.decode() for file in found.files] == [
        "1.2.840.9#1",
        "1.2.840.9#2",
        "IM0001",
        *(f"a/stack.tif#{number}" for number in (1, 2, 3)),
        "cut.dcm",
        "plain.png",
        "single.tif",
    ]
    assert found.columns == {
        "patient": ["P2", "P2", "P1", *[None] * 6],
        "stack": ["1.2.840.9", "1.2.840.9", None, *["a/stack.tif"] * 3, None, None, None],
        "modality": [None, None, "CT", *[None] * 6],
        "pages": ["2", "2", "1", *["3"] * 3, None, None, "1"],
        "bits": ["16"] * 6 + [None, None, "16"],
        "bands": ["1"] * 6 + [None, None, "1"],
    }
    assert found.apart == "patient"
    pages = [decode(source.read(file), rendering=Rendering(0, 4095))[0] for file in found.files[3:6]]
    assert all(np.array_equal(np.asarray(page)[..., 0], seen(one)) for page, one in zip(pages, STACK, strict=False))
    (tmp_path / "a" / "stack.tif#2").write_bytes(b"a file of that name")
    assert source.read(found.files[4]) == b"a file of that name"


@pytest.mark.parametrize("name", ["study.zip", "study.tar", "list.csv"])
def test_archives_and_lists_have_a_picture_a_page_too(tmp_path: Path, name: str) -> None:
    """Beside what a list says of each file; also by the path alone."""
    there = tmp_path / "there"
    there.mkdir()
    (there / "stack.tif").write_bytes(tiff(STACK[:3], photometric="minisblack"))
    for patient in "12":
        (there / f"IM{patient}.dcm").write_bytes(dicom(STACK[0], PatientID=f"P{patient}"))
    Image.fromarray(seen(STACK[0])).save(there / "plain.png")
    if name.endswith("csv"):
        rows = (
            f"there/{file},{number}" for number, file in enumerate(("stack.tif", "plain.png", "IM1.dcm", "IM2.dcm"))
        )
        (tmp_path / name).write_text("\n".join(["path,mine", *rows]))
    else:
        shutil.make_archive(str(tmp_path / "study"), name[-3:], there)
    source = source_of(tmp_path / name)
    found = source.list()
    paths = ["IM1.dcm", "IM2.dcm", "plain.png", *(f"stack.tif#{number}" for number in (1, 2, 3))]
    assert [os.path.basename(file.path).decode() for file in found.files] == paths
    assert (found.columns["patient"], found.apart) == (["P1", "P2", *[None] * 4], "patient")
    assert found.columns["pages"] == ["1", "1", None, "3", "3", "3"]
    if name.endswith("csv"):
        assert found.columns["mine"] == ["2", "3", "1", "0", "0", "0"]
    for file in (*found.files[3:], *(ScannedFile(one.path, 0, 0) for one in found.files[3:])):
        number = int(file.path[-1:])
        page = decode(source.read(file), rendering=Rendering(0, 4095))[0]
        assert np.array_equal(np.asarray(page)[..., 0], seen(STACK[number - 1]))
    assert len(by_page(source, is_each=False).list().files) == 4


def test_a_list_may_name_what_no_file_can_be_called(tmp_path: Path) -> None:
    (tmp_path / "stack.tif").write_bytes(tiff(STACK[:2], photometric="minisblack"))
    (tmp_path / "list.csv").write_bytes(b"path\na\0b.tif\nstack.tif\n")
    found = source_of(tmp_path / "list.csv").list()
    assert [file.path for file in found.files] == [b"a\0b.tif", b"stack.tif#1", b"stack.tif#2"]


def test_a_folder_without_pages_is_listed_as_before(tmp_path: Path) -> None:
    Image.fromarray(seen(STACK[0])).save(tmp_path / "plain.png")
    (tmp_path / "one.tif").write_bytes(tiff(seen(STACK[0])))
    found = Folder(tmp_path).list()
    assert [file.path for file in found.files] == [b"one.tif", b"plain.png"]
    assert (found.columns, found.apart) == ({}, "")


def test_one_page_of_a_file_may_stand_for_it(tmp_path: Path) -> None:
    stack = np.stack([STACK[0] // 4, STACK[1] // 2, STACK[2] // 4, STACK[3], STACK[4] // 8])
    data = tiff(stack, photometric="minisblack")
    for choice, number in (("first", 0), ("middle", 2), ("brightest", 3)):
        page = decode(data, rendering=Rendering(0, 4095, page=choice))[0]  # type: ignore[arg-type]
        assert np.array_equal(np.asarray(page)[..., 0], seen(stack[number]))
    frames = dicom(stack[2:], frames=3, PhotometricInterpretation="MONOCHROME1")
    darkest = decode(frames, rendering=Rendering(0, 4095, page="brightest"))[0]
    assert np.array_equal(np.asarray(darkest)[..., 0], 255 - seen(stack[4]))
    (tmp_path / "stack.tif").write_bytes(data)
    found = Folder(tmp_path, is_each_page=False).list()
    assert [file.path for file in found.files] == [b"stack.tif"]
    assert found.columns == {"pages": ["5"], "bits": ["16"], "bands": ["1"]}
