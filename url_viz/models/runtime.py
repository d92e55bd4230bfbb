"""The runtime interface of a backbone (OpenVINO or torch, CPU or GPU), and the choice of device."""

import ctypes
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from url_viz.base.errors import ModelError
from url_viz.models.head import rounded

CPU_BATCH = 16
"""Pictures a batch for torch on a CPU: a small one stays in its caches."""
Precision = Literal["bf16", "float32"]
"""The numbers that a backbone is computed in."""
DEVICES = ("auto", "cuda", "cpu", "mps")
_ONE_GPU = re.compile(r"cuda:\d{1,3}")


@dataclass(frozen=True)
class Outputs:
    """The outputs of a backbone for a batch: `logits` (B, C) and `embedding` (B, D), float32."""

    logits: NDArray[np.float32]
    embedding: NDArray[np.float32]

    @property
    def entropy(self) -> NDArray[np.float32]:
        """Entropy (B,) of the softmax over the classes, in nats, rounded; nan if the model has no classifier."""
        if self.logits.shape[1] == 0:
            return np.full(len(self.embedding), np.nan, np.float32)
        shifted = self.logits.astype(np.float64) - self.logits.max(axis=1, keepdims=True)
        log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return rounded(-(np.exp(log_softmax) * log_softmax).sum(axis=1))


Wait = Callable[[], Outputs]
"""Waits for the outputs of a batch that was started."""


class Runtime(Protocol):
    """Runs one backbone. `crops` are (B, H, W, 3) uint8, `pixels` (B, 3, H, W) float32 normalised."""

    @property
    def device(self) -> str:
        """The device in words, for the user."""

    @property
    def batch(self) -> int:
        """The best number of pictures for a forward pass."""

    @property
    def ahead(self) -> int:
        """How many batches to start before waiting for the first, so that the device is never idle."""

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        """Begin to normalise and run a batch of crops; outputs are in the order of the crops."""

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        """Run a batch that is already normalised."""


def joined_outputs(parts: list[Outputs]) -> Outputs:
    """Several batches, in their order, as one."""
    return Outputs(np.concatenate([p.logits for p in parts]), np.concatenate([p.embedding for p in parts]))


class MultiGpuRuntime:
    """Runs the same backbone on several devices."""

    def __init__(self, runtimes: Sequence[Runtime]) -> None:
        self._runtimes = tuple(runtimes)
        self._turns = cycle(self._runtimes)

    @property
    def device(self) -> str:
        return " and ".join(runtime.device for runtime in self._runtimes)

    @property
    def batch(self) -> int:
        """The batch of the device with the least memory."""
        return min(runtime.batch for runtime in self._runtimes)

    @property
    def ahead(self) -> int:
        """Enough for each device to be as far ahead as it would be alone."""
        return sum(runtime.ahead + 1 for runtime in self._runtimes) - 1

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        return next(self._turns).start(crops)

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        return next(self._turns).run_pixels(pixels)


def choose_device(name: str) -> str:
    """`auto` → `cuda` if an NVIDIA driver has a device and torch can use it, else `cpu`; other names are checked.

    A machine without a GPU is recognised by its driver, so that torch need not be imported.
    """
    if name not in DEVICES and _ONE_GPU.fullmatch(name) is None:
        raise ModelError(f"No device {name!r}. Choose one of: {', '.join(DEVICES)}, or one of several GPUs: cuda:1.")
    if name == "mps" and not _has_mps():
        raise ModelError("No MPS device can be used here. Choose --device cpu.")
    if name in ("cpu", "mps"):
        return name
    names = gpus()
    if name != "auto" and not names:
        raise ModelError("No CUDA device can be used here. Choose --device cpu, or install a CUDA build of torch.")
    if name not in ("auto", "cuda", *names):
        raise ModelError(f"There is no GPU {name!r}. Choose one of: {', '.join(names)}.")
    return name if name != "auto" else "cuda" if names else "cpu"


@cache
def gpus() -> dict[str, str]:
    """The GPUs that torch can use, `cuda:0` and so on, with their names; without a GPU torch is not imported."""
    if not has_gpu():
        return {}
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {f"cuda:{i}": torch.cuda.get_device_name(i) for i in range(count)}


def has_gpu() -> bool:
    """Whether there is an NVIDIA driver with a device; torch is not imported."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def devices() -> dict[str, str]:
    """The devices of this machine, by their names for `--device`: the CPU, then each GPU."""
    has_mps = sys.platform == "darwin" and _has_mps()
    return {"cpu": "CPU", **gpus(), **({"mps": "GPU of this Mac"} if has_mps else {})}


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()
