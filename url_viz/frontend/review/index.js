// The review: one picture after the other. An answer shows at once and the next picture is there; the server stores it
// then, whatever page comes next, and where it cannot, the answer is taken back.

import { Actions } from "../shared/actions.js";
import { DECISIONS, DECISION_OF_KEY, VERDICTS } from "../shared/decisions.js";
import { isTyped, stepOf } from "../shared/keyboard.js";
import { newMounts } from "../shared/mounts.js";
import { Unsent, takeLeftBehind } from "../shared/unsent.js";
import {
  bothOf,
  decisionWords,
  drawLegend,
  made,
  namesToChoose,
  newAnswers,
  newBeside,
  newKeys,
  newName,
  newPanel,
  notAnswering,
  ownWords,
  panelsInOrder,
  sourceOf,
  wholeInWords,
} from "./card.js";
import {
  PAUSES,
  WAITS,
  cardAt,
  countsInWords,
  countsOf,
  endInWords,
  heardNext,
  isSame,
  nextOpen,
  stateOf,
  takenBack,
} from "./queue.js";
import { TypeAhead } from "./type_ahead.js";

/** @import { Queue } from "./queue.js" */

const LOADED_AHEAD = 4;
const VERDICT_OF_KEY = Object.fromEntries(Object.entries(VERDICTS).map(([name, { key }]) => [key, name]));

// What a card is drawn of: names that were given meanwhile may suggest one.
const shownOf = ({ id, question }) => `${id} ${question}`;

// A browser goes on showing what an image held before until the new file is there: it is blank meanwhile.
function setSource(image, source) {
  if (image.getAttribute("src") !== source) image.src = source;
  image.classList.toggle("loading", !image.complete);
}

class Desk {
  constructor(element) {
    this.element = element;
    this.stopper = new AbortController();
    const { signal } = this.stopper;
    const find = (selector) => element.querySelector(selector);
    this.large = find(".large");
    this.panels = find(".panels");
    this.help = find(".help");
    this.said = find(".said");
    this.heard = find(".heard");
    find(".answers").replaceChildren(...newAnswers());
    this.isWholeOf = { small: true, large: true }; // objects are first shown in their pictures, the crop below
    this.loadingAhead = []; // a browser may forget those that nobody holds
    this.typing = new TypeAhead(
      find(".typing"),
      (label) => this.nameTyped(label),
      () => this.stopTyping(),
      signal,
    );
    this.review = null;
    element.addEventListener("click", (event) => this.click(event), { signal });
    for (const name of ["load", "error"]) element.addEventListener(name, ({ target }) => this.loaded(target), { signal, capture: true });
    // On the window and before others: Streamlit has keys of its own (c, r), and the page may have the focus.
    window.addEventListener("keydown", (event) => this.key(event), { signal, capture: true });
  }

  begin({ review, address, desk, who }) {
    this.review = review;
    this.actions = new Actions();
    this.cards = new Map(); // position → card, as the server sent it last
    this.bases = new Map(); // id → its state when it was first shown
    this.visited = [];
    this.ahead = []; // positions that were left by going back, the next last
    this.answered = []; // what was sent: {position, isSkip}, the latest last
    this.takenBack = [];
    this.stored = 0; // the number of the last action that the server has carried out
    this.stepped = null; // what undo or redo did, in words, by the number of the last action then
    this.hasEnded = false; // whether all cards of the queue, as long as it was, were answered
    this.at = null;
    this.shown = null;
    const unsent = new Unsent({ address, desk, who }, (reply, sent) => {
      if (this.element.isConnected && this.unsent === unsent) this.confirm(reply, sent);
    });
    this.unsent = unsent;
    for (const { answers } of takeLeftBehind({ address, who }))
      for (const { sequence, ...answer } of answers) this.unsent.add(this.actions.add(answer).at(-1));
  }

