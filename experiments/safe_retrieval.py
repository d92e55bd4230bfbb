"""How much recall@1 the gate of a safe search gains: `python -m experiments.safe_retrieval PHOTOS --workspace DIR`.

Recall@1 where a share of the pictures is withheld by a measure, beyond withholding as many at random: from the
database, from the queries, or from both (METHOD 7), over the whole set and inside each class. Copies count once, twins
never find each other, nor a query itself. Intervals are over classes, of means Student's over the sets. The sets are
those that the shipped head was chosen on (development) and those that took no part (report); nothing is chosen here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.figure_files import measured_or_read
from training.command import markdown
from url_viz.base.wording import with_interval
from url_viz.evidence.evaluation import searched
from url_viz.evidence.order_metrics import Figure, Influenced, mean_by_t
from url_viz.evidence.selective_retrieval import (
    SearchedPictures,
    is_correct,
    keep_at_random,
    keep_class_wise,
    keep_overall,
)
from url_viz.image_set import ImageSet

FIGURES = Path(__file__).parent / "safe_retrieval.json"
SETS = {
    "development": ("grocery", "trash", "scenes", "places"),
    "report": ("caltech101", "flowers102", "cifar10-test"),
}
MEASURES = ("uncertainty", "entropy", "confusability", "ambiguity", "oracle")
MODES = ("database", "queries", "both")
SHARES = (0.05, 0.1, 0.2, 0.3, 0.5)
TOLD_SHARE = 0.1
DRAWS = 20
SEED = 0
LABEL_PX = 14
TITLE = "Points of recall@1 gained on the queries that are answered, by the share withheld"

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AtRandom:
    """What withholding as many at random gives: of each picture how often it is kept, and right, in each mode."""

    kept: Floats
    right_in: Floats
    right_kept: Floats


def gains(pictures: SearchedPictures, kept: Bools, random: AtRandom, code: NDArray[np.integer]) -> dict[str, Figure]:
    """Recall@1 gained in each mode by keeping the pictures `kept` (N,), with 95 % intervals over classes `code`."""
    inside, right = is_correct(pictures, kept) == 1, pictures.is_right == 1
    weights = {
        "database": (np.ones(len(kept)), inside, np.ones(len(kept)), random.right_in),
        "queries": (kept, right, np.ones(len(kept)), right),
        "both": (kept, inside, random.kept, random.right_kept),
    }
    return {
        mode: _difference(*(np.asarray(one, float) for one in weights[mode])).by_blocks(code, least=-1)
        for mode in MODES
    }


def _difference(weight: Floats, right: Floats, weight_random: Floats, right_random: Floats) -> Influenced:
    """The difference of two weighted means; `right_random` is weighted already."""
    mean, mean_random = (weight * right).sum() / weight.sum(), right_random.sum() / weight_random.sum()
    influence = (
        weight * (right - mean) / weight.sum() - (right_random - weight_random * mean_random) / weight_random.sum()
    )
    return Influenced(float(mean - mean_random), influence)


def at_random(pictures: SearchedPictures, kept: Bools, labels: NDArray[np.generic] | None) -> AtRandom:
    """The mean of DRAWS removals of as many pictures, of each class as many where `labels` are given."""
    generator = np.random.default_rng(SEED)
    draws = [keep_at_random(kept, generator, labels=labels) for _ in range(DRAWS)]
    right = [is_correct(pictures, one) == 1 for one in draws]
    return AtRandom(
        np.mean(draws, axis=0),
        np.mean(right, axis=0),
        np.mean([a & b for a, b in zip(draws, right, strict=True)], axis=0),
    )


def figures_of(image_set: ImageSet) -> dict[str, object]:
    """All gains of one set, as JSON."""
    pictures, values = _pictures(image_set)
    classes, code = np.unique(pictures.labels, return_inverse=True)
    values["oracle"] = 1 - pictures.is_right + 1e-6 * values["confusability"]
    random = {share: at_random(pictures, keep_overall(values["oracle"], share=share), None) for share in SHARES}
    class_wise = at_random(pictures, keep_class_wise(values["oracle"], pictures.labels), pictures.labels)
    return {
        "pictures": len(pictures),
        "classes": len(classes),
        "recall": float(np.nanmean(pictures.is_right)),
        "overall": {
            name: {
                str(share): _json(gains(pictures, keep_overall(value, share=share), random[share], code))
                for share in SHARES
            }
            for name, value in values.items()
        },
        "class_wise": {
            name: _json(gains(pictures, keep_class_wise(value, pictures.labels), class_wise, code))
            for name, value in values.items()
        },
    }


def _pictures(image_set: ImageSet) -> tuple[SearchedPictures, dict[str, Floats]]:
    results, graph = image_set.evaluate(), image_set.core.graph
    assert results is not None
    assert graph is not None
    values = {name: values for name, values in results.pictures.values.items() if name in MEASURES}
    return searched(results.pictures, image_set.core.whitened.rows, image_set.core.contents, graph=graph), values


def _json(found: dict[str, Figure]) -> dict[str, list[float]]:
    return {
        mode: [round(one, 5) for one in (of.value, of.interval.low, of.interval.high)] for mode, of in found.items()
    }


def mean_of(sets: list[dict[str, object]], path: tuple[str, ...]) -> Figure:
    """The mean over sets of one figure, with Student's interval over the sets: what others like them would gain."""
    return mean_by_t([_at(one, path)[0] for one in sets], least=-1)


