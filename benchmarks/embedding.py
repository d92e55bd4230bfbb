"""Embedding speed against a plain loop (timm, DataLoader, float32), the best tuned torch loop, and what is possible.

    python -m benchmarks.embedding [--pictures 1992] [--large 96] [--rounds 3] [--device cuda]
                                   [--fastdup VENV/bin/python] [--settings] [--cold]

Every contender reads the same JPEGs, of 500 × 375 and then of 4000 × 3000, in turn within a round; figures are medians
over rounds: pictures a second, and milliseconds of processor time a picture of all processes, which other work on the
machine disturbs less. The bound is decoding and the forward pass by themselves. With --device, the loops and ours run
there, and the bound is the forward pass there and decoding on all cores. Our reading also makes thumbnails and writes
the store, `embed_folder` measures qualities and makes graph and map besides; the loops and `predict` do not. The first
round, in which processes start and UMAP is imported, is not counted. fastdup, where the Python of an environment that
has it is told (`pip install fastdup`), runs its own small network, makes no thumbnails, and looks for duplicates; its
import is not counted. For fewer cores: `taskset -c 0`.

With --cold, of small pictures, the plain loop and the command `embed` by the default and in float32, each a process of
its own with its imports alone, and then the loop and `embed_folder` in a process that did the same before. Models are
converted and UMAP is compiled by then, as after the first set on a machine.

With --settings, our reading alone, by so many processes that decode and threads that read, and with queues of so many
pictures before the forward pass, beside the default. More of them than there are cores tell what they cost, and not
what more cores would give.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import machine, processor_seconds
from benchmarks.plain_loop import torch_loop
from url_viz.base.processes import usable_cores
from url_viz.base.progress import silent
from url_viz.base.workspace import Workspace
from url_viz.imaging.decode import read_file
from url_viz.imaging.scan import scan
from url_viz.imaging.workers import Decoders, fetch_and_decode
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT
from url_viz.models.runtime import Wait, devices
from url_viz.pipeline import embedded
from url_viz.pipeline.embed import embed
from url_viz.pipeline.embedded import Embed, embed_files
from url_viz.reading import embed_folder
from url_viz.store.tables.writer import Writer

SMALL = (500, 375)
LARGE = (4000, 3000)


@dataclass(frozen=True)
class Row:
    """One contender: pictures a second and processor milliseconds a picture, medians over rounds."""

    name: str
    per_s: float
    processor_ms: float


def ours(
    folder: Path, workspace: Path, precision: str, device: str, *, embed_by: Embed = embed_files
) -> Callable[[], None]:
    """Our pipeline into a fresh store: embeddings, scores and thumbnails written; graph and map are not counted."""
    model = load_model(DEFAULT, precision=precision, device=device, workspace=workspace)  # type: ignore[arg-type]

    def run() -> None:
        with tempfile.TemporaryDirectory() as home:
            opened = Workspace.at(Path(home))
            with Writer(opened.set_paths("0" * 16), folder) as writer:
                embed(model, scan(folder.resolve()), writer, limit=None, report=silent, embed_by=embed_by)

    return run


def with_settings(folder: Path, workspace: Path) -> dict[str, Callable[[], None]]:
    """Our reading by its defaults, by other numbers of processes and threads, and with other queues."""
    found = {BY_DEFAULT: ours(folder, workspace, "fast", "cpu")}
    for count in PROCESSES:
        by = partial(embed_files, by=Decoders(count), at_a_time=count)
        found[f"{count} processes and threads"] = ours(folder, workspace, "fast", "cpu", embed_by=by)
    for length in QUEUES:
        found[f"a queue of {length} pictures"] = partial(_queued, length, found[BY_DEFAULT])
    return found


def _queued(length: int, run: Callable[[], None]) -> None:
    before, embedded.READ_AHEAD = embedded.READ_AHEAD, length
    try:
        run()
    finally:
        embedded.READ_AHEAD = before


def with_its_map(folder: Path, workspace: Path, device: str, precision: str = "fast") -> Callable[[], None]:
    """`embed_folder` into a fresh store, to its map."""
    model = load_model(DEFAULT, precision=precision, device=device, workspace=workspace)  # type: ignore[arg-type]

    def run() -> None:
        with tempfile.TemporaryDirectory() as home:
            embed_folder(folder, model=model, workspace=home)

    return run


def plain_alone(folder: Path, device: str) -> Callable[[], None]:
    """The plain loop in a process of its own, which imports no more than it needs."""
    return partial(_process, "benchmarks.plain_loop", folder, device)


def embed_alone(folder: Path, device: str, precision: str) -> Callable[[], None]:
    """The command `embed` into a fresh workspace."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as home:
            options = ("--workspace", home, "--device", device, "--precision", precision, "--one-model")
            _process("url_viz", "embed", folder, *options)

    return run


