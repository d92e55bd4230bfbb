// What a user sets in a component, such as a lasso: each setting has the number of when it was set.

import { nextSequence } from "./actions.js";

/**
 * What the user has set stays until Python has taken it, by its number; after that the page may change it, too. So neither
 * an answer that is late, nor a message with what was set before the page changed it, undoes anything.
 */
export class Settings {
  constructor() {
    /** @type {Record<string, number>} */
    this.told = {};
  }

  /** @param {string} name @param {any} value @returns {{sequence: number, value: any}} what to send */
  tell(name, value) {
    this.told[name] = nextSequence();
    return { sequence: this.told[name], value };
  }

  /** @param {string} name @param {Record<string, number>} taken by Python @returns {boolean} whether the page has its way */
  isTaken(name, taken) {
    return !(this.told[name] > (taken[name] ?? 0));
  }
}
