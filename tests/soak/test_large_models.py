"""Models of more than 2 GB, which one ONNX file can't hold: right numbers, bounded memory.

Their files are sparse, so that they take no room on disk. Only at full length (make soak): reading
gigabytes takes longer than the other tests.
"""

import http.client
import json
import os
import re
import resource
import struct
import subprocess
import tempfile
import unittest

import onnx_writer
import tflite_writer
from server import BINARY, Server
from test_soak import FULL, memory_counts

ROWS, WIDTH, OUTPUTS = 150_000, 2048, 8
MB = 1_000_000
# y = (A[i] + B[j]) W^T, with these elements that are not zero.
A = {0: 1.0, (ROWS - 1) * WIDTH: 2.0, (ROWS - 1) * WIDTH + WIDTH - 1: 3.0}
B = {0: 10.0, (ROWS - 1) * WIDTH: 20.0, (ROWS - 1) * WIDTH + WIDTH - 1: 30.0}
W = {0: 1.0, WIDTH - 1: 1.0, 7 * WIDTH: 5.0, 7 * WIDTH + WIDTH - 1: -1.0}


def expected(i, j):
    def row(values, number):
        return {e - number * WIDTH: v for e, v in values.items() if e // WIDTH == number}
    total = {}
    for values, number in ((A, i), (B, j)):
        for column, value in row(values, number).items():
            total[column] = total.get(column, 0.0) + value
    return [sum(total.get(e - o * WIDTH, 0.0) * v for e, v in W.items() if e // WIDTH == o)
            for o in range(OUTPUTS)]


def write_tflite(path):
    model = tflite_writer.Model()
    i, j = (model.tensor(name, [1], tflite_writer.INT32) for name in "ij")
    a, b = (model.weights(name, [ROWS, WIDTH]) for name in "ab")
    w = model.weights("w", [OUTPUTS, WIDTH])
    rows = [model.op(tflite_writer.GATHER, [table, index], model.tensor(name, [1, WIDTH]))
            for table, index, name in ((a, i, "row_a"), (b, j, "row_b"))]
    added = model.op(tflite_writer.ADD, rows, model.tensor("sum", [1, WIDTH]))
    y = model.op(tflite_writer.FULLY_CONNECTED, [added, w, -1], model.tensor("y", [1, OUTPUTS]))
    model.inputs, model.outputs = [i, j], [y]
    return model.write(path, {a: A, b: B, w: W})


def write_onnx(folder):
    data, places, initializers, at = "model.onnx.data", {}, [], 0
    for name, shape in (("a", (ROWS, WIDTH)), ("b", (ROWS, WIDTH)), ("w", (OUTPUTS, WIDTH))):
        places[name] = at
        written, at = onnx_writer.external_initializer(name, shape, data, at)
        initializers.append(written)
    node, info = onnx_writer.node, onnx_writer.tensor_info
    with open(os.path.join(folder, data), "wb") as file:
        file.truncate(at)
        for name, values in (("a", A), ("b", B), ("w", W)):
            for element, value in values.items():
                file.seek(places[name] + 4 * element)
                file.write(struct.pack("<f", value))
    with open(os.path.join(folder, "model.onnx"), "wb") as file:
        file.write(onnx_writer.model(
            [node("Gather", ["a", "i"], ["row_a"]), node("Gather", ["b", "j"], ["row_b"]),
             node("Add", ["row_a", "row_b"], ["sum"]),
             node("Transpose", ["w"], ["turned"]), node("MatMul", ["sum", "turned"], ["y"])],
            [info("i", "INT32", (1,)), info("j", "INT32", (1,))],
            [info("y", "FP32", (1, OUTPUTS))], initializers=initializers))
    return at


def memory(pid):
    """Bytes: of its own now, and the most with what it had mapped."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.split(":", 1) for line in file)
    return tuple(1024 * int(fields[name].split()[0]) for name in ("RssAnon", "VmHWM"))


@unittest.skipUnless(FULL, "gigabytes: only in make soak")
class LargeModels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="supernova-large-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.cache = os.path.join(self.folder, "cache")

    def ask(self, server, i, j):
        connection = http.client.HTTPConnection(server.http, timeout=120)
        try:
            connection.request("POST", "/v2/models/model/infer", json.dumps({"inputs": [
                {"name": n, "datatype": "INT32", "shape": [1], "data": [v]}
                for n, v in (("i", i), ("j", j))]}))
            reply = connection.getresponse()
            body = json.loads(reply.read())
            self.assertEqual(reply.status, 200, body)
            return body["outputs"][0]["data"]
        finally:
            connection.close()

    def serve_and_check(self, path, size, what):
        with Server([path], ["--cache-dir", self.cache, "--log-level", "debug"],
                    start_timeout=600) as server:
            for i, j in ((0, 0), (ROWS - 1, 0), (0, ROWS - 1), (ROWS - 1, ROWS - 1), (7, 7)):
                self.assertEqual(self.ask(server, i, j), expected(i, j))
            own, most = memory(server.process.pid)
            print(f"\n{what}: {size // MB} MB; the server has {own // MB} MB of its own, "
                  f"{most // MB} MB at most with what it maps")
            if memory_counts(server.process.pid):
                self.assertLess(own, 200 * MB, "the weights are in memory")
            log = "".join(server.log)
        worker = re.search(r"importing.*: a worker took (\d+) ms and (\d+) MiB", log)
        if worker:
            print(f"{what}: imported in {int(worker[1])} ms with {int(worker[2])} MiB")
            if "asan" not in BINARY and "tsan" not in BINARY:
                self.assertLess(int(worker[2]) << 20, 2 * size + 50 * MB)
        self.assertNotIn("preparing", log)
        return worker is not None

    def stored(self, path):
        return sum(512 * os.stat(os.path.join(at, f)).st_blocks
                   for at, _, files in os.walk(path) for f in files)

    def test_tensorflow_lite(self):
        path = os.path.join(self.folder, "model.tflite")
        size = write_tflite(path)
        self.assertGreater(size, 1 << 31)
        self.assertTrue(self.serve_and_check(path, size, "TensorFlow Lite"))
        self.assertFalse(self.serve_and_check(path, size, "TensorFlow Lite, from the cache"))
        self.assertLess(self.stored(self.cache), 10 * MB, "zeros are stored")

    def test_converted(self):
        source = os.path.join(self.folder, "source.tflite")
        write_tflite(source)
        output = os.path.join(self.folder, "model.onnx")
        done = subprocess.run([BINARY, "convert", source, "-o", output, "--cache-dir", self.cache],
                              capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("model.onnx.data", done.stdout)
        size = os.stat(output + ".data").st_size
        self.assertGreater(size, 1 << 31)
        self.assertLess(os.stat(output).st_size, MB)
        most = 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        print(f"\nconvert: {most // MB} MB at most, of {size // MB} MB")
        self.assertLess(most, 2 * size + 50 * MB)
        self.serve_and_check(output, size, "converted")

    def test_onnx_with_external_data(self):
        size = write_onnx(self.folder)
        self.assertGreater(size, 1 << 31)
        path = os.path.join(self.folder, "model.onnx")
        self.assertFalse(self.serve_and_check(path, size, "ONNX"))
        seen = subprocess.run([BINARY, "inspect", path, "--json", "--cache-dir", self.cache],
                              capture_output=True, text=True, timeout=600, check=False)
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertIn(str(size + os.stat(path).st_size), seen.stdout)


if __name__ == "__main__":
    unittest.main()
