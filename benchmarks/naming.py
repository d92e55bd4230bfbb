"""What names teach: `python -m benchmarks.naming PHOTOS …`.

Each PHOTOS folder holds class folders, which are the names that an oracle gives. First: with one or three names per
class, to pictures that the app would ask about, to the medoids of as many k-means clusters, or to pictures drawn at
random, how many of all others does a linear probe name rightly? Once more with those named last that the names so far
are least certain of. Then, with the pictures that the app asks about: after so many names, how many of the others have
a suggestion from a share on, and how many of those are right? How many, from the largest share down, can be accepted so
that 95 % of them are right, and how many could before suggestions were calibrated (measured once, with that version)?

The figures go to experiments/naming.json; without a folder its tables are printed from it (docs/order.md).
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit
from sklearn.cluster import KMeans

from benchmarks.machine import machine
from experiments.figure_files import read_figures, write_figures
from experiments.safe_retrieval import SETS
from training.command import markdown
from url_viz.base.rows import l2_normalize
from url_viz.evidence.order_metrics import mean_by_t
from url_viz.evidence.probe import fit_probe, probe_inputs
from url_viz.image_set import ImageSet
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder

FIGURES = Path(__file__).parents[1] / "experiments" / "naming.json"
DRAWS = 5
MULTIPLES = (1, 3)
COUNTS = (100, 200, 300)
SHARES = (0.5, 0.7, 0.9)
RIGHT = 0.95
FEW_SETS = 4
"""Of so many sets and fewer an interval of what is gained says nothing."""
DIGITS = 4

Rows = NDArray[np.int64]
Pick = Callable[[ImageSet, int, int], Rows]


def main() -> None:
    """Measure and print, or print again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--workspace", type=Path, help="where they were read: a copy, for names are given in it")
    parser.add_argument("--json", type=Path, default=FIGURES)
    given = parser.parse_args()
    if given.photos:
        before = {"before": read_figures(FIGURES)["before"]}
        write_figures(measured(given.photos, given.workspace) | before, given.json, digits=DIGITS)
        print(f"{machine()}\n")
    figures = read_figures(given.json)
    print("\n\n".join(table(figures) for table in (ways_table, accepted_table, suggestions_table)))


def measured(folders: Sequence[Path], workspace: Path | None) -> dict[str, Any]:
    """The figures of the folders' image sets by their names, and how they were taken."""
    config = {"model": DEFAULT, "seeds": list(range(DRAWS)), "multiples": MULTIPLES, "counts": COUNTS, "shares": SHARES}
    sets = {}
    with tempfile.TemporaryDirectory() as place:
        model = load_model(DEFAULT, workspace=workspace or Path(place))
        for folder in folders:
            sets[folder.name] = figures_of(embed_folder(folder, model=model, workspace=workspace or place))
            print(f"{folder.name}: done", file=sys.stderr)
    return {"config": config, "sets": sets}


def figures_of(image_set: ImageSet) -> dict[str, Any]:
    """`ways`: the share that a probe names rightly, by way, budget and draw; `suggestions` after COUNTS names."""
    code = pd.factorize(image_set.table()["label"], sort=True)[0].astype(np.int32)
    classes = int(code.max()) + 1
    ways = {
        name: [_right(image_set, code, pick, multiple * classes) for multiple in MULTIPLES]
        for name, pick in WAYS.items()
    }
    suggestions = [_suggested(image_set, count) for count in COUNTS]
    return {"pictures": len(code), "classes": classes, "ways": ways, "suggestions": suggestions}


def _right(image_set: ImageSet, code: NDArray[np.int32], pick: Pick, count: int) -> list[float]:
    """The share of the pictures without a name that a probe taught by the names is right about, by draw."""
    inputs = probe_inputs(image_set.core.whitened.rows)
    found = []
    for seed in range(DRAWS if pick in BY_SEED else 1):
        rows = pick(image_set, count, seed)
        others = np.setdiff1d(np.arange(len(code)), rows)
        probe = fit_probe(inputs[rows], code[rows])
        found.append((probe.classes[(inputs[others] @ probe.weights).argmax(axis=1)] == code[others]).mean())
    return list(map(float, found))


