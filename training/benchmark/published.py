"""The paper's own figures on its twelve sets (PVU, arXiv 2402.16569), for comparison with ours.

They come from another backbone (ViT-Base of ImageNet-21k), another head and the official test pictures; recall and
errors are by raw cosine with twins. So they compare with the paper's outcome only, and only roughly.
"""

from pathlib import PurePath

from training.benchmark.benchmark_records import Published

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