  update({ data, setStateValue }) {
    this.setStateValue = setStateValue;
    if (data.review !== this.review) this.begin(data);
    this.data = data;
    this.actions.taken(data.taken);
    for (const card of data.cards) this.cards.set(card.position, card);
    if (this.at === null) this.at = this.actions.waiting.length ? nextOpen(this.queue, data.place - 1) : data.place;
    else if (this.at === WAITS || this.at >= data.total) {
      this.at = nextOpen(this.queue, -1);
      if (this.at >= 0 && this.at < data.total && this.hasEnded && data.goes_on) this.pause();
      if (this.at !== WAITS) this.hasEnded = false;
    }
    this.draw();
    if (this.stepped?.sequence <= data.taken) {
      this.say(this.stepped.words); // with what is left by now
      this.stepped = null;
    }
  }

  /** @returns {Queue} */
  get queue() {
    return { ...this.data, cards: this.cards, waiting: this.actions.waiting };
  }

  get card() {
    return cardAt(this.queue, this.at);
  }

  // Whether the card takes one of these in answer: all that keys and buttons know of its question.
  takes(...kinds) {
    return kinds.some((kind) => this.card.takes.includes(kind));
  }

  draw() {
    const { card } = this;
    const counts = countsOf(this.queue);
    this.element.querySelector(".counts").textContent = countsInWords(counts);
    for (const part of ["done", "skipped"])
      this.element.querySelector(`.meter .${part}`).style.width = `${(100 * counts[part]) / Math.max(1, counts.total)}%`;
    const saving = this.element.querySelector(".saving");
    saving.hidden = !this.unsent.answers.length;
    saving.textContent = `saving ${this.unsent.answers.length} …`;
    this.element.querySelector(".card").hidden = !card;
    const waiting = this.element.querySelector(".waiting");
    waiting.hidden = this.at !== WAITS;
    waiting.textContent = counts.left ? `The next ${this.data.unit}s are on their way …` : "Saving the last answers …";
    this.drawEnd(counts);
    this.drawChange();
    if (!card) return;
    const { decision, given: label, either = null, verdict } = card;
    if (!this.bases.has(card.id)) this.bases.set(card.id, { decision, label, either, verdict });
    if (this.shown !== shownOf(card)) this.drawCard(card);
    this.drawState(card);
    this.drawLoading();
    this.loadAhead();
  }

  loaded(image) {
    image.classList.toggle("loading", !image.complete);
    if (this.card) this.drawLoading();
  }

  // Whether all that an answer is about has been seen, or cannot be: an answer never lands on what is not shown.
  drawLoading() {
    const asked = [this.large.querySelector("img"), this.element.querySelector(".beside img")];
    if (this.takes("keep")) asked.push(...this.panels.querySelectorAll("img"));
    this.isShown ||= !this.peeked && asked.every((image) => !image || image.complete);
    this.element.querySelector(".card").classList.toggle("unseen", !this.isShown);
    const note = this.large.querySelector(".note");
    const [large] = asked;
    const isBroken = large.complete && !large.naturalWidth;
    note.hidden = large.complete && !isBroken;
    note.textContent = isBroken ? "The picture could not be loaded." : "Loading …";
  }

  // Carry an answer out, once its picture is shown.
  ifShown(act) {
    if (this.isShown) act();
    else this.say("Not taken: the picture was still loading");
  }

  // What answers have changed so far.
  drawChange() {
    const { change } = this.data;
    const box = this.element.querySelector(".change");
    box.hidden = !change;
    if (!change) return;
    box.querySelector("p").textContent = change.words;
    box.querySelector("i").style.width = `${100 * change.share}%`;
  }

  drawEnd(counts) {
    const end = this.element.querySelector(".end");
    const isPaused = this.at === PAUSES;
    end.hidden = this.at < this.data.total && !isPaused;
    end.querySelector("h2").textContent = isPaused ? this.data.goes_on : endInWords(counts, this.data.unit);
    end.querySelector(".go-on").hidden = !isPaused;
    const unskip = end.querySelector(".unskip");
    unskip.hidden = isPaused || !counts.skipped;
    unskip.textContent = `Go back to skipped ${this.data.unit}s`;
  }

