"""Whether the model knows the classes of an image set: judged once, and asked by all that tells of labels."""

from dataclasses import dataclass

import pandas as pd

from url_viz.base.wording import percent
from url_viz.columns.engine import column
from url_viz.columns.twin_groups import first_of_each
from url_viz.evidence.order_metrics import share_of

KNOWN = 0.5
"""Classes are known if the model agrees with their labels for at least this part of the way from chance to always:
below, forecasts of wrong labels miss, and most mix-ups are the model's own (docs/labels.md)."""


@dataclass(frozen=True)
class LabelAgreement:
    """How often the likeliest class of a picture, its own label unseen, is its label.

    The `share` of `count` pictures, of twins one, and what it would be `by_chance`.
    """

    share: float
    by_chance: float
    count: int

    @property
    def is_known(self) -> bool:
        """Whether the model knows the classes; in a small set agreement must not be luck, either."""
        is_enough = self.share >= self.by_chance + KNOWN * (1 - self.by_chance)
        return is_enough and share_of(self.share * self.count, self.count).interval.low > self.by_chance

    @property
    def words(self) -> str:
        """What is said where the classes are not known, without a full stop."""
        chance = f", chance with {percent(self.by_chance)}" if self.share >= KNOWN else ""
        return (
            f"The model agrees with {percent(self.share)} of the labels{chance}: they are wrong as a whole (a shifted "
            "column?), or it does not know these classes"
        )


def agreement_in(table: pd.DataFrame) -> LabelAgreement:
    """The agreement of `label` and `first_class` in rows of `ImageSet.table()`."""
    rows = first_of_each(table[table["label"].notna() & table["first_class"].notna()])
    label, taken_for = rows["label"].astype(str), rows["first_class"].astype(str)
    by_chance = (label.value_counts() * taken_for.value_counts()).sum() / max(1, len(rows)) ** 2
    return LabelAgreement(float((label == taken_for).sum()) / max(1, len(rows)), float(by_chance), len(rows))


@column()
def agreement(measured: pd.DataFrame) -> LabelAgreement:
    """The agreement of the set's labels with the model."""
    return agreement_in(measured)
