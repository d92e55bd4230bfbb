"""The components' own files (HTML, CSS, JavaScript), as the text that Streamlit wants of them."""

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "frontend"


def text_of(component: str, suffix: str) -> str:
    """All files of a component with this suffix, joined in the order of their names.

    The JavaScript of a component is one module in parts that are named in their order: Streamlit takes one text, and
    modules that import each other would need an installed package.
    """
    paths = sorted((FOLDER / component).glob(f"*{suffix}"))
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