  drawCard(card) {
    this.shown = shownOf(card);
    this.isShown = false;
    this.peek(null);
    this.element.querySelector(".card").classList.toggle("object", Boolean(card.whole));
    this.element.querySelector("figcaption").textContent = card.name;
    this.element.querySelector(".question").textContent = card.question;
    this.element.querySelector(".wrong").textContent = card.wrong ?? "";
    this.drawBeside(card);
    this.panelled = null;
    const items = card.reasons.map(({ title, detail }) => Object.assign(made("li", "", title), { title: detail }));
    this.element.querySelector(".reasons").replaceChildren(...items);
    const facts = card.facts.flatMap(([name, value]) => [made("dt", "", name), made("dd", "", value)]);
    this.element.querySelector(".facts").replaceChildren(...facts);
    for (const name of Object.keys(DECISIONS))
      this.element.querySelector(`.answer.${name} span`).textContent = decisionWords(name, card.takes);
    for (const button of this.element.querySelectorAll(".answer"))
      button.hidden = notAnswering(card.takes).some((name) => button.classList.contains(name));
    this.element.querySelector(".answer.another span").textContent = this.takes("name") ? "Type a name" : "Another class";
    this.help.querySelector("dl").replaceChildren(...newKeys(card, this.data.names));
    this.withTwins = false;
    if (!card.twins) this.element.querySelector(".answer.twins").hidden = true;
    const both = bothOf(card);
    if (!both) this.element.querySelector(".answer.either").hidden = true;
    // Where the label is a third class, "rightly both" would leave open which two.
    const isOfTwo = !both || card.label_given === null || both.includes(card.label_given);
    this.element.querySelector(".answer.either span").textContent = isOfTwo ? "Rightly both" : `Rightly ${both[0]} and ${both[1]}`;
    this.element.querySelector(".answer.either").title = both ? `Rightly both ${both[0]} and ${both[1]}` : "";
    this.element.querySelector(".answer.twins span").textContent = `and its ${card.twins}`;
    this.element.querySelector(".answer.back").disabled = !this.before;
  }

  // Of a pair the other picture, as large as the first.
  drawBeside(card) {
    const isPair = this.takes("same");
    this.element.querySelector(".card").classList.toggle("pair", isPair);
    this.element.querySelector(".beside")?.remove();
    if (isPair) this.large.after(newBeside(card.panels[0].near[0], this.isWhole));
  }

  drawState(card) {
    const { decision, label, either, keep, same, verdict } = stateOf(card, this.actions.waiting);
    this.element.querySelector(".answer.same").setAttribute("aria-pressed", String(same === true));
    this.element.querySelector(".answer.other").setAttribute("aria-pressed", String(same === false));
    this.element.querySelector(".own").textContent = ownWords(card, label, either);
    for (const name of Object.keys(DECISIONS)) {
      const isPressed = keep === undefined && decision === name && VERDICTS[verdict]?.decision !== name;
      this.element.querySelector(`.answer.${name}`).setAttribute("aria-pressed", String(isPressed));
    }
    for (const button of this.element.querySelectorAll(".answer.verdict"))
      button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
    this.element.querySelector(".answer.twins").setAttribute("aria-pressed", String(this.withTwins));
    this.drawPanels(card);
    this.drawNames(card);
    for (const choose of this.element.querySelectorAll(".choose"))
      choose.setAttribute("aria-pressed", String(choose.title === label && either === null));
    for (const both of this.element.querySelectorAll(".answer.either"))
      both.setAttribute("aria-pressed", String(either !== null && bothOf(card)?.includes(label) && bothOf(card).includes(either)));
    if (!this.takes("keep")) return;
    this.panels.querySelectorAll(".member").forEach((member, place) => {
      const isKept = (keep ?? card.kept).includes(card.panels[0].near[place].id);
      member.setAttribute("aria-pressed", String(isKept));
    });
  }

  // What is beside the picture, of a pair already drawn; again where other names have a key by now.
  drawPanels(card) {
    const names = namesToChoose(card, this.data.names);
    const key = names.join("\n");
    if (this.panelled === key) return;
    this.panelled = key;
    const panels = this.takes("same") ? [] : panelsInOrder(card, this.data.names);
    const of = { isGroup: this.takes("keep"), given: card.label_given };
    this.panels.replaceChildren(...panels.map((panel) => newPanel(panel, names.indexOf(panel.label) + 1, of)));
    this.beside = panels.flatMap(({ near }) => near);
  }

