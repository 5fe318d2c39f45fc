// One entry: its value, folded, and what is said about it; for who may write, another time to live, or its end.

import { ApiError, query, send } from "./api.js";
import { Explained, explain } from "./explain.js";
import { LEVELS, bytes, counted, number, short, span, time, until } from "./format.js";
import { useEffect, useState } from "./hooks.js";
import { member } from "./json.js";
import { may } from "./token.js";
import { Undo } from "./undo.js";
import { Done, Input, Problem, Sure, Text, Title, html, useAction, wrong } from "./ui.js";
import { Value } from "./value.js";

const address = (key) => `entries${query({ key })}`;

/** Its tags and levels, which the list of keys tells: a key is the first of those that begin with it. */
async function listed(bearer, key) {
  try {
    const { data } = await send(bearer, "GET", `keys${query({ prefix: key, limit: 1 })}`);
    return data.keys.find((entry) => entry.key === key);
  } catch (problem) {
    if (problem instanceof ApiError) return undefined;
    throw problem;
  }
}

/** Expired values as well, which a reader has to ask for: each is marked as one. */
const ANY_AGE = { "Cache-Control": "max-stale" };

async function look(bearer, key) {
  const { text, data, headers } = await send(bearer, "GET", address(key), { headers: ANY_AGE });
  const of = await listed(bearer, key);
  return {
    key,
    value: member(text, "value"),
    metadata: data.metadata,
    etag: headers.get("ETag"),
    age: headers.get("Age"),
    levels: headers.get("Cache-Status"),
    tags: of?.tags,
    kept: of?.levels,
  };
}

function Facts({ entry }) {
  const { metadata: facts, tags, kept } = entry;
  const rows = [
    ["Answered from", LEVELS.find((level) => level.id === facts.level)?.name],
    ["Levels asked", html`<code>${entry.levels}</code>`],
    ["Tags", tags === undefined ? "not known: it is in no list" : tags.length === 0 ? "none" : tags.map((tag) => html`<${Text} key=${tag} of=${tag} class="tag" />`)],
    ["Put into", kept && short(kept)],
    facts.stale ? ["Ended", `${span(entry.age)} ago (${time(facts.expires_at)})`] : ["Ends in", `${until(facts.expires_at)} (${time(facts.expires_at)})`],
    ["Time to live", `${number(facts.ttl_seconds)} s`],
    ["Ends unless read for", facts.idle_seconds && `${number(facts.idle_seconds)} s`],
    ["Grace", facts.grace_seconds && `${number(facts.grace_seconds)} s`],
    ["Created", time(facts.created_at)],
    ["Read", `${counted(facts.access_count, "time", "times")}; before this ${time(facts.last_accessed)}`],
    ["Size", `${bytes(facts.size_bytes)}${facts.compressed ? ", stored compressed" : ""}`],
    ["Entity tag", html`<code>${entry.etag}</code>`],
  ];
  return html`<dl class="facts">${rows.filter(([, value]) => value).map(([name, value]) =>
    html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function Change({ bearer, entry, onChanged, onDeleted, onEdit }) {
  const [ttl, setTtl] = useState(String(entry.metadata.ttl_seconds));
  const prolong = useAction(async () => {
    await send(bearer, "PATCH", address(entry.key), { body: `{"ttl_seconds":${JSON.stringify(Number(ttl) || ttl)}}` });
    onChanged();
  });
  const remove = useAction(async () => onDeleted((await send(bearer, "DELETE", address(entry.key))).data));
  const submit = (event) => {
    event.preventDefault();
    prolong.run();
  };
  return html`<section aria-label="Change it">
    <form class="row" onSubmit=${submit}>
      <${Input} id="entry-ttl" label="Time to live from now, in seconds" value=${ttl} onValue=${setTtl} inputmode="numeric"
        error=${wrong(prolong.problem, "ttl_seconds")} />
      <button disabled=${prolong.isBusy}>Change</button>
      <button type="button" onClick=${() => onEdit(entry)}>Edit the value</button>
    </form>
    <${Sure} label="Delete" question="It is gone from every level." yes="Delete it" onYes=${remove.run} disabled=${remove.isBusy} />
    <${Problem} of=${prolong.problem} beside=${["ttl_seconds"]} />
    <${Problem} of=${remove.problem} />
  </section>`;
}

export function Entry({ bearer, chosen, onEdit }) {
  const [key, setKey] = useState(chosen);
  const [said, setSaid] = useState();
  const looked = useAction((asked) => look(bearer, asked));
  const explained = useAction(() => explain(bearer, key));
  const open = (asked) => {
    setSaid(undefined);
    explained.clear();
    looked.run(asked);
  };
  const ask = () => {
    setSaid(undefined);
    looked.clear();
    explained.run();
  };
  useEffect(() => {
    if (chosen) open(chosen);
  }, []);
  const submit = (event) => {
    event.preventDefault();
    open(key);
  };
  const entry = looked.result;
  const deleted = (data) => {
    looked.clear();
    setSaid(html`Deleted from ${short(data.deleted_from_levels) || "the levels"}.${data.degraded ? " Redis could not be told: other containers may return it for up to 10 s." : ""}
      ${data.invalidation_id && html` <${Undo} bearer=${bearer} id=${data.invalidation_id} />`}`);
  };
  const changed = async () => {
    await looked.run(entry.key);
    setSaid("Its time to live is changed.");
  };
  return html`<${Title}>Entry<//>
    <form class="row" onSubmit=${submit}>
      <${Input} id="entry-key" label="Key" value=${key} onValue=${setKey} required error=${wrong(looked.problem, "key")} />
      <button class="main" disabled=${looked.isBusy}>Look</button>
      <button type="button" disabled=${explained.isBusy} onClick=${ask}>Explain</button>
    </form>
    ${said && html`<${Done}>${said}<//>`}
    <${Problem} of=${looked.problem} beside=${["key"]} />
    <${Explained} of=${explained.result} problem=${explained.problem} />
    ${entry && html`<article aria-label="The entry">
      <h2><${Text} of=${entry.key} />${entry.metadata.stale && html` <span class="pill degraded">stale</span>`}</h2>
      ${entry.metadata.stale && html`<p>It has expired, and is kept in its grace for readers who accept that. For all others it is gone.</p>`}
      <${Value} text=${entry.value} />
      <${Facts} entry=${entry} />
      ${!entry.metadata.stale && may(bearer, "cache:write") && html`<${Change} key=${entry.etag + entry.metadata.expires_at} bearer=${bearer} entry=${entry}
        onChanged=${changed} onDeleted=${deleted} onEdit=${onEdit} />`}
    </article>`}`;
}
