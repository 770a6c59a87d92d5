"""What tests of engines in worker processes share: models that fail, and a look at the processes."""

import http.client
import json
import os
import re
import struct
import unittest

from server import BINARY

ENGINES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(BINARY))), "tests/engines")
# The faults of tests/faulty_engine, in its order: 1000 + index as the first element chooses one.
FAULTS = ["none", "segv", "abort", "exit", "hang", "allocate", "slow", "corrupt", "error",
          "lost", "fade", "sink", "meet"]


def is_sanitized():
    """Whether a sanitizer meets crashes before the kernel does and holds on to memory: signals, exit
    codes and limits are not those of the program then."""
    with open(BINARY, "rb") as file:
        content = file.read()
    return b"libasan.so" in content or b"libtsan.so" in content


plain_only = unittest.skipIf(is_sanitized(), "a sanitizer takes crashes and limits for its own")


def engine(name="faulty"):
    return os.path.join(ENGINES, name + ".so")


def fault(name):
    return 1000 + FAULTS.index(name)


def add_model(repository, name, words, backend="faulty", parameters=None):
    """A model of the faulty engine: `words` say how it fails."""
    os.makedirs(os.path.join(repository, name, "1"), exist_ok=True)
    set_words(repository, name, words)
    config = f'backend: "{backend}"\n'
    for key, value in (parameters or {}).items():
        config += (f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n')
    with open(os.path.join(repository, name, "config.pbtxt"), "w", encoding="ascii") as file:
        file.write(config)


def set_words(repository, name, words):
    path = os.path.join(repository, name, "1", "model.faulty")
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(words + "\n")
    os.replace(path + ".new", path)


class Client:
    """Requests over one connection that is opened anew when it ends."""

    def __init__(self, server, timeout=60):
        self.server = server
        self.connection = http.client.HTTPConnection(server.http, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def infer(self, model, values, parameters=None):
        """Status and OUTPUT0, or status and the error's text."""
        head = json.dumps({
            "parameters": parameters or {},
            "inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [len(values)],
                        "parameters": {"binary_data_size": 4 * len(values)}}],
            "outputs": [{"name": "OUTPUT0", "parameters": {"binary_data": True}}]}).encode()
        status, body = self.ask("POST", f"/v2/models/{model}/infer",
                                head + struct.pack(f"<{len(values)}f", *values),
                                {"Inference-Header-Content-Length": str(len(head))})
        if status != 200:
            return status, json.loads(body)["error"]
        return status, list(struct.unpack(f"<{len(values)}f", body[-4 * len(values):]))

    def index(self):
        status, body = self.ask("POST", "/v2/repository/index", "{}")
        assert status == 200, body
        return {entry["name"]: (entry.get("state", ""), entry.get("reason", ""))
                for entry in json.loads(body)}

    def ready(self, model):
        status, body = self.ask("GET", f"/v2/models/{model}/ready")
        return status, body.decode()

    def load(self, model):
        status, body = self.ask("POST", f"/v2/repository/models/{model}/load")
        return status, body.decode()


def metric(server, name, **labels):
    """The sum of the samples with these labels; None without any."""
    connection = http.client.HTTPConnection(server.metrics, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = None
    for line in re.findall(rf"^{name}(?:{{.*}})? \S+$", text, re.MULTILINE):
        if all(f'{key}="{value}"' in line for key, value in labels.items()):
            found = (found or 0) + float(line.split()[-1])
    return found


def children(pid):
    """The worker processes of a server, oldest first."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                stat = file.read()
        except OSError:
            continue
        name, rest = stat[stat.index("(") + 1:stat.rindex(")")], stat[stat.rindex(")") + 2:].split()
        if int(rest[1]) == pid and name.startswith("supernova-worke") and rest[0] != "Z":
            found.append((int(rest[19]), int(entry)))
    return [process for _, process in sorted(found)]


def maps(pid, text):
    """Whether that process has a file of that name in its memory."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
            return any(text in line for line in file)
    except OSError:
        return False


def exists(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            stat = file.read()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] != "Z"