def _at(tree: object, path: tuple[str, ...]) -> list[float]:
    for name in path:
        assert isinstance(tree, dict)
        tree = tree[name]
    assert isinstance(tree, list)
    return tree


def in_points(figure: Figure) -> str:
    """A gain of recall@1 in percentage points: "+1.2 [+.3, +2.1]"."""
    value, low, high = (100 * part for part in (figure.value, figure.interval.low, figure.interval.high))
    return with_interval(value, low, high, digits=1, signed=True)


def table(figures: dict[str, dict[str, dict[str, object]]]) -> str:
    """Means over the sets of each use: a tenth withheld overall, and a tenth of each class."""
    rows = []
    for use, sets in figures.items():
        for name in MEASURES:
            overall = [
                in_points(mean_of(list(sets.values()), ("overall", name, str(TOLD_SHARE), mode))) for mode in MODES
            ]
            inside = [in_points(mean_of(list(sets.values()), ("class_wise", name, mode))) for mode in MODES]
            rows.append([use, name, *overall, *inside])
    heads = [f"{where}: {mode}" for where in ("a tenth", "a tenth of each class") for mode in MODES]
    return markdown(["sets", "by", *heads], rows)


def drawing(figures: dict[str, dict[str, dict[str, object]]]) -> str:
    """An SVG: what withholding queries gains, by the share that is withheld, on the sets that took no part.

    Bands are the intervals; the oracle, a ceiling and no measure, has none.
    """
    sets = list(figures["report"].values())
    wide, high, left, top = 640, 380, 60, 30
    most = 30.0
    colours = dict(zip(MEASURES, ("#d55e00", "#7f7f7f", "#0072b2", "#009e73", "#bbbbbb"), strict=True))

    def place(share: float, gain: float) -> tuple[float, float]:
        return left + (wide - left - 130) * share / max(SHARES), high - top - (high - 2 * top) * (100 * gain + 5) / (
            most + 5
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        f'<text x="{left}" y="18" font-weight="bold">{TITLE}</text>',
    ]
    for gain in (0, 5, 10, 15, 20, 25, 30):
        x, y = place(0, gain / 100)
        parts.append(
            f'<path d="M{x:.0f} {y:.1f}H{wide - 130}" stroke="#ddd"/>'
            f'<text x="{x - 34:.0f}" y="{y + 4:.1f}">+{gain}</text>'
        )
    for share in (0.0, *SHARES):
        parts.append(f'<text x="{place(share, 0)[0] - 8:.0f}" y="{high - 8}">{100 * share:.0f} %</text>')
    taken: list[float] = []
    for name, colour in colours.items():
        means = [mean_of(sets, ("overall", name, str(share), "queries")) for share in SHARES]
        ups = [place(share, one.interval.high) for share, one in zip(SHARES, means, strict=True)]
        downs = [place(share, one.interval.low) for share, one in zip(SHARES, means, strict=True)]
        line = [place(0, 0), *(place(share, one.value) for share, one in zip(SHARES, means, strict=True))]
        band = " ".join(f"{x:.1f},{y:.1f}" for x, y in [place(0, 0), *ups, *downs[::-1]])
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
        if name != "oracle":
            parts.append(f'<polygon points="{band}" fill="{colour}" opacity=".15"/>')
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = line[-1][1] + 4
        y += LABEL_PX if any(abs(y - other) < LABEL_PX for other in taken) else 0
        taken.append(y)
        parts.append(f'<text x="{line[-1][0] + 8:.0f}" y="{y:.1f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure the sets in PHOTOS that have been read, write the figures, and print the table; or print it again."""
    figures = measured_or_read(__doc__, FIGURES, sets=SETS, of=figures_of)
    print(table(figures))
    (FIGURES.parents[1] / "docs" / "safe_retrieval.svg").write_text(drawing(figures), encoding="utf-8")


if __name__ == "__main__":
    main()
