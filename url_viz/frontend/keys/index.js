// Keys of every page: undo and redo; and letters, which a switch or a box to tick swallows while it has the focus.

import { Actions } from "../shared/actions.js";
import { isTyped, stepOf } from "../shared/keyboard.js";

const actions = new Actions();
let tell = null; // how the page now on screen takes the actions

// A letter or an arrow that is pressed on a switch, which has no use for it: Streamlit hears it as if pressed beside it.
function onEarly(event) {
  const target = event.composedPath()[0];
  const { key, keyCode, ctrlKey, metaKey, altKey, shiftKey } = event;
  if (!event.isTrusted || ctrlKey || metaKey || altKey || !/^([a-z0-9]|Arrow\w+)$/i.test(key)) return;
  if (!target.matches?.("input") || isTyped(target)) return;
  if (key.startsWith("Arrow") && !target.matches("[type=checkbox]")) return; // what else moves by arrows
  event.preventDefault();
  event.stopImmediatePropagation();
  const said = { key, keyCode, shiftKey, bubbles: true, composed: true, cancelable: true };
  target.parentElement.dispatchEvent(new KeyboardEvent("keydown", said));
  target.parentElement.dispatchEvent(new KeyboardEvent("keyup", said)); // else Streamlit takes it for held down
}

// Where no gallery, grid or review has taken it as its own.
function onKey(event) {
  const step = stepOf(event);
  if (!step || event.defaultPrevented || event.repeat || isTyped(event.composedPath()[0]) || !tell) return;
  event.preventDefault();
  tell("actions", actions.add({ command: step }));
}

let calls = 0;

// Streamlit calls this at every change of data or theme, and what it gets back once the root has left the page (that of a
// call that was overtaken at once: the next one still listens).
export default function listen({ data, setStateValue }) {
  const call = ++calls;
  tell = setStateValue;
  actions.taken(data.taken);
  window.addEventListener("keydown", onEarly, { capture: true });
  window.addEventListener("keydown", onKey);
  return () => {
    if (call !== calls) return;
    tell = null;
    window.removeEventListener("keydown", onEarly, { capture: true });
    window.removeEventListener("keydown", onKey);
  };
}
