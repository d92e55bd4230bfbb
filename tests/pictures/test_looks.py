"""What a region looks like: the class that most of its pictures are taken for, if it is clear."""

import numpy as np
import pytest

from url_viz.models.classifier_functions import class_names
from url_viz.pictures.named_groups import NAMED_FROM, look_of


def test_the_largest_mean_share_names_a_region() -> None:
    shares = np.array([[0.6, 0.3, 0.1], [0.0, 0.5, 0.5], [0.3, 0.4, 0.3]])
    name, share = look_of(shares, ("tench", "goldfish", "shark"))
    assert name == "goldfish"
    assert share == pytest.approx(0.4)


def test_what_is_not_clear_has_no_name() -> None:
    shares = np.full((3, 8), 1 / 8)
    assert NAMED_FROM > 1 / 8
    assert look_of(shares, tuple("abcdefgh"))[0] is None


def test_the_classes_of_imagenet_are_in_the_classifier_s_order() -> None:
    names = class_names()
    assert len(names) == 1000
    assert (names[0], names[1], names[281], names[999]) == ("tench", "goldfish", "tabby", "toilet tissue")
