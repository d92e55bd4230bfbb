"""The commands `findings` and `leaks`, and the report, which says the same."""

from pathlib import Path

import pandas as pd
import pytest

from tests.cli.conftest import Run
from tests.leaky import LEAKS, leaky_set
from url_viz.export.report import report_html
from url_viz.image_set import ImageSet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return leaky_set(tmp_path_factory.mktemp("commands"))


def test_findings_are_printed_with_the_way_to_their_review(image_set: ImageSet, run: Run) -> None:
    told = run("findings").splitlines()
    found = image_set.findings()
    assert len(told) == 2 * len(image_set.reviews.queues()) > 2 * len(found)
    assert told[0].startswith("2 pictures of test have a copy or another view in train. ")
    assert told[1].strip() == "review --by leaks · 2 to review · about 1 min"
    for one in found:
        if one.opens is not None:
            assert "to review" in run("review", "--by", one.opens.by).splitlines()[0]


def test_leaks_are_printed_or_written(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    told = run("splits leaks", "--top", 1).splitlines()
    assert told[0] == f"2 of {len(image_set)} pictures have a copy or another view in another split."
    assert told[-1] == "… and 1 more (--top, --out)"
    assert "\n2 leaks in " in run("splits leaks", "--out", tmp_path / "leaks.csv")
    written = pd.read_csv(tmp_path / "leaks.csv")
    assert dict(zip(written["path"], written["twin_path"], strict=True)) == LEAKS


def test_against_another_folder_and_what_cannot_be(image_set: ImageSet, run: Run, tmp_path: Path) -> None:
    told = run("splits leaks", "--against", image_set.root).splitlines()
    assert told[0].startswith(f"{len(image_set)} of {len(image_set)} pictures have a copy or another view in "), (
        "itself"
    )
    assert "was not read yet" in run("splits leaks", "--against", tmp_path, status=1)


def test_the_report_says_them(image_set: ImageSet) -> None:
    page = report_html(image_set)
    assert "What to look at first" in page
    assert "<b>2 pictures of test have a copy or another view in train</b>." in page
    part = report_html(image_set, ids=image_set.core.ids[:3].tolist())
    assert "These are of the whole image set." in part
