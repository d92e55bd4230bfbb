"""Another model beside the one in use, through app.py: two heads, two backbones, one model, no head, not read yet."""

import gc
import json
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
from tests.ui.pages import named, opened, reading, words
from url_viz.base.workspace import Workspace
from url_viz.columns.filters import Between
from url_viz.columns.measures import DISAGREEMENT
from url_viz.evidence.compare import most_disagreeing
from url_viz.image_set import ImageSet, open_image_set
from url_viz.jobs import list_jobs
from url_viz.models.head import save_head
from url_viz.models.model import Model, load_model
from url_viz.reading import embed_folder
from url_viz.ui.compare_models import NO_OTHER, SECOND, comparison_of
from url_viz.ui.explore.view import VIEW
from url_viz.ui.search import SEARCHING
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


@pytest.fixture
def other_backbone(image_set: ImageSet, home: Workspace, tmp_path: Path) -> ImageSet:
    """The set as another backbone has read it."""
    tiny, file = "test_vit", tmp_path / "mine.safetensors"
    save_file(timm.create_model(tiny, num_classes=7).state_dict(), file)
    mine = load_model(f"{tiny}:{file}", device="cpu", precision="exact", workspace=home.root)
    return embed_folder(image_set.root, model=mine, workspace=home.root)


def test_two_heads_are_compared_in_two_columns(image_set: ImageSet, other_head: str) -> None:
    at = opened(image_set, "compare", **second(image_set, other_head))
    shown = at.dataframe[0].value.set_index("Measure")
    agreement = shown["Agreement"].astype(str)
    assert re.fullmatch(r"−?\.\d\d \[.*\]", agreement["General model"])
    assert agreement["Easily mistaken"].startswith("1.00")
    assert "The order by “Easily mistaken” is the same under both." in words(at)
    assert "compare.explore" not in [button.key for button in at.button], "there is nothing that they disagree on"
    reading(image_set)
    said = words(at.run())
    assert "The figures appear once reading has finished" in said
    assert not at.dataframe


def test_a_head_adapted_to_these_pictures_is_called_so(image_set: ImageSet, other_head: str, home: Workspace) -> None:
    Path(other_head).with_name("config.json").write_text(json.dumps({"data": f"folder:{image_set.root}"}))
    at = opened(image_set, "compare", **second(image_set, other_head))
    row = at.dataframe[0].value.set_index("Measure").loc["General model or adapted head"]
    assert row["Knows"] == "the set"
    assert "[" in str(row["Agreement"])
    adapted = open_image_set(image_set.root, model="zoo-1", workspace=home.root)
    assert adapted.source.name == other_head, "the name that pages show opens it"


def test_another_backbone_is_compared_and_left_again(image_set: ImageSet, other_backbone: ImageSet) -> None:
    at = opened(image_set, "compare")
    assert not at.dataframe, "without classes and another model there is no table"
    assert named(at.selectbox, "Compare with another model").value == NO_OTHER
    at = opened(image_set, "compare", **second(image_set, other_backbone.source.name))
    assert not at.exception
    said = words(at).replace("\\", "")
    assert "By “Easily mistaken”, the orders are" in said
    helped = next(each for each in at.caption if "By “Easily mistaken”" in each.value).help
    assert "nearest, " in helped
    assert "Easily mistaken" in at.dataframe[0].value["Measure"].tolist()
    assert "Difference in R-AUROC" not in at.dataframe[0].value
    named(at.selectbox, "Compare with another model").set_value(NO_OTHER).run()
    assert not at.dataframe


def test_a_button_opens_explore_on_what_they_disagree_on_most(image_set: ImageSet, other_backbone: ImageSet) -> None:
    at = opened(image_set, "compare", **second(image_set, other_backbone.source.name), **{SEARCHING: True})
    column = f"{DISAGREEMENT}test_vit"
    now = open_image_set(image_set.root, model=image_set.source.name, workspace=image_set.workspace.root)
    apart = now.core.for_filters(now.table(), [Between(column)])[column].to_numpy(float)
    least = most_disagreeing(apart)
    count = int((apart >= least).sum())
    button = at.button(key="compare.explore")
    assert button.label.startswith(f"Explore the {count} picture")
    button.click().run()
    at.switch_page("pages/explore_page.py").run()
    assert at.session_state[VIEW].filters == (Between(column, low=least),)
    assert f"Disagreement with test\\_vit ≥ {least:.6g}" in words(at)
    assert not at.session_state[SEARCHING]
    assert f"**{count}** of {COUNT}" in words(at)


def test_the_same_head_under_another_name_is_told(image_set: ImageSet, other_head: str) -> None:
    shutil.copy(image_set.source.name, other_head)
    at = opened(image_set, "compare", **second(image_set, other_head))
    assert "This is the same model." in words(at)
    assert not at.dataframe


def test_with_one_model_only_a_second_one_is_offered(
    home: Workspace, tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from url_viz.models.model_names import DEFAULT, PACKAGED

    for name in [name for name in PACKAGED if name != DEFAULT]:
        monkeypatch.delitem(PACKAGED, name)
    image_set = embed_folder(write_folder(tmp_path / "zoo", 4), model=DEFAULT, workspace=home.root)
    at = opened(image_set, "compare")
    control = named(at.selectbox, "Compare with another model")
    assert (control.value, control.options) == (NO_OTHER, ["Compare with another model"])
    at = opened(image_set, "compare", **second(image_set, "test_vit"))
    assert r"has not been read with test\_vit yet" in words(at)


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
    at = opened(image_set, "compare", **second(image_set, zoo.DEFAULT))
    assert "General model" not in at.dataframe[0].value["Measure"].tolist()
    assert "The order by “Easily mistaken” is the same under both." in words(at)


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
    at = opened(image_set, "compare", **second(image_set, str(outside)))
    assert not at.dataframe
    assert "has not been read with outside" in words(at)
