"""What one decision costs where ten, a thousand or a hundred thousand were made before, and what many at once cost.

    python -m benchmarks.decision_log [--files 100000] [--before 10 1000 100000] [--at-once 20000]

Each number before is so many actions on one picture each, of a set of so many files. Medians of thirty, in CPU
milliseconds: a decision, an answer on a pair, undo, what is decided read after one of them; once, the first reading in
a new process, and the check of all that is stored; and the size of the file.

Then, in an empty log: decisions on many pictures as one action, undone, and a label each of their own; and decisions of
two processes at once, in milliseconds of time for each action.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import FileKeys
from url_viz.store.decisions.decision_transaction import PICTURE
from url_viz.store.decisions.decisions import Decisions

TURNS = 30
TURNS_OF_WRITER = 300


def measured(folder: Path, before: int, files: FileKeys) -> dict[str, float]:
    """Milliseconds by what is done, where `before` actions were done."""
    path = folder / f"{before}" / "decisions.db"
    path.parent.mkdir()
    seed(path, files, before)
    decisions, answers = Decisions(path, files), Answers(path)
    first = _ms(decisions.now)
    rest = files.id[-TURNS - 1 :].tolist()
    decisions.decide(rest[:1], "drop")
    answers.answer({(1, 2): True})
    return {
        "first reading": first,
        "decision": _median([lambda one=one: decisions.decide([one], "drop") for one in rest[1:]]),
        "answer": _median([lambda one=one: answers.answer({(one, 3): True}) for one in rest]),
        "undo": _median([decisions.undo] * TURNS),
        "decision and reading": _median([lambda one=one: _both(decisions, one) for one in rest]),
        "check": _ms(DecisionLog(path).verify),
        "MB": path.stat().st_size / 1e6,
    }


def seed(path: Path, files: FileKeys, count: int) -> None:
    """Decide on so many pictures, each by an action of its own, in one transaction."""
    with DecisionLog(path).writing() as transaction:
        for image_id, content in zip(files.id[:count].tolist(), files.content[:count].tolist(), strict=True):
            transaction.record("kept 1 picture", 1, [(PICTURE, image_id, content, None, "keep")], who="")


def at_once(folder: Path, files: FileKeys, count: int) -> dict[str, float]:
    """Milliseconds of actions on many pictures, and of one of two processes."""
    decisions, some = Decisions(folder / "once.db", files), files.id[:count].tolist()
    figures = {
        "decided": _ms(lambda: decisions.decide(some, "drop")),
        "undone": _ms(decisions.undo),
        "labelled": _ms(lambda: decisions.label({one: f"label {one}" for one in some}, source="folders")),
    }
    parts = [(folder / "two.db", files, first) for first in (0, TURNS_OF_WRITER)]
    start = time.perf_counter()
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.starmap(_write, parts, chunksize=1)
    return figures | {"two writers": (time.perf_counter() - start) * 1000 / (2 * TURNS_OF_WRITER)}


def _write(path: Path, files: FileKeys, first: int) -> None:
    decisions = Decisions(path, files)
    for one in files.id[first : first + TURNS_OF_WRITER].tolist():
        decisions.decide([one], "drop")


def _both(decisions: Decisions, one: int) -> None:
    decisions.decide([one], "look-again")
    decisions.now()


def _ms(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return (time.process_time() - start) * 1000


def _median(acts: list[Callable[[], object]]) -> float:
    return float(np.median([_ms(act) for act in acts]))


def _print(rows: dict[str, dict[str, float]]) -> None:
    names = list(next(iter(rows.values())))
    print(f"{'':>14}", *(f"{name:>20}" for name in names))
    for title, figures in rows.items():
        print(f"{title:>14}", *(f"{figures[name]:>20.2f}" for name in names))


def main() -> None:
    """Print a table, a line a number of actions before, and one of many at once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--before", type=int, nargs="+", default=[10, 1000, 100_000])
    parser.add_argument("--at-once", type=int, default=20_000)
    arguments = parser.parse_args()
    ids = np.random.default_rng(0).integers(-(2**62), 2**62, arguments.files)
    files = FileKeys(ids, ids[::-1].copy())
    with tempfile.TemporaryDirectory() as folder:
        _print({f"{before:,} before": measured(Path(folder), before, files) for before in arguments.before})
        _print({f"{arguments.at_once:,}": at_once(Path(folder), files, arguments.at_once)})


if __name__ == "__main__":
    main()
