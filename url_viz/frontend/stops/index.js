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

// Just before the focus moves: pictures come and go without this component.
function onTab({ key }) {
  if (key !== "Tab") return;
  roveMenu();
  const link = document.getElementById(LINK) ?? newLink();
  link.hidden = !firstTile();
}

// Streamlit calls this at every change of data or theme.
export default function show() {
  window.addEventListener("keydown", onTab, { capture: true });
  roveMenu();
}
