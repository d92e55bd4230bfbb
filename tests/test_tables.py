"""The tables and figures of the docs are those that studies and benchmarks print."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import answers, caching, naming, review, review_figure, second_model, soft_labels
from benchmarks.answers_figure import figure
from experiments import (
    apart,
    choosing,
    conflict_table,
    deterioration,
    few_labels,
    few_pictures,
    finetuning,
    head_functions,
    label_errors,
    label_queues,
    objects,
    orders,
    own_model,
    real_mistakes,
    safe_retrieval,
    shares,
    shipped_heads,
    small_sets,
    unfamiliar,
    unlike,
    wrong_labels,
)
from experiments.figure_files import read_figures
from tests.documented import cells_of, part_of, words_of
from training.benchmark.benchmark_tables import Benchmark, read_benchmark
from training.benchmark.measured_head import development_text, people_text, report_text, verdicts_text
from training.command import cell
from training.model_card import limits_text
from url_viz.base.wording import decimal
from url_viz.evidence.order_metrics import mean_by_t
from url_viz.models.head import load_head
from url_viz.models.model_names import HEADS

ROOT = Path(__file__).parent.parent


LIKELY = "likely wrong: recall / precision"


def rows_of(table: str, *parts: str) -> str:
    """The head of a printed table and its rows with one of these parts, which are what a page shows of it."""
    head, rule, *rows = table.splitlines()
    return "\n".join([head, rule, *(row for row in rows if any(part in row for part in parts))])


def test_the_docs_have_the_table_of_the_shipped_heads() -> None:
    table = shipped_heads.table_of_reports()
    columns = ("", "uncertainty", "entropy", "confusability", "ambiguity")
    assert part_of(table, rows=("| lite0",), columns=columns) in (ROOT / "docs" / "training.md").read_text("utf-8")
    verdict = cells_of(table, "| lite0", "| N ")["head against the best baseline of a picture alone"]
    assert f"(N: {verdict.removeprefix('level: ').replace(' of ', ' over ')})" in words_of("training.md")


def test_what_a_head_should_read_is_told_from_its_figures() -> None:
    told = " ".join((ROOT / "docs" / "training.md").read_text("utf-8").split())
    table = head_functions.table(json.loads(head_functions.FIGURES.read_text()))
    rows = {cells[1]: cells for cells in ([cell.strip() for cell in row.split("|")] for row in table.splitlines())}
    quoted = [rows[name] for name in ("head on the embedding", "head, distance weighs 0.6", "`distance`")]
    development, left_out = ([row[column] for row in (*quoted, rows["entropy at T = .5"])] for column in (6, 8))
    assert "{}, against {} for the head on functions, {} for the distance alone and {}".format(*development) in told
    assert "these are {}, {}, {} and {} (".format(*left_out) in told


def test_what_soft_labels_are_worth_is_told_from_its_figures() -> None:
    figures = read_figures(soft_labels.FIGURES)
    table = soft_labels.table_of(figures).replace("-", "−")
    words = words_of("review.md")
    for name in ("dropped", "either", "votes", "our shares"):
        told = cells_of(table, f"| {name}, 500 |")["CIFAR−10H, 2,000 (2,000)"]
        numbers = [
            f"{float(each.replace('−', '-')):+.3f}".replace("0.", ".").replace("-", "−")
            for each in re.findall(r"[+−][\d.]+", told)
        ]
        assert "{} [{}, {}]".format(*numbers) in words


def test_what_a_choice_of_pictures_is_worth_is_told_from_its_figures() -> None:
    figures = read_figures(choosing.FIGURES)
    told = (ROOT / "docs" / "pipelines.md").read_text("utf-8")
    assert part_of(choosing.table(figures), rows=("| **as the app chooses**  ", "| by dice", "FasterPAM), in")) in told
    sets = choosing.table_of_sets(figures).splitlines()[2:]
    assert len(sets) == 7
    assert all(lead.split("[")[1].startswith("+") for row in sets for lead in row.split("|")[3:6]), "ahead in each"


def test_what_becomes_of_planted_label_errors_is_told_from_its_figures() -> None:
    told, words = (ROOT / "docs" / "labels.md").read_text("utf-8"), words_of("labels.md")
    figures = read_figures(label_queues.FIGURES)
    queues = label_queues.tables({"report": figures["report"]}).removeprefix("report\n\n")
    rows = ("| no error  ", "| similar class, 5% ", "| any class, 5% ", "| similar class, 10%, spoilt")
    queue = "queue: recall / precision (length)"
    assert part_of(queues, rows=rows, columns=("planted", "wrong: forecast, true", LIKELY, queue)) in told
    by_both = label_queues.tables({label_queues.BY_BOTH: figures[label_queues.BY_BOTH]}).partition("\n\n")[2]
    both = cells_of(by_both, "| similar class, 5% |")[queue].rpartition(" (")[0]
    assert f"the second row's queue is {both}." in words
    kept_apart = apart.table(read_figures(apart.FIGURES))
    found = [
        cells_of(kept_apart, "| trash |", row)["planted errors found"] for row in ("eight, kept", "one", "eight, not")
    ]
    assert (
        "kept apart, {} of the errors are found, as with one picture a patient ({}); not kept".format(*found) in words
    )
    assert found[2].startswith(".00 ")
    table = label_errors.table(read_figures(label_errors.FIGURES)).splitlines()
    ours, theirs = (
        [cell.split()[0] for cell in row.split("|")[2:6]] for row in table if "**URL" in row or "logistic" in row
    )
    pairs = [f"{one} and {other}" for one, other in zip(ours, theirs, strict=True)]
    assert "on CIFAR-10 {} at 5 % random errors, {} at 30 %; on Caltech101 {}, {}.".format(*pairs) in words
    by_set = [of["shares"] for use in read_figures(shares.FIGURES).values() for of in use.values()]
    after, before = ([decimal(of[way]["error"], digits=3) for of in by_set] for way in (shares.AFTER, shares.BEFORE))
    assert f"{min(after)} to {max(after)}, against {min(before)} to {max(before)}" in words


def test_how_often_up_to_was_enough_is_told_of_all_its_rows() -> None:
    rows = label_queues.up_to_table(read_figures(label_queues.FIGURES)).splitlines()[2:]
    held = [[cell.split(";")[0].split(" of ") for cell in row.split("|")[2:4]] for row in rows]
    at_first, at_the_end = ([sum(int(row[when][place]) for row in held) for place in (0, 1)] for when in (0, 1))
    words = " ".join((ROOT / "docs" / "labels.md").read_text("utf-8").split())
    assert "in {} of {} draws where no label stood out".format(*at_first) in words
    assert at_the_end[0] == at_the_end[1]
    assert f"in all {at_the_end[1]} at the end: of all seventeen rows" in words
    assert len(rows) == 17


def test_what_is_left_once_labels_were_corrected_elsewhere_is_told_from_its_figures() -> None:
    rows = label_queues.picked_table(read_figures(label_queues.FIGURES)).splitlines()[2:]
    forecasts = [[float(cell.split()[0]) for cell in row.split("|")[2:4]] for row in rows]
    left = [heard / unheard for unheard, heard in forecasts]
    assert 0.3 < min(left) < 0.35
    assert 0.6 < max(left) < 0.68
    assert "a third to two thirds of the former forecast stays" in words_of("labels.md")


def test_what_is_said_of_small_sets_is_told_from_its_figures() -> None:
    figures = read_figures(small_sets.FIGURES)
    told = (ROOT / "docs" / "labels.md").read_text("utf-8")
    rows = ("| no error", "| similar class, 5%", "| similar class, 20%", "| shifted column, 100%")
    columns = ("planted", "report: said", "report: share of all, true; held")
    assert part_of(small_sets.intervals_table(figures), rows=rows, columns=columns) in told
    assert small_sets.missed(figures) == [], "in at least nine of ten draws"
    half = [row["is said"] for rows in figures.values() for row in rows if row["planted"].endswith("55%")]
    assert f"where 55 % are wrong, in {sum(half)} of {len(half)} draws" in told


def test_how_datalab_compares_is_told_from_its_figures() -> None:
    figures = json.loads(wrong_labels.FIGURES.read_text("utf-8"))
    words = " ".join((ROOT / "docs" / "labels.md").read_text("utf-8").split())
    leads = wrong_labels.leads_over_datalab(figures).values()
    told = "is {} at 5 % random errors, {} at 10 % (level), {} at 20 % and {} for similar classes (ahead)"
    assert told.format(*(cell(lead, signed=True) for lead in leads)) in words
    assert [lead.interval.low > 0 for lead in leads] == [False, False, True, True]
    rows = [[cell.strip() for cell in row.split("|")] for row in wrong_labels.by_noise(figures["report"]).splitlines()]
    similar = {row[1]: row[-2].split(" / ") for row in rows}
    (_, our_recall, ours), (_, recall, theirs) = similar["**URL-Viz**"], similar[wrong_labels.PREDICTIONS]
    assert f"{recall} against {our_recall}, at a precision of {theirs} against {ours}" in words


def test_what_is_found_of_peoples_mistakes_is_told_from_its_figures() -> None:
    figures = read_figures(real_mistakes.FIGURES)
    margin, alone = "cleanlab, margin", "cleanlab, self-confidence"

    def of(name: str, what: str, models: int) -> dict[str, dict[str, Any]]:
        rows = [row for row in figures[name] if row["models"] == models]
        return {kind: {row["order"]: row[what] for row in rows if row["kind"] == kind} for kind in kinds(rows)}

    def kinds(rows: list[dict[str, Any]]) -> list[str]:
        return list(dict.fromkeys(row["kind"] for row in rows))

    def more(models: int, than: str) -> list[int]:
        firsts = of(real_mistakes.CIFAR, "first", models).values()
        return sorted(by_order[real_mistakes.OURS][-1] - by_order[than][-1] for by_order in firsts)

    assert sorted(more(1, margin) + more(1, alone)) == [4, 4, 6, 6], "four to six more"
    assert more(2, alone) == [4, 6]
    assert more(2, margin) == [-1, 3], "from one fewer to three more"
    for name, most in ((real_mistakes.CIFAR, 0.015), (real_mistakes.IMAGENET, 0.0065)):
        aurocs = [by_order.values() for models in (1, 2) for by_order in of(name, "auroc", models).values()]
        assert all(max(each) - min(each) < most for each in aurocs)
    for models in (1, 2):
        precision = of(real_mistakes.IMAGENET, "average precision", models)["ReaL"]
        assert max(precision, key=precision.__getitem__) == alone
    words = words_of("labels.md")
    ours, self_confidence, by_margin = (
        of(real_mistakes.CIFAR, "first", 1)["majority"][order][-1] for order in (real_mistakes.OURS, alone, margin)
    )
    mistaken = cells_of(real_mistakes.table(figures), "CIFAR-10 test", "majority")["mistaken"].split()[-1]
    assert f"{ours} of the {mistaken} there are, against {self_confidence} and {by_margin}." in words
    up_to = {name: figures[name][0]["up to"] for name in figures}
    assert f"ends at {up_to[real_mistakes.CIFAR]} of 10,000" in words
    assert f'"up to {up_to[real_mistakes.IMAGENET]} of 1,000 may be wrong"' in words


def test_what_holds_of_objects_is_told_from_its_figures() -> None:
    _, planted, kept_apart, queue = objects.tables(read_figures(objects.FIGURES)).split("\n\n")
    told, words = (ROOT / "docs" / "objects.md").read_text("utf-8"), words_of("objects.md")
    columns = ("set", "planted", "in the first 5 %", "URL-Viz ahead, first 5 %")
    assert part_of(planted, rows=("self-confidence",), columns=columns) in told
    column = "queue: recall / precision (length)"
    cells = [
        cells_of(queue, f"| {name} |", "| similar class |", "| **URL-Viz** |")[column] for name in ("COCO128", "BCCD")
    ]
    found = [one.rpartition(" (")[0].split(" / ") for one in cells]
    errors = "has {} of the similar-class errors at a precision of {} on COCO128, {} at {} on BCCD"
    assert errors.format(*found[0], *found[1]) in words
    nothing = [cells_of(queue, f"| {name} |", "| nothing |", "| **URL-Viz** |")[column] for name in ("COCO128", "BCCD")]
    assert nothing == ["(0)", "(3)"]
    assert "with none planted it has 0 and 3 labels" in words
    recalls = [cells_of(kept_apart, "| COCO128 |", how)["recall@1"] for how in ("| not apart |", "| apart |")]
    assert "recall@1 on COCO128 is {} in place of {}".format(*recalls) in words


def test_what_a_model_of_ones_own_adds_is_told_from_its_figures() -> None:
    similar = cells_of(own_model.table(read_figures(own_model.FIGURES)), "| similar class |", "| 3 % |")
    alone, held_out, adds = (similar[name] for name in ("URL-Viz alone", "cleanlab, held-out", "the model adds"))
    told = f"URL-Viz alone {alone}, cleanlab on held-out probabilities {held_out}; the model adds {adds} to URL-Viz"
    assert told in words_of("own_data.md")


def test_what_the_head_says_of_the_unfamiliar_is_told_from_its_figures() -> None:
    figures = json.loads(unfamiliar.FIGURES.read_text("utf-8"))
    told = " ".join((ROOT / "docs" / "benchmark.md").read_text("utf-8").split())
    rows = [row.split("|")[2:4] for row in unfamiliar.table(figures).splitlines()[2:]]
    head, entropy = ([cell.split()[0] for cell in column] for column in zip(*rows, strict=True))
    assert f"of {min(head)} (Caltech101) to {max(head)} (Places)" in told
    assert f"of {min(entropy)} to {max(entropy)} (" in told
    assert sum(one < other for one, other in zip(head, entropy, strict=True)) == 4


def test_which_uploads_are_unlike_a_set_is_told_from_its_figures() -> None:
    sets = json.loads(unlike.FIGURES.read_text("utf-8"))["sets"]
    told = " ".join((ROOT / "docs" / "benchmark.md").read_text("utf-8").split())
    own = sorted(shares[name] for name, shares in sets.items())
    others = [share for name, shares in sets.items() for other, share in shares.items() if other != name]
    assert f"{own[0]:.1%} to {own[-1]:.1%}".replace("%", " %") in told
    assert f"in {sum(share >= 0.9 for share in others)} of {len(others)} pairs of sets" in told
    assert f"{min(others):.0%} (flowers to Caltech101)".replace("%", " %") in told
    assert min(others) == sets["caltech101"]["flowers102"]


def test_the_gradient_conflict_is_told_from_its_figures() -> None:
    summaries = conflict_table.stored_summaries()
    assert {one["config"]["runs"] for one in summaries} == {5}
    told = (ROOT / "experiments" / "README.md").read_text("utf-8")
    differences = [row.split("|")[4].strip() for row in conflict_table.table(summaries).splitlines()[2:]]
    assert len(differences) == 3
    assert all(difference in told for difference in differences)
    assert all(one["auroc"]["low"] < 0 < one["auroc"]["high"] for one in summaries), "the page says: level"


@pytest.mark.parametrize("name", ["lite0", "lite1", "lite2"])
def test_the_cards_are_of_the_reports_that_are_kept(name: str) -> None:
    report = read_benchmark(shipped_heads.FIGURES / f"{name}-report.json")
    earlier = [read_benchmark(shipped_heads.FIGURES / "lite0-first-report.json")]
    card = (ROOT / "url_viz" / "models" / "heads" / f"tf_efficientnet_{name}.md").read_text("utf-8")
    assert f"Digest `{report.head}`" in card
    for part in (verdicts_text(report, earlier), report_text(report), people_text(report)):
        assert f"\n\n{part}\n\n" in card
    assert [Path(data).name for data in report.seen_classes] == ["imagenet-val-1000"]
    if name == "lite0":
        assert development_text(read_benchmark(shipped_heads.FIGURES / "lite0-development.json")) in card


def test_what_the_gate_is_worth_is_told_and_drawn_from_its_figures() -> None:
    figures = json.loads(safe_retrieval.FIGURES.read_text("utf-8"))
    table = safe_retrieval.table({"report": figures["report"]})
    by = {name: cells_of(table, f"| {name} |")["a tenth: queries"] for name in ("ambiguity", "uncertainty", "oracle")}
    value, _, interval = by["ambiguity"].partition(" ")
    told = f"by {value.removeprefix('+')} points {interval}, out of the {by['oracle'].split()[0].removeprefix('+')} of"
    assert told in words_of("look.md")
    assert f"by `uncertainty` by {by['uncertainty'].removeprefix('+')}" in words_of("look.md")
    database = [float(row.split("|")[3].split()[0].replace("−", "-")) for row in table.splitlines()[2:]]
    assert max(database) < 1, "one point at most"
    assert (ROOT / "docs" / "safe_retrieval.svg").read_text("utf-8") == safe_retrieval.drawing(figures)


def test_what_few_labels_reach_is_told_from_its_figures() -> None:
    benchmark = read_benchmark(few_labels.FIGURES)
    told = (ROOT / "experiments" / "README.md").read_text("utf-8")
    assert rows_of(few_labels.table_of_leads(benchmark), "| N ", "| P ") in told


def test_how_spoiled_photographs_stand_is_told_and_drawn_from_its_figures() -> None:
    figures = json.loads(deterioration.FIGURES.read_text("utf-8"))
    told = (ROOT / "experiments" / "deterioration.md").read_text("utf-8")
    assert deterioration.table(figures) in told
    assert deterioration.DRAWING.read_text("utf-8") == deterioration.drawing(figures)


def test_what_orders_pictures_is_told_from_its_figures() -> None:
    figures = read_benchmark(orders.FIGURES)
    told, words = (ROOT / "docs" / "order.md").read_text("utf-8"), words_of("order.md")
    for row in orders.sets_table(figures).splitlines()[2:]:
        name, _, pictures, classes = (cell.strip() for cell in row.split("|")[1:5])
        assert f"{name} ({pictures} / {classes})" in words
    leads = orders.leads_table(figures)
    rows = ("| **ambi", "nearest sim", "| general", "| *label")
    assert part_of(leads, rows=rows) in told
    main = orders.main_table(figures)
    assert part_of(main, rows=("| **",), columns=("order", "on", "mean")) in told
    means = [cells_of(main, "| general model |", f"| {way} |")["mean"].split()[0] for way in "NP"]
    assert "The general model is at {} (N) and {} (P)".format(*means) in words
    hard = [cells_of(main, "| **ambiguity** |", f"| {way} |")["places"].split()[0] for way in "NP"]
    assert "On Places (recall@1 .32) ambiguity is weakest: {} (N), {} (P)".format(*hard) in words
    people = orders.people_table(figures)
    tenths = [cells_of(people, name)["most ambiguous tenth"] for name in ("**ambi", "*label", "**conf", "general")]
    by_order = "{} by ambiguity, {} by label doubt, {} by confusability and {} by the general model"
    assert by_order.format(*tenths) in words
    without = [row for row in people.splitlines()[2:] if row.split("|")[2].strip() in ("set", "picture")]
    assert all(float(row.split("|")[4].split()[0]) < 0.6 for row in without), "no order without classes reaches .6"
    for row in rows_of(orders.emoji_table(figures), "| **", "| entropy").splitlines()[2:]:
        assert row.split("|")[3].strip() in words
    readme = (ROOT / "README.md").read_text("utf-8")
    for name in ("ambiguity", "confusability", "uncertainty", "entropy"):
        means = [mean_by_t(orders.aurocs_of(figures, name, outcome)).text() for outcome in ("nearest", "probe")]
        told_of = [cell.strip() for cell in readme.partition(f"(`{name}`) |")[2].partition("\n")[0].split("|")]
        assert told_of[1:] == [*means, "is a baseline" if name == "entropy" else best_baseline(figures, name), ""]
    verdicts = [[cell.split()[-1] for cell in row.split("|")[3:5]] for row in leads.splitlines()[2:6]]
    assert verdicts == [["ahead", "level"]] * 3 + [["level", "level"]], "the README says so"
    for row in few_pictures.table(read_figures(few_pictures.FIGURES)).splitlines()[2:]:
        assert row.split("|")[-2].strip() in words


def best_baseline(figures: Benchmark, name: str) -> str:
    """Of the baselines that have seen the same as an order the one with the highest mean (N), and its (P)."""
    rows = [[cell.strip() for cell in row.split("|")] for row in orders.means_table(figures).splitlines()]
    knows = {row[1]: row[2] for row in rows}
    title = {order: orders.TITLES[order] for order in orders.TITLES if order not in orders.MAIN}
    rivals = [order for order, words in title.items() if knows[words] == knows[orders.TITLES[name]]]
    mean = {order: [np.mean(orders.aurocs_of(figures, order, way)) for way in ("nearest", "probe")] for order in rivals}
    best = max(mean, key=lambda order: mean[order][0])
    words = title[best].removesuffix(", margin")
    return f"{words}: {', '.join(decimal(float(value)) for value in mean[best])}"


def test_what_finetuning_gains_is_told_from_its_figures() -> None:
    told = (ROOT / "docs" / "training.md").read_text("utf-8")
    columns = ("set", "trained", "tested on", "Accuracy", "R-AUROC")
    assert part_of(finetuning.table(read_figures(finetuning.FIGURES)), columns=columns) in told


def test_what_a_cache_is_worth_is_told_from_its_figures() -> None:
    figures = read_figures(caching.FIGURES)
    shown = part_of(caching.table(figures), rows=("bf16, crops", "authors", "our cache, m"))
    assert shown in (ROOT / "docs" / "performance.md").read_text("utf-8")
    paper = (ROOT / "docs" / "paper.md").read_text("utf-8")
    faster = caching.factors(figures, "wall")
    assert f"{faster['backbone']:.0f} times as fast as running the backbone" in paper
    assert f"{faster['authors']:.0f} times as fast as their own way of reading" in paper


def test_what_names_teach_is_told_from_its_figures() -> None:
    figures = read_figures(naming.FIGURES)
    told = (ROOT / "docs" / "order.md").read_text("utf-8")
    report = cells_of(naming.ways_table(figures), "**mean**, report")
    ours, random = (report[way].split(" / ") for way in ("**as the app asks**", "at random"))
    then = "then names {} and {} of the other pictures correctly (report sets; at random {} and {};"
    assert then.format(*ours, *random) in words_of("order.md")
    for row in naming.accepted_table(figures).splitlines()[-3::2]:
        assert f"{row.split('|')[8].strip()} right, of {row.split('|')[3].strip()}" in " ".join(told.split())


@pytest.mark.slow
def test_what_answers_gain_is_told_and_drawn_from_its_figures() -> None:
    found = answers.frame_of(read_figures(answers.FIGURES))
    told = (ROOT / "docs" / "order.md").read_text("utf-8")
    table = answers.table_by_set(found)
    emoji, others = (cells_of(table, name) for name in ("| emoji |", "| **mean**, development |"))
    at = ("confusability", "20 answers", "100 answers")
    mean, *rest = (others[name].split()[0] for name in at)
    words = "on emoji {}, {} with 20 answers and {} with 100;".format(*(emoji[name].split()[0] for name in at))
    assert f"{words} mean of four development sets {mean}, {rest[0]} and {rest[1]}" in " ".join(told.split())
    drawn = (ROOT / "docs" / "screenshots" / "answers.svg").read_text("utf-8")
    assert figure(answers.drawn(found)) == drawn


def test_what_a_second_model_is_worth_is_told_from_its_figures() -> None:
    figures = read_figures(second_model.FIGURES)
    told = (ROOT / "docs" / "order.md").read_text("utf-8")
    shown = ("order", "on", "first alone", "both", "both over first")
    assert part_of(second_model.table_of_leads(figures), columns=shown) in told
    words = " ".join(told.split())
    assert f"with {figures['config']['limit']:,} of CIFAR-10's pictures" in words
    benchmark = read_benchmark(orders.FIGURES)
    same = [name for name in orders.NAMES if name != orders.PEOPLE]
    apart = max(
        abs(figures["sets"][name][f"{order}, N, one"] - value)
        for order in second_model.ORDERS
        for name, value in zip(orders.NAMES, orders.aurocs_of(benchmark, order, "nearest"), strict=True)
        if name in same
    )
    assert f"By (N) the same order differs by up to {decimal(apart, digits=3)} on a set" in words
    cost = read_figures(second_model.COSTS)["sets"]["grocery"]
    times = cost["then second"] / cost["first"]
    assert f"takes {times:.1f} times the processor time of the first (Grocery, 2 December)" in words
    assert f"both thus {1 + times:.1f} times" in words
    for page in ("docs/performance.md", "README.md"):
        assert f"{times:.1f} times" in (ROOT / page).read_text("utf-8")
    *_, means, halves = second_model.table_of_spaces(figures).splitlines()
    mean, half = ([cell.strip() for cell in row.split("|")[2:-1]] for row in (means, halves))
    left_out = (ROOT / "experiments" / "README.md").read_text("utf-8")
    ours = second_model.table_of_orders(figures).splitlines()[-2].split("|")[3].strip()
    tried = f"nearest right {mean[2]}, against {mean[0]}, but confusability {mean[3]} (N), against {ours}"
    assert f"{tried}, and {mean[4]} (P), level" in left_out
    assert f"confusability {mean[6]} ± {half[6]} (N), {mean[7]} ± {half[7]} (P); where views" in left_out


def test_what_a_review_finds_is_told_and_drawn_from_its_figures() -> None:
    config, findings = review.read_findings(review.FIGURES)
    told = (ROOT / "docs" / "review.md").read_text("utf-8")
    rows = ("| **suspects", "| entropy", "| label doubt", "| random", "| cleanlab")
    columns = ("queue", "wrong labels, 2% looked at", "10%", "blank, 2 / 5 / 10 / 20 %", "blurred", "of another set")
    assert part_of(review.found_table(findings), rows=rows, columns=columns) in told
    drawn = (ROOT / "docs" / "screenshots" / "review-queues.svg").read_text("utf-8")
    assert review_figure.figure(findings.curves, config["looked"]) == drawn


@pytest.mark.parametrize("file", sorted(HEADS.glob("*.safetensors")), ids=lambda file: file.stem)
def test_a_card_says_on_how_many_pictures_its_head_was_trained(file: Path) -> None:
    head = load_head(file)
    assert limits_text(head) in file.with_suffix(".md").read_text("utf-8")
    of_more = replace(head.provenance, recipe={"sources": [{"pictures": 13_000_000}, {"pictures": 1}]})
    assert "trained on 13,000,001 pictures," in limits_text(replace(head, provenance=of_more))
