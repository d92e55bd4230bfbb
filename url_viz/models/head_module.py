"""The uncertainty head as a torch module for training, and its conversion to and from `Head`."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from url_viz.models.head import FLOOR, NORM_EPS, SLOPE, Head, HeadProvenance


class HeadModule(nn.Module):
    """Embedding (B, D) → uncertainty (B,), as in Pretrained Visual Uncertainties (two hidden layers of 512 by default).

    In place of embeddings it takes their functions (B, 4), if that is what a head reads.

    No gradient leaves it towards the backbone while `stop_gradient` is on.
    """

    def __init__(
        self,
        embedding_size: int,
        *,
        width: int = 512,
        depth: int = 2,
        layer_norm: bool = False,
        stop_gradient: bool = True,
    ) -> None:
        super().__init__()
        sizes = [embedding_size, *[width] * depth, 1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.layer_norm = layer_norm
        self.stop_gradient = stop_gradient

    def forward(self, embedding: Tensor) -> Tensor:
        """Uncertainty (B,) of embeddings (B, D)."""
        x = embedding.detach() if self.stop_gradient else embedding
        if self.layer_norm:
            x = F.layer_norm(x, x.shape[-1:], eps=NORM_EPS)
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), SLOPE)
        return F.softplus(self.layers[-1](x)).squeeze(1) + FLOOR

    def to_head(self, provenance: HeadProvenance) -> Head:
        """The weights as a `Head`, ready to be saved."""
        linears = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        return Head(
            weights=tuple(layer.weight.detach().float().cpu().numpy().copy() for layer in linears),
            biases=tuple(layer.bias.detach().float().cpu().numpy().copy() for layer in linears),
            provenance=provenance,
            layer_norm=self.layer_norm,
        )

    @classmethod
    def from_head(cls, head: Head) -> "HeadModule":
        """A module with the weights of `head`; its scaler is dropped, training starts from scaler 1."""
        module = cls(
            head.embedding_size,
            width=int(head.weights[0].shape[0]),
            depth=len(head.weights) - 1,
            layer_norm=head.layer_norm,
        )
        pairs = zip(head.weights, head.biases, strict=True)
        tensors = {
            f"layers.{i}.{name}": torch.from_numpy(array.copy())
            for i, pair in enumerate(pairs)
            for name, array in zip(("weight", "bias"), pair, strict=True)
        }
        module.load_state_dict(tensors)
        return module
