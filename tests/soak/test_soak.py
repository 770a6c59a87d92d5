"""Loads, reloads and connections by the thousand: nothing is lost and nothing piles up."""

import http.client
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import unittest

import onnx_writer
from server import ROOT, Server

FULL = os.environ.get("SUPERNOVA_SOAK") == "full"


def process_facts(pid):
    """RSS in KiB, descriptors and threads of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return (int(fields["VmRSS"].split()[0]), len(os.listdir(f"/proc/{pid}/fd")),
            int(fields["Threads"]))


def memory_counts(pid):
    """Whether RSS says what the server keeps: a sanitizer holds on to what was freed."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        return not any(name in line for line in file for name in ("libasan", "libtsan"))


def slope(values):
    """Least-squares rise per step."""
    x_mean, y_mean = (len(values) - 1) / 2, statistics.fmean(values)
    across = sum((x - x_mean) ** 2 for x in range(len(values)))
    return sum((x - x_mean) * (y - y_mean) for x, y in enumerate(values)) / across


class SoakTest(unittest.TestCase):
    def repository(self, names, extra_weights=0):
        folder = tempfile.TemporaryDirectory(prefix="supernova-soak-")
        self.addCleanup(folder.cleanup)
        for name in names:
            path = os.path.join(folder.name, name, "1")
            os.makedirs(path)
            with open(os.path.join(path, "model.onnx"), "wb") as file:
                file.write(onnx_writer.sum_difference(extra_weights=extra_weights))
        return folder.name

    def serve(self, repository, *flags):
        server = Server(["--model-repository", repository], flags)
        self.addCleanup(server.stop)
        return server

    def ask(self, server, path, body=None):
        connection = http.client.HTTPConnection(server.http, timeout=60)
        try:
            connection.request("POST", path, body)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()


