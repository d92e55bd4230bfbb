"""A picture that crashes, hangs or takes too much memory where the app decodes it ends that picture alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.browser.fixtures import eventually
from tests.conftest import held
from tests.hostile.crashing import ABORT, EXIT, HANG, KILLED, SEGFAULT, SLOW, SPOILED, crashing_environment
from tests.imaging.pictures import encoded, noise, write_folder
from tests.processes import ROOT, run_python
from tests.ui import pages
from url_viz.base import limited_processes
from url_viz.base.errors import ImageError, UrlVizError
from url_viz.base.limited_processes import FILES_A_START
from url_viz.drawing.tiles import picture_url
from url_viz.image_set import ImageSet
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.places import content_key
from url_viz.imaging.uploaded_files import IncomingFile, RefusedFile
from url_viz.imaging.workers import Decoders, decoders, picture_of
from url_viz.models.model import Model
from url_viz.outside.uploads import NewPicture, score
from url_viz.reading import embed_folder
from url_viz.ui.http import middleware, routes
from url_viz.ui.search import SEARCHING

SHEET = Preprocessing()
GOOD = encoded(noise(1))
pytestmark = pytest.mark.slow


def bad(size: tuple[int, int]) -> bytes:
    return encoded(noise(7, width=size[0], height=size[1]), "PNG")


def below() -> set[int]:
    """The processes that decode below this one."""
    found = set()
    for process in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # one of another test that has ended
            if "url_viz.imaging.workers" in process.cmdline():
                found.add(process.pid)
    return found


@pytest.fixture(autouse=True)
def _crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Processes that are started from now on have the decoder that crashes."""
    decoders.close()
    monkeypatch.setenv("PYTHONPATH", crashing_environment(tmp_path / "decoder")["PYTHONPATH"])
    yield
    decoders.close()


class TestOneByOne:
    def test_the_outcome_is_that_of_this_process(self) -> None:
        data = encoded(noise(3, width=900, height=500), quality=90)
        here, there = picture_of(data, SHEET, content=content_key(data)), decoders.read(data, SHEET)
        assert (here.crop == there.crop).all()
        assert (here.content, here.width, here.height) == (there.content, there.width, there.height)
        assert here.thumbnail == there.thumbnail
        assert decoders.format_of(data) == "JPEG"
        with pytest.raises(ImageError, match="is an HTML page"):
            decoders.read(b"<html>", SHEET)

    @pytest.mark.parametrize(
        ("size", "says"),
        [
            (SEGFAULT, "SIGSEGV"),
            (KILLED, "more memory than there is"),
            *(pytest.param(*case, marks=pytest.mark.torture) for case in ((ABORT, "SIGABRT"), (EXIT, "exit status 1"))),
        ],
    )
    def test_a_crash_costs_one_picture(self, size: tuple[int, int], says: str) -> None:
        with closing(Decoders(1)) as one:
            assert one.read(GOOD, SHEET).width == 64
            with pytest.raises(ImageError, match=says):
                one.read(bad(size), SHEET)
            with pytest.raises(ImageError, match=says):
                one.shown(bad(size), most_px=100, quality=88)
            assert one.read(GOOD, SHEET).width == 64

    def test_one_that_never_ends_is_ended_though_it_holds_pythons_lock(self) -> None:
        with closing(Decoders(1, most_s=1)) as one:
            with pytest.raises(ImageError, match="takes longer than 1 s to read, or never ends"):
                one.read(bad(HANG), SHEET)
            assert one.read(GOOD, SHEET).width == 64

    def test_one_that_takes_too_much_memory_is_refused_it(self) -> None:
        large = encoded(Image.new("1", (13_000, 13_000)), "PNG")
        with closing(Decoders(1, most_memory_bytes=600 << 20)) as one:
            with pytest.raises(ImageError, match="more memory than there is"):
                one.read(large, SHEET)
            assert one.read(GOOD, SHEET).width == 64

    def test_a_picture_is_not_blamed_for_what_another_one_spoiled(self) -> None:
        with closing(Decoders(1)) as one:
            one.read(GOOD, SHEET)
            assert one.read(bad(SPOILED), SHEET).width == SPOILED[0]

    def test_one_killed_for_the_memory_that_another_took_is_read_all_the_same(self) -> None:
        with closing(Decoders(1)) as one, ThreadPoolExecutor(1) as other:
            before = below()
            reading = other.submit(one.read, bad(SLOW), SHEET)
            eventually(lambda: len(below() - before) == 1)
            [process] = map(psutil.Process, below() - before)
            eventually(lambda: process.num_threads() > 1)
            time.sleep(0.1)  # it reads by now
            process.kill()
            assert reading.result(timeout=120).width == SLOW[0]

    def test_one_killed_as_it_starts_is_started_again(self) -> None:
        with closing(Decoders(1)) as one, ThreadPoolExecutor(1) as other:
            before = {child.pid for child in psutil.Process().children()}
            reading = other.submit(one.read, GOOD, SHEET)
            while not (started := {child.pid for child in psutil.Process().children()} - before):
                pass
            os.kill(started.pop(), signal.SIGKILL)
            assert reading.result(timeout=120).width == 64


