"""Model repositories from outside: layouts, control modes, and what goes wrong with folders."""

import http.client
import json
import os
import shutil
import struct
import tempfile
import time
import unittest

import onnx_writer
from server import Server


def model(value):
    """X [n] -> Y [n]: the sum of `value` + 1 times X, so that versions can be told apart."""
    nodes = [onnx_writer.node("Add", ["X", "X"], ["t1"])] if value else []
    for i in range(1, value):
        nodes.append(onnx_writer.node("Add", [f"t{i}", "X"], [f"t{i + 1}"]))
    nodes.append(onnx_writer.node("Identity", [f"t{value}" if value else "X"], ["Y"]))
    return onnx_writer.model(nodes, [onnx_writer.tensor_info("X", "FP32", ("n",))],
                             [onnx_writer.tensor_info("Y", "FP32", ("n",))])


class RepositoryCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.repository = os.path.join(self.folder.name, "repository")
        os.mkdir(self.repository)
        self.server = None

    def tearDown(self):
        if self.server is not None:
            status = self.server.stop()
            self.assertEqual(status, 0, "".join(self.server.log[-20:]))
        self.folder.cleanup()

    def put(self, path, content):
        """Replaces a file in one step."""
        path = os.path.join(self.repository, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        beside = os.path.join(self.folder.name, "new")
        with open(beside, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.replace(beside, path)

    def start(self, *flags):
        self.server = Server(["--model-repository", self.repository], flags)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.server.http, timeout=20)
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def infer(self, name):
        """What the model makes of 1, or the status and message of the refusal."""
        body = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1], "data": [1]}]}
        status, content = self.ask("POST", f"/v2/models/{name}/infer", json.dumps(body))
        answer = json.loads(content)
        if status != 200:
            return status, answer["error"]
        return answer["outputs"][0]["data"][0]

    def eventually(self, function, expected, seconds=30):
        deadline = time.monotonic() + seconds
        while (got := function()) != expected:
            self.assertLess(time.monotonic(), deadline,
                            f"{got!r}, not {expected!r}\n" + "".join(self.server.log[-20:]))
            time.sleep(0.05)

    def eventually_logged(self, text, seconds=30):
        self.eventually(lambda: any(text in line for line in self.server.log), True, seconds)


