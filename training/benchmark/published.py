"""The paper's own figures on its twelve sets (PVU, arXiv 2402.16569), to stand beside ours.

They are of another backbone (ViT-Base of ImageNet-21k), another head and the official test pictures, recall and errors
by raw cosine with twins: beside the paper's outcome alone, and only near.
"""

from pathlib import PurePath

from training.benchmark.benchmark_records import Published

TWELVE = (
    Published("Caltech101", 0.7579, 0.7517, 0.7628, 0.8366),
    Published("Oxford Pets", 0.7403, 0.7316, 0.7479, 0.8353),
    Published("CIFAR-10(H)", 0.7385, 0.7369, 0.7394, 0.7092),
    Published("CIFAR-100", 0.7063, 0.7041, 0.7083, 0.4665),
    Published("SUN397", 0.6912, 0.6902, 0.6928, 0.5849),
    Published("Oxford Flowers", 0.6592, 0.6500, 0.6622, 0.9860),
    Published("DTD", 0.6492, 0.6434, 0.6520, 0.6234),
    Published("CUB", 0.6262, 0.6178, 0.6343, 0.7308),
    Published("SOP", 0.6071, 0.6063, 0.6078, 0.5781),
    Published("Cars", 0.5886, 0.5852, 0.5916, 0.3782),
    Published("Treeversity#1", 0.5597, 0.5567, 0.5625, 0.8363),
    Published("SVHN", 0.4946, 0.4874, 0.5050, 0.2845),
)
"""Mean, least and most over five seeds, and recall@1."""
NAMES = (
    ("caltech101",),
    ("pets", "oxford-pets"),
    ("cifar10h", "cifar10", "cifar10-test"),
    ("cifar100", "cifar100-test"),
    ("sun397",),
    ("flowers102",),
    ("dtd",),
    ("cub",),
    ("sop",),
    ("cars",),
    ("treeversity1",),
    ("svhn",),
)
"""The names in a SPEC, or of its folder, that mean each of TWELVE."""


def published_of(spec: str) -> Published | None:
    """The paper's figures on the set of a SPEC (`caltech101:PATH`, or a folder of that name); None for another set.

    A split that is not test is another set.
    """
    kind, _, rest = spec.rpartition(":")
    name, _, split = kind.partition("/")
    known = {alias: figures for aliases, figures in zip(NAMES, TWELVE, strict=True) for alias in aliases}
    if name in ("", "folder"):
        return known.get(PurePath(rest).name)
    return known.get(name) if split in ("", "test") else None
