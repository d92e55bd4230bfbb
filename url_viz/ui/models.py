"""The models of the Settings page: a card each with its state, figures and use, and how the app reads pictures."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from url_viz.base.command_line import PrecisionChoice
from url_viz.base.wording import printable
from url_viz.base.workspace import Workspace
from url_viz.evidence.holdout_report import figures_at, headline
from url_viz.image_set import ImageSet
from url_viz.jobs.kinds import adapted_to_another
from url_viz.models.catalogue import KINDS, KnownModel, describe_card_file, known_models
from url_viz.models.checkpoint_folder import PAGE_TIMEOUT_S
from url_viz.models.model import EXTERNAL, model_title, times_here
from url_viz.models.model_names import default_second_model, parse_paper_name
from url_viz.models.precision import precision_here, precision_words, slow_words
from url_viz.models.runtime import devices
from url_viz.pipeline.cluster.on_ray import cluster_address
from url_viz.pipeline.stash import MOST_PICTURES
from url_viz.second_reading import VARIABLE, is_on
from url_viz.store.about import is_second_model_used, known_sets
from url_viz.ui.open_sets import open_sets
from url_viz.ui.session import DIALOG, Key, choice, choose
from url_viz.ui.text import Markdown, errors_shown, escape, shipped_text, with_code
from url_viz.ui.widgets.buttons import act_button, control, dialog_button
from url_viz.ui.widgets.embed_job import (
    DEVICE,
    ON_RAY,
    ONE_MODEL,
    PRECISION,
    running,
    set_name,
    set_title,
    show_read_button,
    space_in_set,
    start_reading,
)
from url_viz.ui.widgets.jobs import show_until_over

AUTO = "auto"
AS_READ = "as read before"
PRECISIONS: tuple[PrecisionChoice, ...] = ("fast", "exact")
COLUMNS = 2
TO_INSTALL = ("not installed", "not here")
ANOTHER: Key[str] = Key("models.another")
SECOND_OPINION: Key[bool] = Key("models.second")


def show_how_to_read() -> None:
    """Device and precision for this session, the second opinion, and the effect of a change."""
    with st.expander("Device, precision, second opinion", icon=":material/tune:"):
        left, right = st.columns(2, gap="large")
        with left:
            _pick_device()
        with right:
            _pick_precision()
        _show_second_opinion()


def _pick_device() -> None:
    here = {AUTO: "Automatic", **devices()}
    cluster = cluster_address()
    places = here if cluster is None else {**here, ON_RAY: f"Ray cluster {cluster}"}
    names = list(places)
    now = DEVICE.get() or AUTO
    picked = st.selectbox(
        "Compute on",
        names,
        index=names.index(now) if now in names else 0,
        format_func=lambda name: places[name] if name in (AUTO, "cpu", ON_RAY) else f"{places[name]} ({name})",
        key="models.pick_device",
        help="For what this app reads while this page is open in your browser.",
    )
    DEVICE.set(picked)
    if picked == ON_RAY:
        st.caption("Its workers read the pictures; this machine stores the results and makes the map.")
    elif len(here) == 2:
        st.caption("No usable GPU on this machine, so pictures are read on the CPU.")
    elif picked == AUTO:
        st.caption("All available GPUs, in turn.")


def _pick_precision() -> None:
    options = [AS_READ, *PRECISIONS]
    picked = st.selectbox(
        "Precision",
        options,
        index=options.index(PRECISION.get() or AS_READ),
        format_func=str.capitalize,
        key="models.pick_precision",
        help=escape(
            "Results of different precisions are never mixed. A set that was read in one is read again in the other, "
            "and stored separately; the latest is shown. The other can be removed under Image sets."
        ),
    )
    chosen = next((name for name in PRECISIONS if name == picked), None)
    PRECISION.set(chosen)
    words = precision_words(chosen or "fast", _device(), times_here(choice().model, Workspace.at()))
    if chosen is None:
        words = f"Sets keep the precision they were read in; new ones are read fast: {words}"
    else:
        words += " A set read in the other precision is read again; its results stay."
    st.caption(escape(words))


def _show_second_opinion() -> None:
    """The switch of second opinions: on new sets unasked, and in the order of the open set, which may ask for one."""
    now, is_read_unasked = choice(), is_on() and not ONE_MODEL.get()
    image_set = None if now.set_id is None else open_sets().find(now.set_id, now.model)
    is_wanted = is_read_unasked if image_set is None else is_second_model_used(image_set.core.store.paths)

    def switch(chosen: Any) -> None:
        with errors_shown():
            if image_set is not None:
                image_set.core.second.enable(is_enabled=chosen)
            ONE_MODEL.set(not chosen)

    st.toggle(
        "Second opinion",
        is_wanted,
        disabled=image_set is None and not is_on(),
        help="It takes about twice as long as the first reading, behind pages, if a second model is installed",
        **control(SECOND_OPINION, is_wanted, switch),
    )
    if is_read_unasked:
        when = f"A second model reads new sets of up to {MOST_PICTURES:,} pictures once they are drawn"
        st.caption(f"{when}; the order by both is as true as by one, or truer.")
    else:
        st.caption(escape("No second model reads new sets" + ("." if is_on() else f": ${VARIABLE} is off.")))
    if image_set is not None and is_wanted:
        _ask_for_second_opinion(image_set)


def _ask_for_second_opinion(image_set: ImageSet) -> None:
    """Whether the open set has a second opinion; if it has none, a button that asks for one, or why it cannot."""
    name, second = set_name(image_set.root), image_set.core.second
    asked = default_second_model(image_set.space.backbone)
    if second.active is not None:
        st.caption(escape(f"{name} has one, by {second.active.title}."))
    elif image_set.source.is_external or asked is None:
        st.caption(escape(f"{name} has none: no second model knows how its embeddings were made."))
    elif (job := running(image_set.set_id)) is not None:
        show_until_over(job)
    else:

        def ask() -> None:
            asked.weights()  # raises an error for one that is not installed, which says how to install it
            first = image_set.source.name
            start_reading(image_set.root, set_id=image_set.set_id, model=first, also=asked.name, is_opinion=True)

        if act_button(f"Ask {asked.title} for one on {name}", ask, key="second.ask", icon=":material/group_add:"):
            st.rerun()


def _device() -> str:
    """The device of this session's readings, as commands name it; machines of a cluster are assumed to be like this."""
    chosen = DEVICE.get() or AUTO
    return AUTO if chosen == ON_RAY else chosen


