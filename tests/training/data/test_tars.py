"""Tar shards are streamed sample by sample; labels are timm's own, and a bad member costs only itself."""

import io
import json
import tarfile
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from timm.data import ImageNetInfo

from tests.imaging.pictures import encoded, noise
from training.data.tars import (
    BadSample,
    TarSample,
    find_shards,
    imagenet21k_labels,
    tar_samples,
)
from url_viz.base.errors import FolderError
from url_viz.imaging.places import image_id

JPEG = encoded(noise())
LABELS = {"n00000001": 0, "n00000002": 1}


def tar(members: Iterable[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def write(path: Path, *members: tuple[str, bytes]) -> Path:
    path.write_bytes(tar(members))
    return path


def good(found: Iterable[TarSample | BadSample]) -> list[tuple[str, int]]:
    return [(sample.key, sample.label) for sample in found if isinstance(sample, TarSample)]


class TestLabels:
    """Places in timm's list of 21,843, and nowhere else."""

    def test_the_list_is_the_classifiers(self) -> None:
        labels = imagenet21k_labels()
        assert len(labels) == 21_843
        assert labels["n00004475"] == 0
        assert [labels[s] for s in ImageNetInfo("imagenet21k_goog").label_names()[-2:]] == [21_841, 21_842]
        in_1k = set(ImageNetInfo("imagenet-1k").label_names())
        assert in_1k - set(labels) == {"n04399382"}  # 999 of the 1000 are there

    def test_every_place_a_wordnet_id_may_be(self, tmp_path: Path) -> None:
        record = json.dumps({"filename": "n00000002/n00000002_7.JPEG", "label": 17_000}).encode()
        shard = write(
            tmp_path / "n00000001-000.tar",
            ("n00000002_12.JPEG", JPEG),
            ("n00000002/34.jpg", JPEG),
            ("0056.cls", b"17000"),
            ("0056.jpg", JPEG),
            ("0056.json", record),
            ("78.jpg", JPEG),
        )
        expected = [("n00000002_12", 1), ("n00000002/34", 1), ("0056", 1), ("78", 0)]
        assert good(tar_samples(shard, LABELS)) == expected

    def test_a_tar_of_tars(self, tmp_path: Path) -> None:
        inner = [(f"n0000000{k}.tar", tar([(f"n0000000{k}_{i}.JPEG", JPEG) for i in range(2)])) for k in (1, 2)]
        shard = write(tmp_path / "winter21_whole.tar", *inner)
        assert good(tar_samples(shard, LABELS)) == [
            ("n00000001/n00000001_0", 0),
            ("n00000001/n00000001_1", 0),
            ("n00000002/n00000002_0", 1),
            ("n00000002/n00000002_1", 1),
        ]

    def test_a_class_that_is_not_in_the_list_is_loud_and_a_number_of_another_list_is_not_taken(
        self, tmp_path: Path
    ) -> None:
        shard = write(tmp_path / "a.tar", ("n00000001_1.jpg", JPEG), ("n99999999_1.jpg", JPEG))
        with pytest.raises(FolderError, match=r"n99999999, which is none of the 2 classes"):
            list(tar_samples(shard, LABELS))
        shard = write(tmp_path / "a.tar", ("000.jpg", JPEG), ("000.cls", b"3"))
        with pytest.raises(FolderError, match="has no WordNet id"):
            list(tar_samples(shard, LABELS))


class TestStreams:
    """One pass, one picture at a time."""

    def test_bytes_and_ids(self, tmp_path: Path) -> None:
        pictures = [encoded(noise(seed)) for seed in range(3)]
        shard = write(tmp_path / "a.tar", *((f"n00000001_{i}.jpg", data) for i, data in enumerate(pictures)))
        found = [sample for sample in tar_samples(shard, LABELS) if isinstance(sample, TarSample)]
        assert [sample.data for sample in found] == pictures
        assert [sample.id for sample in found] == [image_id(f"n00000001_{i}".encode()) for i in range(3)]

    def test_bad_members_are_told_and_passed_over(self, tmp_path: Path) -> None:
        shard = write(
            tmp_path / "a.tar",
            ("n00000001_1.jpg", b""),
            ("n00000001_2.txt", b"a caption without a picture"),
            ("n00000001_3.jpg", JPEG),
            ("n00000001_3.json", b"{broken"),
        )
        found = list(tar_samples(shard, LABELS))
        assert isinstance(found[0], BadSample)
        assert found[0].key == "n00000001_1"
        assert good(found) == [("n00000001_3", 0)]
        assert len(found) == 2

    @pytest.mark.parametrize("kept", [0, 100, 700, 2600])
    def test_a_shard_that_was_cut_off(self, tmp_path: Path, kept: int) -> None:
        data = tar([(f"n00000001_{i}.jpg", JPEG) for i in range(4)])
        shard = tmp_path / "cut.tar"
        shard.write_bytes(data[:kept])
        *before, last = tar_samples(shard, LABELS)
        assert isinstance(last, BadSample)
        assert "cut.tar" in last.key
        assert all(isinstance(sample, TarSample) and sample.data == JPEG for sample in before)

    @pytest.mark.parametrize("spoil", ["checksum", "half a header", -512, 1 << 60])
    def test_a_damaged_header_or_a_size_that_cannot_be_is_no_end(self, tmp_path: Path, spoil: str | int) -> None:
        data = bytearray(tar([(f"n00000001_{i}.jpg", JPEG) for i in range(3)]))
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.getmembers()[1]
        at = member.offset
        if isinstance(spoil, int):
            member.size = spoil
            data[at : at + 512] = member.tobuf(tarfile.GNU_FORMAT)
        elif spoil == "checksum":
            data[at] ^= 1
        else:
            del data[at + 100 :]
        (tmp_path / "a.tar").write_bytes(data)
        first, last = tar_samples(tmp_path / "a.tar", LABELS)
        assert isinstance(first, TarSample)
        assert isinstance(last, BadSample)
        assert "cannot be read to its end" in last.reason

    def test_memory_does_not_grow_with_the_shard(self, tmp_path: Path) -> None:
        large = np.random.default_rng(0).bytes(1 << 20)
        shard = write(tmp_path / "a.tar", *((f"n00000001_{i}.jpg", large) for i in range(40)))
        tracemalloc.start()
        try:
            count = sum(1 for _ in tar_samples(shard, LABELS))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert count == 40
        assert peak < 8 << 20


class TestShards:
    def test_patterns(self, tmp_path: Path) -> None:
        with pytest.raises(FolderError, match="no tar shards"):
            find_shards(tmp_path)
        for number in range(12):
            write(tmp_path / f"{number:04d}.tar")
        assert len(find_shards(tmp_path / "000*.tar")) == 10
        found = find_shards(tmp_path / "{0009..0011}.tar")
        assert [path.name for path in found] == ["0009.tar", "0010.tar", "0011.tar"]
        with pytest.raises(FolderError, match=r"2 of 4 tar shards .*0012\.tar"):
            find_shards(tmp_path / "{0010..0013}.tar")

    def test_a_lenient_reader_has_no_label_where_none_is_told(self, tmp_path: Path) -> None:
        shard = write(tmp_path / "a.tar", ("n00000002_1.jpg", JPEG), ("n00000003_2.jpg", JPEG), ("3.jpg", JPEG))
        assert [label for _, label in good(tar_samples(shard, LABELS, is_strict=False))] == [1, -1, -1]
