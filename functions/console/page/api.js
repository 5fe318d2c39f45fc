// Every request of the page: to the API it was served by, and to nobody else, with the token in a header.

const BASE = new URL("../../", import.meta.url);
/** A little longer than the gateway waits for an answer, in ms. */
const PATIENCE = 32_000;
/** Least time between two requests that nobody asked for, in ms. */
const PACE = 1000;

/** An answer that is an error, or none at all. */
export class ApiError extends Error {
  constructor(status, { code, message, details, request_id: id }, retryAfter) {
    super(message);
    Object.assign(this, { status, code, details: details ?? {}, requestId: id, retryAfter });
  }

  /** What is wrong with each field, as `{field: message}`. */
  get fields() {
    const errors = Array.isArray(this.details.errors) ? this.details.errors : [];
    return Object.fromEntries(errors.map(({ field, message }) => [field, message]));
  }
}

/** What answers have said of the caller's rate limits, by class: `{limit, left, seconds, at}`. */
export const limits = new Map();

function noteLimits(headers) {
  const parts = (name) => (headers.get(name) ?? "").split(",").map((part) => part.trim().split(";"));
  const number = (part, name) => Number(part.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1));
  const quotas = new Map(parts("RateLimit-Policy").map((part) => [part[0], number(part, "q")]));
  for (const part of parts("RateLimit").filter(([name]) => name)) {
    const of = { limit: quotas.get(part[0]), left: number(part, "r"), seconds: number(part, "t"), at: Date.now() };
    limits.set(part[0].replaceAll('"', ""), of);
  }
}

/** A query whose values arrive as they are; what is undefined or empty is left out. */
export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  const text = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return text && `?${text}`;
}

async function answered(method, path, bearer, { body, headers }) {
  try {
    return await fetch(new URL(path, BASE), {
      method,
      body,
      headers: { ...(body && { "Content-Type": "application/json" }), ...headers, Authorization: `Bearer ${bearer.token}` },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch (cause) {
    const message = cause.name === "TimeoutError" ? "No answer came in time" : "The API could not be reached";
    throw new ApiError(0, { code: "NO_ANSWER", message });
  }
}

function refusal(answer, text, id) {
  const retryAfter = Number(answer.headers.get("Retry-After")) || undefined;
  try {
    const { error } = JSON.parse(text);
    return new ApiError(answer.status, { ...error, request_id: error.request_id ?? id }, retryAfter);
  } catch {
    // Something between here and the API answered.
    const message = `The answer was ${answer.status} ${answer.statusText}`;
    return new ApiError(answer.status, { code: "UNEXPECTED", message, request_id: id }, retryAfter);
  }
}

/** Sends a request to a path below the API's; an answer that is an error is thrown as an ApiError. */
export async function send(bearer, method, path, options = {}) {
  const answer = await answered(method, path, bearer, options);
  const text = await answer.text();
  noteLimits(answer.headers);
  const id = answer.headers.get("x-request-id") ?? answer.headers.get("x-amzn-requestid");
  if (!answer.ok) throw refusal(answer, text, id);
  return { text, data: JSON.parse(text), status: answer.status, headers: answer.headers, requestId: id };
}

let last = -Infinity;
let queue = Promise.resolve();

/** Waits for the next turn to look: whatever looks, a second has passed since anything did. */
export function turn() {
  queue = queue.then(async () => {
    const wait = last + PACE - performance.now();
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    last = performance.now();
  });
  return queue;
}

/** Looks at once, because somebody has opened a view; the next turn is a second later. */
export function firstTurn() {
  last = performance.now();
}