def _by_dice(image_set: ImageSet, count: int, seed: int) -> Rows:
    return np.random.default_rng(seed).choice(len(image_set), count, replace=False)


def _medoids(image_set: ImageSet, count: int, seed: int) -> Rows:
    rows = l2_normalize(image_set.core.whitened.rows)
    clusters = KMeans(count, n_init=1, random_state=seed).fit(rows)
    nearness = (rows * l2_normalize(clusters.cluster_centers_)[clusters.labels_]).sum(axis=1)
    of = [np.flatnonzero(clusters.labels_ == number) for number in range(count)]
    return np.array([members[nearness[members].argmax()] for members in of if len(members)], np.int64)


def _as_asked(image_set: ImageSet, count: int, seed: int) -> Rows:
    return image_set.core.rows_of(image_set.names.ask(count)["id"])


def _then_least_certain(image_set: ImageSet, count: int, seed: int) -> Rows:
    """As many as there are classes as the app asks, then those whose suggestions are the least certain."""
    label = dict(zip(image_set.core.ids.tolist(), pd.factorize(image_set.table()["label"])[0], strict=True))
    classes = len(set(label.values()))
    asked: list[int] = image_set.names.ask(min(count, classes))["id"].tolist()
    actions = 0
    while len(asked) < count:
        image_set.names.give({one: f"class {label[one]}" for one in asked})
        actions += 1
        more = image_set.names.suggestions()["id"].tolist()[::-1][: min(classes, count - len(asked))]
        if not more:  # a single class was named so far: nothing is suggested
            break
        asked += more
    for _ in range(actions):
        image_set.decisions.undo()
    return image_set.core.rows_of(asked)


MEDOIDS, AS_ASKED = "medoids of k-means", "as the app asks"
WAYS: dict[str, Pick] = {
    "at random": _by_dice,
    MEDOIDS: _medoids,
    AS_ASKED: _as_asked,
    "then the least certain": _then_least_certain,
}
BY_SEED = (_by_dice, _medoids)
"""The ways that a draw changes; the others are the same each time."""


def _suggested(image_set: ImageSet, count: int) -> dict[str, Any]:
    """What is suggested after `count` names in all: how much is right, and from SHARES on how many and how much."""
    kind = dict(zip(image_set.core.ids.tolist(), pd.factorize(image_set.table()["label"], sort=True)[0], strict=True))
    named = image_set.table()["name"].notna().sum()
    more = image_set.names.ask(count - int(named))["id"].tolist()
    image_set.names.give({one: f"class {kind[one]}" for one in more})
    found = image_set.names.suggestions()
    right = np.array([f"class {kind[one]}" for one in found["id"]]) == found["name"].to_numpy()
    parts = [found["share"].to_numpy() >= share for share in SHARES]
    return {
        "classes": int(image_set.table()["name"].nunique()),
        "right": float(right.mean()),
        "from": [[int(part.sum()), int(right[part].sum())] for part in parts],
        "others": len(right),
        "accepted": _accepted(right),
    }


def _accepted(right: NDArray[np.bool_]) -> int:
    """How many of the suggestions (R,), the largest share first, can be accepted so that RIGHT of them are right."""
    enough = np.flatnonzero(right.cumsum() >= RIGHT * np.arange(1, len(right) + 1))
    return int(enough[-1]) + 1 if len(enough) else 0


