"""Time to open, search and show a large image set: `python -m benchmarks.opening [--pictures 100000]`.

The set is synthetic (clusters as embeddings, one thumbnail shared by all); times are medians in one process.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from benchmarks.synthetic import write_synthetic_set
from url_viz.base.workspace import Workspace
from url_viz.columns.ranking import ends
from url_viz.drawing.points import encode_mask, encode_points, map_points
from url_viz.evidence.selective_retrieval import search
from url_viz.image_set import ImageSet, open_image_set
from url_viz.ui.http import mask_url

ROUNDS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=100_000)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as place:
        root, workspace = Path(place) / "pictures", Path(place) / "workspace"
        started = time.perf_counter()
        write_synthetic_set(Workspace.at(workspace), root, count)
        written = time.perf_counter() - started
        rows = _rows(lambda: open_image_set(root, workspace=workspace))
    print(f"## Opening and searching {count:,} pictures\n\n{machine()}\n\nWritten in {written:.1f} s.\n")
    print("| what | median |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    print()


def _rows(opened: Callable[[], ImageSet]) -> dict[str, str]:
    image_set = opened()
    table = image_set.table()
    ids = table["id"].head(24).tolist()
    points_s = _median(lambda: map_points(table, measure="confusability"))
    megabytes = len(encode_points(map_points(table, measure="confusability"))) / 1e6
    started = time.perf_counter()
    image_set.search(ids[0])
    cold = time.perf_counter() - started
    unit = image_set.core.unit
    allowed = table["confusability"].to_numpy() < table["confusability"].median()
    mask_s = _median(lambda: mask_url(table, allowed, measure="confusability"))
    mask_kb = len(encode_mask(map_points(table).ids, table["id"].to_numpy()[allowed])) / 1e3
    rows = unit[np.arange(len(unit))]
    numpy_s = _median(lambda: _numpy_search(rows, allowed))
    ours_s = _median(lambda: search(unit[0], unit, k=24, is_allowed=allowed))
    return {
        "open and make the table": _ms(_median(lambda: opened().table())),
        "the map's points (bytes to the browser)": f"{_ms(points_s)} ({megabytes:.1f} MB)",
        "a filter's mask on the map (bytes to the browser)": f"{_ms(mask_s)} ({mask_kb:.1f} kB)",
        "a picture for each region of the map": _ms(_median(image_set.subsets.regions)),
        "both ends of the order, twins counted once": _ms(_median(lambda: ends(table, by="confusability"))),
        "24 thumbnails": _ms(_median(lambda: image_set.core.store.thumbnails(ids))),
        "neighbours of a picture, from the graph": _ms(_median(lambda: image_set.neighbours(ids[0]))),
        "first search (embeddings are read)": f"{cold:.2f} s",
        "search with half of the pictures gated": f"{_ms(ours_s)} ({ours_s / numpy_s:.2f} × bare numpy)",
    }


def _numpy_search(unit: "np.ndarray[tuple[int, int], np.dtype[np.float32]]", allowed: object) -> object:
    score = np.where(allowed, unit @ unit[0], -np.inf)  # type: ignore[arg-type]
    best = np.argpartition(-score, 24)[:24]
    return best[np.argsort(-score[best])]


def _median(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms"


if __name__ == "__main__":
    main()