class AtStart(RepositoryCase):
    def test_layouts_and_what_is_refused(self):
        self.put("versions/1/model.onnx", model(0))
        self.put("versions/2/model.onnx", model(1))
        self.put("serving/3/saved_model.pb", b"\x08\x01\x12\x00")
        self.put("bare.onnx", model(4))
        self.put("only_abc/abc/model.onnx", model(0))
        self.put("with_abc/1/model.onnx", model(2))
        self.put("with_abc/abc/model.onnx", model(0))
        self.put("twice.onnx", model(0))
        self.put("twice/1/model.onnx", model(0))
        self.put("two_models/1/a.onnx", model(0))
        self.put("two_models/1/b.onnx", model(1))
        self.put("broken/1/model.onnx", model(3)[:40])
        os.mkdir(os.path.join(self.repository, "empty"))
        self.start()
        self.assertEqual([self.infer(n) for n in ("versions", "bare", "with_abc")], [2, 5, 3])
        for name, text in (("serving", "not a model of a supported format"), ("only_abc", "abc"),
                           ("twice", "twice"), ("two_models", ""), ("broken", ""), ("empty", "")):
            with self.subTest(name):
                status, message = self.infer(name)
                self.assertEqual(status, 503, message)
                self.assertIn(text, message)
                self.assertIn(f"'{name}'", message)
        self.assertEqual(self.infer("nowhere")[0], 400)
        self.assertTrue(any("abc" in line and "no version" in line for line in self.server.log))

    def test_the_same_name_in_two_repositories(self):
        other = os.path.join(self.folder.name, "other")
        os.makedirs(os.path.join(other, "m/1"))
        with open(os.path.join(other, "m/1/model.onnx"), "wb") as file:
            file.write(model(1))
        self.put("m/1/model.onnx", model(0))
        self.put("n/1/model.onnx", model(0))
        self.start("--model-repository", other)
        status, message = self.infer("m")
        self.assertEqual(status, 503)
        self.assertIn(os.path.join(self.repository, "m"), message)
        self.assertIn(os.path.join(other, "m"), message)
        self.assertEqual(self.infer("n"), 1)

    def test_a_repository_that_is_not_there(self):
        with self.assertRaises(RuntimeError) as raised:
            Server(["--model-repository", os.path.join(self.folder.name, "nowhere")])
        self.assertIn("nowhere' is not a folder", str(raised.exception))

    def test_configuration(self):
        for name in ("good", "wrong_name", "wrong_input", "no_config", "junk", "all"):
            self.put(f"{name}/1/model.onnx", model(0))
            self.put(f"{name}/2/model.onnx", model(1))
        self.put("good/config.pbtxt", "name: 'good' platform: 'onnxruntime_onnx' "
                                      "version_policy { specific { versions: [1] } }")
        self.put("wrong_name/config.pbtxt", "name: 'other'")
        self.put("wrong_input/config.pbtxt",
                 "input { name: 'X' data_type: TYPE_INT32 dims: [-1] }")
        self.put("junk/config.pbtxt", "}}} \x01")
        self.put("all/config.pbtxt", "version_policy { all {} }")
        self.start()
        self.assertEqual(self.infer("good"), 1)
        self.assertEqual(self.infer("no_config"), 2)
        for name, text in (("wrong_name", "other"), ("wrong_input", "X"), ("junk", "config.pbtxt")):
            status, message = self.infer(name)
            self.assertEqual(status, 503, message)
            self.assertIn(text, message)
        status, content = self.ask("GET", "/v2/models/all")
        self.assertEqual((status, json.loads(content)["versions"]), (200, ["1", "2"]))


