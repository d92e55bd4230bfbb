"""A Ray cluster, started on this machine for one run or joined, and its actors as workers."""

import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from url_viz.base.errors import ClusterError, UrlVizError, UsageError
from url_viz.base.processes import usable_cores
from url_viz.base.workspace import Workspace
from url_viz.imaging.scan import ScannedFile
from url_viz.models.model import Model
from url_viz.pipeline.cluster.chunks import (
    Died,
    Done,
    Ready,
    Worker,
    WorkerConfig,
    embed_on_workers,
    without_duplicates,
)
from url_viz.pipeline.embedded import Embed, EmbeddedFiles, Embedding, read_without_model

Where = Literal["auto", "local"]
AUTH_MODE, TOKEN, TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
_BEFORE_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray prints a warning of what a later version will do
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # prints no paragraph for each worker that dies: its log has it
}
BREAKPOINT = "PYTHONBREAKPOINT"  # which Ray sets for its own debugger
STORE_BYTES_PER_WORKER = 64 << 20
"""Shared memory for answers to the driver: several times what a worker sends at a time."""
STATUS_TIMEOUT_S = 30.0
KILLS_WORKERS = "ends every process that reads and embeds it: the model may need more memory for it than there is"


@dataclass(frozen=True)
class Allocation:
    """How many workers, and what each has: cores, and a GPU or none."""

    workers: int
    cores: int
    gpus: int = 0


@dataclass(frozen=True)
class OnRay:
    """Read and embed on Ray's workers: of a Ray that is started on this machine for the run, or of a cluster.

    `where` is "local", or "auto" for the cluster of $RAY_ADDRESS, else that of this machine. `workers`: by default one
    per GPU, or without GPUs one per machine. `device`: auto, cuda or cpu.
    """

    where: Where
    workers: int | None = None
    device: str = "auto"

    def check(self, *, is_external: bool = False) -> None:
        """Raise ClusterError or UsageError for problems that are visible before anything is started.

        `is_external` is set if embeddings come from a file.
        """
        if is_external:
            raise UsageError("Embeddings from a file need no model, and so no workers of Ray. Leave out one of them.")
        if self.device not in ("auto", "cuda", "cpu"):
            raise UsageError(f"--device is {self.device!r}, and Ray hands out the GPUs. Give auto, cuda or cpu.")
        if find_spec("ray") is None:
            raise ClusterError(f'--ray takes Ray, which {sys.executable} lacks. Run `pip install "url-viz[ray]"`.')
        if self.where == "auto":
            _refuse_without_token(os.environ)

    def embed_by(self, workspace: Workspace) -> Embed:
        """The function with which the pipeline embeds files: on these workers, which stay until all are read."""
        return partial(_embed, self, workspace)


def _embed(
    on: OnRay, workspace: Workspace, embedding: Embedding, files: Sequence[ScannedFile]
) -> Generator[EmbeddedFiles, None, None]:
    if not files:
        return
    with ExitStack() as running:
        running.enter_context(_environment_restored())
        ray = running.enter_context(_started(on.workers or 1) if on.where == "local" else _joined(os.environ))
        allocation = allocate([node["Resources"] for node in ray.nodes() if node["Alive"]], on)
        pool = running.enter_context(
            closing(_RayWorkers(ray, _worker_config(embedding, workspace, allocation), embedding, allocation))
        )
        without_model = partial(read_without_model, embedding, why=KILLS_WORKERS)
        arriving = embed_on_workers(pool, files, workers=allocation.workers, without_model=without_model)
        yield from without_duplicates(arriving, embedding.embedded)


def cluster_address(environment: Mapping[str, str] = os.environ) -> str | None:
    """The address in $RAY_ADDRESS, if Ray is installed, else None."""
    return environment.get("RAY_ADDRESS") if find_spec("ray") else None


