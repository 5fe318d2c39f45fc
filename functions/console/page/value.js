// A JSON value, folded: what is closed is neither read nor drawn, so that large values are no trouble.

import { useMemo, useState } from "./hooks.js";
import { visible } from "./format.js";
import { isFolded, isObject, members } from "./json.js";
import { html } from "./ui.js";

/** Members shown at first, and with each press of the button. */
const STEP = 100;
/** Longest text of one string, in characters, that is shown without being asked for. */
const LONGEST = 2000;

function Name({ name }) {
  return name === undefined ? null : html`<span class="name">${visible(name)}</span>: `;
}

function Leaf({ name, text }) {
  const [isWhole, setWhole] = useState(text.length <= LONGEST);
  const kind = text[0] === '"' ? "string" : "other";
  return html`<div class="leaf"><${Name} name=${name} /><span class=${kind}>${visible(isWhole ? text : text.slice(0, LONGEST))}</span>
    ${isWhole ? null : html` <button class="small" onClick=${() => setWhole(true)}>… ${text.length - LONGEST} more</button>`}</div>`;
}

function Branch({ name, text, isOpen: atFirst }) {
  const [isOpen, setOpen] = useState(atFirst);
  const [shown, setShown] = useState(STEP);
  const all = useMemo(() => (isOpen ? members(text) : []), [isOpen, text]);
  const ends = isObject(text) ? "{}" : "[]";
  const label = (one, at) => one.name ?? (isObject(text) ? undefined : String(at));
  return html`<details open=${isOpen} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><${Name} name=${name} />${isOpen ? `${ends[0]} ${all.length} ${ends[1]}` : `${ends[0]}…${ends[1]}`}</summary>
    <div class="inside">
      ${all.slice(0, shown).map((one, at) => html`<${Node} key=${at} name=${label(one, at)} text=${one.text} />`)}
      ${all.length > shown && html`<button class="small" onClick=${() => setShown(shown + STEP)}>${all.length - shown} more</button>`}
    </div>
  </details>`;
}

function Node({ name, text, isOpen = false }) {
  return isFolded(text)
    ? html`<${Branch} name=${name} text=${text} isOpen=${isOpen} />`
    : html`<${Leaf} name=${name} text=${text} />`;
}

/** The value whose JSON text this is, its outermost fold open. */
export function Value({ text }) {
  return html`<div class="value"><${Node} key=${text} text=${text} isOpen /></div>`;
}
