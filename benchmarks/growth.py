"""How time and memory grow with the number of pictures: `python -m benchmarks.growth [--most 100000] [--map]`.

Synthetic image sets of 1,280 numbers a picture, in steps of ten; each step in a process of its own, whose peak of
resident memory is told. Scanning is timed on real, empty files. With `--map`, the graph and the map are made too
(beyond 150,000 rows the graph is approximate, and the map is fitted on 100,000 and the others placed).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import machine

COLUMNS = ("scan", "store", "open", "points", "search", "ten more", "graph", "map")
MOST_SCANNED = 100_000


def main() -> None:
    """Run every size in a process of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--one", type=int, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_one(options.one, with_map=options.map)))
        return
    print(f"## Growth\n\n{machine()}\n\nSeconds, and the peak of resident memory.\n")
    print(f"| pictures | {' | '.join(COLUMNS)} | peak |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    count = 1000
    while count <= options.most:
        command = [sys.executable, "-m", "benchmarks.growth", "--one", str(count), *(["--map"] if options.map else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        cells = [f"{row[name]:.2f}" if name in row else "–" for name in COLUMNS]
        print(f"| {count:,} | {' | '.join(cells)} | {row['peak_gb']:.1f} GB |", flush=True)
        count *= 10
    print()


def _one(count: int, *, with_map: bool) -> dict[str, float]:
    from benchmarks.synthetic import write_synthetic_set
    from url_viz.image_set import open_image_set
    from url_viz.ui.points import encode_points
    from url_viz.ui.routes import map_points
    from url_viz.workspace import Workspace

    taken: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as place:
        root, workspace = Path(place) / "pictures", Workspace.at(Path(place) / "workspace")
        if count <= MOST_SCANNED:
            taken["scan"] = _scan_s(Path(place) / "files", count)
        started = time.perf_counter()
        set_id = write_synthetic_set(workspace, root, count)
        taken["store"] = time.perf_counter() - started
        started = time.perf_counter()
        image_set = open_image_set(root, workspace=workspace.root)
        table = image_set.table()
        taken["open"] = time.perf_counter() - started
        started = time.perf_counter()
        encode_points(map_points(table))
        taken["points"] = time.perf_counter() - started
        image_set.search(int(table["id"].iloc[0]))
        started = time.perf_counter()
        image_set.search(int(table["id"].iloc[1]))
        taken["search"] = time.perf_counter() - started
        del image_set, table
        taken |= _graph_and_map(workspace, set_id, with_map=with_map)
    return taken | {"peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}


def _graph_and_map(workspace: object, set_id: str, *, with_map: bool) -> dict[str, float]:
    """Ten pictures more, matched and placed; with `with_map` also everything anew."""
    from url_viz.index.neighbours import build_graph
    from url_viz.index.projection import fit_map, place
    from url_viz.index.store import Store
    from url_viz.index.tables import Embeddings
    from url_viz.workspace import Workspace

    assert isinstance(workspace, Workspace)
    store = Store(workspace.set_paths(set_id))
    key = store.about().spaces[-1].key
    stored = store.embeddings(key)
    embeddings = stored.take(np.argsort(stored.content))
    graph, known = store.graph(key), store.coordinates(key)
    assert graph is not None
    assert known is not None
    more = Embeddings(
        np.concatenate([embeddings.content, np.arange(10) + 2**62]),
        np.concatenate([embeddings.embedding, embeddings.embedding[:10] + np.float16(0.1)]),
        np.concatenate([embeddings.entropy, embeddings.entropy[:10]]),
    )
    taken: dict[str, float] = {}
    started = time.perf_counter()
    from dataclasses import replace

    grown = build_graph(more, previous=replace(graph, is_approximate=False))
    place(grown, known)
    taken["ten more"] = time.perf_counter() - started
    if with_map:
        started = time.perf_counter()
        made = build_graph(embeddings)
        taken["graph"] = time.perf_counter() - started
        started = time.perf_counter()
        fit_map(embeddings, made)
        taken["map"] = time.perf_counter() - started
    return taken


def _scan_s(folder: Path, count: int) -> float:
    from url_viz.images.scan import scan

    for start in range(0, count, 1000):
        inside = folder / f"{start:07d}"
        inside.mkdir(parents=True)
        for number in range(start, min(start + 1000, count)):
            os.close(os.open(inside / f"{number}.jpg", os.O_CREAT))
    started = time.perf_counter()
    assert len(scan(folder).files) == count
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
