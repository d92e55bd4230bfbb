"""The reviews of an image set (of lists, groups, pairs and names), and which to begin with."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from url_viz.base.wording import counted, listed
from url_viz.columns.filters import OneOf, ReviewSpec, Scope, filter_in_words, scoped
from url_viz.columns.measures import AMBIGUITY, CONFUSABILITY, TUNED, quoted
from url_viz.columns.ranking import NONE
from url_viz.columns.table import base, graph
from url_viz.columns.twin_groups import has_copies, marks_of, members_of_groups
from url_viz.columns.undecided import MOST, Bools, Ids, open_groups
from url_viz.findings.findings import reviews
from url_viz.findings.leaks import LEAKS, splits
from url_viz.findings.object_findings import LEGIBLE, TINY_PX, legible
from url_viz.labels.doubtful_labels import (
    ALWAYS_ASKED,
    FORECAST_AHEAD,
    Forecast,
    doubtful,
    forecast,
    queue_end,
    votes_in_words,
    wrong_in_words,
)
from url_viz.labels.label_choice import label_people
from url_viz.labels.people import classes_said, disagreed, said_in_words
from url_viz.labels.questions import Choice, Question, ask_label, between_classes
from url_viz.review.cards import MOST_KEYS, CardAnswer, Moved
from url_viz.review.naming import first_to_name, name_suggestions, names
from url_viz.review.review_queue import NEAREST, Review, ReviewContext
from url_viz.review.tuned import change_in_words, moved_share, pairs, tuned_order
from url_viz.runs.detections import DETECTED
from url_viz.store.decisions.answers import ordered
from url_viz.store.decisions.decision_rows import Decision
from url_viz.store.decisions.decisions import Action, Judgement
from url_viz.store.tables.tables import positions_of

ASKED = 100
"""Pairs or names in a review by default."""
MEMBERS = 9
"""How many pictures of a group are shown."""
REFRESHED_AFTER = 5
"""Suggestions are computed again after this many names: that takes longer than an answer."""
ASKED_FROM = 0.5
"""The share from which a suggestion is asked about: below it more often wrong than right."""
READY_MOST, READY_PER_CLASS = 200, 10
PUT_ASIDE = Scope(filters=(OneOf("decision", ("look-again",)),))
"""What somebody wants to look at again."""
STEP = 10
"""The number of answers after which a queue of doubtful labels is cut again."""


class DoubtfulReview(Review):
    """Asks of doubtful labels, as far as they are worth asking about: every ten answers say anew how far that is.

    The order stays: the stored queue goes on to the last label, and `ids` end earlier.
    """

    def __init__(self, spec: ReviewSpec, context: ReviewContext) -> None:
        self._doubtful = context.required(doubtful, "labels")
        self._known: tuple[object, Forecast, int] | None = None
        self._looked_at = 0
        super().__init__(spec, context, self._doubtful.pictures, ask_label)

    @property
    def ids(self) -> Ids:
        return self._stored.ids if self.spec.includes_decided else self._stored.ids[: self._ahead[1]]

    def folded(self) -> Ids:
        """None: every label of the set is listed, and few are doubtful."""
        return np.zeros(0, np.int64)

    def _question(self, row: Mapping[str, Any]) -> Question:
        """About the label as it was given, also where it was answered: the evidence is for or against that one.

        With the chance that it is wrong instead of shares; where no chances are known, with neighbours' votes.
        """
        question, image_id = super()._question({**row, "label": row["label_given"]}), int(row["id"])
        wrong, votes = math.nan, {}
        if self._doubtful.are_chances_known:
            wrong = self._wrong.get(image_id, math.nan)
        else:
            votes = {self._suggested.get(image_id): self._votes.get(image_id, "")}
        choices = tuple(Choice(choice.label, math.nan, votes.get(choice.label, "")) for choice in question.choices)
        return replace(question, wrong=wrong, choices=choices)

    @cached_property
    def _wrong(self) -> dict[int, float]:
        return self._listed_values("wrong")

    @cached_property
    def _votes(self) -> dict[int, str]:
        pictures = self._doubtful.pictures
        return dict(zip(pictures["id"].tolist(), votes_in_words(pictures), strict=True))

    def _answers(self, ids: Ids) -> tuple[Bools, Bools]:
        """Which of these labels were answered as of now, and which of the answers say another class."""
        rows = self._rows(ids)
        label, given = self._now(rows).labels_of(self._source), self.table["label_given"].to_numpy(object)[rows]
        return pd.notna(label) & pd.notna(given), label != given

    @property
    def why(self) -> str:
        return "Ended: no label stands out any more" if self.has_ended else ""

    @property
    def caution(self) -> str:
        """Also why nothing is forecast; nothing once an answer says that a label was wrong."""
        if not self._doubtful.caution or self._answers(self.ids)[1][self.is_done(self.ids)].any():
            return ""
        why = "" if self._doubtful.agreement.is_known else f"{self._doubtful.agreement.words}. "
        return why + self._doubtful.caution

    @property
    def has_ended(self) -> bool:
        return self._is_stored and not len(self._doubtful)

    @cached_property
    def _before(self) -> Forecast:
        """The forecast along the whole queue, as answers to other labels have left it."""
        pictures, ahead = self._doubtful.pictures, self._doubtful.forecast
        level = pd.Series(ahead.wrong, index=pictures["id"]).reindex(self._stored.ids).fillna(0).to_numpy()
        is_elsewhere = ~pictures["id"].isin(self._stored.ids).to_numpy()
        heard, picked = self._doubtful.is_heard & is_elsewhere, self._doubtful.is_picked & is_elsewhere
        is_left = self._doubtful.is_open & (np.arange(len(pictures)) < self._doubtful.first_end)
        before = forecast(level.astype(np.float64))
        before = before.heard(ahead.wrong[heard], pictures["answer"].to_numpy()[heard] == 1)
        return before.picked(ahead.wrong[picked], ahead.wrong[is_left])

    @property
    def _ahead(self) -> tuple[Forecast, int]:
        """The forecast as of now, and where the queue ends."""
        version = self._decisions.version, self._stored.skipped
        if self._known is None or self._known[0] != version:
            self._known = version, *self._heard()
        return self._known[1:]

    def _heard(self) -> tuple[Forecast, int]:
        """The forecast by each full ten of answers, and the end by it, not before the last answer, also if undone.

        What was skipped counts as looked at, and says nothing. Ten are asked about, whatever stands out.
        """
        ids, now = self._stored.ids, self._now(self._rows(self._stored.ids))
        is_done = (now.code > 0) | pd.notna(now.labels_of(self._source)) | np.isin(ids, list(self._stored.skipped))
        is_answered, is_wrong = self._answers(ids)
        is_heard = is_answered & (is_done.cumsum() <= is_done.sum() // STEP * STEP)
        ahead = self._before.heard(self._before.wrong[is_heard], is_wrong[is_heard])
        self._looked_at = looked_at = max(self._looked_at, int(np.flatnonzero(is_done).max(initial=-1)) + 1)
        pictures = self._doubtful.pictures
        is_elsewhere = ~pictures["id"].isin(ids).to_numpy()
        answered = int((pictures["answer"].notna() & is_elsewhere).sum())
        conflicts = int(np.isin(ids, pictures["id"][self._doubtful.is_conflict]).sum())
        end = max(ALWAYS_ASKED - answered, conflicts, looked_at)
        if self._doubtful.stands_out or is_heard.any():
            heard = int(is_heard.sum() + (self._doubtful.is_heard & is_elsewhere).sum())
            end = max(queue_end(ahead, self._doubtful.first_end, heard), end)
        return ahead, end

    @property
    def goes_on(self) -> str:
        ids = self.ids
        is_answered, is_wrong = self._answers(ids)
        wrong, left = int(is_wrong[is_answered].sum()), int((~self.is_done(ids) & ~self.skipped(ids)).sum())
        if not wrong or not left:
            return ""
        these = f"{wrong} of these {counted(int(is_answered.sum()), 'label')} {'was' if wrong == 1 else 'were'} wrong"
        return f"{these}, so {left:,} more {'is' if left == 1 else 'are'} worth a look"

    def moved(self, table: Callable[[], pd.DataFrame]) -> Moved | None:
        ahead, end = self._ahead
        if not self._doubtful.agreement.is_known or self.caution:  # which says how many are wrong
            return None
        ids = self._stored.ids[:end]
        done = self.is_done(ids) | self.skipped(ids)
        left = np.flatnonzero(~done)
        rows = (left if len(left) else np.arange(end, len(self._stored.ids)))[:FORECAST_AHEAD]
        wrong, labels = ahead.among(rows), counted(len(rows), "label")
        which = f"{labels} left here" if 0 < len(left) <= FORECAST_AHEAD else f"next {labels}"
        words = f"Of the {which} {wrong_in_words(wrong, whole='', count=len(rows))}."
        return Moved(words, wrong.value / max(1, len(rows)))


class DisagreedReview(Review):
    """Asks of pictures on which people differ, between the classes that they named."""

    def __init__(self, spec: ReviewSpec, context: ReviewContext) -> None:
        self._people = context.derived.get(label_people)
        super().__init__(spec, context, context.derived.get(disagreed))

    @property
    def _notes_answers(self) -> bool:
        return True

    @property
    def why(self) -> str:
        return "No answer is that of most: another person's, or one taken back, settles it"

    def _queue(self) -> Ids:
        """All that are listed: each was decided on, by several."""
        return self._ids[self._is_listed & self._in_scope()][: min(self.spec.most or MOST, MOST)]

    def folded(self) -> Ids:
        """None: twins are each their own."""
        return np.zeros(0, np.int64)

    def _question(self, row: Mapping[str, Any]) -> Question:
        said = self._people[self._row(int(row["id"]))]
        if not said:
            return between_classes(row)
        words = listed([f"{name or 'nobody'} says {said_in_words(each)}" for name, each in sorted(said.items())])
        choices = tuple(Choice(name, math.nan) for name in classes_said(said)[:MOST_KEYS])
        return Question(f"{words[:1].upper()}{words[1:]}", choices)


class GroupReview(Review):
    """Asks of groups of pictures which to keep; each is led by one of them."""

    takes = ("keep", "decision")

    def __init__(
        self,
        spec: ReviewSpec,
        context: ReviewContext,
        *,
        groups: Sequence[Ids] | None = None,
        suggests: bool = False,
    ) -> None:
        """`groups` are the rows of each, the one that it `suggests` first; by default those of twins."""
        self._groups, self._suggests = members_of_groups(context.table) if groups is None else groups, suggests
        super().__init__(spec, context)

    @cached_property
    def _by_lead(self) -> dict[int, Ids]:
        return {int(self._ids[group[0]]): group for group in self._groups}

    def _members(self, lead: int) -> Ids | None:
        """The rows of the group that a picture leads, the one to keep first; None if it leads none."""
        return self._by_lead.get(lead)

    def _group(self, lead: int) -> Ids:
        members = self._members(lead)
        assert members is not None
        return members

    def _queue(self) -> Ids:
        return open_groups(self.table, self.spec, self._groups)

    def _can_ask(self, ids: Ids) -> Bools:
        both = zip(ids.tolist(), super()._can_ask(ids), strict=True)
        return np.array([is_here and self._members(image_id) is not None for image_id, is_here in both], bool)

    def _are_done(self, ids: Ids, resolved: Bools) -> Bools:
        return np.array([resolved[self._group(int(image_id))].all() for image_id in ids], bool)

    def _question(self, row: Mapping[str, Any]) -> Question:
        return Question("Keep which?")

    def _near(self, row: int, question: Question) -> list[pd.DataFrame]:
        """The group, with what tells each of its pictures from the others as `mark`."""
        members = self._group(int(self._ids[row]))[:MEMBERS]
        near = self.table.iloc[members].assign(decision=self._now(members).decision)
        marks = marks_of(near)
        if self._suggests:
            marks[0] = ", ".join(filter(None, ("suggested", marks[0])))
        return [near.assign(mark=pd.Series(marks, index=near.index, dtype=object))]

    def asked_about(self, ids: Ids) -> Ids:
        """The pictures of their groups, each once."""
        return self._ids[[*dict.fromkeys(int(row) for lead in ids for row in self._group(int(lead)))]]

    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        groups = map(self._group, ids)
        kept = (self._ids[group[self._now(group).decision == "keep"]] for group in groups)
        return [CardAnswer(keep=tuple(ids.tolist())) for ids in kept]

    def _store(self, image_id: int, answer: CardAnswer, who: str | None) -> Action:
        members, keep = self._ids[self._group(image_id)].tolist(), answer.keep or ()
        others: Decision | None = answer.decision if answer.keep is None else answer.decision or "drop"
        decided: dict[int, Decision | None] = {image_id: "keep" if image_id in keep else others for image_id in members}
        return self._decisions_by(who).decide_each(decided)


class LeakReview(GroupReview):
    """Asks of copies and views which split keeps them; beside each picture stands its own.

    To keep a picture keeps all of its split, and what is in none: dropping these as well would mend no leak.
    """

    def __init__(self, spec: ReviewSpec, context: ReviewContext) -> None:
        self._splits = context.required(splits, LEAKS.needs)
        self._leaks = context.required(LEAKS.columns["found"], LEAKS.needs)
        set_graph, contents = context.derived.get(graph), context.derived.get(base).contents
        pair = np.zeros((0, 2), np.int32) if set_graph is None else set_graph.twins.pair
        self._in_graph = contents if set_graph is None else positions_of(contents, set_graph.content)
        both = np.concatenate([pair, pair[:, ::-1]])
        self._pairs = both[np.argsort(both[:, 0], kind="stable")]
        super().__init__(spec, context, groups=())

    def _queue(self) -> Ids:
        ids = np.array(self._leaks.drop_duplicates("group")["id"], np.int64)
        return ids[np.isin(ids, self._ids[self._in_scope()])][: min(self.spec.most or MOST, MOST)]

    def _members(self, lead: int) -> Ids | None:
        """The picture itself, then its twins in other splits, then those in its own; None where all are in one."""
        row = self._row(lead)
        # a pair that joined no group leaks, too
        first, last = np.searchsorted(self._pairs[:, 0], [self._in_graph[row], self._in_graph[row] + 1])
        rows = np.flatnonzero(self._is_twin(row) | np.isin(self._in_graph, self._pairs[first:last, 1]))
        codes = self._splits.codes[rows]
        own = self._splits.codes[row]
        if own == NONE or not ((codes != own) & (codes != NONE)).any():
            return None
        place = np.where(rows == row, 0, np.where(codes == NONE, 3, np.where(codes != own, 1, 2)))
        return np.asarray(rows[np.argsort(place, kind="stable")])

    def _question(self, row: Mapping[str, Any]) -> Question:
        names = dict.fromkeys(self._splits.name_of(int(member)) for member in self._group(int(row["id"])))
        return Question(f"In {listed([name for name in names if name is not None])}: keep which side?")

    def _store(self, image_id: int, answer: CardAnswer, who: str | None) -> Action:
        members = self._group(image_id)
        is_kept = np.isin(self._ids[members], answer.keep or ())
        codes = self._splits.codes[members]
        stays = np.isin(codes, codes[is_kept]) | (codes == NONE)
        keep = answer.keep and tuple(self._ids[members[stays]].tolist())
        return super()._store(image_id, replace(answer, keep=keep), who)

    def _near(self, row: int, question: Question) -> list[pd.DataFrame]:
        """The group, with the split of each before its `mark`."""
        names = [self._splits.name_of(int(member)) for member in self._group(int(self._ids[row]))[:MEMBERS]]
        [near] = super()._near(row, question)
        marks = [", ".join(filter(None, both)) or None for both in zip(names, near["mark"], strict=True)]
        return [near.assign(mark=pd.Series(marks, index=near.index, dtype=object))]


class PairReview(Review):
    """Asks of pictures and their nearest. The queue stays as drawn; of each picture the nearest of now is shown.

    What is answered changes the column `tuned` of the table at once, and the queue not at all.
    """

    takes = ("same",)
    why = "Your answers teach the order what you take for the same kind; ten, yes and no among them, begin to count"

    def __init__(self, spec: ReviewSpec, context: ReviewContext) -> None:
        self._derived, self._answers, self._pairs = context.derived, context.answers, context.required(pairs, "graph")
        super().__init__(spec, context)

    @cached_property
    def _nearest(self) -> Ids:
        return self._pairs.nearest()

    def _queue(self) -> Ids:
        answers = self._answers.now()
        rows = self._pairs.next(answers, self.spec.most or ASKED, seed=len(answers), among=self._in_scope())
        return self._ids[rows[:, 0]]

    def _can_ask(self, ids: Ids) -> Bools:
        """Not of pictures that have no neighbour any more."""
        return super()._can_ask(ids) & (self._nearest[self._rows(ids)] >= 0)

    def is_done(self, ids: Ids) -> Bools:
        return np.array([now.same is not None for now in self.state(ids.tolist())], bool)

    def _question(self, row: Mapping[str, Any]) -> Question:
        return Question("The same kind: would you put both in one class?")

    def _near(self, row: int, question: Question) -> list[pd.DataFrame]:
        return [self.table.iloc[[self._nearest[row]]]]

    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        answers = self._answers.now().as_dict()
        return [CardAnswer(same=answers.get(pair)) for pair in self._pair_contents(ids)]

    def _store(self, image_id: int, answer: CardAnswer, who: str | None) -> Action:
        [pair] = self._pair_contents([image_id])
        return self._answers.answer({pair: answer.same}, who=who)

    def moved(self, table: Callable[[], pd.DataFrame]) -> Moved:
        share = moved_share(table())
        words = change_in_words(self._answers.now(), self._derived.get(tuned_order), moved=share)
        return Moved(words, 0.0 if math.isnan(share) else share)

    def _pair_contents(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """The contents of pictures and their nearest, by which answers are stored."""
        rows = self._rows(ids)
        contents = self._pairs.contents[np.stack([rows, self._nearest[rows]], axis=1)]
        return [ordered((first, second)) for first, second in contents.tolist()]


class NameReview(Review):
    """Asks what pictures are. What was suggested is a name only once it is taken."""

    takes = ("decision", "name", "twins")

    def __init__(self, spec: ReviewSpec, context: ReviewContext) -> None:
        self._derived, self._oldest = context.derived, 0
        self._latest_names: list[str] = []
        self._known_suggestions: tuple[int, dict[int, tuple[str, float]]] | None = None
        super().__init__(spec, context)

    def _queue(self) -> Ids:
        graph_of_set, contents = self._derived.get(graph), self._derived.get(base).contents
        assert graph_of_set is not None  # the check says that it needs one
        count = self.spec.most or ASKED
        return self._ids[first_to_name(graph_of_set, contents, self._derived.get(names), count, self._in_scope())]

    def is_done(self, ids: Ids) -> Bools:
        now = self._now(self._rows(ids))
        return np.asarray((now.code > 0) | (now.names != ""))

    @property
    def classes(self) -> list[str]:
        return sorted(set(self._decisions.now().names) - {""})

    @property
    def name_keys(self) -> tuple[str, ...]:
        """At most nine: the latest new ones, each in its place until nine others came."""
        in_use = self.classes
        self._latest_names = [name for name in self._latest_names if name in in_use]
        others = [name for name in in_use if name not in self._latest_names]
        self._latest_names += others[: MOST_KEYS - len(self._latest_names)]
        return tuple(self._latest_names)

    @property
    def version(self) -> str:
        return str(self._suggestions()[0])

    def _question(self, row: Mapping[str, Any]) -> Question:
        """Whether it is what the names suggest, if they do; as of some names ago."""
        name, share = self._suggestions()[1].get(int(row["id"]), ("", 0.0))
        return Question(f"{name}?", (Choice(name, share),)) if share >= ASKED_FROM else Question("What is it?")

    def _suggestions(self) -> tuple[int, dict[int, tuple[str, float]]]:
        """How many names there were then, and what they suggest: name and share by id."""
        given = int((self._decisions.now().names != "").sum())
        if self._known_suggestions is None or abs(given - self._known_suggestions[0]) >= REFRESHED_AFTER:
            suggestions = self._derived.get(name_suggestions)
            named = zip(suggestions["name"].astype(str), suggestions["share"].astype(float), strict=True)
            self._known_suggestions = given, dict(zip(suggestions["id"].tolist(), named, strict=True))
        return self._known_suggestions

    def _near(self, row: int, question: Question) -> list[pd.DataFrame]:
        return [self._nearest_to(row, self._is_twin(row), NEAREST)]

    def state(self, ids: Sequence[int]) -> list[CardAnswer]:
        now = self._now(self._rows(ids))
        return [CardAnswer(*both) for both in zip(now.decision, now.name, strict=True)]

    def _decide(self, judgements: Mapping[int, Judgement], who: str | None) -> Action:
        """A new name gets a key: a free one, else that of the name that has had one for longest."""
        action = self._decisions_by(who).name(judgements)
        named = {judgement.label for judgement in judgements.values() if judgement.label is not None}
        for name in named.difference(self._latest_names):
            if len(self._latest_names) < MOST_KEYS:
                self._latest_names.append(name)
            else:
                self._latest_names[self._oldest] = name
                self._oldest = (self._oldest + 1) % MOST_KEYS
        return action


OTHERWISE: Mapping[str, type[Review]] = {
    "suspects": DoubtfulReview,
    "disagreed": DisagreedReview,
    "leaks": LeakReview,
    "pairs": PairReview,
    "names": NameReview,
}
"""The reviews that ask otherwise than about a list or groups, by their checks."""


def title_of_review(spec: ReviewSpec) -> str:
    """For people: "The 200 most ambiguous · Class: kiwi"."""
    is_put_aside = spec.scope == PUT_ASIDE
    parts = ["Put aside for later"] if is_put_aside else [_order_in_words(spec)]
    parts += ["ranked within class"] if spec.within_class and not spec.per_class else []
    parts += ["in the lasso"] if spec.scope.polygon is not None else []
    parts += [f"{len(spec.scope.ids):,} selected"] if spec.scope.ids is not None else []
    filters = () if is_put_aside else spec.scope.filters
    if set(LEGIBLE) <= set(filters):
        filters = tuple(rule for rule in filters if rule not in LEGIBLE)
        parts += [f"without those under {TINY_PX} px"]
    return " · ".join([*parts, *map(filter_in_words, filters)])


def _order_in_words(spec: ReviewSpec) -> str:
    if spec.by in reviews():
        return reviews()[spec.by].title + (f" · the first {spec.most:,}" if spec.most else "")
    by = "" if spec.by == AMBIGUITY.name else f", by {quoted(spec.by)}"
    if spec.per_class:
        return f"The {spec.per_class} most ambiguous of each class{by}"
    return f"The {spec.most:,} most ambiguous{by}" if spec.most else f"All, most ambiguous first{by}"


def open_review(spec: ReviewSpec, context: ReviewContext) -> Review:
    """The review of an image set; raises ImageSetError where the set lacks what it needs."""
    check = reviews().get(spec.by)
    if check is None or spec.by in OTHERWISE:
        return OTHERWISE.get(spec.by, Review)(spec, context)
    found = context.required(check.columns["found"], check.needs)
    if check.ask is None:
        return GroupReview(spec, context, groups=found, suggests=check.suggests)
    return Review(spec, context, found, check.ask)


def ready_reviews(
    table: pd.DataFrame,
    measure: str | None,
    *,
    has_graph: bool = True,
    has_leaks: bool = False,
    hides_tiny: bool = False,
    differs: bool = False,
) -> tuple[ReviewSpec, ...]:
    """Reviews to begin with, for a set that `measure` leads; `table` is `ImageSet.table()`.

    With `hides_tiny` those in the order of `measure` leave out objects that are too small to recognise. What people
    differ on comes first, if anything `differs`.

    Where no classes lead and there is a graph, pairs come first, and pictures to name where there are no labels: a few
    answers say much about all others.
    """
    has_classes, is_copied = bool(table["label"].notna().any()), has_copies(table)
    specs = [ReviewSpec("disagreed")] if differs else []
    specs += [ReviewSpec("leaks")] if has_leaks else []
    specs += [ReviewSpec("other-class"), ReviewSpec("missed")] if DETECTED in table else []
    if has_graph and measure in (CONFUSABILITY.name, TUNED.name):
        specs += [ReviewSpec("pairs")] if has_classes else [ReviewSpec("pairs"), ReviewSpec("names")]
    if measure is not None:
        scope = Scope(filters=legible(table) if hides_tiny else ())
        specs += [ReviewSpec(measure, scope, most=READY_MOST)] if len(scoped(table, scope)) > READY_MOST else []
        specs += [ReviewSpec(measure, scope, within_class=True, per_class=READY_PER_CLASS)] if has_classes else []
        specs += [ReviewSpec(measure, scope)]
        if (table["decision"] == "look-again").any():
            specs += [ReviewSpec(measure, PUT_ASIDE)]
    return (*specs, *([ReviewSpec("copies")] if is_copied else []))