def _process(module: str, *words: str | Path) -> None:
    subprocess.run([sys.executable, "-m", module, *words], check=True, capture_output=True)


def cold(count: int, rounds: int, device: str) -> None:
    """Measure whole processes, and print what each takes beside the plain loop."""
    with tempfile.TemporaryDirectory() as place:
        folder, workspace = Path(place) / "pictures", Path(place) / "workspace"
        files = write_pictures(folder, count)
        here = load_model(DEFAULT, device=device, workspace=workspace).space.precision
        precisions = {"fast": here} if here == "float32" else {"fast": here, "exact": "float32"}
        contenders: dict[str, Callable[[], float | None]] = {PLAIN: plain_alone(folder, device)}
        for precision, name in precisions.items():
            contenders[f"embed to its map ({name})"] = embed_alone(folder, device, precision)
        warm = torch_loop(files, channels_last=False, workers=0, batch=32, device=device)
        contenders[f"the same process again: {PLAIN}"] = warm
        for precision, name in precisions.items():
            again = with_its_map(folder, workspace, device, precision)
            contenders[f"the same process again: embed_folder ({name})"] = again
        rows = measure(contenders, count, rounds)
    print(f"| {count:,} JPEGs of {SMALL[0]} × {SMALL[1]} | s | × plain loop | processor s | × plain loop |")
    print("|---|---|---|---|---|")
    for name, row in rows.items():
        plain = rows[PLAIN if "again" not in name else f"the same process again: {PLAIN}"]
        ratios = row.per_s / plain.per_s, plain.processor_ms / row.processor_ms
        seconds = count / row.per_s, count * row.processor_ms / 1000
        print(f"| {name} | {seconds[0]:.1f} | {ratios[0]:.1f} | {seconds[1]:.1f} | {ratios[1]:.1f} |", flush=True)


