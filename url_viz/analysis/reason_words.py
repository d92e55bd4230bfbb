"""What is told of each reason of a picture: one short sentence with the figure it stands on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from url_viz.analysis.rivals import Rivals


@dataclass(frozen=True)
class Facts:
    """What details are told of: rows of the table, their rivals, and the names of classes by number."""

    rows: pd.DataFrame
    rivals: Rivals
    classes: "pd.Index[str]"

    def __len__(self) -> int:
        return len(self.rows)


def _numbers(facts: Facts, column: str) -> NDArray[np.float32]:
    return facts.rows[column].to_numpy(np.float32)


def _shares(column: str, text: str) -> Callable[[Facts], Sequence[str]]:
    def told(facts: Facts) -> list[str]:
        return [text.format(f"{value:.0%}") for value in facts.rows[column]]

    return told


def _blurred(facts: Facts) -> list[str]:
    widths = 1 / np.maximum(_numbers(facts, "sharpness"), 1 / 8)
    return [
        f"its sharpest edges spread over {width:.0f} pixels of the thumbnail: blurred, or enlarged" for width in widths
    ]


def _sizes(facts: Facts) -> list[str]:
    return [f"{w} × {h} pixels" for w, h in zip(facts.rows["width"], facts.rows["height"], strict=True)]


def _aspects(facts: Facts) -> list[str]:
    sides = zip(facts.rows["width"], facts.rows["height"], strict=True)
    return [f"{w} × {h} pixels; the model sees the middle {min(w, h) / max(w, h):.0%}" for w, h in sides]


def _between(facts: Facts) -> list[str]:
    one, other = (facts.classes[number] for number in (facts.rivals.first, facts.rivals.second))
    shares = zip(one, other, facts.rivals.first_share, facts.rivals.second_share, strict=True)
    return [f'between "{a}" and "{b}": {x:.0%} and {y:.0%} of its neighbours\' weight' for a, b, x, y in shares]


def _alike_detail(facts: Facts) -> list[str]:
    counts = 1 / np.maximum(1 - _numbers(facts, "confusability"), 1e-3)
    return [f"about {count:.0f} other pictures are as near as the nearest one" for count in counts]


def _alone_detail(facts: Facts) -> list[str]:
    return [
        f"its nearest picture has a cosine of {value:.2f}, low for this set"
        for value in _numbers(facts, "nearest_similarity")
    ]


def _twins(facts: Facts) -> list[str]:
    return ["there are copies of it, or shots of the same moment"] * len(facts)


DETAILS: Mapping[str, Callable[[Facts], Sequence[str]]] = {
    "blurred": _blurred,
    "dark": _shares("highlights", "nine tenths of it are darker than {} grey"),
    "blown out": _shares("white_share", "{} of it are white"),
    "low contrast": _shares("contrast", "its greys span {} of the scale"),
    "near-empty": _shares("flat_share", "{} of it are one tone"),
    "tiny": _sizes,
    "extreme aspect": _aspects,
    "between classes": _between,
    "many look alike": _alike_detail,
    "out on its own": _alone_detail,
    "twin": _twins,
}
