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
from tests.ui.pages import call_of, ended
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

PROGRAMS = ["FiftyOne", "Hugging Face", "WebDataset", "Parquet", "CVAT", "Label Studio"]
KINDS = ["Folders", "Table", "Data set for a program", "Report", "Figure for a paper"]


@pytest.fixture
def image_set(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "a zoo", 6, classes=("cat", "dog")))


def popover_of(image_set: ImageSet, count: int = 6, *, kind: str | None = None) -> AppTest:
    """The popover of the first pictures of a set, at a kind of export."""

    def script(image_set: "ImageSet", count: int) -> None:
        from url_viz.ui.explore.export import show_export

        table = image_set.table()
        show_export(image_set, table, table.head(count))

    at = AppTest.from_function(script, args=(image_set, count)).run()
    return at if kind is None else at.radio(key="export.as").set_value(kind).run()


def downloads(at: AppTest) -> list[str]:
    """The names of the files that can be downloaded, with the words of their buttons."""
    return [button.proto.label for button in at.get("download_button")]


def test_a_kind_is_chosen_and_one_button_below_its_choices_exports_it(image_set: ImageSet) -> None:
    at = popover_of(image_set)
    assert at.radio(key="export.as").options == KINDS
    for kind in ("table", "program", "report", "figure"):
        at.radio(key="export.as").set_value(kind).run()
        assert downloads(at) == ["Export"]
        assert not [button for button in at.button if str(button.key).startswith("export")]
    at.radio(key="export.as").set_value("folders").run()
    assert not downloads(at)
    assert [button.label for button in at.button if str(button.key).startswith("export")] == ["Export"]
    at.radio(key="export.as").set_value("program").run()
    assert at.selectbox(key="export.program").options == PROGRAMS


def test_what_leaves_is_counted_and_corrected_classes_come_first(tmp_path: Path, home: Workspace, model: Model) -> None:
    folder = write_folder(tmp_path / "zoo", 6, classes=("cat", "dog"))
    shutil.copy(folder / "cat" / "0000.jpg", folder / "cat" / "again.jpg")
    own = embed_folder(folder, model=model, workspace=home.root)
    at = popover_of(own, 7, kind="table")
    assert words(at) == "7 of 7; 1 copy or view of another is among them."
    assert not at.checkbox
    ids = own.table().set_index("path")["id"]
    own.decisions.decide([int(ids["dog/0001.jpg"]), int(ids["dog/0003.jpg"])], "drop")
    assert popover_of(own, 7).selectbox(key="export.by").value == "decision"
    own.labels.give({int(ids["cat/0002.jpg"]): "dog"})
    at = popover_of(own, 7)
    assert at.selectbox(key="export.by").value == "label"
    assert at.radio(key="export.as").options == ["Class folders · 1 corrected", *KINDS[1:]]
    at = popover_of(own, 7, kind="table")
    assert words(at) == "5 of 7; 2 dropped are left out; 1 relabelled; 1 copy or view of another is among them."
    at.checkbox(key="export.with_dropped").check().run()
    assert words(at).startswith("7 of 7; 2 dropped are among them; 1 relabelled")


def words(at: AppTest) -> str:
    return next(caption.value for caption in at.caption if " of 7;" in caption.value)


