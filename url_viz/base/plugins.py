"""Checks, measures and annotation formats of other installed packages, found by their entry points."""

from collections.abc import Callable
from functools import cache, wraps
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, TypeVar, get_args

from url_viz.base.errors import PluginError, UrlVizError

Group = Literal["url_viz.checks", "url_viz.measures", "url_viz.formats"]
Value = TypeVar("Value")


@cache
def plugged_in(group: Group, kind: Any, taken: tuple[str, ...]) -> tuple[Any, ...]:
    """What other packages offer under an entry point group, in the order of the names of their entry points.

    Raises PluginError, which names the package, for what cannot be loaded, is not of this kind, or has the name of
    another one, of those `taken`, too.
    """
    found: dict[str, Any] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        package = entry.dist.name if entry.dist is not None else entry.module
        try:
            value = entry.load()
        except (Exception, SystemExit) as error:
            raise _refused(entry, package, f"cannot be loaded ({type(error).__name__}: {error})") from error
        if not isinstance(value, kind):
            raise _refused(entry, package, f"is a {type(value).__name__}, and no {kind.__module__}.{kind.__name__}")
        if value.name in found or value.name in taken:
            raise _refused(entry, package, f"is called {value.name!r}, as another one is")
        found[value.name] = value
    return tuple(found.values())


def plugged_in_packages() -> list[str]:
    """The packages that offer anything of this kind, by name."""
    entries = [entry for group in get_args(Group) for entry in entry_points(group=group)]
    return sorted({entry.module if entry.dist is None else entry.dist.name for entry in entries})


def _refused(entry: EntryPoint, package: str, why: str) -> PluginError:
    return PluginError(
        f"{entry.name!r} of {entry.group}, which the package {package!r} adds, {why}. Update it, or remove it: "
        f"`pip uninstall {package}`."
    )


def guarded(function: Callable[..., Value], *, name: str) -> Callable[..., Value]:
    """A function of another package whose errors name it; its parameters stay."""

    @wraps(function)
    def call(*args: Any, **named: Any) -> Value:
        try:
            return function(*args, **named)
        except UrlVizError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{name!r}, which the package {function.__module__.partition('.')[0]!r} adds, failed "
                f"({type(error).__name__}: {error}). Update that package, or uninstall it."
            ) from error

    return call
