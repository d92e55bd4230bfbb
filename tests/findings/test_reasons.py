"""Reasons by hand-worked rows and by dice, what excludes what, their order in the text, and on planted pictures."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFilter

from tests.imaging.pictures import noise
from tests.twin_groups import twin_column
from url_viz.columns.filters import OneOf, passes_all
from url_viz.findings.reasons import (
    COMMON_SHARE,
    FEWEST_FOR_COMMON,
    LEAST,
    NAMES,
    NEAR_EMPTY,
    REASONS,
    Ramp,
    Shared,
    explained,
    find_reasons,
    measured_strengths,
    reason_counts,
    reason_table,
    shared_by_most,
    without_contradictions,
)
from url_viz.image_set import ImageSet
from url_viz.models.model import Model
from url_viz.reading import embed_folder

SEEDS = st.integers(0, 2**32 - 1)
PAIRS = [(reason.name, other) for reason in REASONS for other in reason.excludes]


def table_by_dice(seed: int, count: int) -> pd.DataFrame:
    """Values that no picture could have together, among them nan; extremes are common."""
    rng = np.random.default_rng(seed)

    def column() -> np.ndarray:
        values = rng.uniform(0, 1, count) ** rng.choice([0.2, 1, 5])
        return np.where(rng.random(count) < 0.1, np.nan, values)

    shares = ("first_share", "second_share", "flat_share", "white_share", "white_border", "highlights", "contrast")
    sharp = ("sharpness", "least_sharpness", "sharpness_across")
    columns = {name: column() for name in (*shares, *sharp, "confusability", "nearest_similarity", "ambiguity")}
    sides = {name: rng.integers(1, 300, count) for name in ("width", "height")}
    return pd.DataFrame(columns | sides | {"twin_group": rng.integers(0, count, count)})


@given(SEEDS, st.integers(1, 80))
def test_reasons_are_taken_away_where_they_contradict_or_are_shared_and_nowhere_else(seed: int, count: int) -> None:
    table = table_by_dice(seed, count)
    measured, found = measured_strengths(table), find_reasons(table, leading="ambiguity")
    shared = {one.reason.name for one in found.shared}
    for column, name in enumerate(NAMES):
        gone = (measured[:, column] > 0) & (found.strength[:, column] == 0)
        winners = [NAMES.index(winner) for winner, loser in PAIRS if loser == name]
        assert name in shared or (found.strength[gone][:, winners] > 0).any(axis=1).all(), name
        assert not (found.strength[found.strength[:, column] > 0][:, winners] > 0).any(), name
        assert ((found.strength[:, column] == measured[:, column]) | (found.strength[:, column] == 0)).all()
    assert count < FEWEST_FOR_COMMON or ((found.strength > 0).mean(axis=0) <= COMMON_SHARE).all()
    assert all(one.count > COMMON_SHARE * one.pictures and one.pictures == count for one in found.shared)
    assert all(found.strength[:, NAMES.index(one.reason.name)].max() == 0 for one in found.shared)


def test_the_pairs_are_named_and_their_order_does_not_matter() -> None:
    """What excludes one that excludes a third excludes that too, and there is no circle."""
    assert {name for pair in PAIRS for name in pair} <= set(NAMES)
    assert all((name, third) in PAIRS for name, other in PAIRS for first, third in PAIRS if first == other)
    assert all(name != other for name, other in PAIRS)
    for pair in (
        ("out on its own", "easily confused"),
        ("dark", "blown out"),
        ("near-empty", "between classes"),
        ("motion blur", "blurred"),
    ):
        assert pair in PAIRS


def test_a_set_of_blank_pictures_does_not_share_that_they_are_near_empty() -> None:
    strength = np.zeros((FEWEST_FOR_COMMON, len(NAMES)), np.float32)
    strength[:, NAMES.index(NEAR_EMPTY)] = 1
    assert not shared_by_most(strength).any()
    strength[: len(strength) // 2 + 1] *= 0.9  # drawings on white paper
    assert np.array(NAMES)[shared_by_most(strength)].tolist() == [NEAR_EMPTY]


def test_what_excludes_in_turn_is_taken_away_itself() -> None:
    strength = np.zeros((1, len(NAMES)), np.float32)
    for name in ("near-empty", "motion blur", "blurred"):
        strength[0, NAMES.index(name)] = 0.5
    left = without_contradictions(strength)
    assert [NAMES[place] for place in np.flatnonzero(left[0])] == ["near-empty"]
    assert (strength > 0).sum() == 3, "what was given stays as it was"


def test_what_is_explained_by_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    strength = (rng.random((60, len(NAMES))) * (rng.random((60, len(NAMES))) < 0.2)).astype(np.float32)
    percentile = np.where(rng.random(60) < 0.1, np.nan, rng.uniform(0, 100, 60))
    found = explained(strength, percentile, "ambiguity")
    for column in range(len(NAMES)):
        places = [
            0.5 if np.isnan(p) else p / 100 for p, s in zip(percentile, strength[:, column], strict=True) if s > 0
        ]
        mean = (sum(places) + 10 * 0.5) / (len(places) + 10)
        assert found[column] == pytest.approx(max(LEAST, 2 * mean - 1), rel=1e-5)


def test_what_is_said_of_a_set() -> None:
    assert Shared(REASONS[-1], 2400, 2500).words == "2,400 of 2,500 pictures have copies or look-alikes."
    assert Shared(REASONS[NAMES.index("tiny")], 2500, 2500, "32 px").words == "All 2,500 pictures are tiny (32 px)."


FINE = {
    "label": None,
    "width": 640,
    "height": 480,
    "confusability": 0.3,
    "first_class": None,
    "second_class": None,
    "first_share": np.nan,
    "second_share": np.nan,
    "nearest_similarity": 0.8,
    "brightness": 0.5,
    "highlights": 0.8,
    "contrast": 0.7,
    "sharpness": 0.6,
    "least_sharpness": 0.55,
    "sharpness_across": 0.6,
    "flat_share": 0.1,
    "white_share": 0.0,
    "white_border": 0.0,
}

BLURRED: dict[str, object] = {"sharpness": 0.22, "least_sharpness": 0.2, "sharpness_across": 0.2}
SMEARED: dict[str, object] = {"sharpness": 0.5, "least_sharpness": 0.3, "sharpness_across": 0.45}


def table_of(*rows: Mapping[str, object]) -> pd.DataFrame:
    """Rows that differ from a fine picture in what is given; each its own twin group where none is."""
    whole = [FINE | {"id": 100 + i, "twin_group": i} | row for i, row in enumerate(rows)]
    made = pd.DataFrame(whole)
    made["twin_group"] = twin_column(made["twin_group"].to_numpy())
    return made.astype({"label": object, "first_class": object, "second_class": object})


def named(table: pd.DataFrame, leading: str | None = None) -> list[str]:
    return find_reasons(table, leading=leading).texts().tolist()


def test_a_ramp_is_straight_between_its_ends_and_nothing_is_known_of_nan() -> None:
    values = np.array([0.28, 0.17, 0.06, 0, 1, np.nan])
    assert Ramp(0.28, 0.06)(values) == pytest.approx([0, 0.5, 1, 1, 0, 0])
    assert Ramp(2, 6)(np.array([1, 3, 10.0])) == pytest.approx([0, 0.25, 1])


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        ({}, ""),
        (BLURRED, "blurred"),
        (BLURRED | {"sharpness_across": np.nan}, "blurred"),
        (SMEARED, "motion blur"),
        (SMEARED | {"sharpness_across": 0.31}, ""),
        ({"sharpness": np.nan, "least_sharpness": np.nan, "sharpness_across": np.nan}, ""),
        ({"highlights": 0.1}, "dark"),
        ({"white_share": 0.6}, "blown out"),
        ({"white_share": 0.6, "white_border": 0.95}, ""),
        ({"contrast": 0.1}, "low contrast"),
        ({"flat_share": 0.97}, "near-empty"),
        ({"width": 32, "height": 40}, "tiny"),
        ({"width": 1600, "height": 400}, "extreme aspect"),
        ({"confusability": 0.95}, "easily confused"),
    ],
)
def test_one_picture_among_fine_ones(row: dict[str, object], reasons: str) -> None:
    table = table_of(row, *[{}] * 59)
    assert named(table) == [reasons, *[""] * 59]


def test_a_rank_among_few_is_no_reason() -> None:
    assert named(table_of({"confusability": 0.99}, *[{}] * 9)) == [""] * 10


def test_what_explains_the_low_contrast_takes_its_place() -> None:
    assert named(table_of({"contrast": 0.1, "highlights": 0.1})) == ["dark"]
    assert named(table_of(BLURRED | {"contrast": 0.01, "flat_share": 1.0})) == ["near-empty"]


def test_white_tells_nothing_in_a_set_of_drawings_on_paper() -> None:
    drawing = {"white_share": 0.6, "white_border": 0.6}
    assert named(table_of(drawing, *[drawing] * 3, *[{}] * 6)) == [""] * 10
    assert named(table_of(drawing, *[{}] * 9))[0] == "blown out"


def test_alone_is_meant_within_the_set() -> None:
    """Quartiles about .795 and .805: a distance below the lower one is .785, two are .775."""
    usual = [{"nearest_similarity": value} for value in np.linspace(0.79, 0.81, 41)]
    table = table_of({"nearest_similarity": 0.78}, *usual)
    found = reason_table(table, find_reasons(table))
    assert found["reason"].tolist() == ["out on its own"]
    assert found["strength"].iloc[0] == pytest.approx(0.5, abs=0.1)
    assert "0.78" in found["detail"].iloc[0]
    assert named(table.head(19)) == [""] * 19


def test_what_nearly_all_pictures_share_is_told_once_and_of_none() -> None:
    """More than four fifths of twenty and more; of the others it is told, and so is what it would exclude."""
    dark: dict[str, object] = {"highlights": 0.1, "contrast": 0.1}
    found = find_reasons(table_of(*[dark] * 17, *[{}] * 3))
    assert [shared.words for shared in found.shared] == [
        "17 of 20 pictures are dark.",
        "17 of 20 pictures have little contrast.",
    ]
    assert found.texts().tolist() == [""] * 20
    assert named(table_of(*[dark] * 16, *[{}] * 4)) == ["dark"] * 16 + [""] * 4
    assert named(table_of(*[dark] * 19)) == ["dark"] * 19


def test_how_small_pictures_of_a_tiny_set_are_is_told() -> None:
    same = [{"width": 32, "height": 32}] * 30
    assert [one.words for one in find_reasons(table_of(*same)).shared] == ["All 30 pictures are tiny (32 px)."]
    mixed = find_reasons(table_of(*same, {"width": 50, "height": 48}, {"width": 300, "height": 300}))
    assert [one.words for one in mixed.shared] == ["31 of 32 pictures are tiny (32 to 48 px)."]


def test_what_goes_with_the_order_comes_before_what_is_stronger() -> None:
    """Of 100 pictures the 10 dark ones are the most ambiguous, 10 blurred ones lie anywhere."""
    rows: list[dict[str, object]] = [{"ambiguity": place / 100} for place in range(100)]
    for place in range(90, 100):
        rows[place] |= {"highlights": 0.17}
    for place in (*range(4, 90, 10), 99):
        rows[place] |= BLURRED
    found = find_reasons(table_of(*rows), leading="ambiguity")
    assert found.explains[NAMES.index("dark")] == pytest.approx(2 * (10 * 94.5 / 99 + 5) / 20 - 1, abs=1e-5)
    assert found.texts()[99] == "dark; blurred", "half as strong"
    assert found.order() == ("dark", "blurred")
    assert named(table_of(*rows))[99] == "blurred; dark", "by strength alone, without an order"


def test_what_is_the_order_itself_explains_nothing_of_it() -> None:
    rows: list[dict[str, object]] = [{"confusability": place / 99, "ambiguity": place / 99} for place in range(100)]
    rows[99] |= {"highlights": 0.2}
    assert named(table_of(*rows), "confusability")[99] == "dark; easily confused"
    assert named(table_of(*rows), "ambiguity")[99] == "easily confused; dark"


def test_twins_say_so_and_more_of_them_louder() -> None:
    table = table_of({"twin_group": 0}, {"twin_group": 0}, {"twin_group": 0}, {})
    found = reason_table(table, find_reasons(table))
    assert found["id"].tolist() == [100, 101, 102]
    assert found["strength"].to_numpy() == pytest.approx([2 / 3] * 3)


def test_between_two_classes() -> None:
    """By the shares of the two likeliest: .4 of .5 is halfway up the ramp; together they must have .4."""
    both = {"first_class": "cat", "second_class": "dog"}
    table = table_of(
        both | {"first_share": 0.5, "second_share": 0.5},
        both | {"first_share": 0.5, "second_share": 0.4},
        both | {"first_share": 0.18, "second_share": 0.18},
        both | {"first_share": 0.9, "second_share": 0.1},
        {},
    )
    reasons = reason_table(table, find_reasons(table))
    assert reasons["id"].tolist() == [100, 101]
    assert reasons["reason"].tolist() == ["between classes"] * 2
    assert reasons["strength"].to_numpy() == pytest.approx([1, 0.5])
    assert reasons["detail"].iloc[0] == 'between "cat" and "dog": 50% and 50%, leaving out its own label'


def test_the_strongest_comes_first_and_filters_and_counts_find_each() -> None:
    table = table_of(
        BLURRED | {"least_sharpness": 0.42, "sharpness": 0.44, "highlights": 0.05, "width": 40, "height": 40},
        BLURRED,
        {},
    )
    table["reasons"] = named(table)
    assert table["reasons"].tolist() == ["dark; tiny; blurred", "blurred", ""]
    assert reason_counts(table["reasons"]) == {"blurred": 2, "dark": 1, "tiny": 1}
    assert passes_all(table, [OneOf("reasons", ("blurred",))]).tolist() == [True, True, False]


def test_texts_by_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    rows = [
        {
            "sharpness": rng.uniform(0.3, 0.5),
            "least_sharpness": rng.uniform(0.2, 0.5),
            "sharpness_across": rng.uniform(0.2, 0.5),
            "highlights": rng.uniform(0, 0.5),
            "width": int(rng.integers(10, 300)),
            "twin_group": int(rng.integers(0, 40)),
            "confusability": rng.uniform(0.6, 1),
        }
        for _ in range(60)
    ]
    found = find_reasons(table_of(*rows))
    for strength, text in zip(found.strength, found.texts(), strict=True):
        given = sorted((i for i in range(len(NAMES)) if strength[i] > 0), key=lambda i: (-round(strength[i], 5), i))
        assert text == "; ".join(NAMES[i] for i in given)


def test_an_empty_table_has_no_reasons() -> None:
    table = table_of({}).head(0)
    found = find_reasons(table)
    assert found.texts().tolist() == []
    assert list(reason_table(table, found).columns) == ["id", "reason", "strength", "detail"]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, prepared: Path, model: Model) -> ImageSet:
    """Pictures with hard edges, one of each kind spoiled."""
    root = tmp_path_factory.mktemp("planted")
    sharp = noise(1, width=16, height=12).resize((256, 192), 0)
    for number in range(3):
        noise(number, width=16, height=12).resize((256, 192), 0).save(root / f"fine-{number}.png")
    sharp.filter(ImageFilter.GaussianBlur(6)).save(root / "blurred.png")
    sharp.point(lambda v: v // 12).save(root / "dark.png")
    sharp.point(lambda v: 120 + v // 16).save(root / "low contrast.png")
    sharp.point(lambda v: min(255, v * 4)).save(root / "blown out.png")
    noise(5, width=8, height=6).resize((32, 24), 0).save(root / "tiny.png")
    workspace = tmp_path_factory.mktemp("home")
    (workspace / "models").symlink_to(prepared / "models")
    return embed_folder(root, model=model, workspace=workspace)


class TestAnImageSet:
    """From pictures to the column, through the store."""

    def test_each_is_told_by_its_name(self, planted: ImageSet) -> None:
        given = planted.table().set_index("path")["reasons"]
        for path, text in given.items():
            name = str(path).removesuffix(".png")
            told = [reason for reason in text.split("; ") if reason not in ("twin", "")]
            assert told == ([] if name.startswith("fine") else [name]), path

    def test_the_long_table_says_the_same(self, planted: ImageSet) -> None:
        table, found = planted.table(), planted.reasons()
        assert ((found["strength"] > 0) & (found["strength"] <= 1)).all()
        assert (found["detail"].str.len() > 5).all()
        joined = found.groupby("id")["reason"].agg("; ".join).reindex(table["id"]).fillna("")
        assert joined.tolist() == table["reasons"].tolist()
