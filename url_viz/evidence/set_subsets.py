"""Parts of an image set: what was not dropped; n pictures chosen to train on or to label, and what that is worth."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from url_viz.base.errors import ImageSetError
from url_viz.core import SetSubject
from url_viz.evidence.choice import ChoiceWorth, choice_worth, chosen_rows
from url_viz.store.decisions.decision_rows import tags_of
from url_viz.store.decisions.decisions import Action


class SetSubsets(SetSubject):
    """Parts of an image set, as `image_set.subsets`."""

    def choose(
        self,
        n: int,
        *,
        per: str | None = "label",
        most: Mapping[str, int] | None = None,
        among: Iterable[int] | None = None,
        pinned: Iterable[int] = (),
    ) -> pd.DataFrame:
        """Choose n pictures that cover the set, those first that cover most: id, path, label, `per`, and pinned.

        Twins count once, and dropped pictures are not chosen. As many of each value of the column `per` (by default of
        each class, where there are classes; None: however many), of a value in `most` at most so many. `among`: ids to
        choose from, such as those below a percentile of ambiguity. `pinned` ids, such as an earlier choice, come first
        and count. Fewer than n where there are no more. Raises ImageSetError before there is a graph, for unknown ids
        or columns, or if more are pinned than n.
        """
        self._core.require_graph()
        table, graph, every = self._core.frame, self._core.graph, np.arange(len(self._core.ids))
        assert graph is not None
        is_open = self._core.keep_mask()
        if among is not None:
            is_open = is_open & np.isin(every, self._core.rows_of(among))
        per = self.quota_column(per)
        if most and per is None:
            raise ImageSetError("Bounds of single values need a column: give `per`, or choose labels.")
        is_pinned = np.isin(every, self._core.rows_of(pinned))
        value = None if per is None else table[per]
        rows = chosen_rows(graph, self._core.contents, n, is_open=is_open, is_pinned=is_pinned, value=value, most=most)
        columns = list(dict.fromkeys(["id", "path", "label", *([] if per is None else [per])]))
        return table[columns].iloc[rows].assign(pinned=is_pinned[rows]).reset_index(drop=True)

    def quota_column(self, per: str | None) -> str | None:
        """The column that quotas go by: None for labels that there are none of. Raises ImageSetError for no column."""
        table = self._core.frame
        if per is not None and per not in table:
            raise ImageSetError(f"There is no column {per!r}. There are: {', '.join(map(str, table.columns))}.")
        return None if per == "label" and table["label"].isna().all() else per

    def tagged(self, tag: str) -> list[int]:
        """The ids of the pictures with a tag. Raises ImageSetError if none has it."""
        ids = self._core.ids[self._core.frame["tags"].map(lambda text: tag in tags_of(text)).to_numpy(dtype=bool)]
        if not len(ids):
            tags = ", ".join(self._core.decisions.tag_counts()) or "none yet"
            raise ImageSetError(f"No picture has the tag {tag!r}. Tags: {tags}.")
        return [*map(int, ids)]

    def tag(self, ids: Iterable[int], tag: str, *, who: str | None = None) -> Action:
        """Give pictures a tag, and take it from all others, so that it stands for one choice. Raises DecisionError."""
        decisions, wanted = self._core.decisions_by(who), [int(image_id) for image_id in ids]
        if tag in decisions.tag_counts() and (others := sorted({*self.tagged(tag)} - {*wanted})):
            decisions.untag(others, tag)
        return decisions.tag(wanted, tag)

    def worth(self, ids: Iterable[int]) -> ChoiceWorth:
        """What it is worth to train on these pictures, against as many at random: `.gain`, and `.words` that say it.

        A linear probe's accuracy on pictures that it has not seen, nor their twins; ten draws. Takes seconds. Raises
        ImageSetError for unknown ids, below two classes, or where a probe would take minutes.
        """
        table = self._core.frame
        label = table["label"].where(table["decision"] != "drop")
        is_chosen = np.isin(np.arange(len(table)), self._core.rows_of(ids))
        codes = pd.factorize(label, sort=True)[0].astype(np.int32)
        return choice_worth(self._core.whitened.rows, codes, is_chosen, group=self._core.source_groups)
