"""Parts of an image set: what was not dropped; n pictures chosen to train on or to label, and what that is worth."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from typing_extensions import Doc

from url_viz.base.command_line import OptionalCount
from url_viz.base.errors import ImageSetError
from url_viz.base.files import ids_in
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.capability import AsKind, capability
from url_viz.core import SetSubject
from url_viz.evidence.choice import ChoiceWorth, choice_worth, chosen_rows
from url_viz.evidence.selective_retrieval import near_in_graph
from url_viz.models.classifier_functions import class_names
from url_viz.parameters import IDS_FILE
from url_viz.pictures.named_groups import classifier, look_of
from url_viz.pictures.set_maps import NEAR, representatives
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

    @capability(
        "subsets regions", columns=("size", "path", "label", "share"), number="{:.0%}", noun="representative", top=40
    )
    def regions(
        self,
        *,
        count: Annotated[
            OptionalCount, Doc("at most this many (default: by the number of pictures, at most 32)")
        ] = None,
    ) -> pd.DataFrame:
        """List one representative picture per region of the map, with the pictures of the region and their class.

        Largest regions first. In a file also `looks_like`, the class of ImageNet that the backbone sees in a picture
        and its neighbours, with its `like_share`.

        In Python id, path, x, y, size, label, share, looks_like, like_share; the last two None and nan without a head
        that knows the classifier, where its classes are no words for the set (`url_viz.pictures.named_groups`), or
        where none is clear.
        """
        core, names = self._core, class_names()
        pictures = representatives(core.frame, core.contents, core.graph, count=count, by=core.leading_order.measure)
        functions = core.derived.get(classifier)
        if functions is None:
            return pictures.assign(looks_like=None, like_share=np.nan)
        groups = []
        for row in core.rows_of(pictures["id"]):
            near = near_in_graph(int(row), core.contents, core.graph)
            groups.append(np.unique(core.contents[[row] if near is None else [row, *near[0][:NEAR]]]))
        # One reading for all: it goes through the whole table of embeddings.
        wanted = np.unique(np.concatenate(groups)) if groups else core.contents[:0]
        stored = core.store.embeddings(core.space.key, wanted)
        looks = []
        for group in groups:
            embeddings = stored.embedding[np.isin(stored.content, group)].astype(np.float32)
            looks.append(look_of(functions.shares(embeddings), names))
        return pictures.assign(
            looks_like=pd.Series([name for name, _ in looks], dtype=object, index=pictures.index),
            like_share=np.array([share for _, share in looks], np.float32),
        )

    @capability("subsets worth", top=20)
    def worth(
        self, ids: Annotated[Iterable[int] | Path, AsKind(Path), IDS_FILE], *, progress: ProgressCallback = silent
    ) -> ChoiceWorth:
        """Measure what it is worth to train on some pictures only, against as many at random.

        A linear probe's accuracy on pictures that it has not seen, nor their twins; ten draws. Takes seconds.

        In Python `.gain`, and `.words` that say it. Raises ImageSetError for unknown ids, below two classes, or where
        a probe would take minutes.
        """
        progress(Progress("worth", 0))
        ids = ids_in(ids) if isinstance(ids, Path) else ids
        table = self._core.frame
        label = table["label"].where(table["decision"] != "drop")
        is_chosen = np.isin(np.arange(len(table)), self._core.rows_of(ids))
        codes = pd.factorize(label, sort=True)[0].astype(np.int32)
        return choice_worth(self._core.whitened.rows, codes, is_chosen, group=self._core.source_groups)
