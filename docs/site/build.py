"""Builds the documentation as a site: pages of the checkout in one folder, a list of its files, then Zensical."""

import ast
import os
import re
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SOURCE = ROOT / "build" / "docs-source"
SITE = ROOT / "build" / "docs"
FETCHED = "https://unpkg.com/iframe-worker/shim"
"""What the theme would have a reader's browser fetch for search in pages opened as files; ours is worker.js."""
PLACES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "experiments/README.md": "experiments.md",
    "examples/README.md": "examples.md",
    "docs/site/api.md": "api.md",
    "docs/site/example-report.html": "example-report.html",
}
"""Where pages outside docs/ are in the site; the others keep their names."""
LIST_OF_FILES = "files.md"
LISTED = ("url_viz", "training", "pages")
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def places() -> dict[Path, str]:
    """Every file of the site, and its path there."""
    plain = [*(ROOT / "docs").glob("*.*"), *(ROOT / "docs" / "screenshots").iterdir()]
    return {
        **{path: path.relative_to(ROOT / "docs").as_posix() for path in plain},
        **{path: f"heads/{path.name}" for path in (ROOT / "url_viz" / "models" / "heads").glob("*.md")},
        **{ROOT / path: place for path, place in PLACES.items()},
    }


def led_anew(text: str, *, page: Path, files: dict[Path, str]) -> str:
    """A page's text with links to where files are in the site; what is not in it is named without a link."""

    def link(found: re.Match[str]) -> str:
        picture, words, target, anchor = found.groups()
        to = (page.parent / target).resolve() if target else page
        if to not in files:
            return words
        way = os.path.relpath(files[to], Path(files[page]).parent) if target else ""
        return f"{picture}[{words}]({way}{anchor or ''})"

    return LINK.sub(link, text)


def list_of_files() -> str:
    """A page with every file of the package and its first sentence, a table for each folder."""
    found = [path for folder in LISTED for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py"]
    found.sort(key=lambda path: (path.parent.relative_to(ROOT).parts, path.name))
    tables = [_table(folder, list(files)) for folder, files in groupby(found, lambda path: path.parent)]
    head = "# Files\n\nWhich folder is for what, and where to change what: [Architecture](architecture.md).\n"
    return "\n".join([head, *tables])


def _table(folder: Path, files: list[Path]) -> str:
    rows = "\n".join(f"| `{path.name}` | {_first_sentence(path)} |" for path in files)
    return f"## `{folder.relative_to(ROOT).as_posix()}/`\n\n| file | what |\n|---|---|\n{rows}\n"


def _first_sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line that stays a cell."""
    words = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(words.split("\n\n")[0].split()).replace("|", "\\|").removesuffix(".")


def lay_out() -> None:
    """Write the pages and pictures to build/docs-source."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    files = places()
    for path, place in files.items():
        at = SOURCE / place
        at.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            unsearched = "---\nsearch:\n  exclude: true\n---\n" if place.startswith("heads/") else ""  # tables
            at.write_text(unsearched + led_anew(path.read_text("utf-8"), page=path, files=files), "utf-8")
        else:
            shutil.copyfile(path, at)
    (SOURCE / LIST_OF_FILES).write_text(list_of_files(), "utf-8")


def fetch_nothing() -> None:
    """Have the built pages take our worker.js."""
    shutil.copy(HERE / "worker.js", SITE / "assets" / "worker.js")
    for page in SITE.rglob("*.html"):
        ours = os.path.relpath(SITE / "assets" / "worker.js", page.parent)
        page.write_text(page.read_text("utf-8").replace(FETCHED, ours), "utf-8")


if __name__ == "__main__":
    shutil.rmtree(SITE, ignore_errors=True)
    lay_out()
    config = shutil.copy(HERE / "zensical.toml", SOURCE.parent)  # it builds nowhere but beside its configuration
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", config]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)
    fetch_nothing()
    print(f"Open {SITE / 'index.html'}.")
