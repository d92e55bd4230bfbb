"""Makes docs/files.md, the package's files with the first sentence of each: `python -m tests.listed_files`."""

import ast
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "files.md"
FOLDERS = ("url_viz", "training", "pages")
HEAD = """# Files

Every file of the package with its first sentence, made by `python -m tests.listed_files`; a test holds it to the code.
Which folder is for what, and where to change what: [architecture.md](architecture.md).
"""


def page() -> str:
    """The text of docs/files.md, as the code has it."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py"]
    listed = sorted(files, key=lambda path: (path.parent.relative_to(ROOT).parts, path.name))
    return HEAD + "".join(map(_table, (list(group) for _, group in groupby(listed, lambda path: path.parent))))


def _table(files: list[Path]) -> str:
    folder = files[0].parent.relative_to(ROOT).as_posix()
    rows = "\n".join(f"| `{path.name}` | {_sentence(path)} |" for path in files)
    return f"\n## `{folder}/`\n\n| file | what |\n|---|---|\n{rows}\n"


def _sentence(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line that stays a cell."""
    words = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(words.split("\n\n")[0].split()).replace("|", "\\|").removesuffix(".")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