def show_models() -> None:
    """The models that are here as cards, by kind; below them a field for any other, and those to install, folded."""
    catalogue = known_models(Workspace.at(), timeout_s=PAGE_TIMEOUT_S)
    here = [model for model in catalogue if model.state not in TO_INSTALL]
    for kind, title in KINDS.items():
        if models := [model for model in here if model.kind == kind]:
            st.header(escape(title), anchor=False)
            _show_cards(models)
    _pick_another([model.name for model in here])
    with st.expander(f"{len(catalogue) - len(here):,} more to install", icon=":material/download:"):
        _show_cards([model for model in catalogue if model.state in TO_INSTALL])


def _show_cards(models: Sequence[KnownModel]) -> None:
    for start in range(0, len(models), COLUMNS):
        for column, model in zip(st.columns(COLUMNS), models[start : start + COLUMNS], strict=False):
            with column, st.container(border=True, gap="xsmall"):
                _show_one(model)


def _pick_another(listed: Sequence[str]) -> None:
    """A field for a model by name, what of it is in use, and the folder whose checkpoints are listed."""

    def take() -> None:
        with errors_shown():
            if name := (ANOTHER.get() or "").strip():
                choose(choice().set_id, model=name)

    now = choice()
    st.text_input(
        "Another model",
        key=ANOTHER,
        on_change=take,
        placeholder="resnet18",
        help="Any timm name (downloaded once), the path of a checkpoint, or BACKBONE:PATH for a timm backbone that you "
        "finetuned.",
        width=460,
    )
    if now.model not in listed:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(escape(model_title(now.model)), width="content")
            st.badge("In use", icon=":material/check:", color="blue")
            is_file = now.model.startswith(EXTERNAL)
            if now.set_id is not None and not is_file and space_in_set(now.set_id, now.model) is None:
                _offer_reading(now.model, now.set_id)
    st.caption("Checkpoints in this folder are listed above:")
    st.code(str(Workspace.at().checkpoints), language=None, wrap_lines=True)


