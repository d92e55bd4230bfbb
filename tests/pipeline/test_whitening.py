"""The whitened space is the definition's, in float16, and holds where there is little or nothing to whiten."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.examples import embeddings_of
from tests.pipeline.whitened_examples import classes, naive_views, with_burst
from url_viz.base.workspace import Workspace
from url_viz.pipeline import whitening
from url_viz.pipeline import whitening as views
from url_viz.pipeline.whitening import VERSION, fit_whitening, should_refit, whitened_for, whitened_rows
from url_viz.store.tables.embedding_rows import POWER, WhitenedRows
from url_viz.store.tables.reader import Store
from url_viz.store.tables.writer import Writer


def by_definition(embeddings: np.ndarray, axes: int, power: float) -> np.ndarray:
    unit = embeddings.astype(np.float64)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    variance, directions = np.linalg.eigh(np.cov(centred.T))
    kept = min(axes, len(unit) - 1)
    rows = centred @ directions[:, ::-1][:, :kept] * variance[::-1][:kept] ** (-power / 2)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize("count", [12, 40, 300])  # fewer rows than numbers, and more
def test_cosines_are_the_definitions(count: int) -> None:
    embeddings, _ = classes(count, size=48, spread=1)
    assert not naive_views(embeddings)
    rows = fit_whitening(embeddings, axes=16).transform(embeddings)
    assert rows.dtype == np.float16
    assert rows.shape == (count, min(16, count - 1))
    expected = by_definition(embeddings, 16, POWER)
    assert rows.astype(np.float64) @ rows.T.astype(np.float64) == pytest.approx(expected @ expected.T, abs=2e-3)


@pytest.mark.parametrize("at_once", [3, 10_000])
def test_a_burst_weighs_as_one_of_its_frames(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes of it, the space is that of the pictures with one frame: directions, scales and mean."""
    monkeypatch.setattr(views, "ROWS_AT_ONCE", at_once)
    monkeypatch.setattr(views, "COUNTED_AT_ONCE", at_once)
    one, burst = fit_whitening(with_burst(150, 1)), fit_whitening(with_burst(150, 60))
    assert np.array_equal(one.axes, burst.axes)
    assert np.array_equal(one.scales, burst.scales)
    assert (one.fitted_on, burst.fitted_on) == (150, 209)


def test_a_whitening_by_hand() -> None:
    """Four unit vectors in a plane: variances 1/3 and 1/3 about the mean of none, nothing to scale apart."""
    embeddings = np.array([[1, 0], [0, 2], [-3, 0], [0, -1]], np.float32)
    space = fit_whitening(embeddings)
    assert space.mean == pytest.approx([0, 0])
    assert space.scales == pytest.approx([(2 / 3) ** -0.25] * 2)
    assert space.transform(embeddings) @ space.transform(embeddings).T == pytest.approx(
        np.array([[1, 0, -1, 0], [0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1]]), abs=1e-3
    )
    two, _ = classes(2, size=20)
    rows = fit_whitening(two).transform(two).astype(float)
    assert rows @ rows.T == pytest.approx(np.array([[1, -1], [-1, 1]]))


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_handful(count: int) -> None:
    embeddings, _ = classes(3, size=20)
    space = fit_whitening(embeddings[:count])
    assert space.fitted_on == count
    rows = space.transform(embeddings)
    assert rows.shape == (3, max(1, count - 1))
    assert np.isfinite(rows).all()
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    assert lengths[:count] == pytest.approx(1 if count > 1 else 0, abs=1e-3)


def test_equal_rows_have_no_direction_and_rows_of_zeros_stay_and_change_nothing() -> None:
    equal = np.full((50, 30), 0.3, np.float16)
    rows = fit_whitening(equal).transform(equal)
    assert rows.shape == (50, 1)
    assert not rows.any()
    embeddings, _ = classes(40)
    with_zeros = np.concatenate([embeddings, np.zeros((7, 64), np.float16)])
    one, other = fit_whitening(embeddings), fit_whitening(with_zeros)
    assert np.array_equal(one.axes, other.axes)
    assert not other.transform(with_zeros)[40:].any()


