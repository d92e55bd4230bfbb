"""Lists that name a picture more than once, or lead where nothing may be read: nothing is lost without a sentence."""

from pathlib import Path

import pytest

from url_viz.base.errors import ImageError
from url_viz.imaging.containers.archives import CLASS
from url_viz.imaging.scan import Scan
from url_viz.imaging.source import source_of


def scan_of(folder: Path, text: str, name: str = "list.csv", within: tuple[Path, ...] | None = None) -> Scan:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return source_of(folder / name, within=within).list()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "path,split\na.png,train\nb.png,train\n./a.png,val\n"),
        ("list.tsv", "split\tpath\ntrain\ta.png\ntrain\tb.png\nval\ta.png\ntrain\ta.png\n"),
        (
            "list.jsonl",
            '{"path": "a.png", "split": "train"}\n{"path": "b.png", "split": "train"}\n'
            '{"path": "a.png", "split": "val"}\n',
        ),
    ],
)
def test_a_picture_listed_in_two_splits_is_in_both_and_said_to_be(tmp_path: Path, name: str, text: str) -> None:
    found = scan_of(tmp_path, text, name)
    assert [file.path for file in found.files] == [b"a.png", b"b.png"]
    assert found.columns["split"] == ["train + val", "train"]
    [remark] = found.remarks
    assert remark.startswith("1 picture is in more than one split: a.png (train + val); ")


def test_numbers_of_folds_are_joined_too(tmp_path: Path) -> None:
    found = scan_of(tmp_path, '{"file": "a.png", "fold": 0}\n{"file": "a.png", "fold": 3}\n', "list.jsonl")
    assert found.columns["fold"] == ["0 + 3"]


def test_a_picture_of_two_classes_is_said_and_the_last_counts(tmp_path: Path) -> None:
    found = scan_of(tmp_path, "path,label\na.png,cat\nb.png,cat\na.png,dog\nb.png,cat\n")
    assert found.columns[CLASS] == ["dog", "cat"]
    assert found.remarks == ("1 picture has more than one class, of which the last counts: a.png (cat, dog).",)
    assert scan_of(tmp_path, "a.png cat\na.png dog\n", "list.txt").remarks[0].endswith("a.png (cat, dog).")


def test_a_line_outside_the_allowed_folders_is_one_failure(tmp_path: Path) -> None:
    found = scan_of(tmp_path / "in", "path\ns3://bucket/a.png\nb.png\n", within=(tmp_path / "in",))
    (tmp_path / "in" / "b.png").write_bytes(b"picture")
    source = source_of(tmp_path / "in" / "list.csv", within=(tmp_path / "in",))
    [ours, theirs] = found.files
    assert source.read(ours) == b"picture"
    with pytest.raises(ImageError, match="leads out of the folders that may be read"):
        source.read(theirs)


def test_what_lies_outside_is_not_even_looked_at(tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"secret")
    within = (tmp_path / "in",)
    text = "path\n../there.png\n../missing.png\n"
    found = scan_of(tmp_path / "in", text, within=within)
    assert {(file.size_bytes, file.mtime_ns) for file in found.files} == {(0, 0)}
    source, said = source_of(tmp_path / "in" / "list.csv", within=within), set()
    for file in found.files:
        with pytest.raises(ImageError) as error:
            source.read(file)
        said.add(str(error.value))
    assert len(said) == 1, "whether anything is there makes no difference"


def test_a_line_with_credentials_is_left_out_and_counted_not_shown(tmp_path: Path) -> None:
    found = scan_of(tmp_path, "path\na.png\ns3://key:secret@bucket/b.png\n")
    assert [file.path for file in found.files] == [b"a.png"]
    [remark] = found.remarks
    assert remark.startswith("1 line left out: An address s3://")
    assert "secret" not in remark
