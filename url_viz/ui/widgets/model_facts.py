"""What the user's own model says of an opened picture: its classes, what training did with it, its curves."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from url_viz.analysis.runs.two_by_two import MODEL_SAYS
from url_viz.errors import UrlVizError
from url_viz.image_set import ImageSet
from url_viz.ui.text import escape
from url_viz.ui.widgets.charts import quiet, show_figure
from url_viz.wording import decimal, percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

HEIGHT_PX = 170


def show_model_of(image_set: ImageSet, image_id: int, row: Mapping[str, Any]) -> None:
    """What the chosen run says of a picture, and the probability of its class over the epochs; nothing without."""
    facts, name = model_facts(row), image_set.runs.chosen
    if facts.empty or name is None:
        return
    st.subheader(f"Your model · {escape(name)}", anchor=False)
    st.dataframe(facts, hide_index=True, width="stretch", alt="What your model says of the picture")
    try:
        curves = image_set.runs.get(name).curves(image_id)
    except UrlVizError as error:
        st.caption(escape(error))
        return
    if curves["epoch"].nunique() > 1:
        show_figure(
            curves_figure(curves),
            key=f"picture.curves.{image_id}",
            alt="The probability of the picture's class by epoch, where the model was trained on it and held out",
        )


def model_facts(row: Mapping[str, Any]) -> pd.DataFrame:
    """What a row of the table has of MODEL_COLUMNS, one row a fact: Fact, Value; empty without."""
    if not isinstance(row.get("model_class"), str):
        return pd.DataFrame(columns=["Fact", "Value"])
    facts = [("Says", f"{row['model_class']} {percent(row['model_share'])}, then {row['model_second']}")]
    if isinstance(row[MODEL_SAYS], str):
        facts.append(("Against the pictures", row[MODEL_SAYS]))
    if np.isfinite(row["confidence"]):
        forgotten, learnt = row["forgotten"], row["learnt"]
        facts += [
            ("Confidence ± variability", f"{decimal(row['confidence'])} ± {decimal(row['variability'])}"),
            ("Mean margin", decimal(row["mean_margin"])),
            ("First right in epoch", f"{learnt:.3g}" if learnt < row["epochs"] else "none"),
            ("Forgotten", "never" if not forgotten else f"{forgotten:.3g}×"),
        ]
    return pd.DataFrame(facts, columns=["Fact", "Value"])


def curves_figure(curves: pd.DataFrame) -> "Figure":
    """The probability of its class over the epochs (`RunOnSet.curves`): a line for training, one for held out."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for (split, fold), part in curves.groupby(["split", "fold"], sort=False):
        is_trained = split == "train"
        name = "Trained on" if is_trained else "Held out"
        figure.add_scatter(
            x=part["epoch"],
            y=100 * part["probability"],
            name=f"{name} ({fold})".replace("<", "‹") if fold else name,
            mode="lines+markers" if len(part) < 60 else "lines",
            line={"color": "#0072b2" if is_trained else "#d55e00"},
            hovertemplate="%{y:.0f} % in epoch %{x}",
        )
    figure.update_xaxes(title="Epoch")
    figure.update_yaxes(title="Its class (%)", range=[-3, 103])
    return quiet(figure, height_px=HEIGHT_PX, legend=True)
