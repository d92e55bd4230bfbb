"""Which second model the pictures of an image set are judged by, in addition to the one that is shown."""

import hashlib
from collections.abc import Iterator

from url_viz.files import replaced
from url_viz.models.model import EXTERNAL, EmbeddingSpace
from url_viz.sealed import sealed, unsealed
from url_viz.store.damage import raising_disk_errors
from url_viz.store.reader import Store
from url_viz.workspace import SetPaths


def is_second_model_used(paths: SetPaths) -> bool:
    """Whether a second model is used if there is one, which is the default."""
    try:
        return bool(unsealed(paths.second.read_bytes()).get("is_asked", True))
    except (OSError, ValueError):  # never written, or damaged: then it is as at first
        return True


def choose_second_model(paths: SetPaths, *, is_used: bool) -> None:
    """Store whether a second model is taken into account. Raises WorkspaceError for a full or read-only disk."""
    with raising_disk_errors(paths), replaced(paths.second) as temporary:
        temporary.write_text(sealed({"is_asked": is_used}))


def other_spaces(store: Store, space: EmbeddingSpace) -> Iterator[EmbeddingSpace]:
    """The spaces of other models that the set was read with, the latest first; not of a user's embeddings."""
    for other in reversed(store.about().spaces):
        is_other = (other.backbone, other.weights_digest) != (space.backbone, space.weights_digest)
        if is_other and not any(one.backbone.startswith(EXTERNAL) for one in (space, other)):
            yield other


def second_models_version(store: Store, space: EmbeddingSpace) -> str:
    """A short text that changes when a second model is added, removed, reads more, or is switched off; "" for none."""
    others = [f"{other.key} {store.digest_of([f'graph-{other.key}'])}" for other in other_spaces(store, space)]
    if not others:
        return ""
    text = " ".join([*others, str(is_second_model_used(store.paths))])
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
