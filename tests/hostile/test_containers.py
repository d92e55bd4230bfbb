"""A container or list that was made to end, hang or fill its reader costs its own rows, and the reader no memory."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hostile.hostile_shards import GOOD, HOSTILE
from tests.processes import run_python
from url_viz.base.errors import FolderError, ImageError
from url_viz.imaging.source import source_of

MOST_MIB = 700
"""Of the process that asks for them; that which was unpacked at once took twice that and more."""
READ = """
import json, os, sys, traceback
from pathlib import Path
import pyarrow
from tests.hostile.test_containers import outcome
for path in map(Path, sys.argv[1:]):
    if child := os.fork():
        os.waitpid(child, 0)
        continue
    try:
        said = outcome(path)
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        print(json.dumps([path.parent.name, *said, int(peak.split()[1]) / 1024]), flush=True)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)
"""
"""Each source in a process of its own, whose imports are done in the one above."""

SHRINK = """
import os, sys, threading
from pathlib import Path
import pyarrow as pa
from url_viz.base.errors import FolderError
from url_viz.imaging.source import source_of
path = Path(sys.argv[1])
made = pa.table({"image": [b"x" * 100] * 300_000})
for delay_s in (5, 0.02, 0.05, 0.1, 0.2):  # the first time as a process starts
    with pa.ipc.new_stream(str(path), made.schema) as writer:
        writer.write_table(made, max_chunksize=1000)
    shrinking = threading.Timer(delay_s, os.truncate, (path, 1000))
    shrinking.start()
    try:
        print(len(source_of(path).list().files))
    except FolderError as error:
        print(error)
    shrinking.join()
"""
PREVIEW = """
import sys
from pathlib import Path
from url_viz.imaging.source import preview_folder
from url_viz.imaging.source import Objects
print(next(preview_folder(Path(sys.argv[1]))).text)
print(len(Objects(Path(sys.argv[1])).list().files))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 1024)
"""


def outcome(path: Path) -> tuple[int, list[str]]:
    """How many pictures of a source can be read, and the reasons why the others cannot."""
    good, reasons = 0, []
    try:
        source = source_of(path)
        for file in source.list().files:
            try:
                good += len(source.read(file)) > 0
            except ImageError as error:
                reasons.append(str(error))
    except FolderError as error:
        reasons.append(str(error))
    return good, reasons


@dataclass(frozen=True)
class Read:
    """What was said of each source: pictures, reasons and peak of memory in MiB by its name; and all errors."""

    said: dict[str, tuple[int, list[str], float]]
    errors: str


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    folder, made = tmp_path_factory.mktemp("containers"), []
    for number, hostile in enumerate(HOSTILE.values()):
        made.append(folder / str(number) / f"made{hostile.ending}")
        made[-1].parent.mkdir()
        hostile.write(made[-1])
    done = run_python("-c", READ, *made)
    lines = (json.loads(line) for line in done.stdout.splitlines())
    return Read({list(HOSTILE)[int(number)]: tuple(said) for number, *said in lines}, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_it_costs_its_own_rows_and_no_memory(read: Read, name: str) -> None:
    hostile = HOSTILE[name]
    assert name in read.said, read.errors[-2000:]
    good, reasons, peak_mib = read.said[name]
    assert good == hostile.good
    assert bool(reasons) == bool(hostile.why)
    assert all(re.search(hostile.why, why) for why in reasons), reasons[:3]
    assert peak_mib < MOST_MIB


@pytest.mark.slow
def test_an_arrow_file_that_shrinks_while_it_is_read_is_a_sentence(tmp_path: Path) -> None:
    done = run_python("-c", SHRINK, tmp_path / "made.arrow")
    assert done.returncode == 0, "SIGBUS"
    assert len(done.stdout.splitlines()) == 5
    assert re.search("SIGBUS|cannot be read|and cannot in", done.stdout)


@pytest.mark.slow
def test_a_large_annotation_file_takes_no_memory_here(tmp_path: Path) -> None:
    """Of 36 MB, which Python has as 900."""
    (tmp_path / "0.png").write_bytes(GOOD)
    rows = '"images": [{"id": 1, "file_name": "0.png"}], "categories": [{"id": 1, "name": "a"}]'
    box = '"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]}]'
    (tmp_path / "instances.json").write_text(f'{{{rows}, {box}, "rest": [{"[]," * 12_000_000}[]]}}')
    done = run_python("-c", PREVIEW, tmp_path / "instances.json", check=True)
    said, objects, peak_mib = done.stdout.splitlines()
    assert said == "1 object of 1 class in 1 picture, as COCO"
    assert int(objects) == 1
    assert float(peak_mib) < MOST_MIB
