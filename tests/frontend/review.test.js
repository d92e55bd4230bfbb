// The review: its queue with answers that wait, its words, and the classes offered while one types.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stepOf } from "../../url_viz/frontend/shared/keyboard.js";
import { bothOf, namesToChoose, notAnswering, ownWords, panelsInOrder, wholeInWords } from "../../url_viz/frontend/review/card.js";
import { WAITS, cardAt, countsInWords, countsOf, endInWords, heardNext, nextOpen, stateOf, takenBack } from "../../url_viz/frontend/review/queue.js";
import { offered, ranked } from "../../url_viz/frontend/review/type_ahead.js";

const card = (id, more = {}) => ({ id, decision: null, given: null, is_done: false, is_skipped: false, ...more });
const queue = (cards, more = {}) => ({
  total: cards.length,
  done: cards.filter((one) => one.is_done).length,
  skipped: cards.filter((one) => one.is_skipped).length,
  upcoming: [...cards.keys()].filter((at) => !cards[at].is_done && !cards[at].is_skipped),
  cards: new Map(cards.entries()),
  waiting: [],
  ...more,
});
const answered = (id, more = {}) => ({ sequence: 1, id, decision: null, label: null, ...more });

test("the state of a card is the server's, or that of the last answer that waits", () => {
  const server = { decision: "drop", label: "kiwi", either: null, isDone: true, isSkipped: false, same: null, verdict: null };
  const done = card("a", { decision: "drop", given: "kiwi", is_done: true });
  assert.deepEqual(stateOf(done, [answered("b", { decision: "keep" })]), server);
  const two = [answered("a", { decision: "drop" }), answered("a", { label: "banana" })];
  assert.deepEqual(stateOf(done, two), {
    ...server,
    decision: null,
    label: "banana",
    keep: undefined,
  });
  assert.equal(stateOf(done, [answered("a")]).isDone, false, "taken back");
  assert.equal(stateOf(card("a"), [answered("a", { keep: [] })]).isDone, true, "twins, of which none is kept");
  assert.deepEqual(stateOf(done, [{ sequence: 1, id: "a", skip: true }]), { ...server, isSkipped: true });
});

test("undo takes the latest answer that waits, and no skip; what the server has confirmed is its own", () => {
  const undo = { sequence: 9, command: "undo" };
  const redo = { sequence: 10, command: "redo" };
  const two = [answered("a", { decision: "drop" }), { sequence: 2, id: "b", skip: true }];
  assert.equal(stateOf(card("a"), [...two, undo]).isDone, false);
  assert.equal(stateOf(card("b"), [...two, undo]).isSkipped, true);
  assert.equal(stateOf(card("a"), [...two, undo, redo]).decision, "drop");
  assert.equal(stateOf(card("a", { decision: "keep", is_done: true }), [undo]).decision, "keep");
  const anew = [...two, undo, answered("a", { decision: "keep" }), redo];
  assert.equal(stateOf(card("a"), anew).decision, "keep", "nothing is left to give again");
});

test("u, y and z with a control key step, whatever the letters' case; in fields they are text", () => {
  const pressed = (key, more = {}) => stepOf({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more });
  assert.deepEqual(["u", "y", "z", "U"].map((key) => pressed(key)), ["undo", "redo", null, "undo"]);
  assert.equal(pressed("z", { ctrlKey: true }), "undo");
  assert.equal(pressed("Z", { metaKey: true, shiftKey: true }), "redo");
  assert.equal(pressed("u", { ctrlKey: true }), null, "the browser's own");
});