class TestManyAtOnce:
    def test_processes_are_kept_and_as_few_as_were_asked_for(self) -> None:
        before = below()
        pictures = [encoded(noise(seed)) for seed in range(40)]
        with closing(Decoders(2)) as two:
            assert below() == before, "none is started before there is work"
            for _ in range(2):
                with ThreadPoolExecutor(8) as threads:
                    found = list(threads.map(lambda data: two.read(data, SHEET), pictures))
                started = below() - before
                assert len(started) == 2
            assert below() - before == started
            assert [one.content for one in found] == [content_key(data) for data in pictures]
        assert below() == before

    def test_a_few_share_a_process_and_one_that_never_ends_holds_up_no_other(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = below()
        pictures = [encoded(noise(seed)) for seed in range(FILES_A_START - 2)]
        with closing(Decoders(2, most_s=4)) as two, ThreadPoolExecutor(4) as threads:
            with monkeypatch.context() as patient:
                patient.setattr(limited_processes, "PATIENCE_S", 60.0)
                assert all(threads.map(lambda data: two.read(data, SHEET), pictures))
            assert len(below() - before) == 1
            endless = threads.submit(two.read, bad(HANG), SHEET)
            eventually(lambda: two._requests > len(pictures))
            assert two.read(GOOD, SHEET).width == 64
            assert not endless.done()
            assert len(below() - before) == 2

    def test_who_came_first_is_served_first(self) -> None:
        order: list[int] = []

        def read(number: int) -> None:
            one.read(bad(SLOW) if number == 0 else GOOD, SHEET)
            order.append(number)

        with closing(Decoders(1)) as one:
            threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
            for thread in threads:
                thread.start()
                time.sleep(0.02)
            for thread in threads:
                thread.join()
        assert order == list(range(6))

    def test_large_pictures_take_turns_and_the_clock_stands_still_meanwhile(self) -> None:
        large = encoded(Image.new("1", (8_000, 7_000)), "PNG")
        with closing(Decoders(2, most_s=3)) as two, ThreadPoolExecutor(1) as other:
            with two._large:  # as if another one were being decoded
                waiting = other.submit(two.read, large, SHEET)
                assert two.read(GOOD, SHEET).width == 64
                time.sleep(3.2)
                assert not waiting.done()
            assert waiting.result(timeout=120).width == 8_000

    def test_ctrl_c_while_waiting_for_a_process_loses_none(self, tmp_path: Path) -> None:
        for name, size in (("slow.png", SLOW), ("good.png", (64, 48))):
            (tmp_path / name).write_bytes(bad(size))
        environment = {**os.environ, "PYTHONPATH": os.fspath(tmp_path / "decoder")}
        script = [sys.executable, "-c", WAITING, str(tmp_path / "slow.png"), str(tmp_path / "good.png")]
        assert subprocess.check_output(script, cwd=ROOT, env=environment, timeout=120, text=True) == "64 64\n"


class TestTheApp:
    def test_uploads_beside_one_that_crashes_are_scored(self, model: Model) -> None:
        files = [IncomingFile(f"{seed}.jpg", encoded(noise(seed))) for seed in range(49)]
        outcomes = score([*files[:20], IncomingFile("bad.png", bad(ABORT)), *files[20:]], held(model))
        assert [type(one) for one in outcomes] == [NewPicture] * 20 + [RefusedFile] + [NewPicture] * 29
        assert [one.name for one in outcomes if isinstance(one, NewPicture)] == [file.name for file in files]

    def test_a_session_says_which_upload_and_which_query_crashed(self, image_set: ImageSet) -> None:
        opened = pages.opened(image_set)
        opened.switch_page("pages/upload_page.py").run()
        uploads = [(f"{seed}.jpg", encoded(noise(seed)), "image/jpeg") for seed in range(3)]
        opened.file_uploader[0].set_value([*uploads, ("bad.png", bad(SEGFAULT), "image/png")]).run()
        assert not opened.exception
        assert any("3 pictures · scored with" in caption.value for caption in opened.caption)
        [row] = opened.dataframe[0].value.itertuples(index=False)
        assert row.file == "bad.png"
        assert "ends the process that reads it (SIGSEGV)" in row.reason
        opened.session_state[SEARCHING] = True
        opened.switch_page("pages/explore_page.py").run()
        for data, says in ((bad(ABORT), "SIGABRT"), (GOOD, "")):
            opened.file_uploader[0].set_value(("query.png", data, "image/png")).run()
            assert not opened.exception
            assert [says in error.value for error in opened.error] == [True] * bool(says)
        assert "most similar" in pages.words(opened)

    def test_what_a_picture_of_the_set_became_is_not_shown_and_the_next_one_is(
        self, image_set: ImageSet, client: TestClient, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = (int(i) for i in image_set.table()["id"].iloc[:2])
        image_set.files.path(first).write_bytes(bad(SEGFAULT))
        answer = client.get(picture_url(image_set, first))
        assert answer.status_code == 404
        assert "SIGSEGV" in capsys.readouterr().err, "told in the terminal, as it may name folders"
        assert client.get(picture_url(image_set, second)).headers["content-type"] == "image/jpeg"
        for read in (image_set.heat, lambda number: image_set.safe_search(image_set.files.path(number))):
            with pytest.raises(ImageError, match="SIGSEGV"):
                read(first)
        prediction = image_set.core.model.predict([image_set.files.path(first), image_set.files.path(second)])
        assert [("SIGSEGV" in reason) for _, reason in prediction.failures] == [True]

    @pytest.fixture
    def image_set(self, tmp_path: Path, workspace: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> ImageSet:
        monkeypatch.setenv("URL_VIZ_HOME", str(workspace))
        return embed_folder(write_folder(tmp_path / "zoo", 8), model=model, workspace=workspace)

    @pytest.fixture
    def client(self, image_set: ImageSet) -> TestClient:
        return TestClient(Starlette(routes=routes(), middleware=middleware()), base_url="http://127.0.0.1")


WAITING = """
import _thread, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.workers import Decoders
one = Decoders(1)
def read(path): return one.read(Path(path).read_bytes(), Preprocessing())
reading = threading.Thread(target=read, args=(sys.argv[1],))
reading.start()
while one._free:
    time.sleep(.01)
threading.Timer(.2, _thread.interrupt_main).start()
try:
    read(sys.argv[2])
except KeyboardInterrupt:
    reading.join()
    with ThreadPoolExecutor() as threads:
        print(*(threads.submit(read, sys.argv[2]).result(timeout=120).width for _ in range(2)))
"""
HOLDING = """
import sys, threading
from pathlib import Path
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.workers import Decoders
two = Decoders(2, most_s=5)
threading.Thread(target=two.read, args=(Path(sys.argv[1]).read_bytes(), Preprocessing())).start()
two.read(Path(sys.argv[2]).read_bytes(), Preprocessing())
print("reading", flush=True)
threading.Event().wait()
"""
FORKED = """
import os, sys
from pathlib import Path
from url_viz.imaging.decode import Preprocessing
from url_viz.imaging.workers import decoders
def read(): return decoders.read(Path(sys.argv[1]).read_bytes(), Preprocessing()).content
expected = read()
child = os.fork()
if child == 0:
    os._exit(0 if all(read() == expected for _ in range(20)) else 1)
assert all(read() == expected for _ in range(20))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


class TestTheProcessAbove:
    def test_killed_it_leaves_none_below_not_even_one_that_hangs(self, tmp_path: Path) -> None:
        for name, data in (("hang.png", bad(HANG)), ("good.jpg", GOOD)):
            (tmp_path / name).write_bytes(data)
        command = [sys.executable, "-c", HOLDING, str(tmp_path / "hang.png"), str(tmp_path / "good.jpg")]
        with subprocess.Popen(command, cwd=ROOT, env=self.environment(tmp_path), stdout=subprocess.PIPE) as above:
            assert above.stdout is not None
            above.stdout.readline()
            processes = psutil.Process(above.pid).children()
            above.kill()
        assert len(processes) == 2
        eventually(lambda: not any(process.is_running() for process in processes))

    def test_a_fork_of_it_has_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "good.jpg").write_bytes(GOOD)
        done = run_python("-c", FORKED, tmp_path / "good.jpg")
        assert (done.returncode, done.stderr) == (0, "")

    def test_below_nothing_slow_is_imported(self) -> None:
        slow = "torch timm umap openvino lancedb streamlit sklearn pandas pyarrow"
        script = f"import sys, url_viz.imaging.workers; print([m for m in {slow.split()!r} if m in sys.modules])"
        assert run_python("-c", script, check=True).stdout.strip() == "[]"

    def environment(self, tmp_path: Path) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.fspath(tmp_path / "decoder")}


def test_below_are_no_keys_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("AWS_SECRET_ACCESS_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "RAY_AUTH_TOKEN", "HF_TOKEN", "URL_VIZ_OTHER")
    for name in keys:
        monkeypatch.setenv(name, "a secret")
    before = below()
    with closing(Decoders(1)) as one:
        one.read(GOOD, SHEET)
        [process] = map(psutil.Process, below() - before)
        variables = process.environ()
    assert not [name for name, value in variables.items() if "secret" in value]
    assert variables["PATH"] == os.environ["PATH"]


def test_where_no_process_starts_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with closing(Decoders(1)) as pool, pytest.raises(UrlVizError, match=r"ended as it started \(status 1;") as told:
        pool.read(GOOD, SHEET)
    assert not isinstance(told.value, ImageError), "it is no picture's fault"
