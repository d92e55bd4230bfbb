"""A timm backbone that a user finetuned elsewhere, from its checkpoint: tensors and plain values, never code.

What trainers write is read: a plain state dict, or one below `state_dict`, `model` and the like (the averaged weights
first, as timm itself takes them), with the prefixes that wrappers put before every name.
"""

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from url_viz.errors import CheckpointError, ModelError
from url_viz.imaging.preprocess import AUTHORS, Preprocessing
from url_viz.models.authors import DAMAGE, HARMLESS, STATES
from url_viz.models.backbone import Loaded, as_backbone, create_network, preprocessing_of
from url_viz.models.names import OwnWeights

WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
"""What DataParallel, torch.compile, Lightning and users put before every name, one within the other."""
NAMED_AT_MOST = 5

State = Mapping[str, Tensor]


def load_own(weights: OwnWeights) -> Loaded:
    """The backbone in a checkpoint, with its classifier of however many classes, or without one.

    Raises CheckpointError where the file is damaged, or tensors are missing, left over or of another shape, with their
    names and count; ModelError for a name that timm does not know.
    """
    state = read_state(weights.path)
    classifier = create_network(weights.backbone).pretrained_cfg.get("classifier")
    if not isinstance(classifier, str):
        raise ModelError(
            f"{weights.backbone!r} has no single classifier, and only such backbones are read from a file."
        )
    bare = create_network(weights.backbone, num_classes=0).state_dict()
    state = unwrapped(state, bare)
    weight = state.get(f"{classifier}.weight")
    network = create_network(weights.backbone, num_classes=0 if weight is None else len(weight))
    _check(state, network.state_dict(), weights)
    network.load_state_dict(dict(state))
    sheet = preprocessing_of(network, weights.backbone)
    if weights.preset == "authors":
        sheet = Preprocessing(sheet.size_px, AUTHORS.crop_share, AUTHORS.interpolation, AUTHORS.mean, AUTHORS.std)
    return Loaded(weights.backbone, as_backbone(network), weights.digest, sheet)


def read_state(path: Path) -> State:
    """The tensors of a checkpoint by their names there. Raises CheckpointError where it is none, or would run code."""
    if path.suffix == ".safetensors":
        return _of_safetensors(path)
    try:
        with torch.serialization.safe_globals(HARMLESS):
            found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except DAMAGE as error:
        is_code = isinstance(error, pickle.UnpicklingError)
        why = "it holds Python objects, or is damaged" if is_code else str(error).partition("\n")[0]
        raise CheckpointError(
            f"{str(path)!r} cannot be read as weights ({why}). Only tensors and plain values are read: save the "
            f"model's state_dict(), best as .safetensors."
        ) from error
    record = found if isinstance(found, dict) else {}
    state: Any = next((record[name] for name in STATES if isinstance(record.get(name), dict)), record)
    tensors = {str(name): value for name, value in state.items() if torch.is_tensor(value)}
    if not tensors:
        raise CheckpointError(f"{str(path)!r} holds no tensors by name. Save the model's state_dict(), not the model.")
    return tensors


def _of_safetensors(path: Path) -> State:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Cannot read the weights {str(path)!r}: {error}. Save them again.") from error


def unwrapped(state: State, expected: Mapping[str, Any]) -> State:
    """The state under those prefixes of `WRAPPERS` that bring the most names to what is `expected`."""
    best, most = state, sum(name in expected for name in state)
    while True:
        shorter = [_without(prefix, state) for prefix in WRAPPERS if any(name.startswith(prefix) for name in state)]
        if not shorter:
            return best
        state = max(shorter, key=lambda one: sum(name in expected for name in one))
        count = sum(name in expected for name in state)
        if count > most:
            best, most = state, count


def _without(prefix: str, state: State) -> State:
    return {name.removeprefix(prefix): tensor for name, tensor in state.items()}


def _check(state: State, expected: State, weights: OwnWeights) -> None:
    wrong = {
        "lacks": [name for name in expected if name not in state],
        "has left over": [name for name in state if name not in expected],
        "has in another shape": [
            f"{name} {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
            for name, tensor in expected.items()
            if name in state and state[name].shape != tensor.shape
        ],
    }
    told = [f"{what} {len(names):,} tensors ({_some(names)})" for what, names in wrong.items() if names]
    if told:
        raise CheckpointError(
            f"{str(weights.path)!r} does not fit the backbone {weights.backbone!r}: it {', and '.join(told)}. "
            f"Give the timm name that it was trained as."
        )


def _some(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - NAMED_AT_MOST:,} more" if len(found) > NAMED_AT_MOST else ""
    return ", ".join(found[:NAMED_AT_MOST]) + more
