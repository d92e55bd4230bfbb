"""OpenVINO and torch say the same of a picture, a batch too large is halved, and nobody is phoned."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from tests.conftest import SIDE_PX
from tests.processes import ROOT, run_python
from url_viz.base.errors import ModelError
from url_viz.base.workspace import Workspace
from url_viz.evidence.order_metrics import spearman
from url_viz.imaging.decode import Preprocessing, middle, normalised, resized
from url_viz.models.backbone import Backbone, LoadedBackbone, load_backbone, save_backbone
from url_viz.models.model import ModelSource, load_model, prepared_folder, resolve
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import MultiGpuRuntime, Outputs, choose_device, devices, gpus, joined_outputs
from url_viz.models.runtime_openvino import STREAM_BATCH, OpenVinoRuntime, _remove_altered, convert, converted
from url_viz.models.runtime_torch import TorchRuntime, batch_for


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """12 crops of photographs, from whole to a tenth: what a real folder's pictures look like to the backbone."""
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    preprocessing, rng, result = Preprocessing(), np.random.default_rng(0), []
    for photograph in (data.chelsea(), data.coffee(), data.astronaut(), data.rocket()):
        image = Image.fromarray(photograph)
        for share in np.linspace(1, 0.1, 3):
            side = int(min(image.size) * share)
            left, top = (int(rng.integers(0, length - side + 1)) for length in image.size)
            part = image.crop((left, top, left + side, top + side))
            result.append(middle(resized(part, preprocessing), preprocessing.size_px))
    return np.stack(result)


@pytest.fixture(scope="module")
def exact_in_torch(crops: np.ndarray) -> Outputs:
    loaded = load_backbone(DEFAULT)
    return TorchRuntime(loaded.backbone, loaded.preprocessing, device="cpu", precision="float32").start(crops)()


class TestOpenVino:
    """The fast way on a CPU gives what torch gives."""

    def test_exact_is_torch_in_float32_in_any_batch_of_pixels_or_crops(
        self, prepared_as_shipped: Path, crops: np.ndarray, exact_in_torch: Outputs
    ) -> None:
        model = load_model(DEFAULT, device="cpu", precision="exact", workspace=prepared_as_shipped)
        result = model.run(crops)
        for ours, theirs in ((result.logits, exact_in_torch.logits), (result.embedding, exact_in_torch.embedding)):
            assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
        assert result.entropy == pytest.approx(exact_in_torch.entropy, rel=1e-3, abs=1e-3)
        by_pixels = model.runtime.run_pixels(normalised(crops[:3], model.space.preprocessing))
        assert by_pixels.embedding == pytest.approx(result.embedding[:3], rel=1e-3, abs=1e-3)
        alone = np.concatenate([model.run(crop[None]).embedding for crop in crops[:3]])
        assert result.embedding[:3] == pytest.approx(alone, rel=1e-4, abs=1e-4)

    def test_fast_keeps_the_order(self, prepared_as_shipped: Path, crops: np.ndarray, exact_in_torch: Outputs) -> None:
        result = load_model(DEFAULT, device="cpu", precision="fast", workspace=prepared_as_shipped).run(crops)
        assert spearman(result.entropy, exact_in_torch.entropy) > 0.98


@pytest.fixture(scope="module")
def loaded() -> LoadedBackbone:
    torch.manual_seed(0)
    network = timm.create_model("test_vit", pretrained=False)
    return LoadedBackbone("test_vit", Backbone(network).eval(), "0" * 16, Preprocessing(size_px=160))


@pytest.fixture(scope="module")
def graph(loaded: LoadedBackbone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "graph"
    convert(loaded, folder)
    return folder


class Untraceable(nn.Module):
    """A network that goes another way than a tracer can follow."""

    def forward(self, pixels: Tensor) -> Tensor:
        raise ValueError("looks at its values")


def test_what_cannot_be_traced_is_a_runtime_error_and_leaves_nothing(tmp_path: Path) -> None:
    """Of any kind: `load_model` then has torch run the network."""
    loaded = LoadedBackbone("odd", Untraceable(), "0" * 16, Preprocessing(size_px=32))  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="looks at its values"):
        convert(loaded, tmp_path / "models" / "graph")
    assert list((tmp_path / "models").iterdir()) == []


