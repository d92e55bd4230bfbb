"""Opening a folder: what is there, or what is wrong, is said before a job is started."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.imaging.pictures import write_folder
from tests.ui.pages import folder_dialog, opened
from url_viz.base.errors import FolderError
from url_viz.base.workspace import Workspace
from url_viz.imaging.source import FolderPreview
from url_viz.jobs import list_jobs
from url_viz.store.allowed_folders import allowed_folders
from url_viz.ui.widgets import open_folder as folder_previews
from url_viz.ui.widgets.open_folder import FolderPreviews


def test_a_folder_says_what_is_in_it_before_it_is_read(home: Workspace, tmp_path: Path) -> None:
    at = folder_dialog(write_folder(tmp_path / "zoo", 6, classes=("cat", "dog")))
    assert any("6 pictures in 2 folders: 2 classes (cat, dog)" in one.value for one in at.markdown)
    assert not at.error
    assert not at.button(key="read_folder").disabled
    assert not list_jobs(home), "looking is no reading"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("does/not/exist", "does not exist"),
        ("notes.md", "is a file, not a folder"),
        ("empty", "There are no pictures in"),
        ("\0", "not a readable path"),
    ],
)
def test_what_is_wrong_is_said_of_the_path_itself_and_no_job_can_start(
    home: Workspace, tmp_path: Path, name: str, why: str
) -> None:
    (tmp_path / "notes.md").write_text("words")
    (tmp_path / "empty").mkdir()
    at = folder_dialog(f"{tmp_path}/{name}")
    assert len(at.error) == 1
    assert why in at.error[0].value
    assert name.rpartition("/")[2] in at.error[0].value.replace("\\\\", "\\").replace("\\x00", "\0")
    assert at.button(key="read_folder").disabled
    assert not list_jobs(home)


def test_a_folder_with_annotations_is_read_as_pictures_or_as_their_objects(home: Workspace, tmp_path: Path) -> None:
    write_folder(tmp_path / "set" / "images", 2)
    for at in sorted((tmp_path / "set" / "images").rglob("*.jpg")):
        label = tmp_path / "set" / "labels" / at.relative_to(tmp_path / "set" / "images").with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("0 .5 .5 .5 .5\n1 .5 .5 .2 .2")
    (tmp_path / "set" / "data.yaml").write_text("{train: images, names: [cat, '*dog*']}")
    (tmp_path / "set" / "instances.json").write_text("[]")  # of something else
    at, deadline = folder_dialog(tmp_path / "set"), time.monotonic() + 120
    ways = [("Read these objects", "primary"), ("Read this folder", "secondary")]
    while [(one.label, one.proto.type) for one in at.button if one.label.startswith("Read")] != ways:
        assert time.monotonic() < deadline, "processes of their own read both files"
        at.run()
    told = [one.value for one in at.markdown]
    assert any("2 pictures in 1 folder" in one for one in told)
    assert any("data.yaml: 4 objects of 2 classes in 2 pictures, as YOLO" in one for one in told)

    assert [one.label for one in at.expander[0].button] == ["Read this folder"]
    at.button(key=f"read_folder.{tmp_path / 'set' / 'data.yaml'}").click().run()
    assert [job.about["folder"] for job in list_jobs(home)] == [str(tmp_path / "set" / "data.yaml")]


def test_a_folder_elsewhere_is_asked_for_once_kept_and_taken_back(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, elsewhere = tmp_path / "inside", write_folder(tmp_path / "elsewhere", 2)
    inside.mkdir()
    (elsewhere / "notes.md").write_text("words")
    monkeypatch.setenv("URL_VIZ_ROOTS", str(inside))
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    assert "does not exist" in folder_dialog(tmp_path / "nowhere").error[0].value
    assert "is a file, not a folder" in folder_dialog(elsewhere / "notes.md").error[0].value
    assert "holds the folders of all users" in folder_dialog("/").error[0].value
    at = folder_dialog(elsewhere)
    assert "is outside the folders that this app reads" in at.info[0].value
    assert at.button(key="read_folder").disabled
    at.button(key="read_folder.allow").click().run()
    assert not at.error
    assert not at.button(key="read_folder").disabled
    assert allowed_folders(home) == (elsewhere.resolve(),)
    page = opened(page="sets")
    page.button(key=f"sets.take_back.{elsewhere.resolve()}").click().run()
    assert allowed_folders(home) == ()
    monkeypatch.setattr("url_viz.ui.auth.listens_to_others", lambda: True)
    shared = folder_dialog(tmp_path / "nowhere")
    assert "outside the folders that this app may read" in shared.error[0].value, "whether it is there is not told"
    assert "read_folder.allow" not in [button.key for button in shared.button]


def test_browsing_goes_into_folders_and_up_to_the_root(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", str(tmp_path))
    (tmp_path / "a_b" / "*c*").mkdir(parents=True)
    at = folder_dialog(tmp_path)
    at.button(key=f"browse_to_{tmp_path / 'a_b'}").click().run()
    assert at.text_input[0].value == str(tmp_path / "a_b")
    assert [b.label for b in at.button if str(b.key).startswith("browse_to_")] == ["Up", "\\*c\\*"]
    at.button(key=f"browse_to_{tmp_path}").click().run()
    assert "Up" not in [b.label for b in at.button]
    at.text_input[0].set_value(str(tmp_path / "not" / "there")).run()
    assert f"browse_to_{tmp_path / 'a_b'}" in [b.key for b in at.button], "of the nearest folder above it"


def test_beyond_a_root_browsing_leads_to_the_other_roots_and_says_how_to_open_more(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "inside").mkdir(parents=True)
    second.mkdir()
    monkeypatch.setenv("URL_VIZ_ROOTS", f"{first}:{second}:{first / 'inside'}")
    monkeypatch.setenv("URL_VIZ_TOKEN", "on")
    at = folder_dialog(first)
    assert "then *Allow this folder*" in " ".join(one.value for one in at.caption)
    ways = [str(b.key) for b in at.button if str(b.key).startswith("browse_")]
    assert ways == [f"browse_root_{second}", f"browse_to_{first / 'inside'}"]
    at.button(key=f"browse_root_{second}").click().run()
    assert at.text_input[0].value == str(second)
    at.text_input[0].set_value(str(tmp_path)).run()
    assert f"browse_root_{first}" in [b.key for b in at.button], "back from where nothing is allowed"
    monkeypatch.setattr("url_viz.ui.auth.listens_to_others", lambda: True)
    words = " ".join(one.value for one in folder_dialog(first).caption)
    assert "Whoever runs this app can add others" in words
    assert "Allow this folder" not in words


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A disk that goes on with a count when the event is set."""
    going_on = threading.Event()

    def counted(root: Path, *, within: object) -> Iterator[FolderPreview]:
        yield FolderPreview(3, 1)
        going_on.wait(30)
        yield FolderPreview(7, 1, is_done=True, is_complete=True)

    monkeypatch.setattr(folder_previews, "preview_folder", counted)
    yield going_on
    going_on.set()


