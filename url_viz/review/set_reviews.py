"""Reviews, answers on pairs, and names of an image set."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from typing_extensions import Doc

from url_viz.base.command_line import Count, Fraction, OptionalCount
from url_viz.base.errors import ImageSetError
from url_viz.base.printout import Printout, Table
from url_viz.base.wording import command, counted
from url_viz.capability import capability
from url_viz.columns.filters import OneOf, ReviewSpec, Scope, review_from_query
from url_viz.columns.table import table
from url_viz.core import SetCore, SetSubject
from url_viz.findings.findings import MISSING, findings, reviews
from url_viz.findings.set_splits import SetSplits
from url_viz.labels.set_labels import SetLabels
from url_viz.review.naming import first_to_name, name_suggestions, names
from url_viz.review.queues import QueueRow, queue_rows
from url_viz.review.review import open_review, ready_reviews, title_of_review
from url_viz.review.review_queue import Review, ReviewContext
from url_viz.review.tuned import Tuned, answered, pairs, tuned_order
from url_viz.store.decisions.answers import Answers, list_reviews
from url_viz.store.decisions.decisions import Action


def review_printout(review: Review, top: int, *, noun: str) -> Printout:
    """The first pictures of a review with the question of each, and what lies beside it."""

    def row(image_id: int) -> dict[str, object]:
        card = review.card(image_id)
        label = card.row["label"] if isinstance(card.row["label"], str) else None
        beside = card.near[0]["path"].iloc[0] if "same" in card.takes else None
        return {"path": card.row["path"], "label": label, "question": card.question.text, "beside": beside}

    rows = pd.DataFrame(map(row, review.ids[:top].tolist()), columns=["path", "label", "question", "beside"])
    title = f"{title_of_review(review.spec)}: {counted(len(review), noun)} to review."
    more = [f"… and {len(review) - top:,} more (--top)"] if len(review) > top else []
    return Printout([title, *([review.caution] if review.caution else [])], [Table(rows, noun=noun)], closing=more)


class SetReviews:
    """The reviews of an image set, as `image_set.reviews`."""

    def __init__(self, core: SetCore, *, labels: SetLabels, splits: SetSplits) -> None:
        self._core, self._labels, self._splits = core, labels, splits
        self.open_by = WeakKeyDictionary[object, Any]()
        """What callers have open of these reviews: it is freed with them, and with this snapshot."""

    def open(self, spec: ReviewSpec | str, *, afresh: bool = False) -> Review:
        """A review of this set, picture after picture; one that was begun before goes on, unless `afresh`.

        `spec` may be just what is reviewed: a measure, or one of `url_viz.findings.findings.reviews`.
        Raises ImageSetError for what this set does not have: doubtful labels without labels to check, leaks without
        splits, or of objects, since dropping one leaves its picture where it is.
        """
        spec = ReviewSpec(spec) if isinstance(spec, str) else spec
        if spec.by == "leaks" and self._core.is_of_objects:
            raise ImageSetError(self._splits.listed_only)
        if spec.by not in reviews():
            self._core.check_measure(spec.by)
        elif reviews()[spec.by].needs == "graph":
            self._core.require_graph()
        context = ReviewContext(
            self._core.for_filters(self._core.frame.copy(deep=False), spec.scope.filters),
            self._core.unit,
            self._core.decisions,
            self._labels.source,
            self._core.store.paths,
            self._core.answer_log,
            self._core.derived,
            {**MISSING, "splits": self._splits.missing},
            is_of_objects=self._core.is_of_objects,
            named_classes=self._labels.named_classes(),
            afresh=afresh,
            cached_queue=lambda queue: self._core.derived.result(table, ("queue", spec), lambda _: queue()),
        )
        return open_review(spec, context)

    @capability("review")
    def to_review(
        self,
        *,
        by: Annotated[
            str | None,
            Doc(
                "suspects, labels (all, doubtful first), disagreed, copies, bursts, pairs, names, other-class, missed, "
                "one of `findings`, a measure (default: what holds here)"
            ),
        ] = None,
        of_class: Annotated[str | None, Doc("only pictures with this label")] = None,
        tag: Annotated[str | None, Doc("only pictures with this tag")] = None,
        within_class: Annotated[bool, Doc("compare each picture with its own class only")] = False,
        per_class: Annotated[OptionalCount, Doc("so many of each class")] = None,
        top: Annotated[Count, Doc("how many pictures to list")] = 20,
    ) -> Printout:
        """List pictures to review, with the question of each.

        Decided ones are left out; answer by `decide` and `labels correct`.

        In Python `open` gives the review. Raises ImageSetError as that does, and where classes are asked for and there
        are none.
        """
        order = by or self._core.current_order().measure
        if order is None:
            raise ImageSetError(
                f"{self._core.current_order().reason} Say which order the review has: --by copies, or a measure."
            )
        if (within_class or per_class is not None) and self._core.frame["label"].isna().all():
            choosing = command("labels", "list", self._core.root)
            raise ImageSetError(f"There are no classes for --within-class and --per-class. Choose some: `{choosing}`.")
        named = {"label": of_class, "tags": tag}
        filters = tuple(OneOf(column, (value,)) for column, value in named.items() if value is not None)
        spec = ReviewSpec(order, Scope(filters=filters), within_class, per_class)
        return review_printout(self.open(spec, afresh=True), top, noun=self._core.noun)

    def current(self, spec: ReviewSpec) -> Review:
        """A review to go on with; one of doubtful labels begins anew if others are doubtful now than are left in it.

        So it asks about those that findings count. Raises ImageSetError as `open` does.
        """
        review = self.open(spec)
        if spec != ReviewSpec("suspects") or not review.is_begun or review.has_ended:
            return review
        afresh = self.open(spec, afresh=True)
        left = review.ids[~review.is_done(review.ids)]
        return review if not len(afresh) or {*left.tolist()} == {*afresh.ids.tolist()} else afresh

    def queues(self, most: int | None = None, *, hides_tiny: bool = False) -> list[QueueRow]:
        """What there is to review, what matters most first: findings, ready reviews, and others that were begun.

        With `hides_tiny`, as pages have it, the most ambiguous are without objects that are too small to recognise.
        """
        leaks = self._splits.leaks()
        ready = ready_reviews(
            self._core.frame,
            self._core.leading_order.measure,
            has_graph=self._core.has_graph,
            has_leaks=leaks is not None and not leaks.empty and not self._core.is_of_objects,
            hides_tiny=hides_tiny,
            differs=len(self._labels.disagreed()) > 0,
        )
        rows = queue_rows(findings(self._core.derived), ready, self._begun(), open_review=self.current)
        return list(islice(rows, most))

    def kept(self, most: int | None = None) -> list[Review]:
        """The reviews that were begun, the one that was worked on last first, at most so many.

        Those that cannot go on are left out.
        """
        return list(islice(self._begun(), most))

    def _begun(self) -> Iterator[Review]:
        for spec in (review_from_query(stored.query) for stored in list_reviews(self._core.store.paths)):
            with suppress(ImageSetError):  # of an order that does not exist any more
                if spec is not None:
                    yield self.open(spec)


class SetAnswers(SetSubject):
    """The answers of an image set, as `image_set.answers`."""

    @property
    def log(self) -> Answers:
        """What was answered on pairs of pictures, by their contents."""
        return self._core.answer_log

    def ask(self, n: int = 20, *, seed: int = 0) -> pd.DataFrame:
        """Pairs to ask about next, at most n: id, neighbour_id, path, neighbour_path; a picture and its nearest.

        Some are drawn uniformly, the others more often where measures disagree (`url_viz.review.tuned`). Raises
        ImageSetError before there is a graph in the whitened space.
        """
        self._core.require_graph()
        pair_order = self._core.derived.get(pairs)
        assert pair_order is not None  # there is a graph
        rows = pair_order.next(self._core.derived.get(answered), n, seed=seed)
        table = self._core.base.table[["id", "path"]]
        first, second = (table.iloc[rows[:, side]].reset_index(drop=True) for side in (0, 1))
        return first.assign(neighbour_id=second["id"], neighbour_path=second["path"])[
            ["id", "neighbour_id", "path", "neighbour_path"]
        ]

    def give(self, answers: Mapping[tuple[int, int], bool | None], *, who: str | None = None) -> Action:
        """Say of pairs of pictures, by id, whether they are the same kind of thing; None takes an answer back.

        A single action for undo. Stored by content: an answer stays whatever the graph becomes. From ten answers on,
        both kinds among them, `table()` has `tuned`. Raises ImageSetError for an unknown id, DecisionError for copies
        of one file.
        """
        ids = np.array(list(answers), np.int64).reshape(-1, 2)
        contents = self._core.contents[self._core.rows_of(ids.ravel())].reshape(-1, 2)
        pairs = {
            (int(first), int(second)): same for (first, second), same in zip(contents, answers.values(), strict=True)
        }
        return self.log.answer(pairs, who=who)

    def tuned(self) -> Tuned | None:
        """What the answers made of the order, and how well it holds on them; None below ten, or without both kinds."""
        return self._core.derived.get(tuned_order)


class SetNames(SetSubject):
    """The names of an image set's pictures, as `image_set.names`. They are labels after `labels.use("names")`."""

    @capability("labels names")
    def first(
        self,
        *,
        top: Annotated[Count, Doc("how many pictures to list")] = 20,
        suggested: Annotated[bool, Doc("list what the names so far suggest for the others")] = False,
        accept: Annotated[bool, Doc("give pictures the names that are suggested")] = False,
        share: Annotated[
            Fraction, Doc("with these: only names that are each right in at least this share of cases")
        ] = 0.9,
    ) -> Printout:
        """List the pictures whose names teach most, or what the names so far suggest for the others; accept that.

        Give a name by `decide FOLDER leave a.jpg --name kiwi`, or in the app under Review. From two names on they
        suggest names for the others; `labels use FOLDER names` makes them labels.

        In Python: `ask`, `suggestions` and `accept`.
        """
        if not suggested and not accept:
            rows = self.ask(top)
            return Printout([] if len(rows) else ["Every picture has a name."], [Table(rows, ["path"], noun="picture")])
        found = self.suggestions()
        found = found[found["share"] >= share]
        if accept:
            return Printout([f"{self.accept(found['id'].tolist()).sentence}."])
        mistakes = round(float((1 - found["share"]).sum()))
        words = f"{counted(len(found), 'suggestion')} from share {share:.2f} on, about {mistakes:,} of them wrong."
        more = [f"… and {len(found) - top:,} more (--top)"] if len(found) > top else []
        shown = Table(found.head(top), ["name", "share", "path"], number="{:.2f}", noun="picture")
        return Printout([words], [shown], closing=more, figures=found)

    def ask(self, n: int = 20) -> pd.DataFrame:
        """Pictures without a name whose names would teach most, those first: id and path; see `url_viz.review.naming`.

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
