"""Checkpoints of the paper's authors and finetuned backbones, loaded without executing code."""

import argparse
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from url_viz.base.errors import CheckpointError, HeadMismatchError, ModelError
from url_viz.base.wording import printable
from url_viz.imaging.decode import AUTHORS, Preprocessing
from url_viz.models.backbone import LoadedBackbone, as_backbone, empty_network, preprocessing_of
from url_viz.models.head import Head, HeadProvenance
from url_viz.models.model_names import WeightsFile

STATES = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Keys of the weights, in the order in which the authors' own loader looks."""
BACKBONE = "model."
HEAD = "unc_module.unc_module."
WRAPPED = "module."
"""What DataParallel puts before every name."""
NAMED_AT_MOST = 5
LETTERS_AT_MOST = 80
"""How much of a text from a file is quoted."""
MOST_HEAD_BYTES = 64 << 20
"""Ten times the largest head that the authors' trainer makes: three hidden layers of 1,024 on 1,024 numbers."""
MOST_SIDE_PX = 4096

_scalar: Callable[..., Any] = np.float64(0).__reduce__()[0]  # type: ignore[assignment]
HARMLESS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    argparse.Namespace,
    np.dtype,
    *{type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "?")},
    _scalar,
    (_scalar, "numpy.core.multiarray.scalar"),  # its name in files written with numpy 1
]
"""Allowed types besides tensors and plain values: the run's arguments, and a metric as a numpy scalar."""

DAMAGE = (
    *(pickle.UnpicklingError, struct.error, zipfile.BadZipFile, SafetensorError, OSError, EOFError, MemoryError),
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError),
)
"""Errors for a file that is cut off, damaged, of another kind, a bomb, or that would execute code."""


@dataclass(frozen=True)
class Contents:
    """The contents of a checkpoint: backbone name, the backbone's tensors by timm's names, the head's (2 × layers)."""

    backbone: str
    tensors: Mapping[str, Tensor]
    head: Mapping[str, Tensor]
    size_px: int | None


@lru_cache(maxsize=8)
def head_of(file: WeightsFile, written_ns: int) -> Head:
    """The head in a checkpoint; its provenance is the backbone's name and the file's digest.

    `written_ns` is the file's time. Raises CheckpointError if it is damaged, not of this layout, or would execute code.
    """
    return _head(contents_of(read_record(file.path), file.path), file.path, digest=file.digest)


def _head(contents: Contents, path: Path, *, digest: str) -> Head:
    names = [f"{number}.{{}}" for number in _layers(contents.head, path)]
    size_bytes = sum(4 * tensor.numel() for tensor in contents.head.values())
    if size_bytes > MOST_HEAD_BYTES:
        raise CheckpointError(
            f"The head in {str(path)!r} has {size_bytes >> 20:,} MiB, and {MOST_HEAD_BYTES >> 20} are the most. "
            f"Give a file whose head has fewer or narrower layers."
        )
    return Head(
        weights=tuple(_array(contents.head[name.format("weight")], path) for name in names),
        biases=tuple(_array(contents.head[name.format("bias")], path) for name in names),
        provenance=HeadProvenance(contents.backbone, digest, recipe={"from": "the authors' checkpoint"}),
    )


def load_weights(file: WeightsFile) -> LoadedBackbone:
    """The backbone in a file, with a classifier of any number of classes or none; digest and preprocessing of `file`.

    Raises CheckpointError if the file is damaged, or tensors are missing, left over or of another shape, with their
    count and some names; HeadMismatchError if its head reads embeddings of another size; ModelError for a name that
    timm does not know.
    """
    record = read_record(file.path)
    if file.backbone:
        backbone = file.backbone
        fitting, preprocessing, tensors = fit_finetuned(file, weights_in(record, file.path))
    else:
        contents = contents_of(record, file.path)
        backbone, tensors = contents.backbone, contents.tensors
        fitting, preprocessing = fit_authors(file, contents)
    network = empty_network(backbone, num_classes=fitting.num_classes)
    network.load_state_dict(dict(tensors))
    return LoadedBackbone(backbone, as_backbone(network), file.digest, preprocessing)


def fit_authors(file: WeightsFile, contents: Contents) -> tuple[Any, Preprocessing]:
    """The network of a checkpoint on the meta device, and its preprocessing; raises what `load_weights` raises."""
    head, (_, classifier) = _head(contents, file.path, digest=""), _bare(contents.backbone)
    network = _on_meta(contents.backbone, _rows(contents.tensors.get(f"{classifier}.bias")))
    reads, gives = head.embedding_size, int(network.num_features)
    if reads != gives:
        raise HeadMismatchError(
            f"The head in {str(file.path)!r} reads embeddings of size {reads}; {contents.backbone!r} gives {gives}. "
            f"Give the file that this head was trained in."
        )
    _refuse_misfits(contents.tensors, network.state_dict(), file.path)
    fixed = getattr(getattr(network, "patch_embed", None), "img_size", None)
    size_px = fixed[0] if fixed else contents.size_px or AUTHORS.size_px
    timms = preprocessing_of(network, contents.backbone)
    return network, replace(timms if file.preset == "timm" else AUTHORS, size_px=size_px)


