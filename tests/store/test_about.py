"""What an image set is called that nobody has named."""

from pathlib import Path

import pytest

from url_viz.store.about import About


@pytest.mark.parametrize(
    ("root", "title"),
    [
        ("photos/zoo", "photos/zoo"),
        ("photos/coco128/data.yaml", "coco128"),
        ("photos/coco128/coco128.yml", "coco128"),
        ("photos/coco128/small.yaml", "coco128 · small"),
        ("photos/coco/annotations/instances_val.json", "coco · val"),
        ("photos/coco/annotations/instances.json", "coco"),
        ("photos/bees/train/_annotations.coco.json", "bees · train"),
    ],
)
def test_a_set_is_called_by_its_folder(root: str, title: str) -> None:
    assert About(Path("/home") / root, ()).title == title
    assert About(Path("/home") / root, (), name="Mine").title == "Mine"
