// The levels: how they are, in words and numbers; the hit ratios and the traffic; the fleet; limits and quotas.

import { limits } from "./api.js";
import { Chart, Legend } from "./chart.js";
import { LEVELS, bytes, counted, number, ratio, span, time, until } from "./format.js";
import { asked, columns, hitRatio } from "./history.js";
import { Problem, Title, html } from "./ui.js";

/** What it means for users that a level is not healthy. */
const MEANING = {
  L1_MEMORY: "Containers keep nothing in their memory; every read asks a shared level.",
  L2_REDIS: "Reads go on from the other levels. Writes are acknowledged as degraded: other containers may return the older value for up to 10 s.",
  L3_DATABASE: "Reads go on from the other levels. Writes are refused until it answers again.",
};
const WORDS = {
  healthy: () => "Answers as it should.",
  disabled: () => "Switched off in the configuration.",
  degraded: (level) => `${level.reason ?? "Answers slowly"}. It is still used.`,
  unhealthy: (level) => `Out of reach. ${MEANING[level.level]}`,
};
const QUOTAS = [["entries", "Entries", number], ["bytes", "Memory of their copies", bytes], ["index_bytes", "Memory of finding them", bytes]];

const Pill = ({ of }) => html`<span class=${`pill ${of}`}>${of}</span>`;
const Pair = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;
const given = (value, shown) => (value === undefined ? undefined : shown(value));

function Level({ level, name }) {
  const facts = [
    ["Hit ratio, last hour", level.enabled && ratio(level.hit_ratio)],
    ["Entries", number(level.entries)],
    ["Size", bytes(level.size)],
    ["Memory", given(level.memory_usage_mb, (value) => `${value.toFixed(1)} MiB`)],
    ["At most, a container", given(level.max_capacity, (value) => `${counted(value, "entry", "entries")}, ${level.max_size_mb} MiB`)],
    ["Evicted", given(level.evictions ?? level.evicted, number)],
    ["Refused as not provably fresh", given(level.stale_refused, number)],
    ["Out of reach", given(level.errors, (value) => counted(value, "time", "times"))],
    ["Connections", given(level.active_connections, number)],
  ];
  return html`<section class="card" aria-label=${name}>
    <h2>${name} <${Pill} of=${level.status} /></h2>
    <p>${WORDS[level.status](level)}</p>
    <dl>${facts.filter(([, value]) => value).map(([fact, value]) => html`<${Pair} key=${fact} name=${fact}>${value}<//>`)}</dl>
  </section>`;
}

/** How the cache is, for who reads one sentence. */
function summary(status) {
  const trouble = status.levels.filter((level) => ["degraded", "unhealthy"].includes(level.status));
  const names = trouble.map((level) => LEVELS.find(({ id }) => id === level.level).name).join(" and ");
  if (status.status === "unhealthy") return "No shared level answers.";
  return trouble.length === 0 ? "Everything answers as it should." : `Trouble with ${names}.`;
}

function Fleet({ fleet, stats }) {
  const isCounted = fleet.statistics === "available";
  return html`<section class="card" aria-label="Fleet">
    <h2>Fleet</h2>
    ${!isCounted && html`<p>Counts are not available while Redis is out of reach or switched off.</p>`}
    <dl>
      <${Pair} name="Containers">${number(fleet.containers)}<//>
      <${Pair} name="Reads answered, last hour">${ratio(stats.overall_hit_ratio)}<//>
      <${Pair} name="Copied up">${number(stats.cache_promotion_count)}<//>
      <${Pair} name="Degraded writes">${number(stats.degraded_mutation_count ?? 0)}<//>
      <${Pair} name="Coherence window">${number(fleet.coherence_window_ms)} ms<//>
      <${Pair} name="Journal">${counted(fleet.journal_records, "record", "records")}<//>
      ${fleet.counted_since && html`<${Pair} name="Counted since">${time(fleet.counted_since)}<//>`}
    </dl>
  </section>`;
}

function Limits({ usage }) {
  const seen = [...limits].map(([name, { limit, left, seconds }]) =>
    html`<${Pair} key=${name} name=${`Requests: ${name}`}>${number(left)} of ${number(limit)} left${left < limit ? `, more in ${span(seconds)}` : ""}<//>`);
  const quotas = QUOTAS.filter(([field]) => usage?.[field] !== undefined).map(([field, name, shown]) =>
    html`<${Pair} key=${field} name=${name}>${shown(usage[field])}${usage.quotas?.[field] ? ` of ${shown(usage.quotas[field])}` : ", no quota"}<//>`);
  return html`<section class="card" aria-label="Limits and quotas">
    <h2>Limits and quotas</h2>
    <p class="faint">Of this token's API key. A limit is shown once something was asked that counts for it.</p>
    <dl>${seen}${quotas}</dl>
  </section>`;
}

function Charts({ minutes }) {
  const latest = (of, shown) => LEVELS.map(({ id, short }) => {
    const values = minutes.map((minute) => of(minute.levels.find(({ level }) => level === id)));
    const value = values.findLast((one) => one !== null);
    return `${short} ${value === undefined ? "unknown" : shown(value)}`;
  }).join(", ");
  const rate = (value) => `${value < 10 ? value.toFixed(1) : number(Math.round(value))}/s`;
  return html`<section class="charts" aria-label="Charts">
    <figure><figcaption>Hit ratio, minute by minute</figcaption>
      <${Chart} label=${`Hit ratio of each level in the last hour; last: ${latest(hitRatio, ratio)}`} data=${columns(minutes, hitRatio)}
        range=${[0, 1]} shown=${(value) => ratio(value)} /></figure>
    <figure><figcaption>Traffic: how often each level was asked</figcaption>
      <${Chart} label=${`Reads a second of each level in the last hour; last: ${latest(asked, rate)}`} data=${columns(minutes, asked)}
        range=${(_, low, high) => [0, Math.max(1, high)]} shown=${rate} /></figure>
    <${Legend} />
    <p class="faint">In the minute that has begun: hit ratio ${latest(hitRatio, ratio)}; asked ${latest(asked, rate)}.</p>
  </section>`;
}

export function Levels({ status, problem, bearer }) {
  return html`<${Title}>Levels<//>
    <${Problem} of=${problem} />
    ${status && html`
      <p class="summary" aria-live="polite"><${Pill} of=${status.status} /> ${summary(status)}</p>
      <div class="cards">${status.levels.map((level) => html`<${Level} key=${level.level} level=${level}
        name=${LEVELS.find(({ id }) => id === level.level).name} />`)}</div>
      <${Charts} minutes=${status.history} />
      <div class="cards">
        <${Fleet} fleet=${status.fleet} stats=${status.overall_stats} />
        <${Limits} usage=${status.usage} />
        ${bearer.expires && html`<section class="card" aria-label="Token"><h2>Token</h2><dl>
          <${Pair} name="Ends in">${until(new Date(bearer.expires).toISOString())}<//>
          <${Pair} name="May do">${bearer.scopes ? [...bearer.scopes].sort().join(", ") : "unknown: its scopes cannot be read"}<//>
        </dl></section>`}
      </div>`}`;
}
