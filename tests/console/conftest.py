"""A browser before the console of the local stack at $API, and what a test needs to set the scene.

Every test has an API key of its own, so that no test uses up another's limits or sees its jobs.
"""

import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

API = os.environ["API"]
ROOT = API.removesuffix("/v1/cache")
CONSOLE = f"{API}/console"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
SHOTS = TARGET / "console"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}

# An unoptimised stack on a busy machine takes its time.
expect.set_options(timeout=30_000)


class Caller:
    """Somebody with a token, who can do by HTTP what a test wants done."""

    def __init__(self, name, scopes="cache:read cache:write cache:admin cache:journal", prefixes=None, ttl=3600, subject=None):
        settings = {"PORT": str(urllib.parse.urlsplit(API).port), "API_KEY": name, "SCOPES": scopes, "TTL": str(ttl)}
        settings |= {"SUBJECT": subject or name}
        settings |= {"PREFIXES": prefixes} if prefixes else {}
        local = TARGET / "debug" / "strata-local"
        told = subprocess.run([local, "token"], env=os.environ | settings, capture_output=True, text=True, check=True)
        self.token = told.stdout.strip()

    def call(self, method, path, body=None, **headers):
        """Status and JSON of the answer."""
        data = body.encode() if isinstance(body, str) else body and json.dumps(body).encode()
        headers |= {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{API}/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def put(self, key, value=1, **more):
        """Puts an entry; `value` may be JSON text."""
        text = value if isinstance(value, str) else json.dumps(value)
        rest = json.dumps(more)[1:]
        status, answer = self.call("PUT", entry(key), f'{{"value":{text}{"" if rest == "}" else ","}{rest}')
        assert status in (200, 201), answer

    def get(self, key):
        """What is there now, whatever a container may still have for the coherence window."""
        return self.call("GET", entry(key), **{"Cache-Control": "no-cache"})


def entry(key):
    return f"entries?key={urllib.parse.quote(key, safe='')}"


def fault(what):
    """Puts a fault of the local stack in force."""
    request = urllib.request.Request(f"{ROOT}/_strata/faults", json.dumps(what).encode())
    urllib.request.urlopen(request, timeout=30).close()


@pytest.fixture
def faults():
    """Puts faults in force, ends them with the test, and waits until the levels are used again."""
    yield fault
    fault({"redis": {"fault": "none"}, "l3": {"fault": "ok"}})
    after = Caller("after-faults")
    for _ in range(120):
        status, answer = after.call("PUT", entry("after-faults"), {"value": 1})
        if status < 300 and not answer.get("degraded"):
            return
        time.sleep(0.5)
    raise AssertionError(f"the levels are not used again: {answer}")


@pytest.fixture
def caller(request):
    # As a person's, for the pictures.
    return Caller(request.node.name, subject="anna@example.com")


@pytest.fixture(scope="session")
def browser():
    # Chromium has no sandbox for root.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=sandbox)
        yield browser
        browser.close()


class Watched:
    """What a page did that no page should: errors, refusals of the browser, requests to elsewhere, tokens in addresses."""

    def __init__(self, page):
        self.faults = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self.said)
        page.on("request", self.requested)
        page.on("dialog", lambda dialog: (self.faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))

    def said(self, message):
        # The browser itself tells of answers that are errors, which tests provoke.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def requested(self, request):
        if not request.url.startswith(f"{API}/") or "eyJ" in request.url:
            self.faults.append(f"request: {request.url}")


@pytest.fixture
def tab(browser):
    """Opens tabs that share nothing; all are watched."""
    contexts, watched = [], []

    def tab(**options):
        contexts.append(browser.new_context(**({"viewport": DESK} | options)))
        page = contexts[-1].new_page()
        watched.append(Watched(page))
        return page

    yield tab
    for context in contexts:
        context.close()
    faults = list(itertools.chain.from_iterable(one.faults for one in watched))
    assert not faults, faults


def sign_in(page, caller, view="levels"):
    """Opens the console with a token, on a view."""
    page.goto(f"{CONSOLE}#{view}")
    page.get_by_label("Token").fill(caller.token)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("navigation")).to_be_visible()
    return page


def go(page, name):
    """Chooses a view, unless it is open."""
    link = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
    if link.get_attribute("aria-current") is None:
        link.click()
        expect(page.get_by_role("heading", level=1)).to_be_focused()


def problem(page):
    """What is said to have gone wrong."""
    return page.get_by_role("alert")


@pytest.fixture
def console(tab, caller):
    """The console, signed in with all scopes."""
    return sign_in(tab(), caller)


@pytest.fixture(scope="session")
def shot():
    """Keeps a picture of a page as an artefact of the run."""
    SHOTS.mkdir(parents=True, exist_ok=True)

    def shot(page, name):
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    return shot
