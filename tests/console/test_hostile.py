"""Keys, tags, values, reasons and names come from whoever may write. To the page they are text, whatever they look like;
and to a page that failed at that, the browser would still refuse."""

import http.server
import json
import threading

from conftest import API, CONSOLE, Caller, expect, go, sign_in

MARKUP = [
    "<img src=x onerror=\"window.owned=1\">",
    "<script>window.owned=1</script>",
    "\"><svg onload='window.owned=1'>",
    "javascript:window.owned=1",
    "<iframe srcdoc='<script>parent.owned=1</script>'>",
    "${window.owned=1}{{window.owned=1}}<!--",
    "<style>*{display:none}</style>",
]
# Turned round, so that it reads like another; and of no width at all.
DISGUISED = "admin\u202egnp.\u200b"
DISGUISED_VALUE = json.dumps(DISGUISED, ensure_ascii=False)


def put_all(caller):
    for number, text in enumerate(MARKUP):
        caller.put(f"h:{text}", {text: [text, {"deep": text}]}, tags=[text[:120]])
        caller.call("POST", "invalidate", {"keys": [f"none:{number}:{text}"], "reason": text})
    caller.put(f"h:{DISGUISED}", DISGUISED_VALUE)


def assert_untouched(page):
    """Nothing has run, and there are no elements but the page's own."""
    assert page.evaluate("window.owned") is None
    assert page.locator("main img, main iframe, main script, main style, main svg, main a").count() == 0


def test_texts_are_text(tab):
    caller = Caller("hostile", subject=MARKUP[0])
    put_all(caller)
    page = sign_in(tab(), caller, view="keys")
    expect(page.locator("header .who code")).to_have_text(MARKUP[0])
    page.get_by_label("Prefix", exact=True).fill("h:")
    page.get_by_role("button", name="Find").click()
    for text in MARKUP:
        expect(page.get_by_role("button", name=f"h:{text}", exact=True)).to_be_visible()
    page.get_by_role("button", name="Tags", exact=True).click()
    expect(page.locator(".choices code").filter(has_text="onerror")).to_be_visible()
    assert_untouched(page)
    for text in MARKUP[:3]:
        go(page, "Keys")
        page.get_by_label("Prefix", exact=True).fill(f"h:{text}")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("button", name=f"h:{text}", exact=True).click()
        entry = page.get_by_role("article", name="The entry")
        expect(entry.get_by_role("heading")).to_have_text(f"h:{text}")
        for _ in range(2):
            entry.locator("details:not([open]) > summary").last.click()
        assert_untouched(page)
    go(page, "Journal")
    expect(page.locator("tbody tr").filter(has_text="none:0:").locator("td").nth(3)).to_have_text(MARKUP[0])
    assert_untouched(page)
    go(page, "Invalidate")
    page.get_by_label("Pattern").fill("h:*")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("region", name="Preview").locator("li")).to_have_count(len(MARKUP) + 1)
    assert_untouched(page)


def test_what_cannot_be_seen_is_shown(tab):
    caller = Caller("disguised")
    caller.put(f"d:{DISGUISED}", DISGUISED_VALUE)
    page = sign_in(tab(), caller, view="keys")
    page.get_by_label("Prefix", exact=True).fill("d:")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("button", name="d:admin\\u{202E}gnp.\\u{200B}", exact=True).click()
    expect(page.locator(".value")).to_contain_text('"admin\\u{202E}gnp.\\u{200B}"')
    # The key that is meant is the one that is there, and not the one that is shown.
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("Deleted from")).to_be_visible()
    assert caller.get(f"d:{DISGUISED}")[0] == 404


def test_the_browser_makes_no_markup_of_strings_and_runs_no_script_of_others(browser, caller):
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, caller)
    refused = page.evaluate("""async () => {
        const refused = [];
        const tried = (name, act) => { try { act(); } catch (error) { if (error instanceof TypeError) refused.push(name); } };
        tried("markup", () => { document.body.innerHTML = "<img src=x onerror='window.owned=1'>"; });
        tried("policy", () => trustedTypes.createPolicy("own", {}));
        const violations = [];
        addEventListener("securitypolicyviolation", (event) => violations.push(event.effectiveDirective));
        const script = document.createElement("script");
        document.body.append(script);
        try { script.text = "window.owned = 1"; } catch { refused.push("script"); }
        await fetch("https://example.com/").catch(() => refused.push("fetch"));
        const image = new Image();
        image.src = "https://example.com/x.png";
        const form = document.createElement("form");
        form.action = "https://example.com/";
        document.body.append(form);
        form.submit();
        await new Promise((done) => setTimeout(done, 500));
        return { refused, violations, owned: window.owned };
    }""")
    context.close()
    assert refused["refused"] == ["markup", "policy", "script", "fetch"], refused
    assert {"connect-src", "img-src", "form-action"} <= set(refused["violations"]), refused
    assert refused.get("owned") is None


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """A page of another origin that would like to have the console in a frame."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(f"<iframe src='{CONSOLE}'></iframe>".encode())

    def log_message(self, *_):
        pass


def test_no_other_page_has_it_in_a_frame(browser):
    server = http.server.HTTPServer(("127.0.0.1", 0), Elsewhere)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = browser.new_context()
    page = context.new_page()
    refusals = []
    page.on("console", lambda message: refusals.append(message.text))
    page.goto(f"http://127.0.0.1:{server.server_port}/")
    page.wait_for_timeout(1000)
    frames = [frame.url for frame in page.frames[1:]]
    context.close()
    server.shutdown()
    assert any("frame" in text.lower() for text in refusals), refusals
    assert not any(url.startswith(API) for url in frames), frames
