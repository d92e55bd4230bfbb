"""Checkpoints that are made to harm who reads them, each a few kilobytes."""

import argparse
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.conftest import dice_head
from tests.hostile.fuzz import mutant
from url_viz.models.head import FORMAT, save_head

ODD_NAME = "<img src=x onerror=1> [l](https:beacon.example).pth"


class Reduced:
    """Unpickled, it is what a harmless function gives of these arguments."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.reduced = function, arguments

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.reduced


def head(**layers: Tensor) -> dict[str, Tensor]:
    """A head in the authors' layout with some tensors of its own, `w0` and so on."""
    small = {"w0": torch.zeros(8, 192), "b0": torch.zeros(8), "w2": torch.zeros(1, 8), "b2": torch.zeros(1)} | layers
    kinds = {"w": "weight", "b": "bias"}
    return {f"unc_module.unc_module.{name[1:]}.{kinds[name[0]]}": tensor for name, tensor in small.items()}


def authors(path: Path, state: dict[str, Tensor], *, arch: str = "vit_tiny_patch16_224", **more: object) -> None:
    torch.save({"arch": arch, "state_dict": state, **more}, path)


def packed(path: Path) -> None:
    """An archive whose pickle is 512 MB of zeros, packed: half a megabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("archive/data.pkl", "w") as member:
            for _ in range(512):
                member.write(bytes(1 << 20))
        archive.writestr("archive/version", "3\n")


def sparse(path: Path, begin: bytes, size: int) -> None:
    """A file with holes, which takes next to nothing on the disk."""
    path.write_bytes(begin)
    os.truncate(path, size)


def wide(*shape: int) -> Tensor:
    """One number that says it is many."""
    return torch.zeros(1).expand(*shape)


def write_all(folder: Path) -> dict[str, str]:
    """Every bad file into a folder; what is said of each, by its name."""
    authors(folder / "wide.pth.tar", head(w0=wide(2**22, 2**22)))
    authors(folder / "wide-class.pth.tar", head() | {"model.head.bias": wide(2**40)})
    torch.save({"head.weight": wide(2**40, 1)}, folder / "wide-own.pth")
    authors(folder / "large-head.pth.tar", head(w0=torch.zeros(9000, 2000)))
    authors(folder / "beacon.pth.tar", head(), arch="hf-hub:beacon/evil")
    authors(folder / "folder.pth.tar", head(), arch="local-dir:/etc")
    torch.save({"arch": "hf-hub:beacon/evil", "state_dict": {"a": torch.zeros(2)}}, folder / "beacon-own.pth")
    about = {"format": FORMAT, "format_version": "1", "backbone": "hf-hub:beacon/evil", "recipe": "[" * 200_000}
    save_file({"layers.0.weight": torch.zeros(1, 4)}, folder / "nested.safetensors", metadata=about)
    packed(folder / "packed.pth")
    torch.save({"a": torch.zeros(1), "b": Reduced(bytearray, 64 << 30)}, folder / "zeros.pth")
    authors(folder / "side.pth.tar", head(), args=argparse.Namespace(img_size=10**400))
    torch.save({10**400: torch.zeros(1)}, folder / "long-key.pth")
    torch.save({"\ud800": torch.zeros(1), "a" * 100_000: torch.zeros(1)}, folder / "odd-key.pth")
    torch.save({"a": torch.zeros(3, device="meta")}, folder / "meta.pth")
    torch.save({"a": torch.zeros(3, 3).to_sparse()}, folder / "thin.pth")
    authors(folder / "scalar.pth.tar", head() | {"model.head.bias": torch.zeros(())})
    torch.save({"a": Reduced(np.dtype, "V2000000000")}, folder / "kind.pth")
    sparse(folder / "holes.pth", pickle.dumps({}), 1 << 40)
    sparse(folder / "holes.safetensors", b"", 1 << 40)
    (folder / ODD_NAME).write_bytes(b"no checkpoint")
    os.mkfifo(folder / "pipe.pth")
    (folder / "null.pth").symlink_to("/dev/zero")
    (folder / "loop.pth").symlink_to(folder / "loop.pth")
    return {
        "wide.pth.tar": "tensors that are not plain numbers in memory",
        "wide-class.pth.tar": "tensors that are not plain numbers in memory",
        "wide-own.pth": "tensors that are not plain numbers in memory",
        "large-head.pth.tar": "64 are the most",
        "beacon.pth.tar": "'hf-hub:beacon/evil', which timm does not know",
        "folder.pth.tar": "'local-dir:/etc', which timm does not know",
        "beacon-own.pth": "does not say of which network",
        "nested.safetensors": "damaged",
        "packed.pth": "its archive is compressed",
        "zeros.pth": "cannot be read",
        "side.pth.tar": "more than 4,096 pixels a side",
        "long-key.pth": "no tensors by name",
        "odd-key.pth": "does not say of which network",
        "meta.pth": "tensors that are not plain numbers in memory",
        "thin.pth": "tensors that are not plain numbers in memory",
        "scalar.pth.tar": "cannot be read|so it is not what its `arch` says",
        "kind.pth": "cannot be read|no tensors",
        "holes.pth": "cannot be read|no tensors",
        "holes.safetensors": "cannot be read",
        ODD_NAME: "cannot be read",
        "pipe.pth": "no plain file",
        "null.pth": "no plain file",
        "loop.pth": "cannot be read",
    }


TINY = "test_vit"


def parents(folder: Path) -> list[Path]:
    """Good checkpoints of every layout: of the authors, of users in three layouts, and a head of ours."""
    network = timm.create_model(TINY, num_classes=3).state_dict()
    inside = folder / TINY
    inside.mkdir()
    layers = head(w0=torch.zeros(8, len(network["norm.bias"])))
    authors(inside / "a.pth.tar", {f"model.{name}": value for name, value in network.items()} | layers, arch=TINY)
    torch.save({"arch": TINY, "state_dict": network}, inside / "b.pth")
    torch.save({"arch": TINY, "state_dict": network}, inside / "c.pt", _use_new_zipfile_serialization=False)
    save_head(dice_head(), inside / "d.safetensors")
    return sorted(inside.iterdir())


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    """With one to eight bits flipped anywhere: most of a file are weights."""
    changed = bytearray(data)
    for at in rng.integers(len(changed), size=rng.integers(1, 9)):
        changed[at] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, with flipped bits, damaged at its start, or an archive written again round its damaged pickle."""
    way = rng.random()
    if way < 0.1:
        return data[: int(rng.integers(len(data)))]
    if way < 0.3:
        return flipped(data, rng)
    if way < 0.6 or not zipfile.is_zipfile(BytesIO(data)):
        return mutant(data, rng)
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as before, zipfile.ZipFile(file, "w") as after:
        kind = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
        for name in before.namelist():
            is_pickle = name.endswith("data.pkl")
            after.writestr(name, mutant(before.read(name), rng) if is_pickle else before.read(name), kind)
            if is_pickle and rng.random() < 0.1:
                with warnings.catch_warnings(action="ignore"):
                    after.writestr(name, mutant(before.read(name), rng))  # once more under the same name
    return file.getvalue()
