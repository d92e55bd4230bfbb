"""Train: a head from labelled image sets, its options, its job, its card and its use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tyro
from streamlit.testing.v1 import AppTest

from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import opened, turned_to, words
from training.command import FLAT
from training.config import PRESETS, PretrainConfig
from url_viz.base.errors import JobError
from url_viz.base.processes import within_variable
from url_viz.base.progress import Progress
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.image_set import ImageSet
from url_viz.jobs import cancel_job, list_jobs, progress_history
from url_viz.jobs.kinds import PRETRAIN, config_to_pretrain, head_of, start_pretraining
from url_viz.models.catalogue import known_models
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.adapt import (
    NONE_TEACHES,
    PRETRAIN_SETS,
    WITHOUT_SETS,
    TrainingSets,
    estimate,
    labelled_sets,
    pretrain_config,
    with_its_recipe,
)
from url_viz.ui.auth import may_read
from url_viz.ui.open_sets import recent_sets
from url_viz.ui.widgets.jobs import step_in_words

COUNT = 24


@pytest.fixture
def other(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "farm", 20, classes=("cow", "hen")))


def form(image_set: ImageSet) -> AppTest:
    return opened(image_set, "finetune", finetune__mode="pretrain")


def said(at: AppTest) -> str:
    return words(at).replace("\\", "")


def chosen_of(teach: ImageSet, *measured: ImageSet) -> TrainingSets:
    known = {one.set_id: one for one in labelled_sets()}
    return TrainingSets((known[teach.set_id],), tuple(known[one.set_id] for one in measured))


def test_the_open_set_teaches_at_first_and_cannot_measure_then(image_set: ImageSet, other: ImageSet) -> None:
    at = form(image_set)
    teach, measure = (PRETRAIN_SETS.under(use, image_set.set_id, "control") for use in ("teach", "measure"))
    assert at.multiselect(key=teach).value == [image_set.set_id]
    assert [option.partition(" · ")[2] for option in at.multiselect(key=measure).options] == ["20 pictures, 2 classes"]
    at.multiselect(key=measure).select(other.set_id).run()
    at.multiselect(key=teach).select(other.set_id).run()
    measuring = next(one for one in at.multiselect if str(one.key).startswith(measure))
    assert measuring.value == []
    assert "44 pictures · under a minute" in said(at)
    at.multiselect(key=teach).set_value([]).run()
    assert NONE_TEACHES in said(at)
    assert at.button(key="pretrain").disabled


def test_without_class_folders_nothing_teaches(home: Workspace, tmp_path: Path, model: Model) -> None:
    at = form(embed_folder(write_folder(tmp_path / "flat", 4), model=model, workspace=home.root))
    assert WITHOUT_SETS in said(at)
    assert not [one for one in at.button if one.key == "pretrain"]


def test_a_set_whose_label_is_another_column_teaches_by_its_folders(home: Workspace, image_set: ImageSet) -> None:
    image_set.labels.use(None)
    (told,) = recent_sets().latest(5)
    assert (told.classes, told.folder_classes) == (0, 2)
    assert labelled_sets() == (told,)


def test_only_options_that_make_sense_are_asked_for(image_set: ImageSet, other: ImageSet) -> None:
    at = form(image_set)
    start = f"pretrain.{image_set.set_id}."

    def options() -> set[str]:
        found = {str(one.key) for one in (*at.number_input, *at.selectbox, *at.toggle, *at.text_input)}
        return {key.removeprefix(start).partition(".")[2] for key in found if key.startswith(start)}

    assert {"seeds", "recipe.epochs", "limit", "device", "augmentation.views", "recipe.margin"} <= options()
    assert not {"recipe.depth", "precision", "target", "instance.temperature", "mixture.share"} & options()
    at.multiselect(key=PRETRAIN_SETS.under("teach", image_set.set_id, "control")).select(other.set_id)
    at.selectbox(key=f"{start}reads").set_value("embedding").run()
    assert {"recipe.depth", "recipe.width", "mixture.share"} <= options()
    assert at.number_input(key=f"{start}embedding.recipe.depth").value == 2


def test_the_command_reads_back_what_the_form_says(image_set: ImageSet, other: ImageSet) -> None:
    usual = pretrain_config(image_set, chosen_of(image_set, other))
    assert (usual.reads, usual.precision) == ("functions", image_set.space.precision)
    for asked in (usual, with_its_recipe(replace(usual, reads="embedding", seeds=1, limit=9))):
        assert tyro.cli(PretrainConfig, args=PRETRAIN.words(asked)[2:], config=FLAT) == asked


def test_without_a_classifier_the_head_reads_the_embedding(home: Workspace, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "given", 4, classes=("cat", "dog"))
    paths = np.array([str(path.relative_to(folder)) for path in sorted(folder.rglob("*.jpg"))])
    np.savez(tmp_path / "given.npz", paths=paths, values=np.random.default_rng(0).normal(size=(len(paths), 8)))
    given = embed_folder(folder, embeddings=tmp_path / "given.npz", workspace=home.root)
    config = with_its_recipe(pretrain_config(given, chosen_of(given)))
    assert (config.reads, config.recipe) == ("embedding", PRESETS["laptop"])


def test_what_is_measured_costs_time_too(image_set: ImageSet, other: ImageSet) -> None:
    config = pretrain_config(image_set, chosen_of(image_set))
    assert estimate(config, 9_000).startswith("9,000 pictures · about 6 min")
    assert "about 15 min" in estimate(config, 9_000, measured=9_000)
    assert "100 pictures · under a minute" in estimate(replace(config, limit=100), 9_000)


def test_a_set_cannot_both_teach_and_measure(image_set: ImageSet) -> None:
    root, home = image_set.root, image_set.workspace
    with pytest.raises(JobError, match="both teaches the head and measures it"):
        start_pretraining(config_to_pretrain([root], [root], backbone="m"), teachers="t", workspace=home)
    with pytest.raises(JobError, match="Choose one with class folders"):
        start_pretraining(config_to_pretrain([], [], backbone="m"), teachers="t", workspace=home)


def test_a_step_that_comes_several_times_says_which_it_is() -> None:
    assert step_in_words(Progress("train, seed 2 of 3", 3, 60)) == "Training the head · seed 2 of 3 · 3 of 60 steps"


def test_a_stopped_run_is_listed_for_every_set_of_its_backbone_and_goes_on(
    home: Workspace, image_set: ImageSet, other: ImageSet
) -> None:
    root, backbone = image_set.root, image_set.space.backbone
    job = start_pretraining(config_to_pretrain([root], [], backbone=backbone), teachers="zoo", workspace=home)
    cancel_job(job, grace_s=0.1)
    at = form(other)
    assert "Run again continues where this stopped" in said(at)
    at.button(key=f"again.{job.id}").click().run()
    again, _ = list_jobs(home, kind=PRETRAIN.name)
    assert again.command == job.command, "the folder is the same, so that it goes on"


@pytest.mark.slow
def test_a_head_is_made_measured_listed_and_used(
    home: Workspace, image_set: ImageSet, other: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    """Begun on the page, and by the command, which waits and tells what the head is worth."""
    at = form(image_set)
    at.multiselect(key=PRETRAIN_SETS.under("measure", image_set.set_id, "control")).select(other.set_id).run()
    start = f"pretrain.{image_set.set_id}.functions"
    at.number_input(key=f"{start}.seeds").set_value(2)
    at.number_input(key=f"{start}.recipe.epochs").set_value(2)
    at.number_input(key=f"{start}.recipe.held_out").set_value(0.3)
    at.number_input(key=f"{start}.augmentation.views").set_value(1).run()
    at.button(key="pretrain").click().run()
    (begun,) = list_jobs(home, kind=PRETRAIN.name)
    assert begun.config.env == {"URL_VIZ_HOME": str(home.root), **within_variable(may_read())}
    words_of = " ".join(begun.command)
    assert all(told in words_of for told in ("--seeds 2", "--epochs 2", "--held-out 0.3", "--views 1", str(other.root)))
    cancel_job(begun, grace_s=0.1)
    roots = [str(image_set.root), "--report", str(other.root)]
    assert main(["train", "pretrain", *roots, "--seeds", "2", "--device", "cpu", "--workspace", str(home.root)]) == 0
    told = capsys.readouterr()
    job = list_jobs(home, kind=PRETRAIN.name)[0]
    assert f"{head_of(job)}: R-AUROC of the head on 1 set" in told.out
    assert f"--model {head_of(job)}" in told.out
    stages = {step.stage for step in progress_history(job)}
    assert {"train, seed 1 of 2", "train, seed 2 of 2", "embed"} <= stages
    at = form(image_set)
    text = said(at)
    assert "R-AUROC of the head on 1 set not used to make it" in text
    assert any("# Uncertainty head for" in one.value for one in at.code)
    at.button(key=f"use.{job.id}").click().run()
    assert at.session_state["chosen_model"] == str(head_of(job))
    assert "This head is in use." in said(at)

    (listed,) = [one for one in known_models(home) if one.kind == "trained"]
    assert listed.file == head_of(job)
    assert listed.card is not None
    assert listed.made_for is None
    at = turned_to(at, "models")
    assert "R-AUROC of the head on 1 set not used to make it" in said(at)
