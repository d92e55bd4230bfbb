"""What a head costs beside its backbone: parameters, milliseconds, share of a pass: `python -m benchmarks.overhead`.

The shipped heads, as they ship, and heads of the paper's size (512-512-1, METHOD 1.4) on embeddings of the size of its
backbones. Times are medians of many calls in this process, first of the backbone, then of the head: by turns the
threads of the one would still spin while the other is measured.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from training.command import markdown
from url_viz.models.head import Head, HeadProvenance
from url_viz.models.model import load_model

BATCH = 32
ROUNDS = 25
REST_S = 1.0
SHIPPED = ("tf_efficientnet_lite0",)
PAPERS = {"ViT-Tiny": 192, "ViT-Small": 384, "ViT-Base": 768, "ViT-Large": 1024}
WIDTH = 512


def main() -> None:
    """Print one table for shipped heads and one for those of the paper's size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    rng = np.random.default_rng(0)
    rows = []
    for name in SHIPPED:
        model = load_model(name)
        assert model.head is not None
        side = model.space.preprocessing.size_px
        pixels = rng.normal(size=(BATCH, 3, side, side)).astype(np.float32)
        embedding = np.asarray(model.runtime.run_pixels(pixels).embedding)
        forward = _median(lambda: model.runtime.run_pixels(pixels))  # noqa: B023
        time.sleep(REST_S)
        head = _median(lambda: model.head(embedding))  # type: ignore[misc]  # noqa: B023
        rows.append([name, f"{_parameters(model.head):,}", *_figures(forward, head)])
    print(markdown(["shipped", "numbers in the head", "ms of a pass", "ms of the head", "share"], rows))
    rows = []
    for name, size in PAPERS.items():
        head_of_size, embedding = _head(size, rng), rng.normal(size=(BATCH, size)).astype(np.float32)
        took = _median(lambda: head_of_size(embedding))  # noqa: B023
        rows.append([name, f"{_parameters(head_of_size):,}", f"{took * 1000 / BATCH:.3f}"])
    print("\n" + markdown(["of the paper's size on", "numbers in the head", "ms of the head"], rows))


def _head(size: int, rng: np.random.Generator) -> Head:
    shapes = [(WIDTH, size), (WIDTH, WIDTH), (1, WIDTH)]
    weights = tuple((rng.normal(size=shape) * 0.02).astype(np.float32) for shape in shapes)
    return Head(weights, tuple(np.zeros(shape[0], np.float32) for shape in shapes), HeadProvenance(backbone="none"))


def _parameters(head: Head) -> int:
    functions = {} if head.functions is None else head.functions.tensors()
    return sum(int(array.size) for array in (*head.weights, *head.biases, *functions.values()))


def _figures(forward: float, head: float) -> list[str]:
    """Milliseconds a picture of a pass and of the head, and the head's share of both."""
    return [f"{1000 * forward / BATCH:.2f}", f"{1000 * head / BATCH:.3f}", f"{head / (head + forward):.1%}"]


def _median(call: Callable[[], object]) -> float:
    return float(np.median([_seconds(call) for _ in range(ROUNDS)]))


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
