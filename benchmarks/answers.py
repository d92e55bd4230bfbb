"""What answers on pairs gain: `python -m benchmarks.answers PHOTOS … [--json OUT] [--figure FIGURE.svg]`.

Each PHOTOS folder holds class folders, by which an oracle answers whether a picture and its nearest are the same kind.
For some draws of the pairs to ask, and some numbers of answers: by how much is the R-AUROC of the order with the
answers taken in above that of confusability, about the nearest of all pictures, and of those alone that nobody was
asked about? Pairs are drawn as the app draws them, or in one of four other ways; once more with one answer in ten
wrong. *Told* is the evidence that the app would show, less the true figure.

The figures go to experiments/answers.json; without a folder the tables of docs/order.md are printed from it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmarks.answers_figure import figure
from benchmarks.machine import machine
from experiments.figure_files import read_figures, write_figures
from experiments.safe_retrieval import SETS
from training.command import markdown
from url_viz.evidence.order_metrics import auroc
from url_viz.image_set import ImageSet
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder
from url_viz.review.tuned import PENALTY, PairMeasures, fitted_weights, pair_measures, pairs_to_ask, tune
from url_viz.store.decisions.answers import NO_ANSWERS, Answered

FIGURES = Path(__file__).parents[1] / "experiments" / "answers.json"
COUNTS = (10, 20, 50, 100)
BATCH = 5
"""So many pairs are asked before the weights are fitted again, by the ways that look at them."""
NOISES = (0.0, 0.1)
SHIPPED = "as the app draws"
EMOJI = "emoji"
"""The folder of `benchmarks.emoji_set`: a set whose style is stronger than its kind, told beside the photographs."""
DRAWN = (EMOJI, "places", "scenes", "flowers102")
"""The sets of the figure."""
FOUND = ("gain", "gain_unasked", "told")
DIGITS = 4

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """One set: its measures of pairs, contents (N,), the kind (N,) of each by its label, and confusability (N,)."""

    name: str
    measures: PairMeasures
    content: Rows
    kind: Rows
    confusability: NDArray[np.float64]

    @property
    def is_wrong(self) -> NDArray[np.bool_]:
        """Whether the nearest of each picture that has one is of another kind."""
        wrong: NDArray[np.bool_] = self.kind[self.measures.rows] != self.kind[self.measures.nearest]
        return wrong


def main() -> None:
    """Measure and print, or print again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--also", help="a second model that reads the pictures too")
    parser.add_argument("--json", type=Path, default=FIGURES)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if given.photos:
        found = measured(given.photos, given.draws, also=given.also)
        write_figures(figures_of(found, also=given.also), given.json, digits=DIGITS)
        print(f"{machine()}\n")
    found = frame_of(read_figures(given.json))
    print(f"{table_by_set(found)}\n\n{table_by_way(found)}")
    if given.figure is not None:
        given.figure.write_text(figure(drawn(found)))


def measured(folders: Sequence[Path], draws: int, *, also: str | None = None) -> pd.DataFrame:
    """One row per set, way, noise, draw and count: `base` (confusability), `gain`, `gain_unasked`, `told`."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as place:
        model = load_model(DEFAULT, workspace=Path(place))
        for folder in folders:
            asked = _asked(folder.name, embed_folder(folder, model=model, also=also, workspace=place))
            for way, draw in WAYS.items():
                for noise in NOISES:
                    for seed in range(draws):
                        found = _one(asked, draw, noise, seed)
                        rows += [{"set": asked.name, "way": way, "noise": noise, "seed": seed, **one} for one in found]
            print(f"{asked.name}: done", file=sys.stderr)
    return pd.DataFrame(rows)


def _asked(name: str, image_set: ImageSet) -> Asked:
    graph, table = image_set.core.graph, image_set.table()
    assert graph is not None
    first = np.unique(image_set.core.contents, return_index=True)[1]
    kind = pd.factorize(table["label"])[0][first].astype(np.int64)
    assert (kind >= 0).all(), f"{name} has pictures without a class folder"
    measures = image_set.core.derived.get(pair_measures)
    return Asked(name, measures, graph.content, kind, table["confusability"].to_numpy(float)[first])


def _one(asked: Asked, draw: "Draw", noise: float, seed: int) -> list[dict[str, float]]:
    """The figures of one draw at COUNTS."""
    rng, measures = np.random.default_rng(seed), asked.measures
    flip = np.random.default_rng(900 + seed).random(len(asked.kind)) < noise
    pairs, answered, rows = np.zeros((0, 2), np.int64), NO_ANSWERS, []
    while len(pairs) < max(COUNTS):
        more = draw(asked, answered, BATCH, rng)
        if not len(more):
            break
        pairs = np.vstack([pairs, more])
        same = (asked.kind[pairs[:, 0]] == asked.kind[pairs[:, 1]]) ^ flip[pairs[:, 0]]
        answered = Answered(np.sort(asked.content[pairs], axis=1), same)
        if len(pairs) in COUNTS:
            rows.append({"count": len(pairs), **_figures(asked, answered, ~np.isin(measures.rows, pairs[:, 0]))})
    return rows


def _figures(asked: Asked, answered: Answered, is_unasked: NDArray[np.bool_]) -> dict[str, float]:
    rows, wrong = asked.measures.rows, asked.is_wrong
    before, tuned = asked.confusability[rows], tune(asked.measures, asked.content, answered)
    after = before if tuned is None else tuned.values[rows].astype(float)
    base, now = auroc(before, wrong), auroc(after, wrong)
    parts = (auroc(order[is_unasked], wrong[is_unasked]) for order in (after, before))
    told = float("nan") if tuned is None or tuned.evidence is None else tuned.evidence.value - now
    return {"base": base, "gain": now - base, "gain_unasked": next(parts) - next(parts), "told": told}


Draw = Callable[[Asked, Answered, int, np.random.Generator], Rows]


def _every_pair(asked: Asked, answered: Answered) -> tuple[Rows, Rows]:
    """The pairs (P, 2) that nobody answered, and their places among the measures' rows."""
    count = len(asked.measures.rows)
    pairs = pairs_to_ask(asked.measures, asked.content, answered, count=count)
    return pairs, np.searchsorted(asked.measures.rows, pairs[:, 0])


