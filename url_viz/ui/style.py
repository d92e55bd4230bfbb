"""CSS rules for which Streamlit's theme has no setting: smaller margins, tighter headings."""

from pathlib import Path

import streamlit as st

ICON = Path(__file__).parent / "icon.png"
"""The page's icon as a local file: one named `:material/…:` would be fetched from a font server."""

_RULES = """
<style>
[data-testid="stMainBlockContainer"] { padding: 1.6rem 2rem 2rem; max-width: 2200px; }
[data-testid="stSidebarHeader"] { height: 2.6rem; margin-bottom: 0; }
:is(a, button, summary, [role="tab"], [tabindex="0"]):focus-visible { outline: 2px solid Highlight !important; }
[data-testid="stSidebarNavLinkContainer"] { margin-block: -2px; }
.st-key-set_menu { gap: .3rem; }
.st-key-set_menu button { min-height: 2rem; padding-block: 0; }
[data-testid="stButtonGroup"] button[data-selected="true"] { color: inherit !important; }
[role="tab"] p { color: var(--st-text-color, CanvasText); }
[role="tab"][aria-selected="true"] p { font-weight: 600; }
[data-testid="stSidebarUserContent"] { padding-top: .4rem; }
[data-testid="stSidebarUserContent"] > div > [data-testid="stVerticalBlock"],
[data-testid="stSidebarUserContent"] > [data-testid="stVerticalBlock"] { gap: .6rem; }
[data-testid="stHeader"] { background: transparent; height: 1.6rem; }
[data-testid="stHeading"] :is(h1, h2, h3) { padding: 0; letter-spacing: normal; }
[data-testid="stHeading"] [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
[role="dialog"] [data-testid="stHeading"] h3 { font-size: 1.1rem; }
.st-key-explore_above { gap: .4rem; margin-bottom: -.5rem; }
.st-key-explore_above button { min-height: 2.1rem; padding-block: 0; }
.st-key-explore_controls .react-aria-ComboBox > div { height: 2.1rem; }
.st-key-explore_heading h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
.st-key-explore_sentence { gap: 0 .45rem; row-gap: 0; }
.st-key-explore_sentence button { min-height: 1.5rem; padding: 0; line-height: 1.5rem; text-align: left; }
.st-key-explore_sentence button p { font-size: .9rem; }
.st-key-explore_sentence > div, .st-key-explore_found > div { display: flex; flex: none; flex-direction: row;
  align-items: center; width: auto; max-width: 100%; }
.st-key-explore_sentence > div:not(:last-child)::after, .st-key-explore_found > div::after { content: "·"; opacity: .6;
  margin-left: .45rem; }
.st-key-explore_sentence > div:has(.st-key-explore_found)::after, .st-key-explore_sentence > .st-key-torn-all::after {
  content: none !important; }
.st-key-explore_sentence > [class*="st-key-torn-"]:has(+ * .st-key-torn-more, + [class*="st-key-torn-"])::after {
  content: ","; margin-left: 0; }
.st-key-explore_found, [data-testid="stLayoutWrapper"]:has(> .st-key-explore_found) { display: contents; }
.st-key-explore_controls { gap: .5rem; }
.st-key-explore_controls [data-testid="stPopover"] button { padding-inline: .65rem; }
@media (min-width: 641px) { .st-key-explore_controls { flex-wrap: nowrap; } }
[data-testid="stLayoutWrapper"]:has(> .st-key-explore_chips) { flex: 1 1 0; min-width: 0; }
.st-key-explore_line { min-height: 2.1rem; justify-content: center; }
.st-key-decide_bar, .st-key-explore_progress, .st-key-explore_chips { overflow: auto hidden; scrollbar-width: none; }
.st-key-explore_line .st-key-decide_bar, .st-key-explore_progress { gap: .4rem; justify-content: flex-end; }
.st-key-decide_bar > *, .st-key-explore_chips > * { flex: none; }
.st-key-explore_line :is([class*="decide-undo"], [class*="decide-redo"], [class*="decide-clear"]) button p {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.st-key-explore_line .st-key-decide_bar button:not([data-testid$="-tertiary"]) { padding-inline: .55rem; }
.st-key-explore_line .st-key-decide_bar { gap: .25rem; }
@media (max-width: 1600px) { .st-key-explore_line [class*="decide-look-again"] button p {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } }
@media (max-width: 1200px) { .st-key-explore_controls .st-key-search-start button p {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); } }
.st-key-decide_bar { animation: url-viz-appear .5s step-end; }
@keyframes url-viz-appear { from { pointer-events: none; } to { pointer-events: auto; } }
.st-key-explore_reasons [role="radiogroup"] { flex-wrap: wrap; row-gap: .3rem; }
@media (max-width: 1200px) {
  .st-key-explore_above { margin-top: -.5rem; gap: .35rem; }
  .st-key-explore_above [data-testid="stHorizontalBlock"] { row-gap: .3rem; }
  .st-key-explore_line button, .st-key-explore_heading button { padding-inline: .6rem; }
  .st-key-explore_heading { gap: .4rem; }
  .st-key-explore_heading h1 { font-size: 1.35rem; }
  .st-key-explore_controls > :nth-child(-n+2) { flex: 0 1 9rem; min-width: 0; }
}
@media (max-width: 640px) { .st-key-search_query { max-width: 14rem; } }
.st-key-explore_heading { row-gap: .3rem; }
.st-key-explore_heading > :first-child { flex: 0 1 auto; min-width: 8rem; max-width: 100%; }
.st-key-explore_heading > :nth-child(2) { flex: 1 1 0; min-width: 0; }
@media (max-width: 1360px) {
  .st-key-explore_heading { flex-wrap: wrap; }
  .st-key-explore_heading > :first-child { flex-grow: 1; max-width: calc(100% - 18rem); }
  .st-key-explore_heading > :nth-child(2) { flex: 1 0 100%; order: 9; }
  .st-key-explore_line .st-key-decide_bar, .st-key-explore_progress { justify-content: flex-start; }
}
.st-key-foreign_head { flex-wrap: nowrap; }
.st-key-foreign_head button { min-height: 1.4rem; padding-block: 0; line-height: 1.4rem; }
.st-key-foreign_head > :first-child { flex-shrink: 1; min-width: 0; }
[data-testid="stCode"] .token.parameter { color: inherit !important; }
[data-testid="stSliderThumbValue"] p { color: CanvasText; }
button:is([kind="secondary"], [kind="tertiary"]):is(:hover, :focus, :active, [aria-expanded="true"]) {
  color: inherit !important; }
[data-testid="stButtonGroup"] [role="radiogroup"] { flex-wrap: wrap; }
.stPlotlyChart :is(.xtick, .ytick, .g-xtitle, .g-ytitle, .colorbar) text {
  fill: color-mix(in srgb, currentcolor 75%, transparent) !important; }
.stPlotlyChart .legendtext { fill: currentcolor !important; }
.stPlotlyChart .legend .traces { opacity: .7 !important; }
.stPlotlyChart .legend .traces:not([style*="opacity: 0.5"]) { opacity: 1 !important; }
.stPlotlyChart .modebar-btn { color: inherit; font: inherit; font-size: .8rem; }
.stPlotlyChart .modebar-btn > svg, .stPlotlyChart .modebar-btn::before { display: none !important; }
.stPlotlyChart .modebar-btn[data-title]::after { position: static; display: inline; margin: 0; padding: .15rem .4rem;
  border: 1px solid rgb(128 128 128 / .4); border-radius: .4rem; background: none; color: inherit; content: "SVG";
  opacity: 1; visibility: visible; }
.st-key-model_card table { font-size: .8rem; overflow-wrap: anywhere; }
[role="dialog"]:has(.st-key-picture_path) > h2 { position: absolute; width: 1px; height: 1px; overflow: hidden;
  clip-path: inset(50%); }
[role="dialog"]:has(.st-key-picture_path) > h2 + div { padding-top: 1rem; }
[role="dialog"]:has(.st-key-picture_path) > button { z-index: 1; }
[role="dialog"] .st-key-picture_head { padding-right: 2.5rem; }
[role="dialog"] .st-key-picture_head h3 { padding: 0; overflow-wrap: anywhere; }
[class*="st-key-picture_side"] p { font-size: .95rem; }
[class*="st-key-first_card"] { position: relative; }
[class*="st-key-first_card"]:hover { border-color: var(--st-primary-color, Highlight); }
[class*="st-key-first_card"] [class*="st-key-first-open"] button::after { content: ""; inset: 0;
  position: absolute !important; }
[class*="st-key-first-open"], [class*="st-key-first-open"] * { position: static !important; }
[class*="st-key-first_card"] [class*="st-key-first-continue"] { position: relative; z-index: 1; }
.url-viz-picture { display: block; width: 100%; max-height: 58vh; object-fit: contain; border-radius: .5rem; }
.url-viz-boxes { display: flex; flex-wrap: wrap; gap: .15rem 1rem; margin-top: .4rem; font-size: .875rem;
  overflow-wrap: anywhere; }
.url-viz-boxes span { display: flex; gap: .45em; align-items: center; }
.url-viz-boxes i { flex: none; box-sizing: border-box; width: 2.2em; height: 1.1em; border-radius: .2em;
  background: linear-gradient(#ffd60a 0 0) center / 100% 2.5px no-repeat #333; }
.url-viz-boxes i.dashed { background: repeating-linear-gradient(90deg, #4cc9f0 0 9px, #0000 9px 13px)
  center / 100% 2.5px no-repeat #333; }
.url-viz-boxes i.none { display: none; }
.url-viz-strip { display: grid; grid-template-columns: repeat(var(--columns), minmax(0, 1fr)); gap: .35rem; }
.url-viz-strip figure { margin: 0; min-width: 0; }
.url-viz-strip img { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .35rem;
  outline: 1px solid rgb(128 128 128 / .25); outline-offset: -1px; }
.url-viz-strip figcaption { margin-top: .15rem; font-size: .8rem; line-height: 1.2; overflow-wrap: anywhere; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 3.1rem .8rem 1rem; }
  .st-key-explore_sentence > .st-key-torn-1 { display: none; }
  .st-key-explore_heading > :first-child { flex: 1 0 100%; max-width: 100%; }
  .st-key-explore_line:not(:has(button)) { min-height: 0; }
}
</style>
"""


def apply_style() -> None:
    """Add the CSS rules to the page."""
    st.html(_RULES)
