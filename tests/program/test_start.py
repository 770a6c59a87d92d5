"""What a start leaves in the process: counted, never timed."""

import json
import os
import re
import tempfile
import time
import unittest
import urllib.request
from unittest import mock

import onnx_writer
import workers
from server import Server

RUNTIME = "libonnxruntime"
# Loading a first model touches some 15 MB of the runtime's code, answering requests 3 to 9: the kernel
# brings neighbours of a page along where they are in its cache.
MOST_RUNTIME_CODE_KB = 12 * 1024


def mappings(process):
    """(path, permissions, resident KB) of each mapping."""
    found = []
    with open(f"/proc/{process.pid}/smaps") as file:
        for line in file:
            head = re.match(r"[0-9a-f]+-[0-9a-f]+ (\S+) \S+ \S+ \S+\s*(.*)", line)
            if head:
                found.append([head[2], head[1], 0])
            elif line.startswith("Rss:"):
                found[-1][2] = int(line.split()[1])
    return found


class Start(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.folder.name, "same.onnx")
        with open(cls.model, "wb") as file:
            file.write(onnx_writer.identity("FP32", [1, 3]))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def infer(self, server):
        body = {"inputs": [{"name": "INPUT0", "shape": [1, 3], "datatype": "FP32",
                            "data": [1, 2, 3]}]}
        request = urllib.request.Request(f"http://{server.http}/v2/models/same/infer",
                                         json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["outputs"][0]["data"]

    def runtime_code(self, server):
        return sum(kb for path, permissions, kb in mappings(server.process)
                   if RUNTIME in path and permissions == "r-xp")

    def wait_for_code_to_leave(self, server):
        for _ in range(400):
            if self.runtime_code(server) <= MOST_RUNTIME_CODE_KB:
                return
            time.sleep(0.05)
        self.fail(f"{self.runtime_code(server)} KB of the runtime's code are still resident")

    def test_code_that_only_loading_uses_leaves_the_process(self):
        if not os.access("/proc/self/pagemap", os.R_OK):
            self.skipTest("this system does not say which pages are unchanged")
        with Server([self.model]) as server:
            self.wait_for_code_to_leave(server)
            for _ in range(100):
                self.assertEqual(self.infer(server), [1, 2, 3])
            self.assertGreater(self.runtime_code(server), 0)
            self.assertLessEqual(self.runtime_code(server), MOST_RUNTIME_CODE_KB)

    def test_it_leaves_again_after_a_later_load(self):
        repository = os.path.join(self.folder.name, "repository")
        os.makedirs(os.path.join(repository, "same", "1"))
        with open(self.model, "rb") as source:
            with open(os.path.join(repository, "same", "1", "model.onnx"), "wb") as file:
                file.write(source.read())
        flags = ["--model-repository", repository, "--model-control-mode", "explicit"]
        with Server([], flags) as server:
            self.assertEqual(self.runtime_code(server), 0)  # nor was the runtime loaded
            for action in ("load", "unload", "load"):
                request = urllib.request.Request(
                    f"http://{server.http}/v2/repository/models/same/{action}", b"{}")
                urllib.request.urlopen(request, timeout=20).close()
            self.assertEqual(self.infer(server), [1, 2, 3])
            self.wait_for_code_to_leave(server)
            self.assertEqual(self.infer(server), [1, 2, 3])

    def test_an_engine_for_other_formats_is_not_loaded(self):
        # A library in TensorFlow Lite's place, which stays mapped once somebody has opened it.
        library = os.path.realpath(workers.engine())
        if not os.path.exists(library):
            self.skipTest(f"the engine library {library} is not built")
        variables = mock.patch.dict(os.environ, {"SUPERNOVA_TFLITE_LIBRARY": library})
        for flags in ([], ["--engine-isolation", "tflite=worker"]):
            with self.subTest(flags), variables, Server([self.model], flags) as server:
                self.assertEqual(self.infer(server), [1, 2, 3])
                paths = {path for path, _, _ in mappings(server.process)}
                self.assertTrue(any(RUNTIME in path for path in paths))
                self.assertNotIn(library, paths)
                self.assertFalse([path for path in paths if "tensorflowlite" in path])
                self.assertEqual(workers.children(server.process.pid), [])

    def test_exporters_of_traces_are_not_loaded_unasked(self):
        with Server([self.model]) as server:
            names = {os.path.basename(path) for path, _, _ in mappings(server.process)}
        self.assertTrue(any(RUNTIME in name for name in names))
        for name in names:
            self.assertNotRegex(name, "^lib(opentelemetry|curl|gnutls|ldap|krb5)")


if __name__ == "__main__":
    unittest.main()