def _as_shipped(asked: Asked, answered: Answered, count: int, rng: np.random.Generator) -> Rows:
    seed = int(rng.integers(2**31))
    return pairs_to_ask(asked.measures, asked.content, answered, count=count, seed=seed)


def _all_alike(asked: Asked, answered: Answered, count: int, rng: np.random.Generator) -> Rows:
    pairs, _ = _every_pair(asked, answered)
    return pairs[rng.permutation(len(pairs))[:count]]


def _disagreement(asked: Asked, answered: Answered, count: int, rng: np.random.Generator) -> Rows:
    """Those first on which the measures disagree most."""
    pairs, place = _every_pair(asked, answered)
    return pairs[np.lexsort((rng.random(len(pairs)), -asked.measures.ranks[place].std(axis=1)))[:count]]


def _least_sure(asked: Asked, answered: Answered, count: int, rng: np.random.Generator) -> Rows:
    """Those first whose odds are nearest to even, by the weights so far."""
    pairs, place = _every_pair(asked, answered)
    odds = fitted_weights(asked.measures, asked.content, answered)(asked.measures.ranks[place])
    return pairs[np.lexsort((rng.random(len(pairs)), np.abs(odds)))[:count]]


def _expected_gain(asked: Asked, answered: Answered, count: int, rng: np.random.Generator) -> Rows:
    """Those first that would tell most of the weights: the largest variance of the odds, one after the other."""
    pairs, place = _every_pair(asked, answered)
    ranks = asked.measures.ranks[place] - asked.measures.ranks.mean(axis=0)
    weights = fitted_weights(asked.measures, asked.content, answered)
    share = 1 / (1 + np.exp(-weights(asked.measures.ranks[place])))
    known = asked.measures.ranks[np.isin(asked.content[asked.measures.rows], answered.pairs)]
    spread = np.linalg.inv(PENALTY * np.eye(ranks.shape[1]) + 0.2 * known.T @ known)
    chosen: list[int] = []
    for _ in range(min(count, len(pairs))):
        told = np.einsum("pf,fg,pg->p", ranks, spread, ranks) * share * (1 - share) + 1e-9 * rng.random(len(pairs))
        told[chosen] = -1
        chosen.append(int(told.argmax()))
        along, weight = spread @ ranks[chosen[-1]], share[chosen[-1]] * (1 - share[chosen[-1]])
        spread -= weight * np.outer(along, along) / (1 + weight * ranks[chosen[-1]] @ along)
    return pairs[chosen]


WAYS: dict[str, Draw] = {
    SHIPPED: _as_shipped,
    "all alike": _all_alike,
    "where measures disagree": _disagreement,
    "least sure": _least_sure,
    "expected gain": _expected_gain,
}


