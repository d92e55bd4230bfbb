"""Configuration of the training commands: frozen dataclasses with one sentence per field, for commands and forms.

Nothing heavy is imported here: the app reads these classes to draw its forms. A field's sentence is the `Doc` of its
annotation (`typing.get_type_hints(cls, include_extras=True)` finds it); nested classes group related fields.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from typing_extensions import Doc

from url_viz.base.command_line import (
    AboveZero,
    Checked,
    Count,
    Fraction,
    OptionalCount,
    Output,
    PrecisionChoice,
    Seed,
    Within,
    ZeroOrMore,
)

DEFAULT_MODEL = "tf_efficientnet_lite0"
PRECISION = (
    "fast (bf16 or float32, whichever was measured to be quicker here), exact (float32), or bf16 or float32 by name"
)

Target = Literal["instance", "labels"]
Loss = Literal["ranking", "l2"]
Reads = Literal["embedding", "functions"]
PresetName = Literal["laptop", "paper", "functions"]
Pairing = Literal["adjacent", "random", "all"]
Mode = Literal["instance", "labels", "full"]
Unlabelled = Literal["confusability", "instance"]
SourceBalance = Literal["equal", "rows"]
PairWithin = Literal["source", "resolution"]
Group = Literal["twins", "folder"]

PositiveFraction = Annotated[float, Within(0, 1, is_above=True)]
Views = Annotated[int, Within(1, 1_000)]
Repeats = Annotated[int, Within(1, 1_000)]
Batch = Annotated[int, Within(1, 10_000_000)]
Paired = Annotated[int, Within(2, 10_000_000)]
Epochs = Annotated[int, Within(1, 1_000_000)]
Width = Annotated[int, Within(1, 65_536)]
Depth = Annotated[int, Within(0, 100)]

Backbone = Annotated[str, Doc("Backbone by packaged or timm name, or the path of a checkpoint.")]
ModelName = Annotated[str, Doc("Zoo or timm name, or the path of a head.")]
Device = Annotated[str, Doc("auto, cuda, cpu or mps.")]
Precision = Annotated[PrecisionChoice, Doc(f"{PRECISION}.")]
SetPrecision = Annotated[PrecisionChoice, Doc(f"{PRECISION}; use the one of the set.")]


@dataclass(frozen=True)
class Augmentation(Checked):
    """How a picture is varied before it is embedded (PVU 3.1; without the degradations, which are off by default)."""

    views: Annotated[Views, Doc("Number of varied views per picture.")] = 4
    smallest_share: Annotated[PositiveFraction, Doc("Smallest share of the picture's area that a view may show.")] = (
        0.08
    )
    flip: Annotated[Fraction, Doc("Probability that a view is mirrored.")] = 0.5
    jitter: Annotated[ZeroOrMore, Doc("Strength of the change of brightness, contrast and saturation.")] = 0.4
    blur: Annotated[Fraction, Doc("Probability of a Gaussian blur.")] = 0.0
    dark: Annotated[Fraction, Doc("Probability of low light.")] = 0.0
    noise: Annotated[Fraction, Doc("Probability of sensor noise.")] = 0.0
    downscale: Annotated[Fraction, Doc("Probability that a view is scaled down and up again.")] = 0.0


@dataclass(frozen=True)
class InstanceTarget(Checked):
    """The task loss without labels: −log softmax of a view's cosine to its own picture among others."""

    temperature: Annotated[AboveZero, Doc("τ of the softmax over cosines; smaller looks at the nearest only.")] = 0.07
    most_others: Annotated[Count, Doc("Most other pictures that compete; the same for every row.")] = 16384
    twin_similarity: Annotated[
        ZeroOrMore, Doc("Others above this cosine to the picture are its near copies and do not compete.")
    ] = 0.95


