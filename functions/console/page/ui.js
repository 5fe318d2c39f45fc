// What the views are made of. Texts become text nodes: htm builds elements, and no markup is ever made of a string.

import { h } from "./preact.js";
import { useCallback, useEffect, useRef, useState } from "./hooks.js";
import htm from "./htm.js";
import { ApiError, firstTurn, turn } from "./api.js";
import { visible } from "./format.js";

export const html = htm.bind(h);

/** A key, pattern, tag or name: what cannot be seen in it is shown. */
export const Text = ({ of, class: kind = "text" }) => html`<code class=${kind}>${visible(of)}</code>`;

/** What an error says is wrong with a field, or with an item of it. */
export function wrong(problem, name) {
  const fields = Object.entries(problem?.fields ?? {});
  return fields.filter(([field]) => field === name || field.startsWith(`${name}[`)).map(([, message]) => message).join("; ");
}

/** What went wrong, in words, with the name by which the log knows it; less what is said `beside` fields of these names. */
export function Problem({ of, beside = [] }) {
  if (!of) return null;
  const fields = Object.entries(of.fields ?? {}).filter(([field]) => !beside.includes(field.split("[")[0]));
  return html`<div class="notice problem" role="alert">
    <p>${of.message}</p>
    ${of.retryAfter && html`<p>Wait ${of.retryAfter} s before you try again.</p>`}
    ${fields.length > 0 && html`<ul>${fields.map(([field, message]) => html`<li key=${field}><code>${field}</code> ${message}</li>`)}</ul>`}
    ${of.code && html`<p class="faint">${of.code}${of.requestId ? html` · request <code class="request">${of.requestId}</code>` : ""}</p>`}
  </div>`;
}

/** What was done. */
export const Done = ({ children }) => html`<div class="notice done" role="status">${children}</div>`;

/** A field with its label, what it is for, and what is wrong with it beside it. */
export function Field({ id, label, hint, error, children }) {
  const told = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class=${error ? "field wrong" : "field"}>
    <label for=${id}>${label}</label>
    ${children({ id, "aria-describedby": told, "aria-invalid": error ? "true" : undefined })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

/** A field of one line, or of several with `rows`. */
export function Input({ id, label, hint, error, value, onValue, rows, ...rest }) {
  const onInput = (event) => onValue(event.currentTarget.value);
  return html`<${Field} ...${{ id, label, hint, error }}>${(given) =>
    rows
      ? html`<textarea ...${given} ...${rest} rows=${rows} value=${value} onInput=${onInput} spellcheck=${false} />`
      : html`<input ...${given} ...${rest} value=${value} onInput=${onInput} autocomplete="off" spellcheck=${false} />`}<//>`;
}

/** One of several, by their names. */
export function Choice({ id, label, hint, error, value, onValue, options }) {
  const option = (one) => html`<option key=${one} value=${one}>${one}</option>`;
  return html`<${Field} ...${{ id, label, hint, error }}>${(given) =>
    html`<select ...${given} value=${value} onChange=${(event) => onValue(event.currentTarget.value)}>${options.map(option)}</select>`}<//>`;
}

export function Check({ id, label, value, onValue }) {
  return html`<div class="check">
    <input type="checkbox" id=${id} checked=${value} onChange=${(event) => onValue(event.currentTarget.checked)} />
    <label for=${id}>${label}</label>
  </div>`;
}

/** A button that asks once more before it does what cannot be taken back. */
export function Sure({ label, question, yes, onYes, disabled }) {
  const [isAsked, setAsked] = useState(false);
  const first = useCallback((button) => button?.focus(), []);
  if (!isAsked) return html`<button class="danger" disabled=${disabled} onClick=${() => setAsked(true)}>${label}</button>`;
  const act = () => {
    setAsked(false);
    onYes();
  };
  return html`<span class="sure" role="group" aria-label="Are you sure?">
    <span>${question}</span>
    <button class="danger" ref=${first} onClick=${act}>${yes}</button>
    <button onClick=${() => setAsked(false)}>Keep</button>
  </span>`;
}

/** The heading of a view, which the keyboard goes to when the view is chosen. */
export function Title({ children }) {
  const heading = useRef();
  useEffect(() => heading.current.focus({ preventScroll: true }), []);
  return html`<h1 ref=${heading} tabindex="-1">${children}</h1>`;
}

/**
 * What is done when a button is pressed: `{run, isBusy, result, problem, clear}`. One thing at a time, so that a button
 * pressed twice acts once.
 */
export function useAction(act) {
  const [state, setState] = useState({});
  const busy = useRef(false);
  const run = async (...given) => {
    if (busy.current) return;
    busy.current = true;
    setState({ isBusy: true });
    try {
      setState({ result: await act(...given) });
    } catch (problem) {
      if (!(problem instanceof ApiError)) console.error(problem);
      setState({ problem });
    } finally {
      busy.current = false;
    }
  };
  return { ...state, run, clear: () => setState({}) };
}

/**
 * What is looked at again and again while the view is open and the page can be seen: `{data, problem}`. The first look is
 * at once; the others wait for their turn. An answer of 401 ends it: nothing will be different until there is another token.
 */
export function useLook(look, seconds, inputs) {
  const [state, setState] = useState({});
  useEffect(() => {
    let timer;
    let isOver = false;
    const again = (wait) => !isOver && (timer = setTimeout(once, wait * 1000));
    const once = async () => {
      if (document.hidden) return again(seconds);
      await turn();
      return isOver ? undefined : read();
    };
    const read = async () => {
      try {
        const data = await look();
        if (!isOver) setState({ data });
        again(seconds);
      } catch (problem) {
        if (!(problem instanceof ApiError)) console.error(problem);
        if (!isOver) setState(({ data }) => ({ data, problem }));
        if (problem.status !== 401) again(Math.max(seconds, problem.retryAfter ?? 5));
      }
    };
    firstTurn();
    read();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, inputs);
  return state;
}

/** The lines of a field, without the empty ones. */
export const lines = (text) => text.split("\n").map((line) => line.replace(/\r$/, "")).filter(Boolean);

/** The number in a field that may be left empty; what is no number the API says. */
export const seconds = (text) => (text.trim() === "" ? undefined : Number.isNaN(Number(text)) ? text : Number(text));
