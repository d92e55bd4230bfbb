"""Orders of sets with few pictures per class (docs/order.md): `python -m experiments.few_pictures [ARRAYS]`.

ARRAYS is the folder that `python -m training.benchmark … --arrays ARRAYS` leaves. Without it the table is printed from
few_pictures.json. Each set is cut to 4 or 8 pictures a class, drawn by SEED.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.figure_files import read_figures, write_figures
from training.benchmark.labelled import LabelledSet, make_case
from training.benchmark.measured import measure_set
from training.benchmark.orders import make_orders
from training.command import cell, markdown
from url_viz.evidence.order_metrics import Figure, Interval

FIGURES = Path(__file__).with_suffix(".json")
SETS = ("grocery", "places", "caltech101", "flowers102")
MOST = 16
COUNTS = (4, 8, MOST)
ORDERS = ("ambiguity", "confusability")
SEED = 0
DIGITS = 4


def main() -> None:
    """Measure if there is a folder, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arrays", type=Path, nargs="?")
    given = parser.parse_args()
    if given.arrays is not None:
        sets = {name: _measured(next(given.arrays.glob(f"*-{name}.npz"))) for name in SETS}
        write_figures({"config": {"seed": SEED, "counts": COUNTS}, "sets": sets}, FIGURES, digits=DIGITS)
    print(table(read_figures(FIGURES)))


def _measured(path: Path) -> dict[str, dict[str, list[float]]]:
    with np.load(path, allow_pickle=False) as archive:
        embedding, logits, label = (archive[name] for name in ("embedding", "logits", "label"))
    found: dict[str, dict[str, list[float]]] = {}
    for count in COUNTS:
        rows = few_of_each(label, count, seed=SEED)
        code = np.unique(label[rows], return_inverse=True)[1].astype(np.int32)
        case = make_case(LabelledSet(path.stem, embedding[rows], logits[rows], code))
        orders = {name: values for name, values in make_orders(case, None, None, seed=SEED).items() if name in ORDERS}
        for order in measure_set(case, orders).orders:
            auroc = order.nearest.auroc
            found.setdefault(order.name, {})[str(count)] = [auroc.value, auroc.interval.low, auroc.interval.high]
    return found


def few_of_each(label: NDArray[np.integer], count: int, *, seed: int) -> NDArray[np.int64]:
    """Rows (R,), ascending: at most `count` of each class of `label` (N,), drawn by `seed`."""
    shuffled = np.random.default_rng(seed).permutation(len(label))
    kept_of = [shuffled[label[shuffled] == one][:count] for one in np.unique(label)]
    return np.sort(np.concatenate(kept_of))


def table(figures: dict[str, Any]) -> str:
    """R-AUROC of N by order and pictures a class, on each set with intervals over classes, and the mean."""
    rows = []
    for order in ORDERS:
        for count in figures["config"]["counts"]:
            found = [figures["sets"][name][order][str(count)] for name in SETS]
            cells = [cell(Figure(value, Interval(low, high))) for value, low, high in found]
            size = f"up to {count}" if count == MOST else f"{count}"
            rows.append([f"{order}, {size} a class", *cells, cell(np.mean([value for value, *_ in found]))])
    return markdown(["", *SETS, "mean"], rows)


if __name__ == "__main__":
    main()
