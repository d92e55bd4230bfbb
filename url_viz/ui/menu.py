"""The menu: every page with its icon and one sentence on what it is for, in groups."""

import streamlit as st

_GROUPS = {
    "Look": {
        "explore": (
            "Explore",
            "scatter_plot",
            "The map of your pictures, and the most ambiguous and clearest of them.",
        ),
        "upload": ("Sort uploads", "swap_vert", "Drop in new pictures and see which of them are ambiguous."),
        "search": ("Search safely", "image_search", "Find similar pictures, without those too ambiguous to trust."),
    },
    "Improve": {
        "review": ("Review", "rate_review", "Go through pictures one after the other and decide on each by a key."),
        "labels": ("Check labels", "label", "Find labels that are probably wrong, and correct them."),
    },
    "Models": {
        "finetune": (
            "Adapt and finetune",
            "model_training",
            "Train the uncertainty head, or the model, on your pictures.",
        ),
        "evaluate": ("Evaluate", "monitoring", "How well the order holds on your pictures, with intervals."),
        "compare": ("Compare models", "compare", "Which pictures two models order differently."),
        "models": ("Models", "deployed_code", "The models you have, what they were trained on, and how good they are."),
    },
    "System": {
        "sets": ("Image sets", "folder_managed", "The folders that you have opened, and the space they take."),
        "jobs": ("Jobs", "pending_actions", "What is running in the background, and what has finished."),
    },
}


def menu_of_pages() -> dict[str, list[st.Page]]:
    """The pages by group, Explore first; `Improve` begins with the review."""
    return {group: [_page(name, *about[:2]) for name, about in pages.items()] for group, pages in _GROUPS.items()}


def _page(name: str, title: str, icon: str) -> st.Page:
    is_first = name == "explore"
    path = None if is_first else name
    return st.Page(f"pages/{name}_page.py", title=title, icon=f":material/{icon}:", url_path=path, default=is_first)
