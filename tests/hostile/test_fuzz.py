"""Random damage to valid pictures never raises, never hangs, never takes the reading process down."""

import json
import random
from pathlib import Path

import pytest

from tests.hostile.shard_mutants import mutant
from tests.imaging.test_shards import MADE
from tests.processes import run_python
from url_viz.base.errors import FolderError
from url_viz.imaging.containers.shards import Shards

MOST_SECONDS_A_FILE = 20
"""For a file of kilobytes that claims a hundred megapixels, on a busy machine; the median is under a millisecond."""
MOST_MIB = 4_000
FEW, COUNT = 600, 3_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "count"), [(0, FEW), *(pytest.param(COUNT * i, COUNT, marks=pytest.mark.torture) for i in range(34))]
)
def test_mutants_of_every_format_cost_one_row_each(tmp_path: Path, first: int, count: int) -> None:
    done = run_python("-m", "tests.hostile.fuzz", tmp_path, first, count)
    # A crash leaves the file that did it, under its number, in the folder.
    assert (done.returncode, [path.name for path in tmp_path.iterdir()]) == (0, []), done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert seen["raised"] == []
    assert seen["read"] + seen["refused"] == count
    assert min(seen["read"], seen["refused"]) > count // 10, "mutants that are all alike prove nothing"
    number, seconds = seen["slowest"]
    assert seconds < MOST_SECONDS_A_FILE, f"mutant {number}"
    assert seen["peak_mib"] < MOST_MIB


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "count"), [(0, 120), *(pytest.param(COUNT * i, COUNT, marks=pytest.mark.torture) for i in range(10))]
)
def test_mutants_of_containers_and_lists_give_a_sentence_or_rows(tmp_path: Path, first: int, count: int) -> None:
    done = run_python("-m", "tests.hostile.shard_mutants", tmp_path, first, count)
    assert (done.returncode, [path.name for path in tmp_path.iterdir()]) == (0, []), done.stderr[-2000:]
    seen, slowest_s = json.loads(done.stdout)
    assert sum(seen.values()) == count
    assert min(seen["read"], seen["refused"]) > count // 20, "mutants that are all alike prove nothing"
    assert slowest_s < MOST_SECONDS_A_FILE


@pytest.mark.parametrize("number", [1240, 28343])
def test_columns_that_lead_out_of_a_file_or_differ_in_length_are_a_sentence(tmp_path: Path, number: int) -> None:
    """Mutants of an Arrow file, at which the process ended, and of a Parquet file, which raised."""
    with pytest.raises(FolderError, match="cannot be read"):
        Shards(mutant(tmp_path, random.Random(number), MADE)).list()
