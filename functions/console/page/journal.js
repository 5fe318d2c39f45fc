// The journal, live: who changed what in the last ten minutes.

import { query, send } from "./api.js";
import { counted, number, short, time, visible } from "./format.js";
import { useEffect, useRef, useState } from "./hooks.js";
import { Check, Input, Problem, Text, Title, html, useLook } from "./ui.js";

/** Records that are kept, and of these how many are drawn. */
const KEPT = 2000;
const SHOWN = 200;

const list = (texts, join) => texts.map((text) => visible(text)).join(join);

/** What a record is about. */
export function Subject({ of }) {
  if (of.key !== undefined) return html`<${Text} of=${of.key} />`;
  if (of.pattern !== undefined) return html`<${Text} of=${of.pattern} />`;
  if (of.tags) return html`tags <code class="text">${list(of.tags, of.match === "all" ? " and " : " or ")}</code>`;
  if (of.keys) return html`keys <code class="text">${list(of.keys, " ")}</code>`;
  return of.changes?.map(({ field, old, new: now }) => html`<div key=${field}><code>${field}</code>: ${visible(JSON.stringify(old))} → ${visible(JSON.stringify(now))}</div>`);
}

function Record({ of }) {
  return html`<tr>
    <td>${time(of.at)}</td>
    <td>${of.kind}</td>
    <td><${Subject} of=${of} />${of.except_tags && html` but not <code class="text">${list(of.except_tags, " ")}</code>`}</td>
    <td>${of.by === undefined ? "" : html`<${Text} of=${of.by} />`}</td>
    <td>${of.matched_count === undefined ? "" : `${number(of.matched_count)} matched. `}${of.levels ? short(of.levels) : ""} ${of.reason ? visible(of.reason) : ""}</td>
  </tr>`;
}

export function Journal({ bearer }) {
  const [records, setRecords] = useState([]);
  const [filter, setFilter] = useState("");
  const [isLive, setLive] = useState(true);
  const next = useRef();
  const { data, problem } = useLook(async () => {
    if (!isLive) return undefined;
    const { data: page } = await send(bearer, "GET", `journal${query({ since: next.current, limit: 1000 })}`);
    next.current = page.next ?? next.current;
    return page.mutations;
  }, 2, [bearer, isLive]);
  useEffect(() => {
    if (!data) return;
    setRecords((before) => {
      const known = new Set(before.map((record) => record.position));
      return [...data.filter((record) => !known.has(record.position)).reverse(), ...before].slice(0, KEPT);
    });
  }, [data]);
  const wanted = filter.toLowerCase();
  const found = records.filter((record) => JSON.stringify(record).toLowerCase().includes(wanted));
  return html`<${Title}>Journal<//>
    <div class="row">
      <${Input} id="journal-filter" label="Filter" hint="Text of a kind, key, pattern, tag, reason or name" value=${filter} onValue=${setFilter} />
      <${Check} id="journal-live" label="Follow" value=${isLive} onValue=${setLive} />
    </div>
    <${Problem} of=${problem} />
    <p class="faint" role="status">${number(found.length)} of ${counted(records.length, "record", "records")}${found.length > SHOWN ? `, the newest ${SHOWN} shown` : ""}.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Records"><table>
      <thead><tr><th scope="col">At</th><th scope="col">Kind</th><th scope="col">What</th><th scope="col">By</th><th scope="col">More</th></tr></thead>
      <tbody>${found.slice(0, SHOWN).map((record) => html`<${Record} key=${record.position} of=${record} />`)}</tbody>
    </table></div>`;
}