class LoadAndUnload(SoakTest):
    def test_memory_descriptors_and_threads_stay_flat(self):
        cycles = 1000 if FULL else 120
        names = [f"m{i}" for i in range(20)]
        server = self.serve(self.repository(names, extra_weights=1 << 18),
                            "--model-control-mode", "explicit")
        facts = []
        for cycle in range(cycles):
            name = names[cycle % len(names)]
            self.assertEqual(self.ask(server, f"/v2/repository/models/{name}/load"), (200, b""))
            status, body = self.ask(server, f"/v2/models/{name}/infer", json.dumps(
                {"inputs": [{"name": n, "datatype": "FP32", "shape": [2, 3], "data": [1] * 6}
                            for n in ("INPUT0", "INPUT1")]}))
            self.assertEqual(status, 200, body)
            self.assertEqual(self.ask(server, f"/v2/repository/models/{name}/unload")[0], 200)
            facts.append(process_facts(server.process.pid))
        # The first rounds fill pools and caches.
        settled = facts[len(facts) // 4:]
        rss, descriptors, threads = zip(*settled)
        rise = slope(rss)
        print(f"\n{cycles} cycles: RSS {rss[0]} -> {rss[-1]} KiB ({rise:+.2f} KiB a cycle), "
              f"descriptors {min(descriptors)}..{max(descriptors)}, "
              f"threads {min(threads)}..{max(threads)}")
        if memory_counts(server.process.pid):
            self.assertLess(rise, 4 if FULL else 24, "memory grows with every load")
        self.assertLessEqual(max(descriptors) - min(descriptors), 8)
        self.assertLessEqual(max(threads) - min(threads), 4)


class ReloadUnderLoad(SoakTest):
    """A model that is loaded anew every second while clients ask for it without a pause."""

    def perf_analyzer(self):
        found = subprocess.run([os.path.join(ROOT, "tests/clients/perf_analyzer")], text=True,
                               capture_output=True, timeout=600, check=False)
        return found.stdout.splitlines() if found.returncode == 0 else None

    def reload_until(self, repository, server, stop, failures, reloads):
        model = os.path.join(repository, "sums", "1", "model.onnx")
        with open(model, "rb") as file:
            content = file.read()
        while not stop.is_set():
            with open(model + ".new", "wb") as file:
                file.write(content)
            os.replace(model + ".new", model)  # another file: the version is loaded anew
            status, body = self.ask(server, "/v2/repository/models/sums/load")
            if status != 200:
                failures.append(body)
            reloads.append(1)
            stop.wait(1.0)

    def loads(self, server):
        connection = http.client.HTTPConnection(server.metrics, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        return float(re.search(r'supernova_model_loads_total\{model="sums"[^}]*\} (\S+)', text)[1])

    def test_no_request_fails_and_statistics_add_up(self):
        repository = self.repository(["sums"])
        server = self.serve(repository, "--model-control-mode", "explicit", "--load-model", "sums")
        seconds = 120 if FULL else 6
        stop, failures, reloads = threading.Event(), [], []
        reloader = threading.Thread(target=self.reload_until,
                                    args=(repository, server, stop, failures, reloads))
        reloader.start()
        try:
            command = self.perf_analyzer() if FULL else None
            if command:
                self.run_perf_analyzer(server, command, seconds)
            else:
                self.run_own_clients(server, seconds, failures)
        finally:
            stop.set()
            reloader.join()
        self.assertEqual(failures, [])
        self.assertGreaterEqual(len(reloads), seconds // 3)
        self.assertEqual(self.loads(server), 1 + len(reloads))
        _, body = self.ask(server, "/v2/repository/index", "{}")
        self.assertEqual([entry["state"] for entry in json.loads(body)], ["READY"])

    def run_perf_analyzer(self, server, command, seconds):
        started, measured = time.monotonic(), 0
        while time.monotonic() - started < seconds:
            for protocol, address in (("http", server.http), ("grpc", server.grpc)):
                result = subprocess.run(
                    [*command, "-m", "sums", "-i", protocol, "-u", address,
                     "--concurrency-range", "1:64:21", "--measurement-interval", "1500",
                     "--stability-percentage", "900", "--max-trials", "3"],
                    text=True, capture_output=True, timeout=600, check=False)
                output = result.stdout + result.stderr
                self.assertEqual(result.returncode, 0, output)
                for line in re.findall(r"Concurrency: \d+, throughput.*", output):
                    print(f"\n{protocol}: {line}", end="")
                    measured += 1
        self.assertGreaterEqual(measured, 8)

    def run_own_clients(self, server, seconds, failures):
        end = time.monotonic() + seconds
        counts = []

        def work():
            connection = http.client.HTTPConnection(server.http, timeout=60)
            body = json.dumps({"inputs": [
                {"name": n, "datatype": "FP32", "shape": [2, 3], "data": [1] * 6}
                for n in ("INPUT0", "INPUT1")]})
            count = 0
            while time.monotonic() < end:
                connection.request("POST", "/v2/models/sums/infer", body)
                reply = connection.getresponse()
                content = reply.read()
                if reply.status != 200:
                    failures.append(content)
                count += 1
            counts.append(count)

        connection = http.client.HTTPConnection(server.http, timeout=60)
        before = self.successes(connection)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Counted over all reloads, not from the last one on.
        self.assertEqual(self.successes(connection) - before, sum(counts))

    def successes(self, connection):
        connection.request("GET", "/v2/models/sums/stats")
        item = json.loads(connection.getresponse().read())["model_stats"][0]["inference_stats"]
        self.assertEqual(item["success"]["count"], item["queue"]["count"])
        self.assertEqual(item["success"]["count"], item["compute_infer"]["count"])
        return item["success"]["count"]


class IdleConnections(SoakTest):
    def test_they_cost_little_and_hold_nobody_up(self):
        wanted = 10000 if FULL else 1000
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100
        if limit < wanted:
            self.skipTest(f"{wanted} connections need as many descriptors; the limit is {limit}")
        server = self.serve(self.repository(["sums"]), "--http-max-connections",
                            str(wanted + 100))
        host, port = server.http.rsplit(":", 1)
        request = b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n"
        connections = []
        self.addCleanup(lambda: [connection.close() for connection in connections])
        before = process_facts(server.process.pid)[0]
        for _ in range(wanted):
            connection = socket.create_connection((host, int(port)), timeout=60)
            connections.append(connection)
            connection.sendall(request)
            self.assertIn(b" 200 ", connection.recv(4096))
        each = (process_facts(server.process.pid)[0] - before) / wanted
        print(f"\n{wanted} idle connections: {each:.2f} KiB each")
        if memory_counts(server.process.pid):
            self.assertLess(each, 10)
        # Somebody new is served as before.
        self.assertEqual(self.ask(server, "/v2/models/sums/infer", b"{}")[0], 400)
        connections[0].sendall(request)
        self.assertIn(b" 200 ", connections[0].recv(4096))


if __name__ == "__main__":
    unittest.main()
