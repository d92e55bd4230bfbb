"""The whole chain on pictures made in memory, from caches to the card, and going on after a stop."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from tests.test_architecture import ON_TOP
from tests.training.conftest import draw_folder
from training import finetune, head_pretraining
from training.benchmark.measured_head import seen_classes
from training.command import FLAT
from training.config import PRESETS, Augmentation, FinetuneConfig, PretrainConfig, Recipe
from training.data.spec import list_pictures
from training.head_pretraining import PretrainPaths
from training.model_card import retrain_command
from training.pretrain import pretrain
from training.store import RunPaths
from url_viz.base.errors import FolderError
from url_viz.base.progress import silent
from url_viz.base.workspace import HOME_VARIABLE
from url_viz.models.catalogue import card_rows
from url_viz.models.head import load_head
from url_viz.models.model import Model, load_model
from url_viz.models.model_names import DEFAULT, HEADS

ROOT = Path(__file__).parents[2]
# Classes that the classifier knows train; the others are of nobody's.
UPSTREAM, OTHERS = ("n01440764", "n01443537", "n01484850"), ("red", "green", "blue")


@pytest.fixture
def pictures(tmp_path: Path, prepared: Path, second_model: Model, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four sets, in a home where both models are converted."""
    monkeypatch.setenv(HOME_VARIABLE, str(prepared))
    for number, name in enumerate(("learn", "more", "looked-at", "blind")):
        classes = UPSTREAM if number < 2 else OTHERS
        draw_folder(tmp_path / name, 24, classes, start=100 * number, blur_px=(5, 0, 0, 0))
    return tmp_path


@contextmanager
def alone() -> Iterator[None]:
    """As where what stands on top of training is left out: benchmark, evaluation, full finetuning, published sets."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ON_TOP | {name for name in sys.modules if name.startswith(tuple(ON_TOP))}:
            patched.setitem(sys.modules, name, None)
        yield


@pytest.mark.slow
def test_one_command_makes_head_and_card_and_goes_on_where_it_was_stopped(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PretrainConfig(
        (str(pictures / "learn"), str(pictures / "more")),
        pictures / "out",
        augmentation=Augmentation(views=1),
        recipe=replace(PRESETS["functions"], epochs=2, batch=32, held_out=0.3),
        seeds=2,
        precision="exact",
        device="cpu",
    )
    paths = PretrainPaths(config.out)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(head_pretraining, "_best_seed", stopped)
        with pytest.raises(KeyboardInterrupt):
            pretrain(config, report=silent)
    assert not paths.head.exists()
    before = {seed: paths.seed(seed).head.stat().st_mtime_ns for seed in (0, 1)}
    with alone():
        head = pretrain(config, report=silent)
    assert {seed: paths.seed(seed).head.stat().st_mtime_ns for seed in (0, 1)} == before
    metrics = [json.loads(paths.seed(seed).metrics.read_text()) for seed in (0, 1)]
    criterion = next(iter(metrics[0]))
    best = max((0, 1), key=lambda seed: metrics[seed][criterion])
    assert head.provenance.recipe["seed"] == best
    assert head.functions is not None
    card = paths.card.read_text()
    assert head.digest in card
    assert "Measured on no set that took no part in choices" in card

    draw_folder(pictures / "fresh", 24, UPSTREAM, start=400, blur_px=(5, 0, 0, 0))
    blind, fresh = str(pictures / "blind"), str(pictures / "fresh")
    again = replace(config, develop=(str(pictures / "looked-at"),), report=(blind, fresh))
    assert seen_classes(again.report, again.data) == (fresh,)
    assert pretrain(again, report=silent).digest == head.digest
    card = paths.card.read_text()
    assert "On 1 set that took no part (blind)" in card
    assert "| looked-at |" in card.replace("  ", "").replace("looked-at  ", "looked-at ")
    reported, _, seen = card.partition("## Other pictures of classes that trained")
    assert "| fresh " in seen.partition("\n## ")[0]
    assert "| fresh " not in reported
    assert [row.set_name for row in card_rows(card)] == ["blind", "mean"]
    assert "## Pictures in two uses" in card
    assert load_model(paths.head, device="cpu", precision="exact").head is not None

    figures = json.loads(paths.figures("report").read_text())
    paths.figures("report").write_text(json.dumps(figures | {"head": "0" * 16}))
    pretrain(again, report=silent)
    assert json.loads(paths.figures("report").read_text()) == figures, "those of another head are measured anew"

    with pytest.raises(FolderError, match="other seeds"):
        pretrain(replace(config, seeds=3), report=silent)


@pytest.mark.slow
@pytest.mark.usefixtures("prepared_home")
def test_the_command_finetunes_a_head_without_what_stands_on_top(folder: Path, tmp_path: Path) -> None:
    config = FinetuneConfig(data=str(folder), out=tmp_path / "out", mode="labels", device="cpu")
    with alone():
        finetune.main(replace(config, recipe=Recipe(epochs=1, batch=8), augmentation=Augmentation(views=1)))
        with pytest.raises(FolderError, match=r"'cub:nowhere' names the kind 'cub', and known are folder, tar\."):
            list_pictures("cub:nowhere")
    assert load_head(RunPaths(tmp_path / "out").head).provenance.backbone == DEFAULT


@pytest.mark.parametrize("name", sorted(path.stem for path in HEADS.glob("*.safetensors")))
def test_the_card_of_a_shipped_head_is_of_that_head(name: str) -> None:
    head = load_head(HEADS / f"{name}.safetensors")
    card = (HEADS / f"{name}.md").read_text()
    assert head.digest in card
    assert head.provenance.weights_digest in card
    assert head.provenance.backbone == name


def test_make_heads_runs_the_command_on_each_card() -> None:
    told = subprocess.run(["make", "-n", "heads"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    words = shlex.split(told.replace("\\\n", " ").replace("$name", DEFAULT.rpartition("_")[2]))
    words = words[words.index("training.pretrain") + 1 :]
    options = words[: words.index("||")]
    config = tyro.cli(PretrainConfig, args=options, config=FLAT)
    card = (HEADS / f"{DEFAULT}.md").read_text()
    assert f"`{retrain_command(config)}`" in card
