// What the status said since the page was opened, an hour of it at most: the API tells counts, and the page what became
// of them from one look to the next.

import { LEVELS } from "./format.js";

/** How long what was seen is kept, in ms. */
const KEPT = 3_600_000;

const counts = (status) => Object.fromEntries(status.levels.map((level) => [level.level, level]));

/** What happened between two looks: for each level the share of hits, and how often it was asked a second. */
function between(before, after) {
  const seconds = (after.at - before.at) / 1000;
  const [old, now] = [counts(before.status), counts(after.status)];
  return LEVELS.map(({ id }) => {
    const grown = (field) => (now[id][field] ?? 0) - (old[id][field] ?? 0);
    const [hits, asked] = [grown("hits"), grown("hits") + grown("misses")];
    return { ratio: asked > 0 ? hits / asked : null, rate: asked / seconds };
  });
}

/** Whether both count from the same beginning: a Redis that has lost its data begins anew. */
function continues(before, after) {
  const [old, now] = [before.status, after.status];
  return old.fleet.statistics === "available" && now.fleet.statistics === "available"
    && old.fleet.counted_since === now.fleet.counted_since;
}

/** A history with one more look at the status; the one given stays as it is. */
export function added(history, status, at = Date.now()) {
  const look = { at, status };
  const before = history.at(-1);
  const seen = before && continues(before, look) ? between(before, look) : LEVELS.map(() => ({ ratio: null, rate: null }));
  return [...history.filter((one) => one.at > at - KEPT), { ...look, seen }];
}

/** The columns of a chart: times, then `field` of each level. */
export function columns(history, field) {
  return [history.map((look) => look.at / 1000), ...LEVELS.map((_, at) => history.map((look) => look.seen[at][field]))];
}
