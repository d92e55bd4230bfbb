"""The precision that is computed on a device for what is asked, and its words."""

from functools import cache
from typing import get_args

from url_viz.errors import ModelError
from url_viz.models.runtime import Precision, choose_device
from url_viz.models.runtime_openvino import openvino_core
from url_viz.options import PrecisionChoice

_NAMES_BEFORE = {"fast": "bf16", "exact": "float32"}
"""What was stored before a space said what it is computed in: `fast` was bf16 on every processor."""


def precision_here(choice: PrecisionChoice, device: str = "auto") -> Precision:
    """What is computed on a device (`choose_device`) for what is asked.

    `fast` is bf16 on a GPU, and on a processor that has bf16; others would emulate it, at a third of the speed of
    float32. Raises ModelError for a name that is none.
    """
    if choice not in get_args(PrecisionChoice):
        raise ModelError(f"No precision {choice!r}. Choose one of: {', '.join(get_args(PrecisionChoice))}.")
    if choice == "fast":
        return "bf16" if choose_device(device) != "cpu" or has_bf16() else "float32"
    return "bf16" if choice == "bf16" else "float32"


def is_emulated(precision: Precision, device: str = "auto") -> bool:
    """Whether a device computes in this precision only by emulating it, which is slow."""
    return precision == "bf16" and precision_here("fast", device) != "bf16"


def precision_words(choice: PrecisionChoice, device: str = "auto") -> str:
    """What a precision means on a device, in a sentence."""
    if precision_here(choice, device) == "bf16":
        return "bf16, 16-bit numbers: up to about twice as fast as float32."
    why = "this processor would only emulate bf16" if choice == "fast" else "to compare with other programs'"
    return f"float32, 32-bit numbers: {why}."


def emulation_words(precision: Precision) -> str:
    """That a set is in numbers which this processor has not, in a sentence."""
    return f"It is in {precision}, which this processor emulates, at about a third of the speed of float32."


def stored_precision(name: object) -> object:
    """The precision by the name that a record has, which may be from before a space said what is computed."""
    return _NAMES_BEFORE.get(name, name) if isinstance(name, str) else name


@cache
def has_bf16() -> bool:
    """Whether this processor computes in bf16 itself: most servers since 2021 do, most laptops do not."""
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
