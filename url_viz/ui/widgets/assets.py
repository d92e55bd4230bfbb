"""HTML, CSS and JavaScript of the Streamlit components, as text."""

from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "frontend"


def text_of(component: str, suffix: str, *, shared: Sequence[str] = ()) -> str:
    """All files of a component with this suffix, joined in the order of their names, after `shared` files.

    A component's JavaScript is one module in several files: Streamlit accepts one text, and modules that import each
    other would need an installed package.
    """
    paths = [*(FOLDER / "shared" / name for name in shared), *sorted((FOLDER / component).glob(f"*{suffix}"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
