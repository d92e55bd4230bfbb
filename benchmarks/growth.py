"""Time and memory against the number of pictures: `python -m benchmarks.growth [--most 100000] [--map]`.

Synthetic image sets of 1,280 numbers a picture (beyond a million: 128), in steps of ten. Each phase runs in a process
of its own, whose peak of resident memory is told. What a reading prepares at its end (classes judged, rows to search
among) is timed by itself; then the first opening, and another one. Scanning is timed on real, empty files. With
`--map`, the graph and the map are made too (beyond 150,000 rows the graph is approximate, and the map is fitted on
100,000 and the others placed).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machine import machine

MOST_SCANNED = 100_000
MOST_OF_FULL_SIZE = 1_000_000
"""Beyond it embeddings have 128 numbers and thumbnails 64 pixels, to fit a disk: ten million take 17 GB."""
Taken = dict[str, float]


def main() -> None:
    """Run every size, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=int, default=1000)
    parser.add_argument("--most", type=int, default=100_000)
    parser.add_argument("--map", action="store_true")
    parser.add_argument("--phase", nargs=3, metavar=("NAME", "COUNT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.phase:
        name, count, folder = options.phase
        taken = PHASES[name](Path(folder), int(count))
        print(json.dumps(taken | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))
        return
    phases = [name for name in PHASES if options.map or name not in ("graph", "map")]
    print(f"## Growth\n\n{machine()}\n\nSeconds; peak of resident memory in GiB, a process a group of columns.\n")
    _table(phases, options.least, options.most)


def _table(phases: list[str], least: int, most: int) -> None:
    count = least
    while count <= most:
        with tempfile.TemporaryDirectory() as place:
            taken = {name: _run(name, count, Path(place)) for name in phases}
        if count == least:
            columns = [f"{column}" for name in phases for column in taken[name]]
            print(f"| pictures | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
        cells = [
            f"{value:.1f}" if column == "peak" else f"{value:.2f}"
            for t in taken.values()
            for column, value in t.items()
        ]
        print(f"| {count:,} | {' | '.join(cells)} |", flush=True)
        count *= 10
    print()


def _run(name: str, count: int, place: Path) -> Taken:
    command = [sys.executable, "-m", "benchmarks.growth", "--phase", name, str(count), str(place)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _timed(taken: Taken, name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    taken[name] = time.perf_counter() - started


def _scan(place: Path, count: int) -> Taken:
    from url_viz.imaging.scan import scan

    taken: Taken = {}
    if count > MOST_SCANNED:
        return {"scan": float("nan")}
    folder = place / "files"
    for start in range(0, count, 1000):
        inside = folder / f"{start:07d}"
        inside.mkdir(parents=True)
        for number in range(start, min(start + 1000, count)):
            os.close(os.open(inside / f"{number}.jpg", os.O_CREAT))
    with _timed(taken, "scan"):
        assert len(scan(folder).files) == count
    return taken


def _store(place: Path, count: int) -> Taken:
    from benchmarks.synthetic import write_synthetic_set
    from url_viz.base.workspace import Workspace
    from url_viz.image_set import open_image_set
    from url_viz.reading import prepare

    taken: Taken = {}
    options = {"size": 128, "thumbnail_px": 64} if count > MOST_OF_FULL_SIZE else {}
    with _timed(taken, "store"):
        write_synthetic_set(Workspace.at(place / "workspace"), place / "pictures", count, **options)
    with _timed(taken, "prepare"):  # as a reading does at its end, so that nobody waits for it
        prepare(open_image_set(place / "pictures", workspace=place / "workspace"))
    return taken


def _open(place: Path, count: int) -> Taken:
    from url_viz.drawing.points import encode_points, map_points
    from url_viz.image_set import open_image_set

    taken: Taken = {}
    for name in ("first open", "open again"):
        with _timed(taken, name):
            image_set = open_image_set(place / "pictures", workspace=place / "workspace")
            table = image_set.table()
        assert len(table) == count
    with _timed(taken, "points"):
        encode_points(map_points(table))
    return taken


def _search(place: Path, count: int) -> Taken:
    from url_viz.image_set import open_image_set

    taken: Taken = {}
    image_set = open_image_set(place / "pictures", workspace=place / "workspace")
    table = image_set.table()
    with _timed(taken, "first search"):
        image_set.search(int(table["id"].iloc[0]))
    with _timed(taken, "search"):
        image_set.search(int(table["id"].iloc[count // 2]))
    return taken


def _grow(place: Path, count: int) -> Taken:
    """Ten pictures more: everything read, the ten matched with all, and placed on the map."""
    from url_viz.base.rows import EXACT_ROWS
    from url_viz.pipeline.graph import updated_graph
    from url_viz.pipeline.postprocess import raw_embeddings
    from url_viz.pipeline.projection import place as placed
    from url_viz.pipeline.whitening import whitened_rows

    taken: Taken = {}
    with _writer(place) as (writer, key):
        ten = writer.embeddings(key).rows_at(np.arange(10))
        ten = replace(ten, content=np.arange(10) + 2**62, embedding=ten.embedding + np.float16(0.1))
        graph, known = writer.graph(key), writer.coordinates(key)
        assert graph is not None
        assert known is not None
        writer.add_embeddings(key, ten)
        with _timed(taken, "ten more"):
            content = np.sort(np.append(graph.content, ten.content))
            raw = raw_embeddings(writer, key, content)
            whitened = whitened_rows(content, raw, stored=writer.whitened(key))
            before = replace(graph, is_approximate=len(content) > EXACT_ROWS)
            placed(updated_graph(before, whitened, raw), known)
    return taken


def _graph(place: Path, count: int) -> Taken:
    from url_viz.pipeline.graph import updated_graph
    from url_viz.pipeline.postprocess import columns_of, current_contents, raw_embeddings
    from url_viz.pipeline.whitening import whitened_rows

    taken: Taken = {}
    with _writer(place) as (writer, key):
        content = current_contents(writer, key)
        raw = raw_embeddings(writer, key, content)
        with _timed(taken, "whitened"):
            whitened = whitened_rows(content, raw)
        with _timed(taken, "graph"):
            graph = updated_graph(None, whitened, raw)
            told = columns_of(graph)
        writer.put_whitened(key, whitened)
        writer.put_graph(key, graph, told)
    return taken


def _map(place: Path, count: int) -> Taken:
    from url_viz.pipeline.projection import fit_map

    taken: Taken = {}
    with _writer(place) as (writer, key):
        graph = writer.graph(key)
        assert graph is not None
        whitened = writer.whitened(key)
        assert whitened is not None
        with _timed(taken, "map"):
            fit_map(whitened, graph)
    return taken


@contextmanager
def _writer(place: Path):  # type: ignore[no-untyped-def]
    """The set's writer and the key of its space."""
    from url_viz.base.workspace import Workspace, set_id_of
    from url_viz.store.tables.writer import Writer

    root = place / "pictures"
    with Writer(Workspace.at(place / "workspace").set_paths(set_id_of(root.resolve())), root) as writer:
        yield writer, writer.about().spaces[-1].key


PHASES: dict[str, Callable[[Path, int], Taken]] = {
    "scan": _scan,
    "store": _store,
    "open": _open,
    "search": _search,
    "grow": _grow,
    "graph": _graph,
    "map": _map,
}


if __name__ == "__main__":
    main()
