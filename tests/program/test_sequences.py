"""Sequences of tensors as a model's input and output: on the command line and over REST."""

import http.client
import json
import os
import struct
import unittest

import onnx_writer
from server import Server
from test_cli import Folder, npy, supernova


def identity(optional=False):
    return onnx_writer.model([onnx_writer.node("Identity", ["x"], ["y"])],
                             [onnx_writer.sequence_info("x", "FP32", optional)],
                             [onnx_writer.sequence_info("y", "FP32", optional)], opset=18)


class Infer(Folder):
    def setUp(self):
        super().setUp()
        self.model = self.write("m.onnx", identity())
        npy(self.path("a.npy"), "<f4", (2,), struct.pack("<2f", 1, 2))
        npy(self.path("b.npy"), "<f4", (), struct.pack("<f", 3))

    def infer(self, *inputs, model=None):
        flags = [flag for i in inputs for flag in ("--input", "x=" + self.path(i))]
        return supernova("infer", model or self.model, *flags, "--output-dir", self.path("out"))

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def test_a_file_for_each_tensor_and_a_folder_back(self):
        result = self.infer("a.npy", "b.npy")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(os.listdir(self.path("out/y"))), ["0.npy", "1.npy"])
        self.assertEqual(self.read("out/y/1.npy")[-4:], struct.pack("<f", 3))
        os.rename(self.path("out/y"), self.path("again"))
        result = self.infer("again")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.read("out/y/0.npy"), self.read("again/0.npy"))
        preview = supernova("infer", self.model, "--input", "x=" + self.path("again"))
        self.assertIn("y BYTES [2]: FP32 [2] 1 2; FP32 [] 3", preview.stdout)

    def test_an_earlier_output_goes_and_nothing_else(self):
        self.assertEqual(self.infer("a.npy", "b.npy").returncode, 0)
        self.write("out/y/notes.txt", "mine")
        self.write("out/y/7/notes.txt", "mine")
        self.assertEqual(self.infer("b.npy").returncode, 0)
        self.assertEqual(sorted(os.listdir(self.path("out/y"))), ["0.npy", "7", "notes.txt"])
        self.assertEqual(self.read("out/y/7/notes.txt"), b"mine")

    def test_empty_and_none(self):
        os.mkdir(self.path("empty"))
        result = self.infer("empty")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("y BYTES [0]", result.stdout)
        optional = self.write("optional.onnx", identity(optional=True))
        self.assertIn("y BYTES [0,0]", self.infer("empty", model=optional).stdout)
        self.assertIn("y BYTES [0,0]", self.infer(model=optional).stdout)
        self.assertEqual(os.listdir(self.path("out/y")), [])
        os.mkdir(self.path("empty/0"))
        self.assertIn("y BYTES [1,0]", self.infer("empty", model=optional).stdout)
        self.assertEqual(os.listdir(self.path("out/y")), ["0"])
        self.assertIn("y BYTES [1,2]", self.infer("a.npy", "b.npy", model=optional).stdout)
        self.assertEqual(sorted(os.listdir(self.path("out/y/0"))), ["0.npy", "1.npy"])

    def test_bad_folders_are_refused(self):
        for files, text in ((["0.npy", "2.npy"], "no number 1"), (["0.npy", "x.npy"], "'x.npy'"),
                            (["0.npy", "0.json"], "another of that number"),
                            (["0.npy", "1"], "folder"), (["text"], "'text'")):
            with self.subTest(files):
                for file in files:
                    self.write("bad/" + file + ("/0.npy" if file == "1" else ""),
                               self.read("a.npy"))
                self.assert_error(self.infer("bad"), text)
                os.rename(self.path("bad"), self.path("bad_" + files[-1]))
        self.write("text.npy", "text")
        self.assert_error(self.infer("text.npy"), "text.npy")
        self.assert_error(self.infer("missing"), "missing")
        self.write("cut.npy", self.read("a.npy")[:-1])
        self.assert_error(self.infer("a.npy", "cut.npy"), "'x'", "element 1")

    def test_inspect_says_what_the_bytes_are(self):
        seen = json.loads(supernova("inspect", self.model, "--json").stdout)
        self.assertEqual(seen["inputs"], [{"name": "x", "datatype": "BYTES", "shape": [-1]}])
        self.assertIn("input 'x' has type sequence(tensor(float)): BYTES [n] for n tensors",
                      seen["notes"][0])


class Rest(Folder):
    def ask(self, server, request):
        connection = http.client.HTTPConnection(server.http, timeout=60)
        connection.request("POST", "/v2/models/m/infer", json.dumps(request))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content, answer.getheader("Inference-Header-Content-Length")

    def test_json_in_binary_out(self):
        values = [{"shape": [2], "data": [1, 2]}, {"shape": [], "data": [3]}]
        request = {"inputs": [{"name": "x", "datatype": "BYTES", "shape": [2],
                               "data": [json.dumps(v) for v in values]}],
                   "parameters": {"binary_data_output": True}}
        with Server([self.write("m.onnx", identity())]) as server:
            status, content, length = self.ask(server, request)
            self.assertEqual(status, 200, content)
            output = json.loads(content[:int(length)])["outputs"][0]
            self.assertEqual((output["datatype"], output["shape"]), ("BYTES", [2]))
            packed = content[int(length):]
            size = struct.unpack_from("<I", packed)[0]
            self.assertEqual(packed[4:10], b"\x93NUMPY")
            self.assertEqual(packed[4:4 + size][-8:], struct.pack("<2f", 1, 2))
            del request["parameters"]
            status, content, _ = self.ask(server, request)
            self.assertEqual(status, 400)
            self.assertIn("binary", json.loads(content)["error"])
            request["inputs"][0]["data"][1] = "{}"
            status, content, _ = self.ask(server, request)
            self.assertEqual(status, 400)
            self.assertIn("input 'x': element 1", json.loads(content)["error"])


if __name__ == "__main__":
    unittest.main()
