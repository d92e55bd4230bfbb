"""What the popover of exports offers: by how many pictures, files that are whole, and jobs for the many."""

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.annotated_sets import write_annotated
from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import ended
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, JobState, cancel_job, latest_job, log_tail
from url_viz.jobs.kinds import EXPORT, out_of, start_export
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.store.allowed_folders import allowed_folders
from url_viz.ui.explore import export
from url_viz.ui.explore.export import zip_chosen
from url_viz.ui.widgets.embed_job import set_name

TOOLS = ["CVAT", "Label Studio", "FiftyOne", "Hugging Face"]
TABLES = ["Parquet", "All as CSV", "All as Parquet", "List of paths"]
PACKED = ["WebDataset", "Parquet"]


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "a zoo", 6, classes=("cat", "dog")))


def popover(set_id: str, model: str, count: int) -> None:
    from url_viz.ui.explore.export import show_export
    from url_viz.ui.open_sets import open_sets

    found = open_sets().get(set_id, model)
    show_export(found, found.table(), found.table().head(count))


def popover_of(image_set: ImageSet, count: int = 6) -> AppTest:
    arguments = (image_set.set_id, image_set.source.name, count)
    return looked_at(AppTest.from_function(popover, args=arguments).run())


def looked_at(at: AppTest) -> AppTest:
    assert at.get("download_button")
    return at


def downloads(at: AppTest) -> list[str]:
    """The names of what can be downloaded, in their order."""
    return [button.proto.label for button in at.get("download_button")]


def test_what_leaves_is_counted_and_corrected_classes_come_first(tmp_path: Path, home: Workspace, model: Model) -> None:
    folder = write_folder(tmp_path / "zoo", 6, classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "cat" / "again.jpg")
    own = embed_folder(folder, model=model, workspace=home.root)
    at = popover_of(own, 7)
    assert at.markdown[0].value == "7 of 7; 1 copy or view of another is among them."
    assert at.selectbox(key="sort.by").value == "decision"
    assert not at.checkbox
    ids = own.table().set_index("path")["id"]
    own.decisions.decide([int(ids["dog/0001.jpg"]), int(ids["dog/0003.jpg"])], "drop")
    own.labels.correct({int(ids["cat/0002.jpg"]): "dog"})
    at = popover_of(own, 7)
    words = "5 of 7; 2 dropped are left out; 1 relabelled; 1 copy or view of another is among them."
    assert at.markdown[0].value == words
    assert at.selectbox(key="sort.by").value == "label"
    assert [one.label for one in at.expander] == ["Class folders · 1 corrected", "More"]
    at.checkbox(key="share.with_dropped").check().run()
    assert at.markdown[0].value.startswith("7 of 7; 2 dropped are among them; 1 relabelled")


def test_a_zip_holds_one_data_set_of_the_pictures_asked_for(image_set: ImageSet) -> None:
    ids = image_set.table()["id"].tolist()[:2]
    with zipfile.ZipFile(io.BytesIO(zip_chosen(image_set, ids, program="huggingface"))) as packed:
        names = packed.namelist()
        assert "huggingface/train/metadata.jsonl" in names
        assert sum(name.endswith(".jpg") for name in names) == 2
        assert packed.testzip() is None


def test_of_objects_the_annotation_files_are_offered_whole(
    tmp_path: Path, home: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=home.root)
    at = popover_of(objects, 2)
    assert downloads(at) == ["Report", "Corrected YOLO files", "CSV", *TOOLS, *TABLES, *PACKED]
    packed = zip_chosen(objects, objects.table()["id"].tolist()[:2], program="annotations")
    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        assert files.read("annotations/labels/0.txt") == (tmp_path / "set" / "labels" / "0.txt").read_bytes()
    monkeypatch.setattr(export, "MOST_ZIPPED", 1)
    at = popover_of(objects, 1)
    assert [button.label for button in at.button if "share" in str(button.key)] == ["Corrected YOLO files"]
    looked_at(at.button(key="share.annotations.job").click().run())
    job = latest_job(objects.workspace, kind=EXPORT.name, set_id=objects.set_id)
    assert job is not None
    assert job.title == f"Write the annotation files of {set_name(objects.root)}"
    cancel_job(job, grace_s=0.1)


