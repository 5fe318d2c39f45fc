// Invalidating by pattern, tags or keys, or making stale. What would go is shown first, and no more than that goes.

import { send } from "./api.js";
import { number, short } from "./format.js";
import { useState } from "./hooks.js";
import { Undo, Undoable } from "./undo.js";
import { Choice, Done, Input, Problem, Text, Title, html, lines, seconds, useAction, wrong } from "./ui.js";

const WAYS = ["pattern", "any of the tags", "all of the tags", "keys"];
/** For how many seconds it can be undone; what is undefined the deployment decides. */
const KEPT = new Map([["as the deployment is configured", undefined], ["for 10 minutes", 600], ["for an hour", 3600], ["not at all", 0]]);
const [REMOVED, STALE] = ["is removed", "becomes stale, where it has a grace"];
const FIELDS = ["pattern", "tags", "keys", "except_tags", "reason", "undo_seconds", "deadline_seconds"];
const BLANK =
  { way: WAYS[0], pattern: "", tags: "", keys: "", except: "", reason: "", mode: REMOVED, deadline: "", undo: [...KEPT.keys()][0] };

function selector({ way, pattern, tags, keys, except, reason, mode, deadline, undo }) {
  const named = {
    [WAYS[0]]: () => ({ pattern }),
    [WAYS[1]]: () => ({ tags: lines(tags) }),
    [WAYS[2]]: () => ({ tags: lines(tags), match: "all" }),
    [WAYS[3]]: () => ({ keys: lines(keys) }),
  };
  const spared = lines(except);
  const how = mode === STALE ? { mode: "stale", deadline_seconds: seconds(deadline) } : { undo_seconds: KEPT.get(undo) };
  const rest = { reason: reason || undefined, ...how };
  return { ...named[way](), except_tags: spared.length > 0 ? spared : undefined, ...rest };
}

/** All that is meant, whatever becomes of it. */
const matched = ({ invalidated_count: removed, stale_count: stale = 0 }) => removed + stale;

function Preview({ of, isBusy, onYes }) {
  const { stale_count: stale, sample_keys: sample = [] } = of.answer;
  const count = matched(of.answer);
  if (count === 0) return html`<${Done}>Nothing matches.<//>`;
  return html`<section class="preview" aria-label="Preview">
    <p role="status"><strong>${number(count)}</strong> ${count === 1 ? "entry matches" : "entries match"}, in ${short(of.answer.levels_affected)}.</p>
    ${stale !== undefined && html`<p>${number(stale)} would become stale, ${number(count - stale)} would be removed.</p>`}
    ${sample.length > 0 && html`<ul>${sample.map((key) => html`<li key=${key}><${Text} of=${key} /></li>`)}</ul>`}
    ${count > sample.length && sample.length > 0 && html`<p class="faint">and ${number(count - sample.length)} more</p>`}
    <button class="danger" disabled=${isBusy} onClick=${onYes}>Invalidate ${number(count)}</button>
  </section>`;
}

function told({ invalidated_count: removed, stale_count: stale, levels_affected: levels, reclaim, job_id: job, degraded }) {
  const where = levels.length > 0 ? ` in ${short(levels)}` : "";
  const parts = [stale === undefined ? `Invalidated ${number(removed)}${where}.` : `Made ${number(stale)} stale and removed ${number(removed)}${where}.`];
  const rest = stale === undefined ? "removed" : "done";
  if (reclaim === "in_progress") parts.push(`All of it is hidden everywhere; the rest is being ${rest}${job ? ` by ${job}` : ""}.`);
  if (degraded) parts.push("Redis could not be told: other containers may return older values for up to 10 s.");
  return parts.join(" ");
}

export function Invalidate({ bearer }) {
  const [form, setForm] = useState(BLANK);
  // What was asked, so that what is done is what was shown, whatever stands in the fields by then.
  const preview = useAction(async (asked) => {
    const { data } = await send(bearer, "POST", "invalidate", { body: JSON.stringify({ ...asked, dry_run: true }) });
    return { asked, answer: data };
  });
  const act = useAction(async (asked, most) => {
    const { data } = await send(bearer, "POST", "invalidate", { body: JSON.stringify({ ...asked, max_affected: most }) });
    preview.clear();
    return data;
  });
  const set = (field) => (value) => {
    preview.clear();
    act.clear();
    setForm({ ...form, [field]: value });
  };
  const submit = (event) => {
    event.preventDefault();
    act.clear();
    preview.run(selector(form));
  };
  const problem = preview.problem ?? act.problem;
  const field = (name, label, more) =>
    html`<${Input} id=${`invalidate-${name}`} label=${label} value=${form[name]} onValue=${set(name)} ...${more} />`;
  return html`<${Title}>Invalidate<//>
    <form onSubmit=${submit}>
      <${Choice} id="invalidate-way" label="By" value=${form.way} onValue=${set("way")} options=${WAYS} />
      ${form.way === WAYS[0] && field("pattern", "Pattern", { hint: "* any text, ? one character, [a-z] one of them, \\ before a character that is meant itself", error: wrong(problem, "pattern") })}
      ${form.way.endsWith("tags") && field("tags", "Tags", { hint: "One a line.", rows: 3, error: wrong(problem, "tags") })}
      ${form.way === WAYS[3] && field("keys", "Keys", { hint: "One a line.", rows: 5, error: wrong(problem, "keys") })}
      ${field("except", "But not entries with any of these tags", { hint: "One a line.", rows: 2, error: wrong(problem, "except_tags") })}
      ${field("reason", "Reason", { hint: "Stands in the journal.", error: wrong(problem, "reason") })}
      <${Choice} id="invalidate-mode" label="What matches" value=${form.mode} onValue=${set("mode")} options=${[REMOVED, STALE]}
        hint="What is stale is for readers who accept expired values, until its grace is over." />
      ${form.mode === STALE
        ? field("deadline", "Stale for at most, in seconds", { hint: "Empty: for as long as the grace of each.", inputmode: "numeric", error: wrong(problem, "deadline_seconds") })
        : html`<${Choice} id="invalidate-undo" label="It can be undone" value=${form.undo} onValue=${set("undo")} options=${[...KEPT.keys()]}
            hint="What is removed is kept in DynamoDB meanwhile, and hidden." error=${wrong(problem, "undo_seconds")} />`}
      <button class="main" disabled=${preview.isBusy}>Preview</button>
    </form>
    <${Problem} of=${problem} beside=${FIELDS} />
    ${act.problem?.code === "TOO_MANY_MATCHES" && html`<p>More match by now than the preview showed. Nothing was done; preview it again.</p>`}
    ${preview.result && html`<${Preview} of=${preview.result} isBusy=${act.isBusy}
      onYes=${() => act.run(preview.result.asked, matched(preview.result.answer))} />`}
    ${act.result && html`<${Done}>${told(act.result)}
      ${act.result.invalidation_id && html` <${Undo} key=${act.result.invalidation_id} bearer=${bearer} id=${act.result.invalidation_id} />`}<//>`}
    <${Undoable} bearer=${bearer} since=${act.result} />`;
}
