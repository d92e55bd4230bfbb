"""What the popover of exports offers: by how many pictures, and files that are whole."""

import io
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from url_viz.image_set import ImageSet
from url_viz.ui.widgets.export import command_for, zip_of


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "a zoo", 6, classes=("cat", "dog")))


@pytest.mark.parametrize(("kind", "holds"), [("fiftyone", "samples.json"), ("huggingface", "train/metadata.jsonl")])
def test_a_zip_holds_one_data_set_of_the_pictures_asked_for(image_set: ImageSet, kind: str, holds: str) -> None:
    ids = image_set.table()["id"].tolist()[:2]
    with zipfile.ZipFile(io.BytesIO(zip_of(image_set, ids, kind=kind))) as packed:
        names = packed.namelist()
        assert f"{kind}/{holds}" in names
        assert sum(name.endswith(".jpg") for name in names) == 2
        assert packed.testzip() is None


def test_the_command_can_be_pasted(image_set: ImageSet) -> None:
    assert f"share '{image_set.root}' OUT --as fiftyone --model " in command_for(image_set)


@pytest.mark.parametrize(("most", "has_zip"), [(6, True), (5, False)])
def test_many_pictures_are_shared_by_command(
    image_set: ImageSet, most: int, has_zip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from url_viz.ui.widgets import export as share

    monkeypatch.setattr(share, "MOST_ZIPPED", most)

    def page(set_id: str, model: str) -> None:
        from url_viz.ui.cache import open_sets
        from url_viz.ui.widgets.export import show_export_buttons

        found = open_sets().get(set_id, model)
        show_export_buttons(found, found.table())

    at = AppTest.from_function(page, args=(image_set.set_id, image_set.source.name), default_timeout=60).run()
    assert not at.exception
    labels = [button.proto.label for button in at.get("download_button")]
    assert labels == (["Report", "FiftyOne", "Hugging Face"] if has_zip else ["Report"])
    assert bool(at.code) != has_zip