  // Names with their keys below what is suggested, which has its button above its nearest pictures.
  drawNames(card) {
    const names = namesToChoose(card, this.data.names);
    const drawn = panelsInOrder(card, this.data.names).map(({ label }) => label);
    const others = names.filter((name) => !drawn.includes(name));
    const box = this.element.querySelector(".names");
    box.hidden = !others.length;
    box.replaceChildren(...others.map((name) => newName(name, names.indexOf(name) + 1)));
  }

  loadAhead() {
    const open = this.data.upcoming.filter((position) => position > this.at).slice(0, LOADED_AHEAD);
    const sources = open
      .map((position) => this.cards.get(position))
      .filter(Boolean)
      .flatMap((card) => {
        const isWhole = this.isWholeOf[card.size];
        const near = card.panels.flatMap((panel) => panel.near);
        return [sourceOf(card, isWhole), ...near.map((one) => (card.takes.includes("same") ? sourceOf(one, isWhole) : one.thumbnail))];
      });
    this.loadingAhead = sources.map((source) => Object.assign(new Image(), { src: source }));
  }

  // Another picture in the large one's place, until the next click; null for its own.
  peek(picture) {
    this.peeked = picture;
    const image = this.large.querySelector("img");
    const shown = picture ?? this.card;
    this.large.classList.toggle("peek", picture !== null);
    setSource(image, sourceOf(shown, this.isWhole));
    const button = this.large.querySelector(".context");
    button.hidden = !shown.whole;
    const boxes = this.isWhole && shown.whole ? shown.boxes : [];
    drawLegend(this.large.querySelector(".boxes"), boxes);
    if (!shown.whole) return;
    setSource(button.querySelector("img"), sourceOf(shown, !this.isWhole)); // what the button shows large
    button.querySelector("span").textContent = this.isWhole ? "Crop" : "Whole picture";
    image.alt = this.isWhole ? wholeInWords(boxes) : "The crop of the object";
  }

  get isWhole() {
    return this.isWholeOf[this.card.size];
  }

  // An object in its whole picture, or its crop; small ones and others each stay as they were seen last.
  toggleWhole() {
    this.isWholeOf[this.card.size] = !this.isWhole;
    this.peek(this.peeked);
    this.drawBeside(this.card);
  }

  // Store an answer, or take it back where it is given already; then go on, or stay where more `isAsked`.
  answer(change, words, { isAsked = false } = {}) {
    const { card } = this;
    const now = stateOf(card, this.actions.waiting);
    const isAgain = isSame(change, now) && now.isDone;
    const state = isAgain ? takenBack(change, this.bases.get(card.id)) : change;
    this.send({ id: card.id, ...state, twins: this.withTwins, back: isAgain }, isAgain || isAsked ? this.at : null);
    this.say(isAgain ? `Undone: ${card.name}` : `${words}: ${card.name}${isAsked ? ". Its class is asked still: answer it, or go on with Space" : ""}`);
  }

  // Let the next answer be for the card's twins too, or for it alone again.
  takeTwins() {
    this.withTwins = !this.withTwins && this.card.twins !== "";
    this.drawState(this.card);
  }

  decide(name) {
    const { card } = this;
    if (this.takes("keep")) {
      const ids = card.panels[0].near.map(({ id }) => id);
      this.send({ id: card.id, decision: name, label: null, keep: name === "keep" ? ids : [] }, null);
      this.say(`${DECISIONS[name].word}: all`);
      return;
    }
    const { label, either } = this.bases.get(card.id);
    this.answer({ decision: name, label, either, verdict: null }, DECISIONS[name].word);
  }

