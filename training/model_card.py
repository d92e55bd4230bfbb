"""The model card of a head that `training.pretrain` made, written from the files of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from training.benchmark.benchmark_records import (
    LEVEL,
    UNKNOWN,
    Benchmark,
    Means,
    OrderFigures,
    SetFigures,
    Verdict,
    read_benchmark,
)
from training.benchmark.fitted_baselines import SINGLE_BASELINES
from training.benchmark.orders import HEAD, STACK
from training.benchmark.people import OTHER_ORDERS
from training.config import PretrainConfig
from training.markdown_tables import cell, markdown
from training.overlap import Overlap, Overlaps
from training.run_files import pretrain_record
from url_viz.models.head import Head, load_head
from url_viz.records import read_json
from url_viz.wording import MISSING, counted

COLUMNS = (HEAD, *SINGLE_BASELINES, STACK, "fitted_by_class", "confusability", "ambiguity")
"""The orders on a card: of single pictures, fitted on the set's own errors, and those that look at the set."""
OUTCOMES = {
    "paper": "the nearest by raw cosine has another class (the paper's R-AUROC)",
    "nearest": "the nearest in the set's whitened space, twins left out, has another class",
    "probe": "a linear probe of another backbone is wrong",
}

MEASURED_ON_LITE0 = """
With the head of Lite0: photographs of classes that it was not taught get a higher uncertainty (docs/benchmark.md),
copies with noise or in low light a lower one than the photograph itself (experiments/deterioration.md)."""
"""What is known of heads that read functions of the classifier."""


