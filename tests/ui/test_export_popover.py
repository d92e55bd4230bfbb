"""What the popover of exports offers: by how many pictures, files that are whole, and jobs for the many."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.annotated_sets import write_annotated
from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import ended
from url_viz.image_set import ImageSet, embed_folder
from url_viz.jobs import Job, JobState, cancel_job, latest_job, log_tail
from url_viz.jobs.kinds import EXPORT, start_export
from url_viz.jobs.results import out_of
from url_viz.models.model import Model
from url_viz.ui.explore import export
from url_viz.ui.explore.export import zip_of
from url_viz.ui.widgets.embed_job import set_name
from url_viz.workspace import Workspace

FOR_ALL = ["FiftyOne", "Hugging Face", "WebDataset", "Parquet"]


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "a zoo", 6, classes=("cat", "dog")))


def popover(set_id: str, model: str, count: int) -> None:
    from url_viz.ui.explore.export import show_export_buttons
    from url_viz.ui.open_sets import open_sets

    found = open_sets().get(set_id, model)
    show_export_buttons(found, found.table().head(count))


def popover_of(image_set: ImageSet, count: int = 6) -> AppTest:
    arguments = (image_set.set_id, image_set.source.name, count)
    return looked_at(AppTest.from_function(popover, args=arguments).run())


def looked_at(at: AppTest) -> AppTest:
    assert at.get("download_button")
    return at


def test_a_zip_holds_one_data_set_of_the_pictures_asked_for(image_set: ImageSet) -> None:
    ids = image_set.table()["id"].tolist()[:2]
    with zipfile.ZipFile(io.BytesIO(zip_of(image_set, ids, program="huggingface"))) as packed:
        names = packed.namelist()
        assert "huggingface/train/metadata.jsonl" in names
        assert sum(name.endswith(".jpg") for name in names) == 2
        assert packed.testzip() is None


def test_of_objects_the_annotation_files_are_offered_whole(
    tmp_path: Path, home: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=home.root)
    at = popover_of(objects, 2)
    labels = [button.proto.label for button in at.get("download_button")]
    assert labels == ["Report", *FOR_ALL, "Annotation files", "CVAT", "Label Studio"]
    packed = zip_of(objects, objects.table()["id"].tolist()[:2], program="annotations")
    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        assert files.read("annotations/labels/0.txt") == (tmp_path / "set" / "labels" / "0.txt").read_bytes()
    monkeypatch.setattr(export, "MOST_ZIPPED", 1)
    at = popover_of(objects, 1)
    assert [button.label for button in at.button] == ["Annotation files"]
    looked_at(at.button(key="share.annotations.job").click().run())
    job = latest_job(objects.workspace, kind=EXPORT.name, set_id=objects.set_id)
    assert job is not None
    assert job.title == f"Write the annotation files of {set_name(objects.root)}"
    cancel_job(job, grace_s=0.1)


def test_many_pictures_are_written_by_a_job_and_all_need_no_list(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = popover_of(image_set)
    assert [button.proto.label for button in at.get("download_button")] == ["Report", *FOR_ALL]
    assert not at.button
    at, job = job_of(image_set, 6, monkeypatch)
    assert [button.proto.label for button in at.get("download_button")] == ["Report"]
    assert [button.label for button in at.button][: len(FOR_ALL)] == FOR_ALL
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
