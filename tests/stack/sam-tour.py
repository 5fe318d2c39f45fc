"""Takes every operation of the API, and sends every sample event, under `sam local` (see sam-local.py, whose `with` runs
it); fails unless what is answered is what docs/sam-local.md says.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

API, LAMBDA, FAULTS = (os.environ[name] for name in ["API", "LAMBDA", "FAULTS"])
REPOSITORY = Path(__file__).resolve().parents[2]
EVENTS = sorted((REPOSITORY / "events").glob("*.json"))
# Containers are made for the first requests.
PATIENCE = 120


def send(method, url, body=None, headers=None):
    """Status, headers and body of an answer, JSON decoded."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE)
    except urllib.error.HTTPError as refused:
        answer = refused
    with answer:
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None


def api(method, path, body=None, token=os.environ["TOKEN"], status=200, **headers):
    """Sends a request that must be answered so."""
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    answered, headers, said = send(method, API + path, body, headers)
    assert answered == status, f"{method} {path}: {answered} {said}"
    return headers, said


def by_query(key):
    return "/entries?" + urllib.parse.urlencode({"key": key}, quote_via=urllib.parse.quote)


def event(name):
    return json.loads((REPOSITORY / f"events/{name}.json").read_text())


def entries():
    api("PUT", "/entries/customer:1", {"value": {"amount": 1.5}, "tags": ["customer"]}, status=201)
    api("GET", "/entries/customer:1")
    headers, said = api("GET", "/entries/customer:1")
    assert said["value"] == {"amount": 1.5}
    assert headers["cache-status"].startswith("L1_MEMORY; hit"), headers["cache-status"]
    api("HEAD", "/entries/customer:1")
    api("PATCH", "/entries/customer:1", {"ttl_seconds": 60})
    api("PUT", "/entries/customer/1", {"value": 1}, status=201)
    api("POST", "/batch", {"operations": [{"op": "get", "key": "customer:1"}]})
    # SAM decodes a path before the function does; by ?key= every key arrives.
    api("PUT", "/entries/50%25", {"value": 1}, status=400)
    for key in ["50%", "50%25", "a b", "a+b", "a/b", "ä?&=#", "a//b", ".."]:
        api("PUT", by_query(key), {"value": key}, status=201)
        assert api("GET", by_query(key))[1]["value"] == key
        api("DELETE", by_query(key))
    api("DELETE", "/entries/customer/1")
    api("GET", "/entries/customer/1", status=404)


def the_rest():
    for path in ["/status", "/keys?prefix=customer:", "/tags", "/stats", "/config", "/journal", "/warm"]:
        api("GET", path)
    api("PUT", "/config", {"l1_config": {"ttl_minutes": 90}})
    job = api("POST", "/warm", {"patterns": ["customer:*"]}, status=202)[1]["warming_job_id"]
    deadline = time.monotonic() + PATIENCE
    while api("GET", f"/warm/{job}")[1]["state"] != "done":
        assert time.monotonic() < deadline, "the warmer does not hear of jobs"
        time.sleep(0.5)
    api("DELETE", f"/warm/{job}")
    assert api("POST", "/invalidate", {"pattern": "customer:*"})[1]["invalidated_count"] == 1


def refusals():
    """What SAM answers by itself is not what API Gateway does."""
    assert api("GET", "/status", token=None, status=401)[1] == {"message": "Unauthorized"}
    assert api("GET", "/status", token="a.b.c", status=502)[1] == {"message": "Internal server error"}
    expired = event("authorizer_expired")["authorizationToken"].removeprefix("Bearer ")
    assert api("GET", "/status", token=expired, status=401)[1]["error"]["details"] == {"reason": "expired"}
    for method, path in [("GET", "/nowhere"), ("POST", "/status")]:
        assert api(method, path, status=403)[1] == {"message": "Missing Authentication Token"}


def faults():
    """The containers' way to Redis can be cut."""
    send("POST", FAULTS, {"redis": {"container": "outside", "fault": "cut"}})
    assert api("PUT", "/entries/cut", {"value": 1}, status=201)[1]["degraded"]
    send("POST", FAULTS, {"redis": {"container": "outside", "fault": "none"}})


def events():
    for path in EVENTS:
        binary = path.stem.split("_")[0]
        url = f"{LAMBDA}/2015-03-31/functions/{binary.capitalize()}Function/invocations"
        status, headers, said = send("POST", url, event(path.stem))
        assert status == 200, f"{path.stem}: {status} {said}"
        if path.stem in ["authorizer_unsigned", "authorizer_no_bearer"]:
            assert said == {"errorType": "AuthorizeError", "errorMessage": "Unauthorized"}, f"{path.stem}: {said}"
        else:
            assert "x-amz-function-error" not in headers and said.get("statusCode", 200) < 500, f"{path.stem}: {said}"
    refused = send("POST", f"{LAMBDA}/2015-03-31/functions/WarmerFunction/invocations", {"x": 1})[2]
    assert refused["errorType"] == "UnreadableEvent", refused


def one_by_hand():
    call = [sys.executable, "tests/stack/sam-local.py", "target", "invoke", "events/status_get.json"]
    invoked = subprocess.run(call, cwd=REPOSITORY, capture_output=True, text=True)
    assert '"statusCode": 200' in invoked.stdout, invoked


for part in [entries, the_rest, refusals, faults, events, one_by_hand]:
    part()
    print(f"sam local: {part.__name__.replace('_', ' ')}", flush=True)