  // On the box of an object; a class that was given stays, and is still asked where none was.
  judge(verdict) {
    const { decision, word } = VERDICTS[verdict];
    const { label, either } = stateOf(this.card, this.actions.waiting);
    const isAsked = decision === null && label === null && this.takes("label");
    this.answer({ decision, label, either, verdict }, word, { isAsked });
  }

  // Of a pair: whether both are the same kind of thing; the same answer again takes it back.
  answerPair(same) {
    const { card } = this;
    const isAgain = stateOf(card, this.actions.waiting).same === same;
    this.send({ id: card.id, decision: null, label: null, same: isAgain ? null : same }, isAgain ? this.at : null);
    const words = same ? "The same kind" : "Not the same kind";
    this.say(isAgain ? `Undone: ${card.name}` : `${words}: ${card.name}`);
  }

  name(label) {
    this.typing.hide();
    this.element.focus({ preventScroll: true });
    const { decision, verdict } = stateOf(this.card, this.actions.waiting);
    this.answer({ decision: null, label, either: null, verdict: decision === null ? verdict : null }, label);
  }

  // Rightly both: as a label counts that it was given, where that is one of them.
  both([first, second]) {
    this.typing.hide();
    this.element.focus({ preventScroll: true });
    const { decision, verdict } = stateOf(this.card, this.actions.waiting);
    const [label, either] = this.card.label_given === second ? [second, first] : [first, second];
    this.answer({ decision: null, label, either, verdict: decision === null ? verdict : null }, `Rightly both ${first} and ${second}`);
  }

  // Ask by the list for the first of two classes, then for the other.
  typeBoth() {
    this.typedFor = this.card.id;
    this.firstOfBoth = null;
    this.openList({ noun: "class that it rightly is" });
  }

  choose(number) {
    const { card } = this;
    const name = namesToChoose(card, this.data.names)[number - 1];
    const kept = this.takes("keep") && card.panels[0].near[number - 1];
    if (name) this.name(name);
    if (!kept) return;
    this.send({ id: card.id, decision: null, label: null, keep: [kept.id] }, null);
    this.say(`Kept: ${kept.name}`);
  }

  // One that was answered stays answered.
  skip() {
    const { id, name } = this.card;
    if (stateOf(this.card, this.actions.waiting).isDone) {
      this.visited.push(this.at);
      this.at = this.next(this.at);
      this.tellPlace();
      this.draw();
      return;
    }
    this.send({ id, skip: true }, null);
    this.say(`Skipped: ${name}`);
  }

  // The position before: of those seen here, else the one before in the queue.
  get before() {
    if (this.visited.length) return { position: this.visited.at(-1) };
    const last = this.at < 0 ? this.data.total : this.at;
    const earlier = [...this.cards.keys()].filter((position) => position < last);
    return earlier.length ? { position: Math.max(...earlier) } : null;
  }

  back() {
    const { before } = this;
    if (!before) return;
    this.visited.pop();
    if (this.card) this.ahead.push(this.at);
    this.at = before.position;
    this.tellPlace();
    this.draw();
  }

  // The card after this one: of those that were gone back over, else the next that waits.
  next(from) {
    const left = this.ahead.pop();
    return this.cards.has(left) ? left : nextOpen(this.queue, from);
  }

  // Have the server send the cards around this place, with what it has stored so far.
  tellPlace() {
    this.setStateValue("shown", { review: this.review, at: this.at, stored: this.stored });
  }

  // Take back the latest answer, or give it again, and show its picture; of a skip only the picture.
  step(command) {
    const [from, to] = command === "undo" ? [this.answered, this.takenBack] : [this.takenBack, this.answered];
    const last = from.pop();
    if (last) to.push(last);
    this.at = last?.position ?? this.at;
    this.ahead = [];
    this.refuse("");
    if (last?.isSkip) {
      this.tellPlace();
      this.say(`Back to what was skipped: ${this.card?.name ?? ""}`);
    } else this.unsent.add(this.actions.add({ command }).at(-1));
    this.draw();
  }

