// Taking an invalidation or a DELETE back: the button for one, and the list of what can be.

import { send } from "./api.js";
import { counted, number, time, until, visible } from "./format.js";
import { useState } from "./hooks.js";
import { may } from "./token.js";
import { Problem, Text, html, useAction, useLook } from "./ui.js";

/** Seconds between two looks at the list, and so at the time that is left. */
const LOOK_EVERY = 5;
/** How many are listed. */
const LISTED = 20;

function told({ restored, overwritten, expired, level2_only: lost = 0 }) {
  const rest = [[overwritten, "touched by something else since, and left as it is"], [expired, "expired by now"], [lost, "held by Redis alone, and lost"]];
  const parts = rest.filter(([count]) => count > 0).map(([count, why]) => ` ${number(count)} ${why}.`);
  return `Brought back ${number(restored)}.${parts.join("")}`;
}

/** Brings back what it removed, while that can be done, and says what came of it. */
export function Undo({ bearer, id, isOver, onUndone = () => {} }) {
  const undo = useAction(async () => {
    const { data } = await send(bearer, "POST", `invalidate/${encodeURIComponent(id)}/undo`);
    onUndone();
    return data;
  });
  if (undo.result) return html`<p role="status">${told(undo.result)}</p>`;
  if (isOver) return null;
  return html`<button disabled=${undo.isBusy} onClick=${undo.run}>Undo</button><${Problem} of=${undo.problem} />`;
}

function Subject({ of }) {
  if (of.key !== undefined) return html`${of.kind === "delete" ? "DELETE " : ""}<${Text} of=${of.key} />`;
  if (of.pattern !== undefined) return html`<${Text} of=${of.pattern} />`;
  if (of.tags) return html`tags <code class="text">${of.tags.map(visible).join(", ")}</code>`;
  return of.keys_count === undefined ? of.kind : counted(of.keys_count, "key", "keys");
}

function Invalidation({ bearer, of, onUndone }) {
  const isUndoable = of.state === "undoable";
  const counts = [
    of.invalidated_count !== undefined && `${number(of.invalidated_count)} removed`,
    of.restored !== undefined && `${number(of.restored)} brought back`,
    isUndoable && `${until(of.undo_until)} left`,
  ];
  return html`<li class="card" aria-label=${`Invalidation ${of.invalidation_id}`}>
    <h3><${Subject} of=${of} /> <span class=${`pill ${of.state}`}>${of.state}</span></h3>
    <p class="faint">${time(of.created_at)}${of.by === undefined ? "" : html`, by <${Text} of=${of.by} />`}${of.reason ? `: ${visible(of.reason)}` : ""}</p>
    <p>${counts.filter(Boolean).join(", ")}</p>
    ${may(bearer, "cache:write") && html`<${Undo} bearer=${bearer} id=${of.invalidation_id} isOver=${!isUndoable} onUndone=${onUndone} />`}
  </li>`;
}

/** What can be undone, or could in the last day, for who may see it; looked at anew when there is something `since`. */
export function Undoable({ bearer, since }) {
  const [round, setRound] = useState(0);
  const isShown = may(bearer, "cache:journal") || may(bearer, "cache:admin");
  const look = async () => isShown && (await send(bearer, "GET", `invalidations?limit=${LISTED}`)).data;
  const { data, problem } = useLook(look, LOOK_EVERY, [bearer, since, round]);
  if (!isShown) return null;
  return html`<section aria-label="Invalidations">
    <h2>What can be undone</h2>
    <${Problem} of=${problem} />
    ${data && (data.invalidations.length === 0
      ? html`<p>There is nothing.</p>`
      : html`<ul class="jobs">${data.invalidations.map((one) => html`<${Invalidation} key=${one.invalidation_id} bearer=${bearer} of=${one}
          onUndone=${() => setRound((before) => before + 1)} />`)}</ul>`)}
  </section>`;
}
