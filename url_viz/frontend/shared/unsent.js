// Answers on their way to the server: what it has not confirmed stays in the browser, also after its page was left.

const BEGINNING = "url-viz.answers.";
const AGAIN_AFTER_MS = 2_000;
const KEPT_DAYS = 7;
const MOST_KEPT_ALIVE = 60_000; // bytes: a request that outlives its page may be no longer

/**
 * Where answers go: `address` is that of a queue, `desk` the one of them at which it is open; `who` is logged in.
 * @typedef {{address: string, desk: string, who: string}} To
 * @typedef {{sequence: number, once?: string, late?: boolean, id?: string, [more: string]: any}} Answer
 * @typedef {{refused: {sequence: number, message: string}[], stepped: {position: number, words: string} | null}} Reply
 */

// `crypto.randomUUID` is there only where the page came over HTTPS or from this machine.
const newName = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join("");

// None where the browser keeps nothing: every use of it is tried.
function ownStorage() {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

/** Answers of one queue, sent in their order, each until the server has confirmed it. */
export class Unsent {
  /**
   * @param {To} to
   * @param {(reply: Reply, sent: Answer[]) => void} confirmed called whenever some were stored or refused
   * @param {Storage} [storage] where they wait for another page
   */
  constructor(to, confirmed, storage = ownStorage()) {
    Object.assign(this, { to, confirmed, storage });
    this.name = BEGINNING + newName();
    /** @type {Answer[]} */
    this.answers = [];
    this.isSending = false;
    globalThis.addEventListener?.("pagehide", () => this.answers.length && this.post().catch(() => {}));
  }

  /** @param {Answer[]} answers of this page, or with their `once` of another one */
  add(...answers) {
    this.answers.push(...answers.map((answer) => ({ once: newName(), ...answer })));
    this.keep();
    this.send();
  }

  keep() {
    try {
      if (this.answers.length) this.storage.setItem(this.name, JSON.stringify({ ...this.to, at: Date.now(), answers: this.answers }));
      else this.storage.removeItem(this.name);
    } catch {
      // No storage, or a full one: they are sent all the same, as long as this page is there.
    }
  }

  async send() {
    if (this.isSending || !this.answers.length) return;
    this.isSending = true;
    const count = this.answers.length;
    const reply = await this.post().catch(() => null);
    this.isSending = false;
    if (!reply) {
      // Others may have answered in the meantime: the server takes a late answer only where none has.
      this.answers = this.answers.map((answer, place) => (place < count ? { ...answer, late: true } : answer));
      setTimeout(() => this.send(), AGAIN_AFTER_MS);
      return;
    }
    const sent = this.answers.splice(0, count);
    this.keep();
    this.confirmed(reply, sent);
    this.send();
  }

  /** @returns {Promise<Reply | null>} null where the server could not take them now */
  async post() {
    const body = JSON.stringify({ answers: this.answers });
    const { address, desk } = this.to;
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, keepalive: body.length < MOST_KEPT_ALIVE };
    const response = await fetch(`${address}${address.includes("?") ? "&" : "?"}desk=${desk}`, { ...options, body });
    if (response.status === 410) return { refused: [], stepped: null }; // nothing is left that they could be about
    return response.ok ? response.json() : null;
  }
}

/**
 * Answers that no page has seen confirmed, as late ones; from now on they are those of who asks.
 * @param {{address?: string, who: string}} wanted of one queue, else of all
 * @param {Storage} [storage]
 * @returns {{to: To, answers: Answer[]}[]}
 */
export function takeLeftBehind({ address, who }, storage = ownStorage()) {
  const found = [];
  try {
    for (const name of Object.keys(storage).filter((one) => one.startsWith(BEGINNING))) {
      const { answers, at, ...to } = JSON.parse(storage.getItem(name));
      const isOld = Date.now() - at > KEPT_DAYS * 86_400_000;
      if (!isOld && (to.who !== who || (address ?? to.address) !== to.address)) continue;
      storage.removeItem(name);
      if (!isOld) found.push({ to, answers: answers.map((answer) => ({ ...answer, late: true })) });
    }
  } catch {
    // No storage: nothing was left in it.
  }
  return found;
}
