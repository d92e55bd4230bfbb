"""The order `tuned` from the answers of an oracle: labels answer, and answered pictures are left out of the figure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from training.benchmark.labelled import Case
from url_viz.analysis.baselines import inverse_norm, softmax_entropy
from url_viz.analysis.pair_measures import PairMeasures
from url_viz.analysis.tuned import pairs_to_ask, tune
from url_viz.pipeline.twins import twin_representatives
from url_viz.store.answers import NO_ANSWERS, Answered

ANSWERS = (20, 100)
DRAWS = 5


def tuned_by_oracle(case: Case, confusable: NDArray[np.floating], *, seed: int) -> Mapping[str, NDArray[np.floating]]:
    """`tuned_COUNT` (DRAWS, N) for each of ANSWERS; nan for pictures on whose pair an answer was given.

    Pairs are drawn as the app draws them, from each of DRAWS seeds. An answer says whether a picture and its
    nearest have one class, which is N itself: so those pictures and their twins are not counted. Where there are too
    few answers, or only of one kind, the order is confusability (N,), as in the app.
    """
    measures = _measures(case)
    draws = [_draw(case, measures, confusable, seed + number) for number in range(DRAWS)]
    return {f"tuned_{count}": np.stack([draw[count] for draw in draws]) for count in ANSWERS}


def _measures(case: Case) -> PairMeasures:
    space, labelled = case.space, case.labelled
    per_picture = np.stack([softmax_entropy(labelled.logits), inverse_norm(labelled.embedding)], axis=1)
    return PairMeasures(
        space.graph,
        space.whitened,
        np.nan_to_num(per_picture.astype(np.float32)),
        representative=twin_representatives(space.graph.twins).astype(np.int64),
    )


def _draw(
    case: Case, measures: PairMeasures, confusable: NDArray[np.floating], seed: int
) -> dict[int, NDArray[np.floating]]:
    """The orders (N,) of one draw by the number of answers."""
    label = case.labelled.label
    content = np.random.default_rng(seed).permutation(8 * len(label))[: len(label)].astype(np.int64)
    pairs = pairs_to_ask(measures, content, NO_ANSWERS, count=max(ANSWERS), seed=seed)
    own_pair = np.full((len(label), 2), -1, np.int64)
    own_pair[measures.rows] = np.sort(content[np.stack([measures.rows, measures.nearest], axis=1)], axis=1)
    own_pair = own_pair[measures.representative]
    orders: dict[int, NDArray[np.floating]] = {}
    for count in ANSWERS:
        first, second = pairs[:count].T
        answered = Answered(np.sort(content[pairs[:count]], axis=1), label[first] == label[second])
        tuned = tune(measures, content, answered)
        values = np.array(confusable if tuned is None else tuned.values, dtype=np.float64)
        values[(own_pair[:, None] == answered.pairs[None]).all(axis=2).any(axis=1)] = np.nan
        orders[count] = values
    return orders