test("an answer that is taken back leaves what stood before, and a repeated one leaves nothing of itself", () => {
  const said = (decision, label, verdict = null, either = null) => ({ decision, label, either, verdict });
  const takings = [
    [said("drop", null), said(null, null), said(null, null)],
    [said("drop", null), said("keep", null), said("keep", null)],
    [said("drop", null), said("drop", null), said(null, null)],
    [said("drop", "kiwi"), said("drop", "kiwi"), said(null, "kiwi")],
    [said(null, "kiwi"), said(null, "kiwi"), said(null, null)],
    [said(null, "pear"), said("drop", "kiwi"), said("drop", "kiwi")],
    [said(null, "kiwi", "box is wrong"), said(null, "kiwi"), said(null, "kiwi")],
    [said(null, "kiwi", "box is wrong"), said(null, "kiwi", "box is wrong"), said(null, "kiwi")],
    [said("drop", null, "no such object"), said(null, null), said(null, null)],
    [said(null, "kiwi", null, "lime"), said(null, "kiwi"), said(null, "kiwi")],
    [said(null, "kiwi", null, "lime"), said(null, "kiwi", null, "lime"), said(null, null)],
    [said("drop", "kiwi", null, "lime"), said("drop", "kiwi", null, "lime"), said(null, "kiwi", null, "lime")],
  ];
  for (const [answer, before, left] of takings) assert.deepEqual(takenBack(answer, before), left);
});

test("rightly both are the two classes of the question, if it names two", () => {
  const panels = (...labels) => ({ panels: labels.map((label) => ({ label, near: [] })) });
  assert.deepEqual(bothOf(panels("kiwi", "lime", "plum")), ["kiwi", "lime"]);
  assert.equal(bothOf(panels("kiwi", null)), null);
  const of = { label_given: "kiwi", twins: "1 copy", question: "kiwi or lime?", takes: ["label", "either"] };
  assert.equal(ownWords(of, "kiwi", "lime"), "rightly both kiwi and lime · +1 copy");
  const state = stateOf(card("a", { given: "kiwi", either: "lime", is_done: true }), []);
  assert.deepEqual([state.label, state.either], ["kiwi", "lime"]);
  assert.equal(stateOf(card("a"), [answered("a", { label: "kiwi", either: "lime" })]).either, "lime");
});

test("a pair is done once it is answered, yes or no, and open again once that is taken back", () => {
  const pair = card("a", { same: null });
  assert.equal(stateOf(pair, []).isDone, false);
  for (const same of [true, false]) {
    const { isDone, same: now } = stateOf(pair, [answered("a", { same })]);
    assert.deepEqual([isDone, now], [true, same]);
  }
  const done = card("a", { same: true, is_done: true });
  assert.equal(stateOf(done, []).same, true);
  assert.equal(stateOf(done, [answered("a", { same: null })]).isDone, false);
});

test("a pair has keys and buttons of its own", () => {
  assert.deepEqual(notAnswering(["same"]), ["keep", "drop", "look-again", "another", "either", "pair", "twins", "verdict"]);
  assert.deepEqual(notAnswering(["decision", "label", "either", "verdict", "twins"]), ["same", "other"]);
  assert.deepEqual(notAnswering(["keep", "decision"]), ["another", "either", "pair", "twins", "same", "other", "verdict"]);
});

test("number keys name what is suggested, then the latest names, nine at most", () => {
  const plain = { takes: ["name"], panels: [{ near: [], label: null, said: null }] };
  const suggested = { takes: ["name"], panels: [{ near: [], label: "kiwi", said: "80 %" }] };
  assert.deepEqual(namesToChoose(plain, ["pear", "kiwi"]), ["pear", "kiwi"]);
  assert.deepEqual(namesToChoose(suggested, ["pear", "kiwi"]), ["kiwi", "pear"]);
  assert.equal(namesToChoose(suggested, [..."abcdefghij"]).length, 9);
  assert.equal(ownWords({ label_given: "folder", twins: "", question: "What is it?", takes: ["name"] }, "kiwi"), "named kiwi");
  assert.equal(ownWords({ label_given: "folder", twins: "2 copies", question: "What is it?", takes: ["name"] }, null), "+2 copies");
});

test("few classes have the same key on every picture, many only those in question", () => {
  const card = { takes: ["label"], panels: [{ near: [], label: "pear", said: "50 %" }, { near: [], label: "fig", said: "40 %" }] };
  assert.deepEqual(namesToChoose(card, ["fig", "kiwi", "pear"]), ["fig", "kiwi", "pear"]);
  assert.deepEqual(namesToChoose(card, []), ["pear", "fig"]);
  assert.deepEqual(namesToChoose({ ...card, takes: ["keep"] }, ["fig"]), [], "a group takes no class");
});

