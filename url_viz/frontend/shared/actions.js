// For every component that decides: decision icons, which differ in shape as well as in colour, and the queue of actions
// that the server has not confirmed.

const DECISIONS = {
  keep: { word: "Keep", key: "k", path: "M3.5 8.5 6.5 11.5 12.5 4.5" },
  drop: { word: "Drop", key: "d", path: "M4 4 12 12M12 4 4 12" },
  "look-again": { word: "Look again", key: "l", path: "M5.6 6.2a2.4 2.4 0 1 1 3.6 2c-.8.5-1.2.9-1.2 1.7M8 12.4v.1" },
};
const DECISION_OF_KEY = Object.fromEntries(Object.entries(DECISIONS).map(([name, { key }]) => [key, name]));

function newIcon(path) {
  const space = "http://www.w3.org/2000/svg";
  const icon = document.createElementNS(space, "svg");
  icon.setAttribute("viewBox", "0 0 16 16");
  icon.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  icon.append(line);
  return icon;
}

let lastSequence = 0; // rises during the life of a page, even if a gallery is removed and added again

// The queue of unconfirmed actions. Every action has a number, and is sent with all those before it until the server
// confirms it: runs of the script overtake each other, and the next one handles what an earlier one missed.
class Actions {
  constructor() {
    this.waiting = [];
  }

  add(action) {
    lastSequence = Math.max(lastSequence + 1, Date.now());
    this.waiting = [...this.waiting, { sequence: lastSequence, ...action }];
    return this.waiting;
  }

  taken(upTo) {
    this.waiting = this.waiting.filter(({ sequence }) => sequence > upTo);
  }

  // The decisions of the waiting actions by picture id, with their undo and redo applied.
  get decided() {
    const done = [];
    const undone = [];
    for (const action of this.waiting) {
      if (action.command === "undo") undone.push(...done.splice(-1));
      else if (action.command === "redo") done.push(...undone.splice(-1));
      else {
        done.push(action);
        undone.length = 0;
      }
    }
    return new Map(done.map(({ id, decision }) => [id, decision]));
  }
}
