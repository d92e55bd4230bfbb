"""Recipes to copy: train on the soft labels that `labels soft` writes, with PyTorch, timm or Lightning."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor


class SoftPictures(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Pictures of a folder, each with the shares (C,) of its classes; `file` is what `labels soft --out` wrote.

    `torch.nn.CrossEntropyLoss` takes shares as it takes numbers of classes.
    """

    def __init__(self, root: Path, file: Path, transform: Callable[[Image.Image], Any]) -> None:
        table = pd.read_parquet(file)
        self.paths, self.transform = [root / path for path in table["path"]], transform
        self.classes = table.columns[3:].tolist()
        self.shares = torch.tensor(table[self.classes].to_numpy("float32"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Any, Tensor]:
        with Image.open(self.paths[row]) as picture:
            return self.transform(picture.convert("RGB")), self.shares[row]


def train_with_timm(name: str, root: Path, file: Path, *, batch: int = 8, lr: float = 1e-4) -> torch.nn.Module:
    """One epoch of a new timm model on the pictures."""
    import timm
    from timm.data import create_transform, resolve_data_config
    from timm.loss import SoftTargetCrossEntropy

    pictures = SoftPictures(root, file, lambda picture: picture)
    model: torch.nn.Module = timm.create_model(name, pretrained=False, num_classes=len(pictures.classes))
    pictures.transform = create_transform(**resolve_data_config({}, model=model), is_training=True)
    loss_of, optimizer = SoftTargetCrossEntropy(), torch.optim.AdamW(model.parameters(), lr=lr)
    for images, shares in torch.utils.data.DataLoader(pictures, batch_size=batch, shuffle=True):
        optimizer.zero_grad()
        loss_of(model(images), shares).backward()
        optimizer.step()
    return model


def lightning_module(model: torch.nn.Module, *, lr: float = 1e-4) -> Any:
    """A LightningModule that trains `model` on batches of pictures and their classes' shares (B, C)."""
    from lightning.pytorch import LightningModule

    class OnShares(LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            pictures, shares = batch
            return torch.nn.functional.cross_entropy(self.model(pictures), shares)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=lr)

    return OnShares()
