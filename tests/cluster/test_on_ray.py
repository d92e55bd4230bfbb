"""Ray's workers, real ones of this machine, make the rows that one process makes; who is killed loses nothing."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests.browser.fixtures import free_port
from tests.imaging.pictures import encoded, noise
from tests.processes import ROOT, await_stored, run_python, stored_files
from url_viz.base.errors import ClusterError, UsageError
from url_viz.base.progress import Progress
from url_viz.cli.main import main
from url_viz.image_set import ImageSet, open_image_set
from url_viz.models.model import Model
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import has_gpu
from url_viz.pipeline.cluster import on_ray
from url_viz.pipeline.cluster.on_ray import OnRay
from url_viz.reading import embed_folder
from url_viz.store.tables.tables import IMAGES

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
COUNT = 128
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray (the extra `ray`)")


@contextmanager
def ray_head(folder: Path, variables: dict[str, str]) -> Iterator[str]:
    """The address of a cluster of this machine alone."""
    address = f"127.0.0.1:{free_port()}"
    options = [f"--port={address.rpartition(':')[2]}", "--num-cpus=2", f"--object-store-memory={100 << 20}"]
    words = ["start", "--head", "--block", "--include-dashboard=false", f"--temp-dir={folder}", *options]
    command = [sys.executable, "-m", "ray.scripts.scripts", *words]
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "HOME": str(folder)}
    with subprocess.Popen(
        command, env={**os.environ, **quiet, **variables}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as head:
        assert head.stdout is not None
        said = ""
        while "To view the status" not in said:
            line = head.stdout.readline()
            assert line, said
            said += line
        below = psutil.Process(head.pid).children(recursive=True)
        yield address
        head.terminate()
    psutil.wait_procs(below, timeout=120)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A cluster that asks for a token; its folder is short, as the paths of sockets have to be."""
    with short_folder() as folder, ray_head(folder, TOKEN) as address:
        yield address


