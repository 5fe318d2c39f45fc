// Numbers, sizes, times and texts as people read them.

const NUMBER = new Intl.NumberFormat("en");
const RATIO = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium", hour12: false });
const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];
const SPANS = [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

export const LEVELS = [
  { id: "L1_MEMORY", short: "L1", name: "Memory" },
  { id: "L2_REDIS", short: "L2", name: "Redis" },
  { id: "L3_DATABASE", short: "L3", name: "DynamoDB" },
];

export const number = (value) => NUMBER.format(value);
/** So many of something, by its name for one and for several. */
export const counted = (value, one, several) => `${number(value)} ${value === 1 ? one : several}`;
export const ratio = (value) => RATIO.format(value);
export const short = (levels) => levels.map((id) => LEVELS.find((level) => level.id === id)?.short ?? id).join(" ");

export function bytes(value) {
  const at = value < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** at;
  if (at === 0) return counted(value, "byte", UNITS[0]);
  return `${scaled >= 100 ? number(Math.round(scaled)) : scaled.toFixed(1)} ${UNITS[at]}`;
}

export const time = (text) => CLOCK.format(new Date(text));

/** A number of seconds in its two largest units. */
export function span(seconds) {
  let rest = Math.max(0, Math.round(seconds));
  const parts = SPANS.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return [count, unit];
  });
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map((part) => part.join(" ")).join(" ");
}

export const until = (text) => span((new Date(text) - Date.now()) / 1000);

/**
 * A text in which what cannot be seen can: controls, and characters that turn the direction of what stands beside them
 * or take no room, so that no key looks like another one.
 */
export function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) =>
    `\\u{${character.codePointAt(0).toString(16).toUpperCase()}}`);
}
