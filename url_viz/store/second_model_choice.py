"""Which second model the pictures of an image set are judged by, in addition to the one that is shown."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from url_viz.base.errors import DamageError
from url_viz.base.records import RecordFile
from url_viz.base.workspace import SetPaths
from url_viz.models.model import EXTERNAL, EmbeddingSpace
from url_viz.store.about import set_record
from url_viz.store.tables.reader import Store


@dataclass(frozen=True)
class SecondModelSwitch:
    """Whether a second model is asked if there is one."""

    is_asked: bool = True


def second_model_switch(paths: SetPaths) -> RecordFile[SecondModelSwitch]:
    """The record of whether a second model is used."""
    advice = "Choose again whether a second model is used: `python -m url_viz second FOLDER --ask yes`."
    return set_record(paths, paths.second, SecondModelSwitch, advice, default=SecondModelSwitch())


def is_second_model_used(paths: SetPaths) -> bool:
    """Whether a second model is used if there is one, which is the default, also in place of a damaged choice."""
    if not paths.second.exists():  # asked at each look for a column
        return SecondModelSwitch().is_asked
    try:
        return second_model_switch(paths).read().is_asked
    except DamageError:
        return SecondModelSwitch().is_asked


def choose_second_model(paths: SetPaths, *, is_used: bool) -> None:
    """Store whether a second model is taken into account. Raises WorkspaceError for a full or read-only disk."""
    second_model_switch(paths).write(SecondModelSwitch(is_used))


def other_spaces(store: Store, space: EmbeddingSpace) -> Iterator[EmbeddingSpace]:
    """The spaces of other models that the set was read with, the latest first; not of a user's embeddings."""
    for other in reversed(store.about().spaces):
        is_other = (other.backbone, other.weights_digest) != (space.backbone, space.weights_digest)
        if is_other and not any(model.backbone.startswith(EXTERNAL) for model in (space, other)):
            yield other


def other_models_version(store: Store, space: EmbeddingSpace) -> str:
    """A short text that changes when another model is added, removed, or reads more; "" for none."""
    others = [f"{other.key} {store.digest_of([f'graph-{other.key}'])}" for other in other_spaces(store, space)]
    return hashlib.blake2b(" ".join(others).encode(), digest_size=4).hexdigest() if others else ""
