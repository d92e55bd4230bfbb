"""Orders of other tools beside ours, on the same embeddings: `python -m benchmarks.order_baselines ARRAYS …`.

ARRAYS is the folder that `python -m training.benchmark … --arrays ARRAYS` leaves. FiftyOne (uniqueness, hardness) and
cleanlab (label quality scores) are no dependencies of the app: each runs in a Python of its own, and is left out where
that is not there,

    python -m venv build/fiftyone && build/fiftyone/bin/pip install fiftyone
    python -m venv build/cleanlab && build/cleanlab/bin/pip install cleanlab
    python -m benchmarks.order_baselines ARRAYS --json figures.json

Where a tool needs predictions, it gets those of a logistic regression in five folds on the whitened embeddings.
cleanlab's scores look at a picture's own label, which both outcomes are about. So two more stand beside them: *margin
of folds*, what the same predictions are worth without that look, and *label doubt*, our order of labels to check.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import machine
from training.benchmark.benchmark_tables import Benchmark, OrderFigures, SetFigures, means_table, set_table
from training.benchmark.labelled import Outcomes
from training.benchmark.measured import mean_figures, measure_order
from training.benchmark.orders import KNOWS
from training.store import write_json
from url_viz.evidence.baselines import class_margin
from url_viz.evidence.order_metrics import share_by_blocks
from url_viz.evidence.probe import out_of_fold_shares
from url_viz.labels.ambiguity import classify
from url_viz.pipeline.graph import build_graph
from url_viz.pipeline.whitening import whitened_rows

HERE = Path(__file__).parent
MARGIN, DOUBT = "margin of folds", "label doubt"
BESIDE = {
    MARGIN: "classes",
    DOUBT: "own label",
    "uniqueness": "set",
    "hardness": "picture",
    "hardness of folds": "classes",
    "self_confidence": "own label",
    "normalized_margin": "own label",
    "confidence_weighted_entropy": "own label",
}
"""What each further order has seen; `own label`: the classes, and the very label that N and P compare with."""


@dataclass(frozen=True)
class Case:
    """One set of the benchmark: its `arrays` by name, `label` (N,) numbered without gaps, `predicted` (N, C)."""

    name: str
    arrays: dict[str, NDArray[np.generic]]
    label: NDArray[np.int32]
    predicted: NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arrays", type=Path)
    parser.add_argument("--fiftyone", type=Path, default=Path("build/fiftyone/bin/python"))
    parser.add_argument("--cleanlab", type=Path, default=Path("build/cleanlab/bin/python"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    paths = sorted(given.arrays.glob("*.npz"))
    if not paths:
        sys.exit(f"error: {str(given.arrays)!r} holds no .npz. Run python -m training.benchmark --arrays first.")
    cases = [read(path) for path in paths]
    orders: list[dict[str, NDArray[np.floating]]] = [ours(case) for case in cases]
    for script, python in (("order_fiftyone.py", given.fiftyone), ("order_cleanlab.py", given.cleanlab)):
        if not python.exists():
            print(f"{python} is not there: {script} is left out.")
            continue
        for known, found in zip(orders, theirs(cases, HERE / script, python), strict=True):
            known.update(found)
    sets = [figures(case, found) for case, found in zip(cases, orders, strict=True)]
    probe = "another backbone" if any("is_probe_wrong" in case.arrays for case in cases) else None
    benchmark = Benchmark(given.arrays.name, probe, "", None, 0, tuple(sets), mean_figures(sets))
    print("\n\n".join([machine(), *map(set_table, sets), means_table(benchmark)]))
    if given.json is not None:
        write_json(benchmark, given.json)


def read(path: Path) -> Case:
    """A set as the benchmark left it, and predictions for it."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    label = np.unique(arrays["label"], return_inverse=True)[1].astype(np.int32)
    return Case(path.stem, arrays, label, out_of_fold_shares(arrays["whitened"], label, arrays["group"], seed=0))


def ours(case: Case) -> dict[str, NDArray[np.floating]]:
    """Our orders (N,) by name, and those that stand beside the others'."""
    arrays = case.arrays
    known = {name: arrays[f"order_{name}"].astype(np.float64) for name in KNOWS if f"order_{name}" in arrays}
    whitened, group = arrays["whitened"].astype(np.float32), arrays["group"].astype(np.int32)
    embedding = arrays["embedding"].astype(np.float32)
    graph = build_graph(whitened_rows(np.arange(len(embedding)), embedding), embedding)
    classified = classify(graph.position, graph.similarity, whitened, case.label, group)
    assert classified is not None  # the benchmark refuses sets with too few classes
    return {**known, MARGIN: class_margin(case.predicted), DOUBT: classified.evidence.doubt}


def theirs(cases: list[Case], script: Path, python: Path) -> list[dict[str, NDArray[np.floating]]]:
    """Another tool's orders (N,) of every case, higher = less to be trusted, worked out by another Python."""
    with tempfile.TemporaryDirectory() as place:
        for case in cases:
            np.savez(
                Path(place) / f"case-{case.name}.npz",
                embedding=case.arrays["embedding"],
                logits=case.arrays["logits"],
                label=case.label,
                predicted=case.predicted,
            )
        subprocess.run([python, script, place], check=True)
        found = []
        for case in cases:
            with np.load(Path(place) / f"found-{case.name}.npz", allow_pickle=False) as archive:
                found.append(dict(archive))
        return found


def figures(case: Case, orders: dict[str, NDArray[np.floating]]) -> SetFigures:
    """Every order's figures on one set, as the benchmark works them out."""
    arrays = case.arrays
    counted, is_wrong = arrays["is_counted"].astype(bool), arrays["is_wrong"].astype(bool)
    probe = arrays["is_probe_wrong"].astype(bool) if "is_probe_wrong" in arrays else None
    outcomes = Outcomes(counted, is_wrong, probe, arrays["is_paper_wrong"].astype(bool))
    votes = arrays["votes_entropy"].astype(np.float64) if "votes_entropy" in arrays else None
    found: list[OrderFigures] = []
    for name, values in orders.items():
        figure = measure_order(name, values, case.label, outcomes, votes)
        found.append(replace(figure, knows=BESIDE.get(name, figure.knows)))
    return SetFigures(
        case.name,
        len(case.label),
        int(case.label.max()) + 1,
        0,
        int((~counted).sum()),
        share_by_blocks(~is_wrong[counted], case.label[counted]),
        share_by_blocks(~outcomes.is_paper_wrong, case.label),
        float("nan") if probe is None else float(1 - probe.mean()),
        tuple(found),
    )


if __name__ == "__main__":
    main()
