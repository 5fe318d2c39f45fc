"""Runs the functions in Lambda's own image by `sam local`, beside engines of the local stack that they reach:

    sam-local.py TARGET start-api         the API on PORT (3000) until Ctrl-C
    sam-local.py TARGET start-lambda      Lambda's Invoke API on PORT (3001) until Ctrl-C
    sam-local.py TARGET invoke EVENT      one event of events/, beside the engines of either where one runs
    sam-local.py TARGET with COMMAND...   a command that finds both at API and LAMBDA, and TOKEN in its environment;
                                          says "skipped" where no engine of containers can be had

TARGET is Cargo's folder, with the binaries that `make run` builds; BINARIES names a folder of archives instead
(`make package`). What SAM cannot know stands in files of target/sam-local, which samconfig.toml names: it gives functions
no variable that their template does not declare, so that a template is made that declares where DynamoDB is; and it takes
values of those from the shell of whoever calls it, so that all are given.
"""

import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import docker
from samtranslator.yaml_helper import yaml_parse

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "target/sam-local"
RUNNING = FOLDER / "running.json"
# Which glibc Lambda's image has: binaries that want a newer one do not start there.
GLIBC = (2, 34)
START_SECONDS = 120
# On the way into a container, for functions alone: SAM would pass on the credentials of whoever calls it.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_DEFAULT_REGION": "eu-central-1"}


class Unavailable(Exception):
    """There is no engine of containers that could run the functions."""


class Engine:
    """The engine of containers that SAM would use."""

    def __init__(self):
        try:
            self.client = docker.from_env()
            self.info = self.client.info()
        except docker.errors.DockerException as error:
            raise Unavailable(f"no Docker engine answers: {error}") from error
        machine = self.info["Architecture"]
        self.architecture = {"aarch64": "arm64"}.get(machine, machine)
        self.is_desktop = self.info["OperatingSystem"] == "Docker Desktop"

    def fetch_image(self):
        """SAM would look for a newer one at every start."""
        name = f"public.ecr.aws/lambda/provided:al2023-{self.architecture}"
        try:
            self.client.images.get(name)
        except docker.errors.ImageNotFound:
            print(f"fetching {name}", file=sys.stderr)
            try:
                self.client.images.pull(name)
            except docker.errors.DockerException as error:
                raise Unavailable(f"{name} cannot be fetched: {error}") from error

    def address(self):
        """The address of this machine that containers reach, and no other machine is given."""
        if self.is_desktop:
            return "127.0.0.1"
        bridge = self.client.networks.get("bridge").attrs
        for config in bridge["IPAM"]["Config"]:
            if "Gateway" in config:
                return config["Gateway"]
        # Older engines tell it once there is a container.
        name = bridge["Options"].get("com.docker.network.bridge.name", "docker0")
        told = subprocess.run(["ip", "-4", "-oneline", "address", "show", name], capture_output=True, text=True)
        found = re.search(r"inet ([0-9.]+)", told.stdout)
        if not found:
            raise Unavailable(f"the network of Docker has no address on this machine: {told.stderr}")
        return found[1]

    def host_of(self, address):
        """How containers name it."""
        return "host.docker.internal" if self.is_desktop else address


