// Putting an entry. What is wrong with a field is said beside it, by the page where it can tell and else by the API.

import { query, send } from "./api.js";
import { LEVELS, short, time } from "./format.js";
import { fault } from "./json.js";
import { Check, Done, Input, Problem, Title, html, lines, useAction, wrong } from "./ui.js";
import { useState } from "./hooks.js";

const FIELDS = ["key", "value", "ttl_seconds", "idle_seconds", "grace_seconds", "tags", "cache_levels"];
const ALL = LEVELS.map((level) => level.id);

/** What the form begins with; `etag` is of the value that is edited. */
export const BLANK =
  { key: "", value: "", ttl: "3600", idle: "", grace: "", tags: "", levels: ALL, isCompressed: true, etag: undefined };

/** The form for a value that is there. */
export const edited = (entry) => ({
  key: entry.key,
  value: entry.value,
  ttl: String(entry.metadata.ttl_seconds),
  idle: String(entry.metadata.idle_seconds ?? ""),
  grace: String(entry.metadata.grace_seconds ?? ""),
  tags: (entry.tags ?? []).join("\n"),
  levels: entry.kept ?? ALL,
  isCompressed: true,
  etag: entry.etag,
});

/** A field that may be left empty; what is no number the API says. */
const seconds = (text) => (text.trim() === "" ? undefined : Number.isNaN(Number(text)) ? text : Number(text));

/** The body, in which the value is the text that was written. */
function body({ value, ttl, idle, grace, tags, levels, isCompressed }) {
  const rest = {
    ttl_seconds: Number(ttl) || ttl,
    idle_seconds: seconds(idle),
    grace_seconds: seconds(grace),
    tags: lines(tags),
    // What is said nothing of may be compressed.
    compression_enabled: isCompressed ? undefined : false,
    cache_levels: levels.length === ALL.length ? undefined : levels,
  };
  return `{"value":${value},${JSON.stringify(rest).slice(1)}`;
}

function Levels({ levels, onLevels, error }) {
  const turned = (id, isOn) => onLevels(ALL.filter((one) => (one === id ? isOn : levels.includes(one))));
  return html`<fieldset class=${error ? "wrong" : ""}><legend>Levels</legend>
    ${LEVELS.map(({ id, name }) => html`<${Check} key=${id} id=${id} label=${name} value=${levels.includes(id)} onValue=${(isOn) => turned(id, isOn)} />`)}
    ${error && html`<p class="error">${error}</p>`}
  </fieldset>`;
}

export function Put({ bearer, draft, onDraft, onLook }) {
  const [isLocal, setLocal] = useState(false);
  const put = useAction(async () => {
    const headers = draft.etag && { "If-Match": draft.etag };
    const { data, status, headers: given } =
      await send(bearer, "PUT", `entries${query({ key: draft.key })}`, { body: body(draft), headers });
    if (draft.etag) onDraft({ ...draft, etag: given.get("ETag") });
    return { ...data, isNew: status === 201 };
  });
  const set = (field) => (value) => onDraft({ ...draft, [field]: value });
  // Told once somebody has tried to send it, and not while it is being written.
  const own = isLocal ? fault(draft.value) : undefined;
  const submit = (event) => {
    event.preventDefault();
    setLocal(true);
    if (!fault(draft.value)) put.run();
  };
  const { result } = put;
  return html`<${Title}>Put an entry<//>
    <form onSubmit=${submit} noValidate>
      <${Input} id="put-key" label="Key" value=${draft.key} onValue=${set("key")} error=${wrong(put.problem, "key")} />
      <${Input} id="put-value" label="Value" hint="Any JSON; it is stored as it is written." rows="8" value=${draft.value}
        onValue=${set("value")} error=${own ?? wrong(put.problem, "value")} />
      <${Input} id="put-ttl" label="Time to live, in seconds" inputmode="numeric" value=${draft.ttl} onValue=${set("ttl")}
        error=${wrong(put.problem, "ttl_seconds")} />
      <${Input} id="put-idle" label="Ends unless read for, in seconds" hint="Empty: it lives as long as above, read or not." inputmode="numeric"
        value=${draft.idle} onValue=${set("idle")} error=${wrong(put.problem, "idle_seconds")} />
      <${Input} id="put-grace" label="Grace, in seconds" hint="For how long it is kept after its end, for who takes that." inputmode="numeric"
        value=${draft.grace} onValue=${set("grace")} error=${wrong(put.problem, "grace_seconds")} />
      <${Input} id="put-tags" label="Tags" hint="One a line." rows="3" value=${draft.tags} onValue=${set("tags")}
        error=${wrong(put.problem, "tags")} />
      <${Levels} levels=${draft.levels} onLevels=${set("levels")} error=${wrong(put.problem, "cache_levels")} />
      <${Check} id="put-compressed" label="Compress it where that makes it smaller" value=${draft.isCompressed} onValue=${set("isCompressed")} />
      ${draft.etag && html`<p class="faint">An entry does not say whether it may be compressed: it may, as by default, unless you say here that it may not.
        It is put only if nobody has changed the value meanwhile.</p>`}
      <div class="row">
        <button class="main" disabled=${put.isBusy}>Put</button>
        <button type="button" onClick=${() => onDraft(BLANK)}>Clear</button>
      </div>
    </form>
    <${Problem} of=${put.problem} beside=${FIELDS} />
    ${result && html`<${Done}>
      ${result.isNew ? "Created" : "Updated"}, in ${short(result.metadata.levels_stored)}, until ${time(result.metadata.expires_at)}.
      ${result.degraded ? " Redis could not be told: other containers may return the older value for up to 10 s." : ""}
      ${" "}<button class="link" onClick=${() => onLook(result.key)}>Look at it</button><//>`}`;
}