@dataclass(frozen=True)
class CacheConfig(Checked):
    """Embed varied views of pictures once, and store embeddings and task losses for training."""

    data: Annotated[str, Doc("Pictures: folder:PATH (or a bare path), or tar:DIR_OR_PATTERN of WebDataset shards.")]
    out: Annotated[Path, Doc("Folder for the cache; a run that was stopped goes on here."), Output()]
    model: Backbone = DEFAULT_MODEL
    target: Annotated[Target, Doc("What the head learns to order: labels needs class folders, instance none.")] = (
        "instance"
    )
    augmentation: Annotated[Augmentation, Doc("How pictures are varied.")] = field(default_factory=Augmentation)
    instance: Annotated[InstanceTarget, Doc("The loss of the target instance.")] = field(default_factory=InstanceTarget)
    precision: SetPrecision = "fast"
    device: Device = "auto"
    batch: Annotated[Batch, Doc("Views embedded at once.")] = 64
    shard_rows: Annotated[Batch, Doc("Rows per shard: what a killed run can lose.")] = 4096
    seed: Annotated[Seed, Doc("Seed of the views.")] = 0
    limit: Annotated[OptionalCount, Doc("Number of pictures to use, spread over the list.")] = None
    group: Annotated[
        Group,
        Doc("Pictures judged together by a classifier that saw none of them: near copies, or a whole folder."),
    ] = "twins"


@dataclass(frozen=True)
class Recipe(Checked):
    """The hyper-parameters of a head's training (PVU 3.1 names the paper's)."""

    loss: Annotated[Loss, Doc("ranking orders pairs of task losses; l2 predicts the loss itself.")] = "ranking"
    margin: Annotated[ZeroOrMore, Doc("How much larger the larger uncertainty of a pair must be.")] = 0.1
    leeway: Annotated[ZeroOrMore, Doc("Task losses closer than this are not a pair.")] = 0.0
    pairing: Annotated[Pairing, Doc("Which pairs of a batch count: adjacent rows, random ones, or all.")] = "random"
    pairings: Annotated[Repeats, Doc("With random: number of pairings per batch.")] = 8
    width: Annotated[Width, Doc("Units of a hidden layer.")] = 512
    depth: Annotated[Depth, Doc("Hidden layers.")] = 2
    layer_norm: Annotated[bool, Doc("Put a LayerNorm without parameters in front.")] = True
    epochs: Annotated[Epochs, Doc("Number of epochs; the learning rate falls to zero on a cosine.")] = 30
    epoch_rows: Annotated[OptionalCount, Doc("Rows per epoch; empty means every row once.")] = None
    batch: Annotated[Paired, Doc("Rows per optimiser step.")] = 512
    base_rate: Annotated[AboveZero, Doc("Learning rate at a batch of 256; scaled by the square root of the batch.")] = (
        1e-3
    )
    warm_up_epochs: Annotated[ZeroOrMore, Doc("Epochs over which the learning rate rises first.")] = 2
    weight_decay: Annotated[ZeroOrMore, Doc("AdamW's decay of the weight matrices; biases have none.")] = 1e-4
    held_out: Annotated[Fraction, Doc("Share of pictures held out of training, for choosing the best epoch.")] = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out}; some pictures must train and some must choose: 0 to 1.")


PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        "laptop": Recipe(),
        "paper": Recipe(
            pairing="adjacent",
            layer_norm=False,
            epochs=460,
            epoch_rows=200_000,
            batch=2048,
            warm_up_epochs=25,
        ),
        "functions": Recipe(depth=0, layer_norm=False, epochs=30, batch=128, base_rate=1e-2, warm_up_epochs=1),
    }
)
"""Recipes by name: `laptop` for a few thousand pictures, `paper` is PVU 3.1 (92 million rows of ImageNet-21k).

`functions` is for a head that reads these: few weights, fitted to the end.
"""


@dataclass(frozen=True)
class Mixture:
    """How rows of several caches are mixed, each cache a source; pairs are always within one source."""

    share: Annotated[
        SourceBalance, Doc("Rows of each source in a batch: equal for all sources, or as the sources have rows.")
    ] = "equal"
    pair_within: Annotated[
        PairWithin, Doc("Compare rows of one source, or only those that were also shrunk alike.")
    ] = "source"