def forward_only(files: list[Path], workspace: Path, device: str) -> Callable[[], None]:
    """The bare forward pass on crops that are in memory already, as many under way as the pipeline has."""
    model = load_model(DEFAULT, device=device, workspace=workspace)
    reading = fetch_and_decode(partial(read_file, bytes(files[0])), model.space.preprocessing)
    size = min(model.runtime.batch, len(files))
    crops = np.repeat(reading.crop[None], size, axis=0)  # type: ignore[union-attr]

    def run() -> None:
        under_way: deque[Wait] = deque()
        for _ in range(len(files) // size):
            under_way.append(model.start(crops))
            while len(under_way) > model.runtime.ahead:
                under_way.popleft()()
        for wait in under_way:
            wait()

    return run


def decode_only(files: list[Path], workspace: Path) -> Callable[[], None]:
    """Decoding, crop and thumbnail on one core."""
    preprocessing = load_model(DEFAULT, device="cpu", workspace=workspace).space.preprocessing

    def run() -> None:
        for path in files:
            fetch_and_decode(partial(read_file, bytes(path)), preprocessing)

    return run


def _predicted(model: Model, files: list[Path]) -> None:
    model.predict(files)


def fastdup_run(python: Path, folder: Path) -> Callable[[], float]:
    """fastdup over the same files, in a process of its own that tells how long its run took."""
    code = (
        "import sys, time, fastdup; started = time.perf_counter();"
        "fastdup.create(work_dir=sys.argv[2], input_dir=sys.argv[1]).run(overwrite=True, verbose=False);"
        "print('SECONDS', time.perf_counter() - started)"
    )

    def run() -> float:
        with tempfile.TemporaryDirectory() as work:
            done = subprocess.run(
                [python, "-c", code, folder, work],
                env={**os.environ, "SENTRY_OPT_OUT": "1"},
                capture_output=True,
                text=True,
                check=True,
            )
        return float(done.stdout.split("SECONDS")[-1])

    return run


def write_pictures(folder: Path, count: int, size: tuple[int, int] = SMALL) -> list[Path]:
    """JPEGs with the detail of photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    files = []
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        grain = rng.normal(0, 6, (size[1], size[0], 3))
        picture = np.clip(np.asarray(coarse, np.float32) + grain, 0, 255).astype(np.uint8)
        files.append(folder / f"{number:05d}.jpg")
        Image.fromarray(picture).save(files[-1], quality=88)
    return files


def measure(contenders: dict[str, Callable[[], float | None]], count: int, rounds: int) -> dict[str, Row]:
    """Run every contender once a round, in turn, the first time uncounted; one that returns seconds timed itself."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, run in contenders.items():
            started, used = time.perf_counter(), processor_seconds()
            own = run()
            seconds = own if own is not None else time.perf_counter() - started
            taken[name].append((seconds, processor_seconds() - used))
    medians = {
        name: [statistics.median(column) for column in zip(*times[1:], strict=True)] for name, times in taken.items()
    }
    return {name: Row(name, count / wall, 1000 * used / count) for name, (wall, used) in medians.items()}


PROCESSES, QUEUES = (1, 2, 4, 16), (16, 48, 384)
BY_DEFAULT = "by default"
PLAIN, FORWARD, DECODE = "plain loop (timm, DataLoader, float32)", "forward pass alone", "decoding alone, one core"


def contenders_of(
    folder: Path, files: list[Path], workspace: Path, fastdup: Path | None, device: str
) -> dict[str, Callable[[], float | None]]:
    """Who runs, by name: the loops, ours, and what these do by itself."""
    model = load_model(DEFAULT, device=device, workspace=workspace)
    cores, here = usable_cores(), model.space.precision
    found: dict[str, Callable[[], float | None]] = {
        PLAIN: torch_loop(files, channels_last=False, workers=0, batch=32, device=device),
        f"tuned torch loop (channels_last, {cores} workers)": torch_loop(
            files, channels_last=True, workers=cores, batch=16 if device == "cpu" else 256, device=device
        ),
        FORWARD: forward_only(files, workspace, device),
        DECODE: decode_only(files, workspace),
        f"predict ({here})": partial(_predicted, model, files),
        f"reading into a store ({here})": ours(folder, workspace, "fast", device),
        f"embed_folder to its map ({here})": with_its_map(folder, workspace, device),
    }
    if here != "float32":
        found["reading into a store (float32)"] = ours(folder, workspace, "exact", device)
    if fastdup is not None:
        found["fastdup (own small network, no thumbnails)"] = fastdup_run(fastdup, folder)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1992)
    parser.add_argument("--large", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--fastdup", type=Path, default=None)
    parser.add_argument("--settings", action="store_true", help="Processes, threads and queues, of small pictures.")
    parser.add_argument("--cold", action="store_true", help="Whole processes with their imports, of small pictures.")
    options = parser.parse_args()
    print(f"## Embedding on {devices().get(options.device, options.device)}\n\n{machine()}\n")
    if options.settings:
        settings(options.pictures, options.rounds)
        return
    if options.cold:
        cold(options.pictures, options.rounds, options.device)
        return
    for size, count in ((SMALL, options.pictures), (LARGE, options.large)):
        with tempfile.TemporaryDirectory() as place:
            folder, workspace = Path(place) / "pictures", Path(place) / "workspace"
            files = write_pictures(folder, count, size)
            contenders = contenders_of(folder, files, workspace, options.fastdup, options.device)
            rows = measure(contenders, count, options.rounds)
        report(rows, f"{count:,} JPEGs of {size[0]} × {size[1]}", options.device)


def settings(count: int, rounds: int) -> None:
    """Measure our reading by several settings, and print what each takes beside the default."""
    with tempfile.TemporaryDirectory() as place:
        folder, workspace = Path(place) / "pictures", Path(place) / "workspace"
        write_pictures(folder, count)
        rows = measure(dict(with_settings(folder, workspace)), count, rounds)
    cores = usable_cores()
    print(f"By default: {max(2, cores)} processes, {cores} threads, a queue of {embedded.READ_AHEAD} pictures.\n")
    print(f"| {count:,} JPEGs of {SMALL[0]} × {SMALL[1]} | a second | processor ms | × default |\n|---|---|---|---|")
    for row in rows.values():
        ratio = row.processor_ms / rows[BY_DEFAULT].processor_ms
        print(f"| {row.name} | {row.per_s:.0f} | {row.processor_ms:.1f} | {ratio:.2f} |", flush=True)


def report(rows: dict[str, Row], title: str, device: str) -> None:
    """Print the table: ratios to the plain loop, and how much of what is possible is reached."""
    forward, decode, cores = rows[FORWARD], rows[DECODE], usable_cores()
    per_s = 1 / (1 / forward.per_s + 1 / (decode.per_s * cores))
    bound = Row(f"bound: 1 / (1/forward + 1/({cores} × decoding))", per_s, forward.processor_ms + decode.processor_ms)
    print(f"| {title} | a second | × plain loop | processor ms | × plain loop | of the bound, by processor time |")
    print("|---|---|---|---|---|---|")
    for row in (*rows.values(), bound):
        ratios = row.per_s / rows[PLAIN].per_s, rows[PLAIN].processor_ms / row.processor_ms
        share = f"{bound.processor_ms / row.processor_ms:.2f}" if device == "cpu" else ""
        print(
            f"| {row.name} | {row.per_s:.0f} | {ratios[0]:.1f} | {row.processor_ms:.1f} | {ratios[1]:.1f} | {share} |"
        )
    print(flush=True)


if __name__ == "__main__":
    main()
