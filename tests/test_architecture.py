"""Imports run one way (docs/architecture.md), only the interface knows Streamlit, and slow imports stay local."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

GROUND = {"errors", "files", "workspace", "migration", "progress", "crash_guard", "rows", "printed", "sealed"}
ROOMS = ["imaging", "models", "index", "analysis", "image_set", "export", "jobs", "cli", "ui", "pages", "app"]
"""Left to right: a room imports only rooms to its left, itself, and the ground."""
BETWEEN = {"figures": "analysis", "demo": "image_set", "sets": "image_set", "packing": "image_set"}
"""Files beside the rooms, with the room that they count as."""

ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(GROUND, GROUND),
    **{room: GROUND | set(ROOMS[: place + 1]) for place, room in enumerate(ROOMS)},
    "training": GROUND | {"imaging", "models", "index", "analysis", "training"},
}
for file, room in BETWEEN.items():
    ALLOWED[file] = ALLOWED[room] | {file}
    for late in ROOMS[ROOMS.index(room) + (file == "figures") :]:
        ALLOWED[late] = ALLOWED[late] | {file}
for late in ("ui", "pages", "app"):
    ALLOWED[late] = ALLOWED[late] - {"cli"} | {"training.config"}
ALLOWED["packing"] = ALLOWED["packing"] | {"sets"}
ALLOWED["training"] = ALLOWED["training"] | {"figures"}
ALLOWED["__main__"] = {"cli", "crash_guard"}
ALLOWED["__init__"] = GROUND | {"models", "image_set", "imaging"}

MAY_KNOW_STREAMLIT = {"ui", "pages", "app"}


def source_files() -> list[Path]:
    return [path for folder in ("url_viz", "training", "pages") for path in sorted((ROOT / folder).rglob("*.py"))] + [
        ROOT / "app.py"
    ]


def stage_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[1] if parts[0] == "url_viz" else parts[0]


def imported_modules(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def imported_stage(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] == "url_viz":
        return parts[1] if len(parts) > 1 else "__init__"
    if parts[0] == "training":
        return "training.config" if parts[1:2] == ["config"] else "training"
    return parts[0] if parts[0] in {"pages", "app"} else None


@pytest.mark.parametrize("path", [p for p in source_files() if p.exists()], ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    stage = stage_of(path)
    allowed = ALLOWED[stage] | ({"training.config"} if stage == "training" else set())
    reached = {s for s in map(imported_stage, imported_modules(path)) if s is not None}
    assert reached <= allowed, f"{path} ({stage}) must not import {sorted(reached - allowed)}"


@pytest.mark.parametrize("path", [p for p in source_files() if p.exists()], ids=lambda p: str(p.relative_to(ROOT)))
def test_only_the_interface_knows_streamlit(path: Path) -> None:
    knows = any(module.split(".")[0] == "streamlit" for module in imported_modules(path))
    assert not knows or stage_of(path) in MAY_KNOW_STREAMLIT


@pytest.mark.parametrize("path", [p for p in source_files() if p.exists()], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_says_in_one_sentence_what_it_is_for(path: Path) -> None:
    if path.name == "__init__.py" and not path.read_text().strip():
        return
    sentence = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    assert sentence.endswith((".", ":")), f"{path}: the first line says what the module is for"


def test_the_package_imports_without_the_slow_libraries() -> None:
    slow = "torch timm umap openvino lancedb streamlit sklearn skimage"
    script = f"import sys, url_viz; print([m for m in {slow.split()!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