@contextmanager
def short_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def join(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """The environment of who belongs to a cluster."""
    for name, value in {**TOKEN, "RAY_ADDRESS": address}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def joined(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    join(monkeypatch, cluster)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that take a few seconds together, a copy of one, and two files that are none."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        (folder / f"{number:04}.jpg").write_bytes(encoded(noise(number, width=400, height=300), quality=90))
    (folder / "copy.jpg").write_bytes((folder / "0001.jpg").read_bytes())
    (folder / "cut.jpg").write_bytes((folder / "0002.jpg").read_bytes()[:200])
    (folder / "empty.jpg").touch()
    return folder


@pytest.fixture(scope="module")
def by_one_process(pictures: Path, module_workspace: Path, bare_model: Model) -> ImageSet:
    return embed_folder(pictures, model=bare_model, workspace=module_workspace)


def is_the_same(image_set: ImageSet, expected: ImageSet) -> None:
    """All that reading makes is equal to the last bit."""
    assert rows(image_set) == rows(expected)
    assert np.array_equal(image_set.embeddings(), expected.embeddings())
    contents = image_set.core.store.embedded(image_set.space.key).content
    assert len(contents) == len(set(contents.tolist())) == COUNT
    made = ["entropy", "inverse_norm", "brightness", "contrast", "sharpness"]
    assert image_set.table()[made].equals(expected.table()[made])


def rows(image_set: ImageSet) -> list[dict[str, object]]:
    found = image_set.core.store.images(IMAGES.names).to_pylist()
    return sorted(found, key=lambda row: row["path"])


def worker_processes() -> list[psutil.Process]:
    """Ray's workers of what this test started."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[:1] and process.cmdline()[0].startswith("ray::Worker"):
                found.append(process)
    return found


@pytest.mark.slow
@needs_ray
def test_a_killed_worker_costs_nothing_and_the_ray_of_a_run_leaves_nothing(
    pictures: Path, workspace: Path, bare_model: Model, by_one_process: ImageSet, capfd: pytest.CaptureFixture[str]
) -> None:
    killed: set[int] = set()
    seen: set[int] = set()
    before = dict(os.environ)

    def report(progress: Progress) -> None:
        if progress.stage == "read" and progress.done:
            workers = worker_processes()
            if not killed and len(workers) == 2:  # the second may start while the first reads
                killed.update(process.pid for process in workers)
                for pid in killed:
                    os.kill(pid, signal.SIGKILL)
            seen.update(process.pid for process in worker_processes())

    image_set = embed_folder(
        pictures, model=bare_model, workspace=workspace, ray=OnRay("local", workers=2), progress=report
    )
    assert len(killed) == 2
    assert seen - killed, "others took their places"
    assert "died" not in "".join(capfd.readouterr()), "Ray's own words stay in its logs"
    is_the_same(image_set, by_one_process)
    assert sorted(image_set.failures()["path"]) == ["cut.jpg", "empty.jpg"]
    assert dict(os.environ) == before
    _, left = psutil.wait_procs(worker_processes(), timeout=120)
    assert not left


@pytest.mark.torture
@needs_ray
class TestACluster:
    """`--ray auto`."""

    @pytest.mark.usefixtures("joined")
    def test_a_killed_command_goes_on(self, pictures: Path, workspace: Path, by_one_process: ImageSet) -> None:
        command = ["embed", str(pictures), "--workspace", str(workspace), "--ray", "auto", "--workers", "2"]
        with subprocess.Popen(
            [sys.executable, "-m", "url_viz", *command], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
        ) as run:
            await_stored(workspace, run)
            os.killpg(run.pid, signal.SIGKILL)
        assert stored_files(workspace) < COUNT
        assert main([*command, "--strict"]) == 3
        is_the_same(open_image_set(pictures, model=DEFAULT, workspace=workspace), by_one_process)

    @pytest.mark.usefixtures("joined")
    def test_a_wrong_token_is_refused(self, pictures: Path, workspace: Path) -> None:
        """As a process: one keeps the token that it has shown."""
        command = ["embed", str(pictures), "--workspace", str(workspace), "--ray", "auto"]
        done = run_python("-m", "url_viz", *command, env={**os.environ, "RAY_AUTH_TOKEN": "f" * 64})
        assert done.returncode == 1
        assert "cannot be joined" in done.stderr
        assert "Traceback" not in done.stderr
        assert not list((workspace / "sets").iterdir()), "nothing is left of a set that was not read"

    @pytest.mark.usefixtures("joined")
    def test_a_worker_that_cannot_start_ends_the_run_with_its_reason(
        self, pictures: Path, workspace: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(on_ray, "WorkerConfig", partial(on_ray.WorkerConfig, version="0.0.1"))
        before = dict(os.environ)
        with pytest.raises(ClusterError, match=r"A worker on '.*' cannot start: it has URL-Viz .*0\.0\.1"):
            embed_folder(pictures, model=bare_model, workspace=workspace, ray=OnRay("auto"))
        _, left = psutil.wait_procs(worker_processes(), timeout=120)
        assert not left
        assert dict(os.environ) == before
        assert not list((workspace / "sets").iterdir())

    def test_one_that_lets_in_everybody_is_refused(
        self, pictures: Path, workspace: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with short_folder() as folder, ray_head(folder, {"RAY_AUTH_MODE": "disabled"}) as address:
            join(monkeypatch, address)
            with pytest.raises(ClusterError, match="lets in whoever reaches it"):
                embed_folder(pictures, model=bare_model, workspace=workspace, ray=OnRay("auto"))


@pytest.mark.torture
@needs_ray
def test_a_process_that_had_a_ray_of_its_own_joins_a_cluster_later(
    cluster: str, tmp_path: Path, workspace: Path, bare_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.jpg").write_bytes(encoded(noise(1, width=60, height=40)))
    before = dict(os.environ)
    embed_folder(tmp_path, model=bare_model, workspace=workspace, ray=OnRay("local", 1))
    assert dict(os.environ) == before
    join(monkeypatch, cluster)
    (tmp_path / "two.jpg").write_bytes(encoded(noise(2, width=60, height=40)))
    assert len(embed_folder(tmp_path, model=bare_model, workspace=workspace, ray=OnRay("auto"))) == 2


@pytest.mark.torture
@needs_ray
@pytest.mark.skipif(has_gpu(), reason="a machine without a GPU refuses")
def test_a_run_that_fails_leaves_the_environment_as_it_was(tmp_path: Path, workspace: Path, bare_model: Model) -> None:
    (tmp_path / "one.jpg").write_bytes(encoded(noise(1, width=60, height=40)))
    before = dict(os.environ)
    with pytest.raises(ClusterError, match="no GPU for a worker"):
        embed_folder(tmp_path, model=bare_model, workspace=workspace, ray=OnRay("local", 1, device="cuda"))
    assert dict(os.environ) == before


@pytest.mark.torture
@needs_ray
def test_the_command_with_a_ray_of_its_own_says_nothing_of_it(
    pictures: Path, workspace: Path, by_one_process: ImageSet
) -> None:
    command = ["embed", str(pictures), "--workspace", str(workspace), "--ray", "local", "--workers", "1", "--strict"]
    done = run_python("-m", "url_viz", *command)
    assert done.returncode == 3, done.stderr
    image_set = open_image_set(pictures, model=DEFAULT, workspace=workspace)
    is_the_same(image_set, by_one_process)
    stages = {line.partition(" ")[0] for line in done.stderr.splitlines()}
    assert stages == {"prepare", "scan", "read", "neighbours", "map"}
    assert "on Ray (local)" in done.stdout


class TestRefusals:
    """What is refused before anything starts."""

    @pytest.fixture(autouse=True)
    def _nothing_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", *TOKEN):
            monkeypatch.delenv(name, raising=False)

    @needs_ray
    @pytest.mark.parametrize("mode", [None, "disabled", ""])
    def test_a_cluster_without_a_token(
        self, mode: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if mode is not None:
            monkeypatch.setenv("RAY_AUTH_MODE", mode)
        assert main(["embed", "nowhere", "--ray", "auto"]) == 1
        assert "Set RAY_AUTH_MODE=token" in capsys.readouterr().err

    @needs_ray
    def test_no_token_to_show(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        with pytest.raises(ClusterError, match=r"no file '.*/\.ray/auth_token'"):
            OnRay("auto").check()
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
        with pytest.raises(ClusterError, match=r"no file '.*/token'"):
            OnRay("auto").check()
        (tmp_path / "token").write_text("a" * 64)
        OnRay("auto").check()

    @needs_ray
    def test_an_address_of_a_client(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
        with pytest.raises(ClusterError, match=r"'ray://head:10001'.*HOST:PORT"):
            OnRay("auto").check()

    def test_without_the_extra(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr("url_viz.pipeline.cluster.on_ray.find_spec", lambda name: None)
        assert main(["embed", "nowhere", "--ray", "local"]) == 1
        assert 'pip install "url-viz[ray]"' in capsys.readouterr().err

    def test_what_has_no_meaning(self, capsys: pytest.CaptureFixture[str]) -> None:
        for words, why in (
            (["--workers", "2"], "Give --ray local or --ray auto too"),
            (["--ray", "local", "--device", "cuda:1"], "Ray hands out the GPUs"),
            (["--ray", "local", "--embeddings", "a.npy"], "need no model"),
            (["--ray", "local", "--workers", "0"], "from 1 to"),
        ):
            assert main(["embed", "nowhere", *words]) == 2
            assert why in capsys.readouterr().err

    @pytest.mark.slow
    def test_embeddings_from_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="need no model"):
            embed_folder(tmp_path, embeddings=tmp_path / "a.npy", ray=OnRay("local"))


@pytest.mark.torture
@needs_ray
def test_a_killed_machine_costs_nothing(
    pictures: Path,
    workspace: Path,
    bare_model: Model,
    by_one_process: ImageSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two machines are two raylets of this one; one is killed once it has read, with a worker on it."""
    for name, value in {**TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}.items():
        monkeypatch.setenv(name, value)
    import ray
    from ray.cluster_utils import Cluster

    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()  # that of a Ray that an earlier test had
    options: dict[str, Any] = {"object_store_memory": 100 << 20, "include_dashboard": False}
    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **options})
    try:
        first, _ = (machines.add_node(num_cpus=1, **options) for _ in range(2))
        monkeypatch.setenv("RAY_ADDRESS", machines.address)
        there = [first]
        seen: set[int] = set()

        def report(progress: Progress) -> None:
            if progress.stage == "read" and progress.done:
                if there:
                    machines.remove_node(there.pop(), allow_graceful=False)
                seen.add(progress.done)

        image_set = embed_folder(
            pictures, model=bare_model, workspace=workspace, ray=OnRay("auto", workers=2), progress=report
        )
        assert not there
        assert len(seen) > 2
        is_the_same(image_set, by_one_process)
    finally:
        machines.shutdown()


