"""Train in every state: nothing open, nothing run yet, waiting, failed, finished, in use."""

import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from tests.conftest import dice_head
from tests.imaging.pictures import write_folder
from tests.ui.pages import ended, opened, words
from url_viz.base.processes import WITHIN_VARIABLE
from url_viz.base.workspace import Workspace
from url_viz.evidence.holdout_report import HoldoutFigure
from url_viz.evidence.order_metrics import Figure, Interval
from url_viz.image_set import ImageSet
from url_viz.jobs import Job, list_jobs, start_job
from url_viz.jobs.kinds import ADAPT, config_to_adapt, hard_to_beat
from url_viz.models.head import save_head
from url_viz.models.model import Model
from url_viz.reading import embed_folder
from url_viz.ui.adapt import estimate
from url_viz.ui.compare_models import SECOND

COUNT = 8


def run(image_set: ImageSet | None) -> AppTest:
    return opened(image_set, "finetune")


def a_run(home: Workspace, image_set: ImageSet, code: str) -> Job:
    out = home.heads / "zoo-1"
    about = {"set_id": image_set.set_id, "model": "m", "out": str(out), "folder": str(image_set.root)}
    return start_job(["-c", code], kind=ADAPT.name, title="Adapt to zoo", workspace=home, about=about)


def test_of_pictures_in_an_archive_it_says_how_they_become_files(tmp_path: Path, home: Workspace, model: Model) -> None:
    archive = shutil.make_archive(str(tmp_path / "zoo"), "zip", write_folder(tmp_path / "zoo", 6, classes=("a", "b")))
    at = run(embed_folder(archive, model=model, workspace=home.root))
    assert "no files of one folder" in at.error[0].value
    assert "adapt" not in [button.key for button in at.button]


def test_one_button_and_an_estimate_come_first(image_set: ImageSet) -> None:
    at = run(image_set)
    text = words(at)
    assert "which pictures here are easily mistaken" in text
    assert "8 pictures · under a minute" in text
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


def test_labels_are_asked_for_where_there_are_none(home: Workspace, tmp_path: Path, model: Model) -> None:
    unlabelled = embed_folder(write_folder(tmp_path / "flat", 4), model=model, workspace=home.root)
    at = run(unlabelled)
    at.radio(key="finetune.mode").set_value("labels").run()
    assert "This set has no class folders, which this training needs." in words(at)
    assert at.button(key="adapt").disabled


OPTIONS = {
    "instance": ({"recipe.epochs", "limit", "learns", "recipe.batch"}, {"joint.joint_epochs", "instance.folds"}),
    "labels": ({"recipe.epochs", "limit", "from_shipped"}, {"learns", "joint.joint_epochs", "instance.temperature"}),
    "full": (
        {"joint.joint_epochs", "joint.backbone_rate", "recipe.width"},
        {"recipe.epochs", "recipe.batch", "learns", "from_shipped"},
    ),
}
"""Of each mode some that are asked for, and some that are not."""


def test_only_the_options_that_a_mode_reads_are_asked_for(image_set: ImageSet) -> None:
    at = run(image_set)
    expected = {"instance": "Adapt to these pictures", "labels": "Adapt to these classes"}
    for mode, (shown, hidden) in OPTIONS.items():
        at.radio(key="finetune.mode").set_value(mode).run()
        widgets = (*at.number_input, *at.selectbox, *at.toggle)
        keys = {widget.key.removeprefix("finetune.") for widget in widgets if widget.key}
        assert shown <= keys
        assert not hidden & keys
        assert at.button(key="adapt").label == expected.get(mode, "Finetune backbone and head")


def test_before_a_head_is_adapted_it_says_what_is_hard_to_beat_and_that_button_is_not_blue(image_set: ImageSet) -> None:
    at = run(image_set)
    warning = hard_to_beat(image_set)
    assert warning.startswith(f"What you have without training is hard to beat with {len(image_set)} pictures. ")
    assert warning in [info.value for info in at.info]
    assert at.button(key="adapt").proto.type == "secondary"
    at.radio(key="finetune.mode").set_value("full").run()
    assert "No gain is shown on a few hundred pictures" in at.info[0].value
    assert at.button(key="adapt").proto.type == "secondary"
    at.radio(key="finetune.mode").set_value("labels").run()
    assert (at.info.len, at.button(key="adapt").proto.type) == (0, "primary")


def test_a_run_of_both_costs_more_than_one_of_the_head_and_says_so(image_set: ImageSet) -> None:
    config = config_to_adapt(image_set)
    assert "about 1 min" in estimate(config, 1000)
    assert "about 9 min" in estimate(replace(config, mode="full"), 1000)


def test_a_live_run_can_be_cancelled(home: Workspace, image_set: ImageSet) -> None:
    job = a_run(home, image_set, "import time; time.sleep(600)")
    at = run(image_set)
    assert "Adapt to zoo" in words(at)
    at.button(key=f"cancel.{job.id}").click().run()
    assert job.status().state == "cancelled"


def test_a_failed_run_says_why(home: Workspace, image_set: ImageSet) -> None:
    job = ended(a_run(home, image_set, "import sys; print('no luck'); sys.exit(3)"))
    at = run(image_set)
    assert "failed" in next(e.label for e in at.expander if "Adapt to zoo" in e.label)
    assert "3" in words(at)
    assert any("no luck" in block.value for block in at.code)
    at.button(key=f"delete.{job.id}").click().run()
    assert "Adapt to zoo" not in words(at)


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
    at = run(image_set)
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
    at = run(image_set)
    at.number_input(key="finetune.recipe.epochs").set_value(2).run()
    at.button(key="adapt").click().run()
    job = list_jobs(home, kind=ADAPT.name)[0]
    command = job.command
    assert json.loads(job.config.env[WITHIN_VARIABLE])[-1] == str(image_set.root), "and it reads nothing outside"
    assert command[:2] == ("-m", "training.finetune")
    assert command[command.index("--epochs") : command.index("--epochs") + 2] == ("--epochs", "2")
    assert sys.executable not in command
