"""Every capability of the package by its words, read from the source: nothing is imported to list them."""

import ast
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

MARK = "__capability__"
"""The attribute of a function that is one."""


def first_sentence(text: str) -> str:
    """The first paragraph of a docstring in one line."""
    return " ".join(text.split("\n\n")[0].split())


@dataclass(frozen=True)
class Entry:
    """Where a capability stands: its `words`, module, name in it, and the first sentence of its docstring."""

    words: tuple[str, ...]
    module: str
    name: str
    summary: str

    def load(self) -> Any:
        """Import it, a `Capability`: this may take the seconds that torch and pandas take."""
        found: Any = import_module(self.module)
        for part in self.name.split("."):
            found = getattr(found, part)
        return getattr(found, MARK)


@cache
def places() -> dict[tuple[str, ...], Entry]:
    """Every capability by its words, in the order of files and lines; no module is imported for it."""
    package = Path(__file__).parent
    found: dict[tuple[str, ...], Entry] = {}
    for file in sorted(package.rglob("*.py")):
        text = file.read_text("utf-8")
        if "\n@capability(" in text or "\n    @capability(" in text:
            module = ".".join(file.relative_to(package.parent).with_suffix("").parts)
            for place in _places_in(ast.parse(text), module):
                found[place.words] = place
    return found


def _places_in(tree: ast.Module, module: str) -> list[Entry]:
    classes = [(f"{node.name}.", node.body) for node in tree.body if isinstance(node, ast.ClassDef)]
    return [
        Entry(tuple(words.split()), module, f"{prefix}{node.name}", first_sentence(ast.get_docstring(node) or ""))
        for prefix, body in [("", tree.body), *classes]
        for node in body
        if isinstance(node, ast.FunctionDef) and (words := _words_of(node))
    ]


def _words_of(node: ast.FunctionDef) -> str:
    """The words in its decorator `@capability("…")`; empty without one."""
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Name) and mark.func.id == "capability":
            words = mark.args[0]
            return str(words.value) if isinstance(words, ast.Constant) else ""
    return ""
