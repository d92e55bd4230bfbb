"""What `fast` and `exact` compute: bf16 or float32, as measured on this processor, and their words."""

import shutil
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.errors import ModelError
from url_viz.base.files import replaced, sealed, unsealed
from url_viz.imaging.decode import Preprocessing
from url_viz.models.runtime import Precision, choose_device
from url_viz.models.runtime_openvino import STREAM_BATCH, OpenVinoRuntime, one_at_a_time, openvino_core

Times = dict[Precision, float]
"""Processor ms a picture, by precision."""
KEPT = "fast.json"
"""In a graph's folder, its times by processor: a workspace may be carried, or shared by several machines."""
EQUAL = 1.1
"""Bf16 must be more times as fast than this: float32 is what other programs compute."""
TURNS = 3
"""The first is slow: it compiles what depends on the size of a batch."""
LONG_MS = 600.0
"""The longest time for which a stream may run full batches."""


def quicker(times: Times) -> Precision:
    """The precision that `fast` means; float32 where both take about as long."""
    return "bf16" if times["float32"] > EQUAL * times["bf16"] else "float32"


def times_of(folder: Path) -> Times | None:
    """Times of the network prepared in `folder` on this processor; None if they were not measured."""
    try:
        return {name: float(_stored(folder)[_processor()][name]) for name in get_args(Precision)}
    except (KeyError, TypeError, ValueError):
        return None


def keep_times(folder: Path, times: Times) -> None:
    """Store times of the network in `folder` on this processor, unless the folder cannot be written to."""
    with suppress(OSError), replaced(folder / KEPT) as temporary:
        temporary.write_text(sealed({**_stored(folder), _processor(): times}))


@cache  # where nothing can be stored, a process stays with what it measured
def measured_times(folder: Path, preprocessing: Preprocessing) -> Times:
    """Measure and store times of the network prepared in `folder`; times that another process stored first stay."""
    runtimes = {name: OpenVinoRuntime(folder, preprocessing, precision=name) for name in get_args(Precision)}
    times = _least_ms(runtimes, preprocessing.size_px)
    with one_at_a_time(folder):
        earlier = times_of(folder)
        if earlier is None:
            keep_times(folder, times)
            slower = "float32" if quicker(times) == "bf16" else "bf16"
            shutil.rmtree(folder / f"compiled-{slower}", ignore_errors=True)  # as large as the network
    return earlier or times


def _least_ms(runtimes: dict[Precision, OpenVinoRuntime], size_px: int) -> Times:
    """The least times of a few batches, in turns: of one picture, then full ones unless these take too long."""
    random, least = np.random.default_rng(0), Times()
    for pictures in (1, min(runtime.batch for runtime in runtimes.values())):
        crops = random.integers(0, 256, (pictures, size_px, size_px, 3), dtype=np.uint8)
        turns = [{name: _processor_ms(each, crops) / pictures for name, each in runtimes.items()} for _ in range(TURNS)]
        least = {name: min(turn[name] for turn in turns) for name in runtimes}
        if TURNS * STREAM_BATCH * sum(least.values()) > LONG_MS:
            break
    return least


def _processor_ms(runtime: OpenVinoRuntime, crops: NDArray[np.uint8]) -> float:
    """By the processor's time, which other programs disturb less than the clock's."""
    began = time.process_time()
    runtime.start(crops)()
    return 1000 * (time.process_time() - began)


def _processor() -> str:
    """The processor's name and capabilities: virtual machines name different ones alike."""
    core = openvino_core()
    computes = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return f"{core.get_property('CPU', 'FULL_DEVICE_NAME')}: {', '.join(computes)}"


def _stored(folder: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        return unsealed((folder / KEPT).read_bytes())
    return {}


def precision_here(choice: PrecisionChoice, device: str = "auto", times: Times | None = None) -> Precision | None:
    """The precision computed on a device (`choose_device`) for a choice; None where it must be measured first.

    `fast` is bf16 on a GPU; on a processor what took less time (`times_of` the model), and float32 where it has no
    bf16, which it would emulate at a third of the speed. Raises ModelError for an unknown choice.
    """
    if choice not in get_args(PrecisionChoice):
        raise ModelError(f"No precision {choice!r}. Choose one of: {', '.join(get_args(PrecisionChoice))}.")
    if choice != "fast":
        return "bf16" if choice == "bf16" else "float32"
    if choose_device(device) != "cpu":
        return "bf16"
    if times is not None:
        return quicker(times)
    return None if has_bf16() else "float32"


def precision_words(choice: PrecisionChoice, device: str = "auto", times: Times | None = None) -> str:
    """What a precision means on a device, in a sentence."""
    here = precision_here(choice, device, times)
    if choice == "fast" and times is not None and choose_device(device) == "cpu":
        return f"{fast_words(times)}."
    if here is None:
        return "float32 or bf16, whichever is measured to be quicker once a model is prepared for this processor."
    if here == "bf16":
        return "bf16, 16-bit numbers: up to about twice as fast as float32."
    why = "this processor would only emulate bf16" if choice == "fast" else "to compare with other programs'"
    return f"float32, 32-bit numbers: {why}."


def fast_words(times: Times) -> str:
    """What `fast` is for a model on this processor, and by how much."""
    fast = quicker(times)
    other: Precision = "float32" if fast == "bf16" else "bf16"
    ratio = times[other] / times[fast]
    by = f"{ratio:.1f} times as fast as" if ratio > EQUAL else "as fast as"
    return f"{fast}, measured {by} {other} on this processor"


def slow_words(precision: PrecisionChoice, device: str = "auto", times: Times | None = None) -> str:
    """A sentence that a set in bf16 would be read much faster in float32; "" where it would not."""
    if precision != "bf16" or precision_here("fast", device, times) != "float32":
        return ""
    if times is None:
        return "It is in bf16, which this processor emulates, at about a third of the speed of float32."
    ratio = times["bf16"] / times["float32"]
    return f"It is in bf16; float32 was measured {ratio:.1f} times as fast on this processor." if ratio > EQUAL else ""


@cache
def has_bf16() -> bool:
    """Whether this processor computes in bf16 itself: most servers since 2021 do, most laptops do not."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
