// The last hour as the API tells it: what the fleet reported in each of its minutes.

import { LEVELS } from "./format.js";

/** Of the reads that asked a level, how many it answered; null where none did. */
export const hitRatio = ({ reads, hits }) => (reads > 0 ? hits / reads : null);

/** How often a level was asked, a second. */
export const asked = ({ reads }) => reads / 60;

/** The columns of a chart: times in seconds, then what `of` says of each level. */
export function columns(minutes, of) {
  const times = minutes.map((minute) => new Date(minute.at) / 1000);
  return [times, ...LEVELS.map(({ id }) => minutes.map((minute) => of(minute.levels.find((level) => level.level === id))))];
}
