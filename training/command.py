"""Command lines made from config dataclasses: parsing, errors as messages, exit status."""

import errno
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

import tyro

from training.config import PRESETS, Recipe, TrainConfig
from url_viz.errors import UrlVizError, UsageError
from url_viz.escaping import inert, printable
from url_viz.imaging.outputs import refuse_source
from url_viz.options import is_output, numbers
from url_viz.roots import refuse_credentials
from url_viz.workspace import Workspace

Config = TypeVar("Config")
FLAT = (tyro.conf.OmitArgPrefixes, tyro.conf.UseAppendAction)
"""Options of nested groups have no prefix: --margin, not --recipe.margin; one with several values is given again."""


def command(config_type: type[Config], run: Callable[[Config], None], argv: Sequence[str] | None = None) -> int:
    """Parse `argv` into `config_type` and run it → exit status: 0 on success, 1 after a UrlVizError.

    2 where an option has a value that it cannot have: fields that exclude each other, which newer tyro prints, or
    credentials. Of TrainConfig, the options change the recipe of the chosen preset.
    """
    words = sys.argv[1:] if argv is None else argv

    def work() -> None:
        refuse_credentials(words)
        try:
            with numbers():
                config = tyro.cli(config_type, args=words, config=FLAT, **_preset_of(config_type, words))
        except ValueError as error:
            raise UsageError(str(error)) from error
        _refuse_among_pictures(config)
        run(config)

    return _status_of(work)


SPECS = ("data", "upstream", "develop", "report")
"""Fields that name pictures (SPEC)."""


def _refuse_among_pictures(config: object) -> None:
    """Raise UsageError for an output that lies among the pictures that are read; a workspace there is ours."""
    outputs = [
        getattr(config, name)
        for name, hint in get_type_hints(type(config), include_extras=True).items()
        if is_output(hint)
    ]
    given = [getattr(config, name, None) or () for name in SPECS]
    specs = [spec for one in given for spec in ((one,) if isinstance(one, str) else one)]
    for out in filter(None, outputs):
        refuse_source(
            out.expanduser().absolute(),
            *(spec.partition(":")[2] or spec for spec in specs),
            home=Workspace.at(None).root,
        )


@dataclass(frozen=True)
class _Preset:
    preset: str = "laptop"


def _preset_of(config_type: type, words: Sequence[str]) -> dict[str, Any]:
    """The default that the options of TrainConfig change; nothing for the other commands."""
    if config_type is not TrainConfig:
        return {}
    chosen, _ = tyro.cli(_Preset, args=words, return_unknown_args=True, add_help=False)
    recipe = PRESETS.get(chosen.preset, Recipe())  # an unknown name is refused by the full parse, with the choices
    return {"default": TrainConfig(tyro.MISSING, tyro.MISSING, recipe=recipe)}


def _status_of(work: Callable[[], None]) -> int:
    try:
        work()
    except UrlVizError as error:
        return _failed(str(error), status=2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        print("\nStopped. The same command continues from what was written, or starts again.", file=sys.stderr)
        return 130
    except (OSError, RuntimeError) as error:
        advice = _advice_on(error)
        if advice is None:
            raise
        return _failed(advice)
    return 0


def _failed(words: str, *, status: int = 1) -> int:
    print(f"error: {inert(printable(words, allowed=chr(10)))}", file=sys.stderr)
    return status


def _advice_on(error: Exception) -> str | None:
    """Advice on a full disk or full GPU memory; None for any other error, which is a bug."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" ({error.filename})" if error.filename else ""
        return f"The disk is full{where}. What was written is whole: make room and run the same command again."
    if type(error).__name__ == "OutOfMemoryError":  # torch's; it is not imported here for the sake of --help
        return (
            f"The GPU's memory does not hold this ({str(error).partition('. ')[0]}). Give a smaller --batch (with "
            f"--mode full a smaller --joint-batch), close other programs that use the GPU, or choose --device cpu."
        )
    return None