def _show_one(model: KnownModel) -> None:
    _show_title(model)
    if model.why:
        st.markdown(with_code(model.why))
    set_id = choice().set_id
    if model.is_ready and set_id is not None:
        st.caption(escape(_meaning(model.name, set_id)))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if model.is_ready:
            _show_use(model)
        if model.card is not None:
            key, icon = f"models.card.{model.name}", ":material/description:"
            if dialog_button("Model card", key=key, type="tertiary", icon=icon):
                _show_card(model)
        with st.popover("Details", icon=":material/info:", type="tertiary"):
            _show_details(model)


def _show_title(model: KnownModel) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(f"{escape(model.title)}", width="content", anchor=False)
        if choice().model == model.name:
            st.badge("In use", icon=":material/check:", color="blue")
        elif model.is_ready:
            st.badge("Ready", color="green")
        else:
            st.badge(escape(model.state.capitalize()), color="red" if model.state == "cannot be read" else "gray")


def _figures(model: KnownModel) -> list[Markdown]:
    """The figures of a head, from the run that adapted it, else from its card."""
    reports = figures_at(model.report) if model.report is not None else ()
    lines = [f"{headline(report)} held out from training" for report in reports if report.after is not None]
    worth = describe_card_file(model.card) if model.card is not None else ""
    return [escape(line) for line in lines or filter(None, [worth])]


def _show_use(model: KnownModel) -> None:
    now = choice()
    is_in_use = now.model == model.name
    if is_in_use and now.set_id is not None and space_in_set(now.set_id, model.name) is None:
        _offer_reading(model.name, now.set_id)
        return
    if not is_in_use:
        key, kwargs = f"models.use.{model.name}", {"model": model.name}
        st.button("Use this model", key=key, on_click=choose, args=(now.set_id,), kwargs=kwargs)


def _offer_reading(name: str, set_id: str) -> None:
    about = dict(known_sets(Workspace.at())).get(set_id)
    if about is None or running(set_id) is not None:
        st.caption("Being read")
    else:
        show_read_button("Read with this model", about.root, model=name, key="models.read", type="primary")


def _meaning(name: str, set_id: str) -> str:
    """Whether an image set was read with a model, and what a choice of it does."""
    about = dict(known_sets(Workspace.at())).get(set_id)
    if about is None:
        return "The image set that is open would be read with it."
    title, space = set_title(about), space_in_set(set_id, name)
    other = adapted_to_another(name, set_id=set_id, root=about.root, workspace=Workspace.at())
    if space is None:
        return f"{title} has not been read with it yet. Using it reads every picture once; other results stay."
    chosen, times = PRECISION.get(), times_here(name, Workspace.at())
    if chosen is not None and precision_here(chosen, _device(), times) not in (None, space.precision):
        return f"{title} has been read with it ({space.precision}); another precision reads it again."
    if slow := slow_words(space.precision, _device(), times):
        return f"{title} has been read with it. {slow} To change it, choose Fast below."
    if other is not None:
        return f"{title} has been read with its backbone ({space.precision}); the head was adapted to other pictures."
    return f"{title} has been read with it ({space.precision})."


def _show_details(model: KnownModel) -> None:
    if model.facts:
        st.caption(escape(" · ".join(model.facts)))
    for line in _figures(model):
        st.caption(line)
    st.caption("Name, for the command line and Python")
    st.code(model.name, language=None, wrap_lines=True)
    if (paper := parse_paper_name(model.name)) is not None:
        st.caption(escape(paper[0].about))
    if model.file is not None:
        st.caption(escape(f"Digest of its file: {model.digest or 'unknown'}"))
        if printable(str(model.file)) != model.name:
            st.code(printable(str(model.file)), language=None, wrap_lines=True)
    if not model.licence and model.kind == "authors":
        st.caption("Licence unknown.")


@st.dialog("Model card", width="large", on_dismiss=DIALOG.clear)
def _show_card(model: KnownModel) -> None:
    assert model.card is not None
    if model.kind == "shipped":
        with st.container(key="model_card"):
            st.markdown(shipped_text(model.card))
    else:
        st.code(model.card.read_text("utf-8", errors="replace"), language="markdown", wrap_lines=True)


def show_models_page() -> None:
    """Every model that this machine knows, what each is worth, and on what pictures are read."""
    cards = st.container()
    show_how_to_read()  # first: what a card says depends on it
    with cards:
        show_models()
