"""The words from which a command of training reads its configuration again."""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any


def command_words(config: object, *, usual: object = None) -> list[str]:
    """The options of a configuration that are not as in `usual`, by default those of its class.

    The model is always named: what is usual may change. Groups have no prefix; an option with several values is given
    again for each.
    """
    options: list[str] = []
    for entry in fields(config):  # type: ignore[arg-type]
        now = getattr(config, entry.name)
        before = _usual(entry) if usual is None else getattr(usual, entry.name)
        if is_dataclass(now):
            options += command_words(now, usual=before)
        elif now != before or entry.name == "model":
            options += _option(entry.name.replace("_", "-"), now)
    return options


def _usual(entry: Field[Any]) -> Any:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _option(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    values = value if isinstance(value, tuple) else (value,)
    return [word for each in values for word in (f"--{name}", str(each))]
