"""Distribution of cache shards over the independent processes that torchrun starts."""

import os
from dataclasses import dataclass

from url_viz.errors import JobError

VARIABLES = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
"""Variables that torchrun sets, with the values of a single process."""


@dataclass(frozen=True)
class Process:
    """Process `rank` of `ranks`, the `local_rank`-th on its machine."""

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.ranks:
            raise JobError(f"This process is number {self.rank} of {self.ranks}. Start it with torchrun.")

    @classmethod
    def of_environment(cls) -> "Process":
        """The process as torchrun numbered it (RANK, WORLD_SIZE, LOCAL_RANK); `SINGLE` without torchrun."""
        values = [os.environ.get(name, default) for name, default in VARIABLES]
        if not all(value.isdecimal() for value in values):
            raise JobError(f"{', '.join(name for name, _ in VARIABLES)} are {values}; torchrun sets them to numbers.")
        return cls(*map(int, values))

    def numbers_of(self, count: int) -> range:
        """This process's numbers of 0 … count − 1: every `ranks`-th, so that each belongs to one process."""
        return range(self.rank, count, self.ranks)

    def select_gpu(self) -> None:
        """Make `cuda` mean this process's GPU, if it is one of several on a machine with GPUs."""
        if self.ranks == 1:
            return
        import torch

        if torch.cuda.is_available():
            torch.cuda.set_device(self.local_rank % torch.cuda.device_count())


SINGLE = Process()
"""A single process, without torchrun."""
