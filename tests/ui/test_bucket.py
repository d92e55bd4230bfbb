"""A set in object storage on the pages: shown as any other, its large views fetched, no bucket opened unasked."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests.imaging.pictures import encoded, noise
from tests.object_store import BUCKET, KEY, SECRET, ObjectStore, let_in, object_store
from tests.ui.pages import client_of, ended, folder_dialog, opened, words
from url_viz.base.errors import BucketError, FolderError, NotAllowedError
from url_viz.base.workspace import Workspace, root_of
from url_viz.drawing.tiles import picture_url, thumbnail_url
from url_viz.export.folders import paths_text, sort_into_folders
from url_viz.image_set import ImageSet
from url_viz.imaging import bucket as of_bucket
from url_viz.jobs import list_jobs
from url_viz.jobs.kinds import ADAPT, about_of, config_to_adapt, start_export
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.pictures.set_selection import ids_of_paths
from url_viz.reading import embed_folder
from url_viz.ui.auth import allowed, bucket_roots, roots
from url_viz.ui.widgets.embed_job import start_reading

ADDRESS = f"s3://{BUCKET}/zoo"


@pytest.fixture(scope="module")
def running() -> Iterator[ObjectStore]:
    with object_store() as store:
        for number in range(6):
            store.put(f"zoo/{'cat' if number % 2 else 'dog'}/{number}.png", encoded(noise(number), "PNG"))
        store.put("zoo/large.png", encoded(noise(9, width=2000, height=1500), "PNG"))
        store.put("zoo/broken.png", b"<html>")
        yield store


@pytest.fixture(scope="module")
def read_set(running: ObjectStore, module_workspace: Path, model: Model) -> ImageSet:
    with pytest.MonkeyPatch.context() as patch:
        let_in(running, patch)
        return embed_folder(ADDRESS, model=model, workspace=module_workspace)


@pytest.fixture
def image_set(read_set: ImageSet, running: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
    monkeypatch.setenv("URL_VIZ_HOME", str(read_set.workspace.root))
    monkeypatch.setattr(of_bucket, "RETRIES", 0)
    let_in(running, monkeypatch)
    running.failing = lambda path: None
    running.asked.clear()
    return ImageSet(read_set.core.store, read_set.space, read_set.source, read_set.workspace)


@pytest.fixture
def client() -> TestClient:
    return client_of()


def large(image_set: ImageSet) -> int:
    return int(image_set.table().set_index("path")["id"]["large.png"])


def test_thumbnails_are_kept_and_large_views_fetched(
    image_set: ImageSet, running: ObjectStore, client: TestClient
) -> None:
    assert client.get(thumbnail_url(image_set.set_id, large(image_set))).status_code == 200
    assert running.asked == []
    answer = client.get(picture_url(image_set, large(image_set)))
    assert running.asked == [f"/{BUCKET}/zoo/large.png"]
    assert Image.open(io.BytesIO(answer.content)).size == (1600, 1200)
    read = image_set.files.read(large(image_set))
    assert (read.width, read.height) == (2000, 1500), "as for a heat map"


def test_a_store_that_does_not_give_a_picture_is_said_in_its_place(
    image_set: ImageSet, running: ObjectStore, client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    for status in (403, 503):
        running.failing = lambda path, status=status: status  # type: ignore[misc]
        answer = client.get(picture_url(image_set, large(image_set)))
        assert answer.status_code == 502
        assert answer.headers["content-type"].startswith("image/svg+xml")
        assert "does not give it now" in answer.text
        assert KEY not in answer.text + "".join(capsys.readouterr())
    running.failing = lambda path: 404
    with pytest.raises(BucketError):
        image_set.files.data(large(image_set))
    running.failing = lambda path: 404 if path.endswith(".png") else None
    assert client.get(picture_url(image_set, large(image_set))).status_code == 404, "it is gone"


def test_pages_that_look_for_files_show_the_set(image_set: ImageSet) -> None:
    for page in ("explore", "sets", "evaluate", "finetune"):
        at = opened(image_set, page)
        assert not any("no longer exists" in one.value for one in at.warning), page
        if page == "evaluate":
            assert "are in object storage" in words(at)
            assert "evaluate.crop.run" not in [button.key for button in at.button]


def test_the_app_opens_no_bucket_that_is_not_named(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bucket_roots() == ()
    for named in (None, "/", f"/:s3://{BUCKET}/zoo/cat:gs://{BUCKET}", "s3://pic"):
        if named is not None:
            monkeypatch.setenv("URL_VIZ_ROOTS", named)
        with pytest.raises(NotAllowedError, match="embed s3://pics/zoo"):
            allowed(Path(ADDRESS))
        with pytest.raises(NotAllowedError):
            start_reading(image_set.root, set_id=image_set.set_id, model=image_set.source.name)
    monkeypatch.setenv("URL_VIZ_ROOTS", f"/tmp:s3://{BUCKET}:/")
    assert bucket_roots() == (root_of(f"s3://{BUCKET}"),)
    assert roots() == (Path("/tmp").resolve(), Path("/"))
    assert allowed(Path(ADDRESS)) == image_set.root
    with pytest.raises(BucketError) as refused:
        allowed(Path("s3://a:opensesame@pics/zoo"))
    assert "sesame" not in str(refused.value)


def test_an_address_typed_is_read_only_where_it_is_allowed(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    at = folder_dialog(ADDRESS)
    assert "opens no bucket" in at.error[0].value
    assert at.button(key="read_folder").disabled
    at.text_input[0].set_value("s3://a:opensesame@pics/zoo").run()
    assert "sesame" not in "".join(one.value for one in (*at.error, *at.markdown, *at.caption))
    monkeypatch.setenv("URL_VIZ_ROOTS", f"s3://{BUCKET}")
    at.text_input[0].set_value(ADDRESS).run()
    assert not at.error
    assert not at.button(key="read_folder").disabled
    assert not list_jobs(home)


@pytest.mark.slow
def test_a_reading_of_the_app_keeps_no_secret(
    image_set: ImageSet, running: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", f"s3://{BUCKET}/zoo")
    running.put("zoo/new.png", encoded(noise(77), "PNG"))
    start_reading(image_set.root, set_id=image_set.set_id, model=DEFAULT)
    [job] = list_jobs(image_set.workspace)
    assert ended(job).status().state == "succeeded", job.paths.log.read_text()
    assert f"/{BUCKET}/zoo/new.png" in running.asked
    kept = b"".join(path.read_bytes() for path in image_set.workspace.root.rglob("*") if path.is_file())
    for secret in (KEY, SECRET):
        assert secret.encode() not in kept
    running.delete("zoo/new.png")


def test_what_takes_files_is_refused_before_a_job_starts(image_set: ImageSet, tmp_path: Path) -> None:
    before = len(list_jobs(image_set.workspace))
    for call in (
        lambda: ADAPT.start(config_to_adapt(image_set), about=about_of(image_set), workspace=image_set.workspace),
        lambda: start_export(image_set, program="fiftyone", ids=None, how="copy", name="zoo"),
        lambda: sort_into_folders(image_set, tmp_path / "out", by="label", how="copy"),
        lambda: image_set.files.path(large(image_set)),
    ):
        with pytest.raises(FolderError, match="lie in object storage"):
            call()
    assert len(list_jobs(image_set.workspace)) == before
    assert not (tmp_path / "out").exists()


def test_pictures_are_named_by_their_addresses(image_set: ImageSet) -> None:
    lines = paths_text(image_set, image_set.core.ids).decode().splitlines()
    assert f"{ADDRESS}/large.png" in lines
    assert ids_of_paths(image_set, [f"{ADDRESS}/large.png"]).tolist() == [large(image_set)]
