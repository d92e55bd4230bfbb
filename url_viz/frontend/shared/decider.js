// What is decided in a gallery or a grid: the waiting actions, and the pictures that undo and redo lead back to.

import { Actions } from "./actions.js";

/** @import { Action } from "./actions.js" */

export class Decider {
  constructor() {
    this.actions = new Actions();
    this.decidedHere = []; // ids, so that undo can focus the picture
    this.undoneHere = [];
  }

  /** @returns {Map<string, string | null>} the decisions that wait, by id */
  get decided() {
    return this.actions.decided;
  }

  /** As `Actions.taken`. @param {number} upTo @returns {Map<string, string | null>} */
  taken(upTo) {
    return this.actions.taken(upTo);
  }

  /**
   * @param {string[]} ids whose mark shows at once
   * @param {string | null} decision null clears it
   * @param {object} what names the pictures to the server
   * @param {string} focused the picture that undo leads back to
   * @returns {Action[]} what to send
   */
  decide(ids, decision, what, focused) {
    this.decidedHere.push(focused);
    this.undoneHere.length = 0;
    return this.actions.add({ ...what, decision }, ids);
  }

  /**
   * @param {"undo" | "redo"} command
   * @returns {{actions: Action[], id: string | undefined}} what to send, and the picture it leads to
   */
  command(command) {
    const [from, to] = command === "undo" ? [this.decidedHere, this.undoneHere] : [this.undoneHere, this.decidedHere];
    const id = from.pop();
    if (id !== undefined) to.push(id);
    return { actions: this.actions.add({ command }), id };
  }
}
