"""Train in every state: forms, heads adapted to a set or made from several, their jobs, figures and use."""

import json
import shutil
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import numpy as np
import pytest
import tyro
from streamlit.testing.v1 import AppTest
from typing_extensions import Doc

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.ui.conftest import Read
from tests.ui.pages import ended, opened, turned_to, words
from training.command import FLAT
from training.config import PRESETS, FinetuneConfig, PretrainConfig
from url_viz.base.errors import JobError
from url_viz.base.processes import WITHIN_VARIABLE, within_variable
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.evidence.holdout_report import HoldoutFigure
from url_viz.evidence.order_metrics import Figure, Interval
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, cancel_job, list_jobs, progress_history, start_job
from url_viz.jobs.kinds import (
    ADAPT,
    PRETRAIN,
    config_to_adapt,
    config_to_pretrain,
    hard_to_beat,
    head_of,
    start_pretraining,
)
from url_viz.jobs.training_words import command_words
from url_viz.models.catalogue import known_models
from url_viz.models.head import save_head
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
from url_viz.ui.compare_models import SECOND
from url_viz.ui.open_sets import recent_sets


@dataclass(frozen=True)
class Inner:
    """The inner options."""

    rate: Annotated[float, Doc("How fast.")] = 0.5
    is_loud: Annotated[bool, Doc("Whether to say so.")] = True


@dataclass(frozen=True)
class Outer:
    """The outer options."""

    kind: Annotated[Literal["a", "b"], Doc("Which of two.")] = "a"
    limit: Annotated[int | None, Doc("How many; empty for all.")] = None
    inner: Annotated[Inner, Doc("What lies inside.")] = field(default_factory=Inner)


def test_only_what_differs_is_on_the_command_line() -> None:
    assert command_words(Outer()) == []
    changed = Outer(kind="b", limit=3, inner=Inner(rate=0.25, is_loud=False))
    assert command_words(changed) == ["--kind", "b", "--limit", "3", "--rate", "0.25", "--no-is-loud"]
    assert command_words(Outer(), usual=Outer(limit=3)) == ["--limit", "None"]


def test_every_field_has_a_widget_with_its_sentence_as_help() -> None:
    def script() -> None:
        import streamlit as st

        from tests.ui.test_adapt import Outer
        from url_viz.ui.adapt import show_form

        st.session_state["made"] = show_form(Outer(), key="form")

    at = AppTest.from_function(script).run()
    assert at.session_state["made"] == Outer()
    assert at.selectbox(key="form.kind").help == "Which of two. Default: a."
    assert at.toggle(key="form.inner.is_loud").label == "Is loud"
    at.number_input(key="form.limit").set_value(7)
    at.number_input(key="form.inner.rate").set_value(0.125)
    at.toggle(key="form.inner.is_loud").set_value(False).run()
    assert at.session_state["made"] == Outer(limit=7, inner=Inner(rate=0.125, is_loud=False))
    assert any("What lies inside." in m.value for m in at.caption)


@pytest.mark.parametrize("config", [FinetuneConfig, PretrainConfig])
def test_every_field_of_a_real_config_has_a_sentence(config: type) -> None:
    for name, hint in get_type_hints(config, include_extras=True).items():
        assert any(getattr(one, "documentation", "") for one in getattr(hint, "__metadata__", ())), name


def a_run(home: Workspace, image_set: ImageSet, code: str) -> Job:
    out = home.heads / "zoo-1"
    about = {"set_id": image_set.set_id, "model": "m", "out": str(out), "folder": str(image_set.root)}
    return start_job(["-c", code], kind=ADAPT.name, title="Adapt to zoo", workspace=home, about=about)


def test_of_pictures_in_an_archive_it_says_how_they_become_files(tmp_path: Path, home: Workspace, model: Model) -> None:
    archive = shutil.make_archive(str(tmp_path / "zoo"), "zip", write_folder(tmp_path / "zoo", 6, classes=("a", "b")))
    at = opened(embed_folder(archive, model=model, workspace=home.root), "finetune")
    assert "no files of one folder" in at.error[0].value
    assert "adapt" not in [button.key for button in at.button]


