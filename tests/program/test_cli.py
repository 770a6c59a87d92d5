"""The command line: results on stdout, one-line errors on stderr, exit codes 0, 1, 2."""

import json
import os
import struct
import subprocess
import tempfile
import unittest

import onnx_writer
from server import BINARY


def supernova(*arguments, timeout=120):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, check=False, errors="replace")


def npy(path, dtype, shape, data):
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    header = header.ljust(128 - 10 - 1) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


class Folder(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.folder = self._folder.name
        self.addCleanup(self._folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def assert_error(self, result, *texts, code=1):
        self.assertEqual(result.returncode, code, result.stderr)
        lines = result.stderr.strip().splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(lines[0].startswith("error: "), lines[0])
        for text in texts:
            self.assertIn(text, lines[0])
        self.assertEqual(result.stdout, "")


class Usage(Folder):
    def test_help_everywhere(self):
        for command in ([], ["serve"], ["infer"], ["inspect"], ["devices"], ["bench"], ["convert"], ["formats"],
                        ["conformance"], ["completion"]):
            result = supernova(*command, "--help")
            self.assertEqual(result.returncode, 0)
            self.assertIn("--help", result.stdout)
            self.assertEqual(result.stderr, "")

    def test_wrong_usage_is_2(self):
        for arguments, text in ((["nonsense"], "nonsense"), ([], "subcommand"), (["infer"], "MODEL"),
                                (["serve", "--http-port", "abc"], "abc"),
                                (["serve", "--http-port", "70000"], "70000"),
                                (["serve", "--no-such-flag"], "--no-such-flag"),
                                (["serve", "--http-port", "-1"], "0 to 65535"),
                                (["infer", "x", "--device", ""], "--device"),
                                (["infer", "x", "--engine="], "--engine"),
                                (["serve", "--worker-memory-byte-size", "-1"], "512MiB"),
                                (["serve", "--model-memory-budget", "9" * 23], "512MiB"),
                                (["serve", "--cache-byte-size", "MiB"], "512MiB"),
                                (["serve", "--cache-byte-size", "1XB"], "xb"),
                                (["infer", "x", "--repeat", "0"], "repeat")):
            self.assert_error(supernova(*arguments), text, code=2)

    def test_completion_names_commands_and_options(self):
        for shell in ("bash", "zsh", "fish"):
            result = supernova("completion", shell)
            self.assertEqual(result.returncode, 0)
            self.assertIn("serve", result.stdout)
            self.assertIn("http-port", result.stdout)
        script = supernova("completion", "bash").stdout + """
            COMP_WORDS=(supernova serve --http); COMP_CWORD=2; _supernova; echo "${COMPREPLY[@]}"
            COMP_WORDS=(supernova ins); COMP_CWORD=1; _supernova; echo "${COMPREPLY[@]}" """
        result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        self.assertIn("--http-port", result.stdout)
        self.assertIn("inspect", result.stdout)


class Infer(Folder):
    def test_runs_and_writes_outputs(self):
        model = self.write("m.onnx", onnx_writer.sum_difference())
        npy(self.path("a.npy"), "<f4", (2, 3), struct.pack("<6f", 1, 2, 3, 4, 5, 6))
        npy(self.path("b.npy"), "<f4", (2, 3), struct.pack("<6f", *[0.5] * 6))
        result = supernova("infer", model, "--input", "INPUT0=" + self.path("a.npy"), "--input",
                           "INPUT1=" + self.path("b.npy"), "--output-dir", self.path("out"), "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        outputs = {o["name"]: o for o in json.loads(result.stdout)["outputs"]}
        self.assertEqual(outputs["SUM"]["shape"], [2, 3])
        with open(outputs["SUM"]["file"], "rb") as file:
            self.assertEqual(struct.unpack("<6f", file.read()[-24:]), (1.5, 2.5, 3.5, 4.5, 5.5, 6.5))

    def test_output_files_of_odd_names(self):
        names = ["a/b", "a:b", "..", "normal.name-1"]
        nodes = [onnx_writer.node("Identity", ["x"], [n]) for n in names]
        model = self.write("m.onnx", onnx_writer.model(
            nodes, [onnx_writer.tensor_info("x", "FP32", [1])],
            [onnx_writer.tensor_info(n, "FP32", [1]) for n in names]))
        result = supernova("infer", model, "--output-dir", self.path("out"))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(sorted(os.listdir(self.path("out"))),
                         ["_...npy", "a_b.npy", "a_b_1.npy", "normal.name-1.npy"])

    def test_strings(self):
        model = self.write("m.onnx", onnx_writer.identity("BYTES", ["n"]))
        given = self.write("in.json", '{"shape":[3],"data":["a","","z\\u00fc"]}')
        result = supernova("infer", model, "--input", given, "--output-dir", self.path("out"))
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.path("out/OUTPUT0.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), {"shape": [3], "data": ["a", "", "z\u00fc"]})

    def test_zeros_without_input(self):
        model = self.write("m.onnx", onnx_writer.identity("FP32", ["n", 2]))
        result = supernova("infer", model, "--repeat", "3")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("OUTPUT0 FP32 [1,2]: 0 0", result.stdout)
        self.assertIn("3 runs", result.stdout)
        self.assertIn("zeros", result.stderr)

    def test_a_picture(self):
        # A 2x1 binary PPM: red, blue. CHW and HWC inputs lay it out differently.
        picture = self.write("p.ppm", b"P6\n2 1\n255\n\xff\x00\x00\x00\x00\xff")
        for shape, expected in (((1, 3, 1, 2), "255 0 0 0 0 255"), ((1, 1, 2, 3), "255 0 0 0 0 255")):
            model = self.write("m.onnx", onnx_writer.identity("UINT8", shape))
            result = supernova("infer", model, "--input", picture)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(": " + expected, result.stdout)
        model = self.write("m.onnx", onnx_writer.identity("FP32", (1, 3, 1, 1)))
        result = supernova("infer", model, "--input", picture, "--option", "picture.mean=127.5",
                           "--option", "picture.std=127.5")
        self.assertIn("[1,3,1,1]: 0 -1 0", result.stdout)

    def test_bad_inputs_name_the_input(self):
        model = self.write("m.onnx", onnx_writer.identity("FP32", [1, 2]))
        npy(self.path("wrong_shape.npy"), "<f4", (1, 3), b"\0" * 12)
        npy(self.path("wrong_type.npy"), "<i4", (1, 2), b"\0" * 8)
        npy(self.path("short.npy"), "<f4", (1, 2), b"\0" * 4)
        npy(self.path("huge.npy"), "<f4", (1 << 40, 1 << 40), b"\0" * 8)
        self.write("text.txt", "hello")
        self.write("broken.json", '{"shape":[1,2],"data":[1')
        for file, text in (("wrong_shape.npy", "INPUT0"), ("wrong_type.npy", "INT32"),
                           ("short.npy", "short.npy"), ("huge.npy", "huge.npy"),
                           ("text.txt", "neither"), ("broken.json", "broken.json"),
                           ("missing.npy", "missing.npy"), (".", "folder")):
            self.assert_error(supernova("infer", model, "--input", self.path(file)), text)
        self.assert_error(supernova("infer", model, "--input", "nope=x.npy"), "'nope'", "INPUT0")
        self.assert_error(supernova("infer", model, "--device", "gpu7"), "gpu7", "cpu")
        self.assert_error(supernova("infer", model, "--engine", "none"), "none", "onnxruntime")
        self.assert_error(supernova("infer", model, "--option", "x"), "KEY=VALUE")


class BadModels(Folder):
    def test_each_is_refused_with_its_name(self):
        good = onnx_writer.sum_difference()
        unknown_op = onnx_writer.model([onnx_writer.node("NoSuchOp", ["x"], ["y"])],
                                       [onnx_writer.tensor_info("x", "FP32", [1])],
                                       [onnx_writer.tensor_info("y", "FP32", [1])])
        cases = {"empty.onnx": b"", "text.onnx": b"this is not a model", "zeros.onnx": bytes(4096),
                 "random.onnx": bytes(range(256)) * 16, "unknown_op.onnx": unknown_op,
                 "too_new.onnx": onnx_writer.model([onnx_writer.node("Identity", ["x"], ["y"])],
                                                   [onnx_writer.tensor_info("x", "FP32", [1])],
                                                   [onnx_writer.tensor_info("y", "FP32", [1])],
                                                   opset=9999)}
        for name, content in cases.items():
            with self.subTest(name):
                self.assert_error(supernova("infer", self.write(name, content)), name.split(".")[0])
        self.assert_error(supernova("infer", self.path("missing.onnx")), "missing.onnx",
                          "does not exist")
        self.assert_error(supernova("infer", self.folder), self.folder)
        for length in list(range(1, len(good), 7)):
            result = supernova("infer", self.write("cut.onnx", good[:length]))
            self.assert_error(result, "cut")

    def test_the_reason_names_the_operator(self):
        model = self.write("m.onnx", onnx_writer.model(
            [onnx_writer.node("NoSuchOp", ["x"], ["y"])],
            [onnx_writer.tensor_info("x", "FP32", [1])], [onnx_writer.tensor_info("y", "FP32", [1])]))
        self.assert_error(supernova("infer", model), "NoSuchOp")


class Inspect(Folder):
    def test_json(self):
        model = self.write("m.onnx", onnx_writer.sum_difference())
        seen = json.loads(supernova("inspect", model, "--json").stdout)
        self.assertEqual(seen["format"], "onnx")
        self.assertEqual(seen["inputs"][0], {"name": "INPUT0", "datatype": "FP32", "shape": [2, 3]})
        self.assertEqual(seen["operators"], {"Add": 1, "Sub": 1})
        self.assertEqual((seen["engine"], seen["device"]), ("onnxruntime", "cpu"))
        self.assertIn("supernova-tests", seen["producer"])

    def test_text_shows_symbols(self):
        model = self.write("m.onnx", onnx_writer.identity("FP32", ["rows", 2]))
        self.assertIn("[rows,2]", supernova("inspect", model).stdout)

    def test_a_model_nothing_runs_says_why(self):
        model = self.write("m.onnx", onnx_writer.model(
            [onnx_writer.node("NoSuchOp", ["x"], ["y"])],
            [onnx_writer.tensor_info("x", "FP32", [1])], [onnx_writer.tensor_info("y", "FP32", [1])]))
        seen = json.loads(supernova("inspect", model, "--json").stdout)
        self.assertIsNone(seen["engine"])
        self.assertIn("NoSuchOp", seen["problem"])


class Placement(Folder):
    def setUp(self):
        super().setUp()
        self.model = self.write("m.onnx", onnx_writer.sum_difference())

    def placement(self, *arguments, code=0):
        result = supernova("inspect", self.model, "--placement", "--json", *arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout)

    def test_json(self):
        seen = self.placement()
        self.assertEqual((seen["engine"], seen["format"], seen["state"]),
                         ("onnxruntime", "onnx", "ready"))
        instance = seen["instances"][0]
        self.assertEqual((instance["device"], instance["whole"]), ("cpu", True))
        self.assertEqual(sum(place["count"] for place in instance["operators"]), 2)
        self.assertGreater(instance["first_run_ns"], 0)
        self.assertEqual((seen["fallback_nodes"], seen["warnings"]), (0, []))

    def test_text(self):
        result = supernova("inspect", self.model, "--placement")
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in ("engine      onnxruntime", "instance    cpu", "Add:1", "the first run"):
            self.assertIn(text, result.stdout)

    def test_what_is_not_there_has_a_report_with_the_reason(self):
        for arguments, text in ((["--device", "gpu7"], "no device 'gpu7' here"),
                                (["--device", "gpu", "--option", "strict_device=perhaps"], "strict_device"),
                                (["--engine", "none"], "no engine 'none' here")):
            with self.subTest(arguments):
                seen = self.placement(*arguments, code=1)
                self.assertEqual((seen["state"], seen["instances"]), ("failed", []))
                self.assertIn(text, seen["failure"])

    def test_the_best_device_and_strictness_where_there_is_the_cpu(self):
        self.assertIn("auto", self.placement("--device", "auto")["reason"])
        seen = self.placement("--device", "cpu", "--option", "strict_device=true")
        self.assertIn("the device cpu was asked for", seen["reason"])

    @unittest.skipUnless("SUPERNOVA_DO_NOTHING" in os.environ, "the do-nothing engine is not built")
    def test_an_engine_out_of_tree(self):
        library = ["--engine-library", os.environ["SUPERNOVA_DO_NOTHING"]]
        seen = self.placement(*library)
        self.assertEqual(seen["engine"], "onnxruntime")
        rejected = {rejection.get("engine"): rejection["reason"] for rejection in seen["rejected"]}
        self.assertIn("onnxruntime comes before it", rejected["do_nothing"])
        seen = self.placement(*library, "--engine", "do_nothing")
        self.assertEqual(seen["engine"], "do_nothing")
        self.assertIn("the engine do_nothing was asked for", seen["reason"])


class Devices(unittest.TestCase):
    def test_the_cpu_is_there(self):
        result = supernova("devices", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        devices = json.loads(result.stdout)["devices"]
        self.assertEqual(devices[0]["id"], "cpu")
        self.assertEqual(devices[0]["engine"], "onnxruntime")
        self.assertLessEqual(devices[0]["cores_usable"], os.cpu_count())
        self.assertIn("cpu", supernova("devices").stdout)


if __name__ == "__main__":
    unittest.main()
