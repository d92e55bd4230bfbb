"""Widgets for where a finetune job runs: this machine or SLURM, with partition, GPUs, CPUs and time."""

import streamlit as st

from url_viz.errors import JobError
from url_viz.jobs.slurm import Partition, SlurmRequest, has_slurm, partitions
from url_viz.ui.session import Key
from url_viz.ui.text import escape, show_error

FINETUNE_PLACE: Key[str] = Key("finetune.place")
PARTITION: Key[str] = Key("finetune.slurm.partition")
SLURM_NUMBER: Key[int] = Key("finetune.slurm")
"""A number of a SLURM request, by its name and partition, so that it is never outside another partition's bounds."""

HERE, ON_SLURM = "This machine", "SLURM"
USUAL_MINUTES, USUAL_CPUS = 60, 4
SHARED = (
    "The workspace, this Python and the pictures must be on a file system that the nodes share. The run is then listed "
    "below like any other, and waits in SLURM's queue."
)


def show_target() -> None:
    """Widgets for where the next run starts; nothing if this machine has no SLURM."""
    if not has_slurm():
        return
    target = st.segmented_control("Run on", [HERE, ON_SLURM], default=HERE, key=FINETUNE_PLACE)
    if target != ON_SLURM:
        return
    st.caption(SHARED)
    try:
        available = _partitions()
    except JobError as error:
        show_error(error)
        return
    if not available:
        st.error("No partition of this cluster is up. Check `sinfo`, or run on this machine.")
        return
    _show_request(available)


def chosen_request() -> SlurmRequest | None:
    """The request in the widgets; None for this machine.

    Raises JobError if SLURM is chosen but its partitions could not be listed.
    """
    if not has_slurm() or FINETUNE_PLACE.get() != ON_SLURM:
        return None
    partition = PARTITION.get()
    if partition is None:
        raise JobError("No partition is chosen for SLURM. Choose one, or run on this machine.")
    return SlurmRequest(
        partition=partition,
        gpus=_number("gpus", partition),
        cpus=_number("cpus", partition),
        minutes=_number("minutes", partition),
    )


@st.cache_data(ttl=60, show_spinner=False)
def _partitions() -> list[Partition]:
    return partitions()


def _show_request(available: list[Partition]) -> None:
    """A partition, and numbers within its bounds; where only one value is allowed, the widget is disabled."""
    name_column, *columns = st.columns(4)
    names = [partition.name for partition in available]
    name = name_column.selectbox("Partition", names, key=PARTITION)
    chosen = next(partition for partition in available if partition.name == name)
    bounds = {
        "gpus": ("GPUs", 0, 1, chosen.most_gpus),
        "cpus": ("CPUs", 1, USUAL_CPUS, chosen.most_cpus),
        "minutes": ("Minutes", 1, USUAL_MINUTES, chosen.most_minutes),
    }
    for column, (field, (title, least, usual, most)) in zip(columns, bounds.items(), strict=True):
        column.number_input(
            escape(title),
            min_value=least,
            max_value=most,
            value=usual if most is None else min(usual, most),
            step=1,
            disabled=most == least,
            key=SLURM_NUMBER.under(field, name),
            help=None if most is None else f"At most {most:,} in this partition.",
        )


def _number(name: str, partition: str) -> int:
    number = SLURM_NUMBER.under(name, partition).get()
    assert number is not None
    return int(number)
