// What a component draws in each of Streamlit's roots, from the first call until the root has left the page.

/**
 * Streamlit calls a component at every change of its data or of the theme. What it gets back it calls once the root has
 * left the page, and also at once where the next change came before the module was there: the root stays then, and so must
 * what is drawn in it, with all that the user does there.
 *
 * @template {{element: Element}} T
 * @param {string} selector of our element in a root
 * @param {(element: Element, component: any) => T} make
 * @param {(drawn: T) => void} end
 * @returns {(component: any) => {drawn: T, isNew: boolean, leave: () => void}} `leave` is for Streamlit
 */
export function newMounts(selector, make, end) {
  const kept = new WeakMap(); // root → what is drawn in it
  return (component) => {
    const root = component.parentElement;
    const element = root.querySelector(selector);
    const before = kept.get(root);
    const isNew = before?.element !== element;
    if (isNew && before) end(before);
    const drawn = isNew ? make(element, component) : before;
    kept.set(root, drawn);
    const leave = () => {
      if (element.isConnected || kept.get(root) !== drawn) return;
      end(drawn);
      kept.delete(root);
    };
    return { drawn, isNew, leave };
  };
}