def allocate(nodes: Sequence[Mapping[str, float]], on: OnRay) -> Allocation:
    """Divide the resources of a cluster's machines among workers. Raises ClusterError if they do not suffice."""
    with_gpus = [node for node in nodes if node.get("GPU", 0) >= 1]
    if with_gpus and on.device != "cpu":
        workers = on.workers or sum(int(node["GPU"]) for node in with_gpus)
        return Allocation(workers, max(1, min(int(node.get("CPU", 0) // node["GPU"]) for node in with_gpus)), 1)
    with_cores = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if on.device == "cuda" or not with_cores:
        needed = "GPU" if on.device == "cuda" else "CPU"
        raise ClusterError(
            f"The cluster has no {needed} for a worker (`ray status`). Wait until its machines are up"
            + (", or leave out --device cuda." if on.device == "cuda" else ".")
        )
    workers = on.workers or len(with_cores)
    return Allocation(workers, max(1, min(with_cores) // -(-workers // len(with_cores))))


def _worker_config(embedding: Embedding, workspace: Workspace, allocation: Allocation) -> WorkerConfig:
    models = [model for model in embedding.models if isinstance(model, Model)]
    names = [os.path.abspath(m.name) if Path(m.name).is_file() else m.name for m in models]  # a worker runs elsewhere
    return WorkerConfig(
        tuple(zip(names, (model.space.key for model in models), strict=True)),
        models[0].space.precision,
        models[0].space.preprocessing.rendering,
        "cuda" if allocation.gpus else "cpu",
        workspace.root,
        embedding.source.root,
        embedding.source.within,
        allocation.cores,
    )


@contextmanager
def _environment_restored() -> Iterator[None]:
    """Sets what Ray needs to know, and restores it all at the end: this process may join another cluster later."""

    def ray_variables() -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name.startswith("RAY_") or name == BREAKPOINT}

    before = ray_variables()
    os.environ.update(_BEFORE_RAY)
    try:
        yield
    finally:
        for name in ray_variables():
            del os.environ[name]
        os.environ.update(before)


def _ray() -> ModuleType:
    """Ray, which is imported only where a cluster admits us: its threads can crash a process that ends at once."""
    import ray

    if ray.is_initialized():
        raise ClusterError("Ray runs in this Python process already. End that first: `ray.shutdown()`.")
    module: ModuleType = ray
    return module


@contextmanager
def _started(workers: int) -> Iterator[ModuleType]:
    """A Ray on this machine only, until the end of the context, which requires a token that is generated here."""
    os.environ[AUTH_MODE] = "token"
    os.environ.setdefault(TOKEN, secrets.token_hex(32))
    ray = _ray()
    own = {
        "address": "local",
        "num_cpus": max(usable_cores(), workers),
        "include_dashboard": False,
        "object_store_memory": max(4, workers) * STORE_BYTES_PER_WORKER,
    }
    with _connected(ray, own, "Ray does not start on this machine"):
        yield ray


@contextmanager
def _joined(environment: Mapping[str, str]) -> Iterator[ModuleType]:
    """The cluster of $RAY_ADDRESS, or of this machine. Raises ClusterError if it admits anybody without a token."""
    address = environment.get("RAY_ADDRESS", "auto")
    _check_cluster(address, environment)
    ray = _ray()
    with _connected(ray, {"address": address}, f"The Ray cluster {address!r} cannot be joined"):
        yield ray


@contextmanager
def _connected(ray: ModuleType, how: Mapping[str, object], what_fails: str) -> Iterator[None]:
    at_sigterm = signal.getsignal(signal.SIGTERM)
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()  # else a process shows its first one to all
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(**how, log_to_driver=False, logging_level=logging.ERROR)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, at_sigterm)  # Ray's would end the command with other words and status
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ClusterError(f"{what_fails}: {_first_line(error)}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_without_token(environment: Mapping[str, str]) -> None:
    address = environment.get("RAY_ADDRESS", "auto")
    if "://" in address:
        raise ClusterError(
            f"$RAY_ADDRESS is {address!r}. Run the command on a machine of the cluster, with the address of its head "
            "as HOST:PORT (often port 6379)."
        )
    if environment.get(AUTH_MODE, "").lower() != "token":
        raise ClusterError(
            f"--ray auto joins a cluster that asks for a token, and ${AUTH_MODE} is not 'token' here: without one, "
            f"whoever reaches the cluster runs what they like on it. Set {AUTH_MODE}=token, and the same token, on all "
            "of its machines before `ray start` (docs/scale.md), and where this command runs."
        )
    file = Path(environment.get(TOKEN_PATH) or Path.home() / ".ray" / "auth_token")
    if not environment.get(TOKEN) and not file.is_file():
        raise ClusterError(
            f"There is no token to join a cluster with: ${TOKEN} is not set, and there is no file {str(file)!r}. "
            "Give the cluster's own; for a new cluster `ray get-auth-token --generate` makes one."
        )


def _check_cluster(address: str, environment: Mapping[str, str]) -> None:
    """Raise ClusterError for a cluster that does not admit us, or that admits anybody without a token."""
    refusal = _refusal(address, environment)
    if refusal:
        raise ClusterError(f"The Ray cluster {address!r} cannot be joined: {refusal}")
    stranger = {name: value for name, value in environment.items() if not name.startswith(TOKEN)}
    refusal = _refusal(address, {**stranger, AUTH_MODE: "disabled"})
    if not refusal:
        raise ClusterError(
            f"The Ray cluster {address!r} lets in whoever reaches it, without a token. Start it again with "
            f"{AUTH_MODE}=token set on all of its machines (docs/scale.md)."
        )
    if "uthentication" not in refusal:
        raise ClusterError(f"Whether the Ray cluster {address!r} asks for a token cannot be told. Try again: {refusal}")


def _refusal(address: str, environment: Mapping[str, str]) -> str:
    """Why a cluster refuses to tell its status to a process with this environment; "" if it does not."""
    words = [sys.executable, "-m", "ray.scripts.scripts", "status"]
    asking = {**environment, "RAY_ADDRESS": address}
    try:
        done = subprocess.run(words, env=asking, capture_output=True, text=True, check=False, timeout=STATUS_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"it does not answer within {STATUS_TIMEOUT_S:g} s"
    return (done.stderr.strip().splitlines() or ["it says nothing"])[-1] if done.returncode else ""


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


class _RayWorkers:
    """A `url_viz.pipeline.cluster.chunks.WorkerPool` of Ray actors; Ray itself restarts and retries nothing."""

    def __init__(self, ray: ModuleType, config: WorkerConfig, embedding: Embedding, allocation: Allocation) -> None:
        self._ray = ray
        self._actor = ray.remote(max_restarts=0, max_task_retries=0)(Worker).options(
            num_cpus=allocation.cores, num_gpus=allocation.gpus, scheduling_strategy="SPREAD"
        )
        contents = [np.fromiter(part, np.int64) for part in (embedding.known, *embedding.embedded)]
        self._first = (config, *map(ray.put, contents))
        self._actors: dict[int, Any] = {}
        self._pending: dict[int, deque[Any]] = {}
        self._opening: set[int] = set()
        self._number = 0

    def start(self) -> None:
        self._number += 1
        actor = self._actors[self._number] = self._actor.remote()
        self._pending[self._number] = deque([actor.open.remote(*self._first)])
        self._opening.add(self._number)

    def give(self, worker: int, files: Sequence[ScannedFile]) -> None:
        self._pending[worker].append(self._actors[worker].embed.remote(files))

    def next(self, within_s: float) -> Ready | Done | Died | None:
        """The next event. An actor answers in order: if a later answer is lost, so is an earlier one."""
        first = {pending[0]: worker for worker, pending in self._pending.items() if pending}
        ready, _ = self._ray.wait(list(first), num_returns=1, timeout=within_s)
        return self._event(first[ready[0]]) if ready else None

    def _event(self, worker: int) -> Ready | Done | Died:
        try:
            answer = self._ray.get(self._pending[worker].popleft())
        except self._ray.exceptions.RayTaskError as error:
            raise ClusterError(f"A worker of Ray failed: {_first_line(error.cause)}") from error
        except self._ray.exceptions.RayError as error:
            self._end(worker)
            return Died(worker, _first_line(error))
        if isinstance(answer, UrlVizError):
            raise answer
        if worker in self._opening:
            self._opening.remove(worker)
            return Ready(worker)
        return Done(worker, answer)

    def _end(self, worker: int) -> None:
        """End an actor, which may be alive though its answers are lost."""
        self._pending.pop(worker, None)
        self._opening.discard(worker)
        self._ray.kill(self._actors.pop(worker))

    def close(self) -> None:
        for worker in list(self._actors):
            self._end(worker)
