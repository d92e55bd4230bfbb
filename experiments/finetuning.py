"""What finetuning the whole model gains by its defaults: `python -m experiments.finetuning [RUN …]`.

Each RUN is the folder that `python -m training.finetune --mode full --data SET --out RUN` left, named like its set.
Without one the table of docs/training.md is printed from finetuning.json.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.figure_files import read_figures, write_figures
from training.command import cell, markdown
from training.store import RunPaths
from url_viz.base.wording import MISSING
from url_viz.evidence.holdout_report import BEFORE, TITLES, figures_from

FIGURES = Path(__file__).with_suffix(".json")
MEASURES = ("accuracy", "recall_at_1", "r_auroc")
OF_CONFIG = ("model", "seed", "limit", "told")
DIGITS = 4


def main() -> None:
    """Store the reports of runs if there are any, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="*")
    given = parser.parse_args()
    if given.runs:
        write_figures(of_runs(given.runs), FIGURES, digits=DIGITS)
    print(table(read_figures(FIGURES)))


def of_runs(runs: Sequence[Path]) -> dict[str, Any]:
    """The report and what was asked for of each run, by its name."""
    found = {}
    for run in runs:
        config = json.loads((run / "config.json").read_text("utf-8"))
        report = json.loads(RunPaths(run).report.read_text("utf-8"))
        found[run.name] = {"config": {name: config[name] for name in OF_CONFIG}, "report": report}
    return found


def table(figures: dict[str, Any]) -> str:
    """By set: how many pictures trained and gave the figures, and each measure before, after, and the gain."""
    rows = []
    for name, run in figures.items():
        figures_by_measure = {one.measure: one for one in figures_from(run["report"])}
        cells = [name, f"{run['report']['trained']:,}", f"{run['report']['told_pictures']:,}"]
        for measure in MEASURES:
            one = figures_by_measure[measure]
            before = MISSING if one.before is None else cell(one.before.value)
            after = MISSING if one.after is None else cell(one.after.value)
            gain = cell(one.gains[BEFORE], signed=True) if BEFORE in one.gains else MISSING
            cells += [f"{before} → {after}", gain]
        rows.append(cells)
    titles = [part for measure in MEASURES for part in (TITLES[measure], "gain")]
    return markdown(["set", "trained", "tested on", *titles], rows)


if __name__ == "__main__":
    main()
