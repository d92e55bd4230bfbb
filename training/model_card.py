"""The model card of a shipped head: what it is, its training pictures, and its figures beside the baselines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluation import HEAD, Evaluation
from url_viz.models.head import Head

ALONE = (HEAD, "entropy", "max_probability", "inverse_norm")
"""Orders of single pictures, as a head's."""
NEIGHBOURS = ("nearest_similarity", "nearest_gap")
"""Orders that use the other pictures of the set."""
CHANCE = 0.5


@dataclass(frozen=True)
class Card:
    """Contents of a card. `seeds` holds each seed's R-AUROC on the development sets; `sources` is the corpus's list.

    `command` makes the head again from the corpus. `note` is a free paragraph after the report sets.
    """

    name: str
    head: Head
    precision: str
    seeds: tuple[tuple[float, ...], ...]
    development: tuple[Evaluation, ...]
    report: tuple[Evaluation, ...]
    sources: tuple[Mapping[str, Any], ...]
    command: str
    note: str = ""


def card_text(card: Card) -> str:
    """The card as Markdown."""
    parts = [_about(card), _figures("Development sets", card.development), _seeds(card)]
    if card.report:
        parts += [_figures("Report sets (run once with this head)", card.report)]
    parts += [card.note] if card.note else []
    return "\n\n".join([*parts, _weak(card), _pictures(card), _limits()]) + "\n"


def _about(card: Card) -> str:
    recipe = card.head.provenance.recipe
    training: Mapping[str, Any] = recipe["training"]  # type: ignore[assignment]
    loss: Mapping[str, Any] = recipe["task_loss"]  # type: ignore[assignment]
    return f"""# Uncertainty head for {card.name}

Digest `{card.head.digest}`, backbone weights `{card.head.provenance.weights_digest}`, precision `{card.precision}`.
Reads the backbone's embedding ({card.head.embedding_size} numbers, rounded to float16) and gives one uncertainty:
higher means less to be trusted, and only the order means anything. It is no probability, and it tells an ambiguous
picture, not an unfamiliar one.

{_verdict(card)}

| recipe | |
|---|---|
| target | `{loss["target"]}` (no labels), temperature {loss["temperature"]} |
| rows | {recipe["rows"]:,} views of {recipe["pictures"]:,} pictures |
| views | {_listing(recipe["augmentation"])} |
| loss | {training["loss"]}, margin {training["margin"]}, {training["pairing"]} pairs, {training["pairings"]} pairings |
| head | {training["depth"]} hidden layers of {training["width"]}, LayerNorm {training["layer_norm"]} |
| optimiser | {training["epochs"]} epochs, batches of {training["batch"]}, base rate {training["base_rate"]} |
| seed | {recipe["seed"]} |

Made by `python -m tools.heads.corpus` and `{card.command}`; the header holds the whole recipe."""


def _listing(values: object) -> str:
    assert isinstance(values, Mapping)
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _figures(title: str, evaluations: Sequence[Evaluation]) -> str:
    names = [*ALONE, *NEIGHBOURS]
    lines = [
        f"## {title}: R-AUROC",
        "",
        "| set | pictures | classes | recall@1 | " + " | ".join(names) + " | crop test |",
        "|---" * (5 + len(names)) + "|",
    ]
    for e in evaluations:
        cells = [_or_dash(e.order(name).r_auroc) for name in names]
        interval = e.order(HEAD).interval
        if has_order(e):
            cells[0] = f"**{cells[0]}** [{interval.low:.3f}, {interval.high:.3f}]"
        about = f"{e.data.partition('/')[2]} | {e.pictures:,} | {e.classes} | {e.recall_at_1:.3f}"
        lines.append(f"| {about} | {' | '.join(cells)} | {_or_dash(e.crop_test)} |")
    means = [f"{mean_of(evaluations, name):.3f}" for name in names]
    lines.append(f"| mean | | | | {' | '.join(means)} | |")
    silent = [e.data.partition("/")[2] for e in evaluations if not has_order(e)]
    if silent:
        lines += ["", f"Of {', '.join(silent)} all or no nearest neighbours are right, so there is nothing to order."]
    return "\n".join(lines)


def has_order(evaluation: Evaluation) -> bool:
    """Whether a set has both right and wrong neighbours; otherwise no order can be measured on it."""
    return not math.isnan(evaluation.order(HEAD).r_auroc)


def _or_dash(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def mean_of(evaluations: Sequence[Evaluation], name: str) -> float:
    """Mean R-AUROC of an order over the sets with `has_order`, each counted once."""
    return float(np.mean([evaluation.order(name).r_auroc for evaluation in evaluations if has_order(evaluation)]))


def _seeds(card: Card) -> str:
    means = [float(np.nanmean(seed)) for seed in card.seeds]
    return (
        f"Over {len(means)} seeds the development mean is {np.mean(means):.3f} (lowest {min(means):.3f}, highest "
        f"{max(means):.3f}); the shipped seed was chosen by its held-out upstream figure, not by these sets."
    )


def _verdict(card: Card) -> str:
    """The main result: its mean on the report sets against baselines that need no head."""
    if not card.report:
        return "**Not run on the report sets yet.** The figures below are on sets that were looked at while choosing."
    head_mean = mean_of(card.report, HEAD)
    gaps = {name: head_mean - mean_of(card.report, name) for name in ALONE[1:]}
    gaps_text = ", ".join(f"{gap:+.3f} against {name}" for name, gap in gaps.items())
    verdict = "is ahead of" if min(gaps.values()) > 0 else "does not beat"
    return (
        f"**Zero-shot it {verdict} the softmax and the norm on the mean of the report sets** "
        f"(R-AUROC {head_mean:.3f}; {gaps_text}). Chance is .5."
    )


def _weak(card: Card) -> str:
    weak = [e.data for e in (*card.development, *card.report) if e.order(HEAD).r_auroc < CHANCE]
    names = ", ".join(f"`{name}`" for name in weak) if weak else "none"
    return (
        f"Sets on which it orders worse than chance: {names}. There, and wherever a neighbour baseline leads, look at "
        "confusability (of a picture within its set), or finetune the head on your own pictures."
    )


def _pictures(card: Card) -> str:
    lines = [
        "## Pictures",
        "",
        "| use | set | packages | labelling | pictures | classes |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {s['use']} | {s['name']} | {', '.join(s['packages'])} | {s['labelling']} | {s['pictures']:,} | "
        f"{s['classes'] or ''} |"
        for s in card.sources
    ]
    return "\n".join(lines)


def _limits() -> str:
    return """## Limits

The upstream corpus is small (thousands of pictures, most of them game art, textures and wallpapers), not ImageNet-21k:
its figures are not comparable to the paper's. Choices were made on the development sets, so figures on these are
flattered; those on the report sets are not. Intervals are bootstrap intervals over pictures and say nothing of other
kinds of pictures."""
