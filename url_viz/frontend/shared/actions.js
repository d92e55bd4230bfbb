// The queue of actions that the server has not confirmed, for every component that decides.

/**
 * What the user did: at least its number, and mostly the id of a picture or a command.
 * @typedef {{sequence: number, id?: string, decision?: string | null, command?: string, [more: string]: any}} Action
 */

let lastSequence = 0; // rises during the life of a page, even if a gallery is removed and added again

/** @returns {number} a number above all before it, those of the page before a reload too */
export function nextSequence() {
  lastSequence = Math.max(lastSequence + 1, Date.now());
  return lastSequence;
}

/**
 * The queue of unconfirmed actions. Every action has a number, and is sent with all those before it until the server
 * confirms it: runs of the script overtake each other, and the next one handles what an earlier one missed.
 */
export class Actions {
  constructor() {
    /** @type {Action[]} */
    this.waiting = [];
    /** @type {WeakMap<Action, string[]>} the pictures of an action, of which the server is told in fewer words */
    this.idsOf = new WeakMap();
  }

  /**
   * @param {Omit<Action, "sequence">} action
   * @param {string[]} [ids] whose decision it is: that of the action, if nothing is said
   * @returns {Action[]} all that wait, with this one as the last
   */
  add(action, ids) {
    const added = { sequence: nextSequence(), ...action };
    this.waiting = [...this.waiting, added];
    if (ids) this.idsOf.set(added, ids);
    return this.waiting;
  }

  /**
   * @param {number} upTo the number up to which the server handled them
   * @returns {Map<string, string | null>} what these decided, by picture id
   */
  taken(upTo) {
    const decided = this.decidedUpTo(upTo);
    this.waiting = this.waiting.filter(({ sequence }) => sequence > upTo);
    return decided;
  }

  /** @returns {Map<string, string | null>} the decisions of the waiting actions by picture id, with undo and redo applied */
  get decided() {
    return this.decidedUpTo(Infinity);
  }

  /** @param {number} upTo the number of an action: those after it count for nothing */
  decidedUpTo(upTo) {
    const done = [];
    const undone = [];
    for (const action of this.waiting.filter(({ sequence }) => sequence <= upTo)) {
      if (action.command === "undo") undone.push(...done.splice(-1));
      else if (action.command === "redo") done.push(...undone.splice(-1));
      else {
        done.push(action);
        undone.length = 0;
      }
    }
    const pairsOf = (action) => (this.idsOf.get(action) ?? [action.id]).map((id) => [id, action.decision]);
    return new Map(done.flatMap(pairsOf));
  }
}
