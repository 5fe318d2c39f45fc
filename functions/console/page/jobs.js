// Jobs: warming what will be asked for; how far each is; ending one.

import { query, send } from "./api.js";
import { counted, number, time } from "./format.js";
import { useState } from "./hooks.js";
import { may } from "./token.js";
import { Choice, Done, Input, Problem, Sure, Text, Title, html, lines, useAction, useLook, wrong } from "./ui.js";

const STRATEGIES = ["EAGER", "LAZY", "SCHEDULED"];
const FIELDS = ["keys", "patterns", "batch_size", "max_concurrent", "run_at"];
const BLANK = { keys: "", patterns: "", strategy: STRATEGIES[0], batch: "50", concurrent: "10", at: "" };
const OVER = ["done", "cancelled", "failed"];

const some = (list) => (list.length > 0 ? list : undefined);

function request({ keys, patterns, strategy, batch, concurrent, at }) {
  return {
    keys: some(lines(keys)),
    patterns: some(lines(patterns)),
    strategy,
    batch_size: Number(batch) || batch,
    max_concurrent: Number(concurrent) || concurrent,
    run_at: strategy === "SCHEDULED" && at ? new Date(at).toISOString().replace(/\.\d+/, "") : undefined,
  };
}

/** Names this request, so that sent twice it makes one job. */
function once() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function Warm({ bearer, onStarted }) {
  const [form, setForm] = useState(BLANK);
  const start = useAction(async () => {
    const headers = { "Idempotency-Key": once() };
    const { data } = await send(bearer, "POST", "warm", { body: JSON.stringify(request(form)), headers });
    onStarted();
    return data;
  });
  const field = (name, label, as, more) => html`<${Input} id=${`warm-${name}`} label=${label} value=${form[name]}
    onValue=${(value) => setForm({ ...form, [name]: value })} error=${wrong(start.problem, as)} ...${more} />`;
  const submit = (event) => {
    event.preventDefault();
    start.run();
  };
  return html`<details class="form"><summary>Warm the cache</summary>
    <form onSubmit=${submit}>
      ${field("patterns", "Patterns", "patterns", { rows: 2, hint: "One a line." })}
      ${field("keys", "Keys", "keys", { rows: 2, hint: "One a line." })}
      <${Choice} id="warm-strategy" label="Strategy" value=${form.strategy} options=${STRATEGIES}
        hint="EAGER: into Redis and the memory of containers now; LAZY: into Redis now; SCHEDULED: later"
        onValue=${(strategy) => setForm({ ...form, strategy })} />
      ${form.strategy === "SCHEDULED" && field("at", "Not before", "run_at", { type: "datetime-local" })}
      <div class="row">
        ${field("batch", "Entries a batch", "batch_size", { inputmode: "numeric" })}
        ${field("concurrent", "Batches at once", "max_concurrent", { inputmode: "numeric" })}
      </div>
      <button class="main" disabled=${start.isBusy}>Start</button>
    </form>
    <${Problem} of=${start.problem} beside=${FIELDS} />
    ${start.result && html`<${Done}>Started <code>${start.result.warming_job_id}</code>${start.result.estimated_keys === undefined ? "" : `, about ${counted(start.result.estimated_keys, "key", "keys")}`}.<//>`}
  </details>`;
}

function Progress({ job }) {
  const { done, missing, failed, remaining } = job;
  const past = done + missing + failed;
  const all = remaining === undefined ? job.estimated_keys : past + remaining;
  const counts = [`${number(done)} done`, missing > 0 && `${number(missing)} missing`, failed > 0 && `${number(failed)} failed`];
  return html`<progress aria-label=${`Progress of ${job.job_id}`} max=${Math.max(1, all ?? past)} value=${job.state === "done" ? Math.max(1, all ?? past) : past} />
    <div>${counts.filter(Boolean).join(", ")}${all > past ? ` of about ${number(all)}` : ""}</div>`;
}

function Job({ bearer, job, onEnded }) {
  const cancel = useAction(async () => {
    await send(bearer, "DELETE", `warm/${encodeURIComponent(job.job_id)}`);
    onEnded();
  });
  const isWarm = job.kind === "warm";
  return html`<li class="card" aria-label=${`Job ${job.job_id}`}>
    <h2>${isWarm ? "Warming" : "Removal"} <span class=${`pill ${job.state}`}>${job.state}</span></h2>
    <p class="faint"><${Text} of=${job.job_id} />${job.strategy ? ` ${job.strategy}` : ""}, since ${time(job.created_at)}${job.run_at ? `, not before ${time(job.run_at)}` : ""}</p>
    <${Progress} job=${job} />
    ${job.error && html`<p class="error">${job.error}</p>`}
    ${Object.entries(job.errors ?? {}).map(([reason, count]) => html`<p key=${reason}>${reason}: ${number(count)}</p>`)}
    ${isWarm && !OVER.includes(job.state) && may(bearer, "cache:write") && html`<${Sure} label="Cancel" question="What it has loaded stays."
      yes="Cancel it" onYes=${cancel.run} disabled=${cancel.isBusy} />`}
    <${Problem} of=${cancel.problem} />
  </li>`;
}

export function Jobs({ bearer }) {
  const [round, setRound] = useState(0);
  const again = () => setRound((before) => before + 1);
  const { data, problem } = useLook(async () => (await send(bearer, "GET", `warm${query({ limit: 20 })}`)).data, 2, [bearer, round]);
  return html`<${Title}>Jobs<//>
    ${may(bearer, "cache:write") && html`<${Warm} bearer=${bearer} onStarted=${again} />`}
    <${Problem} of=${problem} />
    ${data && (data.jobs.length === 0
      ? html`<p>There are none.</p>`
      : html`<ul class="jobs">${data.jobs.map((job) => html`<${Job} key=${job.job_id} bearer=${bearer} job=${job} onEnded=${again} />`)}</ul>`)}`;
}