def test_one_button_and_an_estimate_come_first(image_set: ImageSet) -> None:
    at = opened(image_set, "finetune")
    text = words(at)
    assert "which pictures here are easily mistaken" in text
    assert f"{COUNT} pictures · under a minute" in text
    assert "Adapt to these pictures" in text
    at.radio(key="finetune.mode").set_value("labels").run()
    assert f"What you have without training: {image_set.order().reason}" in words(at)
    more = next(each for each in at.expander if each.label == "More")
    assert {"**Data**", "**Model**", "**How long**"} <= {each.value for each in at.markdown}
    first = {each.label: each.help for each in at.number_input} | {each.label: each.help for each in at.selectbox}
    first = {label: text for label, text in first.items() if label not in {each.label for each in more.number_input}}
    assert {"Most pictures to learn from", "Epochs"} <= first.keys()
    assert "Start from the current head" in {each.label for each in at.toggle}
    assert "Default: 5000." in first["Most pictures to learn from"]
    assert "No runs yet. A run goes on even if you close this page or stop the app." in text
    at.number_input(key="finetune.augmentation.views").set_value(0).run()
    assert "cannot be combined" in at.error[0].value


def test_labels_are_asked_for_where_there_are_none(tmp_path: Path, read_once: Read) -> None:
    unlabelled = read_once(write_folder(tmp_path / "flat", 4))
    at = opened(unlabelled, "finetune")
    at.radio(key="finetune.mode").set_value("labels").run()
    assert "This set has no class folders, which this training needs." in words(at)
    assert at.button(key="adapt").disabled
    at = form(unlabelled)
    assert WITHOUT_SETS in words(at)
    assert "pretrain" not in [button.key for button in at.button]


MODES = {
    "instance": (
        "Adapt to these pictures",
        {"recipe.epochs", "limit", "learns", "recipe.batch"},
        {"joint.joint_epochs", "instance.folds"},
    ),
    "labels": (
        "Adapt to these classes",
        {"recipe.epochs", "limit", "from_shipped"},
        {"learns", "joint.joint_epochs", "instance.temperature"},
    ),
    "full": (
        "Finetune backbone and head",
        {"joint.joint_epochs", "joint.backbone_rate", "recipe.width"},
        {"recipe.epochs", "recipe.batch", "learns", "from_shipped"},
    ),
}
"""Of each mode the button, some options that are asked for, and some that are not."""


def test_a_mode_asks_for_what_it_reads_and_its_button_is_not_blue_where_it_is_hard_to_beat(image_set: ImageSet) -> None:
    at = opened(image_set, "finetune")
    warning = hard_to_beat(image_set)
    assert warning.startswith(f"What you have without training is hard to beat with {len(image_set)} pictures. ")
    warnings = {"instance": warning, "full": "No gain is shown on a few hundred pictures", "labels": ""}
    for mode, (button, shown, hidden) in MODES.items():
        at.radio(key="finetune.mode").set_value(mode).run()
        widgets = (*at.number_input, *at.selectbox, *at.toggle)
        keys = {widget.key.removeprefix("finetune.") for widget in widgets if widget.key}
        assert shown <= keys
        assert not hidden & keys
        assert at.button(key="adapt").label == button
        assert at.button(key="adapt").proto.type == ("secondary" if warnings[mode] else "primary")
        told = "".join(info.value for info in at.info)
        assert warnings[mode] in told
        assert bool(told) == bool(warnings[mode])


