"""The precision that is computed on a device for what is asked, and its words."""

from functools import cache
from typing import get_args

from url_viz.errors import ModelError
from url_viz.models.runtime import Precision, choose_device
from url_viz.models.runtime_openvino import openvino_core
from url_viz.models.timing import EQUAL, Times, quicker
from url_viz.options import PrecisionChoice


def precision_here(choice: PrecisionChoice, device: str = "auto", times: Times | None = None) -> Precision | None:
    """What is computed on a device (`choose_device`) for what is asked; None where that is to be measured first.

    `fast` is bf16 on a GPU; on a processor what took less of its time (`times_of` the model), and float32 where it has
    no bf16, which it would emulate at a third of the speed. Raises ModelError for a name that is none.
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
    """That a set in bf16 would be read much faster in float32, in a sentence; "" where it would not."""
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