  // The server has carried out what was sent, but for what it refused. Undo and redo lead to their picture, unless
  // something was answered since.
  confirm({ refused, stepped }, sent) {
    this.stored = sent.at(-1).sequence;
    for (const { sequence, message } of refused) {
      const action = sent.find((one) => one.sequence === sequence);
      this.actions.waiting = this.actions.waiting.filter((one) => one.sequence !== sequence);
      this.takeBack(action, message);
    }
    if (stepped) {
      if (stepped.position >= 0 && !this.unsent.answers.length) this.at = stepped.position;
      this.ahead = [];
      this.stepped = { words: stepped.words, sequence: this.stored };
    }
    if (refused.length < sent.length) this.tellPlace();
    this.draw();
  }

  // Add an action and go to `to`, by default to the next picture.
  send(action, to) {
    const from = this.at;
    const { decision, label, either, same, verdict, keep = this.takes("keep") ? this.card.kept : null } = stateOf(this.card, this.actions.waiting);
    this.answered.push({ position: from, isSkip: action.skip === true });
    this.takenBack = [];
    this.actions.add({ ...action, position: from });
    if (to === null) this.visited.push(from);
    this.at = to ?? this.next(from);
    this.hasEnded = !countsOf(this.queue).left;
    this.unsent.add({ ...this.actions.waiting.at(-1), before: { decision, label, either, same, verdict, keep } });
    this.refuse("");
    this.draw();
  }

  // An answer that could not be stored: back to its picture, with the reason.
  takeBack({ position }, message) {
    if (this.cards.has(position)) {
      this.at = position;
      this.ahead = [];
      this.visited = this.visited.filter((one) => one !== position);
      this.answered = this.answered.filter((one) => one.position !== position);
    }
    this.refuse(message);
  }

  refuse(message) {
    const box = this.element.querySelector(".refused");
    box.hidden = !message;
    box.textContent = message;
  }

  // To be seen what was done; to be heard also how many are left, and what is asked next.
  say(words) {
    const { left } = countsOf(this.queue);
    this.said.textContent = words;
    this.heard.textContent = `${words}. ${heardNext(left, this.card?.question)}`;
  }

  // A refused answer may have led to another picture meanwhile.
  nameTyped(label) {
    if (this.typedFor !== this.card?.id) this.stopTyping();
    else if (this.firstOfBoth === undefined) this.name(label);
    else if (this.firstOfBoth === null || this.firstOfBoth === label) {
      this.firstOfBoth = label;
      this.openList({ noun: `class besides ${label}` });
    } else this.both([this.firstOfBoth, label]);
  }

  type() {
    this.typedFor = this.card.id;
    this.firstOfBoth = undefined;
    this.openList({ noun: this.takes("name") ? "name" : "class" });
  }

  openList({ noun }) {
    const { shares, are_shares_told: areTold } = this.card;
    this.typing.open(this.data.classes, { noun, shares, areTold, newIs: this.data.new_is });
  }

  stopTyping() {
    this.typing.hide();
    this.element.focus({ preventScroll: true });
  }

  click(event) {
    const button = event.target.closest("button");
    const member = event.target.closest(".member");
    if (!button) return;
    if (button.matches(".keys, .close")) this.help.hidden = !this.help.hidden;
    else if (button.matches(".unskip")) this.unskip();
    else if (button.matches(".go-on")) this.goOn();
    else if (member) this.clickPicture(member);
    else if (button.matches(".choose")) this.ifShown(() => this.choose(Number(button.dataset.number)));
    else if (button.matches(".another")) return this.ifShown(() => this.type());
    else if (button.matches(".either")) this.ifShown(() => this.both(bothOf(this.card)));
    else if (button.matches(".pair")) return this.ifShown(() => this.typeBoth());
    else if (button.matches(".twins")) this.takeTwins();
    else if (button.matches(".same, .other")) this.ifShown(() => this.answerPair(button.matches(".same")));
    else if (button.matches(".verdict")) this.ifShown(() => this.judge(button.dataset.verdict));
    else if (button.matches(".context")) this.toggleWhole();
    else if (button.matches(".skip")) this.skip();
    else if (button.matches(".back")) this.back();
    else for (const name of Object.keys(DECISIONS)) if (button.matches(`.answer.${name}`)) this.ifShown(() => this.decide(name));
    if (event.detail) this.element.focus({ preventScroll: true }); // of a mouse: Space then skips again
  }

