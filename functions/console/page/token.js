// The token: pasted by a person, kept for this tab alone, and read for what it allows, so that the page leaves out what
// would be refused. Nothing is verified here: the API decides.

const PLACE = "token";
/** Of these claims the first that a token has names its scopes, alone; the deployment may name another. */
const SCOPES = ["scope", "scopes", "scp", "permissions"];

/** The claim that the deployment names, or else these. */
function claims(named, usual) {
  const own = document.documentElement.dataset[named];
  return own ? [own] : usual;
}

/** The payload of a JWT; throws where there is none. */
function payload(token) {
  const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}

/** Scopes as text with spaces between them, or as a list; null where no claim names any that can be read. */
function scopes(said) {
  const named = claims("scopesClaim", SCOPES).find((name) => said[name] !== undefined);
  const value = said[named];
  if (typeof value === "string") return new Set(value.split(/\s+/).filter(Boolean));
  return Array.isArray(value) ? new Set(value) : null;
}

/** What a pasted text allows; throws an Error that says what is wrong with it. */
export function read(pasted) {
  const token = pasted.trim().replace(/^bearer\s+/i, "");
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new Error("This is no JWT: three parts with dots between them");
  let said;
  try {
    said = payload(token);
  } catch {
    throw new Error("This is no JWT: its middle part cannot be read");
  }
  const prefixes = said[claims("prefixesClaim", ["cache_key_prefixes"])[0]];
  return {
    token,
    subject: typeof said.sub === "string" ? said.sub : "",
    scopes: scopes(said),
    prefixes: Array.isArray(prefixes) ? prefixes.filter((prefix) => typeof prefix === "string") : null,
    expires: typeof said.exp === "number" ? said.exp * 1000 : null,
  };
}

/** Whether the bearer may do what needs this scope. Who knows no scopes finds out by asking. */
export function may(bearer, scope) {
  return !bearer.scopes || bearer.scopes.has(scope);
}

/** The bearer of the token that this tab has, if it has one. */
export function kept() {
  try {
    return read(sessionStorage.getItem(PLACE) ?? "");
  } catch {
    return null;
  }
}

/** Keeps a token for this tab: until it is closed, or the token is forgotten. */
export function keep(bearer) {
  sessionStorage.setItem(PLACE, bearer.token);
}

export function forget() {
  sessionStorage.removeItem(PLACE);
}
