"""Sets with something damaged in them: what was read stays, others are listed, and `mend` says what it laid aside."""

from pathlib import Path

import pytest

from tests.imaging.pictures import noise, write_folder
from tests.read_sets import copied, opened_again
from url_viz.errors import DamageError
from url_viz.image_set import ImageSet, embed_folder
from url_viz.models.model import Model


@pytest.fixture(scope="module")
def read_once(module_workspace: Path, model: Model) -> ImageSet:
    folder = write_folder(module_workspace.parent / "pictures", 12, classes=("cat", "dog"))
    return embed_folder(folder, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_once: ImageSet, tmp_path: Path, workspace: Path) -> ImageSet:
    return copied(read_once, tmp_path / "pictures", home=workspace)


def damage(file: Path) -> None:
    """Another bit somewhere in the middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_a_reading_over_damaged_labels_stores_all_and_does_not_fail(image_set: ImageSet, model: Model) -> None:
    damage(image_set.store.paths.labels)
    noise(100).save(image_set.root / "cat" / "new.png")
    embed_folder(image_set.root, model=model, workspace=image_set.workspace.root)
    assert len(opened_again(image_set)) == 13
    with pytest.raises(DamageError, match=r"labels\.json is damaged"):
        opened_again(image_set).table()
