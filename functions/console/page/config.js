// The configuration as a form. What would change is shown before it is sent, and nothing is sent over somebody else's change.

import { send } from "./api.js";
import { useEffect, useState } from "./hooks.js";
import { may } from "./token.js";
import { Check, Choice, Done, Input, Problem, Text, Title, html, useAction, wrong } from "./ui.js";

/** What comes from the deployment, and is shown only. */
const FIXED = ["l2_config.redis_url", "l2_config.key_prefix", "l3_config.database_url", "l3_config.table_name"];
const CHOICES = {
  "l1_config.eviction_policy": ["LRU"],
  "compression.algorithm": ["lz4", "zstd"],
  "serialization.format": ["bincode", "json"],
};
/** Names of sections; one that has none here is called by its own. */
const SECTIONS = { l1_config: "Memory (L1)", l2_config: "Redis (L2)", l3_config: "DynamoDB (L3)", "": "Entries" };

/** The document as `[path, value]`, a path being `section.field` or `field`. */
function flat(document) {
  return Object.entries(document).flatMap(([name, value]) =>
    (typeof value === "object" ? Object.entries(value).map(([field, of]) => [`${name}.${field}`, of]) : [[name, value]]));
}

/** A document of these fields. */
function nested(fields) {
  const document = {};
  for (const [path, value] of fields) {
    const [section, field] = path.split(".");
    if (field === undefined) document[section] = value;
    else document[section] = { ...document[section], [field]: value };
  }
  return document;
}

async function load(bearer) {
  const { data, headers } = await send(bearer, "GET", "config");
  return { fields: new Map(flat(data)), etag: headers.get("ETag") };
}

/** A field's text as what it is: a number where there was one, and nothing else. */
const meant = (old, value) => (typeof old === "number" && /^-?\d+$/.test(value) ? Number(value) : value);

function Setting({ path, value, mayChange, onValue, error }) {
  const label = path.split(".").at(-1);
  const id = `config-${path}`;
  if (!mayChange || FIXED.includes(path)) {
    return html`<div class="field"><span class="label">${label}</span><${Text} of=${String(value)} /></div>`;
  }
  if (typeof value === "boolean") return html`<${Check} ...${{ id, label, value, onValue }} />${error && html`<p class="error">${error}</p>`}`;
  if (CHOICES[path]) return html`<${Choice} ...${{ id, label, value, onValue, error, options: CHOICES[path] }} />`;
  return html`<${Input} ...${{ id, label, onValue, error }} value=${String(value)} inputmode="numeric" />`;
}

function Difference({ changes }) {
  return html`<div class="scroll"><table class="difference" aria-label="What would change">
    <thead><tr><th scope="col">Field</th><th scope="col">Now</th><th scope="col">Then</th></tr></thead>
    <tbody>${changes.map(([path, old, now]) => html`<tr key=${path}><td><code>${path}</code></td><td><del>${String(old)}</del></td><td><ins>${String(now)}</ins></td></tr>`)}</tbody>
  </table></div>`;
}

/** Fields whose values differ from one document to the next. */
const differing = (before, after) => [...after].filter(([path, value]) => before.get(path) !== value).map(([path]) => path);

function useConfig(bearer) {
  const [shown, setShown] = useState();
  const [edits, setEdits] = useState(new Map());
  const [others, setOthers] = useState([]);
  const loading = useAction(async () => {
    const loaded = await load(bearer);
    if (shown) setOthers(differing(shown.fields, loaded.fields));
    setShown(loaded);
  });
  useEffect(() => void loading.run(), []);
  const changes = shown ? [...edits].map(([path, now]) => [path, shown.fields.get(path), now]).filter(([, old, now]) => old !== now) : [];
  const sending = useAction(async () => {
    const body = JSON.stringify(nested(changes.map(([path, , now]) => [path, now])));
    const { data, headers } = await send(bearer, "PUT", "config", { body, headers: { "If-Match": shown.etag } });
    setShown({ fields: new Map([...shown.fields, ...changes.map(([path, , now]) => [path, now])]), etag: headers.get("ETag") });
    setEdits(new Map());
    setOthers([]);
    return data;
  });
  const edit = (path) => (value) => {
    sending.clear();
    setEdits(new Map([...edits, [path, meant(shown.fields.get(path), value)]]));
  };
  return { shown, edits, changes, others, loading, sending, edit, drop: () => setEdits(new Map()) };
}

export function Config({ bearer }) {
  const { shown, edits, changes, others, loading, sending, edit, drop } = useConfig(bearer);
  const mayChange = may(bearer, "cache:admin") && !bearer.prefixes;
  const { problem, result } = sending;
  const setting = (path) => html`<${Setting} key=${path} path=${path} value=${edits.get(path) ?? shown.fields.get(path)}
    mayChange=${mayChange} onValue=${edit(path)} error=${wrong(problem, path)} />`;
  const paths = shown ? [...shown.fields.keys()] : [];
  const section = (path) => (path.includes(".") ? path.split(".")[0] : "");
  const sections = [...new Set(paths.map(section))];
  const isStale = problem?.code === "PRECONDITION_FAILED";
  return html`<${Title}>Configuration<//>
    <${Problem} of=${loading.problem} />
    ${others.length > 0 && html`<div class="notice" role="status"><p>Somebody has changed ${others.map((path) => html`<code key=${path}>${path}</code> `)} meanwhile. What you have changed is still here.</p></div>`}
    ${shown && html`<form onSubmit=${(event) => event.preventDefault()}>
      <div class="cards">${sections.map((one) => html`<fieldset key=${one} class="card"><legend>${SECTIONS[one] ?? one}</legend>
        ${paths.filter((path) => section(path) === one).map(setting)}</fieldset>`)}</div>
    </form>`}
    <${Problem} of=${problem} beside=${paths} />
    ${isStale && html`<button onClick=${() => { sending.clear(); loading.run(); }}>Show what it is now</button>`}
    ${changes.length > 0 && html`<section class="preview" aria-label="Changes">
      <${Difference} changes=${changes} />
      <div class="row">
        <button class="main" disabled=${sending.isBusy || isStale} onClick=${sending.run}>Send ${changes.length === 1 ? "this change" : `these ${changes.length} changes`}</button>
        <button onClick=${drop}>Drop</button>
      </div>
    </section>`}
    ${result && html`<${Done}>Changed ${result.updated_fields.join(", ")}.${(result.warnings ?? []).map((warning) => html`<p key=${warning}>${warning}</p>`)}
      ${result.degraded ? " Redis could not be told: containers follow within 10 s." : ""}<//>`}`;
}