@dataclass(frozen=True)
class TrainConfig(Checked):
    """Train an uncertainty head on one cache or several."""

    cache: Annotated[
        tuple[Path, ...],
        Doc("Folder written by training.cache, or an HDF5 file of the authors. Give it again for more sources."),
    ]
    out: Annotated[Path, Doc("Folder for head, history and metrics."), Output()]
    preset: Annotated[PresetName, Doc("Recipe to start from; any option below changes it.")] = "laptop"
    reads: Annotated[
        Reads,
        Doc(
            "What the head reads: the embedding, or four functions of it and the classifier (with --preset functions)."
        ),
    ] = "embedding"
    backbone: Annotated[str | None, Doc("With an HDF5 file: the model that made it, by name.")] = None
    recipe: Annotated[Recipe, Doc("Hyper-parameters.")] = field(default_factory=Recipe)
    mixture: Annotated[Mixture, Doc("How several caches are mixed.")] = field(default_factory=Mixture)
    group: Annotated[Group, Doc("Pictures that are held out together: near copies, or a whole folder.")] = "twins"
    seed: Annotated[Seed, Doc("Seed of weights, order and pairs.")] = 0
    device: Annotated[str, Doc("auto, cuda or cpu.")] = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_layers(self.reads, self.recipe)


@dataclass(frozen=True)
class Joint(Checked):
    """Training of backbone, classifier and a new head together (PVU 2.4), for the mode full.

    The defaults are for folders of a few hundred pictures.
    """

    stop_gradient: Annotated[bool, Doc("Keep the head's loss away from the backbone; without it they conflict.")] = True
    uncertainty_weight: Annotated[ZeroOrMore, Doc("Weight of the head's loss next to the classifier's.")] = 1.0
    freeze_norms: Annotated[bool, Doc("Mode full: keep the statistics of the backbone's batch norms.")] = True
    frozen_share: Annotated[
        Fraction, Doc("Mode full: share of the backbone's first tensors that stay as they are.")
    ] = 0.67
    refit: Annotated[bool, Doc("Mode full: fit the classifier again on the final embeddings.")] = True
    joint_epochs: Annotated[Epochs, Doc("Mode full: number of epochs.")] = 5
    joint_batch: Annotated[Paired, Doc("Mode full: pictures per optimiser step.")] = 32
    backbone_rate: Annotated[ZeroOrMore, Doc("Mode full: highest learning rate of the backbone.")] = 3e-5
    classifier_rate: Annotated[ZeroOrMore, Doc("Mode full: highest learning rate of the classifier.")] = 1e-5
    fresh_rate: Annotated[ZeroOrMore, Doc("Mode full: highest learning rate of the head.")] = 1e-3


_EMBEDDING_RECIPE = ("epochs", "epoch_rows", "batch", "base_rate", "warm_up_epochs", "held_out")
"""Fields of a recipe that only count where a head is trained on stored embeddings: `Joint` has others."""


@dataclass(frozen=True)
class Learning(Checked):
    """What a folder teaches, for how long, and on how much of it that is measured."""

    limit: Annotated[OptionalCount, Doc("Number of pictures to learn from, spread over the folder.")] = 5000
    test_share: Annotated[
        Fraction, Doc("Share of pictures that neither train nor choose: the figures are of these.")
    ] = 0.2
    augmentation: Annotated[Augmentation, Doc("How pictures are varied.")] = field(
        default_factory=lambda: Augmentation(views=3)
    )
    recipe: Annotated[Recipe, Doc("Hyper-parameters.")] = field(default_factory=lambda: Recipe(epochs=20, batch=256))
    device: Device = "auto"
    seed: Annotated[Seed, Doc("Seed of views, weights and order.")] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.test_share < 1 - self.recipe.held_out:
            raise ValueError(
                f"test_share is {self.test_share} and held_out {self.recipe.held_out}; some pictures must train, so "
                f"both are above 0 and together below 1."
            )


@dataclass(frozen=True)
class HeadLearning(Learning):
    """How a head is adapted while the backbone stays as it is."""

    learns: Annotated[
        Unlabelled,
        Doc("Mode instance: learn each picture's confusability in the set, or whether a view is taken for another."),
    ] = "confusability"
    instance: Annotated[InstanceTarget, Doc("Mode instance: the loss, if it learns instance.")] = field(
        default_factory=lambda: InstanceTarget(temperature=0.15)
    )
    from_shipped: Annotated[bool, Doc("Start from the model's head if it has one, not from scratch.")] = False


