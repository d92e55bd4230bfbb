"""An image set in one sentence on Explore: each part shows the pictures that it counts, or leads to what it names."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from url_viz.base.errors import UrlVizError
from url_viz.base.wording import counted, distinct_short_names, percent
from url_viz.columns.filters import Filter, OneOf, Scope, passes_all
from url_viz.columns.measures import AMBIGUITY, CONFUSABILITY, TUNED, shown_reason
from url_viz.evidence.order import Order, grade, graded, plain_words
from url_viz.findings.findings import Finding
from url_viz.findings.object_findings import TINY_PX, legible
from url_viz.findings.reasons import BETWEEN_SHARE, BETWEEN_TOGETHER, TWIN, reason_counts
from url_viz.image_set import ImageSet
from url_viz.labels.label_choice import EITHER
from url_viz.labels.torn import TornPictures, torn_filters, torn_in
from url_viz.models.model import EmbeddingSpace
from url_viz.models.model_names import PACKAGED
from url_viz.store.columns.source_columns import PICTURE
from url_viz.ui.explore.view import change_view, view
from url_viz.ui.menu import go_to_review
from url_viz.ui.review.queue_list import open_button
from url_viz.ui.session import BY_FIRST, Key
from url_viz.ui.text import Markdown, escape
from url_viz.ui.widgets.embed_job import is_growing

TORN_RULE = (
    f"Two classes have {percent(BETWEEN_TOGETHER)} or more of the shares, the second over {BETWEEN_SHARE:g} of the "
    "first, their own label left out. The rule is the same in every set; less torn pictures follow in the order"
)
SECOND_MEASURED = {
    AMBIGUITY.name: "R-AUROC rose from .80 to .83 where another classifier errs, not where the nearest is wrong",
    CONFUSABILITY.name: "R-AUROC rose from .77 to .80 where the nearest is wrong, not where another classifier errs",
}
"""What a second opinion was worth on the sets of docs/order.md, by the measure that leads."""
RIGHTLY_BOTH = OneOf("label_checked", (EITHER,))
LONG_NAME = 26
"""From this many characters on a class is named by what tells it from the other of its pair."""
HOLDS = ("good", "fair", "weak")
"""Grades of orders that are shown to be better than chance."""
PAIRS_NAMED = 2
"""How many pairs of classes the sentence names; the others open."""
MOST_PAIRS = 60
FINDINGS_NAMED = 3
"""How many findings the sentence names: what matters most. The list of reviews has all."""
FINDINGS_WANTED: Key[bool] = Key("explore.findings")
"""Whether the findings of a large set are wanted, by its id."""
MANY = 100_000
"""From this many pictures on, findings are looked for on request: every label is judged then."""


def show_sentence(image_set: ImageSet, measure: str) -> "st.delta_generator.DeltaGenerator":
    """How many pictures there are, how many are torn between which classes, what was found, and how the order holds.

    Returns the place of what was found (`show_findings`), which may take a moment: draw it last. Numbers are of the
    whole set, without objects that are hidden as too small. A click on one that is of pictures shows these and no
    others, whatever was filtered before; a second click shows all again.
    """
    among = legible(image_set.table()) if view().hide_tiny else ()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="explore_sentence"):
        _show_total(image_set, among)
        torn = image_set.cached_of_table(torn_in, among)
        if torn.count:
            _show_torn(torn)
        else:
            _show_first_reason(image_set, among)
        if both := image_set.cached_of_table(_count, (*among, RIGHTLY_BOTH)):
            words = f"{'is' if both == 1 else 'are'} rightly both"
            _part(both, words, "sentence.either", (RIGHTLY_BOTH,), about="Two classes are right, by somebody's word")
        for shared in image_set.core.reasons.shared:
            words = escape(image_set.core.in_words(shared.words.rstrip(".")))
            st.caption(words, width="content", help="So many that it says nothing of one of them.")
        found = st.container(horizontal=True, width="content", gap="small", key="explore_found")
        _show_evidence(image_set, measure)
    return found


def show_only(filters: tuple[Filter, ...]) -> None:
    """Have Explore show the pictures that pass these filters and no others; all, if it shows them already."""
    is_shown = view().scope == Scope(filters=filters) and not view().cuts
    change_view(polygon=None, cuts=(), filters=() if is_shown else filters)


def _part(count: int, words: str, key: str, filters: tuple[Filter, ...], *, about: str = "") -> None:
    """A number of pictures and what they are, as a button that shows them; coloured while it is all that is shown."""
    label = Markdown(f"**{count:,}** {escape(words)}")
    if filters and view().scope == Scope(filters=filters):
        label = Markdown(f":primary[{label}]")
    meaning = escape(about) if about else None
    st.button(label, type="tertiary", key=key, on_click=show_only, args=(filters,), help=meaning)


def _show_total(image_set: ImageSet, among: Sequence[Filter]) -> None:
    table = image_set.table()
    shown = image_set.cached_of_table(_count, among) if among else len(table)
    words = f"{image_set.noun}{'' if shown == 1 else 's'}"
    if image_set.is_of_objects:
        words += f" in {counted(image_set.cached_of_table(_count_pictures, among), 'picture')}"
    _part(shown, words, "sentence.all", ())
    if hidden := len(table) - shown:
        meaning = "The shorter side of their box has fewer pixels. Exports have them. Click to show them"
        st.button(
            f"{hidden:,} under {TINY_PX} px hidden",
            type="tertiary",
            key="sentence.tiny",
            help=meaning,
            on_click=change_view,
            kwargs={"hide_tiny": False},
        )


def _count(table: pd.DataFrame, among: Sequence[Filter]) -> int:
    return int(passes_all(table, among).sum())


def _count_pictures(table: pd.DataFrame, among: Sequence[Filter]) -> int:
    return int(table.loc[passes_all(table, among), PICTURE].nunique())


def _show_torn(torn: TornPictures) -> None:
    pairs = list(zip(*(torn.pairs[name].tolist() for name in ("class_a", "class_b", "pictures")), strict=True))
    meaning = TORN_RULE
    words = f"torn between classes{':' if pairs else ''}"
    _part(torn.count, words, "torn.all", torn_filters(), about=meaning)
    for number, (a, b, count) in enumerate(pairs[:PAIRS_NAMED]):
        _show_pair(a, b, count, key=f"torn.{number}")
    if len(pairs) > PAIRS_NAMED:
        with st.popover("…", type="tertiary", key="torn.more", help="All pairs of classes"):
            with st.container(gap=None):
                for number, (a, b, count) in enumerate(pairs[:MOST_PAIRS]):
                    _show_pair(a, b, count, key=f"torn.more.{number}", is_whole=True)
            if len(pairs) > MOST_PAIRS:
                st.caption(f"And {len(pairs) - MOST_PAIRS:,} more.")


def _show_pair(a: str, b: str, count: int, *, key: str, is_whole: bool = False) -> None:
    names = (a, b) if is_whole else distinct_short_names((a, b), most=LONG_NAME)
    label, filters = Markdown(f"{escape(' or '.join(names))} **{count:,}**"), torn_filters((a, b))
    if view().scope == Scope(filters=filters):
        label = Markdown(f":primary[{label}]")
    meaning = None if names == (a, b) else escape(f"{a} or {b}")
    st.button(label, type="tertiary", key=key, on_click=show_only, args=(filters,), help=meaning)


def _show_first_reason(image_set: ImageSet, among: Sequence[Filter]) -> None:
    """Where no picture is torn, the reason that explains most of the order; copies where each has the same pixels."""
    table, names = image_set.table(), image_set.core.reasons.order()
    counts = dict(image_set.cached_of_table(_reasons_in, among, names))
    if (table["twin_group"].notna() & table["copy_group"].isna()).any():
        counts.pop(TWIN, None)
    if counts:
        name, count = next(iter(counts.items()))
        _part(count, shown_reason(name), "sentence.reason", (OneOf("reasons", (name,)),))


def _reasons_in(table: pd.DataFrame, among: Sequence[Filter], names: Sequence[str]) -> dict[str, int]:
    return reason_counts(table.loc[passes_all(table, among), "reasons"], names)


def show_findings(image_set: ImageSet) -> list[Finding]:
    """What was found first, and the files that could not be read; while pictures come in these alone.

    Returns the findings that are named.
    """
    failures, named = len(image_set.failures()), list[Finding]()
    if not is_growing(image_set.set_id) and _is_wanted(image_set):
        try:
            found = [each for each in image_set.findings() if each.kind != "unreadable"]
        except UrlVizError as error:
            st.caption(escape(error), width="content")
        else:
            named = found[:FINDINGS_NAMED]
    for each in named:
        words, key = f"{each.count:,} {each.short}", f"findings.{each.kind}"
        why = f"{each.words}. {each.why}"
        open_button(image_set, each.kind, each.opens, words, key=key, type="tertiary", help=escape(why))
    if failures:
        why = "They are damaged, or no pictures. Click for the list with reasons"
        words, key = f"{failures:,} unreadable", "findings.unreadable"
        open_button(image_set, "unreadable", None, words, key=key, type="tertiary", help=why)
    return named


def show_first_review(image_set: ImageSet, findings: Sequence[Finding]) -> None:
    """The button for what matters most to review, by its name; without findings it leads to all reviews."""
    look: dict[str, Any] = {"key": "explore.review", "type": "primary", "icon": ":material/rate_review:"}
    reviewed = next((each for each in findings if each.opens is not None), None)
    if reviewed is None:
        st.button("Review", on_click=go_to_review, args=(None,), help="All that there is to review", **look)
    else:
        words = f"Review {reviewed.count:,} {reviewed.short}"
        meaning = escape(f"What matters most: {reviewed.words}. The page Review has all else")
        st.button(escape(words), on_click=go_to_review, args=(reviewed.opens,), help=meaning, **look)


def _is_wanted(image_set: ImageSet) -> bool:
    wanted = FINDINGS_WANTED.under(image_set.set_id)
    if len(image_set) < MANY or wanted.get():
        return True
    st.button(
        "What should I look at first?",
        type="tertiary",
        icon=":material/lightbulb:",
        key="findings.ask",
        on_click=wanted.set,
        args=(True,),
        help="Looks for leaks between splits, doubtful labels, bursts and more; takes seconds on a set this large",
    )
    return False


def _show_evidence(image_set: ImageSet, measure: str) -> None:
    """How well the order by this measure holds, as a chip that opens the sentence, and why it leads if it does.

    A second opinion that came while the page is open stands beside it, to be taken.
    """
    leading, second = image_set.order(), image_set.core.second.available
    order = leading if measure == leading.measure else image_set.order(measure)
    words, reason = image_set.core.in_words(plain_words(order)), image_set.core.in_words(order.reason)
    models = _models_in_words(image_set, order)
    is_shown_to_hold = order.evidence is not None and graded(order.evidence, wrong=order.wrong) in HOLDS
    icon = f":material/{'verified' if is_shown_to_hold else 'help'}:"
    with st.popover(escape(grade(order) or "Why this order?"), type="tertiary", icon=icon, key="explore.evidence"):
        if reason != words:
            st.markdown(escape(words))
        meaning = image_set.core.measure(measure).meaning
        if measure in image_set.core.measures() and meaning not in order.reason:
            st.caption(escape(meaning))
        if models:
            st.markdown(escape(models))
        st.caption(escape(reason))
        if said := image_set.looked_at(measure).words:
            st.markdown(escape(image_set.core.in_words(said)))
    if image_set.core.is_single_model and second is not None:
        about = f"{_plain_title(second.space, second.title)} has given a second opinion. Click to order by both"
        label = ":blue[●] Truer order ready"
        st.button(label, type="tertiary", key="second.take", on_click=BY_FIRST.clear, help=escape(about))


def _models_in_words(image_set: ImageSet, order: Order) -> str:
    """By which models an order is known, and what a second opinion is good for; "" for one that none may give."""
    if order.measure not in (AMBIGUITY.name, CONFUSABILITY.name, TUNED.name):
        return ""
    second, models = image_set.core.second.active, f"By {_plain_title(image_set.space, image_set.source.title)}"
    if second is None:
        return f"{models} alone."
    other = _plain_title(second.space, second.title)
    words = f"{models}, with a second opinion by {other}: a mistake of one alone counts for less."
    worth = SECOND_MEASURED.get(order.measure)
    return f"{words} On seven sets, {worth}. On a single set the figure may also fall." if worth else words


def _plain_title(space: EmbeddingSpace, title: str) -> str:
    return title if space.is_finetuned or space.backbone not in PACKAGED else PACKAGED[space.backbone].title