def figures_of(found: pd.DataFrame, *, also: str | None = None) -> dict[str, Any]:
    """The rows that `measured` gave by set, way and noise, each figure by draw and count; and how they were taken."""
    sets: dict[str, Any] = {}
    for (name, way, noise), part in found.groupby(["set", "way", "noise"], sort=False):
        one = sets.setdefault(name, {"confusability": float(part["base"].iloc[0]), "ways": {}})
        by_draw = part.pivot_table(index="seed", columns="count", values=list(FOUND), dropna=False)
        figures = {what: by_draw[what].reindex(columns=COUNTS).to_numpy().tolist() for what in FOUND}
        one["ways"].setdefault(way, {})[f"{noise:g}"] = figures
    seeds = sorted(found["seed"].unique().tolist())
    return {"config": {"model": DEFAULT, "also": also, "seeds": seeds, "counts": COUNTS, "batch": BATCH}, "sets": sets}


def frame_of(figures: dict[str, Any]) -> pd.DataFrame:
    """The rows of which `figures_of` told."""
    config = figures["config"]
    return pd.DataFrame(
        {"set": name, "base": one["confusability"], "way": way, "noise": float(noise), "seed": seed, "count": count}
        | {what: values[what][draw][place] for what in FOUND}
        for name, one in figures["sets"].items()
        for way, by_noise in one["ways"].items()
        for noise, values in by_noise.items()
        for draw, seed in enumerate(config["seeds"])
        for place, count in enumerate(config["counts"])
    )


def table_by_set(found: pd.DataFrame) -> str:
    """Gains by set as the app draws; the mean of the development sets, and half of its 95 % interval over them."""
    shipped = found[(found["way"] == SHIPPED) & (found["noise"] == 0)]
    names = [name for name in shipped["set"].unique() if name not in SETS["report"]]
    reports = [name for name in SETS["report"] if name in set(shipped["set"])]
    developing = shipped[shipped["set"].isin(SETS["development"])]
    rows = [_row(name, shipped[shipped["set"] == name]) for name in names]
    if developing["set"].nunique() > 1:
        mean = ["**mean**, development", *_row("", developing)[1:]]
        rows += [mean, ["± half of its interval", "", *(_half(developing, count) for count in COUNTS), ""]]
    rows += [_row(f"{name} (report)", shipped[shipped["set"] == name]) for name in reports]
    told = f"estimate minus true, at {COUNTS[-1]}"
    return markdown(["set", "confusability", *(f"{count} answers" for count in COUNTS), told], rows)


def _row(name: str, part: pd.DataFrame) -> list[str]:
    told = part[part["count"] == COUNTS[-1]].groupby("set")["told"].mean().mean()
    cells = [_signed(part[part["count"] == count]) for count in COUNTS]
    return [name, _short(f"{part.groupby('set')['base'].mean().mean():.3f}"), *cells, _short(f"{told:+.3f}")]


def _half(part: pd.DataFrame, count: int) -> str:
    """Half of Student's 95 % interval of the mean over sets: of the gain, and in brackets of that on the unasked."""
    by_set = part[part["count"] == count].groupby("set")[["gain", "gain_unasked"]].mean()
    half = stdtrit(len(by_set) - 1, 0.975) * by_set.std() / np.sqrt(len(by_set))
    return _short(f"{half['gain']:.3f} ({half['gain_unasked']:.3f})")


def table_by_way(found: pd.DataFrame) -> str:
    """The means over the development sets by way and noise, and the emoji after twenty."""
    counts = COUNTS[1:]
    rows = []
    for (way, noise), part in found.groupby(["way", "noise"], sort=False):
        developing, emoji = part[part["set"].isin(SETS["development"])], part[part["set"] == EMOJI]
        cells = [_signed(developing[developing["count"] == count]) for count in counts]
        cells.append(_signed(emoji[emoji["count"] == counts[0]]))
        rows.append([f"**{way}**" if way == SHIPPED else way, "yes" if noise else "no", *cells])
    head = ["pairs drawn", "one in ten wrong", *(f"{count} answers" for count in counts), f"{EMOJI}, {counts[0]}"]
    return markdown(head, rows)


def _signed(part: pd.DataFrame) -> str:
    """The mean gain, and in brackets that on pictures nobody was asked about: over sets, of means over draws."""
    if part.empty:
        return "–"
    by_set = part.groupby("set")[["gain", "gain_unasked"]].mean().mean()
    return _short(f"{by_set['gain']:+.3f} ({by_set['gain_unasked']:+.3f})")


def _short(text: str) -> str:
    return text.replace("0.", ".")


def drawn(found: pd.DataFrame) -> pd.DataFrame:
    """The rows of the sets of the figure, in its order; all where none of them was measured."""
    parts = [found[found["set"] == name] for name in DRAWN if name in set(found["set"])]
    return pd.concat(parts) if parts else found


if __name__ == "__main__":
    main()
