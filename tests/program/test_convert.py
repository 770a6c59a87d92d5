"""supernova convert: files written whole or not at all, sizes fixed, reasons listed."""

import json
import os

import onnx_writer
from test_cli import Folder, supernova


class Convert(Folder):
    def setUp(self):
        super().setUp()
        self.model = self.write("m/model.onnx", onnx_writer.identity("FP32", ["batch", 4]))

    def test_writes_what_runs_as_before(self):
        result = supernova("convert", self.model, "-o", self.path("out.onnx"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("out.onnx", result.stdout)
        with open(self.model, "rb") as before, open(self.path("out.onnx"), "rb") as after:
            self.assertEqual(before.read(), after.read())
        self.assertEqual(sorted(os.listdir(self.folder)), ["m", "out.onnx"])

    def test_fixes_sizes(self):
        result = supernova("convert", self.model, "-o", self.path("out.onnx"), "--json",
                           "--input-shape", "INPUT0=3,-1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertGreater(json.loads(result.stdout)["size"], 0)
        seen = json.loads(supernova("inspect", self.path("out.onnx"), "--json").stdout)
        self.assertEqual(seen["inputs"][0]["shape"], [3, 4])

    def test_sizes_that_do_not_fit(self):
        out = ("-o", self.path("out.onnx"), "--input-shape")
        self.assert_error(supernova("convert", self.model, *out, "z=1"), "no input 'z'", "INPUT0")
        self.assert_error(supernova("convert", self.model, *out, "INPUT0=1,5"), "[1,5]", "[-1,4]")
        self.assert_error(supernova("convert", self.model, *out, "INPUT0=1,a"), "1,a")
        self.assert_error(supernova("convert", self.model, *out, "INPUT0"), "NAME=")
        self.assertFalse(os.path.exists(self.path("out.onnx")))

    def test_analysis(self):
        result = supernova("convert", self.model, "--analyze", "--json")
        self.assertEqual(json.loads(result.stdout),
                         {"convertible": True, "operators": {"Identity": 1}, "problems": []})

    def test_what_can_not_be_written(self):
        self.assert_error(supernova("convert", self.model, "-o", self.path("no/folder/out.onnx")),
                          "no/folder/out.onnx", "can't be written")
        self.assert_error(supernova("convert", self.model), "-o", "--analyze", code=2)
