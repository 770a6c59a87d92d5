"""perf_analyzer, unmodified, over both protocols: it reads metadata, configuration and statistics,
and refuses to measure a server whose statistics do not add up."""

import os
import re
import subprocess
import tempfile
import unittest

import onnx_writer
from server import ROOT, Server


def command():
    """How to start perf_analyzer; skips the test where it can't be had."""
    found = subprocess.run([os.path.join(ROOT, "tests/clients/perf_analyzer")], text=True,
                           capture_output=True, timeout=600, check=False)
    if found.returncode == 77:
        raise unittest.SkipTest(found.stderr.strip().splitlines()[-1])
    if found.returncode != 0:
        raise AssertionError(found.stderr)
    return found.stdout.splitlines()


class PerfAnalyzer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.command = command()
        cls.folder = tempfile.TemporaryDirectory(prefix="supernova-perf-")
        cls.addClassCleanup(cls.folder.cleanup)
        # With a batch dimension: without one, perf_analyzer sends too few elements in JSON.
        os.makedirs(os.path.join(cls.folder.name, "sums", "1"))
        with open(os.path.join(cls.folder.name, "sums", "1", "model.onnx"), "wb") as file:
            file.write(onnx_writer.sum_difference(shape=("batch", 3)))
        with open(os.path.join(cls.folder.name, "sums", "config.pbtxt"), "w",
                  encoding="utf-8") as file:
            file.write("max_batch_size: 8\n")
        cls.server = Server(["--model-repository", cls.folder.name], ["--allow-client-shm"])
        cls.addClassCleanup(cls.server.stop)

    def measure(self, protocol, *flags, concurrency="1:5:4"):
        address = self.server.http if protocol == "http" else self.server.grpc
        result = subprocess.run(
            [*self.command, "-m", "sums", "-i", protocol, "-u", address, "--concurrency-range",
             concurrency, "--measurement-interval", "600", "--stability-percentage", "900",
             "--max-trials", "6", *flags], text=True, capture_output=True, timeout=300, check=False)
        output = result.stdout + result.stderr
        self.assertEqual(result.returncode, 0, output)
        rates = re.findall(r"Concurrency: \d+, throughput: ([\d.]+) infer/sec", output)
        self.assertTrue(rates and all(float(rate) > 10 for rate in rates), output)
        # Its own count and the server's.
        self.assertIn("Inference count:", output)
        self.assertIn("Request count:", output)
        return output

    def test_http_binary(self):
        self.measure("http")

    def test_http_json(self):
        self.measure("http", "--input-tensor-format", "json", "--output-tensor-format", "json")

    def test_grpc(self):
        self.measure("grpc")

    def test_grpc_streaming(self):
        self.measure("grpc", "--streaming", concurrency="4:4")

    def test_system_shared_memory(self):
        for protocol in ("http", "grpc"):
            with self.subTest(protocol):
                self.measure(protocol, "--shared-memory", "system", "--output-shared-memory-size",
                             "1024", concurrency="2:2")

    def test_unknown_model(self):
        result = subprocess.run([*self.command, "-m", "nothing", "-u", self.server.http], text=True,
                                capture_output=True, timeout=60, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("Request for unknown model: 'nothing' is not found",
                      result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