def test_many_pictures_are_written_by_a_job_and_all_need_no_list(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = popover_of(image_set)
    assert downloads(at) == ["Report", "CSV", *TOOLS, *TABLES, *PACKED]
    assert at.markdown[0].value == "6 of 6."
    at, job = job_of(image_set, 6, monkeypatch)
    assert downloads(at) == ["Report", "CSV", *TABLES]
    assert [button.label for button in at.button if "share" in str(button.key)] == [*TOOLS, *PACKED]
    assert "--listed" not in job.command
    cancel_job(job, grace_s=0.1)


@pytest.mark.slow
def test_two_jobs_of_one_moment_write_each_its_own(image_set: ImageSet) -> None:
    """As two people do who look at one set."""
    ids = image_set.table()["id"].tolist()
    started = [start_export(image_set, program="fiftyone", ids=[chosen], how="link", name="zoo") for chosen in ids[:2]]
    lists = [out_of(job).with_name(f"{out_of(job).name}.paths").read_bytes() for job in started]
    assert lists == [bytes(image_set.root / path) + b"\0" for path in image_set.table()["path"][:2]]
    for job in started:
        cancel_job(job, grace_s=0.1)
        ended(job)


def job_of(image_set: ImageSet, count: int, monkeypatch: pytest.MonkeyPatch) -> tuple[AppTest, Job]:
    """The job that a click on the popover of so many pictures starts."""
    monkeypatch.setattr(export, "MOST_ZIPPED", 1)
    at = popover_of(image_set, count)
    looked_at(at.checkbox(key="share.copy").check().run())
    looked_at(at.button(key="share.huggingface.job").click().run())
    job = latest_job(image_set.workspace, kind=EXPORT.name, set_id=image_set.set_id)
    assert job is not None
    assert job.title == f"Write {count} pictures of {set_name(image_set.root)} for Hugging Face"
    assert out_of(job).with_name(f"{out_of(job).name}.paths").exists() == (count < 6)
    return at, job


@pytest.mark.slow
def test_the_job_writes_what_was_chosen_and_says_how_it_is_opened(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, job = job_of(image_set, 4, monkeypatch)
    assert ended(job).state is JobState.SUCCEEDED, log_tail(job, 20)
    out = out_of(job)
    assert out.parent == image_set.workspace.exports
    rows = [json.loads(line) for line in (out / "train" / "metadata.jsonl").read_text().splitlines()]
    assert [row["path"] for row in rows] == image_set.table()["path"].tolist()[:4]
    assert all(not (out / "train" / row["file_name"]).is_symlink() for row in rows)
    told = looked_at(at.run())
    assert f'datasets.load_dataset("imagefolder", data_dir={str(out)!r})' in [block.value for block in told.code]


def test_a_folder_outside_the_roots_is_allowed_where_it_is_asked_for(
    image_set: ImageSet,
    home: Workspace,
    model: Model,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", os.pathsep.join([str(image_set.root), str(Path(model.source.name).parent)]))
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    at = popover_of(image_set)
    at.toggle(key="sort.undecided").set_value(True).run()
    at.text_input(key="sort.out").set_value(str(elsewhere / "new")).run()
    at.button(key="sort.out.allow").click().run()
    assert allowed_folders(home) == (elsewhere,), "the folder above one that is not there yet"
    assert "sort.out.allow" not in [button.key for button in at.button]
    at.button(key="sort.sort").click().run()
    assert (elsewhere / "new").is_dir()
    at.text_input(key="sort.out").set_value("/nowhere/new").run()
    assert "sort.out.allow" not in [button.key for button in at.button], "never all folders of the machine"
