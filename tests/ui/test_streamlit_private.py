"""What we use of Streamlit beyond its documented API: each test says what breaks where a release has moved it."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRIVATE = ROOT / "url_viz" / "ui" / "streamlit_private.py"
FILES = [*sorted((ROOT / "url_viz" / "ui").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py")), ROOT / "app.py"]
PUBLIC = {"streamlit", "streamlit.typing"}
INNER = re.compile(r"\bst\.(?:_\w+|runtime|web|config|auth_util|secrets\.[a-z_]+)\b")
SECRET = "for this test alone, forty characters....."


def test_pages_end_in_one_way() -> None:
    nodes = {path: ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES}
    calls = [(path, one) for path, found in nodes.items() for one in found if isinstance(one, ast.Call)]
    wrong = [f"{path.relative_to(ROOT)}:{call.lineno}" for path, call in calls if ast.unparse(call.func) == "st.stop"]
    assert not wrong, "see end_page in url_viz/ui/streamlit_private.py"


def test_everything_that_is_used_is_still_there() -> None:
    """A function that has moved makes `signed_in_user` refuse everybody, in silence: here it is said which one."""
    import importlib

    for node in ast.walk(ast.parse(PRIVATE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("streamlit."):
            module = importlib.import_module(node.module)
            gone = [one.name for one in node.names if not hasattr(module, one.name)]
            assert not gone, f"{gone} are no longer in {node.module}: see url_viz/ui/streamlit_private.py"
