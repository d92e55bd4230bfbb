// The queue of a review as the browser sees it: the server's cards, and the answers that it has not confirmed.

/**
 * @import { Action } from "../shared/actions.js"
 *
 * What of a card its state is told from (`_drawn` in url_viz/ui/review/desk.py); `given` is the label somebody gave.
 * @typedef {object} Card
 * @property {string} id
 * @property {string[]} [takes] what answers it (`AnswerKind` in url_viz/review/cards.py)
 * @property {string | null} decision
 * @property {string | null} given
 * @property {string | null} [either] the class that it rightly is besides `given`
 * @property {boolean} is_done
 * @property {boolean} is_skipped
 * @property {boolean | null} [same] of a pair, what was answered
 * @property {string | null} [verdict] on the box of an object
 *
 * @typedef {object} State
 * @property {string | null} decision
 * @property {string | null} label
 * @property {string | null} either the class that it rightly is besides
 * @property {boolean} isDone
 * @property {boolean} isSkipped
 * @property {string[]} [keep] ids of the pictures to keep
 * @property {boolean | null} same of a pair, whether both are the same kind
 * @property {string | null} verdict on the box of an object
 *
 * @typedef {object} Queue
 * @property {number} total
 * @property {number} done as the server counts
 * @property {number} skipped as the server counts
 * @property {number[]} upcoming positions of cards that wait for an answer, the next first
 * @property {Map<number, Card>} cards some of them, by position
 * @property {Action[]} waiting
 *
 * @typedef {{done: number, skipped: number, left: number, total: number}} Counts
 */

export const WAITS = -1; // a position: the next one is not here yet, or whether there is one is not known
export const PAUSES = -2; // a position: the queue has become longer at its end

/** @param {Action[]} waiting @returns {Action[]} those that stand once undo and redo are applied, which count for none */
export function standing(waiting) {
  const stand = [];
  const undone = [];
  const isAnswer = ({ id, skip }) => id !== undefined && !skip;
  for (const action of waiting) {
    const last = stand.findLastIndex(isAnswer);
    if (action.command === "undo") undone.push(...(last < 0 ? [] : stand.splice(last, 1)));
    else if (action.command === "redo") stand.push(...undone.splice(-1));
    else stand.push(action);
    if (isAnswer(action)) undone.length = 0;
  }
  return stand;
}

/**
 * @param {Card} card
 * @param {Action[]} waiting
 * @returns {State} as answered here, the server's where nothing waits
 */
export function stateOf(card, waiting) {
  const answer = standing(waiting)
    .filter(({ id }) => id === card.id)
    .at(-1);
  const { decision: decided, given, is_done: isDone, is_skipped: isSkipped } = card;
  const server = { decision: decided, label: given, either: card.either ?? null, isDone, isSkipped, same: card.same ?? null, verdict: card.verdict ?? null };
  if (!answer) return server;
  if (answer.skip) return { ...server, isSkipped: true };
  const { decision, label, either = null, keep, same = null, verdict = null } = answer;
  const isAnswered = keep !== undefined || [decision, label, same, verdict].some((said) => said !== null);
  return { decision, label, either, isDone: isAnswered, isSkipped: false, keep, same, verdict };
}

/**
 * @typedef {{decision: string | null, label: string | null, either: string | null, verdict: string | null}} Judgement
 *
 * @param {Judgement} answer
 * @param {Judgement} before what stood on the picture when the review first showed it
 * @returns {Judgement} what stands once the answer is taken back: what stood before, or less by what the answer only repeats
 */
export function takenBack(answer, before) {
  if (!isSame(answer, before)) return { ...before };
  const isOfLabel = answer.decision === null && answer.verdict === null;
  const { label, either } = isOfLabel ? { label: null, either: null } : answer;
  return { decision: null, label, either, verdict: null };
}

/** @param {Judgement} one @param {Judgement} other @returns {boolean} */
export function isSame(one, other) {
  return ["decision", "label", "either", "verdict"].every((part) => (one[part] ?? null) === (other[part] ?? null));
}

/**
 * @param {Queue} queue
 * @param {number} from a position
 * @returns {number} the first position after it that waits for an answer, else the first of all; `total` if there is none,
 *   WAITS if its card is not here, or the server has yet to say that no other follows the last answer
 */
export function nextOpen(queue, from) {
  const { cards, upcoming, waiting, total } = queue;
  const isOpen = (position) => {
    if (!cards.has(position)) return false;
    const { isDone, isSkipped } = stateOf(cards.get(position), waiting);
    return !isDone && !isSkipped;
  };
  const answered = new Set(waiting.map(({ id }) => id));
  const isTakenBack = (position) => position < total && !upcoming.includes(position) && answered.has(cards.get(position).id);
  const takenBack = [...cards.keys()].filter((position) => isTakenBack(position) && isOpen(position)).sort((a, b) => a - b);
  const open = upcoming.filter(isOpen);
  const later = [open, takenBack].flatMap((some) => some.find((position) => position > from) ?? []);
  if (later.length) return Math.min(...later);
  if (open.length || takenBack.length) return open[0] ?? takenBack[0];
  return countsOf(queue).left > 0 || waiting.length > 0 ? WAITS : total;
}

/**
 * @param {Queue} queue it may have ended since before cards that were sent
 * @param {number} position
 * @returns {Card | undefined} the card there; none at the end, and beyond it
 */
export function cardAt({ cards, total }, position) {
  return position < total ? cards.get(position) : undefined;
}

/** @param {Queue} queue @returns {Counts} with the answers that wait, of which some may be to cards that it ends before */
export function countsOf({ waiting, cards, total, done, skipped }) {
  for (const answered of new Set(waiting.map(({ id }) => id))) {
    const card = [...cards.values()].find(({ id }) => id === answered);
    if (!card) continue;
    const { isDone, isSkipped } = stateOf(card, waiting);
    done += Number(isDone) - Number(card.is_done);
    skipped += Number(isSkipped && !isDone) - Number(card.is_skipped && !card.is_done);
  }
  const left = Math.max(0, total - done - skipped);
  return { done, skipped, left, total: done + skipped + left };
}

/** @param {Counts} counts @returns {string} */
export function countsInWords({ done, skipped, left, total }) {
  const words = [`${left.toLocaleString("en")} left`, `${done.toLocaleString("en")} done`];
  if (skipped) words.push(`${skipped.toLocaleString("en")} skipped`);
  return `${words.join(" · ")} of ${total.toLocaleString("en")}`;
}

/**
 * @param {number} left
 * @param {string} [question] of the next picture, if there is one
 * @returns {string} what is said after each answer to people who hear the page
 */
export function heardNext(left, question) {
  return left ? `${left.toLocaleString("en")} left. ${question ?? ""}`.trim() : "None left.";
}

/**
 * @param {Counts} counts of a queue that waits for no answer
 * @param {string} unit "picture" or "object"
 * @returns {string}
 */
export function endInWords({ done, skipped, total }, unit) {
  if (skipped) return `${done.toLocaleString("en")} done, ${skipped.toLocaleString("en")} skipped.`;
  if (total > 1) return `All ${total.toLocaleString("en")} ${unit}s are done.`;
  return total ? `The ${unit} is done.` : "Nothing left to review.";
}