def read_record(path: Path) -> dict[Any, Any]:
    """The contents of a checkpoint: tensors, plain values and `HARMLESS`; anything else raises CheckpointError.

    For safetensors, its tensors by name.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        is_zip = zipfile.is_zipfile(path)
        if is_zip:
            with zipfile.ZipFile(path) as archive:
                if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                    raise ValueError("its archive is compressed, which no checkpoint is")  # it may be a bomb
        with torch.serialization.safe_globals(HARMLESS):
            # Memory-mapped: only the tensors that are used are read from a file of a gigabyte.
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except DAMAGE as error:
        is_code = isinstance(error, pickle.UnpicklingError)
        why = "it holds Python objects, or is damaged" if is_code else _short(str(error).partition("\n")[0])
        raise CheckpointError(
            f"{str(path)!r} cannot be read as a checkpoint ({why}). Download it again if it was cut off; nothing but "
            f"tensors and plain values is read: of a model of your own, save its state_dict(), best as .safetensors."
        ) from error
    return checkpoint if isinstance(checkpoint, dict) else {}


def _check_bytes(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise CheckpointError for tensors that are not plain, or claim more numbers than their bytes hold."""
    wrong = [name for name, tensor in tensors.items() if not _is_plain(tensor)]
    if wrong:
        raise CheckpointError(
            f"{str(path)!r} has {len(wrong):,} tensors that are not plain numbers in memory, one after another "
            f"({_some(wrong)}). Save the model's state_dict() again, each tensor made contiguous()."
        )


def _is_plain(tensor: Tensor) -> bool:
    is_known = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided and not tensor.is_quantized
    if not is_known or tensor.device.type != "cpu" or tensor.is_complex():
        return False
    return math.prod(tensor.shape) * tensor.element_size() <= tensor.untyped_storage().nbytes()


def contents_of(record: Mapping[Any, Any], path: Path) -> Contents:
    """The parts of a checkpoint of the authors. Raises CheckpointError if it is not one, or a bomb."""
    state, arch = _weights_in(record), record.get("arch")
    if state is None or not isinstance(arch, str):
        raise CheckpointError(
            f"{str(path)!r} has no `arch` and `state_dict`, so it is not a checkpoint of the authors. "
            f"Give a file written by their train.py, a .safetensors head, or weights of your own as BACKBONE:PATH."
        )
    names = (key if isinstance(key, str) else f"a key of type {type(key).__name__}" for key in state)
    tensors = dict(zip((name.removeprefix(WRAPPED) for name in names), state.values(), strict=True))
    unknown = [n for n, value in tensors.items() if not n.startswith((BACKBONE, HEAD)) or not torch.is_tensor(value)]
    if unknown:
        raise CheckpointError(
            f"{str(path)!r} has {len(unknown)} tensors that belong to neither backbone nor head: {_some(unknown)}. "
            f"Only heads of linear layers on the embedding are read."
        )
    _check_bytes(tensors, path)
    if not is_known_to_timm(arch):  # it may lead to a hub, or to a folder of this machine
        raise CheckpointError(
            f"{str(path)!r} says that its network (`arch`) is {_short(arch)!r}, which timm does not know by that name. "
            f"Update timm, or write the network's timm name into the file."
        )
    backbone, head = (
        {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        for prefix in (BACKBONE, HEAD)
    )
    return Contents(arch, backbone, head, _size_px(record, path))


def _weights_in(record: Mapping[Any, Any]) -> dict[Any, Any] | None:
    return next((record[name] for name in STATES if isinstance(record.get(name), dict)), None)


def is_known_to_timm(name: str) -> bool:
    """Whether timm itself has a network of this name; names of a hub, addresses and paths are refused."""
    return not set(":/\\") & set(name) and timm.is_model(name)


def _size_px(record: Mapping[Any, Any], path: Path) -> int | None:
    size_px = getattr(record.get("args"), "img_size", None)
    if not isinstance(size_px, int) or size_px <= 0:
        return None
    if size_px > MOST_SIDE_PX:
        raise CheckpointError(
            f"{str(path)!r} wants pictures of more than {MOST_SIDE_PX:,} pixels a side (`args.img_size`). "
            f"Download it again, or take another epoch's file."
        )
    return size_px


def _layers(tensors: Mapping[str, Tensor], path: Path) -> range:
    """The numbers of the linear layers in the head's Sequential: 0, 2, 4 with two hidden layers, and 6 with three."""
    numbered = [int(number) for number in (name.partition(".")[0] for name in tensors) if number.isdecimal()]
    numbers = range(0, 1 + min(max(numbered, default=4), 2 * len(tensors) + 4), 2)
    expected = [f"{number}.{kind}" for number in numbers for kind in ("weight", "bias")]
    _refuse_misfits(tensors, dict.fromkeys(expected), path, prefix=HEAD)
    return numbers


def _array(tensor: Tensor, path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    array = tensor.detach().float().numpy().copy()
    if not np.isfinite(array).all():
        raise CheckpointError(f"The head in {str(path)!r} has weights that are not finite. Take another epoch's file.")
    return array


def _refuse_misfits(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor | None], path: Path, *, prefix: str = BACKBONE
) -> None:
    problems = _misfits(tensors, expected, prefix)
    if problems:
        raise CheckpointError(
            f"{str(path)!r} {', '.join(problems)}, so it is not what its `arch` says. Download it again."
        )


def _misfits(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor | None], prefix: str = "") -> list[str]:
    """Which tensors are missing, left over or of another shape than `expected`, with their count and some names."""
    wrong = {
        "lacks": [prefix + name for name in expected if name not in tensors],
        "has left over": [prefix + name for name in tensors if name not in expected],
        "has in another shape": [
            f"{prefix}{name} {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if tensor is not None and name in tensors and tensors[name].shape != tensor.shape
        ],
    }
    return [f"{what} {len(names):,} tensors ({_some(names)})" for what, names in wrong.items() if names]


