"""OpenVINO runtime for a backbone on a CPU, faster than torch, without telemetry."""

import importlib
import os
import shutil
import sys
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from url_viz.base.files import replaced, sealed, unsealed
from url_viz.base.records import read_plain
from url_viz.imaging.decode import Preprocessing
from url_viz.models.runtime import Outputs, Precision, Wait, joined_outputs

if TYPE_CHECKING:
    from url_viz.models.backbone import LoadedBackbone

STREAM_BATCH = 8
"""Pictures that one stream runs at once: few stay in a core's caches."""
MOST_STREAMS = 16
"""Each stream takes memory; where there are more cores, several of them share one."""
GRAPH = "graph.xml"
WEIGHTS = "graph.bin"
ABOUT = "about.json"
_in_use: "WeakValueDictionary[tuple[object, ...], Any]" = WeakValueDictionary()
"""The compiled networks that runtimes of this process use, so that a second runtime need not compile again."""


def openvino() -> ModuleType:
    """OpenVINO, imported so that it reports to no analytics host and writes nothing into the home folder."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


@cache
def openvino_core() -> Any:
    """OpenVINO's core of this process, which stays to its end.

    On processors with large registers a core gives the thread that opens it another stack for signals, and frees that
    as it goes. Of two cores that go in the order they came the thread is left with the freed one: Ctrl-C then crashed.
    """
    return openvino().Core()


def convert(loaded: "LoadedBackbone", folder: Path) -> None:
    """Write a backbone as an OpenVINO graph, with its metadata, into `folder`, atomically."""
    import torch

    ov = openvino()
    ts_decoder = importlib.import_module("openvino.frontend.pytorch.ts_decoder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    size_px = loaded.preprocessing.size_px
    example = torch.zeros(2, 3, size_px, size_px)
    with warnings.catch_warnings():  # warnings of OpenVINO's tracer do not concern the user
        warnings.simplefilter("ignore")
        # By default the trace is checked by three more runs on zeros: half of the time, for little.
        unchecked = {"check_trace": False}
        traced = ts_decoder.TorchScriptPythonDecoder(loaded.backbone, example_input=example, trace_kwargs=unchecked)
        graph = ov.convert_model(traced, example_input=example)
    graph.reshape([-1, 3, size_px, size_px])
    temporary = Path(tempfile.mkdtemp(prefix=".graph.", dir=folder.parent))
    try:
        ov.save_model(graph, temporary / GRAPH, compress_to_fp16=False)
        facts = {
            "weights_digest": loaded.weights_digest,
            "preprocessing": loaded.preprocessing.as_record(),
            "size_bytes": {name: (temporary / name).stat().st_size for name in (GRAPH, WEIGHTS)},
            "crc": {name: _crc(temporary / name) for name in (GRAPH, WEIGHTS)},
        }
        (temporary / ABOUT).write_text(sealed(facts))
        shutil.rmtree(folder, ignore_errors=True)
        try:
            os.replace(temporary, folder)
        except OSError:  # another process was faster; its graph is as good as ours
            if converted(folder) is None:
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def converted(folder: Path) -> tuple[str, Preprocessing] | None:
    """Weights digest and preprocessing of the graph in `folder`; None if it is missing or damaged."""
    try:
        facts = unsealed((folder / ABOUT).read_bytes())
        if any((folder / name).stat().st_size != facts["size_bytes"][name] for name in (GRAPH, WEIGHTS)):
            return None
        if any(_crc(folder / name) != crc for name, crc in facts["crc"].items()):  # a bit has flipped
            return None
        return str(facts["weights_digest"]), read_plain(Preprocessing, facts["preprocessing"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _crc(path: Path) -> int:
    """The CRC of a file: four times as fast as a digest, and it detects every single flipped bit."""
    return zlib.crc32(path.read_bytes())


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Lets one process after the other compile the graph in `folder`.

    OpenVINO maps what it compiled before into memory, and writes it in place: a process that reads what another is
    writing fails, or ends at once (SIGBUS). There is no lock in a folder that cannot be written to.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.compiling.lock"))
    with suppress(OSError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _remove_altered(cache: Path) -> dict[str, int]:
    """Remove cached compiled networks whose CRC is not the recorded one; returns those of the others, by name.

    OpenVINO compiles them again. One without a record was being written by a process that was killed.
    """
    recorded: dict[str, int] = {}
    with suppress(OSError, ValueError):
        recorded = unsealed(_record(cache).read_bytes())
    blobs = {blob.name: blob for blob in cache.glob("*.blob")}
    intact = {name: crc for name, crc in recorded.items() if name in blobs and _crc(blobs[name]) == crc}
    for name in blobs.keys() - intact.keys():
        with suppress(OSError):
            blobs[name].unlink(missing_ok=True)
    return intact


def _record_compiled(cache: Path, checksums: dict[str, int]) -> None:
    """Record the CRC of every compiled network next to the cache, if it has one that is not `checksums`."""
    blobs = list(cache.glob("*.blob"))
    if any(blob.name not in checksums for blob in blobs):
        with suppress(OSError), replaced(_record(cache)) as temporary:
            temporary.write_text(sealed({blob.name: checksums.get(blob.name, _crc(blob)) for blob in blobs}))


def _record(cache: Path) -> Path:
    return cache.with_suffix(".json")


class OpenVinoRuntime:
    """Runs the graph in `folder`; normalisation is part of the compiled network, so crops go in as bytes."""

    def __init__(self, folder: Path, preprocessing: Preprocessing, *, precision: Precision) -> None:
        self._folder = folder
        self._preprocessing = preprocessing
        self._precision = precision
        self._on_crops = _Requests(self._compiled(takes_crops=True))
        self._on_pixels: _Requests | None = None

    @property
    def device(self) -> str:
        return "cpu (OpenVINO)"

    ahead = 1

    @property
    def batch(self) -> int:
        """Enough pictures to keep every stream busy."""
        return STREAM_BATCH * self._on_crops.streams

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        """Begin to normalise and run a batch of crops."""
        return self._on_crops.start(crops)

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        if self._on_pixels is None:
            self._on_pixels = _Requests(self._compiled(takes_crops=False))
        return self._on_pixels.start(pixels)()

    def _compiled(self, *, takes_crops: bool) -> Any:
        """The compiled network, shared with other runtimes of this process that use the same files."""
        files = (os.stat(self._folder / name) for name in (GRAPH, WEIGHTS))
        written = tuple((file.st_dev, file.st_ino, file.st_size, file.st_ctime_ns) for file in files)
        key = (written, self._precision, takes_crops, self._preprocessing)
        compiled = _in_use.get(key)
        if compiled is None:
            compiled = _in_use[key] = self._compile(takes_crops=takes_crops)
        return compiled

    def _compile(self, *, takes_crops: bool) -> Any:
        graph = openvino_core().read_model(self._folder / GRAPH)
        if takes_crops:
            graph = _with_normalisation(graph, self._preprocessing)
        cache = self._folder / f"compiled-{self._precision}"
        # OpenVINO would load what it compiled for the other precision, and a ViT then gives nan or crashes.
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "THROUGHPUT",  # a stream a core: cores that share a picture wait for one another
            "PERFORMANCE_HINT_NUM_REQUESTS": MOST_STREAMS,
            "ENABLE_CPU_PINNING": False,  # decoders run on the same cores, and other processes' first streams too
            "CACHE_DIR": str(cache),
        }
        with one_at_a_time(self._folder):
            checksums = _remove_altered(cache)
            compiled = openvino_core().compile_model(graph, "CPU", options)
            _record_compiled(cache, checksums)
        return compiled


def _with_normalisation(graph: Any, preprocessing: Preprocessing) -> Any:
    ov = openvino()
    prepared = ov.preprocess.PrePostProcessor(graph)
    source = prepared.input()
    source.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    source.model().set_layout(ov.Layout("NCHW"))
    steps = source.preprocess().convert_element_type(ov.Type.f32)
    steps.mean([255 * m for m in preprocessing.mean]).scale([255 * s for s in preprocessing.std])
    return prepared.build()


class _Requests:
    """Requests to a compiled network, which several runtimes may share and any thread may start."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        self._idle: list[Any] = []

    def start(self, pictures: NDArray[np.generic]) -> Wait:
        """Begin to run pictures, divided among the streams."""
        size = min(STREAM_BATCH, ceil(len(pictures) / self.streams))
        begun = [self._begin(pictures[start : start + size]) for start in range(0, len(pictures), size)]
        return cache(lambda: joined_outputs([wait() for wait in begun]))

    def _begin(self, pictures: NDArray[np.generic]) -> Wait:
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        request.start_async(pictures, share_inputs=True)

        def wait() -> Outputs:
            request.wait()
            outputs = Outputs(*(np.array(request.get_output_tensor(place).data, np.float32) for place in (0, 1)))
            self._idle.append(request)
            return outputs

        return wait
