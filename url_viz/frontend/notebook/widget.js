// The map and the grid of Explore in a notebook: what they fetch comes over the kernel's channel, not from a server.

const HEIGHT_PX = 560;
// What Streamlit gives its components, of the themes of JupyterLab and VS Code.
const THEME = `
  --st-background-color: var(--jp-layout-color0, var(--vscode-editor-background, white));
  --st-secondary-background-color: var(--jp-layout-color2, var(--vscode-editorWidget-background, #f0f2f6));
  --st-text-color: var(--jp-ui-font-color0, var(--vscode-editor-foreground, #222));
  --st-primary-color: var(--jp-brand-color1, var(--vscode-focusBorder, royalblue));
  --st-font: var(--jp-ui-font-family, var(--vscode-font-family, sans-serif));
  --st-code-font: var(--jp-code-font-family, var(--vscode-editor-font-family, monospace));
  --st-base-radius: 6px;`;
const LAYOUT = `
  .url-viz { display: flex; gap: 12px; height: ${HEIGHT_PX}px; ${THEME} }
  .url-viz > div { flex: 1 1 0; min-width: 0; }
  .url-viz > [hidden] { display: none; }
  .url-viz-said { margin: 4px 0 0; }`;
const INSIDE = `.grid-view { height: ${HEIGHT_PX}px !important; }`;

/**
 * A function like `fetch` that asks Python, and is answered with the bytes that a route of the app answers.
 * @param {any} model of anywidget
 * @returns {(url: string, options?: {signal?: AbortSignal}) => Promise<Response>}
 */
export function channelOf(model) {
  const view = Math.random().toString(36).slice(2); // another view of the same widget hears the same answers
  const waiting = new Map();
  model.on("msg:custom", ({ kind, number, status }, buffers) => {
    if (kind !== "answer" || !waiting.has(number)) return;
    waiting.get(number)(new Response(buffers[0], { status }));
    waiting.delete(number);
  });
  let last = 0;
  return (url, { signal } = {}) =>
    new Promise((resolve, reject) => {
      const number = `${view} ${++last}`;
      waiting.set(number, resolve);
      signal?.addEventListener("abort", () => waiting.delete(number) && reject(signal.reason));
      model.send({ kind: "fetch", number, url });
    });
}

/**
 * @param {{model: any, el: HTMLElement}} context of anywidget
 * @param {Record<string, {html: string, css: string, make: (fetch: any) => (component: any) => any}>} parts map and grid
 * @returns {() => void} what ends it
 */
export function draw({ model, el }, parts) {
  const fetch = channelOf(model);
  const box = Object.assign(document.createElement("div"), { className: "url-viz" });
  const said = Object.assign(document.createElement("p"), { className: "url-viz-said" });
  said.setAttribute("role", "status");
  el.append(Object.assign(document.createElement("style"), { textContent: LAYOUT }), box, said);
  const drawn = Object.entries(parts).map(([part, { html, css, make }]) => {
    const host = box.appendChild(document.createElement("div"));
    const parentElement = host.attachShadow({ mode: "open" });
    parentElement.innerHTML = `<style>${css}${INSIDE}</style><div><div>${html}</div></div>`;
    const tell = (name, value) => model.send({ kind: "state", name, value });
    return { part, host, parentElement, setStateValue: tell, setTriggerValue: tell, show: make(fetch) };
  });
  let data = null;
  let leave = [];
  const show = () => {
    if (!data) return;
    drawn.find(({ part }) => part === "map").host.hidden = data.grid.is_wide;
    leave = drawn.map((one) => one.show({ ...one, data: data[one.part] }));
  };
  const listen = (content) => {
    if (content.kind !== "data") return;
    ({ data } = content);
    said.textContent = content.said;
    show();
  };
  model.on("msg:custom", listen);
  const theme = new MutationObserver(show);
  theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-name", "data-vscode-theme-kind"] });
  model.send({ kind: "hello" });
  return () => {
    model.off("msg:custom", listen);
    theme.disconnect();
    el.replaceChildren();
    for (const end of leave) end();
  };
}