def test_directions_of_rounding_are_left_out() -> None:
    """Pictures in a plane have two axes, however many numbers there are."""
    embeddings = np.random.default_rng(0).normal(size=(100, 2)) @ np.random.default_rng(1).normal(size=(2, 90))
    assert fit_whitening(embeddings.astype(np.float32)).axes.shape == (90, 2)


def test_the_same_twice_with_fixed_signs_and_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings, _ = classes(300)
    space, again = fit_whitening(embeddings), fit_whitening(embeddings)
    assert np.array_equal(space.axes, again.axes)
    assert (space.axes[np.abs(space.axes).argmax(axis=0), np.arange(space.axes.shape[1])] > 0).all()
    whole = space.transform(embeddings)
    monkeypatch.setattr(whitening, "BLOCK", 64)
    assert np.abs(space.transform(embeddings).astype(float) - whole).max() < 1e-3


def test_a_sample_is_drawn_the_same_each_time() -> None:
    embeddings, _ = classes(500)
    one, same, whole = (fit_whitening(embeddings, sample=sample) for sample in (100, 100, 500))
    assert np.array_equal(one.axes, same.axes)
    assert not np.array_equal(one.axes, whole.axes)
    assert one.fitted_on == 500


def test_other_embeddings_are_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        fit_whitening(classes(20)[0]).transform(np.zeros((3, 65), np.float16))


def test_a_space_is_refitted_when_the_set_has_doubled() -> None:
    assert not should_refit(100, 199)
    assert should_refit(100, 200)
    assert should_refit(0, 2)


def of_first(count: int, embeddings: np.ndarray) -> WhitenedRows:
    return whitened_rows(np.arange(count) * 3, embeddings[:count])


def test_a_growing_set_keeps_its_space_and_its_rows_until_it_has_doubled() -> None:
    embeddings, _ = classes(200)
    order = np.random.default_rng(0).permutation(200)
    embeddings = embeddings[order]
    known = of_first(100, embeddings)
    marked = WhitenedRows(known.whitening, known.content, known.rows + np.float16(1))  # rows that nobody would make
    content = np.concatenate([np.arange(100, 199), np.arange(50)]) * 3
    grown = whitened_rows(content, embeddings[content // 3], stored=marked)
    assert grown.whitening is known.whitening
    assert np.array_equal(grown.content, content)
    assert np.array_equal(grown.rows[:99], known.whitening.transform(embeddings[100:199]))
    assert np.array_equal(grown.rows[99:], marked.rows[:50])
    whole = whitened_rows(np.arange(200) * 3, embeddings, stored=marked)
    assert whole.whitening.key == fit_whitening(embeddings).key != known.whitening.key
    assert np.array_equal(whole.rows, whole.whitening.transform(embeddings))


def test_a_space_of_another_version_is_fitted_again() -> None:
    embeddings, _ = classes(60)
    known = of_first(60, embeddings)
    old = WhitenedRows(replace(known.whitening, version=VERSION + 1), known.content, known.rows * 0)
    assert np.array_equal(whitened_rows(known.content, embeddings, stored=old).rows, known.rows)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [None, 40, 60])
def test_rows_for_a_set_are_those_kept_else_made_for_now(tmp_path: Path, kept: int | None) -> None:
    """Contents may repeat and come in any order; nothing is written by it."""
    stored = embeddings_of(classes(60)[0])
    paths = Workspace.at(tmp_path).set_paths("0" * 16)
    with Writer(paths, tmp_path) as writer:
        writer.add_embeddings("space", stored)
        if kept is not None:
            part = stored.rows_at(np.arange(kept))
            writer.put_whitened("space", whitened_rows(part.content, part.embedding))
    row = np.random.default_rng(0).integers(0, 60, 100)
    found = whitened_for(Store(paths), "space", stored.content[row])
    space = fit_whitening(stored.embedding[:kept] if kept else stored.embedding[np.unique(row)])
    assert found.whitening.key == space.key
    assert np.array_equal(found.content, stored.content[row])
    assert np.array_equal(found.rows, space.transform(stored.embedding)[row])
    assert (Store(paths).whitened("space") is None) == (kept is None)
