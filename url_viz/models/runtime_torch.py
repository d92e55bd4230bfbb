"""Torch runtime for a backbone: bf16 and channels_last on a GPU, which computes while the next batch is prepared."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from url_viz.base.errors import ModelError
from url_viz.imaging.decode import Preprocessing
from url_viz.models.backbone import Backbone
from url_viz.models.runtime import CPU_BATCH, Outputs, Precision, Wait, joined_outputs

PROBED = 16
"""Pictures that are run to measure how much memory one takes."""
MEMORY_FRACTION = 0.5
"""Fraction of a GPU's free memory that batches may take together."""
SMALLEST_BATCH, LARGEST_BATCH = 16, 512


class TorchRuntime:
    """Runs `backbone` on a torch device; on a GPU one batch `ahead`."""

    def __init__(
        self,
        backbone: Backbone,
        preprocessing: Preprocessing,
        *,
        device: str,
        precision: Precision,
    ) -> None:
        self._device = torch.device(device)
        self._is_gpu = self._device.type == "cuda"
        self._is_fast = precision == "bf16"
        if not self._is_fast and self._is_gpu:
            torch.backends.cudnn.allow_tf32 = False  # float32, not TF32 with its ten bits
        # torch before 2.14 forgets the argument in its overloads
        self._backbone = backbone.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,unused-ignore]
        self._mean = torch.tensor(preprocessing.mean, device=self._device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(preprocessing.std, device=self._device).view(1, 3, 1, 1) * 255
        self._size_px = preprocessing.size_px
        self.ahead = int(self._is_gpu)
        self._batch: int | None = None if self._is_gpu else CPU_BATCH
        self._most: int | None = None

    @property
    def device(self) -> str:
        """The device in words: `cuda (NVIDIA …)`, `cpu` or `mps`."""
        if self._is_gpu:
            return f"cuda ({torch.cuda.get_device_name(self._device)})"
        return self._device.type

    @property
    def batch(self) -> int:
        """Pictures per batch: on a GPU as many as its free memory allows, measured on first use."""
        if self._batch is None:
            free, each = self._free_and_each()
            self._batch = batch_for(free, each, under_way=self.ahead + 1)
        return self._batch

    def start(self, crops: NDArray[np.uint8]) -> Wait:
        """Copy to the device, normalise there and begin to run."""
        batch = torch.from_numpy(crops)
        begun = self._begin(batch.pin_memory() if self._is_gpu else batch, self._normalised)
        return lambda: joined_outputs([wait() for wait in begun])

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        begun = self._begin(torch.from_numpy(pixels), lambda batch: batch.to(self._device))
        return joined_outputs([wait() for wait in begun])

    def _normalised(self, crops: Tensor) -> Tensor:
        pixels = crops.to(self._device, non_blocking=True).permute(0, 3, 1, 2).float()
        return (pixels - self._mean) / self._std

    def _begin(self, batch: Tensor, prepare: Callable[[Tensor], Tensor]) -> list[Wait]:
        """Begin a batch, in parts if it does not fit; later batches are split from the start."""
        if self._most is not None and len(batch) > self._most:
            starts = range(0, len(batch), self._most)
            parts = [batch[start : start + starts.step] for start in starts]
            return [wait for part in parts for wait in self._begin(part, prepare)]
        try:
            return [self._forward(prepare(batch))]
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ModelError(
                    "One picture does not fit the GPU's memory beside the model. Close other programs that "
                    "use the GPU, choose a smaller model, or --device cpu."
                ) from error
        self._most = len(batch) // 2
        torch.cuda.empty_cache()
        return self._begin(batch, prepare)

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Wait:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_fast):
            logits, embedding = self._backbone(pixels)
        if self._is_gpu:
            return self._copied(logits, embedding)
        outputs = Outputs(logits.float().cpu().numpy(), embedding.float().cpu().numpy())
        return lambda: outputs

    def _copied(self, *tensors: Tensor) -> Wait:
        """Begin to copy to the host, with an event that marks the end."""
        copies = [torch.empty(tensor.shape, pin_memory=True).copy_(tensor, non_blocking=True) for tensor in tensors]
        with torch.cuda.device(self._device):
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()

        def wait() -> Outputs:
            arrived.synchronize()
            logits, embedding = (copy.numpy().copy() for copy in copies)
            return Outputs(logits, embedding)

        return wait

    def _free_and_each(self) -> tuple[int, float]:
        """Free bytes of the GPU, and the bytes that one picture takes while it is run."""
        crops = np.zeros((PROBED, self._size_px, self._size_px, 3), np.uint8)
        self.start(crops)()  # selects kernels, and allocates what stays
        before = torch.cuda.memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        self.start(crops)()
        taken = torch.cuda.max_memory_allocated(self._device) - before
        return torch.cuda.mem_get_info(self._device)[0], taken / PROBED


def batch_for(free_bytes: float, picture_bytes: float, *, under_way: int) -> int:
    """The largest power of two of pictures, 16 to 512, of which `under_way` batches fit half of the free memory."""
    fitting = MEMORY_FRACTION * free_bytes / (max(1.0, picture_bytes) * under_way)
    size = SMALLEST_BATCH
    while 2 * size <= min(fitting, LARGEST_BATCH):
        size *= 2
    return size