test("classes are read in the order of their keys, and what is suggested before the latest names", () => {
  const platelets = { near: ["a"], label: "Platelets", said: "20 of 20 neighbours" };
  const panels = [{ near: ["b"], label: "WBC", said: null }, platelets];
  const read = (card, names) => panelsInOrder(card, names).map(({ label, near }) => [label, ...near]);
  const keyed = [["Platelets", "a"], ["RBC"], ["WBC", "b"]];
  assert.deepEqual(read({ takes: ["label"], panels }, ["Platelets", "RBC", "WBC"]), keyed);
  assert.deepEqual(read({ takes: ["label"], panels }, []), [["WBC", "b"], ["Platelets", "a"]], "as they are asked: 1, 2");
  assert.deepEqual(read({ takes: ["name"], panels: [platelets] }, ["kiwi", "fig"]), [["Platelets", "a"]]);
  const unknown = { takes: ["label"], panels: [{ near: ["c"], label: null, said: null }] };
  assert.deepEqual(read(unknown, ["fig"]), [["fig"], [null, "c"]], "the nearest pictures stand below");
});

test("another class is offered by its share", () => {
  assert.deepEqual(ranked(["ant", "bee", "cat", "dog"], { cat: 0.6, ant: 0.1 }), ["cat", "ant", "bee", "dog"]);
  assert.deepEqual(ranked(["ant", "bee"], {}), ["ant", "bee"]);
});

test("beyond the end of a queue that has become shorter there is no card", () => {
  const cards = [card("a"), card("b"), card("c")];
  assert.equal(cardAt(queue(cards), 2).id, "c");
  assert.equal(cardAt({ ...queue(cards), total: 2 }, 2), undefined, "it was sent while the queue went on");
});

test("the next one is the first open after this, else the first of all", () => {
  const cards = [card("a"), card("b", { is_done: true }), card("c"), card("d", { is_skipped: true }), card("e")];
  assert.equal(nextOpen(queue(cards), -1), 0);
  assert.equal(nextOpen(queue(cards), 0), 2);
  assert.equal(nextOpen(queue(cards, { waiting: [answered("c", { decision: "keep" })] }), 0), 4);
  assert.equal(nextOpen(queue(cards), 4), 0);
  assert.equal(nextOpen(queue(cards, { waiting: [{ sequence: 1, id: "a", skip: true }] }), 4), 2);
});

test("the server's order of what waits is kept", () => {
  assert.equal(nextOpen(queue([card("a"), card("b"), card("c")], { upcoming: [2, 1, 0] }), -1), 2);
});

test("after going back an answer goes on with what was taken back before, of which the server does not know yet", () => {
  const cards = Array.from("abcdef", (id) => card(id, { decision: "keep", is_done: true }));
  const waiting = [answered("d"), answered("a", { decision: "drop" })];
  const back = queue([...cards, card("g")], { waiting });
  assert.equal(nextOpen(back, 0), 3, "and not with the last, which waits for its first answer");
  assert.equal(nextOpen(back, 3), 6);
  assert.equal(nextOpen(queue(cards, { waiting, total: 6 }), 4), 3);
});

test("at the end is the end, unless cards are not here yet", () => {
  const cards = [card("a", { is_done: true }), card("b")];
  const waiting = [answered("b", { label: "kiwi" })];
  assert.equal(nextOpen(queue(cards, { waiting }), 1), WAITS, "whether others follow is for the server to say");
  assert.equal(nextOpen(queue([card("a", { is_done: true }), card("b", { is_done: true })]), 1), 2);
  assert.equal(nextOpen(queue(cards, { waiting, total: 300, upcoming: [1, 2, 3] }), 1), WAITS);
  assert.equal(nextOpen(queue([]), -1), 0);
});

test("counts take answers that wait into account, once for each picture", () => {
  const cards = [card("a"), card("b", { is_done: true }), card("c", { is_skipped: true }), card("d")];
  const of = (...waiting) => {
    const { done, skipped, left } = countsOf(queue(cards, { waiting }));
    return [done, skipped, left];
  };
  assert.deepEqual(of(), [1, 1, 2]);
  assert.deepEqual(of(answered("a", { decision: "keep" }), answered("a", { label: "kiwi" })), [2, 1, 1]);
  assert.deepEqual(of(answered("b")), [0, 1, 3]);
  assert.deepEqual(of(answered("c", { decision: "drop" })), [2, 0, 2]);
  assert.deepEqual(of({ sequence: 1, id: "a", skip: true }), [1, 2, 1]);
  assert.deepEqual(of({ sequence: 1, id: "b", skip: true }), [1, 1, 2]);
  assert.deepEqual(of({ sequence: 1, at: 3 }, { sequence: 2, command: "unskip" }, answered("elsewhere", { label: "x" })), [1, 1, 2]);
});

