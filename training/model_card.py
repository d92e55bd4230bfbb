"""The model card of a head that `training.pretrain` made, written from the files of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.command import cell, markdown
from training.config import PretrainConfig
from training.overlap import Overlap, Overlaps
from training.store import pretrain_record
from url_viz.base.records import read_json
from url_viz.base.wording import counted
from url_viz.models.head import Head, load_head

UNMEASURED = "**Measured on no set that took no part in choices.** Whether it holds on new pictures is not known."
"""What a card says in place of figures."""
MEASURED_ON_LITE0 = """
With the head of Lite0: photographs of classes that it was not taught get a higher uncertainty (docs/benchmark.md),
copies with noise or in low light a lower one than the photograph itself (experiments/deterioration.md)."""
"""What is known of heads that read functions of the classifier."""


def card_text(folder: Path, figures: Sequence[str] = ()) -> str:
    """The card of the run in `folder` as Markdown; `figures` are its parts on labelled sets."""
    head, config = load_head(folder / "head.safetensors"), pretrain_record(folder).read()
    overlap = folder / "overlap.json"
    parts = [
        _about(head, config),
        *(figures or [UNMEASURED]),
        _recipe(head, config),
        _sources(head),
        _overlap(read_json(Overlaps, overlap.read_bytes()).overlaps) if overlap.is_file() else "",
        limits_text(head),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(head: Head, config: PretrainConfig) -> str:
    reads = (
        f"the backbone's embedding ({head.embedding_size:,} numbers)"
        if head.functions is None
        else f"four functions of the backbone's embedding ({head.embedding_size:,} numbers) and its classifier"
    )
    return f"""# Uncertainty head for {head.provenance.backbone}

Digest `{head.digest}`, backbone weights `{head.provenance.weights_digest}`, precision `{config.precision}`.
Reads {reads} and gives one uncertainty: higher means less
to be trusted, and only the order means anything. It is no probability."""


def _recipe(head: Head, config: PretrainConfig) -> str:
    recipe = head.provenance.recipe
    training: Mapping[str, Any] = recipe["training"]  # type: ignore[assignment]
    shape = f"{training['depth']} hidden layers of {training['width']}" if training["depth"] else "one linear layer"
    rows = [
        ["target", config.target],
        ["views", ", ".join(f"{name} {value}" for name, value in asdict(config.augmentation).items())],
        ["loss", f"{training['loss']}, margin {training['margin']}, {training['pairing']} pairs"],
        ["head", f"{shape}, LayerNorm {training['layer_norm']}"],
        ["optimiser", f"{training['epochs']} epochs, batches of {training['batch']}, rate {training['base_rate']}"],
        ["seed", f"{recipe['seed']}, the best of {config.seeds} on held-out pictures that trained nothing"],
        ["made by", f"`{retrain_command(config)}`"],
    ]
    return f"## Recipe\n\n{markdown(['', ''], rows)}"


def retrain_command(config: PretrainConfig) -> str:
    """The command that makes the head again, with folders by their last names; the head's header has all options."""
    words = ["python -m training.pretrain", f"--model {config.model}"]
    words += [f"--{name} {Path(spec).name}" for name in ("data", "develop", "report") for spec in getattr(config, name)]
    values = {name: getattr(config, name) for name in ("reads", "target", "seeds", "limit")}
    words += [f"--{name} {value}" for name, value in values.items() if value is not None]
    return " ".join(words)


def _sources(head: Head) -> str:
    rows = [
        [str(s["source"]), f"{s['pictures']:,}", f"{s['rows']:,}", f"`{s['pictures_digest']}`"]
        for s in _recorded_sources(head)
    ]
    held_out = ", ".join(
        f"{name} {cell(float(value))}"  # type: ignore[arg-type]
        for name, value in head.provenance.metrics.items()
    )
    table = markdown(["cache", "pictures", "views", "digest of the list"], rows)
    return f"## Pictures that train\n\n{table}\n\nOn those of them that were held out: {held_out}."


def _recorded_sources(head: Head) -> Sequence[Mapping[str, Any]]:
    recipe = head.provenance.recipe
    sources: Sequence[Mapping[str, Any]] = recipe.get("sources", [{"source": "", **recipe}])  # type: ignore[assignment]
    return sources


def _overlap(overlaps: Sequence[Overlap]) -> str:
    rows = [
        [Path(pair.upstream).name, Path(pair.report).name, *map(str, (pair.pictures, pair.by_content, pair.by_any))]
        for pair in overlaps
        if pair.by_any
    ]
    if not rows:
        return "## Pictures in two uses\n\nNone, by bytes, perceptual hash or embedding."
    table = markdown(["trains", "reported", "pictures", "same bytes", "twins"], rows)
    note = "Pairs may be alike by chance; pairs of sets that share none are left out."
    return f"## Pictures in two uses\n\n{note}\n\n{table}"


def limits_text(head: Head) -> str:
    """What the head cannot do, and on how many pictures it was trained."""
    trained_on = counted(sum(int(source["pictures"]) for source in _recorded_sources(head)), "picture")
    tried = "" if head.functions is None else MEASURED_ON_LITE0
    return f"""## Limits

What orders a set best looks at the set: confusability without classes, ambiguity with them (docs/order.md).{tried}
Pictures of classes that the backbone's classifier knows are told best. This head was trained on {trained_on},
those of the paper on ImageNet-21k: the figures are not comparable to the paper's."""
