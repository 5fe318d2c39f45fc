// Finding keys: by prefix and tag, page by page; what prefixes and tags there are.

import { query, send } from "./api.js";
import { bytes, number, short, time, until } from "./format.js";
import { Input, Problem, Text, Title, html, useAction, wrong } from "./ui.js";
import { useState } from "./hooks.js";

const PAGE = 50;

function Row({ entry, onOpen }) {
  return html`<tr>
    <td><button class="link" onClick=${() => onOpen(entry.key)}><${Text} of=${entry.key} /></button></td>
    <td class="right">${entry.size_bytes === undefined ? "" : bytes(entry.size_bytes)}</td>
    <td>${until(entry.expires_at)}</td>
    <td>${entry.tags.map((tag) => html`<${Text} key=${tag} of=${tag} class="tag" />`)}</td>
    <td>${short(entry.levels)}</td>
  </tr>`;
}

function Table({ found, onOpen }) {
  if (found.length === 0) return html`<p>Nothing is there.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Keys found"><table>
    <thead><tr><th scope="col">Key</th><th scope="col" class="right">Size</th><th scope="col">Ends in</th><th scope="col">Tags</th><th scope="col">Levels</th></tr></thead>
    <tbody>${found.map((entry) => html`<${Row} key=${entry.key} entry=${entry} onOpen=${onOpen} />`)}</tbody>
  </table></div>`;
}

/** A list that is asked for when its button is pressed, each item a button; and of when it is, if it says so. */
function Known({ label, ask, onChoose }) {
  const listed = useAction(ask);
  return html`<section class="known">
    <button onClick=${listed.run} disabled=${listed.isBusy}>${label}</button>
    <${Problem} of=${listed.problem} />
    ${listed.result?.counted && html`<p class="faint">${listed.result.counted}</p>`}
    ${listed.result && (listed.result.names.length === 0
      ? html`<p>None are known.</p>`
      : html`<ul class="choices">${listed.result.names.map(({ name, entries }) => html`<li key=${name}>
          <button class="link" onClick=${() => onChoose(name)}><${Text} of=${name} /></button> <span class="faint">${number(entries)}</span></li>`)}</ul>`)}
  </section>`;
}

export function Keys({ bearer, onOpen }) {
  const [prefix, setPrefix] = useState("");
  const [tag, setTag] = useState("");
  // What was asked for and found, with which "More" goes on, whatever stands in the fields by then.
  const [last, setLast] = useState();
  const list = useAction(async (asked, before) => {
    const { data } = await send(bearer, "GET", `keys${query({ ...asked, limit: PAGE, cursor: before?.next })}`);
    setLast({ asked, next: data.next, found: [...(before?.found ?? []), ...data.keys] });
  });
  const find = (asked) => list.run(asked);
  const choose = (asked) => {
    setPrefix(asked.prefix ?? "");
    setTag(asked.tag ?? "");
    find(asked);
  };
  const prefixes = async () => {
    const { data } = await send(bearer, "GET", "stats");
    const counted = data.counted_at === undefined ? "Nothing has been counted yet." : `Counted ${time(data.counted_at)}.`;
    return { names: data.prefixes.map(({ prefix: name, entries }) => ({ name, entries })), counted };
  };
  const tags = async () => {
    const { data } = await send(bearer, "GET", "tags?limit=200");
    return { names: data.tags.map(({ tag: name, entries }) => ({ name, entries })) };
  };
  const submit = (event) => {
    event.preventDefault();
    find({ prefix, tag });
  };
  return html`<${Title}>Keys<//>
    ${bearer.prefixes && html`<p>This token is confined to keys under ${bearer.prefixes.map((own) => html`<${Text} key=${own} of=${own} /> `)}</p>`}
    <form class="row" onSubmit=${submit}>
      <${Input} id="prefix" label="Prefix" value=${prefix} onValue=${setPrefix} error=${wrong(list.problem, "prefix")} />
      <${Input} id="tag" label="Tag" value=${tag} onValue=${setTag} error=${wrong(list.problem, "tag")} />
      <button class="main" disabled=${list.isBusy}>Find</button>
    </form>
    <div class="row">
      <${Known} label="Prefixes with most entries" ask=${prefixes} onChoose=${(name) => choose({ prefix: name })} />
      <${Known} label="Tags" ask=${tags} onChoose=${(name) => choose({ tag: name })} />
    </div>
    <${Problem} of=${list.problem} beside=${["prefix", "tag"]} />
    ${last && html`<${Table} found=${last.found} onOpen=${onOpen} />
      <p class="faint" role="status">${number(last.found.length)} shown${last.next ? "" : ", which is all"}.</p>
      ${last.next && html`<button disabled=${list.isBusy} onClick=${() => list.run(last.asked, last)}>More</button>`}`}`;
}