@dataclass(frozen=True)
class JointLearning(Learning):
    """How backbone, classifier and a new head are trained together."""

    joint: Annotated[Joint, Doc("Training of the mode full.")] = field(default_factory=Joint)


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig(HeadLearning, JointLearning):
    """Adapt an uncertainty head to a folder of pictures."""

    data: Annotated[str, Doc("Pictures: folder:PATH (or a bare path).")]
    out: Annotated[Path, Doc("Folder for the adapted head and its report."), Output()]
    model: Backbone = DEFAULT_MODEL
    mode: Annotated[
        Mode, Doc("instance needs no labels; labels learns from class folders; full trains the backbone on them, too.")
    ] = "instance"
    precision: SetPrecision = "fast"

    @property
    def unread(self) -> frozenset[str]:
        """Options that a run of this mode does not read: names, and GROUP.NAME of one in a group."""
        if self.mode == "full":
            return frozenset(("learns", "instance", "from_shipped", *(f"recipe.{name}" for name in _EMBEDDING_RECIPE)))
        of_instance = () if self.mode == "instance" else ("learns",)
        is_instance = self.mode == "instance" and self.learns == "instance"
        return frozenset(("joint", *of_instance, *(() if is_instance else ("instance",))))


@dataclass(frozen=True)
class EvaluateConfig(Checked):
    """Measure how well a model's uncertainty orders labelled pictures."""

    model: ModelName
    data: Annotated[str, Doc("Labelled pictures: folder:PATH (or a bare path).")]
    baselines: Annotated[bool, Doc("Measure entropy, max-probability, 1/norm and the neighbour baselines too.")] = False
    upstream: Annotated[str | None, Doc("Labelled pictures that the head knows, for OOD and mixed figures.")] = None
    crop_test: Annotated[bool, Doc("Measure how often a crop is more uncertain than its picture.")] = True
    json: Annotated[Path | None, Doc("Write every figure to this file."), Output()] = None
    figures: Annotated[
        Path | None, Doc("Folder for plots: risk–coverage, recall by tenths, the crop curve."), Output()
    ] = None
    precision: Precision = "fast"
    device: Device = "auto"
    limit: Annotated[OptionalCount, Doc("Number of pictures to use, spread over the list.")] = None
    seed: Annotated[Seed, Doc("Seed of crops, and of which pictures of two sets are compared.")] = 0


@dataclass(frozen=True)
class PretrainConfig(Checked):
    """Make an uncertainty head from labelled pictures: cache, train, choose, measure, and write its card."""

    data: Annotated[tuple[str, ...], Doc("Pictures to learn from: folder:PATH (or a bare path), again for more.")]
    out: Annotated[
        Path, Doc("Folder for caches, runs, the head and its card; a run that was stopped goes on here."), Output()
    ]
    model: Backbone = DEFAULT_MODEL
    develop: Annotated[
        tuple[str, ...], Doc("Labelled sets that choices were made on: the card marks their figures as such.")
    ] = ()
    report: Annotated[tuple[str, ...], Doc("Labelled sets that take no part in any choice, measured once.")] = ()
    earlier: Annotated[
        tuple[Path, ...],
        Doc("Reports (JSON) of earlier heads on the same sets: the card says that this is not the first."),
    ] = ()
    reads: Annotated[Reads, Doc("What the head reads: functions of the classifier, or the embedding.")] = "functions"
    target: Annotated[Target, Doc("What the head learns to order: labels needs class folders.")] = "labels"
    augmentation: Annotated[Augmentation, Doc("How pictures are varied.")] = field(
        default_factory=lambda: Augmentation(views=2, smallest_share=0.2, downscale=0.5)
    )
    instance: Annotated[InstanceTarget, Doc("The loss of the target instance.")] = field(default_factory=InstanceTarget)
    recipe: Annotated[Recipe, Doc("Hyper-parameters.")] = field(default_factory=lambda: PRESETS["functions"])
    mixture: Annotated[Mixture, Doc("How several folders are mixed.")] = field(default_factory=Mixture)
    seeds: Annotated[Repeats, Doc("Number of seeds to train; the best on held-out pictures is kept.")] = 3
    votes: Annotated[tuple[Path, ...], Doc("People's votes on sets of --report; see training.benchmark.")] = ()
    votes_order: Annotated[Path | None, Doc("The pictures that the counts are on: a text, CLASS/NAME a line.")] = None
    precision: SetPrecision = "fast"
    device: Device = "auto"
    limit: Annotated[OptionalCount, Doc("Number of pictures of each folder to learn from, spread over it.")] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_layers(self.reads, self.recipe)


