"""The table of the gradient conflict, quoted in docs/training.md: `python -m experiments.conflict_table [SUMMARY …]`.

Each SUMMARY is a summary.json of `python -m experiments.gradient_conflict`, of five seeds; it is stored in conflict/
under a name that its configuration gives. Without any the table of the stored ones is printed.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from training.command import markdown
from url_viz.base.wording import decimal, with_interval

FIGURES = Path(__file__).with_name("conflict")
DIGITS, PHOTOGRAPHS = "noisy digits", "photographs"
STORED = ("backbone", "classes", "size_px", "noise", "runs", "uncertainty_weight", "epochs", "batch", "rate")
"""Fields of a configuration that are stored: paths are of the machine that ran it."""


def main() -> None:
    """Store the summaries that are named, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summaries", nargs="*", type=Path)
    for path in parser.parse_args().summaries:
        store_summary(json.loads(path.read_text("utf-8")))
    print(table(stored_summaries()))


def store_summary(summary: Mapping[str, Any]) -> None:
    """Store a summary with its kind of pictures and the settings that do not depend on the machine."""
    config = summary["config"]
    pictures = DIGITS if config["data"] is None else PHOTOGRAPHS
    record = {**summary, "config": {"pictures": pictures, **{name: config[name] for name in STORED}}}
    path = FIGURES / f"{pictures.rpartition(' ')[2]}-{config['uncertainty_weight']:g}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def stored_summaries() -> list[dict[str, Any]]:
    """The stored summaries: digits before photographs, lighter weights first."""
    found = [json.loads(path.read_text("utf-8")) for path in FIGURES.glob("*.json")]
    return sorted(found, key=lambda one: (one["config"]["pictures"], one["config"]["uncertainty_weight"]))


def table(summaries: Iterable[Mapping[str, Any]]) -> str:
    """One line a run: late accuracy and AUROC with and without stop-gradient, and the difference."""
    header = ["pictures", "weight of the head's loss", "accuracy with / without", "difference"]
    return markdown([*header, "AUROC with / without", "difference "], [_row(one) for one in summaries])


def _row(summary: Mapping[str, Any]) -> list[str]:
    cells = [summary["config"]["pictures"], f"{summary['config']['uncertainty_weight']:g}"]
    for name in ("accuracy", "auroc"):
        late, effect = summary[f"late_{name}"], summary[name]
        cells.append(" / ".join(decimal(late[setting], digits=3) for setting in ("with stop-gradient", "without")))
        difference = with_interval(effect["mean"], effect["low"], effect["high"], digits=3, signed=True)
        cells.append(f"**{difference}**" if effect["low"] > 0 else difference)
    return cells


if __name__ == "__main__":
    main()