def test_a_finished_run_shows_its_figures_and_its_head_is_put_to_use(home: Workspace, image_set: ImageSet) -> None:
    job = ended(a_run(home, image_set, "pass"))
    out = Path(job.about["out"])
    save_head(dice_head(seed=3), out / "head.safetensors")
    told = HoldoutFigure(
        "r_auroc",
        130,
        Figure(0.712, Interval(0.64, 0.77)),
        Figure(0.6, Interval(0.52, 0.68)),
        {"confusability": Figure(0.81, Interval(0.75, 0.87))},
        {"before": Figure(0.11, Interval(-0.01, 0.2)), "confusability": Figure(-0.1, Interval(-0.16, -0.04))},
    )
    (out / "report.json").write_text(json.dumps({"told": [asdict(told)], "advice": "adapted (as planned)."}))
    at = opened(image_set, "finetune")
    text = words(at)
    assert r"**R-AUROC .71 \[.64, .77\], 130 pictures**" in text
    assert r"Before: .60 \[.52, .68\]; too close to call on these pictures." in text
    worse = r"the new one is worse (−.10 \[−.16, −.04\])"
    assert rf"Confusability, without training: .81 \[.75, .87\]; {worse}." in text
    assert "adapted (as planned)." in text
    at.button(key=f"use.{job.id}").click().run()
    assert at.session_state["chosen_model"] == str(out / "head.safetensors")
    text = words(at)
    assert "This head is in use." in text
    assert "What changed" in text
    assert "rank correlation" in text
    assert at.session_state[f"{SECOND}.{out / 'head.safetensors'}"] == image_set.source.name, (
        "the model to compare with"
    )


def test_the_command_that_is_started_is_trainings_own(home: Workspace, image_set: ImageSet) -> None:
    at = opened(image_set, "finetune")
    at.number_input(key="finetune.recipe.epochs").set_value(2).run()
    at.button(key="adapt").click().run()
    job = list_jobs(home, kind=ADAPT.name)[0]
    command = job.command
    assert json.loads(job.config.env[WITHIN_VARIABLE])[-1] == str(image_set.root), "and it reads nothing outside"
    assert command[:2] == ("-m", "training.finetune")
    assert command[command.index("--epochs") : command.index("--epochs") + 2] == ("--epochs", "2")
    assert sys.executable not in command
    at.button(key=f"cancel.{job.id}").click().run()
    assert job.status().state == "cancelled"


COUNT = 24


@pytest.fixture
def other(tmp_path: Path, read_once: Read) -> ImageSet:
    return read_once(write_folder(tmp_path / "farm", 20, classes=("cow", "hen")))


def form(image_set: ImageSet) -> AppTest:
    return opened(image_set, "finetune", finetune__mode="pretrain")


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
    assert "44 pictures · under a minute" in words(at)
    at.multiselect(key=teach).set_value([]).run()
    assert NONE_TEACHES in words(at)
    assert at.button(key="pretrain").disabled


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


def test_a_run_of_both_and_what_is_measured_cost_more_and_it_is_said(image_set: ImageSet) -> None:
    of_head = config_to_adapt(image_set)
    assert "about 1 min" in estimate(of_head, 1000)
    assert "about 9 min" in estimate(replace(of_head, mode="full"), 1000)
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


def test_a_stopped_run_is_listed_for_every_set_of_its_backbone_and_goes_on(
    home: Workspace, image_set: ImageSet, other: ImageSet
) -> None:
    root, backbone = image_set.root, image_set.space.backbone
    job = start_pretraining(config_to_pretrain([root], [], backbone=backbone), teachers="zoo", workspace=home)
    cancel_job(job, grace_s=0.1)
    at = form(other)
    assert "Run again continues where this stopped" in words(at)
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
    text = words(at)
    assert "R-AUROC of the head on 1 set not used to make it" in text
    assert any("# Uncertainty head for" in one.value for one in at.code)
    at.button(key=f"use.{job.id}").click().run()
    assert at.session_state["chosen_model"] == str(head_of(job))
    assert "This head is in use." in words(at)

    (listed,) = [one for one in known_models(home) if one.kind == "trained"]
    assert listed.file == head_of(job)
    assert listed.card is not None
    assert listed.made_for is None
    at = turned_to(at, "models")
    assert "R-AUROC of the head on 1 set not used to make it" in words(at)