  // Of twins the one to keep; others are looked at large, until the next click.
  clickPicture(member) {
    const place = [...this.panels.querySelectorAll(".member")].indexOf(member);
    if (this.takes("keep")) this.ifShown(() => this.choose(place + 1));
    else {
      const picture = this.beside[place];
      this.peek(this.peeked === picture ? null : picture);
    }
  }

  unskip() {
    this.at = WAITS;
    this.unsent.add(this.actions.add({ command: "unskip" }).at(-1));
    this.draw();
  }

  // Where the queue seemed to end and has become longer: first say why.
  pause() {
    this.at = PAUSES;
    this.heard.textContent = this.data.goes_on;
  }

  goOn() {
    this.at = nextOpen(this.queue, -1);
    this.tellPlace();
    this.draw();
  }

  key(event) {
    if (!this.element.isConnected || !this.isOurs(event)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const step = stepOf(event);
    const pressed = key === "e" && event.shiftKey ? "E" : key;
    const done = event.repeat && key !== "Backspace" ? true : this.press(step && !"uy".includes(key) ? step : pressed);
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  }

  // Whether a key is for the review: not in a field, a dialog, or on a button that Space or Enter would press.
  isOurs(event) {
    const isHeld = event.ctrlKey || event.metaKey || event.altKey;
    if (event.isComposing || (isHeld && !stepOf(event))) return false;
    const target = event.composedPath()[0];
    if (isTyped(target)) return false;
    if (target.closest?.("button, a, summary") && (event.key === " " || event.key === "Enter")) return false;
    return !document.querySelector("[role=dialog]:not([hidden])");
  }

  // Carry out a key; returns whether it was one of ours.
  press(key) {
    if (key === "?") this.help.hidden = !this.help.hidden;
    else if (key === "Escape") {
      if (this.help.hidden && !this.large.classList.contains("peek")) return false;
      this.help.hidden = true;
      if (this.card) this.peek(null);
    } else if (key === "Backspace") this.back();
    else if (key === "u" || key === "undo") this.step("undo");
    else if (key === "redo" || (key === "y" && !(this.card && this.takes("same")))) this.step("redo");
    else if (this.at === PAUSES && (key === "Enter" || key === " ")) this.goOn();
    else if (!this.card) return false;
    else if (key === "f") this.element.querySelector(".about").toggleAttribute("open");
    else if (key === " ") this.skip();
    else if (key === "w" && this.card.whole) this.toggleWhole();
    else if (key === "t" && this.takes("twins")) this.takeTwins();
    else {
      const answer = this.answerOf(key);
      if (!answer) return false;
      this.ifShown(answer);
    }
    return true;
  }

  // What a key answers the card; null if nothing.
  answerOf(key) {
    if ("yn".includes(key) && this.takes("same")) return () => this.answerPair(key === "y");
    if (key === "c" && this.takes("label", "name")) return () => this.type();
    if (key === "Enter" && this.takes("name")) return () => this.type();
    const both = bothOf(this.card);
    if (key === "e" && both && this.takes("either")) return () => this.both(both);
    if ("eE".includes(key) && this.takes("either")) return () => this.typeBoth();
    if (/^[1-9]$/.test(key) && this.takes("label", "name", "keep")) return () => this.choose(Number(key));
    if (VERDICT_OF_KEY[key] && this.takes("verdict")) return () => this.judge(VERDICT_OF_KEY[key]);
    if (key in DECISION_OF_KEY && this.takes("decision")) return () => this.decide(DECISION_OF_KEY[key]);
    return null;
  }
}

const mounts = newMounts(
  ".desk",
  (element) => new Desk(element),
  (desk) => desk.stopper.abort(),
);

// Streamlit calls this at every change of data or theme.
export default function show(component) {
  const { drawn: desk, isNew, leave } = mounts(component);
  desk.update(component);
  if (isNew) desk.element.focus({ preventScroll: true });
  return leave;
}
