"""Several GPUs as one runtime: they take batches in turn."""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from url_viz.models.runtime import Outputs, Runtime, Wait


class MultiGpuRuntime:
    """Runs the same backbone on several devices."""

    def __init__(self, runtimes: Sequence[Runtime]) -> None:
        assert runtimes
        self._runtimes = tuple(runtimes)
        self._turns = cycle(self._runtimes)

    @property
    def device(self) -> str:
        """The devices in words."""
        return " and ".join(runtime.device for runtime in self._runtimes)

    @property
    def batch(self) -> int:
        """What the device with the least memory takes."""
        return min(runtime.batch for runtime in self._runtimes)

    @property
    def ahead(self) -> int:
        """Enough that each device has what it has alone."""
        return sum(runtime.ahead + 1 for runtime in self._runtimes) - 1

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        """Begin to run a batch on the device whose turn it is."""
        return next(self._turns).start(crops)

    def run(self, crops: NDArray[np.uint8]) -> Outputs:
        """Run a batch on the device whose turn it is."""
        return self.start(crops)()

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        """Run a batch that is normalised already."""
        return next(self._turns).run_pixels(pixels)
