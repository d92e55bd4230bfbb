"""The paper's own figures on its twelve sets (PVU, arXiv 2402.16569) next to ours: `python -m experiments.published`.

Its argument is the JSON of `training.benchmark --json`. The paper's figures come from another backbone (ViT-Base
of ImageNet-21k), another head and the official test pictures; recall and errors are by raw cosine with twins. So they
compare with the paper's outcome only, and only roughly.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path, PurePath

from training.benchmark.benchmark_tables import Benchmark, read_benchmark
from training.benchmark.orders import HEAD
from training.command import cell, markdown
from url_viz.base.wording import MISSING, with_interval


@dataclass(frozen=True)
class Published:
    """Figures of the paper's ViT-Base on one of its twelve sets: the mean, least and most of five seeds; recall@1."""

    name: str
    r_auroc: float
    least: float
    most: float
    recall_at_1: float


TWELVE = {
    ("caltech101",): Published("Caltech101", 0.7579, 0.7517, 0.7628, 0.8366),
    ("pets", "oxford-pets"): Published("Oxford Pets", 0.7403, 0.7316, 0.7479, 0.8353),
    ("cifar10h", "cifar10", "cifar10-test"): Published("CIFAR-10(H)", 0.7385, 0.7369, 0.7394, 0.7092),
    ("cifar100", "cifar100-test"): Published("CIFAR-100", 0.7063, 0.7041, 0.7083, 0.4665),
    ("sun397",): Published("SUN397", 0.6912, 0.6902, 0.6928, 0.5849),
    ("flowers102",): Published("Oxford Flowers", 0.6592, 0.6500, 0.6622, 0.9860),
    ("dtd",): Published("DTD", 0.6492, 0.6434, 0.6520, 0.6234),
    ("cub",): Published("CUB", 0.6262, 0.6178, 0.6343, 0.7308),
    ("sop",): Published("SOP", 0.6071, 0.6063, 0.6078, 0.5781),
    ("cars",): Published("Cars", 0.5886, 0.5852, 0.5916, 0.3782),
    ("treeversity1",): Published("Treeversity#1", 0.5597, 0.5567, 0.5625, 0.8363),
    ("svhn",): Published("SVHN", 0.4946, 0.4874, 0.5050, 0.2845),
}
"""Mean, least and most over five seeds, and recall@1, by the names of the set in a SPEC, or of its folder."""


def published_of(spec: str) -> Published | None:
    """The paper's figures on the set of a SPEC (`caltech101:PATH`, or a folder of that name); None for another set.

    A split that is not test is another set.
    """
    kind, _, rest = spec.rpartition(":")
    name, _, split = kind.partition("/")
    if name in ("", "folder"):
        name, split = PurePath(rest).name, ""
    figures = {alias: published for aliases, published in TWELVE.items() for alias in aliases}
    return figures.get(name) if split in ("", "test") else None


def table(benchmark: Benchmark) -> str:
    """R-AUROC of the heads and recall@1 on the sets of a benchmark that are among the twelve."""
    rows = []
    for of_set in benchmark.sets:
        paper = published_of(of_set.data)
        if paper is not None:
            ours = next((cell(order.paper.auroc) for order in of_set.orders if order.name == HEAD), MISSING)
            theirs = with_interval(paper.r_auroc, paper.least, paper.most, digits=3)
            rows.append([paper.name, theirs, cell(paper.recall_at_1), ours, cell(of_set.paper_recall_at_1)])
    return markdown(["set", "paper, R-AUROC over seeds", "paper, recall@1", "R-AUROC", "recall@1"], rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path)
    print(table(read_benchmark(parser.parse_args().json)))


if __name__ == "__main__":
    main()
