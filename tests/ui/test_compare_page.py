"""Compare in every state, through app.py as a visitor meets it: one model, two heads, no head, linked selections."""

import gc
import os
import re
import shutil
import weakref
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.ui.pages import galleries, opened, order_by, reading, told, words
from url_viz.base.workspace import Workspace
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import list_jobs
from url_viz.models.head import save_head
from url_viz.models.model import Model, load_model
from url_viz.reading import embed_folder
from url_viz.ui.compare_models import SECOND, comparison_of, scatter_figure
from url_viz.ui.widgets.embed_job import KIND

COUNT = 12


def second(image_set: ImageSet, model: str) -> dict[str, str]:
    """What the session keeps where a second model was chosen."""
    return {f"{SECOND}.{image_set.source.name}": model}


@pytest.fixture
def other_head(home: Workspace) -> str:
    path = home.heads / "zoo-1" / "head.safetensors"
    path.parent.mkdir(parents=True)
    save_head(dice_head(3), path)
    return str(path)


def test_two_heads_are_compared_in_words_and_galleries(image_set: ImageSet, other_head: str) -> None:
    at = opened(image_set, "compare", **second(image_set, other_head))
    said = words(at).replace("\\", "")
    assert re.search(r"By “General model”, the orders are .* \(Spearman", said)
    assert "1 of 1 in common" in said or "0 of 1 in common" in said
    assert "- The order by “Torn between classes”, “Easily mistaken” and “ImageNet entropy” is the same" in said
    assert f", {COUNT} pictures)" in said
    first, _ = galleries(at)
    assert all(re.fullmatch(r"\d+ / \d+", tile["value"]) for tile in first)
    assert first[0]["detail"].startswith("dice: ")
    assert "; zoo-1: " in first[0]["detail"]
    assert "nearest of every picture are the same under both" in said
    assert "More ambiguous for dice" in said
    assert "More ambiguous for zoo-1" in said
    assert "Draw a lasso on one map" in said
    reading(image_set)
    said = words(at.run())
    assert "The comparison appears once reading has finished" in said
    assert "Spearman" not in said


def test_the_leading_measure_is_shown_first_unless_it_is_the_same_under_both(
    image_set: ImageSet, other_head: str, home: Workspace, tmp_path: Path
) -> None:
    assert image_set.order().measure == "confusability"
    assert order_by(opened(image_set, "compare", **second(image_set, other_head))).value == "uncertainty"
    tiny, file = "test_vit", tmp_path / "mine.safetensors"
    save_file(timm.create_model(tiny, num_classes=7).state_dict(), file)
    mine = load_model(f"{tiny}:{file}", device="cpu", precision="exact", workspace=home.root)
    embed_folder(image_set.root, model=mine, workspace=home.root)
    at = opened(image_set, "compare", **second(image_set, mine.source.name))
    assert order_by(at).value == "confusability"
    assert "was not read with" not in words(at)
    assert "By “Easily mistaken”, the orders are" in words(at)


def test_a_lasso_on_one_map_selects_on_both_and_the_last_one_counts(image_set: ImageSet, other_head: str) -> None:
    at = opened(image_set, "compare", **second(image_set, other_head))
    table = image_set.table()
    keys = {side: f"view.compare.map.{side}.{image_set.set_id}.{image_set.space.key}" for side in ("first", "second")}
    middle = float(table["x"].median())
    left = int((table["x"] < middle).sum())
    low, high = float(table["y"].min()) - 1, float(table["y"].max()) + 1
    at.session_state[keys["first"]] = told(polygon=_box(float(table["x"].min()) - 1, middle, low, high))
    at.run()
    assert f"**{left}** of {COUNT}" in words(at)
    at.session_state[keys["second"]] = told(polygon=_box(float(table["x"].min()) - 1, 1e6, low, high))
    at.run()
    assert f"**{COUNT}** of {COUNT}" in words(at)
    at.button(key="compare.clear").click().run()
    assert "Draw a lasso on one map" in words(at)


