"""The whole chain on pictures made in memory: cache, seeds, choice, evaluation, head and card."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import tyro

from tests.training.conftest import draw
from tools.heads.ship import ShipConfig, command_of, main
from training.command import FLAT
from training.config import Augmentation, Recipe
from training.train import RunPaths
from url_viz.errors import NoImagesError
from url_viz.models.head import load_head
from url_viz.models.names import DEFAULT, HEADS
from url_viz.workspace import HOME_VARIABLE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tiny_corpus(tmp_path: Path) -> Path:
    """40 upstream pictures, and one development and one report set of 24 pictures in three classes each."""
    root = tmp_path / "corpus"
    names = [f"upstream/some/{i}.png" for i in range(40)]
    names += [f"{use}/shapes/class{i % 3}/{i}.png" for use in ("development", "report") for i in range(24)]
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        draw(seed, blur_px=5.0 if seed % 3 == 0 else 0.0, size_px=64).save(root / name)
    source = {"use": "upstream", "name": "some", "packages": ["some 1"], "labelling": "none", "pictures": 40}
    (root / "sources.json").write_text(json.dumps([source | {"classes": 0}]))
    return root


def config_of(corpus: Path, tmp_path: Path) -> ShipConfig:
    return ShipConfig(
        corpus,
        tmp_path / "work",
        heads=tmp_path / "heads",
        augmentation=Augmentation(views=2),
        recipe=Recipe(width=16, epochs=2, batch=32, held_out=0.3),
        seeds=2,
        precision="exact",
    )


@pytest.mark.slow
def test_one_command_makes_head_and_card(
    tiny_corpus: Path, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(prepared))
    config = config_of(tiny_corpus, tmp_path)
    main(config)
    head = load_head(tmp_path / "heads" / f"{DEFAULT}.safetensors")
    figures = [
        json.loads(RunPaths(config.work / f"seed-{seed}").metrics.read_text())["rank agreement"] for seed in (0, 1)
    ]
    assert head.provenance.recipe["seed"] == figures.index(max(figures))
    card = (tmp_path / "heads" / f"{DEFAULT}.md").read_text()
    assert head.digest in card
    assert "Not run on the report sets yet" in card
    assert "| shapes | 24 | 3 |" in card

    main(replace(config, report=True))
    card = (tmp_path / "heads" / f"{DEFAULT}.md").read_text()
    assert "on the mean of the report sets" in card
    assert card.count("| shapes | 24 | 3 |") == 2
    assert load_head(tmp_path / "heads" / f"{DEFAULT}.safetensors").digest == head.digest


@pytest.mark.parametrize("name", sorted(path.stem for path in HEADS.glob("*.safetensors")))
def test_the_card_of_a_shipped_head_is_of_that_head(name: str) -> None:
    head = load_head(HEADS / f"{name}.safetensors")
    card = (HEADS / f"{name}.md").read_text()
    assert head.digest in card
    assert head.provenance.weights_digest in card
    assert head.provenance.backbone == name


def ship_commands_of_make() -> list[list[str]]:
    """The options of each tools.heads.ship that `make heads` runs."""
    told = subprocess.run(["make", "-n", "heads"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [shlex.split(line) for line in told.splitlines()]
    return [line[line.index("tools.heads.ship") + 1 :] for line in lines if "tools.heads.ship" in line]


def test_make_heads_runs_the_command_on_each_card() -> None:
    told = {}
    for options in ship_commands_of_make():
        config = tyro.cli(ShipConfig, args=options, config=FLAT)
        told[config.model] = command_of(config)
    assert set(told) == {path.stem for path in HEADS.glob("*.safetensors")}
    for name, command in told.items():
        assert f"`{command}`" in (HEADS / f"{name}.md").read_text()


@pytest.mark.slow
def test_a_corpus_without_sets_is_told(
    tiny_corpus: Path, tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(prepared))
    (tiny_corpus / "development").rename(tmp_path / "elsewhere")
    with pytest.raises(NoImagesError, match=r"tools\.heads\.corpus"):
        main(config_of(tiny_corpus, tmp_path))
