"""The crop test: a factor of its own for each picture, strict comparison, and files that are gone are counted."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.imaging.pictures import noise, write_folder
from url_viz.imaging.decode import read_file
from url_viz.models.model import Model
from url_viz.outside.occlusion import CROP_SHARES, CropTest, Subject, crop_share, crop_test, middle_of


def subjects(folder: Path) -> list[Subject]:
    return [Subject(i, path.name, partial(read_file, bytes(path))) for i, path in enumerate(files_in(folder), start=1)]


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jpg"))


def test_a_factor_belongs_to_a_picture_and_a_seed() -> None:
    drawn = np.array([crop_share(image_id) for image_id in range(-500, 1500)])
    assert crop_share(7) == crop_share(7)
    assert crop_share(7) != crop_share(8)
    assert crop_share(7, seed=1) != crop_share(7)
    assert drawn.min() > CROP_SHARES[0]
    assert drawn.max() < CROP_SHARES[1]
    assert drawn.mean() == pytest.approx(sum(CROP_SHARES) / 2, abs=0.01)
    assert len(np.unique(drawn)) == len(drawn)


def test_the_middle_is_cut_and_blown_up() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[2:6, 2:6] = 200
    assert (middle_of(picture, 0.5) == 200).all()
    assert middle_of(picture, 0.1).shape == picture.shape
    whole = np.asarray(noise(3, width=224, height=224))
    assert np.array_equal(middle_of(whole, 1.0), whole)


def test_a_tie_is_no_win_and_pictures_without_a_value_do_not_count() -> None:
    table = pd.DataFrame(
        {"uncertainty": [0.0, 1.0, 2.0, np.nan, 3.0], "uncertainty_of_crop": [1.0, 1.0, 3.0, 5.0, 0.0]}
    )
    assert CropTest(table, unreadable=0).wins("uncertainty") == (2, 4)


@pytest.mark.slow
def test_values_are_those_of_the_model_and_the_sample_does_not_matter(tmp_path: Path, model: Model) -> None:
    folder = write_folder(tmp_path / "pictures", 70)
    sample = subjects(folder)
    steps = list(crop_test(model, sample))
    assert [done for done, _ in steps] == [64, 70]
    whole = steps[-1][1].table
    assert whole["id"].tolist() == [subject.id for subject in sample]
    expected = model.predict(files_in(folder))
    assert whole["entropy"].to_numpy(float) == pytest.approx(expected.entropy, rel=0.02, abs=0.02)
    assert whole["uncertainty"].to_numpy(float) == pytest.approx(expected.uncertainty, rel=0.02, abs=0.02)
    assert (whole["uncertainty_of_crop"] != whole["uncertainty"]).all()
    few = list(crop_test(model, sample[40:44]))[-1][1].table
    assert few["crop_share"].tolist() == whole["crop_share"][40:44].tolist()


@pytest.mark.slow
def test_files_that_are_gone_or_broken_are_counted(tmp_path: Path, model: Model) -> None:
    sample, files = subjects(write_folder(tmp_path / "pictures", 3)), files_in(tmp_path / "pictures")
    files[0].unlink()
    files[1].write_bytes(b"<html>")
    found = list(crop_test(model, sample))[-1][1]
    assert (found.unreadable, found.table["path"].tolist()) == (2, ["0002.jpg"])
    for file in files:
        file.unlink(missing_ok=True)
    assert list(crop_test(model, sample))[-1][1].wins("uncertainty") == (0, 0)


@pytest.mark.slow
def test_without_a_head_there_is_entropy_alone(tmp_path: Path, bare_model: Model) -> None:
    found = list(crop_test(bare_model, subjects(write_folder(tmp_path / "pictures", 3))))[-1][1]
    assert found.wins("uncertainty") == (0, 0)
    assert found.wins("entropy")[1] == 3