def _box(left: float, right: float, low: float, high: float) -> list[list[float]]:
    return [[left, low], [right, low], [right, high], [left, high]]


def test_the_same_head_under_another_name_is_told(image_set: ImageSet, other_head: str) -> None:
    shutil.copy(image_set.source.name, other_head)
    said = words(opened(image_set, "compare", **second(image_set, other_head)))
    assert "This is the same model under another name." in said
    assert "Spearman" not in said


def test_with_one_model_only_a_second_one_is_offered(
    home: Workspace, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from url_viz.models.model_names import DEFAULT, PACKAGED

    for name in [name for name in PACKAGED if name != DEFAULT]:
        monkeypatch.delitem(PACKAGED, name)
    image_set = embed_folder(write_folder(tmp_path / "zoo", 4), model=DEFAULT, workspace=home.root)
    at = opened(image_set, "compare")
    assert r"has only been read with tf\_efficientnet\_lite0" in words(at)


def test_a_model_that_did_not_read_the_set_is_offered_as_a_job(image_set: ImageSet, home: Workspace) -> None:
    other = home.heads / "far-1" / "head.safetensors"
    other.parent.mkdir(parents=True)
    save_head(dice_head(backbone="no_such_backbone"), other)
    at = opened(image_set, "compare", **second(image_set, str(other)))
    assert "has not been read with far-1 yet" in words(at)
    at.button(key="compare.read").click().run()
    assert [job.about["model"] for job in list_jobs(home, kind=KIND)] == [str(other)]
    assert at.session_state["chosen_model"] == image_set.source.name, "the model that is shown stays"


def test_where_one_has_no_head_uncertainty_is_not_compared_and_the_rest_is_the_same(
    image_set: ImageSet, bare_model: Model, home: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from url_viz.models import model_names as zoo

    monkeypatch.setattr(zoo, "HEADS", tmp_path / "no heads")
    said = words(opened(image_set, "compare", **second(image_set, zoo.DEFAULT)))
    assert "one of the two models has no head" in said
    assert "- The order by “Torn between classes”, “Easily mistaken” and “ImageNet entropy” is the same" in said
    assert "Spearman" not in said


def test_a_comparison_is_worked_out_once_and_keeps_no_snapshot(image_set: ImageSet, other_head: str) -> None:
    def read(model: str) -> ImageSet:
        return open_image_set(image_set.root, model=model, workspace=image_set.workspace.root)

    first, second = read(image_set.source.name), read(other_head)
    found = comparison_of(first, second)
    assert comparison_of(read(image_set.source.name), read(other_head)) is found
    assert comparison_of(second, first) is not found
    held = weakref.ref(first)
    del first
    gc.collect()
    assert held() is None


def test_a_checkpoint_outside_the_roots_is_not_looked_at(
    image_set: ImageSet,
    head_file: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("URL_VIZ_ROOTS", f"{tmp_path}{os.pathsep}{head_file.parent}")
    outside = tmp_path_factory.mktemp("outside") / "head.safetensors"
    save_head(dice_head(4), outside)
    said = words(opened(image_set, "compare", **second(image_set, str(outside))))
    assert "Spearman" not in said
    assert "has not been read with outside" in said


def test_the_scatter_lights_what_is_selected(image_set: ImageSet, other_head: str) -> None:
    other = open_image_set(image_set.root, model=other_head, workspace=image_set.workspace.root)
    found = image_set.compare(other).measures["entropy"]
    ids = found.table["id"].iloc[[2, 5]]
    figure = scatter_figure(found, names=("a", "b"), ids=ids)
    assert list(figure.data[0].selectedpoints) == [2, 5]
    assert list(figure.data[0].x) == list(figure.data[0].y)
    assert scatter_figure(found, names=("a", "b"), ids=None).data[0].selectedpoints is None
