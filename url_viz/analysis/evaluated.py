"""An evaluation of a labelled image set: what is counted, every measure's figures, and both in words and tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from url_viz.analysis.evaluation import NEAREST, CountedPictures, Deciles, MeasureFigures, lead_over, measured
from url_viz.analysis.measures import (
    AMBIGUITY,
    CONFUSABILITY,
    MEASURES,
    TUNED,
    UNCERTAINTY,
    in_text,
    is_measure,
    title_of,
)
from url_viz.analysis.order_metrics import Figure
from url_viz.analysis.selective_retrieval import FEWEST_PICTURES
from url_viz.wording import MISSING, counted, decimal, percent

NEEDED = (
    f"Evaluation needs classes: at least {FEWEST_PICTURES:d} pictures in two or more class folders, with neighbours."
)


@dataclass(frozen=True)
class Lead:
    """How far the R-AUROC of one measure is ahead of another's: the difference, with its 95 % interval."""

    ahead: str
    behind: str
    by: Figure

    @property
    def words(self) -> str:
        """Which of the two predicts errors better, decided by the interval."""
        first, second = in_text(self.ahead), in_text(self.behind)
        by = f"difference in R-AUROC {self.by.text(digits=3, signed=True)}"
        if self.by.interval.low > 0 or self.by.interval.high < 0:
            better = "better" if self.by.value > 0 else "worse"
            return f"Of the measures without classes, {first} predicts errors {better} than {second}: {by}."
        return f"Of the measures without classes, {first} and {second} do not clearly differ here: {by}."


@dataclass(frozen=True, eq=False)  # one is like no other: what pages draw of it is kept by it
class Evaluated:
    """The counted pictures of a set, every measure's figures, and the lead of confusability over uncertainty."""

    pictures: CountedPictures
    measures: tuple[MeasureFigures, ...]
    lead: Lead | None

    @property
    def recall_words(self) -> str:
        """The interval of recall@1, and what it is counted on."""
        pictures, interval = self.pictures, self.pictures.recall_interval
        left_out = (
            f"; {pictures.left_out:,} left out (copies, and pictures without a class, neighbours or a value)"
            if pictures.left_out
            else ""
        )
        return (
            f"95 % interval {100 * interval.low:.1f} to {percent(interval.high, digits=1)}, counted on "
            f"{counted(len(pictures), 'picture')} of {counted(pictures.classes, 'class')}{left_out}."
        )

    @property
    def verdict(self) -> str:
        """Which of uncertainty and confusability predicts errors better; "" where one of them is not there."""
        right = int(self.pictures.is_right.sum())
        if right in (0, len(self.pictures)):
            return f"Every nearest neighbour is {'right' if right else 'wrong'}, so there is no R-AUROC."
        return "" if self.lead is None else self.lead.words

    @property
    def how_to_read(self) -> str:
        """What the figures mean, what each measure knows, and which are baselines."""
        return how_to_read([measure.name for measure in self.measures])

    def table(self) -> pd.DataFrame:
        """One row a measure, figures with the ends of their intervals, for other programs."""
        return pd.DataFrame(
            {
                "measure": [measure.name for measure in self.measures],
                "r_auroc": [measure.auroc.value for measure in self.measures],
                "r_auroc_low": [measure.auroc.interval.low for measure in self.measures],
                "r_auroc_high": [measure.auroc.interval.high for measure in self.measures],
                "aurc": [measure.aurc for measure in self.measures],
                "lead_over_nearest_similarity": [measure.over_nearest.value for measure in self.measures],
                "lead_low": [measure.over_nearest.interval.low for measure in self.measures],
                "lead_high": [measure.over_nearest.interval.high for measure in self.measures],
            }
        )

    def shown(self) -> pd.DataFrame:
        """The same for people: one row a measure, figures with their intervals as text."""
        return pd.DataFrame(
            {
                "Measure": [title_of(measure.name) for measure in self.measures],
                "Uses": [known_to(measure.name) for measure in self.measures],
                "R-AUROC": [measure.auroc.text(digits=3) for measure in self.measures],
                "AURC": [decimal(measure.aurc, digits=3) for measure in self.measures],
                "Lead over nearest similarity": [
                    measure.over_nearest.text(digits=3, signed=True) for measure in self.measures
                ],
            }
        )


def evaluated(pictures: CountedPictures) -> Evaluated:
    """Work out every measure's figures on the pictures, with intervals: seconds for 100,000."""
    return Evaluated(pictures, measured(pictures), _lead(pictures))


def _lead(pictures: CountedPictures) -> Lead | None:
    first, second = CONFUSABILITY.name, UNCERTAINTY.name
    if not {first, second} <= pictures.values.keys():
        return None
    return Lead(first, second, lead_over(pictures, first, second))


def deciles_table(tenths: Deciles) -> pd.DataFrame:
    """Deciles with recall@1, its interval, and the number of pictures, for other programs."""
    return pd.DataFrame(
        {
            "percentile_from": np.arange(len(tenths.recall)) * 10,
            "pictures": tenths.pictures,
            "recall": tenths.recall,
            "recall_low": tenths.low,
            "recall_high": tenths.high,
        }
    )


def how_to_read(names: Sequence[str]) -> str:
    """What the figures of these measures mean, what each knows, and which are baselines."""
    sentences = [
        "R-AUROC: how often a picture whose nearest is of another class ranks above one whose nearest is of the same. "
        "AURC: mean error over all coverages; lower is better. Brackets: 95 % intervals over classes."
    ]
    if AMBIGUITY.name in names:
        sentences.append(
            "Ambiguity uses the classes it is judged by, though never a picture's own label or its twins': its figure "
            "says how well it orders this set, not how well it would do without classes. The others use no classes."
        )
    baselines = [measure.title.lower() for measure in MEASURES if measure.is_baseline and measure.name in names]
    if len(baselines) > 1:
        sentences.append(f"{', '.join(baselines[:-1]).capitalize()} and {baselines[-1]} are baselines.")
    if {CONFUSABILITY.name, NEAREST} <= set(names):
        sentences.append(
            "Confusability is computed from the same neighbours whose correctness it predicts, so nearest similarity "
            "is its baseline; the last column is the lead over it."
        )
    return " ".join(sentences)


def known_to(measure: str) -> str:
    """What a measure knows of the classes that it is judged by."""
    if measure == AMBIGUITY.name:
        return "your classes"
    if measure == TUNED.name:
        return "your answers"
    return "no classes" if is_measure(measure) else MISSING
