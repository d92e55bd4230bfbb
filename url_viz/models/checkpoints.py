"""Checkpoints of the paper's authors and finetuned backbones, loaded without executing code."""

import argparse
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from url_viz.errors import CheckpointError, HeadMismatchError, ModelError
from url_viz.imaging.preprocess import AUTHORS, Preprocessing
from url_viz.models.backbone import Loaded, as_backbone, preprocessing_of, undrawn_network
from url_viz.models.head import Head, HeadProvenance
from url_viz.models.names import AuthorsFile, FinetunedWeights

STATES = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Where the weights are, in the order in which the authors' own loader looks."""
BACKBONE = "model."
HEAD = "unc_module.unc_module."
WRAPPED = "module."
"""What DataParallel puts before every name."""
NAMED_AT_MOST = 5

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
    *(pickle.UnpicklingError, struct.error, OSError, EOFError),
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError),
)
"""What torch raises for a file that is cut off, damaged, of another kind, or that would execute code."""


@dataclass(frozen=True)
class Contents:
    """The contents of a checkpoint: backbone name, the backbone's tensors by timm's names, the head's (2 × layers)."""

    backbone: str
    tensors: Mapping[str, Tensor]
    head: Mapping[str, Tensor]
    size_px: int | None


def head_of(file: AuthorsFile) -> Head:
    """The head in a checkpoint, with the backbone's name and the file's digest as its provenance.

    Raises CheckpointError if the file is missing, damaged, not of this layout, or would execute code.
    """
    if not file.path.is_file():
        raise CheckpointError(f"There is no checkpoint {str(file.path)!r}. Give the path of the authors' *.pth.tar.")
    return _head_at(file, file.path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _head_at(file: AuthorsFile, written_ns: int) -> Head:
    contents = read(file.path)
    numbers = _layers(contents.head, file.path)
    names = [f"{number}.{{}}" for number in numbers]
    return Head(
        weights=tuple(_array(contents.head[name.format("weight")], file.path) for name in names),
        biases=tuple(_array(contents.head[name.format("bias")], file.path) for name in names),
        provenance=HeadProvenance(contents.backbone, file.digest, recipe={"from": "the authors' checkpoint"}),
    )


def load_authors(file: AuthorsFile) -> Loaded:
    """The backbone in a checkpoint, with a classifier of any number of classes; digest and preprocessing of `file`.

    Raises CheckpointError if tensors are missing, left over or of another shape, naming some of them, and
    HeadMismatchError if the head in the file reads embeddings of another size.
    """
    contents = read(file.path)
    network = _fitting(file, contents, head_of(file))
    network.load_state_dict(dict(contents.tensors))
    return Loaded(contents.backbone, as_backbone(network), file.digest, _preprocessing(file, contents, network))


@dataclass(frozen=True)
class Outline:
    """What a file of weights would be as a model: its backbone, D, the pixels of a side, and how many blocks it has.

    `blocks` is 0 of a network that has none, such as a convolutional one.
    """

    backbone: str
    embedding_size: int
    input_px: int
    blocks: int


def outline_authors(file: AuthorsFile) -> Outline:
    """What a checkpoint of the authors is, without making its network; raises what `load_authors` raises."""
    contents, head = read(file.path), head_of(file)
    with torch.device("meta"):  # shapes without numbers
        network = _fitting(file, contents, head)
    return _outline(contents.backbone, network, _preprocessing(file, contents, network))


def outline_finetuned(weights: FinetunedWeights, state: "State") -> Outline:
    """What a user's weights are, by their tensors, without making their network; raises what `load_finetuned` does."""
    with torch.device("meta"):
        network, _ = _network_of_state(weights, state)
    return _outline(weights.backbone, network, _sheet(weights, network))


def _outline(backbone: str, network: Any, preprocessing: Preprocessing) -> Outline:
    return Outline(backbone, int(network.num_features), preprocessing.size_px, len(getattr(network, "blocks", ())))


def _fitting(file: AuthorsFile, contents: Contents, head: Head) -> Any:
    """The network of a checkpoint, which its tensors and its head fit."""
    network = _network(contents, file.path)
    reads, gives = head.embedding_size, int(network.num_features)
    if reads != gives:
        raise HeadMismatchError(
            f"The head in {str(file.path)!r} reads embeddings of size {reads}; {contents.backbone!r} gives {gives}. "
            f"Give the file that this head was trained in."
        )
    _check_names(contents.tensors, network.state_dict(), file.path)
    return network


def read(path: Path) -> Contents:
    """Read a checkpoint with torch's restricted unpickler: tensors, plain values and `HARMLESS` only."""
    try:
        with torch.serialization.safe_globals(HARMLESS):
            # Memory-mapped: only the tensors that are used are read from a file of a gigabyte.
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except DAMAGE as error:
        why = str(error).partition("\n")[0]
        raise CheckpointError(
            f"{str(path)!r} cannot be read as a checkpoint of the authors ({why}). Download it again if it was cut "
            f"off; nothing but tensors and plain values is read from such a file."
        ) from error
    return _split(checkpoint, path)


def _split(checkpoint: object, path: Path) -> Contents:
    record = checkpoint if isinstance(checkpoint, dict) else {}
    state = next((record[name] for name in STATES if isinstance(record.get(name), dict)), None)
    arch = record.get("arch")
    if state is None or not isinstance(arch, str):
        raise CheckpointError(
            f"{str(path)!r} has no `arch` and `state_dict`, so it is not a checkpoint of the authors. "
            f"Give a file written by their train.py, a .safetensors head, or weights of your own as BACKBONE:PATH."
        )
    tensors = {str(name).removeprefix(WRAPPED): value for name, value in state.items()}
    unknown = [
        name for name, value in tensors.items() if not name.startswith((BACKBONE, HEAD)) or not torch.is_tensor(value)
    ]
    if unknown:
        raise CheckpointError(
            f"{str(path)!r} has {len(unknown)} tensors that belong to neither backbone nor head: {_some(unknown)}. "
            f"Only heads of linear layers on the embedding are read."
        )
    return Contents(arch, _below(BACKBONE, tensors), _below(HEAD, tensors), _size_px(record.get("args")))


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _size_px(args: object) -> int | None:
    asked = getattr(args, "img_size", None)
    return asked if isinstance(asked, int) and asked > 0 else None


def _layers(tensors: Mapping[str, Tensor], path: Path) -> range:
    """The numbers of the linear layers in the head's Sequential: 0, 2, 4 with two hidden layers, and 6 with three."""
    numbered = [int(number) for number in (name.partition(".")[0] for name in tensors) if number.isdecimal()]
    numbers = range(0, 1 + min(max(numbered, default=4), 2 * len(tensors) + 4), 2)
    expected = [f"{number}.{kind}" for number in numbers for kind in ("weight", "bias")]
    _check_names(tensors, dict.fromkeys(expected), path, prefix=HEAD)
    return numbers


def _array(tensor: Tensor, path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    array = tensor.float().numpy().copy()
    if not np.isfinite(array).all():
        raise CheckpointError(f"The head in {str(path)!r} has weights that are not finite. Take another epoch's file.")
    return array


def _check_names(
    tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor | None], path: Path, *, prefix: str = BACKBONE
) -> None:
    """Raise CheckpointError, naming some, if tensors are missing, left over or of another shape than `expected`."""
    wrong = {
        "lacks": [prefix + name for name in expected if name not in tensors],
        "has left over": [prefix + name for name in tensors if name not in expected],
        "has in another shape": [
            f"{prefix}{name} {tuple(tensors[name].shape)}, not {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if tensor is not None and name in tensors and tensors[name].shape != tensor.shape
        ],
    }
    problems = [f"{what} {len(names)} tensors ({_some(names)})" for what, names in wrong.items() if names]
    if problems:
        raise CheckpointError(
            f"{str(path)!r} {', '.join(problems)}, so it is not what its `arch` says. Download it again."
        )


def _some(names: Iterable[str]) -> str:
    all_names = list(names)
    more = len(all_names) - NAMED_AT_MOST
    return ", ".join(all_names[:NAMED_AT_MOST]) + (f" and {more} more" if more > 0 else "")


def _network(contents: Contents, path: Path) -> Any:
    """The timm network, its weights not drawn yet, its classifier as wide as the one in the file."""
    classifier = undrawn_network(contents.backbone).pretrained_cfg.get("classifier")
    if not isinstance(classifier, str):
        raise ModelError(f"{contents.backbone!r} in {str(path)!r} has no single classifier, and one is needed here.")
    bias = contents.tensors.get(f"{classifier}.bias")
    return undrawn_network(contents.backbone, num_classes=len(bias) if bias is not None else 0)


def _preprocessing(file: AuthorsFile, contents: Contents, network: nn.Module) -> Preprocessing:
    timms = preprocessing_of(network, contents.backbone)
    fixed = getattr(getattr(network, "patch_embed", None), "img_size", None)
    size_px = fixed[0] if fixed else contents.size_px or AUTHORS.size_px
    base = timms if file.preset == "timm" else AUTHORS
    return Preprocessing(size_px, base.crop_share, base.interpolation, base.mean, base.std)


WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
"""What DataParallel, torch.compile, Lightning and users put before every name, one within the other."""

State = Mapping[str, Tensor]


def load_finetuned(weights: FinetunedWeights) -> Loaded:
    """The backbone in a checkpoint, with a classifier of any number of classes, or without one.

    Raises CheckpointError if the file is damaged, or tensors are missing, left over or of another shape, with their
    names and count; ModelError for a name that timm does not know.
    """
    network, state = _network_of_state(weights, read_state(weights.path))
    network.load_state_dict(dict(state))
    return Loaded(weights.backbone, as_backbone(network), weights.digest, _sheet(weights, network))


def _network_of_state(weights: FinetunedWeights, state: "State") -> tuple[Any, "State"]:
    """The network that a state fits, and the state by the network's own names."""
    bare = undrawn_network(weights.backbone, num_classes=0)
    classifier = bare.pretrained_cfg.get("classifier")
    if not isinstance(classifier, str):
        raise ModelError(
            f"{weights.backbone!r} has no single classifier, and only such backbones are read from a file."
        )
    state = unwrapped(state, bare.state_dict())
    weight = state.get(f"{classifier}.weight")
    network = undrawn_network(weights.backbone, num_classes=0 if weight is None else len(weight))
    _check(state, network.state_dict(), weights)
    return network, state


def _sheet(weights: FinetunedWeights, network: nn.Module) -> Preprocessing:
    timms = preprocessing_of(network, weights.backbone)
    if weights.preset == "timm":
        return timms
    return Preprocessing(timms.size_px, AUTHORS.crop_share, AUTHORS.interpolation, AUTHORS.mean, AUTHORS.std)


def read_state(path: Path) -> State:
    """The tensors of a checkpoint by name. Raises CheckpointError if it is not one, or would execute code."""
    return read_named(path)[1]


def read_named(path: Path) -> tuple[str, State]:
    """The name of the network that a checkpoint says it is of ("" if it says none), and its tensors by name.

    Raises CheckpointError if it is not one, or would execute code.
    """
    if path.suffix == ".safetensors":
        return "", _of_safetensors(path)
    try:
        with torch.serialization.safe_globals(HARMLESS):
            checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except DAMAGE as error:
        is_code = isinstance(error, pickle.UnpicklingError)
        why = "it holds Python objects, or is damaged" if is_code else str(error).partition("\n")[0]
        raise CheckpointError(
            f"{str(path)!r} cannot be read as weights ({why}). Only tensors and plain values are read: save the "
            f"model's state_dict(), best as .safetensors."
        ) from error
    record = checkpoint if isinstance(checkpoint, dict) else {}
    state: Any = next((record[name] for name in STATES if isinstance(record.get(name), dict)), record)
    tensors = {str(name): value for name, value in state.items() if torch.is_tensor(value)}
    if not tensors:
        raise CheckpointError(f"{str(path)!r} holds no tensors by name. Save the model's state_dict(), not the model.")
    arch = record.get("arch")
    return (arch if isinstance(arch, str) else ""), tensors


def has_authors_head(state: State) -> bool:
    """Whether a head in the authors' layout is among the tensors of a checkpoint."""
    return any(name.removeprefix(WRAPPED).startswith(HEAD) for name in state)


def _of_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Cannot read the weights {str(path)!r}: {error}. Save them again.") from error


def unwrapped(state: State, expected: Mapping[str, Any]) -> State:
    """The state without those prefixes of `WRAPPERS` whose removal gives the most `expected` names."""
    best, most = state, sum(name in expected for name in state)
    while True:
        shorter = [_without(prefix, state) for prefix in WRAPPERS if any(name.startswith(prefix) for name in state)]
        if not shorter:
            return best
        state = max(shorter, key=lambda shorter_state: sum(name in expected for name in shorter_state))
        count = sum(name in expected for name in state)
        if count > most:
            best, most = state, count


def _without(prefix: str, state: State) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items()}


def _check(state: State, expected: State, weights: FinetunedWeights) -> None:
    wrong = {
        "lacks": [name for name in expected if name not in state],
        "has left over": [name for name in state if name not in expected],
        "has in another shape": [
            f"{name} {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if name in state and state[name].shape != tensor.shape
        ],
    }
    problems = [f"{what} {len(names):,} tensors ({_some(names)})" for what, names in wrong.items() if names]
    if problems:
        raise CheckpointError(
            f"{str(weights.path)!r} does not fit the backbone {weights.backbone!r}: it {', and '.join(problems)}. "
            f"Give the timm name that it was trained as."
        )
