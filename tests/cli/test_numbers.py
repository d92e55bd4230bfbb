"""Every number that a command takes: what is none, or out of bounds, is refused with a sentence and status 2."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from tests.given import by_turns, given_set
from training import config
from training.command import command
from url_viz.base.command_line import Within
from url_viz.base.errors import UsageError
from url_viz.capabilities import places
from url_viz.cli.doors import showing
from url_viz.cli.main import main
from url_viz.export.data_sets import DATA_SETS
from url_viz.image_set import ImageSet
from url_viz.jobs.calls import parameters

NO_NUMBERS = ("nan", "inf", "-7", "1e400", "9" * 40, "x", "")
CONFIGS = [value for name, value in vars(config).items() if name.endswith("Config") and is_dataclass(value)]
OTHERS = {
    **{f"export {kind}": ("a",) for kind in ("folders", *DATA_SETS) if kind != "annotations"},
    "export figure": ("a.png",),
    "subsets worth": ("/dev/null",),
    "export report": ("a.html",),
    "versions diff": ("--since", "1"),
    "check": ("--policy", "p.toml"),
    "models compare": ("m",),
    "decide": ("drop",),
    "runs detections": ("a.json",),
    **dict.fromkeys(("search", "sort-new"), ("a.jpg",)),
}
"""What a command must have besides a folder."""


POSITIONAL = {("subsets choose", "count")}
"""Numbers that are given without their name."""


def bounds_of(hint: Any) -> Within | None:
    """The bounds of an annotation; asserts that each that takes numbers has some."""
    kind, *extras = get_args(hint) or (hint,)
    if not {int, float} & {kind, *get_args(kind)}:
        return None
    (bounds,) = [extra for extra in extras if isinstance(extra, Within)]
    return bounds


def of_commands() -> Iterator[tuple[str, str, Within]]:
    """Words, option and bounds of each number that the commands of `url-viz` take."""
    for words, place in places().items():
        every = (*parameters(what := place.load()), *showing(what))
        for each in (one for outer in every for one in outer.group or (outer,)):
            if bounds := bounds_of(each.plain_hint):
                yield " ".join(words), each.word, bounds


def of_config(config_type: Any) -> Iterator[tuple[Any, str, Within]]:
    """Each number of a configuration of training, and of those nested in it, with the class that has it."""
    hints = get_type_hints(config_type, include_extras=True)
    for field in fields(config_type):
        kind = get_args(hints[field.name])[0]
        bounds = None if is_dataclass(kind) else bounds_of(hints[field.name])
        if is_dataclass(kind):
            yield from of_config(kind)
        elif bounds is not None:
            yield config_type, field.name, bounds


OF_COMMANDS = sorted(of_commands(), key=lambda one: one[:2])
OF_TRAINING = {kind: list(of_config(kind)) for kind in CONFIGS}


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def given(command: str, word: str) -> str:
    """A number with the name of its option, as a command takes it."""
    name, _, number = word.removeprefix("--").partition("=")
    return number if (command, name) in POSITIONAL else word


def outside(bounds: Within) -> tuple[int, int]:
    """Numbers below and above the bounds."""
    return int(bounds.least) - 7, int(bounds.most) * 2 + 1


def refused(run: Callable[[str], int], name: str, wrong: object, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with status 2, and with a sentence that names the option and the kind of number."""
    try:
        status: object = run(f"{flag(name)}={wrong}")
    except SystemExit as ended:
        status = ended.code
    told = " ".join(re.sub("[│─╭╮╰╯]", " ", capsys.readouterr().err).split())
    assert status == 2, (wrong, told)
    assert name.replace("-", "_") in told.replace("-", "_")
    assert re.search("give a (whole )?number", told), (wrong, told)


def test_there_are_numbers_to_try() -> None:
    assert len(OF_COMMANDS) > 20
    assert sum(map(len, OF_TRAINING.values())) > 80


@pytest.mark.parametrize(("command", "option", "bounds"), OF_COMMANDS, ids=str)
def test_of_commands(command: str, option: str, bounds: Within, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*command.split(), "-", *OTHERS.get(command, ())]
    refused(lambda word: main([*words, given(command, word)]), option, outside(bounds)[len(option) % 2], capsys)


@pytest.mark.parametrize("wrong", NO_NUMBERS)
def test_of_each_kind(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A whole number, a number, and each of them or none: all others are read as these."""
    for door, option in (("rank", "top"), ("embed", "limit"), ("labels names", "share"), ("export report", "above")):
        refused(lambda word, name=door: main([*name.split(), "-", *OTHERS.get(name, ()), word]), option, wrong, capsys)  # type: ignore[misc]


@pytest.mark.parametrize("config_type", [kind for kind, found in OF_TRAINING.items() if found])
def test_of_training(config_type: type, capsys: pytest.CaptureFixture[str]) -> None:
    must = [word for name in needed(config_type) for word in (flag(name), "a")]
    for wrong, place in (("nan", 0), ("x", -1)):
        option = OF_TRAINING[config_type][place][1]
        refused(lambda word: command(config_type, pytest.fail, [*must, word]), option, wrong, capsys)


def needed(config_type: Any) -> list[str]:
    """What a configuration must have besides its numbers."""
    return [one.name for one in fields(config_type) if one.name in ("data", "out", "cache", "model")]


def test_every_number_of_a_configuration_is_held_to_its_bounds_however_it_is_made() -> None:
    for config_type, option, bounds in (one for found in OF_TRAINING.values() for one in found):
        for wrong in (*outside(bounds), float("nan")):
            with pytest.raises(UsageError, match=rf"{option} is .*; give a (whole )?number (from|above) [-\d,.e]+ to "):
                config_type(**dict.fromkeys(needed(config_type), "a"), **{option: wrong})


@pytest.fixture(scope="module")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Twelve pictures of two classes under given embeddings."""
    return given_set(tmp_path_factory.mktemp("numbers"), by_turns(12))


ENDLESS = {"seeds"}
"""Where the largest number is allowed, and only takes its time."""
NOT_HERE = {
    *("train adapt", "train finetune", "train pretrain", "models compare", "embed", "search", "sort-new", "check"),
    "open",
}
"""Commands that need a model or a second reading besides the set; and that which becomes the app."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "option", "bounds"), [one for one in OF_COMMANDS if one[0] not in NOT_HERE], ids=str
)
def test_both_ends_are_taken(
    command: str,
    option: str,
    bounds: Within,
    image_set: ImageSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No number that is allowed is too much: the command does its work, or says why there is nothing to do."""
    monkeypatch.chdir(tmp_path)
    others = {"export map": ("-", "a.csv")}.get(command, OTHERS.get(command, ()))
    where = ("--workspace", str(image_set.workspace.root), "--model", image_set.source.name)
    for number in (bounds.least,) if option in ENDLESS else (bounds.least, bounds.most):
        words = [*command.split(), str(image_set.root), *others, *where]
        status = main([*words, given(command, f"{flag(option)}={number}")])
        told = capsys.readouterr()
        assert status == 0 or (status == 1 and told.err.splitlines()[-1].startswith("error: ")), told
