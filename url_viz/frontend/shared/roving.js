// Groups of buttons with one Tab stop, in which arrow keys move.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, Home: -Infinity, End: Infinity };

/**
 * @param {string} key
 * @param {number} at place among the buttons
 * @param {number} count of buttons
 * @returns {number | null} the place that a key leads to, from the last to the first too; null where it leads nowhere
 */
export function placeAfter(key, at, count) {
  const step = STEPS[key];
  if (!step || !count) return null;
  if (!Number.isFinite(step)) return step < 0 ? 0 : count - 1;
  return (at + step + count) % count;
}

/**
 * Give a group one Tab stop: the button that had the focus last, at first the one that is pressed, else the first.
 * @param {Element} group
 * @param {string} selector of its buttons; those that are hidden or disabled are passed over
 * @param {AbortSignal} signal
 * @returns {() => void} to be called once buttons have come, gone or been pressed
 */
export function rove(group, selector, signal) {
  const buttons = () => [...group.querySelectorAll(selector)].filter((button) => !button.hidden && !button.disabled);
  let last = null;
  const settle = () => {
    const all = buttons();
    const stop = [last, ...all.filter((one) => one.matches("[aria-pressed=true], [aria-current]")), all[0]].find((one) => all.includes(one));
    for (const one of group.querySelectorAll(selector)) one.tabIndex = one === stop ? 0 : -1;
  };
  const enter = ({ target }) => {
    last = target.closest(selector) ?? last;
    settle();
  };
  const press = (event) => {
    const all = buttons();
    const isHeld = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
    const to = isHeld ? null : placeAfter(event.key, all.indexOf(event.target.closest(selector)), all.length);
    if (to === null || !event.target.closest(selector)) return;
    event.preventDefault();
    event.stopPropagation();
    all[to].focus();
  };
  group.addEventListener("focusin", enter, { signal });
  group.addEventListener("keydown", press, { signal });
  settle();
  return settle;
}