def _some(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - NAMED_AT_MOST
    return ", ".join(map(_short, all_names[:NAMED_AT_MOST])) + (f" and {more} more" if more > 0 else "")


def _short(text: str) -> str:
    """A text from a file, printable and cut to `LETTERS_AT_MOST`."""
    return printable(text if len(text) <= LETTERS_AT_MOST else f"{text[:LETTERS_AT_MOST]}…")


def _bare(backbone: str) -> tuple[Any, str]:
    """The network without a classifier, and the name of its classifier. Raises ModelError if it has no single one."""
    network = _on_meta(backbone, 0)
    classifier = network.pretrained_cfg.get("classifier")
    if not isinstance(classifier, str):
        raise ModelError(f"{backbone!r} has no single classifier, and only such backbones are read from a file.")
    return network, classifier


def _on_meta(backbone: str, classes: int) -> Any:
    """The network without memory for its tensors, whose sizes the file only claims."""
    with torch.device("meta"):
        return empty_network(backbone, num_classes=classes)


def _rows(tensor: Tensor | None) -> int:
    return len(tensor) if tensor is not None and tensor.ndim else 0


WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
"""What DataParallel, torch.compile, Lightning and users put before every name, possibly nested."""

State = Mapping[str, Tensor]


def fit_finetuned(weights: WeightsFile, state: State) -> tuple[Any, Preprocessing, State]:
    """The network that a state fits, on the meta device, its preprocessing, and the state by the network's names.

    Raises what `load_weights` raises.
    """
    bare, classifier = _bare(weights.backbone)
    state = unwrapped(state, bare.state_dict())
    classes = _rows(state.get(f"{classifier}.weight"))
    network = _on_meta(weights.backbone, classes)
    problems = _misfits(state, network.state_dict())
    if problems:
        raise CheckpointError(
            f"{str(weights.path)!r} does not fit the backbone {weights.backbone!r}: it {', and '.join(problems)}. "
            f"Give the timm name that it was trained as."
        )
    timms = preprocessing_of(network, weights.backbone)
    return network, timms if weights.preset == "timm" else replace(AUTHORS, size_px=timms.size_px), state


def weights_in(record: Mapping[Any, Any], path: Path) -> State:
    """The tensors by name in the contents of a checkpoint. Raises CheckpointError if there are none, or for a bomb."""
    state = _weights_in(record)
    items = (record if state is None else state).items()
    tensors = {name: value for name, value in items if isinstance(name, str) and torch.is_tensor(value)}
    if not tensors:
        raise CheckpointError(f"{str(path)!r} holds no tensors by name. Save the model's state_dict(), not the model.")
    _check_bytes(tensors, path)
    return tensors


def has_authors_head(state: State) -> bool:
    """Whether a head in the authors' layout is among the tensors of a checkpoint."""
    return any(name.removeprefix(WRAPPED).startswith(HEAD) for name in state)


def unwrapped(state: State, expected: Mapping[str, Any]) -> State:
    """The state without those prefixes of `WRAPPERS` whose removal gives the most `expected` names."""
    best, most = state, sum(name in expected for name in state)
    while True:
        prefixes = [prefix for prefix in WRAPPERS if any(name.startswith(prefix) for name in state)]
        if not prefixes:
            return best
        shorter = [{name.removeprefix(prefix): tensor for name, tensor in state.items()} for prefix in prefixes]
        state = max(shorter, key=lambda tensors: sum(name in expected for name in tensors))
        count = sum(name in expected for name in state)
        if count > most:
            best, most = state, count