COMPILING = """
import sys, time
from pathlib import Path
from url_viz.imaging.decode import Preprocessing
from url_viz.models.runtime_openvino import OpenVinoRuntime, openvino
folder, size_px, after_s = sys.argv[1:]
openvino()
print(flush=True)
sys.stdin.read()
time.sleep(float(after_s))
OpenVinoRuntime(Path(folder), Preprocessing(size_px=int(size_px)), precision="float32")
"""
"""Compiles the graph in a folder, so many seconds after it is told to."""


@pytest.mark.slow
class TestDamagedGraph:
    """A graph that is not whole counts as none, and is made again in its place; with timm's smallest network."""

    @pytest.mark.parametrize("damaged", ["about.json", "graph.xml", "graph.bin"])
    def test_is_noticed(self, graph: Path, tmp_path: Path, damaged: str) -> None:
        folder = Path(shutil.copytree(graph, tmp_path / "graph"))
        whole = (folder / damaged).read_bytes()
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        for data in (b"", whole[:middle], flipped):
            (folder / damaged).write_bytes(data)
            assert converted(folder) is None
        (folder / damaged).unlink()
        assert converted(folder) is None
        (folder / damaged).write_bytes(whole)
        assert converted(folder) == ("0" * 16, Preprocessing(size_px=160))

    def test_a_flipped_bit_in_what_was_compiled_is_compiled_again(self, graph: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(graph, tmp_path / "graph"))
        crop = np.arange(160 * 160 * 3, dtype=np.uint8).reshape(1, 160, 160, 3)
        preprocessing = Preprocessing(size_px=160)

        def read() -> np.ndarray:
            return OpenVinoRuntime(folder, preprocessing, precision="float32").start(crop)().embedding

        before = read()
        [blob] = (folder / "compiled-float32").glob("*.blob")
        whole = blob.read_bytes()
        for offset in (len(whole) // 2, len(whole) - 1000):
            blob.write_bytes(whole[:offset] + bytes([whole[offset] ^ 64]) + whole[offset + 1 :])
            assert np.array_equal(read(), before)
            assert _remove_altered(folder / "compiled-float32").keys() == {blob.name}
        noted = (folder / "compiled-float32.json").stat().st_mtime_ns
        assert np.array_equal(read(), before)
        assert (folder / "compiled-float32.json").stat().st_mtime_ns == noted  # nothing was compiled

    def test_processes_that_compile_it_at_once_wait_for_one_another(self, prepared: Path, tmp_path: Path) -> None:
        """One that read what another was writing failed, or ended with SIGBUS. (The smallest network takes no time.)"""
        folder = Path(shutil.copytree(prepared_folder(resolve(DEFAULT), Workspace.at(prepared)), tmp_path / "graph"))
        for compiled in folder.glob("compiled-*"):
            shutil.rmtree(compiled) if compiled.is_dir() else compiled.unlink()
        words = [sys.executable, "-c", COMPILING, str(folder), str(SIDE_PX)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with ExitStack() as stack:
            started = (subprocess.Popen([*words, str(after)], cwd=ROOT, **pipes) for after in (0, 0.25, 0.5, 0.75))
            others: list[Any] = [stack.enter_context(process) for process in started]
            for other in others:
                other.stdout.readline()
            for other in others:
                other.stdin.close()
            assert [other.wait() for other in others] == [0] * len(others)

    def test_is_made_again_with_nothing_half_made_beside_it(self, graph: Path, loaded: LoadedBackbone) -> None:
        (graph / "graph.bin").write_bytes(b"")
        convert(loaded, graph)
        crop = np.zeros((1, 160, 160, 3), np.uint8)
        runtime = OpenVinoRuntime(graph, loaded.preprocessing, precision="float32")
        assert runtime.start(crop)().logits.shape == (1, 1000)
        assert sorted(p.name for p in graph.parent.iterdir()) == [".graph.compiling.lock", "graph"]

    def test_one_that_goes_as_it_is_opened_is_made_again(
        self, loaded: LoadedBackbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As where another process prepares the same model at the same time."""
        save_backbone(loaded.backbone.network, tmp_path / "weights.safetensors", loaded.preprocessing)
        name, workspace = f"test_vit:{tmp_path / 'weights.safetensors'}", tmp_path / "workspace"
        load_model(name, device="cpu", workspace=workspace)

        def then_gone(folder: Path) -> tuple[str, Preprocessing] | None:
            found = converted(folder)
            (folder / "graph.bin").unlink(missing_ok=True)
            return found

        monkeypatch.setattr("url_viz.models.runtime_openvino.converted", then_gone)
        opened = load_model(name, device="cpu", workspace=workspace)
        side = opened.space.preprocessing.size_px
        assert opened.run(np.zeros((1, side, side, 3), np.uint8)).logits.shape == (1, 1000)
        assert list(workspace.glob("models/*/graph.bin"))


GONE = """
import gc, signal, sys
from pathlib import Path
import numpy as np
from url_viz.imaging.decode import Preprocessing
from url_viz.models.runtime_openvino import OpenVinoRuntime

runtime = OpenVinoRuntime(Path(sys.argv[1]), Preprocessing(size_px=160), precision="float32")
runtime.run_pixels(np.zeros((1, 3, 160, 160), np.float32))
del runtime
gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.slow
def test_ctrl_c_is_heard_after_networks_are_gone(graph: Path) -> None:
    ended = run_python("-c", GONE, graph)
    assert (ended.returncode, ended.stdout) == (0, "heard\n"), ended.stderr


@pytest.mark.slow
class TestTwoRuntimes:
    def test_of_the_same_files_are_compiled_once_while_one_is_there(self, graph: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(graph, tmp_path / "graph"))
        kept = folder / "compiled-float32"
        first = OpenVinoRuntime(folder, Preprocessing(size_px=160), precision="float32")
        assert list(kept.glob("*.blob"))
        shutil.rmtree(kept)
        second = OpenVinoRuntime(folder, Preprocessing(size_px=160), precision="float32")
        assert not kept.exists()
        OpenVinoRuntime(folder, Preprocessing(size_px=160, mean=(0.0, 0.0, 0.0)), precision="float32")
        assert list(kept.glob("*.blob")), "another network"
        shutil.rmtree(kept)
        del first, second
        OpenVinoRuntime(folder, Preprocessing(size_px=160), precision="float32")
        assert list(kept.glob("*.blob"))

    def test_many_pictures_are_run_in_parts_each_once_and_in_their_order(self, graph: Path) -> None:
        runtime = OpenVinoRuntime(graph, Preprocessing(size_px=160), precision="float32")
        crops = np.random.default_rng(0).integers(0, 255, (3 * STREAM_BATCH + 1, 160, 160, 3)).astype(np.uint8)
        begun = [runtime.start(crops[start : start + 10]) for start in range(0, len(crops), 10)]
        whole = runtime.start(crops)
        alone = np.concatenate([runtime.start(crop[None])().embedding for crop in crops])
        for outputs in (whole(), whole()):
            assert outputs.embedding == pytest.approx(alone, rel=1e-4, abs=1e-4)
        in_tens = [wait().logits for wait in reversed(begun)][::-1]
        assert np.concatenate(in_tens) == pytest.approx(whole().logits, rel=1e-4, abs=1e-4)

    def test_run_at_the_same_time_as_each_runs_alone(self, graph: Path) -> None:
        runtimes = [OpenVinoRuntime(graph, Preprocessing(size_px=160), precision="float32") for _ in range(2)]
        random = np.random.default_rng(0)
        crops = [random.integers(0, 255, (1 + i % 3, 160, 160, 3)).astype(np.uint8) for i in range(8)]

        def run_all(runtime: OpenVinoRuntime) -> np.ndarray:
            return np.concatenate([runtime.start(crop)().embedding for crop in crops * 3])

        alone = run_all(runtimes[0])
        with ThreadPoolExecutor(2) as pool:
            for together in pool.map(run_all, runtimes):
                np.testing.assert_array_equal(together, alone)


@pytest.mark.slow
def test_a_prepared_model_opens_without_torch_phones_nobody_and_writes_nothing_at_home(
    tmp_path: Path, prepared: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = f"""
import socket, sys
phoned = []
def refuse(*arguments):
    phoned.append(arguments)
    raise OSError("no network")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
import numpy as np
from pathlib import Path
from url_viz.models.model import load_model, prepared_folder, resolve
model = load_model(device="cpu", workspace=Path({str(prepared)!r}))
outputs = model.run(np.zeros((2, {SIDE_PX}, {SIDE_PX}, 3), np.uint8))
assert outputs.embedding.shape == (2, 1280)
assert sys.modules["openvino_telemetry"] is None
assert not phoned, phoned
print([m for m in ("torch", "timm", "umap", "lancedb") if m in sys.modules])
"""
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "URL_VIZ_HOME")} | {"HOME": str(home)}
    result = run_python("-c", script, env=environment)
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr
    assert list(home.iterdir()) == []


class Forgetful(nn.Module):
    """Colour means as an embedding; has memory for a few pictures only, and remembers what it was asked."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.asked: list[int] = []

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        self.asked.append(len(pixels))
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError("not so many")
        return pixels.flatten(1)[:, :5], pixels.mean((2, 3))


def in_torch(network: nn.Module) -> TorchRuntime:
    return TorchRuntime(network, Preprocessing(), device="cpu", precision="float32")  # type: ignore[arg-type]


class TestOutOfMemory:
    """A batch that does not fit is halved until it does."""

    @pytest.mark.parametrize("count", [1, 2, 3, 7, 16])
    @pytest.mark.parametrize("most", [1, 3, 16])
    def test_the_rows_come_back_in_order(self, count: int, most: int) -> None:
        crops = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
        network = Forgetful(most)
        result, expected = in_torch(network).start(crops)(), in_torch(Forgetful(99)).start(crops)()
        assert np.array_equal(result.embedding, expected.embedding)
        assert np.array_equal(result.logits, expected.logits)
        assert sum(size for size in network.asked if size <= most) == count, "every picture ran once"

    def test_what_did_not_fit_once_is_not_tried_again_and_what_never_fits_is_an_error_with_a_way_out(self) -> None:
        network = Forgetful(4)
        runtime = in_torch(network)
        for _ in range(2):
            runtime.start(np.zeros((9, 8, 8, 3), np.uint8))()
        assert network.asked == [9, 4, 4, 1, 4, 4, 1]
        with pytest.raises(ModelError, match="--device cpu"):
            in_torch(Forgetful(0)).start(np.zeros((4, 8, 8, 3), np.uint8))()

    def test_pixels_are_halved_too(self) -> None:
        pixels = np.random.default_rng(0).normal(size=(5, 3, 8, 8)).astype(np.float32)
        assert in_torch(Forgetful(2)).run_pixels(pixels).embedding == pytest.approx(pixels.mean((2, 3)), abs=1e-6)


class TestAhead:
    def runtimes(self, count: int) -> tuple[list[Forgetful], list[TorchRuntime]]:
        networks = [Forgetful(99) for _ in range(count)]
        runtimes = [in_torch(network) for network in networks]
        for runtime in runtimes:
            runtime.ahead = 1
        return networks, runtimes

    def test_outputs_are_of_the_batch_that_was_started(self) -> None:
        _, [runtime] = self.runtimes(1)
        batches = np.random.default_rng(0).integers(0, 256, (3, 2, 8, 8, 3), dtype=np.uint8)
        waits = [runtime.start(batch) for batch in batches]
        for wait, batch in reversed(list(zip(waits, batches, strict=True))):
            assert np.array_equal(wait().embedding, runtime.start(batch)().embedding)
            assert np.array_equal(wait().embedding, runtime.start(batch)().embedding), "however often it is asked"

    def test_several_devices_take_batches_in_turn(self) -> None:
        networks, runtimes = self.runtimes(3)
        several = MultiGpuRuntime(runtimes)
        batches = np.random.default_rng(0).integers(0, 256, (7, 2, 8, 8, 3), dtype=np.uint8)
        found = [wait().embedding for wait in [several.start(batch) for batch in batches]]
        assert [len(network.asked) for network in networks] == [3, 2, 2]
        assert np.array_equal(found, [runtimes[0].start(batch)().embedding for batch in batches])
        assert (several.ahead, several.batch) == (5, runtimes[0].batch)
        assert several.device == "cpu and cpu and cpu"
        pixels = np.zeros((2, 3, 8, 8), np.float32)
        assert np.array_equal(several.run_pixels(pixels).embedding, np.zeros((2, 3)))
        assert np.array_equal(several.start(batches[0])().embedding, found[0])

    def test_a_batch_by_memory(self) -> None:
        mib = 2**20
        assert batch_for(8 * 1024 * mib, 10 * mib, under_way=2) == 128  # 204 fit half of it twice
        assert batch_for(8 * 1024 * mib, 10 * mib, under_way=1) == 256
        assert batch_for(10 * mib, 10 * mib, under_way=2) == 16, "at least; what does not fit is halved"
        assert batch_for(1e12, 0.0, under_way=2) == 512


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        (
            np.log([[1.0, 1.0, 1.0, 1.0], [1.0, 3.0, 1e-30, 1e-30]]),
            [np.log(4), -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))],
        ),
        ([[3e38, -3e38, 0], [1e4, 1e4, -1e4]], [0, np.log(2)]),
        (np.zeros((2, 0)), [np.nan, np.nan]),
    ],
)
def test_entropy_is_that_of_the_softmax_whatever_the_logits(logits: np.ndarray, expected: list[float]) -> None:
    outputs = Outputs(np.array(logits, np.float32), np.zeros((2, 3), np.float32))
    assert outputs.entropy == pytest.approx(expected, rel=2**-15, nan_ok=True)


def test_joined_outputs_keep_the_order() -> None:
    parts = [Outputs(np.full((n, 1), n, np.float32), np.full((n, 2), n, np.float32)) for n in (2, 1)]
    assert joined_outputs(parts).embedding[:, 0].tolist() == [2, 2, 1]


class TestDevices:
    """A device is one that can be used, or an error that says which can."""

    def test_a_name_that_is_none(self) -> None:
        with pytest.raises(ModelError, match=r"'tpu'.*auto, cuda, cpu, mps"):
            choose_device("tpu")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
    def test_cuda_where_there_is_none(self) -> None:
        assert choose_device("auto") == "cpu"
        for name in ("cuda", "cuda:1"):
            with pytest.raises(ModelError, match="--device cpu"):
                choose_device(name)
        assert "cpu" in devices()
        assert not gpus()

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
    def test_one_of_several_gpus_is_named(self) -> None:
        assert choose_device("cuda:0") == "cuda:0"
        assert devices()["cuda:0"] == torch.cuda.get_device_name(0)
        with pytest.raises(ModelError, match="cuda:0"):
            choose_device("cuda:99")

    @pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an MPS device here")
    def test_mps_where_there_is_none(self) -> None:
        with pytest.raises(ModelError, match="--device cpu"):
            choose_device("mps")


def test_a_backbone_of_any_name_is_prepared_in_a_folder_that_can_be_made(tmp_path: Path) -> None:
    """A head's file may say anything."""
    folder = prepared_folder(ModelSource("m.safetensors", "[/" * 3000, None), Workspace.at(tmp_path))
    folder.mkdir(parents=True)
    assert folder.parent == Workspace.at(tmp_path).models
