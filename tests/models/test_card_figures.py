"""What a model card's table tells of a head in words: of one set, of several, and of a card without figures."""

import pytest

from url_viz.models.card_figures import NOT_MEASURED, REPORTED, card_rows, describe_card

HEADER = "| set | uncertainty | entropy | energy |\n| --- | --- | --- | --- |"
BIRDS = "| birds | 0.612 (0.550 to 0.670) | 0.581 (0.500 to 0.640) | – |"
CARS = "| cars | .700 [.650, .750] | .601 [.560, .650] | – |"


def card(*rows: str) -> str:
    return "\n".join(["# A head", "", REPORTED, "", HEADER, *rows, "", "## Recipe", "", "| a | b |"])


def test_of_one_set_the_mean_is_that_set_with_its_interval() -> None:
    text = describe_card(card(BIRDS, "| mean | 0.612 | 0.581 | – |"))
    assert "R-AUROC of the head on 1 set not used" in text
    assert ".61 [.55, .67], against .58 [.50, .64] for entropy" in text
    assert text.endswith("By set: birds .61.")


def test_of_several_sets_their_mean_is_told() -> None:
    mean = "| mean | 0.656 (0.100 to 1.200) | 0.591 (0.460 to 0.720) | – |"
    text = describe_card(card(BIRDS, CARS, mean))
    assert "R-AUROC of the head on 2 sets not used" in text
    assert ".66 [.10, 1.20], against .59 [.46, .72] for entropy" in text
    assert text.endswith("By set: birds .61, cars .70.")


@pytest.mark.parametrize("text", ["", "# A head", "# A head\n\n| set | uncertainty |\n", card()])
def test_without_figures_it_says_so(text: str) -> None:
    assert card_rows(text) == ()
    assert describe_card(text) == NOT_MEASURED
