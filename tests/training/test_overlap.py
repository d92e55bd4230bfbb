"""Pictures that two sets share are found under each disguise, and unrelated ones are not."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.conftest import draw
from training.config import OverlapConfig
from training.overlap import LEAST_BITS, MOST_BITS, Fingerprints, alike_hashes, difference_hash, main, overlap_of, table

NEAR, APART = np.array([1.0, 0.1, 0.0]), np.array([0.0, 0.0, 1.0])


def prints(*, content: list[int], hashes: list[int], embedding: np.ndarray) -> Fingerprints:
    names = tuple(f"{i}.jpg" for i in range(len(content)))
    return Fingerprints(
        names, np.array(content, np.int64), np.array(hashes, np.uint64), np.asarray(embedding).astype(np.float16)
    )


def bits(count: int) -> int:
    return (1 << count) - 1


def saved_again(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file)


def test_a_hash_by_hand() -> None:
    # Rows rise to the right in the upper half, and fall in the lower: 32 bits set, then 32 not.
    rising = np.tile(np.arange(9, dtype=np.uint8) * 20, (4, 1))
    picture = Image.fromarray(np.vstack([rising, rising[:, ::-1]]))
    assert difference_hash(picture) == bits(32) << 32


@pytest.mark.parametrize("seed", range(5))
def test_a_hash_survives_saving_and_resizing_and_tells_others_apart(seed: int) -> None:
    image = draw(seed, size_px=200, blur_px=2.0)
    mine = difference_hash(image)
    for again in (saved_again(image), image.resize((120, 120)), image.resize((260, 200))):
        assert (difference_hash(again) ^ mine).bit_count() <= MOST_BITS
    assert (difference_hash(draw(seed + 100, size_px=200, blur_px=2.0)) ^ mine).bit_count() > 3 * MOST_BITS


def test_each_way_counts_pictures_of_the_second_set_once() -> None:
    # Of `report`, 0 has the bytes of two upstream pictures, 1 a hash 4 bits away, 2 a near embedding, 3 nothing.
    upstream = prints(content=[7, 7, 8], hashes=[bits(40), bits(40), bits(20)], embedding=[APART, APART, NEAR])
    report = prints(
        content=[7, 1, 2, 3],
        hashes=[bits(40), bits(24), bits(10), bits(50)],
        embedding=[-APART, -APART, NEAR * [1, 2, 0], -NEAR],
    )
    found = overlap_of(upstream, report, upstream="u", report="r")
    assert (found.pictures, found.by_content, found.by_hash, found.by_embedding, found.by_any) == (4, 1, 2, 1, 3)
    told = [(pair.upstream, pair.report, pair.same_bytes, pair.bits) for pair in found.pairs]
    assert told == [
        ("0.jpg", "0.jpg", True, 0),
        ("1.jpg", "0.jpg", True, 0),
        ("2.jpg", "1.jpg", False, 4),
        ("2.jpg", "2.jpg", False, 10),
    ]
    assert found.pairs[-1].cosine == pytest.approx((1 + 0.02) / np.sqrt(1.01 * 1.04), abs=1e-3)
    cells = [cell.strip() for cell in table([found]).splitlines()[2].strip("|").split("|")]
    assert cells == ["r", "u", "4", "1", "2", "1", "3"]


def test_pictures_without_structure_are_not_alike_by_their_hash() -> None:
    flat, told = [0, bits(LEAST_BITS - 1), bits(64)], [bits(LEAST_BITS)]
    apart = np.eye(4)
    first, second = (
        prints(content=c, hashes=flat + told, embedding=s * apart) for c, s in (([1, 2, 3, 4], 1), ([5, 6, 7, 8], -1))
    )
    found = overlap_of(first, second, upstream="u", report="r")
    assert [(pair.upstream, pair.report) for pair in found.pairs] == [("3.jpg", "3.jpg")]


def test_hashes_equal_the_naive_loop() -> None:
    generator = np.random.default_rng(0)
    first = [int(value) for value in generator.integers(1 << 63, size=30)]
    second = [
        first[i % 30] ^ sum(1 << int(bit) for bit in generator.choice(64, i % 8, replace=False)) for i in range(40)
    ]
    found = alike_hashes(np.array(first, np.uint64), np.array(second, np.uint64), rows_at_once=7)
    expected = {(a, b) for a in range(30) for b in range(40) if (first[a] ^ second[b]).bit_count() <= MOST_BITS}
    assert found == expected
    assert len({b for _, b in expected}) == 25


@pytest.mark.slow
@pytest.mark.usefixtures("prepared_home")
def test_the_command_finds_copies_of_every_kind(
    tmp_path: Path, prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, told = tmp_path / "train", tmp_path / "told"
    train.mkdir()
    told.mkdir()
    for i in range(6):
        draw(i, size_px=240, blur_px=1.0).save(train / f"{i}.png")
    (told / "same.png").write_bytes((train / "0.png").read_bytes())
    saved_again(Image.open(train / "1.png")).save(told / "again.jpg", quality=60)
    Image.open(train / "2.png").resize((150, 150)).save(told / "small.png")
    draw(50, size_px=240, blur_px=1.0).save(told / "other.png")
    (told / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    main(OverlapConfig((str(train),), (str(told),), json=tmp_path / "overlap.json", device="cpu"))
    [found] = json.loads((tmp_path / "overlap.json").read_text())["overlaps"]
    by_hash = {pair["report"]: pair for pair in found["pairs"] if pair["bits"] <= MOST_BITS}
    assert {name: pair["upstream"] for name, pair in by_hash.items()} == {
        "same.png": "0.png",
        "again.jpg": "1.png",
        "small.png": "2.png",
    }
    assert [name for name, pair in by_hash.items() if pair["same_bytes"]] == ["same.png"]
    assert (found["pictures"], found["by_content"], found["by_hash"]) == (4, 1, 3)
    assert "other.png" not in {pair["report"] for pair in found["pairs"]}
    assert "| same bytes | same hash | same embedding | any |" in capsys.readouterr().out
