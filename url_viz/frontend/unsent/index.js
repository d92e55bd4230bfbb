// On every page: answers of a review that the page before could not send, or has not seen confirmed, are sent again.

import { nextSequence } from "../shared/actions.js";
import { Unsent, takeLeftBehind } from "../shared/unsent.js";

let tell = null; // how the page now on screen hears of them
let isFirst = true; // a page that is left by the menu alone goes on sending

// Streamlit calls this at every change of data or theme.
export default function listen({ data, setStateValue }) {
  tell = setStateValue;
  if (!isFirst) return;
  isFirst = false;
  const confirmed = ({ refused }) => tell("sent", { sequence: nextSequence(), refused: refused.map(({ message }) => message) });
  for (const { to, answers } of takeLeftBehind({ who: data.who })) new Unsent(to, confirmed).add(...answers);
}
