// JSON as it was stored. JSON.parse would round numbers, put members in another order and drop those that are there twice;
// here each part keeps the text it has. What is read has been through the API, so that it is JSON.

const SPACE = /\s*/y;

function skip(text, at) {
  SPACE.lastIndex = at;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

/** Where the string that begins at `at` has ended. */
function afterString(text, at) {
  for (let next = at + 1; next < text.length; next += 1) {
    if (text[next] === "\\") next += 1;
    else if (text[next] === '"') return next + 1;
  }
  return text.length;
}

/** Where the value that begins at `at` has ended. Counts brackets, however deep they are, instead of calling itself. */
function afterValue(text, at) {
  let depth = 0;
  let next = at;
  while (next < text.length) {
    const character = text[next];
    if (character === '"') {
      next = afterString(text, next);
      if (depth === 0) return next;
      continue;
    }
    if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      if (depth === 0) return next;
      depth -= 1;
      if (depth === 0) return next + 1;
    } else if (depth === 0 && (character === "," || character <= " ")) return next;
    next += 1;
  }
  return next;
}

export const isObject = (text) => text[0] === "{";
export const isFolded = (text) => isObject(text) || text[0] === "[";

/** The members of an object, or items of an array, in their order: `{name, text}`, a name being JSON as well. */
export function members(text) {
  const found = [];
  let at = skip(text, 1);
  while (at < text.length && text[at] !== "}" && text[at] !== "]") {
    let name;
    if (isObject(text)) {
      const end = afterString(text, at);
      name = text.slice(at, end);
      at = skip(text, skip(text, end) + 1);
    }
    const end = afterValue(text, at);
    found.push({ name, text: text.slice(at, end) });
    at = skip(text, end);
    if (text[at] === ",") at = skip(text, at + 1);
  }
  return found;
}

/** The text of one member of an object. */
export function member(text, name) {
  return members(text.trim()).find((one) => one.name === JSON.stringify(name))?.text;
}

/** What keeps a text from being JSON; undefined where it is. */
export function fault(text) {
  try {
    JSON.parse(text);
    return undefined;
  } catch (cause) {
    return text.trim() ? `This is not JSON: ${cause.message}` : "A value is missing; null is one as well";
  }
}
