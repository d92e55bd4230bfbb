"""Pictures that two sets share are found under each disguise, and unrelated ones are not."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.training.conftest import draw
from training.config import OverlapConfig
from training.overlap import main


@pytest.mark.usefixtures("prepared_home")
def test_copies_of_every_kind_are_counted_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, told = tmp_path / "train", tmp_path / "told"
    train.mkdir()
    told.mkdir()
    for i in range(3):
        draw(i, size_px=240, blur_px=1.0).save(train / f"{i}.png")
    for name in ("same.png", "../train/twice.png"):
        (told / name).write_bytes((train / "0.png").read_bytes())
    Image.open(train / "1.png").save(told / "again.jpg", quality=60)
    Image.open(train / "2.png").resize((150, 150)).save(told / "small.png")
    draw(50, size_px=240, blur_px=1.0).save(told / "other.png")
    (told / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    main(OverlapConfig((str(train),), (str(told),), json=tmp_path / "overlap.json", device="cpu"))
    [found] = json.loads((tmp_path / "overlap.json").read_text())["overlaps"]
    assert [(pair["report"], pair["upstream"], pair["same_bytes"]) for pair in found["pairs"]] == [
        ("again.jpg", "1.png", False),
        ("same.png", "0.png", True),
        ("same.png", "twice.png", True),
        ("small.png", "2.png", False),
    ]
    assert (found["pictures"], found["by_content"], found["by_any"]) == (4, 1, 3)
    assert found["pairs"][1]["cosine"] == pytest.approx(1, abs=1e-3)
    cells = [cell.strip() for cell in capsys.readouterr().out.splitlines()[-1].strip("|").split("|")]
    assert cells == [str(told), str(train), "4", "1", "3"]
