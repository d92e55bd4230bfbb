"""Torch runtime for a backbone: bf16 and channels_last on a GPU, or float32; halves a batch that is too large."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from url_viz.errors import ModelError
from url_viz.imaging.preprocess import Preprocessing
from url_viz.models.backbone import Backbone
from url_viz.models.runtime import Outputs, Precision, joined


class TorchRuntime:
    """Runs `backbone` on a torch device."""

    def __init__(self, backbone: Backbone, preprocessing: Preprocessing, *, device: str, precision: Precision) -> None:
        self._device = torch.device(device)
        self._is_fast = precision == "fast"
        if not self._is_fast and self._device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # exact is float32, not TF32 with its ten bits
        # torch before 2.14 forgets the argument in its overloads
        self._backbone = backbone.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,unused-ignore]
        self._mean = torch.tensor(preprocessing.mean, device=self._device).view(1, 3, 1, 1) * 255
        self._std = torch.tensor(preprocessing.std, device=self._device).view(1, 3, 1, 1) * 255

    @property
    def device(self) -> str:
        """The device in words: `cuda (NVIDIA …)`, `cpu` or `mps`."""
        if self._device.type == "cuda":
            return f"cuda ({torch.cuda.get_device_name(self._device)})"
        return self._device.type

    def run(self, crops: NDArray[np.uint8]) -> Outputs:
        """Normalise on the device and run."""
        return self._halving(torch.from_numpy(crops), self._normalised)

    def run_pixels(self, pixels: NDArray[np.float32]) -> Outputs:
        """Run a batch that is normalised already."""
        return self._halving(torch.from_numpy(pixels), lambda batch: batch.to(self._device))

    def _normalised(self, crops: Tensor) -> Tensor:
        pixels = crops.to(self._device, non_blocking=True).permute(0, 3, 1, 2).float()
        return (pixels - self._mean) / self._std

    def _halving(self, batch: Tensor, prepare) -> Outputs:  # type: ignore[no-untyped-def]
        try:
            return self._forward(prepare(batch))
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise ModelError(
                    "One picture does not fit the GPU's memory beside the model. Close other programs that "
                    "use the GPU, choose a smaller model, or --device cpu."
                ) from error
        torch.cuda.empty_cache()
        half = len(batch) // 2
        return joined([self._halving(batch[:half], prepare), self._halving(batch[half:], prepare)])

    @torch.inference_mode()
    def _forward(self, pixels: Tensor) -> Outputs:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_fast):
            logits, embedding = self._backbone(pixels)
        return Outputs(logits.float().cpu().numpy(), embedding.float().cpu().numpy())
