"""Commands made of config dataclasses, and tables of figures as Markdown."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import tyro

from training.config import PRESETS, Recipe, TrainConfig
from url_viz.base.command_line import exit_status, is_output, printable_output
from url_viz.base.errors import UsageError
from url_viz.base.wording import decimal
from url_viz.base.workspace import Workspace
from url_viz.evidence.order_metrics import Figure
from url_viz.imaging.outputs import refuse_source

Config = TypeVar("Config")
FLAT = (tyro.conf.OmitArgPrefixes, tyro.conf.UseAppendAction)
"""Options of nested groups have no prefix: --margin, not --recipe.margin; one with several values is given again."""


def command(config_type: type[Config], run: Callable[[Config], None], argv: Sequence[str] | None = None) -> int:
    """Parse `argv` into `config_type` and run it → exit status (`exit_status` in url_viz/base/command_line.py).

    Options of TrainConfig change the recipe of the chosen preset.
    """
    words = sys.argv[1:] if argv is None else argv

    def work() -> None:
        try:
            config = tyro.cli(config_type, args=words, config=FLAT, **_preset(config_type, words))
        except ValueError as error:
            raise UsageError(str(error)) from error
        _refuse_among_pictures(config)
        with printable_output():
            run(config)

    return exit_status(words, work)


SPECS = ("data", "upstream", "develop", "report")
"""Fields that name pictures (SPEC)."""


def _refuse_among_pictures(config: object) -> None:
    """Refuse outputs among the pictures that are read, unless in the workspace."""
    outputs = [
        getattr(config, name)
        for name, hint in get_type_hints(type(config), include_extras=True).items()
        if is_output(hint)
    ]
    given = [getattr(config, name, None) or () for name in SPECS]
    specs = [spec for value in given for spec in ((value,) if isinstance(value, str) else value)]
    for out in filter(None, outputs):
        refuse_source(
            out.expanduser().absolute(),
            *(spec.partition(":")[2] or spec for spec in specs),
            home=Workspace.at(None).root,
        )


@dataclass(frozen=True)
class _Preset:
    preset: str = "laptop"


def _preset(config_type: type, words: Sequence[str]) -> dict[str, Any]:
    if config_type is not TrainConfig:
        return {}
    chosen, _ = tyro.cli(_Preset, args=words, return_unknown_args=True, add_help=False)
    recipe = PRESETS.get(chosen.preset, Recipe())  # an unknown name is refused by the full parse, with the choices
    return {"default": TrainConfig(tyro.MISSING, tyro.MISSING, recipe=recipe)}


def cell(figure: Figure | float, *, digits: int = 3, signed: bool = False) -> str:
    """A figure in a table: ".871", or ".871 [.850, .901]" with its interval."""
    if isinstance(figure, Figure):
        return figure.text(digits=digits, signed=signed)
    return decimal(figure, digits=digits, signed=signed)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [header, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
