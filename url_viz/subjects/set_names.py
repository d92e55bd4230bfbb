"""Names of pictures: which to name next, what names suggest for the others, and giving them."""

from collections.abc import Iterable, Mapping

import pandas as pd

from url_viz.analysis.review.naming import first_to_name, name_suggestions, names
from url_viz.store.decisions.decisions import Action
from url_viz.subjects.set_core import SetSubject


class SetNames(SetSubject):
    """The names of an image set's pictures, as `image_set.names`. They are labels after `labels.use("names")`."""

    def ask(self, n: int = 20) -> pd.DataFrame:
        """Pictures without a name whose names would teach most, those first: id and path; see `analysis.review.naming`.

        Raises ImageSetError before there is a graph in the whitened space.
        """
        self._core.require_graph()
        graph = self._core.graph
        assert graph is not None
        rows = first_to_name(graph, self._core.contents, self._core.derived.get(names), n)
        return self._core.base.table[["id", "path"]].iloc[rows].reset_index(drop=True)

    def give(self, names: Mapping[int, str | None], *, who: str | None = None) -> Action:
        """Give pictures a name, or another one; None takes it away. A single action for undo.

        Decisions and tags stay. Raises DecisionError for unknown ids, or what cannot be a name: it has at most 60
        characters, without comma or semicolon.
        """
        return self._core.decisions_by(who).name_each(names)

    def suggestions(self) -> pd.DataFrame:
        """What names suggest for pictures without one: id, path, name, share; the largest share first.

        By neighbours and a classifier that know the names only, whatever the labels are. Empty below two names.
        """
        return self._core.derived.get(name_suggestions)

    def accept(self, ids: Iterable[int], *, who: str | None = None) -> Action:
        """Give pictures the name that is suggested for them; those without a suggestion stay. A single action."""
        wanted = {int(image_id) for image_id in ids}
        self._core.rows_of(wanted)  # refuses unknown ids
        suggestions = self.suggestions()
        rows = suggestions[suggestions["id"].isin(wanted)]
        return self.give(dict(zip(rows["id"].tolist(), rows["name"].tolist(), strict=True)), who=who)
