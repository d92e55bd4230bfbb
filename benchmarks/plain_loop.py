"""What a user writes first: timm's model over a DataLoader, float32.

python -m benchmarks.plain_loop FOLDER [DEVICE]
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from url_viz.imaging.decode import decode, middle, normalised, read_file, resized
from url_viz.models.backbone import load_backbone
from url_viz.models.model_names import DEFAULT


class Files(Dataset[torch.Tensor]):
    """Pixels of files, as a plain torch loop reads them."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.sheet = load_backbone(DEFAULT).preprocessing

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        image, _ = decode(read_file(bytes(self.files[index])))
        crop = middle(resized(image, self.sheet), self.sheet.size_px)
        return torch.from_numpy(normalised(crop[None], self.sheet)[0])


def torch_loop(
    files: list[Path], *, channels_last: bool, workers: int, batch: int, device: str = "cpu"
) -> Callable[[], None]:
    """A loop of timm's model over a DataLoader, float32; it ends when the device has done its work."""
    backbone = load_backbone(DEFAULT).backbone.to(device)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    backbone = backbone.to(memory_format=layout)  # type: ignore[call-overload]
    dataset = Files(files)

    @torch.inference_mode()
    def run() -> None:
        for pixels in DataLoader(dataset, batch_size=batch, num_workers=workers):
            backbone(pixels.to(device).contiguous(memory_format=layout))[1].cpu()

    return run


if __name__ == "__main__":
    where, *device = sys.argv[1:]
    torch_loop(sorted(Path(where).iterdir()), channels_last=False, workers=0, batch=32, device=(*device, "cpu")[0])()
