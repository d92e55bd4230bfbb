"""What a review's queues find: `python -m benchmarks.review PHOTOS PHOTOS … [--figure FIGURE.svg]`.

Each PHOTOS folder holds class folders; two or more are needed, since each lends the next its pictures as strangers. For
some seeded draws of each, 3 % of the labels are planted wrong (the class of one of the 29 nearest pictures of other
classes; once more with half of them any other class), and 3 % useless pictures are added: blank, heavily blurred, of
another set. The folder is read, and an oracle goes through every queue of the review: how much of what was planted has
it seen after so many pictures? A queue may be short (suspects are); its curve stays level from there.

Then, what that is worth: 6 % of the labels are planted wrong, the oracle answers the first 8 % of the suspects, and a
linear probe in five folds is asked for the true labels. It is taught the labels as given, as mended, without what was
looked at, without as many pictures at random, or as they truly are.

cleanlab (Apache-2.0 since December 2025) is no dependency of the app: it runs in a Python of its own,

    python -m venv build/cleanlab
    build/cleanlab/bin/pip install cleanlab
    python -m benchmarks.review PHOTOS PHOTOS --cleanlab build/cleanlab/bin/python

and is left out where it is not there. It gets the probabilities of the same probe, and its orders are those of two of
its label quality scores: self-confidence, its default, and the normalized margin.

*Label doubt* is no queue of the review: every label in the order of the suspects, also what nothing seems wrong with.

The figures go to experiments/review.json, after each draw; without a folder the tables of docs/review.md are printed
from it.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from benchmarks.machine import machine
from benchmarks.remembered import remembering
from benchmarks.review_figure import figure
from benchmarks.review_planting import USELESS, WRONG, Photos, lay_out, wrong_labels
from experiments.figure_files import read_figures, write_figures
from training.command import markdown
from url_viz.columns.filters import ReviewSpec
from url_viz.columns.twin_groups import group_codes
from url_viz.evidence.probe import fit_probe, out_of_fold_shares, probe_folds, probe_inputs
from url_viz.image_set import ImageSet
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.reading import embed_folder
from url_viz.store.decisions.decisions import Judgement

FIGURES = Path(__file__).parents[1] / "experiments" / "review.json"
DIGITS = 4
CLEANLAB_SCRIPT = Path(__file__).with_name("order_cleanlab.py")
CLEANLAB = {"cleanlab": "self_confidence", "cleanlab, margin": "normalized_margin"}
RANDOM, DOUBT = "random", "label doubt"
QUEUES = ("suspects", "ambiguity", "confusability", "entropy")
NEAR_CLASS, AT_RANDOM = "near class", "half at random"
NOISES = {NEAR_CLASS: 0.0, AT_RANDOM: 0.5}
"""What share of the wrong labels is any other class; the others are of a near one."""
WRONG_SHARE, USELESS_SHARE = 0.03, 0.03
WORTH_WRONG_SHARE, WORTH_LOOKED = 0.06, 0.08
LOOKED = tuple(step / 200 for step in range(61))
"""Shares of the pictures that are looked at: every half percent up to thirty."""
TOLD = (0.02, 0.05, 0.08, 0.1, 0.2)
TOLD_USELESS = (0.02, 0.05, 0.1, 0.2)
ARMS = ("as given", "mended", "dropped", "dropped at random", "no wrong label")

Ids = NDArray[np.int64]
Codes = NDArray[np.int32]


@dataclass(frozen=True)
class Curve:
    """What one queue finds of one fault: `found` (L,) at LOOKED, the mean over sets and draws.

    `half` (L,) is half of its 95 % interval. `with_twins` (L,) counts a picture also when a twin of it was looked at,
    whose card tells of it. `by_set` is `found` of each set at TOLD. `length` is the queue's, as a share of the
    pictures.
    """

    noise: str
    queue: str
    fault: str
    found: tuple[float, ...]
    half: tuple[float, ...]
    with_twins: tuple[float, ...]
    by_set: dict[str, tuple[float, ...]]
    length: float


@dataclass(frozen=True)
class WorthOfReview:
    """A set's means over draws: accuracy of the probe by arm, the wrong labels' share found, the looked-at share."""

    photos: str
    accuracy: dict[str, float]
    found: float
    looked: float


@dataclass(frozen=True)
class Findings:
    """All that was measured."""

    curves: tuple[Curve, ...]
    worth: tuple[WorthOfReview, ...]


def main() -> None:
    """Measure and print, or print again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--worth", nargs="*", type=Path, default=[], help="sets of which only the worth is measured")
    parser.add_argument("--cleanlab", type=Path, default=Path("build/cleanlab/bin/python"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--json", type=Path, default=FIGURES)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if given.photos:
        if len(given.photos) < 2:
            parser.error("two folders at least: strangers are of another set")
        _measure(given)
        print(f"{machine()}\n")
    config, findings = read_findings(given.json)
    print(f"{found_table(findings)}\n\n{table_by_set(findings)}\n\n{worth_table(findings)}")
    if given.figure is not None:
        given.figure.write_text(figure(findings.curves, config["looked"]))


def _measure(given: argparse.Namespace) -> None:
    """Measure, and keep what there is after each draw."""
    cleanlab = given.cleanlab if given.cleanlab.exists() else None
    if cleanlab is None:
        print(f"{given.cleanlab} is not there: cleanlab is left out.", file=sys.stderr)
    config = {"model": DEFAULT, "cleanlab": cleanlab is not None, "looked": LOOKED, "told": TOLD}
    shares = {"wrong": WRONG_SHARE, "useless": USELESS_SHARE, "worth_wrong": WORTH_WRONG_SHARE}
    for seed, findings in enumerate(measured(given.photos, given.draws, cleanlab, worth=given.worth)):
        config |= {"shares": shares | {"worth_looked": WORTH_LOOKED}, "seeds": list(range(seed + 1))}
        write_figures({"config": config, **asdict(findings)}, given.json, digits=DIGITS)


def read_findings(figures: Path) -> tuple[dict[str, Any], Findings]:
    """What is kept: how it was measured, and the findings."""
    read = read_figures(figures)
    curves = tuple(Curve(**curve) for curve in read["curves"])
    return read["config"], Findings(curves, tuple(WorthOfReview(**one) for one in read["worth"]))


def measured(
    folders: Sequence[Path], draws: int, cleanlab: Path | None, *, worth: Sequence[Path] = ()
) -> Iterator[Findings]:
    """After each draw of every set what was found so far; of the folders `worth` only what a review was worth."""
    rows: list[dict[str, object]] = []
    drawn: list[WorthOfReview] = []
    with tempfile.TemporaryDirectory() as place:
        home = Path(place)
        model = remembering(load_model(DEFAULT, workspace=home / "workspace"))
        sets = [_read(folder, model, home / "workspace") for folder in (*folders, *worth)]
        for seed in range(draws):
            for number, photos in enumerate(sets):
                if number < len(folders):
                    strangers = tuple(sorted(sets[(number + 1) % len(folders)].files))
                    for noise in NOISES:
                        rows += _found_in_draw(photos, strangers, noise, seed, model, cleanlab)
                drawn.append(_worth_in_draw(photos, model, seed))
                print(f"draw {seed + 1}, {photos.name}: done", file=sys.stderr)
            yield Findings(curves_of(pd.DataFrame(rows)), mean_worth(drawn))


def _read(folder: Path, model: Model, workspace: Path) -> Photos:
    image_set = embed_folder(folder, model=model, workspace=workspace)
    table = image_set.table()
    label, names = pd.factorize(table["label"], sort=True)
    files = tuple(image_set.files.path(image_id) for image_id in table["id"].tolist())
    whitened = image_set.core.whitened.rows.astype(np.float32)
    return Photos(folder.name, files, label.astype(np.int32), tuple(map(str, names)), whitened)


def _found_in_draw(
    photos: Photos, strangers: tuple[Path, ...], noise: str, seed: int, model: Model, cleanlab: Path | None
) -> list[dict[str, object]]:
    """One row per queue and fault: what the queue of a planted set finds at LOOKED."""
    rng = np.random.default_rng(seed)
    label = wrong_labels(photos.label, photos.whitened, share=WRONG_SHARE, random_share=NOISES[noise], rng=rng)
    with tempfile.TemporaryDirectory() as place:
        folder, useless = Path(place) / photos.name, round(USELESS_SHARE * len(photos))
        planted = lay_out(folder, photos, label, useless=useless, strangers=strangers, rng=rng)
        image_set = embed_folder(folder, model=model, workspace=Path(place) / "workspace")
        table = image_set.table().merge(planted, on="path", validate="one_to_one")
        queues = _queues(image_set, rng) | ({} if cleanlab is None else _cleanlab(image_set, cleanlab, seed))
    looked = np.round(np.array(LOOKED) * len(table)).astype(np.int64)
    rows: list[dict[str, object]] = []
    for name, queue in queues.items():
        for fault in (WRONG, *USELESS):
            ids = table.loc[table["fault"] == fault, "id"].to_numpy(np.int64)
            alone, twins = found(queue, ids, looked), found_with_twins(queue, ids, looked, table)
            about = {"photos": photos.name, "noise": noise, "queue": name, "fault": fault}
            rows.append(about | {"found": alone, "with_twins": twins, "length": len(queue) / len(table)})
    return rows


def _queues(image_set: ImageSet, rng: np.random.Generator) -> dict[str, Ids]:
    queues = {by: image_set.reviews.open(ReviewSpec(by)).ids for by in QUEUES}
    every = image_set.labels.check().pictures["id"].to_numpy(np.int64)
    return queues | {DOUBT: every, RANDOM: rng.permutation(every)}


def _cleanlab(image_set: ImageSet, python: Path, seed: int) -> dict[str, Ids]:
    """All pictures in cleanlab's orders, the most doubtful label first, worked out by another Python."""
    table = image_set.table()
    label = pd.factorize(table["label"], sort=True)[0].astype(np.int32)
    predicted = out_of_fold_shares(image_set.core.whitened.rows, label, group_codes(table), seed=seed)
    with tempfile.TemporaryDirectory() as place:
        np.savez(Path(place) / "case-set.npz", label=label, predicted=predicted)
        subprocess.run([python, CLEANLAB_SCRIPT, place], check=True)
        with np.load(Path(place) / "found-set.npz") as scores:
            order = {name: np.argsort(-scores[score], kind="stable") for name, score in CLEANLAB.items()}
    return {name: table["id"].to_numpy(np.int64)[rows] for name, rows in order.items()}


def found(queue: Ids, planted: Ids, looked: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share (L,) of the `planted` ids among the first `looked` (L,) of the queue; level beyond its end."""
    hits = np.concatenate([[0], np.cumsum(np.isin(queue, planted))])
    share: NDArray[np.float64] = hits[np.minimum(looked, len(queue))] / len(planted)
    return share


def found_with_twins(queue: Ids, planted: Ids, looked: NDArray[np.int64], table: pd.DataFrame) -> NDArray[np.float64]:
    """Like `found`, where a picture also counts once a twin of it was looked at; `table` has id and twin_group."""
    group = pd.Series(group_codes(table), index=table["id"])
    place = {of: number for number, of in reversed(list(enumerate(group[queue.tolist()])))}  # the first of each stays
    seen_at = np.sort([place.get(of, np.inf) for of in group[planted.tolist()]])
    share: NDArray[np.float64] = np.searchsorted(seen_at, looked, side="left") / len(planted)
    return share


def curves_of(rows: pd.DataFrame) -> tuple[Curve, ...]:
    """The curves of `_found_in_draw`'s rows, means over sets and draws."""
    curves, at = [], [LOOKED.index(share) for share in TOLD]
    for about, part in rows.groupby(["noise", "queue", "fault"], sort=False):
        assert isinstance(about, tuple)
        noise, queue, fault = map(str, about)
        mean, half = mean_and_half_width(np.stack(part["found"].tolist()))
        curve = Curve(
            noise,
            queue,
            fault,
            found=_floats(mean),
            half=_floats(half),
            with_twins=_floats(np.stack(part["with_twins"].tolist()).mean(axis=0)),
            by_set={
                str(name): _floats(np.stack(of["found"].tolist()).mean(axis=0)[at])
                for name, of in part.groupby("photos", sort=False)
            },
            length=float(part["length"].mean()),
        )
        curves.append(curve)
    return tuple(curves)


def _floats(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def mean_and_half_width(values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """The mean (…) of S draws (S, …), and half the width of Student's 95 % interval."""
    draws = len(values)
    spread = values.std(axis=0, ddof=1) / np.sqrt(draws)
    return values.mean(axis=0), stdtrit(draws - 1, 0.975) * spread


def mean_worth(drawn: Sequence[WorthOfReview]) -> tuple[WorthOfReview, ...]:
    """The means of a set's draws, by set."""
    means = []
    for name in dict.fromkeys(one.photos for one in drawn):
        of = [one for one in drawn if one.photos == name]
        accuracy = {arm: float(np.mean([one.accuracy[arm] for one in of])) for arm in ARMS}
        found_share, looked = (float(np.mean([getattr(one, what) for one in of])) for what in ("found", "looked"))
        means.append(WorthOfReview(name, accuracy, found_share, looked))
    return tuple(means)


def _worth_in_draw(photos: Photos, model: Model, seed: int) -> WorthOfReview:
    """Plant wrong labels, let the oracle answer the first of the suspects, and teach a probe in five ways."""
    rng = np.random.default_rng(seed)
    label = wrong_labels(photos.label, photos.whitened, share=WORTH_WRONG_SHARE, rng=rng)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / photos.name
        planted = lay_out(folder, photos, label, useless=0, rng=rng)
        image_set = embed_folder(folder, model=model, workspace=Path(place) / "workspace")
        truth = image_set.table().merge(planted, on="path", validate="one_to_one")
        review = image_set.reviews.open(ReviewSpec("suspects"))
        looked = review.ids[: round(WORTH_LOOKED * len(truth))]
        answer = dict(zip(truth["id"].tolist(), truth["truth"].tolist(), strict=True))
        judgements = {image_id: Judgement(label=answer[image_id]) for image_id in looked.tolist()}
        image_set.decisions.judge(judgements, source=image_set.labels.source)
        table, whitened = image_set.table(), image_set.core.whitened.rows
    is_looked = truth["id"].isin(looked).to_numpy(dtype=bool)
    at_random = rng.permutation(is_looked)
    given, now, true = (_codes(photos, column) for column in (truth["label"], table["label"], truth["truth"]))
    taught = {
        "as given": given,
        "mended": now,
        "dropped": np.where(is_looked, -1, given),
        "dropped at random": np.where(at_random, -1, given),
        "no wrong label": true,
    }
    fold = probe_folds(group_codes(table), seed=seed)
    accuracy = accuracies(whitened, taught, true, fold)
    is_wrong = (truth["fault"] == WRONG).to_numpy(dtype=bool)
    return WorthOfReview(photos.name, accuracy, float(is_looked[is_wrong].mean()), float(is_looked.mean()))


def _codes(photos: Photos, label: "pd.Series[str]") -> Codes:
    return pd.Categorical(label, categories=list(photos.names)).codes.astype(np.int32)


def accuracies(
    whitened: NDArray[np.floating], taught: Mapping[str, NDArray[np.integer]], true: Codes, fold: NDArray[np.int64]
) -> dict[str, float]:
    """How often probes are right of `true` labels (N,), by the labels (N,) each was taught, −1 for none.

    Each picture is asked about by the probe that was taught the other folds (N,).
    """
    inputs = probe_inputs(whitened)
    right = dict.fromkeys(taught, 0)
    for left_out in np.unique(fold):
        asked = fold == left_out
        for arm, label in taught.items():
            rows = ~asked & (label >= 0)
            called = fit_probe(inputs[rows], label[rows]).called(inputs[asked])
            right[arm] += int((called == true[asked]).sum())
    return {arm: count / len(true) for arm, count in right.items()}


def found_table(findings: Findings) -> str:
    """What each queue finds where wrong labels are of near classes: means over sets and draws in percent.

    Wrong labels with half of the interval, useless pictures with those whose twin was looked at.
    """
    rows = []
    for queue, curves in _by_queue(findings, NEAR_CLASS).items():
        found, half = (_percent(values, TOLD) for values in (curves[WRONG].found, curves[WRONG].half))
        wrong = [f"{value} ± {width}" for value, width in zip(found, half, strict=True)]
        useless = [" / ".join(_percent(curves[fault].with_twins, TOLD_USELESS)) for fault in USELESS]
        rows.append([f"**{queue}**" if queue == "suspects" else queue, *wrong, *useless])
    first, *others = (f"{share:.0%}" for share in TOLD)
    shares = " / ".join(f"{100 * share:.0f}" for share in TOLD_USELESS)
    head = ["queue", f"wrong labels, {first} looked at", *others, f"{USELESS[0]}, {shares} %", *USELESS[1:]]
    return markdown(head, rows)


def _percent(found: Sequence[float], shares: Sequence[float]) -> list[str]:
    """What a curve has at some shares of LOOKED."""
    return [f"{100 * found[LOOKED.index(share)]:.0f}" for share in shares]


def table_by_set(findings: Findings) -> str:
    """What each queue finds after 5 %, by set in percent; with half of the wrong labels of any class as well."""
    half_random = _by_queue(findings, AT_RANDOM)
    rows = []
    for queue, curves in _by_queue(findings, NEAR_CLASS).items():
        (anywhere,) = _percent(half_random[queue][WRONG].found, TOLD[1:2])
        by_set = [
            " / ".join(f"{100 * values[1]:.0f}" for values in curves[fault].by_set.values())
            for fault in (WRONG, *USELESS)
        ]
        rows.append([queue, f"{curves[WRONG].length:.0%}", by_set[0], anywhere, *by_set[1:]])
    sets = " / ".join(findings.curves[0].by_set)
    return markdown(["queue", "length", f"wrong labels, {sets}", "half of any class, mean", *USELESS], rows)


def _by_queue(findings: Findings, noise: str) -> dict[str, dict[str, Curve]]:
    """The curves of one way of planting, by queue and fault."""
    found: dict[str, dict[str, Curve]] = {}
    for curve in findings.curves:
        if curve.noise == noise:
            found.setdefault(curve.queue, {})[curve.fault] = curve
    return found


def worth_table(findings: Findings) -> str:
    """What a review of the suspects was worth: one line a set."""
    rows = [
        [one.photos, *(f"{one.accuracy[arm]:.3f}" for arm in ARMS), f"{one.found:.2f}", f"{one.looked:.1%}"]
        for one in findings.worth
    ]
    return markdown(["set", *ARMS, "wrong labels found", "looked at"], rows)


if __name__ == "__main__":
    main()
