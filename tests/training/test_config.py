"""Every option explains itself, configs import nothing heavy, and the commands parse what the documents show."""

import subprocess
import sys
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from typing_extensions import Doc

from tests.commands import help_of
from training import config
from training.command import command
from training.config import CacheConfig, EvaluateConfig, FinetuneConfig, Mixture, Recipe, TrainConfig, as_record
from training.data.spec import list_pictures
from url_viz.base.errors import CacheError, FolderError

ROOT = Path(__file__).parent.parent.parent
CONFIGS = [
    one for one in vars(config).values() if is_dataclass(one) and getattr(one, "__module__", "") == config.__name__
]
COMMANDS = ["cache", "train", "overlap", "finetune", "evaluate", "benchmark"]


@pytest.mark.parametrize("config_type", CONFIGS, ids=lambda c: c.__name__)
def test_every_field_has_a_sentence(config_type: type) -> None:
    assert (config_type.__doc__ or "").rstrip().endswith((".", ")."))
    for name, hint in get_type_hints(config_type, include_extras=True).items():
        assert get_origin(hint) is Annotated, name
        sentences = [extra.documentation for extra in get_args(hint)[1:] if isinstance(extra, Doc)]
        assert len(sentences) == 1, name
        assert sentences[0].endswith("."), name


def test_every_option_of_a_command_has_one_name() -> None:
    # Options of nested groups are told by their own name, so no two may share one.
    for config_type in (CacheConfig, TrainConfig, FinetuneConfig, EvaluateConfig):
        names: list[str] = []
        for field in fields(config_type):
            default = field.default_factory() if field.default_factory is not MISSING else None
            names += [inner.name for inner in fields(default)] if is_dataclass(default) else [field.name]
        assert len(names) == len(set(names)), config_type


def test_configs_import_nothing_heavy() -> None:
    script = (
        "import sys, training.config; "
        "print([m for m in ('torch', 'timm', 'numpy', 'sklearn', 'PIL', 'tyro') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    told = help_of(f"training.{name}")
    assert "--out" in told or "--json" in told or "--work" in told


def test_options_change_the_preset_that_is_named() -> None:
    found: list[TrainConfig] = []
    arguments = ["--cache", "c", "--out", "o", "--preset", "paper", "--margin", "0.2", "--loss", "l2"]
    assert command(TrainConfig, found.append, arguments) == 0
    assert found[0].recipe.batch == 2048
    assert found[0].recipe.epochs == 460
    assert (found[0].recipe.margin, found[0].recipe.loss, found[0].cache) == (0.2, "l2", (Path("c"),))
    assert command(TrainConfig, found.append, ["--cache", "c", "--out", "o"]) == 0
    assert found[1].recipe == Recipe()
    several = ["--cache", "c", "--cache", "d e", "--out", "o", "--share", "rows", "--pair-within", "resolution"]
    assert command(TrainConfig, found.append, several) == 0
    assert (found[2].cache, found[2].mixture) == ((Path("c"), Path("d e")), Mixture("rows", "resolution"))
    assert as_record(found[2])["cache"] == ["c", "d e"]


def test_a_users_error_is_told_and_is_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: CacheConfig) -> None:
        raise CacheError("The cache is of something else. Choose another --out.")

    assert command(CacheConfig, fail, ["--data", "a", "--out", "b"]) == 1
    assert capsys.readouterr().err == "error: The cache is of something else. Choose another --out.\n"


@pytest.mark.parametrize("wrong", [["--held-out", "2"], ["--batch", "1"], ["--preset", "other"], ["--nonsense", "1"]])
def test_values_out_of_bounds_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command(TrainConfig, lambda _: None, ["--cache", "c", "--out", "o", *wrong])
    assert wrong[0].strip("-").split("-")[0] in capsys.readouterr().err


@pytest.mark.parametrize("spec", ["s3://pics/a", "folder:s3://pics/a", "folder:gs://pics/a"])
def test_pictures_in_object_storage_are_refused(spec: str) -> None:
    with pytest.raises(FolderError, match=r"//pics/a' lie in object storage"):
        list_pictures(spec)


def test_a_secret_in_an_address_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "folder:s3://KEY:opensesame@pics/a", "--out", "head", "--nonsense"]
    assert command(FinetuneConfig, lambda config: None, words) == 1
    out, err = capsys.readouterr()
    assert "opensesame" not in out + err
    assert "credentials in the environment" in err
