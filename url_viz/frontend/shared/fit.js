// A component as high as the window has room for below its top, so that it stays in sight while it scrolls inside.

const MARGIN_PX = 20;
const NARROW_PX = 640; // below this the page's columns stand one below the other

/**
 * @param {object} of
 * @param {number} of.top the element's top, in pixels from the top of the page
 * @param {number} of.windowHeight
 * @param {number} of.windowWidth
 * @param {{least: number, share: number}} options least height; share of a narrow window's height
 * @returns {number} the height in pixels
 */
export function fittingHeight({ top, windowHeight, windowWidth }, { least, share }) {
  if (windowWidth < NARROW_PX) return Math.max(least, Math.round(windowHeight * share));
  return Math.max(least, Math.round(windowHeight - top - MARGIN_PX));
}

/**
 * Keep an element's height fitting while the window or what is above it changes.
 * @param {HTMLElement} element
 * @param {object} options
 * @param {number} options.least
 * @param {number} options.share
 * @param {"height" | "maxHeight"} [options.side] "maxHeight" for what may be lower
 * @param {AbortSignal} options.signal
 */
export function keepFitting(element, { least, share, side = "height", signal }) {
  const host = element.getRootNode().host ?? element;
  const page = host.closest('[data-testid="stMain"]');
  const fit = () => {
    const top = host.getBoundingClientRect().top + (page ? page.scrollTop - page.getBoundingClientRect().top : 0);
    const { innerHeight: windowHeight, innerWidth: windowWidth } = window;
    element.style[side] = `${fittingHeight({ top, windowHeight, windowWidth }, { least, share })}px`;
  };
  const observer = new ResizeObserver(fit);
  observer.observe(host.closest('[data-testid="stMainBlockContainer"]') ?? document.body);
  window.addEventListener("resize", fit, { signal });
  signal.addEventListener("abort", () => observer.disconnect());
  fit();
}
