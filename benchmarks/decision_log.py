"""What one decision costs where ten, a thousand or a hundred thousand were made before.

    python -m benchmarks.decision_log [--files 100000] [--before 10 1000 100000]

Each number before is so many actions on one picture each, of a set of so many files. Medians of thirty, in CPU
milliseconds: a decision, an answer on a pair, undo, what is decided read after one of them, and the first reading in
a new process.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from url_viz.store.decisions.answers import Answers
from url_viz.store.decisions.decision_log import DecisionLog
from url_viz.store.decisions.decision_rows import Changes, FileKeys, absent, undecided
from url_viz.store.decisions.decisions import Decisions

TURNS = 30


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
    }


def seed(path: Path, files: FileKeys, count: int) -> None:
    """Decide on so many pictures, each by an action of its own, in one transaction."""
    with DecisionLog(path).writing() as transaction:
        for at in range(count):
            before = absent(undecided(files.id[[at]], files.content[[at]]))
            changes = Changes(before, replace(before, code=np.ones(1, np.int8)))
            transaction.record("kept 1 picture", 1, changes, who="")


def _both(decisions: Decisions, one: int) -> None:
    decisions.decide([one], "look-again")
    decisions.now()


def _ms(act: Callable[[], object]) -> float:
    start = time.process_time()
    act()
    return (time.process_time() - start) * 1000


def _median(acts: list[Callable[[], object]]) -> float:
    return float(np.median([_ms(act) for act in acts]))


def main() -> None:
    """Print a table, a line a number of actions before."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--before", type=int, nargs="+", default=[10, 1000, 100_000])
    arguments = parser.parse_args()
    ids = np.random.default_rng(0).integers(-(2**62), 2**62, arguments.files)
    files = FileKeys(ids, ids[::-1].copy())
    with tempfile.TemporaryDirectory() as folder:
        rows = {before: measured(Path(folder), before, files) for before in arguments.before}
    names = list(next(iter(rows.values())))
    print(f"{'actions before':>14}", *(f"{name:>22}" for name in names))
    for before, figures in rows.items():
        print(f"{before:>14,}", *(f"{figures[name]:>22.2f}" for name in names))


if __name__ == "__main__":
    main()
