"""Cost of reading shards against the same files in a folder: `python -m benchmarks.sources [FOLDER] [--million]`.

The same pictures are read in turn within a round from a folder, a tar and a zip file, a Parquet and an Arrow file, and
a list. Reading is listing, decoding, thumbnail and forward pass; nothing is stored. Ratios are of medians of processor
time of all processes. Beside them is what it takes until a source is listed, most of it the start of the process that
unpacks, whatever the number of pictures, and the ratio without that. Without FOLDER 800 pictures of 500 × 375 are made
here. With `--million` also how long a source takes to list a million rows (1,000 tar shards with a class beside each
picture, and one Parquet file), and how much memory the process takes.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.machine import machine
from benchmarks.objects import read_whole, taken_s
from url_viz.imaging.scan import EXTENSIONS
from url_viz.imaging.source import source_of
from url_viz.models.model import load_model
from url_viz.models.model_names import DEFAULT

PICTURES, SIZE = 800, (500, 375)
SHARDS, IN_A_SHARD = 1_000, 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.list is not None:
        _list(options.list)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or _made(Path(place) / "made")
        print(_compared(folder.resolve(), Path(place), rounds=options.rounds))
        if options.million:
            print(_listed(Path(place)))


def _compared(folder: Path, place: Path, *, rounds: int) -> str:
    model = load_model(DEFAULT, device="cpu", workspace=place)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower().encode() in EXTENSIONS)
    sources = {kind: write(folder, files, place / f"pictures{kind}") for kind, write in KINDS.items()}
    roots = {"folder": folder, **sources}
    ways = [partial(read_whole, source_of(root), model) for root in roots.values()]
    seconds = np.array([[taken_s(way) for way in ways] for _ in range(rounds + 1)])[1:]  # the first warms up
    lists = [source_of(root).list for root in roots.values()]
    until_listed = np.median([[taken_s(way) for way in lists] for _ in range(rounds)], axis=0)
    whole, rest = (
        dict(zip(roots, np.median(of[:, :1] / of, axis=0), strict=True)) for of in (seconds, seconds - until_listed)
    )
    lines = [
        f"- {kind}: {whole[kind]:.2f} of the folder's speed; {listed:.2f} s until it is listed, {rest[kind]:.2f} after"
        for kind, listed in zip(roots, until_listed, strict=True)
    ]
    head = f"## Shards\n\n{machine()}\n\n{len(files):,} pictures, medians of {rounds} rounds of processor time.\n"
    return "\n".join([head, *lines, ""])


def _tar(folder: Path, files: list[Path], out: Path) -> Path:
    with tarfile.open(out, "w") as archive:
        for path in files:
            archive.add(path, path.relative_to(folder))
    return out


def _zip(folder: Path, files: list[Path], out: Path) -> Path:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.writestr(str(path.relative_to(folder)), path.read_bytes())
    return out


def _table(files: list[Path]) -> pa.Table:
    return pa.table({"image": [{"bytes": path.read_bytes(), "path": path.name} for path in files]})


def _parquet(_: Path, files: list[Path], out: Path) -> Path:
    pq.write_table(_table(files), out, row_group_size=100)
    return out


def _arrow(_: Path, files: list[Path], out: Path) -> Path:
    table = _table(files)
    with pa.ipc.new_stream(str(out), table.schema) as writer:
        writer.write_table(table, max_chunksize=1000)
    return out


def _csv(_: Path, files: list[Path], out: Path) -> Path:
    out.write_text("\n".join(["path", *map(str, files)]), encoding="utf-8")
    return out


KINDS: dict[str, Callable[[Path, list[Path], Path], Path]] = {
    ".tar": _tar,
    ".zip": _zip,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".csv": _csv,
}


def _made(folder: Path) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = rng.integers(0, 256, (38, 50, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC).save(folder / f"{number:05d}.jpg", quality=90)
    return folder


def _listed(place: Path) -> str:
    """What listing a million rows takes, each kind in a process of its own."""
    (place / "shards").mkdir()
    for number in range(SHARDS):
        _sample_shard(place / "shards" / f"{number:05d}.tar")
    rows = SHARDS * IN_A_SHARD
    made = pa.table({"image": pa.array([b"x"] * rows, pa.binary()), "label": np.arange(rows) % 100})
    pq.write_table(made, place / "million.parquet", row_group_size=1000)
    lines = []
    for root in (place / "shards", place / "million.parquet"):
        command = [sys.executable, "-m", "benchmarks.sources", "--list", str(root)]
        lines.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return "".join(lines)


def _sample_shard(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for number in range(IN_A_SHARD):
            for ending, data in (("jpg", b"x"), ("cls", b"%d" % (number % 100))):
                member = tarfile.TarInfo(f"{path.stem}{number:05d}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def _list(root: Path) -> None:
    start = time.perf_counter()
    found = source_of(root).list()
    took = time.perf_counter() - start
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(f"- {len(found.files):,} rows of {root.name}: listed in {took:.0f} s, peak of the process {peak_mb:,.0f} MB")


if __name__ == "__main__":
    main()
