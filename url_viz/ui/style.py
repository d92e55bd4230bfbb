"""CSS rules for which Streamlit's theme has no setting: smaller margins, tighter headings."""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "icon.png"
"""The page's icon as a local file: one named `:material/…:` would be fetched from a font server."""

_RULES = """
<style>
[data-testid="stMainBlockContainer"] { padding: 1.6rem 2rem 2rem; max-width: 2200px; }
[data-testid="stSidebarHeader"] { height: 2.6rem; margin-bottom: 0; }
[data-testid="stHeader"] { background: transparent; height: 1.6rem; }
.url-viz-picture { display: block; width: 100%; max-height: 58vh; object-fit: contain; border-radius: .5rem; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 2.6rem .8rem 1rem; } }
</style>
"""


def apply_style() -> None:
    """Add the CSS rules to the page."""
    st.html(_RULES)
