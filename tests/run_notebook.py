"""Run a notebook's code cells in one namespace, without Jupyter and without a network, as a process of its own.

It prints a line a cell, which says how the last value would be shown: text/html, image/png or text/plain.
"""

import ast
import json
import socket
import sys
from pathlib import Path
from typing import Any

SHOWN = {"text/html": "_repr_html_", "image/png": "_repr_png_"}


def run(notebook: Path, parameters: str) -> None:
    """Run the cells of a notebook in their order, `parameters` (Python) after the cell with that tag."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            print(cell["id"], "->", _run_cell("".join(cell["source"]), namespace))
        if "parameters" in cell["metadata"].get("tags", ()):
            exec(parameters, namespace)


def _run_cell(source: str, namespace: dict[str, Any]) -> str:
    cell = ast.parse(source)
    last = cell.body[-1]
    if isinstance(last, ast.Expr):
        cell.body[-1] = ast.copy_location(ast.parse("_ = 0").body[0], last)
        cell.body[-1].value = last.value  # type: ignore[attr-defined]
    exec(compile(cell, "cell", "exec"), namespace)
    value = namespace.pop("_", None)
    kinds = (kind for kind, name in SHOWN.items() if hasattr(value, name) and getattr(value, name)())
    return next(kinds, "text/plain")


def _refuse(*_: object) -> None:
    raise OSError("no network")


if __name__ == "__main__":
    socket.getaddrinfo = _refuse  # type: ignore[assignment]
    run(Path(sys.argv[1]), sys.argv[2])
