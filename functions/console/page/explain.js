// Why a read of a key is answered as it is, in words.

import { query, send } from "./api.js";
import { LEVELS, number, time } from "./format.js";
import { Subject } from "./journal.js";
import { Problem, Text, html } from "./ui.js";

/** What happened, by the API's word for it. */
const REASONS = {
  never_stored: "Nothing was ever stored, as far as is known",
  expired: "Its time to live is over",
  deleted: "It was deleted",
  invalidated_by_pattern: "An invalidation by pattern meant it",
  invalidated_by_tag: "An invalidation by tag meant it",
  invalidated_by_key: "An invalidation named it",
  overwritten: "A newer value was stored: this copy is from before",
  hidden_by_open_invalidation: "An invalidation hides it that has not removed it yet",
  unconfirmed_copy: "A copy that DynamoDB must confirm first",
  journal_gap: "A copy from before what the journal knows: DynamoDB must confirm it",
  level_unavailable: "A level that is needed cannot be reached",
  level_disabled: "The level is switched off, or was since the value was stored",
  other_levels: "Its PUT named other levels",
  evicted_here: "Not here: evicted, lost, or never read by this container",
  unknown: "What did it is no longer known",
};
const VERDICTS = {
  hit: ["healthy", "A read finds the newest value."],
  stale: ["degraded", "A read may find a copy that is not, or cannot be shown to be, the newest."],
  miss: ["unhealthy", "A read finds nothing."],
};

const words = (reason) => (reason === undefined ? "" : `${REASONS[reason] ?? reason}.`);

export const explain = async (bearer, key) => (await send(bearer, "GET", `explain${query({ key })}`)).data;

function Level({ of }) {
  return html`<tr>
    <td>${LEVELS.find((level) => level.id === of.level)?.name}</td>
    <td>${of.trusted ? "A read may return it." : words(of.reason)}</td>
    <td>${of.version ?? ""}</td>
    <td>${of.expires_at ? time(of.expires_at) : ""}</td>
  </tr>`;
}

/** What the API said of a key. */
export function Explained({ of, problem }) {
  if (!of) return html`<${Problem} of=${problem} />`;
  const [tone, verdict] = VERDICTS[of.verdict];
  const { cause, container } = of;
  return html`<section class="preview" aria-label="Why">
    <p><span class=${`pill ${tone}`}>${of.verdict}</span> ${verdict} ${words(of.reason)}</p>
    ${cause && html`<p>${cause.kind} at ${time(cause.at)}${cause.by === undefined ? "" : html`, by <${Text} of=${cause.by} />`}: <${Subject} of=${cause} />${cause.reason === undefined ? "" : html` (<${Text} of=${cause.reason} />)`}</p>`}
    ${of.known_since && html`<p>Known since ${time(of.known_since)}.</p>`}
    <div class="scroll" tabindex="0" role="region" aria-label="What each level has"><table>
      <thead><tr><th scope="col">Level</th><th scope="col">What it has</th><th scope="col">Version</th><th scope="col">Ends</th></tr></thead>
      <tbody>${of.levels.map((level) => html`<${Level} key=${level.level} of=${level} />`)}</tbody>
    </table></div>
    <p class="faint">As container <${Text} of=${container.id} /> sees it, which reads the journal every ${number(container.coherence_window_ms)} ms.</p>
  </section>`;
}
