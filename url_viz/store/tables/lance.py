"""LanceDB, imported once a database is opened, and without the web client of its namespaces: both take long."""

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_CLIENT = "lance_namespace_urllib3_client"


class _Later(ModuleType):
    """A package whose own code runs when one of its names is first used; its submodules can be imported before."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def _put_off(spec: ModuleSpec | None) -> None:
    """Defer the code of a package that is not imported yet."""
    if spec is None or spec.submodule_search_locations is None or spec.name in sys.modules:
        return
    package = _Later(spec.name)
    package.__spec__, package.__path__ = spec, list(spec.submodule_search_locations)
    package.__file__ = spec.origin
    sys.modules[spec.name] = package


def import_lancedb() -> Any:
    """The module lancedb."""
    _put_off(importlib.util.find_spec(_CLIENT))
    import lancedb

    return lancedb


def connect(folder: Path) -> Any:
    """The LanceDB database in a folder."""
    return import_lancedb().connect(folder)