def ways_table(figures: dict[str, Any]) -> str:
    """The share of all others that a probe names rightly, by set and way, at each budget; and the means over sets.

    With half of Student's 95 % interval over all sets of the lead over the medoids.
    """
    by_set = {
        name: {way: [float(np.mean(draws)) for draws in budgets] for way, budgets in one["ways"].items()}
        for name, one in figures["sets"].items()
    }
    multiples = figures["config"]["multiples"]
    rows = [
        [_of_use(name), " / ".join(f"{multiple * figures['sets'][name]['classes']}" for multiple in multiples)]
        + [_shares(shares) for shares in ways.values()]
        for name, ways in by_set.items()
    ]
    for what, names in (("development", SETS["development"]), ("report", SETS["report"]), ("all", tuple(by_set))):
        found = [by_set[name] for name in names if name in by_set]
        if found:
            means = [_shares(np.mean([ways[way] for ways in found], axis=0)) for way in WAYS]
            rows.append([f"**mean**, {what}", "", *means])
    if len(by_set) > 1:
        leads = np.array([np.subtract(ways[AS_ASKED], ways[MEDOIDS]) for ways in by_set.values()])
        half = stdtrit(len(leads) - 1, 0.975) * leads.std(axis=0, ddof=1) / np.sqrt(len(leads))
        told = " / ".join(f"{lead:+.3f} ± {width:.3f}" for lead, width in zip(leads.mean(axis=0), half, strict=True))
        rows.append(["lead over the medoids", "", "", "", told.replace("0.", "."), ""])
    return markdown(["set", "names", *(f"**{way}**" if way == AS_ASKED else way for way in WAYS)], rows)


def suggestions_table(figures: dict[str, Any]) -> str:
    """After so many names: all suggestions, and those from a share on: how many, how many right."""
    rows = []
    for name, one in figures["sets"].items():
        for count, found in zip(figures["config"]["counts"], one["suggestions"], strict=True):
            told = [_told(many, right) for many, right in found["from"]]
            classes = f"{found['classes']} of {one['classes']}"
            rows.append([_of_use(name), str(count), classes, f"{found['right']:.1%}", *told])
    shares = (f"from {_short(share)}" for share in figures["config"]["shares"])
    return markdown(["set", "names", "classes found", "all: right", *shares], rows)


def accepted_table(figures: dict[str, Any]) -> str:
    """How many suggestions can be accepted so that RIGHT of them are right, and from a share on; before, and now.

    The gain is in parts of the unnamed pictures: the mean over the sets, with Student's 95 % interval.
    """
    rows, most = [], figures["config"]["shares"][-1]
    for use, names in (("development", SETS["development"]), ("report", SETS["report"]), ("**all**", figures["sets"])):
        found = [name for name in names if name in figures["sets"] and name in figures["before"]]
        for place, count in enumerate(figures["config"]["counts"] if found else ()):
            ways = [
                [figures["before"][name][place] for name in found],
                [figures["sets"][name]["suggestions"][place] for name in found],
            ]
            gains = [(now["accepted"] - old["accepted"]) / now["others"] for old, now in zip(*ways, strict=True)]
            accepted = [f"{sum(one['accepted'] for one in way):,}" for way in ways]
            from_share = [_told(*np.sum([one["from"][-1] for one in way], axis=0)) for way in ways]
            gain = mean_by_t(gains, least=-1).text(digits=3, signed=True) if len(gains) > FEW_SETS else "–"
            others = f"{sum(one['others'] for one in ways[1]):,}"
            rows.append([use, str(count), others, *accepted, gain, *from_share])
    head = [
        "sets",
        "names",
        "others",
        f"{RIGHT:.0%} right: before",
        "now",
        "gain",
        f"from {_short(most)}: before",
        "now",
    ]
    return markdown(head, rows)


def _told(many: int, right: int) -> str:
    return f"{many:,}, {right / many:.1%}" if many else "none"


def _of_use(name: str) -> str:
    return f"{name} (report)" if name in SETS["report"] else name


def _shares(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.3f}" for value in values).replace("0.", ".")


def _short(share: float) -> str:
    return f"{share:g}".removeprefix("0")


if __name__ == "__main__":
    main()
