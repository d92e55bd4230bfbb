"""Several GPUs as one runtime that gives them batches in turn."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from url_viz.models.runtime import Outputs, Runtime, Wait


class MultiGpuRuntime:
    """Runs the same backbone on several devices."""

    def __init__(self, runtimes: Sequence[Runtime]) -> None:
        self._runtimes = tuple(runtimes)
        self._turns = cycle(self._runtimes)

    @property
    def device(self) -> str:
        """The devices in words."""
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
        """Begin to run a batch on the device whose turn it is."""
        return next(self._turns).start(crops)

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        """Run a batch that is already normalised."""
        return next(self._turns).run_pixels(pixels)
