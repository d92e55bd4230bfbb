"""What Ray costs on one machine, and how many pictures a second one command can store for many.

    python -m benchmarks.cluster [--pictures 2000] [--workers 1 2] [--rounds 2] [--stored 100000]

The first table reads the same JPEGs by the plain command and by `--ray local`: wall and CPU seconds of all processes,
start, graph and map included. The second stores answers as workers give them, with thumbnails of 14 kB and 1,280
numbers: the most that the driver of a cluster does alone, whatever the workers do.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from benchmarks.machine import machine
from tests.imaging.pictures import encoded, noise
from url_viz.base.progress import Progress
from url_viz.base.workspace import Workspace
from url_viz.imaging.scan import Scan, ScannedFile
from url_viz.models.model import load_model
from url_viz.pipeline.cluster.chunks import MOST_FILES
from url_viz.pipeline.embed import embed
from url_viz.pipeline.embedded import EmbeddedFiles, Embedding, Row
from url_viz.store.tables.tables import Embeddings
from url_viz.store.tables.writer import Writer

THUMBNAIL_BYTES = 14_000
SIZE = 1280
SAMPLE_S = 0.1


def write_pictures(folder: Path, count: int) -> None:
    """JPEGs of 500 × 375, each another."""
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(encoded(noise(number, width=500, height=375), quality=90))


def seconds_of(folder: Path, prepared: Path, *options: str) -> tuple[float, float]:
    """Wall and CPU seconds of one command into a new workspace, in which the model is prepared already."""
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "models").symlink_to(prepared / "models")
        words = [sys.executable, "-m", "url_viz", "embed", str(folder), "--workspace", home, "--device", "cpu"]
        start, cpu_s = time.perf_counter(), {}
        with subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while run.poll() is None:
                cpu_s |= _cpu_s_of(psutil.Process(run.pid))
                time.sleep(SAMPLE_S)
        assert not run.returncode
        return time.perf_counter() - start, sum(cpu_s.values())


def _cpu_s_of(process: psutil.Process) -> dict[int, float]:
    """CPU seconds so far of a process and all below it, by number; what each uses after the last look is missed."""
    used = {}
    with suppress(psutil.NoSuchProcess):
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                used[one.pid] = times.user + times.system
    return used


def answers(
    embedding: Embedding, files: Sequence[ScannedFile], *, thumbnail: bytes
) -> Generator[EmbeddedFiles, None, None]:
    """What workers would answer, made of dice."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (MOST_FILES, SIZE)).astype(np.float16)
    for start in range(0, len(files), MOST_FILES):
        some = files[start : start + MOST_FILES]
        rows = (Row(f.id, f.path, f.size_bytes, f.mtime_ns, f.id, 500, 375, thumbnail) for f in some)
        content = np.array([file.id for file in some], np.int64)
        yield EmbeddedFiles(tuple(rows), (Embeddings(content, values[: len(some)], np.zeros(len(some), np.float32)),))


def stored_a_second(count: int, prepared: Path) -> list[tuple[int, float]]:
    """Pictures stored so far, and how many a second since the last such line."""
    model = load_model(device="cpu", workspace=prepared)
    files = tuple(ScannedFile(b"%08d.jpg" % number, 1, 1) for number in range(count))
    lines, last = [], [0, time.perf_counter()]

    def report(progress: Progress) -> None:
        if progress.done - last[0] >= count / 5:
            now = time.perf_counter()
            lines.append((progress.done, (progress.done - last[0]) / (now - last[1])))
            last[:] = progress.done, now

    embed_by = partial(answers, thumbnail=os.urandom(THUMBNAIL_BYTES))
    with tempfile.TemporaryDirectory() as home, Writer(Workspace.at(home).set_paths("0" * 16), Path(home)) as writer:
        embed(model, Scan(Path(home), files), writer, limit=None, report=report, embed_by=embed_by)
    return lines


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--stored", type=int, default=100_000)
    pending = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as there:
        prepared, folder = Path(there) / "prepared", Path(there) / "pictures"
        load_model(device="cpu", workspace=prepared)
        folder.mkdir()
        write_pictures(folder, pending.pictures)
        seconds_of(folder, prepared)  # compiles what later runs find compiled
        for workers in (0, *pending.workers) * pending.rounds:
            options = ["--ray", "local", "--workers", str(workers)] if workers else []
            wall_s, cpu_s = seconds_of(folder, prepared, *options)
            print(f"{' '.join(options) or 'plain':24} {wall_s:6.1f} s, {cpu_s:6.1f} CPU s, {pending.pictures} pictures")
        for done, a_second in stored_a_second(pending.stored, prepared) if pending.stored else ():
            print(f"stored {done:>9,}: {a_second:,.0f} a second")


if __name__ == "__main__":
    main()
