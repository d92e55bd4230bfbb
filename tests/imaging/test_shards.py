"""Archives, Parquet and Arrow files, lists and Datasets as sources: the same pictures as in a folder."""

import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.imaging.instruments import seen, values
from tests.imaging.pictures import encoded, noise
from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.containers.archives import CLASS, _members
from url_viz.imaging.containers.picture_lists import Listing
from url_viz.imaging.containers.python_dataset import open_dataset
from url_viz.imaging.containers.shards import Shards, is_sharded
from url_viz.imaging.decode import decode
from url_viz.imaging.folder_classes import SPLIT, find_classes
from url_viz.imaging.rendering import Rendering
from url_viz.imaging.scan import ScannedFile
from url_viz.imaging.source import Folder, Source, preview_folder, source_of

PICTURES = {
    f"{name}/{n}.png": encoded(noise(n + 10 * k, width=9, height=8)) for k, name in enumerate("ab") for n in range(5)
}
NAMES = sorted(PICTURES)
LABELS = [name[0] for name in NAMES]


def readable(source: Source) -> dict[bytes, bytes]:
    """What can be read of a source; anything but an ImageError is a failure of the test."""
    read = {}
    for file in source.list().files:
        with suppress(ImageError):
            read[file.path] = source.read(file)
    return read


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], *, kind: int = tarfile.DEFAULT_FORMAT) -> Path:
    with tarfile.open(path, "w", format=kind) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_zip(path: Path, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("__MACOSX/a/._0.png", b"shadow")
        archive.writestr("a/notes.md", b"not a picture")
        for name, data in PICTURES.items():
            archive.writestr(name, data)
    return path


def table(*, names: list[str] | None = None) -> pa.Table:
    """Pictures as Hugging Face `datasets` writes them, classes by code if `names` are given."""
    labels = pa.array(LABELS if names is None else [names.index(label) for label in LABELS])
    images = pa.array([{"bytes": PICTURES[name], "path": name} for name in NAMES])
    made = pa.table({"image": images, "label": labels, "width_m": pa.array([0.5] * len(NAMES))})
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": names}}
    return (
        made
        if names is None
        else made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    )


def write_arrow(path: Path, made: pa.Table, *, is_file: bool = False) -> Path:
    with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(str(path), made.schema) as writer:
        writer.write_table(made, max_chunksize=3)
    return path


def write_parquet(path: Path, made: pa.Table, *, group: int = 4) -> Path:
    pq.write_table(made, path, row_group_size=group)
    return path


MADE: dict[str, Callable[[Path], Path]] = {
    "tar": lambda at: write_tar(at / "p.tar", PICTURES.items()),
    "zip": lambda at: write_zip(at / "p.zip"),
    "stored zip": lambda at: write_zip(at / "p.ZIP", method=zipfile.ZIP_STORED),
    "parquet": lambda at: write_parquet(at / "p.parquet", table()),
    "one row group": lambda at: write_parquet(at / "p.parquet", table(names=["a", "b"]), group=1000),
    "bytes alone": lambda at: write_parquet(
        at / "p.parquet", pa.table({"data": [PICTURES[n] for n in NAMES], "label": LABELS})
    ),
    "arrow stream": lambda at: write_arrow(at / "p.arrow", table(names=["a", "b"])),
    "arrow file": lambda at: write_arrow(at / "p.arrow", table(), is_file=True),
}


@pytest.mark.parametrize("made", MADE.values(), ids=MADE)
def test_pictures_and_classes_are_those_of_a_folder(tmp_path: Path, made: Callable[[Path], Path]) -> None:
    root = made(tmp_path)
    source = source_of(root)
    found = source.list()
    read = [source.read(file) for file in found.files]
    assert read == [PICTURES[name] for name in NAMES]
    anew = source_of(root)  # as a view that knows a path alone
    assert [anew.read(ScannedFile(file.path, 0, 0)) for file in reversed(found.files)] == read[::-1]
    by_folder = find_classes([file.path for file in found.files]).class_names
    assert list(found.columns.get(CLASS, by_folder)) == LABELS
    assert next(iter(preview_folder(root))).objects.endswith("read without unpacking")


def test_a_zip_of_class_folders_has_the_ids_of_the_folder(tmp_path: Path) -> None:
    for name, data in PICTURES.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    ids = [
        [file.id for file in source_of(root).list().files]
        for root in (tmp_path / "folder", write_zip(tmp_path / "p.zip"))
    ]
    assert ids[0] == ids[1]


def test_samples_of_webdataset_share_what_stands_beside_them(tmp_path: Path) -> None:
    data = PICTURES[NAMES[0]]
    shards = tmp_path / "wds"
    shards.mkdir()
    write_tar(
        shards / "train-000.tar",
        [
            ("0.left.png", data),
            ("0.cls", b" 7\n"),
            ("0.right.png", data),
            ("1.png", data),
            ("1.json", b'{"who": "me", "n": 2, "x": [1]}'),
        ],
    )
    write_tar(shards / "val-000.tar", [("0.cls", b"8"), ("0.png", data), ("0.json", b"{broken")])
    found = source_of(shards).list()
    assert [file.path for file in found.files] == [
        *(b"train-000.tar/0.left.png", b"train-000.tar/0.right.png", b"train-000.tar/1.png", b"val-000.tar/0.png")
    ]
    assert found.columns == {
        SPLIT: ["train", "train", "train", "val"],
        CLASS: ["7", "7", None, "8"],
        "who": [None, None, "me", None],
        "n": [None, None, 2, None],
    }
    assert find_classes([file.path for file in found.files]).class_level is None  # shards are no classes


@given(
    names=st.lists(st.text("ab/é.", min_size=1, max_size=130).map(lambda name: f"{name}.png"), min_size=1, max_size=6),
    kind=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_members_are_those_that_tarfile_lists(names: list[str], kind: int) -> None:
    with TemporaryFile() as file:
        with suppress(ValueError), tarfile.open(fileobj=file, mode="w", format=kind) as archive:  # too long for USTAR
            for number, name in enumerate(names):
                info = tarfile.TarInfo(name)
                info.size = 300 * number
                archive.addfile(info, io.BytesIO(b"x" * info.size))
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            listed = [(os.fsencode(one.name), one.size, one.offset_data) for one in archive]
        assert [member[:3] for member in _members(file)] == listed


def test_links_in_a_tar_are_the_pictures_that_they_stand_for_and_what_else_is_none_is_a_row(tmp_path: Path) -> None:
    """tar packs a picture of two names as one file and a hard link, whichever it meets first."""
    path = write_tar(tmp_path / "p.tar", [("in/a.png", PICTURES[NAMES[0]])])
    with tarfile.open(path, "a") as archive:
        for name, kind, target in (
            ("in/hard.png", tarfile.LNKTYPE, "in/a.png"),
            ("in/soft.png", tarfile.SYMTYPE, "./a.png"),
            ("up/soft.png", tarfile.SYMTYPE, "../in/hard.png"),
            ("up/again.png", tarfile.SYMTYPE, "soft.png"),
            ("up/itself.png", tarfile.SYMTYPE, "itself.png"),
            ("up/gone.png", tarfile.SYMTYPE, "gone/a.png"),
            ("up/out.png", tarfile.SYMTYPE, "../../in/a.png"),
            ("up/root.png", tarfile.SYMTYPE, "/in/a.png"),
            ("../out.png", tarfile.LNKTYPE, "in/a.png"),
            ("up/pipe.png", tarfile.FIFOTYPE, ""),
            ("up/folder.png", tarfile.DIRTYPE, ""),
            ("in/a.cls", tarfile.LNKTYPE, "in/a.png"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    source = Shards(path)
    listed, whys = source.list(), {}
    for file in listed.files:
        try:
            source.read(file)
        except ImageError as error:
            whys[file.path] = str(error)
    same = [b"in/a.png", b"in/hard.png", b"in/soft.png", b"up/again.png", b"up/soft.png"]
    assert readable(source) == dict.fromkeys(same, PICTURES[NAMES[0]])
    link = "is a link to what is no picture of this archive: pack the file itself (tar --dereference)"
    assert whys == {
        **dict.fromkeys((b"up/itself.png", b"up/gone.png", b"up/out.png", b"up/root.png"), link),
        b"../out.png": "has a path that leads out of the archive",
        b"up/pipe.png": "is a device or a pipe, not a file",
    }
    assert not listed.columns


def test_a_damaged_header_in_the_middle_is_a_row(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "p.tar", PICTURES.items())
    data = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        third = archive.getmembers()[2].offset
    data[third : third + 4] = b"????"
    path.write_bytes(data)
    source = Shards(path)
    files = source.list().files
    assert len(files) == 3
    with pytest.raises(ImageError, match=r"damaged after 2 pictures"):
        source.read(next(file for file in files if file.path.endswith(b"/")))


def test_a_folder_with_pictures_and_an_archive_stays_a_folder(tmp_path: Path) -> None:
    write_zip(tmp_path / "backup.zip")
    assert is_sharded(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(PICTURES[NAMES[0]])
    assert isinstance(source_of(tmp_path), Folder)


def test_a_data_set_saved_by_hugging_face_is_the_files_that_it_lists(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        write_arrow(tmp_path / split / "data-00000-of-00001.arrow", table(names=["a", "b"]))
        write_arrow(tmp_path / split / "left-over.arrow", table())
        (tmp_path / split / "state.json").write_text(
            json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]})
        )
    found = source_of(tmp_path).list()
    assert len(found.files) == 2 * len(NAMES)
    assert list(find_classes([file.path for file in found.files]).columns["split"][:1]) == ["test"]


@given(cut=st.integers(0, 20_000))
def test_a_shard_that_is_cut_off_gives_what_is_whole(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    shards = tmp_path_factory.mktemp("cut")
    whole = write_tar(shards / "1.tar", PICTURES.items())
    data = whole.read_bytes()
    (shards / "0.tar").write_bytes(data[: min(cut, len(data))])
    source = Shards(shards)
    read = readable(source)
    assert {path.decode()[6:]: got for path, got in read.items() if path.startswith(b"1.tar")} == PICTURES
    assert all(PICTURES[path.decode()[6:]] == got for path, got in read.items())


@pytest.mark.parametrize("ending", ["tar", "zip", "parquet", "arrow"])
@given(noise=st.binary(max_size=200), at=st.integers(0, 3_000))
def test_damage_is_a_sentence_or_a_row(
    tmp_path_factory: pytest.TempPathFactory, ending: str, noise: bytes, at: int
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = MADE[ending if ending != "arrow" else "arrow stream"](folder)
    data = bytearray(path.read_bytes())
    data[at : at + len(noise)] = noise
    path.write_bytes(data)
    with suppress(FolderError):
        assert all(readable(Shards(path)).values()), "a picture without bytes is a failure, with its reason"


def test_a_table_without_pictures_names_its_columns(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"no column of pictures .* but label \(string\)"):
        source_of(write_parquet(tmp_path / "p.parquet", pa.table({"label": LABELS}))).list()


def test_a_compressed_archive_says_what_to_do(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "p.tar", "w:gz"):
        pass
    shutil.copy(tmp_path / "p.tar", tmp_path / "p.tar.gz")
    for name in ("p.tar", "p.tar.gz"):
        with pytest.raises(FolderError, match="gunzip"):
            source_of(tmp_path / name).list()
    write_arrow(tmp_path / "p.arrow", table())
    with pa.ipc.new_stream(
        str(tmp_path / "p.arrow"), table().schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as writer:
        writer.write_table(table())
    with pytest.raises(FolderError, match="Parquet"):
        source_of(tmp_path / "p.arrow").list()


def test_a_row_that_names_a_file_reads_it_beside_its_table_only(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.png").write_bytes(PICTURES[NAMES[0]])
    (tmp_path / "secret.png").write_bytes(PICTURES[NAMES[1]])
    paths = ["0.png", "../secret.png", str(tmp_path / "secret.png")]
    made = pa.table(
        {
            "image": pa.array(
                [{"bytes": None, "path": path} for path in paths],
                pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            )
        }
    )
    for root in (write_parquet(tmp_path / "in" / "p.parquet", made), write_arrow(tmp_path / "in" / "p.arrow", made)):
        source = source_of(root)
        first, *others = source.list().files
        assert source.read(first) == PICTURES[NAMES[0]]
        for file in others:
            with pytest.raises(ImageError, match="leads out"):
                source.read(file)


def test_nothing_outside_the_allowed_folders_is_read(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    outside = write_tar(tmp_path / "p.tar", PICTURES.items())
    (inside / "link.tar").symlink_to(outside)
    write_tar(inside / "own.tar", PICTURES.items())
    source = source_of(inside, within=(inside,))
    files = source.list().files
    assert len(files) == len(NAMES) + 1
    with pytest.raises(ImageError, match="leads out"):
        source.read(files[0])
    (tmp_path / "secret.png").write_bytes(PICTURES[NAMES[0]])
    (inside / "list.txt").write_text(f"{tmp_path}/secret.png\n")
    listed = source_of(inside / "list.txt", within=(inside,))
    assert isinstance(listed, Listing)
    with pytest.raises(ImageError, match="leads out"):
        listed.read(listed.list().files[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "file_name,label,score\na/0.png,x,1.5\na/1.png,y,2\n"),
        ("l.tsv", "score\tlabel\tpath\n1.5\tx\t./a/0.png\n2\ty\ta//1.png\n"),
        (
            "l.jsonl",
            '{"path": "a/0.png", "label": "x", "score": 1.5}\n\n{"path": "a/1.png", "label": "y", "score": 2}\n',
        ),
        ("l.csv", '\ufeffPath; Label ; score\r\n"a/0.png"; x; 1.5\r\na/1.png;y ;2\r\n'),
        (
            "l.jsonl",
            '{"file": "a/0.png", "label": "x", "score": 1.5, "said": "a\u2028b"}\n'
            '{"file": "a/1.png", "label": "y", "score": 2}',
        ),
    ],
)
def test_a_list_has_paths_relative_to_it_with_columns(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.png").write_bytes(b"zero")
    (tmp_path / name).write_text(text)
    source = source_of(tmp_path / name)
    found = source.list()
    assert [file.path for file in found.files] == [b"a/0.png", b"a/1.png"]
    assert found.columns[CLASS] == ["x", "y"]
    assert list(map(float, found.columns["score"])) == [1.5, 2]  # type: ignore[arg-type]
    assert source.read(found.files[0]) == b"zero"
    with pytest.raises(ImageError, match="no longer exists"):
        source.read(found.files[1])


@pytest.mark.parametrize(
    ("name", "data", "classes"),
    [
        ("l.csv", b"a 0.png,x\na/1.jpg,y\n", ["x", "y"]),
        ("l.txt", b"a 0.png 0\r\na/1.jpg\t12\r\n", ["0", "12"]),
        ("l.txt", b"a 0.png\na/1.jpg y\n", [None, "y"]),
        ("l.txt", "a 0.png x\na/1.jpg y\n".encode("utf-16"), ["x", "y"]),
    ],
)
def test_a_list_without_a_heading_has_paths_and_classes(
    tmp_path: Path, name: str, data: bytes, classes: list[object]
) -> None:
    (tmp_path / name).write_bytes(data)
    found = source_of(tmp_path / name).list()
    assert [file.path for file in found.files] == [b"a 0.png", b"a/1.jpg"]
    assert found.columns == {CLASS: classes}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("l.csv", "a,b\n1,2\n", "no column of paths"),
        ("l.jsonl", '{"label": 1}\n', "Line 1 .* has no path"),
        ("l.jsonl", "{\n", "Line 1 .* is no JSON"),
        ("l.txt", "\n \n", "lists no picture"),
        ("l.txt", "To do:\nbuy milk\n", "names no picture by its ending"),
    ],
)
def test_a_list_without_paths_says_so(tmp_path: Path, name: str, text: str, why: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(FolderError, match=why):
        source_of(tmp_path / name).list()


def test_a_dataset_without_length_or_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match="map-style"):
        open_dataset(iter([1]), tmp_path, image="image", label=None, name=None)
    with pytest.raises(FolderError, match="KeyError: 'image'"):
        open_dataset([{"img": PICTURES[NAMES[0]]}], tmp_path, image="image", label=None, name=None)
    with pytest.raises(FolderError, match="KeyError: 'kind'"):
        open_dataset([{"image": PICTURES[NAMES[0]]}], tmp_path, image="image", label="kind", name=None)
    for item, why in (
        (np.full((4, 4, 3), 2.0), "normalised"),
        ((np.zeros((4, 4), np.uint8), np.eye(3)[1]), r"a class of shape \(3,\)"),
        (Image.open(io.BytesIO(encoded(noise())[:-200])), "truncated"),
    ):
        with pytest.raises(FolderError, match=why):
            open_dataset([item], tmp_path, image="image", label="label", name=None)
    assert not os.listdir(tmp_path)


def test_pixels_of_a_dataset_are_those_of_a_file(tmp_path: Path) -> None:
    grey = noise(1, width=9, height=8).convert("L")
    deep = np.asarray(grey).astype(np.uint16) * 257
    alike = [grey, np.asarray(grey), np.asarray(grey)[..., None] / 255, deep, grey.convert("F"), grey.convert("YCbCr")]
    pixels = [np.asarray(decode(made)[0]) for made in read_all(alike, tmp_path)]
    assert pixels[0].std() > 10
    for number, each in enumerate(pixels[1:], start=1):
        np.testing.assert_allclose(each, pixels[0], atol=1, err_msg=str(number))
    (ink,) = read_all([Image.new("CMYK", (4, 4), (0, 255, 255, 0))], tmp_path)
    red, green, blue = np.asarray(decode(ink)[0])[0, 0].tolist()
    assert red > 200 > 60 > max(green, blue)


@pytest.mark.parametrize(
    "array",
    [
        values(8, 9, 3),
        values(8, 9, most=200),
        values(8, 9, kind=np.int32),
        values(8, 9, kind=np.float32),
        values(8, 9, 7, kind=np.float64),
    ],
)
def test_arrays_of_more_than_eight_bits_are_seen_in_a_range(tmp_path: Path, array: NDArray[Any]) -> None:
    [made] = read_all([array], tmp_path)
    expected = seen(array[..., :3]) if array.ndim == 3 else np.dstack([seen(array)] * 3)
    assert np.array_equal(np.asarray(decode(made, rendering=Rendering(0, 4095))[0]), expected)


def read_all(items: Sequence[object], folder: Path) -> list[bytes]:
    source = open_dataset(items, folder, image="image", label=None, name=None)
    return [source.read(file) for file in source.list().files]
