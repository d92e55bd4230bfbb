// Which keys mean what, wherever they are pressed.

const UNTYPED = ["checkbox", "radio", "range", "button", "submit", "reset", "file", "color", "image"];
const FIELDS = `input:not(${UNTYPED.map((type) => `[type=${type}]`).join(", ")}), textarea, select, [contenteditable=true], [role=listbox], [role=combobox]`;

/** @param {EventTarget} target @returns {boolean} whether it takes letters as text, so that they mean nothing else there */
export function isTyped(target) {
  return Boolean(target.closest?.(FIELDS));
}

/**
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} event
 * @returns {"undo" | "redo" | null} u and Ctrl+Z, y and Ctrl+Shift+Z
 */
export function stepOf({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  if (altKey) return null;
  const letter = key.toLowerCase();
  if (ctrlKey || metaKey) return letter === "z" ? (shiftKey ? "redo" : "undo") : null;
  if (letter === "u") return shiftKey ? "redo" : "undo";
  return letter === "y" ? "redo" : null;
}

/** @returns {boolean} whether no element has the focus, and no dialog is open: one that closes leaves it so */
export function isFocusNowhere() {
  return document.activeElement === document.body && !document.querySelector('[role="dialog"]');
}

/**
 * Call back whenever a dialog has opened or closed: Streamlit puts them into the body.
 * @param {() => void} change
 * @param {AbortSignal} signal
 */
export function watchDialogs(change, signal) {
  const observer = new MutationObserver(change);
  observer.observe(document.body, { childList: true });
  signal.addEventListener("abort", () => observer.disconnect());
}
