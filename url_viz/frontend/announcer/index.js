// What has changed on the page, to people who hear it: one live region for all pages, which none of them takes away.

import { heard } from "./heard.js";

const REGION = "url-viz-announced";
const STAYS_MS = 10_000;
const UNSEEN = "position: fixed; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;";

// Beside all else in the body: what is hidden while a dialog is open leaves out what has this attribute.
function newRegion() {
  const region = Object.assign(document.createElement("div"), { id: REGION });
  const attributes = { role: "status", "aria-live": "polite", "aria-atomic": "false", "data-live-announcer": "true" };
  for (const [name, value] of Object.entries(attributes)) region.setAttribute(name, value);
  region.style.cssText = UNSEEN;
  document.body.append(region);
  return region;
}

function say(words) {
  const region = document.getElementById(REGION) ?? newRegion();
  const line = Object.assign(document.createElement("p"), { textContent: words });
  region.append(line);
  setTimeout(() => line.remove(), STAYS_MS);
}

let known = {}; // subject → what was said of it last

// Streamlit calls this at every change of data or theme.
export default function show({ data }) {
  const { said, now } = heard(known, data.words);
  known = now;
  said.forEach(say);
}
