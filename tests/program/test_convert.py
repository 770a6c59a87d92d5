"""supernova convert: files written whole or not at all, sizes fixed, reasons listed."""

import json
import os
import struct

import onnx_writer
import tflite_writer
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

    def test_weights_may_lie_apart(self):
        model = tflite_writer.Model()
        x = model.tensor("x", [1, 64])
        w = model.weights("w", [32, 64])
        y = model.op(tflite_writer.FULLY_CONNECTED, [x, w, -1], model.tensor("y", [1, 32]))
        model.inputs, model.outputs = [x], [y]
        source = self.path("m/dense.tflite")
        model.write(source, {w: {row * 64 + row: row + 0.5 for row in range(32)}})
        cache = ("--cache-dir", self.path("cache"))
        outputs = []
        for option in ("external_data_from=1000", "external_data_from=1000000"):
            result = supernova("convert", source, "-o", self.path("out/net.onnx"), "--json",
                               "--option", option, *cache)
            self.assertNotEqual(result.returncode, 0)  # no such folder
            os.makedirs(self.path("out"), exist_ok=True)
            result = supernova("convert", source, "-o", self.path("out/net.onnx"), "--json",
                               "--option", option, *cache)
            self.assertEqual(result.returncode, 0, result.stderr)
            outputs.append((json.loads(result.stdout), sorted(os.listdir(self.path("out")))))
            os.rename(self.path("out"), self.path(option))
        apart, whole = outputs
        self.assertEqual(apart[1], ["net.onnx", "net.onnx.data"])
        self.assertEqual(apart[0]["data_file"], self.path("out/net.onnx.data"))
        self.assertEqual(apart[0]["data_size"], 64 * 32 * 4)
        self.assertLess(apart[0]["size"], 2000)
        self.assertEqual(whole[1], ["net.onnx"])
        self.assertNotIn("data_file", whole[0])
        x = self.write("x.json", json.dumps({"shape": [1, 64], "data": [2] * 64}))
        for folder in ("external_data_from=1000", "external_data_from=1000000"):
            result = supernova("infer", self.path(f"{folder}/net.onnx"), "--input", f"x={x}",
                               "--output-dir", self.path("y"), *cache)
            self.assertEqual(result.returncode, 0, result.stderr)
            with open(self.path("y/y.npy"), "rb") as file:
                found = struct.unpack("<32f", file.read()[-128:])
            self.assertEqual(found, tuple(2 * row + 1 for row in range(32)))

    def test_analysis(self):
        result = supernova("convert", self.model, "--analyze", "--json")
        self.assertEqual(json.loads(result.stdout),
                         {"convertible": True, "operators": {"Identity": 1}, "problems": []})

    def test_what_can_not_be_written(self):
        self.assert_error(supernova("convert", self.model, "-o", self.path("no/folder/out.onnx")),
                          "no/folder/out.onnx", "can't be written")
        self.assert_error(supernova("convert", self.model), "-o", "--analyze", code=2)