def card_text(folder: Path) -> str:
    """The card of the run in `folder` as Markdown; its benchmarks and its overlap may be missing."""
    head, config = load_head(folder / "head.safetensors"), pretrain_record(folder).read()
    development, report = (
        read_benchmark(path) if (path := folder / f"{use}.json").is_file() else None
        for use in ("development", "report")
    )
    overlap = folder / "overlap.json"
    parts = [
        _about(head, config),
        verdicts_text(report, [read_benchmark(path) for path in config.earlier]),
        report_text(report) if report else "",
        development_text(development) if development else "",
        people_text(report) if report else "",
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


def verdicts_text(report: Benchmark | None, earlier: Sequence[Benchmark]) -> str:
    """Whether it is ahead of its baselines, by their verdicts; and heads that were measured there before."""
    names = [_set_name(one) for one in report.sets if one.data not in report.seen_classes] if report else []
    if report is None or not names:
        return "**Measured on no set that took no part in choices.** Whether it holds on new pictures is not known."
    verdicts = [verdict for verdict in report.verdicts if verdict.order == HEAD]
    lines = [f"- {_in_words(verdict)}" for outcome in OUTCOMES for verdict in verdicts if verdict.outcome == outcome]
    heading = f"On {counted(len(names), 'set')} that took no part ({', '.join(names)}), R-AUROC, chance .5:"
    text = "\n".join([heading, "", *lines])
    notes = [f"Not the first head that was measured on these sets. {_earlier(before)}" for before in earlier]
    return "\n\n".join([text, *notes])


def _earlier(report: Benchmark) -> str:
    verdict = next(verdict for verdict in report.verdicts if (verdict.order, verdict.outcome) == (HEAD, "paper"))
    return f"Head `{report.head}` came before: {_in_words(verdict)}."


def _in_words(verdict: Verdict) -> str:
    least = min((of_set.lead.value for of_set in verdict.sets), default=float("nan"))
    which = {LEVEL: "with", UNKNOWN: "beside"}.get(verdict.verdict, "of")
    return (
        f"**{verdict.verdict}** {which} {verdict.baseline}, {cell(verdict.lead, signed=True)} over sets, least "
        f"{cell(least, signed=True)}: {OUTCOMES[verdict.outcome]}"
    )


def report_text(report: Benchmark) -> str:
    """The figures on sets that took no part, and below a heading of their own those whose classes trained the head."""
    unseen, seen = (
        replace(report, sets=tuple(one for one in report.sets if (one.data in report.seen_classes) == is_seen))
        for is_seen in (False, True)
    )
    parts = [_figures("Sets that took no part in any choice", unseen)] if unseen.sets else []
    if seen.sets:
        parts.append(_figures("Other pictures of classes that trained: not zero-shot", replace(seen, means=())))
    return "\n\n".join(parts)


def development_text(development: Benchmark) -> str:
    """The figures on sets that choices were looked at on."""
    return _figures("Sets that choices were looked at on, so these figures flatter", development)


def _figures(title: str, benchmark: Benchmark) -> str:
    """R-AUROC on each set, and where there are means their line."""
    header = ["set", "pictures", "classes", "recall@1", *COLUMNS]
    rows = [
        [
            _set_name(of_set),
            f"{of_set.pictures:,}",
            f"{of_set.classes:,}",
            cell(of_set.paper_recall_at_1.value),
            *_cells(of_set.orders),
        ]
        for of_set in benchmark.sets
    ]
    table = markdown(header, [*rows, *([["mean", "", "", "", *_cells(benchmark.means)]] if benchmark.means else [])])
    return (
        f"## {title}\n\nThe paper's R-AUROC, 95 % intervals over classes, of the mean over sets. "
        f"`fitted_by_class` was taught the set's own errors, `confusability` looks at the set, and `ambiguity` at its "
        f"classes.\n\n{table}"
    )


def _cells(orders: Sequence[OrderFigures | Means]) -> list[str]:
    by_name = {order.name: order for order in orders}
    return [cell(by_name[name].paper.auroc) if name in by_name else MISSING for name in COLUMNS]


def _set_name(of_set: SetFigures) -> str:
    return Path(of_set.data.removeprefix("folder:")).name


def people_text(report: Benchmark) -> str:
    """Agreement with people's votes; nothing where there are none."""
    rows = [
        [_set_name(of_set), order.name, cell(votes.spearman), cell(votes.tenth), cell(votes.disagreed)]
        for of_set in report.sets
        for order in of_set.orders
        if (votes := order.votes) is not None and order.name in (*COLUMNS, *OTHER_ORDERS)
    ]
    if not rows:
        return ""
    header = ["set", "order", "Spearman with people", "AUROC of the most ambiguous tenth", "AUROC of any disagreement"]
    return (
        "## What people found ambiguous\n\nThe entropy of people's votes on a picture. *Any disagreement*: pictures on "
        f"which not all agreed, against those on which all did.\n\n{markdown(header, rows)}"
    )


def _recipe(head: Head, config: PretrainConfig) -> str:
    recipe = head.provenance.recipe
    training: Mapping[str, Any] = recipe["training"]  # type: ignore[assignment]
    shape = f"{training['depth']} hidden layers of {training['width']}" if training["depth"] else "one linear layer"
    rows = [
        ["target", config.target],
        ["views", _listing(asdict(config.augmentation))],
        ["loss", f"{training['loss']}, margin {training['margin']}, {training['pairing']} pairs"],
        ["head", f"{shape}, LayerNorm {training['layer_norm']}"],
        ["optimiser", f"{training['epochs']} epochs, batches of {training['batch']}, rate {training['base_rate']}"],
        ["seed", f"{recipe['seed']}, the best of {config.seeds} on held-out pictures that trained nothing"],
        ["made by", f"`{command_of(config)}`"],
    ]
    return f"## Recipe\n\n{markdown(['', ''], rows)}"


def command_of(config: PretrainConfig) -> str:
    """The command that makes this head again, folders by their last names; other options are in the head's header."""
    words = ["python -m training.pretrain", f"--model {config.model}"]
    words += [f"--{name} {Path(spec).name}" for name in ("data", "develop", "report") for spec in getattr(config, name)]
    values = {name: getattr(config, name) for name in ("reads", "target", "seeds", "limit")}
    words += [f"--{name} {value}" for name, value in values.items() if value is not None]
    return " ".join(words)


def _listing(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _sources(head: Head) -> str:
    rows = [
        [str(s["source"]), f"{s['pictures']:,}", f"{s['rows']:,}", f"`{s['pictures_digest']}`"]
        for s in _sources_of(head)
    ]
    held_out = ", ".join(
        f"{name} {cell(float(value))}"  # type: ignore[arg-type]
        for name, value in head.provenance.metrics.items()
    )
    table = markdown(["cache", "pictures", "views", "digest of the list"], rows)
    return f"## Pictures that train\n\n{table}\n\nOn those of them that were held out: {held_out}."


def _sources_of(head: Head) -> Sequence[Mapping[str, Any]]:
    """What it was trained on, as the run recorded it: source, pictures and others of each."""
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
    """What the head is not, and on how many pictures it was trained."""
    trained_on = counted(sum(int(source["pictures"]) for source in _sources_of(head)), "picture")
    tried = "" if head.functions is None else MEASURED_ON_LITE0
    return f"""## Limits

What orders a set best looks at the set: confusability without classes, ambiguity with them (docs/order.md).{tried}
Pictures of classes that the backbone's classifier knows are told best. This head was trained on {trained_on},
those of the paper on ImageNet-21k: the figures are not comparable to the paper's."""
