"""The cache of artefacts and the processes that fill it."""

import os
import re
import struct
import unittest
import urllib.request

import onnx_writer
from server import Server
from test_cli import Folder, npy, supernova

# Prepared whatever their size.
PREPARED = ["--option", "prepare=always"]


class Cache(Folder):
    def setUp(self):
        super().setUp()
        self.model = self.write("model.onnx", onnx_writer.sum_difference(extra_weights=40000))
        self.cache = self.path("cache")

    def infer(self, *flags):
        for name in ("INPUT0", "INPUT1"):
            npy(self.path(name + ".npy"), "<f4", (2, 3), struct.pack("<6f", *range(6)))
        inputs = [f"--input={name}={self.path(name + '.npy')}" for name in ("INPUT0", "INPUT1")]
        result = supernova("--log-level", "info", "infer", self.model, *inputs, "--output-dir",
                           self.path("out"), "--cache-dir", self.cache, *flags)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.path("out/SUM.npy"), "rb") as file:
            self.assertEqual(struct.unpack("<6f", file.read()[128:]), (0, 2, 4, 6, 8, 10))
        return result.stderr

    def entries(self):
        return [name for name in os.listdir(self.cache) if name.endswith(".entry")]

    def test_prepares_once(self):
        self.assertIn("was prepared for onnxruntime", self.infer(*PREPARED))
        self.assertEqual(len(self.entries()), 1)
        self.assertNotIn("was prepared", self.infer(*PREPARED))
        self.assertEqual(len(self.entries()), 1)

    def test_small_onnx_models_leave_nothing(self):
        self.infer()
        self.assertFalse(os.path.exists(self.cache))

    def test_damage_is_mended(self):
        self.infer(*PREPARED)
        entry = os.path.join(self.cache, self.entries()[0])
        os.chmod(entry, 0o600)
        with open(entry, "r+b") as file:
            file.seek(5000)
            file.write(b"damage")
        log = self.infer(*PREPARED)
        self.assertIn("made again", log)
        self.assertIn("was prepared", log)
        self.assertNotIn("made again", self.infer(*PREPARED))

    def test_works_without_a_folder(self):
        self.cache = self.write("file", "no folder")
        log = self.infer(*PREPARED)
        self.assertIn(self.cache, log)
        self.assertIn("going on without it", log)

    def test_off(self):
        self.assertNotIn("was prepared", self.infer(*PREPARED, "--cache-byte-size", "0"))
        self.assertFalse(os.path.exists(self.cache))

    def test_the_environment_names_it(self):
        before = os.environ.get("SUPERNOVA_CACHE_DIR")
        os.environ["SUPERNOVA_CACHE_DIR"] = self.path("named")
        try:
            result = supernova("infer", self.model, *PREPARED)
        finally:
            os.environ["SUPERNOVA_CACHE_DIR"] = before
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(os.listdir(self.path("named")))

    def test_a_server_counts(self):
        for hits, workers in ((0, 1), (1, 0)):
            with Server([self.model], [*PREPARED, "--cache-dir", self.cache]) as server:
                with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as reply:
                    text = reply.read().decode()
            self.assertIn(f"supernova_artefact_cache_hits_total {hits}\n", text)
            self.assertRegex(text, re.escape(
                'supernova_import_workers_total{outcome="done"} ') + f"{workers}\n")

    def test_the_worker_is_no_command(self):
        result = supernova("import-worker")
        self.assertEqual(result.returncode, 2)
        self.assertIn("only the server starts one", result.stderr)
        self.assertNotIn("import-worker", supernova("--help").stdout)
        self.assertNotIn("import-worker", supernova("completion", "bash").stdout)


if __name__ == "__main__":
    unittest.main()
