"""The list of what was decided in an image set, and of the actions that did it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from url_viz.base.printout import Printout, Table
from url_viz.base.wording import counted
from url_viz.labels.label_choice import CONFIRMED, CORRECTED, EITHER
from url_viz.store.decisions.decision_rows import DECISIONS

SAID = {CONFIRMED: CONFIRMED, CORRECTED: CORRECTED, EITHER: "rightly both of two"}
LOGGED = ("at", "who", "did", "state")


def decided_in(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `ImageSet.table()` with a decision, tag, name or checked label."""
    is_decided = table[["decision", "name", "label_checked"]].notna().any(axis=1) | (table["tags"] != "")
    return table[is_decided]


def decisions_shown(image_set: Any, rows: pd.DataFrame) -> Printout:
    """Rows of `ImageSet.decided`, with counts of what was decided; the log with when, who, what."""
    if LOGGED[0] in rows:
        return (
            Printout(tables=[Table(rows, LOGGED)]) if len(rows) else Printout(words=["No decisions yet."], figures=[])
        )
    labels = ("label", "label_given") if rows["label_checked"].notna().any() else ()
    shown = Table(rows, ("decision", "tags", "name", *labels, "path"), noun="picture")
    return Printout(_counts(rows, len(image_set) - len(rows), image_set.decisions.tag_counts()), [shown])


def _counts(rows: pd.DataFrame, others: int, tags: Mapping[str, int]) -> list[str]:
    counts = rows["decision"].value_counts()
    decided = ", ".join(f"{counts.get(word, 0):,} {word}" for word in DECISIONS)
    names, labels = (rows[column].value_counts() for column in ("name", "label_checked"))
    words = [f"{decided}, {others + rows['decision'].isna().sum():,} undecided"]
    words += [f"tag {tag!r}: {count:,}" for tag, count in tags.items()]
    words += [f"name {name!r}: {count:,}" for name, count in names.sort_index().items()]
    checked = ", ".join(f"{counted(count, 'label')} {SAID[str(what)]}" for what, count in labels.items())
    return [*words, *([checked] if checked else [])]