def _refuse_layers(reads: Reads, recipe: Recipe) -> None:
    if reads == "functions" and (recipe.depth or recipe.layer_norm):
        raise ValueError(
            f"A head on functions is one linear layer, and depth is {recipe.depth}, layer_norm {recipe.layer_norm}. "
            f"Give --preset functions, or --depth 0 --no-layer-norm."
        )


@dataclass(frozen=True)
class OverlapConfig:
    """Count the pictures of some sets that are also in others: twins, by bytes, perceptual hash and embedding."""

    upstream: Annotated[tuple[str, ...], Doc("Pictures that train: folder:PATH (or a bare path), again for more sets.")]
    report: Annotated[tuple[str, ...], Doc("Pictures that are measured on, again for more sets.")]
    model: Backbone = DEFAULT_MODEL
    json: Annotated[Path | None, Doc("Write the counts and every pair to this file."), Output()] = None
    precision: Precision = "fast"
    device: Device = "auto"


@dataclass(frozen=True)
class BenchmarkConfig(Checked):
    """Measure how truly each order ranks the pictures of labelled sets, against two outcomes and people's votes."""

    data: Annotated[
        tuple[str, ...], Doc("Labelled pictures: folder:PATH (or a bare path). Give it again for more sets.")
    ]
    model: ModelName
    json: Annotated[Path | None, Doc("Write every figure to this file."), Output()] = None
    probe: Annotated[bool, Doc("Measure also where a linear probe of another backbone errs.")] = True
    probe_model: Annotated[str | None, Doc("That backbone; by default another packaged one that is installed.")] = None
    choose: Annotated[
        tuple[str, ...],
        Doc("Sets to choose a temperature and a stack's weights on; by default the others of --data for each."),
    ] = ()
    seen_classes: Annotated[
        tuple[str, ...],
        Doc("Sets of --data whose classes trained the head: measured, but no part of means and verdicts."),
    ] = ()
    upstream: Annotated[str | None, Doc("An in-distribution set, to compare each set's uncertainties with.")] = None
    votes: Annotated[
        tuple[Path, ...], Doc("People's votes: a .npy of counts, pictures by classes, or a .json of entropies by name.")
    ] = ()
    votes_order: Annotated[Path | None, Doc("The pictures that the counts are on: a text, CLASS/NAME a line.")] = None
    pictures: Annotated[Path | None, Doc("Folder for what is known of each picture, one .parquet a set."), Output()] = (
        None
    )
    arrays: Annotated[Path | None, Doc("Folder for embeddings, orders and outcomes, one .npz a set."), Output()] = None
    precision: Precision = "fast"
    device: Device = "auto"
    limit: Annotated[OptionalCount, Doc("Most pictures of a set; of a larger one whole classes are drawn.")] = None
    seed: Annotated[Seed, Doc("Seed of that draw, and of the folds of baselines.")] = 0


@dataclass(frozen=True)
class BenchmarkTableConfig:
    """Print the tables of a benchmark as Markdown, from the JSON of `training.benchmark`."""

    json: Annotated[Path, Doc("The JSON.")]


def as_record(config: Any) -> dict[str, Any]:
    """A config as plain values for JSON, paths as text."""
    record: dict[str, Any] = json.loads(json.dumps(asdict(config), default=str))
    return record