def test_a_slow_disk_keeps_nobody_waiting_and_the_folder_can_be_read(
    slow: threading.Event, home: Workspace, tmp_path: Path
) -> None:
    previews = FolderPreviews()
    while not (first := previews.at(tmp_path, within=(), wait_s=0)).pictures:
        time.sleep(0.01)
    assert first == FolderPreview(3, 1)
    at = folder_dialog(tmp_path / "still counted")
    assert any("Counting: over 3 pictures".lower() in one.value.lower() for one in at.markdown)
    assert not at.button(key="read_folder").disabled
    slow.set()
    assert previews.at(tmp_path, within=(), wait_s=120) == FolderPreview(7, 1, is_done=True, is_complete=True)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A disk that begins a count when the event is set."""
    going_on, really = threading.Event(), folder_previews.preview_folder

    def counted(root: Path, *, within: list[Path]) -> Iterator[FolderPreview]:
        going_on.wait(30)
        yield from really(root, within=within)

    monkeypatch.setattr(folder_previews, "preview_folder", counted)
    return going_on


@pytest.mark.parametrize("count", [3, 0])
def test_a_click_before_the_first_picture_is_met_is_not_lost_and_starts_nothing_where_there_is_none(
    late: threading.Event, home: Workspace, tmp_path: Path, count: int
) -> None:
    """Seen in CI: typed, Enter, clicked at once; the page waited for a second click."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    at = folder_dialog(write_folder(folder, count))
    assert any("Counting: Over 0 pictures" in one.value for one in at.markdown)
    threading.Timer(0.7, late.set).start()
    at.button(key="read_folder").click().run()
    assert [job.about["folder"] for job in list_jobs(home)] == [str(folder)] * bool(count)
    assert any("There are no pictures in" in one.value for one in at.error) is not bool(count)


def test_a_count_is_told_again_for_a_while_and_then_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    previews = FolderPreviews()
    write_folder(tmp_path / "a", 2)
    assert previews.at(tmp_path, within=(tmp_path,), wait_s=120).pictures == 2
    write_folder(tmp_path / "b", 3)
    assert previews.at(tmp_path, within=(tmp_path,), wait_s=120).pictures == 2
    monkeypatch.setattr(folder_previews, "FRESH_S", -1.0)
    assert previews.at(tmp_path, within=(tmp_path,), wait_s=120).pictures == 5
    with pytest.raises(FolderError, match="does not exist"):
        previews.at(tmp_path / "gone", within=(tmp_path,), wait_s=120)