test("a queue that has become shorter than what was answered in it has nothing left", () => {
  const cards = [card("a", { is_done: true }), card("b", { is_done: true }), card("c")];
  const counts = countsOf(queue(cards, { total: 2, waiting: [answered("c", { label: "kiwi" })] }));
  assert.deepEqual(counts, { done: 3, skipped: 0, left: 0, total: 3 });
});

test("counts and the end in words", () => {
  const counts = (done, skipped, left) => ({ done, skipped, left, total: done + skipped + left });
  assert.equal(countsInWords(counts(3, 0, 1997)), "1,997 left · 3 done of 2,000");
  assert.equal(countsInWords(counts(3, 2, 0)), "0 left · 3 done · 2 skipped of 5");
  assert.equal(endInWords(counts(3, 2, 0), "picture"), "3 done, 2 skipped.");
  assert.equal(endInWords(counts(2000, 0, 0), "picture"), "All 2,000 pictures are done.");
  assert.equal(endInWords(counts(1, 0, 0), "object"), "The object is done.");
  assert.equal(endInWords(counts(0, 0, 0), "picture"), "Nothing left to review.");
});

test("after an answer one hears how many are left, and what is asked next", () => {
  assert.equal(heardNext(1034, "kiwi or lime?"), "1,034 left. kiwi or lime?");
  assert.equal(heardNext(3, undefined), "3 left.");
  assert.equal(heardNext(0, undefined), "None left.");
});

test("a picture says its label, and what it was given as", () => {
  const of = (more, label) => ownWords({ label_given: "kiwi", twins: "", question: "kiwi or lime?", takes: ["label"], ...more }, label);
  assert.equal(of({}, null), "labelled kiwi");
  assert.equal(of({ question: "kiwi or lime? Labelled kiwi" }, null), "");
  assert.equal(of({}, "lime"), "labelled lime, originally kiwi");
  assert.equal(of({ label_given: null }, "lime"), "labelled lime, originally unlabelled");
  assert.equal(of({ twins: "1 view" }, "kiwi"), "labelled kiwi · confirmed · +1 view");
  assert.equal(of({ label_given: null, twins: "3 views" }, null), "+3 views");
});

const CLASSES = ["Apple", "pineapple", "apricot", "Pear", "pea", "Grape", "pea pod"];
const names = (options) => options.map(({ name, isNew }) => (isNew ? `${name} (new)` : name));

test("classes that begin with the text come before those that hold it, and the text last, as a new one", () => {
  assert.deepEqual(names(offered(CLASSES, " ap ")), ["Apple", "apricot", "pineapple", "Grape", "ap (new)"]);
  assert.deepEqual(names(offered(CLASSES, "zucchini")), ["zucchini (new)"]);
});

test("a class that is known is not new, but one in other letters is", () => {
  assert.deepEqual(names(offered(CLASSES, "pea")), ["Pear", "pea", "pea pod"]);
  assert.deepEqual(names(offered(CLASSES, "apple")), ["Apple", "pineapple", "apple (new)"]);
});

test("nothing typed offers the first classes, and no more than fit", () => {
  assert.deepEqual(names(offered(CLASSES, "  ")), CLASSES);
  assert.equal(offered(Array.from({ length: 30 }, (_, i) => `class ${i}`), "class").length, 9);
});

test("a whole picture says what is drawn on it, and what is not predicted", () => {
  const own = { line: "solid", words: "labelled box" };
  assert.equal(wholeInWords([]), "The whole picture, with the box of the object");
  assert.equal(
    wholeInWords([own, { line: "dashed", words: "predicted cat, score .90, IoU .82" }]),
    "The whole picture, with the box of the object; solid: labelled box; dashed: predicted cat, score .90, IoU .82",
  );
  assert.match(wholeInWords([own, { line: "none", words: "not predicted" }]), /; not predicted$/);
});
