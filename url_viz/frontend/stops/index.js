// Fewer Tab stops before what a page is about: one for the menu of pages, and a link past all of them to the pictures.

import { rove } from "../shared/roving.js";

const MENU = "[data-testid=stSidebarNavItems]";
const COMPONENTS = "[data-testid=stMain] [data-testid=stBidiComponentIsolated]";
const LINK = "url-viz-to-pictures";
const UNSEEN = "position: fixed; top: 0; left: 0; z-index: 9999999; padding: 8px 14px; transform: translateY(-120%);";
const SEEN = UNSEEN.replace("-120%", "0").concat(" background: Canvas; color: LinkText; outline: 2px solid Highlight;");

let [menu, settle] = [null, null];

// The menu as it is now: Streamlit may have drawn another one, or gone to another page.
function roveMenu() {
  const now = document.querySelector(MENU);
  if (now && now !== menu) [menu, settle] = [now, rove(now, "a", new AbortController().signal)];
  else settle?.();
}

function firstTile() {
  const roots = [...document.querySelectorAll(COMPONENTS)].map((host) => host.shadowRoot);
  return roots.map((root) => root?.querySelector(".tile[tabindex='0']")).find((tile) => tile?.checkVisibility());
}

function newLink() {
  const link = Object.assign(document.createElement("a"), { id: LINK, href: "#stMain", textContent: "Skip to the pictures" });
  link.style.cssText = UNSEEN;
  link.addEventListener("focus", () => (link.style.cssText = SEEN));
  link.addEventListener("blur", () => (link.style.cssText = UNSEEN));
  link.addEventListener("click", (event) => {
    event.preventDefault();
    firstTile()?.focus();
  });
  document.body.prepend(link);
  return link;
}

const FOCUSABLE = "[tabindex='0'], a[href], button:not([tabindex='-1'], :disabled), input:not([tabindex='-1'], :disabled)";
const OPEN_POPOVER = "[data-testid=stPopoverButton][aria-expanded=true]";

const firstIn = (root) => [...(root?.querySelectorAll(FOCUSABLE) ?? [])].find((one) => one.checkVisibility());

// A dialog leads Tab round what it holds, and sees no further than our components, each of which has one stop at most.
function openComponents() {
  for (const host of document.querySelectorAll("[role=dialog] [data-testid=stBidiComponentIsolated]")) {
    if (host.tabIndex === 0 || !firstIn(host.shadowRoot)) continue;
    host.tabIndex = 0;
    host.addEventListener("focus", () => host.shadowRoot.activeElement ?? firstIn(host.shadowRoot)?.focus());
  }
}

// What a popover holds is at the end of the page: Tab leads from its button into it.
function enterPopover(event) {
  const into = document.activeElement?.matches(OPEN_POPOVER) && firstIn(document.querySelector("[data-testid=stPopoverBody]"));
  if (!into || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  into.focus();
}

// Just before the focus moves: pictures come and go without this component.
function onTab(event) {
  if (event.key !== "Tab") return;
  roveMenu();
  openComponents();
  enterPopover(event);
  const link = document.getElementById(LINK) ?? newLink();
  link.hidden = !firstTile();
}

// Streamlit calls this at every change of data or theme.
export default function show() {
  window.addEventListener("keydown", onTab, { capture: true });
  roveMenu();
}