def test_some_pictures_or_all_are_exported_as_is_chosen(
    image_set: ImageSet, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", os.pathsep.join([str(image_set.root.parent), str(Path(model.name).parent)]))
    at = popover_of(image_set, 2)
    assert at.segmented_control(key="export.all").options == ["These 2", "All 6"]
    at.button(key="export.folders").click().run()
    assert f"Wrote 2 pictures to '{image_set.root}-sorted': 2 in cat/." in at.success[0].value.replace("\\", "")
    at.segmented_control(key="export.all").set_value(True).run()
    at.button(key="export.folders").click().run()
    assert "Wrote 4 pictures" in at.success[0].value
    assert "export.all" not in [control.key for control in popover_of(image_set, 6).segmented_control]
    at.text_input(key="export.out").set_value("/nowhere/new")
    at.button(key="export.folders").click().run()
    assert "outside the folders that this app may read" in at.error[0].value


def test_many_copies_are_given_to_the_command_line(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_COPIED", 5)
    at = popover_of(image_set, kind="folders")
    at.selectbox(key="export.by").set_value("uncertainty").run()
    at.segmented_control(key="export.how").set_value("copy").run()
    assert at.code[0].value.startswith(f"url-viz export folders '{image_set.root}' ")
    assert "--by uncertainty --how copy --threshold 90" in at.code[0].value


def test_a_zip_holds_one_data_set_of_the_pictures_asked_for(image_set: ImageSet) -> None:
    ids = image_set.table()["id"].tolist()[:2]
    with zipfile.ZipFile(io.BytesIO(zip_chosen(image_set, ids, program="huggingface"))) as packed:
        names = packed.namelist()
        assert "huggingface/train/metadata.jsonl" in names
        assert sum(name.endswith(".jpg") for name in names) == 2
        assert packed.testzip() is None


def test_of_objects_the_annotation_files_are_offered_first_and_whole(
    tmp_path: Path, home: Workspace, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = embed_folder(write_annotated(tmp_path / "set", "YOLO"), model=model, workspace=home.root)
    at = popover_of(objects, 2)
    assert at.radio(key="export.as").options == ["Corrected YOLO files", *KINDS]
    assert downloads(at) == ["Export"]
    assert "learns them as background" not in "".join(caption.value for caption in at.caption)
    objects.decisions.decide(objects.table()["id"].tolist()[:2], "drop")
    for kind in ("annotations", "program"):
        at = popover_of(objects, 2, kind=kind)
        assert "2 dropped objects lose their boxes, not their pixels" in "".join(one.value for one in at.caption)
    objects.decisions.undo()
    packed = zip_chosen(objects, objects.table()["id"].tolist()[:2], program="annotations")
    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        assert files.read("annotations/labels/0.txt") == (tmp_path / "set" / "labels" / "0.txt").read_bytes()
    monkeypatch.setattr(export, "MOST_ZIPPED", 1)
    at = popover_of(objects, 1)
    at.button(key="export.annotations.job").click().run()
    job = latest_job(objects.workspace, kind=EXPORT.name, set_id=objects.set_id)
    assert job is not None
    assert job.title == f"Write the annotation files of {set_name(objects.root)}"
    cancel_job(job, grace_s=0.1)


def test_many_pictures_are_written_by_a_job_and_all_need_no_list(
    image_set: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, job = job_of(image_set, 6, monkeypatch)
    assert "listed" not in call_of(job).given
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
    at = popover_of(image_set, count, kind="program")
    at.selectbox(key="export.program").set_value("huggingface").run()
    at.segmented_control(key="export.how").set_value("copy").run()
    at.button(key="export.huggingface.job").click().run()
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
    told = at.run()
    assert f'datasets.load_dataset("imagefolder", data_dir={str(out)!r})' in [block.value for block in told.code]
    assert f"Wrote 4 pictures of {set_name(image_set.root)} for Hugging Face to {str(out)!r}" in "".join(
        one.value for one in told.markdown
    ).replace("\\", "")


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
    at.selectbox(key="export.by").set_value("label").run()
    at.text_input(key="export.out").set_value(str(elsewhere / "new")).run()
    assert at.button(key="export.folders").disabled
    at.button(key="export.out.allow").click().run()
    assert not at.button(key="export.folders").disabled
    assert allowed_folders(home) == (elsewhere,), "the folder above one that is not there yet"
    assert "export.out.allow" not in [button.key for button in at.button]
    at.button(key="export.folders").click().run()
    assert (elsewhere / "new").is_dir()
    at.text_input(key="export.out").set_value("/nowhere/new").run()
    assert "export.out.allow" not in [button.key for button in at.button], "never all folders of the machine"