class Engines:
    """Redis, DynamoDB, and the warmer, whom no `sam local` calls when a job is there."""

    def __init__(self, target, address):
        FOLDER.mkdir(parents=True, exist_ok=True)
        log = FOLDER / "engines.log"
        options = {"PORT": "0", "CONTAINERS": "1", "FUNCTIONS": "warmer", "ENGINES_AT": address}
        with log.open("w") as out:
            self.process = subprocess.Popen(
                [target / "debug/strata-local"], stdout=out, stderr=out, env={**os.environ, **options},
                start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while not (ready := re.search(r"^ready http://127\.0\.0\.1:(\d+)/", log.read_text(), re.MULTILINE)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the engines do not start: {log.read_text()}")
            time.sleep(0.1)
        self.folder = REPOSITORY / "target/local" / ready[1]
        self.info = json.loads((self.folder / "stack.json").read_text())

    def __enter__(self):
        return self.info

    def __exit__(self, *_):
        RUNNING.unlink(missing_ok=True)
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def functions(template):
    """The functions, by the names of their binaries."""
    resources = template["Resources"].items()
    all_functions = {name: r for name, r in resources if r["Type"] == "AWS::Serverless::Function"}
    return {r["Metadata"]["BuildProperties"]["Binary"]: (name, r) for name, r in all_functions.items()}


def code(target, binary):
    """What SAM finds the program of a function in."""
    archives = os.environ.get("BINARIES")
    if archives:
        return str(Path(archives, binary, "bootstrap.zip").resolve(strict=True))
    if platform.system() != "Linux":
        sys.exit("binaries of this machine do not run in Lambda's image: make package, then BINARIES=target/lambda/arm64")
    built = target / "debug" / binary
    wanted = max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(\d+\.\d+)", built.read_bytes()))
    if wanted > GLIBC:
        sys.exit(f"{binary} needs glibc {wanted[0]}.{wanted[1]}, and Lambda has {GLIBC[0]}.{GLIBC[1]}: "
                 "make package ARCH=x86_64, then BINARIES=target/lambda/x86_64")
    staged = FOLDER / binary / "bootstrap"
    staged.parent.mkdir(exist_ok=True)
    staged.unlink(missing_ok=True)
    try:
        os.link(built, staged)
    except OSError:
        shutil.copy2(built, staged)
    return str(staged.parent)


def prepare(target, engine, info):
    """Writes the template and the environment that samconfig.toml names; returns the variables of the functions."""
    template = yaml_parse((REPOSITORY / "template.yaml").read_text())
    of_all = template["Globals"]["Function"]
    of_all["Architectures"] = [engine.architecture]
    outside = {name: value.replace("127.0.0.1", engine.host_of("127.0.0.1")) for name, value in info["outside"].items()}
    values = {
        "REDIS_URL": outside["redis_url"], "REDIS_AUTH": "", "AWS_ENDPOINT_URL_DYNAMODB": outside["dynamodb_endpoint"],
        "TABLE_NAME": info["table"], "CONTROL_TABLE_NAME": info["control_table"], "DEPLOYMENT_KEY": "local",
        "JWT_ISSUER": info["jwt_issuer"], "JWT_AUDIENCE": info["jwt_audience"], "JWT_SECRET": info["jwt_secret"],
        "JWT_SECRET_ARN": "",
    }
    of_all["Environment"]["Variables"]["AWS_ENDPOINT_URL_DYNAMODB"] = ""
    names = set(of_all["Environment"]["Variables"])
    for binary, (_, function) in functions(template).items():
        function["Properties"]["CodeUri"] = code(target, binary)
        own = function["Properties"].get("Environment", {}).get("Variables", {})
        if "JWT_SECRET_ARN" in own:
            own["JWT_SECRET"] = ""
        names.update(own)
    (FOLDER / "template.json").write_text(json.dumps(template, indent=1))
    (FOLDER / "environment.json").write_text(json.dumps({"Parameters": values}, indent=1))
    RUNNING.write_text(json.dumps({"pid": os.getpid(), "names": sorted(names)}))
    return names


def sam(names, *arguments, **options):
    """A `sam local` that is begun; `names` are not taken from the shell."""
    environment = {name: value for name, value in os.environ.items() if name not in names and name != "AWS_PROFILE"}
    environment |= CREDENTIALS | {"SAM_CLI_TELEMETRY": "0"}
    command = [str(Path(sys.executable).with_name("sam")), "local", *arguments, "--config-env", "local"]
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment, **options)


def serve(names, command, port):
    return sam(names, command, "--port", str(port), start_new_session=True)


def await_port(process, port):
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("sam local does not start")
            time.sleep(0.2)


def end(process):
    """SAM removes its containers then."""
    process.terminate()
    process.wait()


def running():
    """What a call that runs, and whose engines others may use, has written of itself."""
    try:
        said = json.loads(RUNNING.read_text())
        os.kill(said["pid"], 0)
        return said
    except (OSError, ValueError):
        return None


def greet(command, port, info):
    if command == "start-api":
        print(f"API=http://127.0.0.1:{port}/cache\nTOKEN={info['token']}\n\n"
              'curl -i -X PUT -H "Authorization: Bearer $TOKEN" $API/entries/customer:12345 -d \'{"value":1}\'\n'
              'curl -i -H "Authorization: Bearer $TOKEN" $API/entries/customer:12345\n')
    else:
        print(f"curl http://127.0.0.1:{port}/2015-03-31/functions/StatusFunction/invocations "
              "--data-binary @events/status_get.json\n")
    print(f"Faults: curl {info['url'].rsplit('/', 2)[0]}/_strata/faults; the containers' way to Redis is `outside`.")
    sys.stdout.flush()


def serve_until_interrupted(target, engine, command):
    port = int(os.environ.get("PORT") or (3000 if command == "start-api" else 3001))
    with Engines(target, engine.address()) as info:
        names = prepare(target, engine, info)
        server = serve(names, command, port)
        try:
            await_port(server, port)
            greet(command, port, info)
            return server.wait()
        finally:
            end(server)


def invoke(target, engine, event):
    function, _ = functions(yaml_parse((REPOSITORY / "template.yaml").read_text()))[Path(event).name.split("_")[0]]
    arguments = ["invoke", function, "--event", str(Path(event).resolve())]
    if said := running():
        return sam(said["names"], *arguments).wait()
    with Engines(target, engine.address()) as info:
        return sam(prepare(target, engine, info), *arguments).wait()


def beside(target, engine, command):
    with Engines(target, engine.address()) as info:
        names = prepare(target, engine, info)
        servers, variables = [], {"TOKEN": info["token"], "FAULTS": info["url"].rsplit("/", 2)[0] + "/_strata/faults"}
        try:
            for name, serving, path in [("API", "start-api", "/cache"), ("LAMBDA", "start-lambda", "")]:
                port = free_port()
                servers.append(serve(names, serving, port))
                await_port(servers[-1], port)
                variables[name] = f"http://127.0.0.1:{port}{path}"
            return subprocess.run(command, env={**os.environ, **variables}).returncode
        finally:
            for server in servers:
                end(server)


def main():
    target, command, *rest = Path(sys.argv[1]).resolve(), *sys.argv[2:]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        engine = Engine()
        engine.fetch_image()
    except Unavailable as why:
        if command != "with":
            sys.exit(str(why))
        print(f"skipped: {why}")
        return 0
    if command == "invoke":
        return invoke(target, engine, *rest)
    if said := running():
        sys.exit(f"process {said['pid']} serves already, and has its template in {FOLDER}")
    if command == "with":
        return beside(target, engine, rest)
    return serve_until_interrupted(target, engine, command)


try:
    sys.exit(main())
except KeyboardInterrupt:
    sys.exit(0)