DEADLY = """
import hashlib, os, signal
digest = hashlib.blake2b
def deadly(data=b"", **options):
    with open("/proc/self/cmdline", "rb") as file:
        if data[-6:] == b"POISON" and file.read().startswith(b"ray::Worker"):
            os.kill(os.getpid(), signal.SIGKILL)
    return digest(data, **options)
hashlib.blake2b = deadly
"""
"""Makes a worker, and no other process, die at a file that ends so."""


@pytest.mark.torture
@needs_ray
def test_a_picture_at_which_every_worker_dies_is_a_row_with_that_reason(
    pictures: Path, workspace: Path, tmp_path: Path, by_one_process: ImageSet
) -> None:
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    (folder / "poison.jpg").write_bytes((folder / "0005.jpg").read_bytes() + b"POISON")
    command = ["embed", str(folder), "--workspace", str(workspace), "--ray", "local", "--workers", "2", "--strict"]
    done = run_python("-m", "url_viz", *command, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert done.returncode == 3, done.stderr
    image_set = open_image_set(folder, model=DEFAULT, workspace=workspace)
    failures = dict(image_set.failures().itertuples(index=False))
    assert set(failures) == {"cut.jpg", "empty.jpg", "poison.jpg"}
    assert failures["poison.jpg"] == on_ray.KILLS_WORKERS
    assert np.array_equal(image_set.embeddings(), by_one_process.embeddings())
