"""Head training at the paper's scale: peak memory and rows a second on a synthetic cache of ten million rows.

    python -m benchmarks.scale_training [--rows 10000000] [--size 192] [--epochs 3] [--folder DIR]

The cache is written straight in the store's format, with seven views of each picture as in the paper, trained on by
`training.train --preset paper` in a process of its own, and deleted. Values are random; neither memory nor speed
depends on them. Up to 4 GiB of training rows stay in memory; try --size 256 for rows that are read from disk.
"""

import argparse
import csv
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.machine import machine
from training.config import PRESETS
from training.store import ROW, Manifest, Shard, open_for_writing, write_loss, write_shard

VIEWS = 7
SHARD_PICTURES = 20_000
ROOM = 1.3
"""Free disk that is asked for, as a multiple of the embeddings."""
POLL_SECONDS = 0.05
MIB = 1 << 20


@dataclass(frozen=True)
class Peak:
    """Highest memory of a process in bytes: all of its resident pages, and those that no file backs."""

    resident: int = 0
    anonymous: int = 0


def main() -> None:
    """Write the cache, train on it, print the figures, and clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--size", type=int, default=192, help="numbers of an embedding")
    parser.add_argument("--epochs", type=int, default=3, help="mini-epochs of the paper's 200,000 rows")
    parser.add_argument("--folder", type=Path, default=None, help="where there is room; by default the system's")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        refuse_full_disk(folder, options.rows, options.size)
        started = time.perf_counter()
        rows = written(folder / "cache", options.rows, options.size)
        print(f"## Training at scale\n\n{machine()}\n")
        print(f"{rows:,} rows of {options.size} numbers written in {time.perf_counter() - started:,.0f} s.")
        report(*trained(folder, options.epochs))


def refuse_full_disk(folder: Path, rows: int, size: int) -> None:
    """Exit with a sentence if the cache would not fit."""
    needed, free = ROOM * 2 * rows * size, shutil.disk_usage(folder).free
    if needed > free:
        sys.exit(
            f"{folder} has {free / 1e9:.1f} GB free, and the cache needs {needed / 1e9:.1f}. Give another --folder."
        )


def written(folder: Path, rows: int, size: int) -> int:
    """Write a cache of about so many rows, one block of noise moved a bit for each shard → how many."""
    pictures = max(2, rows // VIEWS)
    manifest = Manifest("made", "0", {}, "bf16", {}, 0, "0", pictures, (), SHARD_PICTURES)
    paths, generator = open_for_writing(folder, manifest), np.random.default_rng(0)
    block = generator.standard_normal((VIEWS * SHARD_PICTURES, size), np.float32).astype(np.float16)
    loss = []
    for number in range(manifest.shards):
        count = min(SHARD_PICTURES, pictures - number * SHARD_PICTURES)
        embedding = block[: VIEWS * count] + np.float16(number / manifest.shards)
        rows_of_shard = _rows(number, count, generator)
        places = number * SHARD_PICTURES + np.arange(count)
        write_shard(paths, number, Shard(embedding, rows_of_shard, embedding[::VIEWS].copy(), places))
        loss.append(np.exp(embedding[:, 0].astype(np.float32)))
    write_loss(paths, np.concatenate(loss), {"target": "labels"})
    return VIEWS * pictures


def _rows(number: int, pictures: int, generator: np.random.Generator) -> np.ndarray:
    """The rows (R,) of a shard."""
    rows = np.zeros(VIEWS * pictures, ROW)
    rows["picture"] = np.repeat(number * SHARD_PICTURES + np.arange(pictures), VIEWS)
    rows["id"] = np.repeat(generator.integers(1 << 62, size=pictures), VIEWS)
    rows["label"] = np.repeat(generator.integers(21_843, size=pictures), VIEWS)
    return rows


def trained(folder: Path, epochs: int) -> tuple[Peak, float, list[float], int]:
    """Train in another process: its peak memory, seconds in all, seconds of each mini-epoch, rows of one."""
    recipe = replace(PRESETS["paper"], epochs=epochs)
    out = folder / "run"
    words = ["--cache", folder / "cache", "--out", out, "--preset", "paper", "--epochs", epochs, "--device", "cpu"]
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "training.train", *map(str, words)])
    peak = Peak()
    while process.poll() is None:
        now = memory_of(process.pid)
        peak = Peak(max(peak.resident, now.resident), max(peak.anonymous, now.anonymous))
        time.sleep(POLL_SECONDS)
    if process.returncode:
        sys.exit(f"training.train ended with status {process.returncode}.")
    seconds = time.perf_counter() - started
    with (out / "history.csv").open() as file:
        each = [float(line["seconds"]) for line in csv.DictReader(file)]
    assert recipe.epoch_rows is not None
    return peak, seconds, each, recipe.epoch_rows


def memory_of(pid: int) -> Peak:
    """Memory of a process now; nothing if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return Peak()
    sizes = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    resident, anonymous = (int(sizes.get(name, ["0"])[0]) << 10 for name in ("VmHWM", "RssAnon"))
    return Peak(resident, anonymous)


def report(peak: Peak, seconds: float, each: list[float], epoch_rows: int) -> None:
    """Print the figures."""
    rate, around = epoch_rows / statistics.median(each), seconds - sum(each)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"\nPeak memory {peak.resident / MIB:,.0f} MiB, {peak.anonymous / MIB:,.0f} of them not backed by files; the "
        f"rest is page cache, which the system may take back.\n{rate:,.0f} rows a second, choice of the epoch "
        f"included (median of {len(each)} mini-epochs of {epoch_rows:,} rows); {around:,.0f} s before the first and "
        f"after the last; {used.ru_utime + used.ru_stime:,.0f} s of processor time in all."
    )


if __name__ == "__main__":
    main()