class Polling(RepositoryCase):
    FLAGS = ("--model-control-mode", "poll", "--repository-poll-secs", "1")

    def test_follows_the_folder(self):
        self.put("m/1/model.onnx", model(0))
        self.start(*self.FLAGS)
        self.assertEqual(self.infer("m"), 1)
        self.put("m/2/model.onnx", model(1))
        self.put("later.onnx", model(2))
        self.eventually(lambda: self.infer("m"), 2)
        self.eventually(lambda: self.infer("later"), 3)
        self.put("m/2/model.onnx", model(3))
        self.eventually(lambda: self.infer("m"), 4)
        # A version that fails leaves the old one.
        self.put("m/3/model.onnx", model(0)[:40])
        self.eventually_logged("model 'm' version 3")
        self.assertEqual(self.infer("m"), 4)
        self.put("m/3/model.onnx", model(5))
        self.eventually(lambda: self.infer("m"), 6)
        os.remove(os.path.join(self.repository, "later.onnx"))
        self.eventually(lambda: self.infer("later")[0] if isinstance(self.infer("later"), tuple)
                        else 200, 400)

    def test_a_copy_in_progress_is_left_alone(self):
        self.start(*self.FLAGS)
        content = model(6)
        path = os.path.join(self.repository, "m/1/model.onnx")
        os.makedirs(os.path.dirname(path))
        with open(path, "wb") as file:
            # Faster than two looks are apart, for longer than that.
            for i in range(30):
                file.write(content[i * len(content) // 30:(i + 1) * len(content) // 30])
                file.flush()
                time.sleep(0.1)
        self.eventually(lambda: self.infer("m"), 7)
        self.assertFalse([line for line in self.server.log if " error " in line])

    def test_a_repository_that_disappears(self):
        self.put("m/1/model.onnx", model(0))
        self.start(*self.FLAGS)
        away = os.path.join(self.folder.name, "away")
        os.rename(self.repository, away)
        self.eventually_logged("is not a folder")
        time.sleep(2.5)  # more than two looks
        self.assertEqual(self.infer("m"), 1)
        # An empty folder in its place is what a file system leaves that is gone.
        os.mkdir(self.repository)
        self.eventually_logged("is another folder now")
        time.sleep(2.5)
        self.assertEqual(self.infer("m"), 1)
        os.rmdir(self.repository)
        os.rename(away, self.repository)
        self.put("m/1/model.onnx", model(1))
        self.eventually(lambda: self.infer("m"), 2)
        shutil.rmtree(os.path.join(self.repository, "m"))
        self.eventually(lambda: self.infer("m")[0] if isinstance(self.infer("m"), tuple) else 200,
                        400)

    def test_a_folder_that_becomes_unreadable(self):
        if os.geteuid() == 0:
            self.skipTest("root reads everything")
        self.put("m/1/model.onnx", model(0))
        self.start(*self.FLAGS)
        os.chmod(os.path.join(self.repository, "m"), 0)
        try:
            self.eventually_logged("can't be read")
            self.assertEqual(self.infer("m"), 1)
        finally:
            os.chmod(os.path.join(self.repository, "m"), 0o700)

    def test_loads_are_not_asked_for(self):
        self.put("m/1/model.onnx", model(0))
        self.start(*self.FLAGS)
        status, content = self.ask("POST", "/v2/repository/models/m/load", "{}")
        if status == 404:
            self.skipTest("this build has no repository API")
        self.assertEqual(status, 503)
        self.assertIn("explicit model load / unload is not allowed", json.loads(content)["error"])


class Explicit(RepositoryCase):
    def control(self, name, what, parameters=None):
        body = json.dumps({"parameters": parameters} if parameters else {})
        status, content = self.ask("POST", f"/v2/repository/models/{name}/{what}", body)
        if status == 404:
            self.skipTest("this build has no repository API")
        return status, json.loads(content)["error"] if content else ""

    def index(self):
        status, content = self.ask("POST", "/v2/repository/index", "{}")
        if status == 404:
            self.skipTest("this build has no repository API")
        return [(m["name"], m.get("version", ""), m.get("state", "")) for m in json.loads(content)]

    def test_only_what_is_named_is_loaded_at_start(self):
        self.put("a/1/model.onnx", model(0))
        self.put("b/1/model.onnx", model(1))
        self.start("--model-control-mode", "explicit", "--load-model", "a")
        self.assertEqual(self.infer("a"), 1)
        self.assertEqual(self.infer("b")[0], 400)

    def test_all_at_start(self):
        self.put("a/1/model.onnx", model(0))
        self.put("b/1/model.onnx", model(1))
        self.start("--model-control-mode=explicit", "--load-model=*")
        self.assertEqual((self.infer("a"), self.infer("b")), (1, 2))

    def test_load_and_unload(self):
        self.put("a/1/model.onnx", model(0))
        self.start("--model-control-mode", "explicit")
        self.assertEqual(self.index(), [("a", "", "")])
        status, message = self.control("x", "load")
        self.assertEqual((status, message),
                         (400, "failed to load 'x', failed to poll from model repository"))
        self.assertEqual(self.control("a", "load")[0], 200)
        self.assertEqual(self.infer("a"), 1)
        self.put("a/1/model.onnx", model(1))
        self.put("later/1/model.onnx", model(2))
        self.assertEqual(self.control("a", "load")[0], 200)
        self.assertEqual(self.infer("a"), 2)
        self.assertEqual(self.index(), [("a", "1", "READY"), ("later", "", "")])
        self.put("a/1/model.onnx", model(1)[:40])
        self.assertEqual(self.control("a", "load")[0], 400)
        self.assertEqual(self.infer("a"), 2)
        self.assertEqual(self.control("a", "unload")[0], 200)
        self.assertEqual(self.index()[0], ("a", "1", "UNAVAILABLE"))
        self.assertEqual(self.infer("a")[0], 404)

    def test_warm_up_from_the_configuration(self):
        sample = ('model_warmup { name: "first" count: 2 inputs { key: "X" value { '
                  'data_type: TYPE_FP32 dims: 2 %s } } }\n')
        file = 'input_data_file: "x.bin"'
        self.put("a/1/model.onnx", model(1))
        self.put("a/config.pbtxt", sample % file)
        self.start("--model-control-mode", "explicit")
        self.assertIn("sample 'first': input 'X': file 'warmup/x.bin' is not there",
                      self.control("a", "load")[1])
        self.put("a/warmup/x.bin", struct.pack("<3f", 1, 2, 3))
        status, message = self.control("a", "load")
        self.assertEqual(status, 400)
        self.assertIn("sample 'first': input 'X': file 'warmup/x.bin' holds 12 bytes, but FP32 [2] "
                      "takes 8", message)
        self.assertEqual(self.infer("a")[0], 503)
        self.put("a/warmup/x.bin", struct.pack("<2f", 1, 2))
        self.assertEqual(self.control("a", "load"), (200, ""))
        _, content = self.ask("GET", "/v2/models/a/stats")
        self.assertEqual(json.loads(content)["model_stats"][0]["execution_count"], 0)
        self.assertEqual(self.infer("a"), 2)
        self.assertFalse([line for line in self.server.log if "warmup' is no version" in line])
        # A sample that the model can't run: the version does not become ready.
        self.put("b/1/model.onnx", onnx_writer.model(
            [onnx_writer.node("Reshape", ["X", "S"], ["Y"])],
            [onnx_writer.tensor_info("X", "FP32", (4,)), onnx_writer.tensor_info("S", "INT64", (1,))],
            [onnx_writer.tensor_info("Y", "FP32", ("n",))]))
        for content, status in ((3, 400), (4, 200)):
            self.put("b/warmup/s", struct.pack("<q", content))
            self.put("b/config.pbtxt", 'model_warmup { inputs { key: "X" value { random_data: true } } '
                     'inputs { key: "S" value { input_data_file: "s" } } }')
            got, message = self.control("b", "load")
            self.assertEqual(got, status, message)
            if status == 400:
                self.assertIn("model_warmup sample 1: warm-up run", message)

    def test_the_response_cache_is_measured(self):
        self.put("a/1/model.onnx", model(1))
        self.put("a/config.pbtxt", "response_cache { enable: true }")
        self.start("--response-cache-byte-size", "64KiB")
        for _ in range(3):
            self.assertEqual(self.infer("a"), 2)
        connection = http.client.HTTPConnection(self.server.metrics, timeout=20)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        series = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        labels = '{model="a",version="1"}'
        expected = {"nv_cache_num_hits": 2, "nv_cache_num_misses": 1, "nv_cache_num_entries": 1,
                    "nv_cache_num_evictions": 0, "supernova_cache_max_bytes": 65536,
                    "nv_cache_num_hits_per_model" + labels: 2,
                    "nv_cache_num_misses_per_model" + labels: 1}
        self.assertEqual({name: float(series[name]) for name in expected}, expected)
        self.assertGreater(float(series["supernova_cache_bytes"]), 0)

    def test_many_cycles(self):
        for i in range(5):
            self.put(f"m{i}/1/model.onnx", model(i))
        self.start("--model-control-mode", "explicit")
        seen = []
        for i in range(100):
            name = f"m{i % 5}"
            self.assertEqual(self.control(name, "load")[0], 200)
            self.assertEqual(self.infer(name), i % 5 + 1)
            self.assertEqual(self.control(name, "unload")[0], 200)
            proc = f"/proc/{self.server.process.pid}"
            seen.append((len(os.listdir(proc + "/task")), len(os.listdir(proc + "/fd"))))
        # What a cycle leaks, fifty of them show; a thread or socket seen just before its end is no leak.
        slack = 5
        for count in (0, 1):
            first, second = (max(s[count] for s in half) for half in (seen[:50], seen[50:]))
            self.assertLessEqual(second, first + slack)

    def test_a_name_that_is_not_there_ends_the_start(self):
        with self.assertRaises(RuntimeError) as raised:
            self.start("--model-control-mode", "explicit", "--load-model", "typo")
        self.assertIn("typo", str(raised.exception))


if __name__ == "__main__":
    unittest.main()
