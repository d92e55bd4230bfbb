"""The labels of an image set: what they are taken from, which look wrong, corrections, and what these were worth."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from typing_extensions import Doc

from url_viz.base.command_line import Fraction, Within
from url_viz.base.errors import DecisionError, ImageSetError
from url_viz.base.printout import Printout
from url_viz.base.progress import Progress, ProgressCallback, silent
from url_viz.base.wording import command, counted, first_of
from url_viz.capability import Word, capability
from url_viz.columns.measures import AMBIGUITY, has_values
from url_viz.columns.ranking import NONE
from url_viz.columns.table import imported, own_graph_columns, table
from url_viz.core import SetSubject
from url_viz.evidence.worth import SEEDS, Worth, least_classes, reviewed_labels, worth
from url_viz.findings.object_findings import wrong_together
from url_viz.imaging.folder_classes import SPLIT, parted_splits
from url_viz.labels.ambiguity import MANY
from url_viz.labels.apart import (
    Apart,
    ApartSuggestion,
    apart,
    apart_codes,
    apart_in_words,
    apart_suggestion,
    label_sources,
)
from url_viz.labels.calibration import agreement as model_agreement
from url_viz.labels.classes import class_reader, picture_labels
from url_viz.labels.doubtful_labels import DoubtfulLabels, WrongLabels, doubtful
from url_viz.labels.label_choice import (
    CONFIRMED,
    ClassLevels,
    check_choice,
    is_column,
    label_first,
    label_people,
    labels,
    measured,
    source_in_words,
    stored_source,
)
from url_viz.labels.label_issues import NO_CLASSES, LabelCheck, acceptable, confused_in, label_check
from url_viz.labels.people import PeopleAgreement, agreement, disagreed
from url_viz.labels.soft import LabelShares, soft_labels
from url_viz.labels.torn import TornPictures, torn_in
from url_viz.parameters import ListFile, Pictures
from url_viz.pictures.set_selection import ids_of_paths, paths_listed
from url_viz.store.columns.imported_columns import write_apart, write_label_choice
from url_viz.store.columns.source_columns import CLASS
from url_viz.store.decisions.decision_rows import LabelAnswer
from url_viz.store.decisions.decisions import Action
from url_viz.versions.set_versions import SetVersions

Kind = Literal["between-classes", "conflicting-copies", "out-on-its-own", "does-not-show-its-label"]
NO_CHOICE = "none"
"""No labels, or nothing to keep apart by, as text: a command cannot give None."""
Chosen = Annotated[str | None, Doc("`folders`, `level:2`, `names`, `tags`, one of your columns, or `none`")]
Who = Annotated[str | None, Word("as"), Doc("whose word it is (default: the user of this process)")]
KeptApartBy = Annotated[
    str | None, Doc("a column (patient), `level:1`, `name:1` (a part of the file's name), or `none` for twins alone")
]


def _with_advice(labels: "SetLabels", levels: ClassLevels) -> Printout:
    """The levels, and what to keep pictures apart by, which takes a moment: `levels` does not wait for it."""
    suggestion, shown = labels.suggested_apart(), levels.printout()
    if suggestion is None:
        return shown
    doing = command("labels", "keep-apart", labels._core.root, suggestion.choice)
    return replace(shown, closing=[f"{suggestion.words} Do so: {doing}"])


class SetLabels(SetSubject):
    """The labels of an image set, as `image_set.labels`."""

    @property
    def chosen(self) -> str | None:
        """What the label is: `folders`, `level:2`, `tags`, `names`, None for none, or the name of a column."""
        return self._core.derived.get(labels).source

    @property
    def source(self) -> str:
        """What labels are taken from, in the words in which corrected labels are stored (`stored_source`)."""
        return stored_source(self.chosen)

    def named_classes(self) -> tuple[str, ...]:
        """The classes that the annotations of objects name, also without an object; none if the label is another."""
        return self._core.named_classes if self.chosen == CLASS else ()

    def classes(self) -> list[str]:
        """The classes to choose among: those that a picture has, and `named_classes`."""
        return sorted({*self._core.frame["label"].dropna().astype(str), *self.named_classes()})

    @capability("labels list", show=_with_advice)
    def levels(self) -> ClassLevels:
        """Say what the label is, and list the levels of folders that it may be.

        `folders` is the class folder as found, `level:1` the first folder from the root, `names` what you called a
        picture, `tags` its first tag by the alphabet. `labels use` chooses.
        """
        classes = len(self._core.derived.get(picture_labels).names)
        folders = self._core.base.found
        level = folders.class_level
        annotated = self._annotated_splits() if self._core.is_of_objects else None
        number = level.number if level else None
        return ClassLevels(folders.levels, self.chosen, classes, number, annotated, self.apart.words)

    def _annotated_splits(self) -> tuple[str, ...]:
        cells = pd.unique(pd.Series(self._core.derived.get(imported).columns.get(SPLIT, ()), dtype=object).dropna())
        return tuple(sorted({str(name) for cell in cells for name in parted_splits(cell)}))

    @capability("labels use")
    def use(self, chosen: Chosen) -> str:
        """Choose what the label of a picture is; nothing is read again.

        "folders" (the class folders as found, as at first), "level:2" (the second folder from the root), "names" (a
        picture without one has no label), "tags" (the first tag by the alphabet), one of the user's own columns, or
        "none" for no labels.

        In Python None, too, is for no labels; it returns what is so now, in words. Raises ImageSetError for a column or
        level that does not exist.
        """
        chosen = None if chosen == NO_CHOICE else chosen
        columns = self._core.derived.get(imported).columns if is_column(chosen) else {}
        check_choice(chosen, self._core.base.found.levels, columns)
        write_label_choice(self._core.store.paths, chosen)
        SetVersions(self._core).store(is_quick=True)
        classes = len(self._core.derived.get(picture_labels).names)
        return f"The label is {source_in_words(chosen)} from now on: {counted(classes, 'class')}."

    @property
    def apart(self) -> Apart:
        """What pictures are kept apart by: `.choice` as of `set_apart`, and `.words`."""
        return self._core.derived.get(apart)

    @capability("labels keep-apart")
    def set_apart(self, chosen: KeptApartBy) -> str:
        """Choose by what pictures are no witnesses for each other, as twins are none; nothing is read again.

        A column of the user's own (a patient, a video), "level:1" (the first folder from the root), "name:1" or
        "name:2" (the first parts of a file's name), or "none" for twins alone. Votes, the ridge classifier, evidence,
        `worth` and leaks go by it.

        In Python None, too, is for twins alone; it returns that in words. Raises ImageSetError for what there is not.
        """
        chosen = None if chosen == NO_CHOICE else chosen
        if chosen and not apart_codes(chosen, self._core.base, self._core.derived.get(imported).columns).any():
            raise ImageSetError(f"All pictures have the same {apart_in_words(chosen)}: none would be a witness.")
        write_apart(self._core.store.paths, chosen)
        return f"Pictures are {self.apart.words or 'apart as near copies only'} from now on."

    def suggested_apart(self) -> ApartSuggestion | None:
        """What nearly alike pictures run along and is to be kept apart, or None: `url_viz.labels.apart.suggest`."""
        return self._core.derived.get(apart_suggestion)

    @capability("labels correct")
    def correct(
        self,
        label: Annotated[str | None, Doc("the class they are of; with --back the first picture")] = None,
        paths: Pictures = (),
        *,
        listed: ListFile = None,
        back: Annotated[bool, Doc("take corrected labels back: the label as given counts again")] = False,
        who: Who = None,
    ) -> Action:
        """Correct or confirm the label of pictures; their files stay where they are, and `undo` takes it back.

        In Python `give` does so by id. Raises DecisionError for unknown paths, and what cannot be a label.
        """
        named = [*([label] if back and label is not None else []), *paths, *paths_listed(listed)]
        if not named or (label is None and not back):
            raise DecisionError("Say which class, then which pictures: by paths, or a list (--from).")
        return self.give(dict.fromkeys(ids_of_paths(self, named).tolist(), None if back else label), who=who)

    @capability("labels either")
    def either(
        self,
        paths: Pictures = (),
        *,
        classes: Annotated[
            tuple[str, str] | None, Doc("the two classes (default: those that each picture lies between)")
        ] = None,
        listed: ListFile = None,
        who: Who = None,
    ) -> Action:
        """Say that pictures are rightly both of two classes; `undo` or `labels correct --back` takes it back.

        The label stays as it is where it is one of the two, else becomes the first. It is no longer doubted, and is
        half of each in `soft`.

        In Python `give` does so by id. Raises DecisionError for unknown paths, and without
        `classes` for a picture that lies between none.
        """
        named = [*paths, *paths_listed(listed)]
        if not named:
            raise DecisionError("Say which pictures are rightly both: paths, or a list (--from).")
        ids = ids_of_paths(self, named)
        rows = self._core.frame.iloc[self._core.rows_of(ids)]
        pairs = [classes] * len(rows) if classes else [*zip(rows["first_class"], rows["second_class"], strict=True)]
        for path, pair in zip(rows["path"], pairs, strict=True):
            if not all(isinstance(name, str) for name in pair):
                raise DecisionError(f"{path} lies between no two classes here. Name them: --classes ONE OTHER.")
        return self.give(dict(zip(ids.tolist(), pairs, strict=True)), who=who)

    @capability("labels merge")
    def merge(
        self,
        label: Annotated[str, Doc("the class that goes")],
        into: Annotated[str, Doc("the class that takes its place; a new name renames it")],
        *,
        who: Who = None,
    ) -> Action:
        """Merge a class into another: a single action, which `undo` takes back.

        Every picture of the class gets the other, and what people said of it counts as said of the other; files stay
        where they are.

        Raises DecisionError if no picture has the class.
        """
        frame, people = self._core.frame, self._core.derived.get(label_people)
        is_said = [each is not None and any(label in np.atleast_1d(one) for one in each.values()) for each in people]
        has = (frame.reindex(columns=["label", "either"]) == label).any(axis=1).to_numpy(bool) | np.array(is_said, bool)
        if not has.any():
            there = first_of([*map(repr, self.classes())])
            raise DecisionError(f"No picture is labelled {label!r}. There are {there}.")
        action = self._core.decisions_by(who).merge(self._core.ids[has].tolist(), label, into, source=self.source)
        if not action.count:
            raise DecisionError(
                f"No picture is labelled {label!r} any more: another change came first. See what there is: "
                f"`{command('labels', 'list', self._core.root)}`."
            )
        return replace(action, note=self._note_on_new([into]))

    def give(self, labels: Mapping[int, LabelAnswer | None], *, who: str | None = None) -> Action:
        """Give pictures another label, or confirm theirs by giving it; None takes it back. A single action for undo.

        Two classes say that it rightly is both. Files stay where they are: `label` of `table()` is the corrected one,
        `label_given` what it was. A correction holds while labels are taken from the same source (`use`). Raises
        DecisionError for unknown ids, or what cannot be a label. `who` is written to the log; by default the user of
        this process. A class
        that annotation files have no number for is in the action's `note`.
        """
        given = dict(zip(self._core.ids.tolist(), self._core.frame["label_given"], strict=True))
        said = {
            image_id: label_first(given.get(image_id), answer) if isinstance(answer, tuple) else answer
            for image_id, answer in labels.items()
        }
        action = self._core.decisions_by(who).label(said, source=self.source)
        names = chain.from_iterable(each if isinstance(each, tuple) else (each,) for each in said.values())
        return replace(action, note=self._note_on_new(filter(None, names)))

    def _note_on_new(self, names: Iterable[str]) -> str:
        """What follows where objects get classes that their annotation files have no number for."""
        new = sorted({*names} - {*self.named_classes()}) if self.named_classes() else []
        if not new:
            return ""
        have, it = ("have no number", "them") if len(new) > 1 else ("has no number", "it")
        return (
            f"{first_of([*map(repr, new)])} {have} in the annotation files, which cannot be exported so: add {it} to "
            "the classes there and read them again, or give another class"
        )

    @capability("labels accept")
    def accept(
        self,
        ids: Iterable[int] | None = None,
        *,
        kind: Annotated[Kind | None, Doc("only of this kind")] = None,
        who: str | None = None,
    ) -> Action:
        """Give doubtful labels the class that is suggested, where they are likelier wrong than right; others stay.

        A single action for undo.

        In Python of these `ids`, by default of all that `doubtful` lists. Raises ImageSetError without labels, or for
        an unknown id.
        """
        check, doubtful = self.check(), self.doubtful(kind=kind)
        if check is None or doubtful is None:
            raise ImageSetError(NO_CLASSES)
        wanted = {int(image_id) for image_id in (doubtful.rows["id"] if ids is None else ids)}
        self._core.rows_of(wanted)  # refuses unknown ids
        rows = acceptable(check.pictures[check.pictures["id"].isin(wanted)])
        return self.give(dict(zip(rows["id"].tolist(), rows["suggested"].astype(str), strict=True)), who=who)

    def check(self) -> LabelCheck | None:
        """What is known of each label; None if there are none. Computed again only if labels have changed."""
        return self._core.derived.get(label_check)

    @capability("labels doubtful", missing=NO_CLASSES, top=20)
    def doubtful(
        self, *, kind: Annotated[Kind | None, Doc("pictures of this kind instead")] = None
    ) -> DoubtfulLabels | None:
        """List the labels to look at, the most doubtful first, with the class to ask about; how many may be wrong.

        Answers, which confirm or correct labels, change what is expected of the others.

        In Python `.rows`, how many there are (`len`), and how many of these are wrong, `.wrong`. None without labels.
        """
        found, check = self._core.derived.get(doubtful), self.check()
        if kind is None or found is None or check is None:
            return found
        return replace(found, only=check.of_kind(kind.replace("-", " ")))

    def wrong_share(self) -> WrongLabels | None:
        """The fraction of labels that is wrong: `.share`, `.low`, `.high` (0 to 1).

        None without labels, and where the model does not know the classes (`check().agreement`). It is the mean of
        P(wrong). Mistakes on pictures that are hard to tell go unseen, and pictures that show nothing are left out.
        """
        doubtful = self.doubtful()
        return None if doubtful is None else doubtful.share

    def shows_shares(self) -> bool:
        """Whether shares of classes are shown as percentages: not where the model does not know the classes.

        Neither of objects whose labels may all be right: shares are true of all objects alike, and people look at those
        that a queue has picked (docs/objects.md).
        """
        if not self._core.derived.get(model_agreement).is_known:
            return False
        doubtful = self.doubtful() if self._core.is_of_objects else None
        return doubtful is None or doubtful.are_chances_known

    def shares(self, image_id: int) -> dict[str, float]:
        """The share of each class of a picture, its own label unseen, the largest first; of two, in a set of MANY.

        Empty without classes, or before the picture is placed. Raises ImageSetError for an unknown id.
        """
        return self.share_reader()(image_id)

    def share_reader(self) -> Callable[[int], dict[str, float]]:
        """Gives `shares` by the labels as they are now, whatever is corrected later: that would take another fit."""
        reader, columns = self._core.derived.get(class_reader), self._core.derived.get(own_graph_columns)
        places = None if reader is None or columns is None else columns.rows_of(self._core.contents)
        frame, row_of = self._core.frame, self._core.row_of

        def shares(image_id: int) -> dict[str, float]:
            row_number = row_of(image_id)
            if reader is not None and places is not None and places[row_number] != NONE:
                return reader.shares(int(places[row_number]))
            row = frame.iloc[row_number]
            two = [nth for nth in ("first", "second") if isinstance(row.get(f"{nth}_class"), str)]
            return {row[f"{nth}_class"]: float(row[f"{nth}_share"]) for nth in two}

        return shares

    @capability("labels soft", top=20)
    def soft(
        self,
        *,
        smooth: Annotated[Fraction, Doc("weight of the estimated shares in labels that nobody answered")] = 0.0,
    ) -> LabelShares:
        """List soft labels, the share of each class in a label, to train on; `--out` writes those of all pictures.

        A label is one class; half and half where it is rightly both; the counts of answers where several people gave
        some. To a file go all pictures that have a label and are not dropped, with a column for each class.

        In Python `.shares` (N, C) in the order of `table()`, `.classes`, and `.table`, which a file has. Raises
        ImageSetError without labels, and to smooth where no shares of all classes are known.
        """
        frame, people = self._core.frame, self._core.derived.get(label_people)
        if frame["label"].isna().all():
            raise ImageSetError(NO_CLASSES)
        columns = frame.reindex(columns=["label", "either"]).astype(object)
        label, either = ([None if pd.isna(each) else str(each) for each in columns[name]] for name in columns)
        said = {name for each in people if each for answer in each.values() for name in np.atleast_1d(answer).tolist()}
        classes = sorted({name for name in (*label, *either, *said) if name is not None})
        shares = self._all_shares(classes) if smooth else None
        soft = soft_labels(label, either, people.tolist(), classes=classes, shares=shares, smooth=smooth)
        rows = frame[["id", "path", "label"]].assign(is_kept=self._core.keep_mask()).reset_index(drop=True)
        counts = np.array([0 if each is None else len(each) for each in people], np.int64)
        return LabelShares(tuple(classes), soft, rows, counts)

    @capability("labels agreement")
    def agreement(self) -> PeopleAgreement:
        """Tell how far people agree where two answered the same label, in all and by ambiguity, with Cohen's kappa.

        People are told apart by their login, or by `--as` of `labels correct` and `labels either`. The review
        `disagreed` asks about the pictures on which no answer is that of most.

        In Python `.table`, `.words`, and how many pictures several answered (`.pictures`).
        """
        people = self._core.derived.get(label_people).tolist()
        return agreement(people, self._core.frame["ambiguity_percentile"].to_numpy(float))

    def disagreed(self) -> pd.DataFrame:
        """The pictures on which people differ: id, path, and what each of them `said`."""
        return self._core.derived.get(disagreed)

    def _all_shares(self, classes: Sequence[str]) -> NDArray[np.float64]:
        """The share (N, C) of each of these classes in each picture, its own label unseen; nan before it is placed."""
        reader, columns = self._core.derived.get(class_reader), self._core.derived.get(own_graph_columns)
        if reader is None or columns is None:
            raise ImageSetError(
                "No shares of all classes are known here: that takes two classes of three pictures or more, a graph, "
                f"and fewer than {MANY:,} pictures. Leave out --smooth."
            )
        shares, places = reader.every(), columns.rows_of(self._core.contents)
        every = np.zeros((len(places), len(classes)))
        every[:, [classes.index(name) for name in reader.names]] = shares[places]
        every[places == NONE] = np.nan
        return every

    def wrong_together(self) -> pd.DataFrame | None:
        """Objects of a class in a picture that look wrong as a whole, which siblings hide: see `wrong_together` of
        `url_viz.findings.object_findings`. None without objects that are kept apart by their picture.
        """
        return self._core.derived.get(wrong_together)

    @capability("labels confused", missing=NO_CLASSES, top=20, number="{:.1%}", noun="pair")
    def confused(self) -> pd.DataFrame | None:
        """List pairs of classes that overlap: how many pictures look like the other, and what share of each class.

        The most confused first, by the likeliest class of each labelled picture, judged without its own label. A
        picture counts that is taken for another class than its label's, however surely.

        In Python None without labels; see `confused_pairs`. `torn` counts pictures that two classes fit, whatever their
        label.
        """
        if not has_values(self._core.measured, AMBIGUITY.name):
            return None
        pairs: pd.DataFrame = self._core.derived.result(measured, confused_in, confused_in)
        return pairs

    def torn(self) -> TornPictures:
        """The pictures that two classes fit: `.count`, and by pair of classes in `.pairs`, which add up to it."""
        torn: TornPictures = self._core.derived.result(table, torn_in, torn_in)
        return torn

    def is_reviewed(self) -> bool:
        """Whether any picture was dropped or label corrected, in a set of two classes or more."""
        review = self._review()
        return least_classes(review) > 1 and bool(review["is_decided"].any())

    @capability("labels worth", top=20)
    def worth(
        self,
        *,
        seeds: Annotated[int, Within(2, 1000), Doc("how often folds and random drops are dealt, 2 or more")] = SEEDS,
        progress: ProgressCallback = silent,
    ) -> Worth:
        """Measure what dropping pictures and correcting labels was worth to a linear probe, on pictures left alone.

        Takes seconds, longer with more seeds.

        In Python `.words` says it, and what it cannot tell; `.is_worth_more` than accepting every likely suggestion
        unseen; `.figures` has all, `.by_class` those of each class. Raises ImageSetError below two classes.
        """
        progress(Progress("worth", 0))
        group, label_group = self._core.source_groups, self._core.derived.get(label_sources)
        rows = self._core.whitened.rows
        return worth(rows, self._review(), group=group, label_group=label_group, seeds=seeds)

    def _review(self) -> pd.DataFrame:
        review: pd.DataFrame = self._core.derived.result(table, _review_in, _review_in)
        return review


def _review_in(table: pd.DataFrame) -> pd.DataFrame:
    given, label = (table[name].to_numpy(dtype=object) for name in ("label_given", "label"))
    is_dropped, is_confirmed = table["decision"] == "drop", table["label_checked"] == CONFIRMED
    return reviewed_labels(given, label, is_dropped.to_numpy(dtype=bool), is_confirmed.to_numpy(dtype=bool))
