// The console: who is here, which view is open, and the status, which every view shows.

import { render } from "./preact.js";
import { useEffect, useState } from "./hooks.js";
import { ApiError, send } from "./api.js";
import { Config } from "./config.js";
import { Entry } from "./entry.js";
import { Invalidate } from "./invalidate.js";
import { Jobs } from "./jobs.js";
import { Journal } from "./journal.js";
import { Keys } from "./keys.js";
import { Levels } from "./levels.js";
import { BLANK, Put, edited } from "./put.js";
import { forget, keep, kept, may, read } from "./token.js";
import { Input, Problem, Text, html, useLook } from "./ui.js";

/** Seconds between two looks at the status. */
const STATUS_EVERY = 5;

const mayAny = (...scopes) => (bearer) => scopes.some((scope) => may(bearer, scope));
/** The views, by what stands after the # of the address, with who may use them. No key stands there, and no token. */
const VIEWS = [
  ["levels", "Levels", mayAny("cache:read")],
  ["keys", "Keys", mayAny("cache:read")],
  ["entry", "Entry", mayAny("cache:read")],
  ["put", "Put", mayAny("cache:write")],
  ["invalidate", "Invalidate", mayAny("cache:write")],
  ["jobs", "Jobs", mayAny("cache:read")],
  ["journal", "Journal", mayAny("cache:journal", "cache:admin")],
  ["config", "Configuration", mayAny("cache:read")],
];

function SignIn({ why, onBearer }) {
  const [text, setText] = useState("");
  const [error, setError] = useState("");
  const submit = (event) => {
    event.preventDefault();
    try {
      onBearer(read(text));
    } catch (wrong) {
      setError(wrong.message);
    }
  };
  return html`<main class="sign-in">
    <h1>Strata console</h1>
    ${why && html`<${Problem} of=${why} />`}
    <form onSubmit=${submit}>
      <${Input} id="token" label="Token" type="password" required value=${text} onValue=${setText} error=${error}
        hint="A JWT that the API takes. It stays in this tab, goes to this API alone, and is forgotten with the tab." />
      <button class="main">Open</button>
    </form>
  </main>`;
}

function useView(views) {
  const current = () => views.find(([id]) => `#${id}` === location.hash)?.[0] ?? views[0]?.[0];
  const [view, setView] = useState(current());
  useEffect(() => {
    const change = () => setView(current());
    addEventListener("hashchange", change);
    return () => removeEventListener("hashchange", change);
  }, [views.length]);
  return view;
}

/** The status and the last hour, looked at while the page is open. */
function useStatus(bearer) {
  return useLook(async () => {
    if (!may(bearer, "cache:read")) throw new ApiError(0, { code: "", message: "This token may not read the status" });
    return (await send(bearer, "GET", "status?history=60")).data;
  }, STATUS_EVERY, [bearer]);
}

function Banner({ bearer, status, problem, onLeave }) {
  const health = problem ? "unknown" : status?.status;
  return html`<header>
    <p class="brand">Strata</p>
    ${health && html`<span class=${`pill ${health}`} role="status">${health}</span>`}
    <p class="who">${bearer.subject && html`<${Text} of=${bearer.subject} />`} <button onClick=${onLeave}>Forget the token</button></p>
  </header>`;
}

function Console({ bearer, onLeave }) {
  const views = VIEWS.filter(([, , isFor]) => isFor(bearer));
  const view = useView(views);
  const [chosen, setChosen] = useState("");
  const [draft, setDraft] = useState(BLANK);
  const { data: status, problem } = useStatus(bearer);
  useEffect(() => {
    if (status) performance.mark("usable");
  }, [status]);
  useEffect(() => {
    if (problem?.status === 401) onLeave(problem);
  }, [problem]);
  const look = (key) => {
    setChosen(key);
    location.hash = "entry";
  };
  const edit = (entry) => {
    setDraft(edited(entry));
    location.hash = "put";
  };
  const shown = {
    levels: () => html`<${Levels} ...${{ status, problem, bearer }} />`,
    keys: () => html`<${Keys} bearer=${bearer} onOpen=${look} />`,
    entry: () => html`<${Entry} bearer=${bearer} chosen=${chosen} onEdit=${edit} />`,
    put: () => html`<${Put} bearer=${bearer} draft=${draft} onDraft=${setDraft} onLook=${look} />`,
    invalidate: () => html`<${Invalidate} bearer=${bearer} />`,
    jobs: () => html`<${Jobs} bearer=${bearer} />`,
    journal: () => html`<${Journal} bearer=${bearer} />`,
    config: () => html`<${Config} bearer=${bearer} />`,
  };
  const link = ([id, name]) => html`<a key=${id} href=${`#${id}`} aria-current=${id === view ? "page" : undefined}>${name}</a>`;
  return html`<${Banner} ...${{ bearer, status, problem, onLeave: () => onLeave() }} />
    <nav aria-label="Views">${views.map(link)}</nav>
    <main key=${view}>${view ? shown[view]() : html`<p>This token has no scope that this page knows.</p>`}</main>`;
}

function App() {
  const [bearer, setBearer] = useState(kept);
  const [why, setWhy] = useState();
  const enter = (given) => {
    keep(given);
    setWhy(undefined);
    setBearer(given);
  };
  // By choice, or because the API has refused the token: then it says why.
  const leave = (problem) => {
    forget();
    setWhy(problem);
    setBearer(null);
  };
  return bearer
    ? html`<${Console} bearer=${bearer} onLeave=${leave} />`
    : html`<${SignIn} why=${why} onBearer=${enter} />`;
}

render(html`<${App} />`, document.getElementById("app"));
