"""Turn a config dataclass into a command: parse the line, run, end with a message and a true status."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import tyro

from training.config import PRESETS, Recipe, TrainConfig
from url_viz.errors import UrlVizError

Config = TypeVar("Config")
FLAT = (tyro.conf.OmitArgPrefixes,)
"""Options of nested groups are told by their own name: --margin, not --recipe.margin."""


def command(config_type: type[Config], run: Callable[[Config], None], argv: Sequence[str] | None = None) -> int:
    """Parse `argv` into `config_type` and run it → exit status: 0 where all was done, 1 after a UrlVizError."""
    return _told(lambda: run(tyro.cli(config_type, args=argv, config=FLAT)))


def train_command(run: Callable[[TrainConfig], None], argv: Sequence[str] | None = None) -> int:
    """Like `command`, for TrainConfig: the options change the recipe of the preset that is named."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    start = TrainConfig(tyro.MISSING, tyro.MISSING, recipe=_preset_named(arguments))
    return _told(lambda: run(tyro.cli(TrainConfig, args=arguments, default=start, config=FLAT)))


@dataclass(frozen=True)
class _Preset:
    preset: str = "laptop"


def _preset_named(arguments: list[str]) -> Recipe:
    chosen, _ = tyro.cli(_Preset, args=arguments, return_unknown_args=True, add_help=False)
    return PRESETS.get(chosen.preset, Recipe())  # an unknown name is refused by the full parse, with the choices


def _told(work: Callable[[], None]) -> int:
    try:
        work()
    except UrlVizError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
