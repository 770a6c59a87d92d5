"""What tritonclient can ask for beside inference, unmodified, over both protocols: statistics,
repository control, classification, shared memory, trace and log settings."""

import json
import os
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException

import onnx_writer
from server import Server

CONFIG = """
name: "labelled"
output [ { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ -1, -1 ] label_filename: "labels.txt" } ]
parameters { key: "note" value: { string_value: "from the file" } }
"""


class Extensions:
    """The tests, for either client: `triton` is the module, `address` the server's."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="supernova-extensions-")
        cls.addClassCleanup(cls.folder.cleanup)
        for name, data in (("sums", onnx_writer.sum_difference()),
                           ("labelled", onnx_writer.identity("FP32")),
                           ("text", onnx_writer.identity("BYTES"))):
            os.makedirs(os.path.join(cls.folder.name, name, "1"))
            with open(os.path.join(cls.folder.name, name, "1", "model.onnx"), "wb") as file:
                file.write(data)
        for name, text in (("config.pbtxt", CONFIG), ("labels.txt", "cat\ndog\nbird\n")):
            with open(os.path.join(cls.folder.name, "labelled", name), "w",
                      encoding="utf-8") as file:
                file.write(text)
        cls.server = Server(["--model-repository", cls.folder.name],
                            ["--model-control-mode", "explicit", "--load-model", "sums",
                             "--load-model", "labelled", "--allow-client-shm"])
        cls.addClassCleanup(cls.server.stop)
        cls.client = cls.triton.InferenceServerClient(cls.address())
        cls.addClassCleanup(cls.client.close)

    def value(self, reply, key):
        """A field of a reply that is a dict over HTTP and a message over gRPC."""
        return reply[key] if isinstance(reply, dict) else getattr(reply, key)

    def inputs(self, names=("INPUT0", "INPUT1"), array=None):
        array = np.arange(6, dtype=np.float32).reshape(2, 3) if array is None else array
        made = []
        for name in names:
            tensor = self.triton.InferInput(name, list(array.shape), "FP32")
            tensor.set_data_from_numpy(array)
            made.append(tensor)
        return made

    def test_statistics_count_what_was_done(self):
        def item():
            stats = self.client.get_inference_statistics("sums")
            return self.value(stats, "model_stats")[0]
        before = item()
        for _ in range(3):
            self.client.infer("sums", self.inputs())
        with self.assertRaises(InferenceServerException):
            self.client.infer("sums", self.inputs(("INPUT0",)))
        after = item()
        self.assertEqual(self.value(after, "version"), "1")
        self.assertEqual(int(self.value(after, "inference_count")) -
                         int(self.value(before, "inference_count")), 3)
        inner = [self.value(one, "inference_stats") for one in (before, after)]
        for key, rise in (("success", 3), ("fail", 1), ("queue", 3), ("compute_input", 3),
                          ("compute_infer", 3), ("compute_output", 3), ("cache_hit", 0),
                          ("cache_miss", 0)):
            counts = [int(self.value(self.value(one, key), "count")) for one in inner]
            self.assertEqual(counts[1] - counts[0], rise, key)
        self.assertGreater(int(self.value(after, "last_inference")), 1_600_000_000_000)
        every = self.client.get_inference_statistics()
        names = {self.value(one, "name") for one in self.value(every, "model_stats")}
        self.assertLessEqual({"sums", "labelled"}, names)

    def index(self):
        index = self.client.get_model_repository_index()
        entries = index if isinstance(index, list) else index.models
        return {self.value(e, "name"): e.get("state", "") if isinstance(e, dict) else e.state
                for e in entries}

    def test_load_and_unload(self):
        self.assertFalse(self.client.is_model_ready("text"))
        self.assertEqual(self.index()["text"], "")
        self.client.load_model("text")
        self.assertTrue(self.client.is_model_ready("text"))
        self.assertEqual(self.index()["text"], "READY")
        self.client.unload_model("text", unload_dependents=True)
        self.assertFalse(self.client.is_model_ready("text"))
        self.assertIn(self.index()["text"], ("UNAVAILABLE", "UNLOADING"))
        with self.assertRaisesRegex(InferenceServerException, "failed to load 'nothing'"):
            self.client.load_model("nothing")

    def test_load_with_configuration_and_files(self):
        content = onnx_writer.identity("INT32")
        self.client.load_model("sent", config=json.dumps({"backend": "onnxruntime"}),
                               files={"file:1/model.onnx": content})
        self.assertTrue(self.client.is_model_ready("sent"))
        tensor = self.triton.InferInput("INPUT0", [1, 2], "INT32")
        tensor.set_data_from_numpy(np.array([[7, 8]], dtype=np.int32))
        result = self.client.infer("sent", [tensor])
        np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), [[7, 8]])
        self.client.unload_model("sent")

    def test_configuration_from_the_repository(self):
        config = self.client.get_model_config("labelled")
        config = config if isinstance(config, dict) else config.config
        note = self.value(config, "parameters")["note"]
        self.assertEqual(self.value(note, "string_value"), "from the file")

    def test_classification(self):
        array = np.array([[0.1, 0.7, 0.2]], dtype=np.float32)
        output = self.triton.InferRequestedOutput("OUTPUT0", class_count=2)
        result = self.client.infer("labelled", self.inputs(("INPUT0",), array), outputs=[output])
        best = [bytes(text).decode() for text in result.as_numpy("OUTPUT0").ravel()]
        self.assertEqual(best, ["0.700000:1:dog", "0.200000:2:bird"])

    def test_system_shared_memory(self):
        size = 24
        name = f"/supernova-test-{os.getpid()}-{self.__class__.__name__}"
        region = shm.create_shared_memory_region("both", name, 4 * size)
        self.addCleanup(shm.destroy_shared_memory_region, region)
        a, b = np.arange(6, dtype=np.float32), np.full(6, 0.25, dtype=np.float32)
        shm.set_shared_memory_region(region, [a, b])
        self.client.unregister_system_shared_memory()
        self.client.register_system_shared_memory("both", name, 4 * size)
        status = self.client.get_system_shared_memory_status()
        regions = status if isinstance(status, list) else list(status.regions)
        self.assertEqual(len(regions), 1)
        with self.assertRaisesRegex(InferenceServerException, "already"):
            self.client.register_system_shared_memory("both", name, 4 * size)
        inputs, outputs = [], []
        for i, key in enumerate(("INPUT0", "INPUT1")):
            tensor = self.triton.InferInput(key, [2, 3], "FP32")
            tensor.set_shared_memory("both", size, offset=i * size)
            inputs.append(tensor)
        for i, key in enumerate(("SUM", "DIFFERENCE")):
            wanted = self.triton.InferRequestedOutput(key)
            wanted.set_shared_memory("both", size, offset=(2 + i) * size)
            outputs.append(wanted)
        self.client.infer("sums", inputs, outputs=outputs)
        np.testing.assert_array_equal(
            shm.get_contents_as_numpy(region, np.float32, [6], offset=2 * size), a + b)
        np.testing.assert_array_equal(
            shm.get_contents_as_numpy(region, np.float32, [6], offset=3 * size), a - b)
        self.client.unregister_system_shared_memory("both")
        with self.assertRaises(InferenceServerException):
            self.client.infer("sums", inputs, outputs=outputs)
        with self.assertRaises(InferenceServerException):
            self.client.register_system_shared_memory("none", "/no-such-region", 16)

    def test_trace_settings(self):
        def level(reply):
            settings = reply if isinstance(reply, dict) else reply.settings
            found = settings["trace_level"]
            return list(found if isinstance(found, list) else found.value)
        try:
            reply = self.client.update_trace_settings(
                model_name="sums", settings={"trace_level": ["TIMESTAMPS"], "trace_rate": "7"})
            self.assertEqual(level(reply), ["TIMESTAMPS"])
            self.assertEqual(level(self.client.get_trace_settings("labelled")), ["OFF"])
        finally:
            self.client.update_trace_settings(
                model_name="sums", settings={"trace_level": None, "trace_rate": None})
        self.assertEqual(level(self.client.get_trace_settings("sums")), ["OFF"])
        with self.assertRaises(InferenceServerException):
            self.client.update_trace_settings(settings={"trace_rate": "often"})

    def test_log_settings(self):
        def verbose(reply):
            return (reply["log_verbose_level"] if isinstance(reply, dict)
                    else reply.settings["log_verbose_level"].uint32_param)
        self.assertEqual(verbose(self.client.update_log_settings({"log_verbose_level": 1})), 1)
        self.assertEqual(verbose(self.client.get_log_settings()), 1)
        self.client.update_log_settings({"log_verbose_level": 0})
        with self.assertRaises(InferenceServerException):
            self.client.update_log_settings({"log_file": "elsewhere.log"})

    def test_cuda_shared_memory_says_why_not(self):
        with self.assertRaisesRegex(InferenceServerException, "(?i)cuda"):
            self.client.register_cuda_shared_memory("gpu", b"\0" * 64, 0, 64)
        self.client.unregister_cuda_shared_memory()  # what perf_analyzer starts with


class Http(Extensions, unittest.TestCase):
    triton = triton_http

    @classmethod
    def address(cls):
        return cls.server.http

    def test_compression_both_ways(self):
        for algorithm in ("gzip", "deflate"):
            with self.subTest(algorithm):
                result = self.client.infer("sums", self.inputs(),
                                           request_compression_algorithm=algorithm,
                                           response_compression_algorithm=algorithm)
                np.testing.assert_array_equal(result.as_numpy("DIFFERENCE"), np.zeros((2, 3)))

    def test_generate_body(self):
        request = triton_http.InferenceServerClient.generate_request_body(self.inputs())
        self.assertTrue(request[0])


class Grpc(Extensions, unittest.TestCase):
    triton = triton_grpc

    @classmethod
    def address(cls):
        return cls.server.grpc

    def test_stream(self):
        results = []
        self.client.start_stream(lambda result, error: results.append((result, error)))
        for i in range(20):
            self.client.async_stream_infer("sums", self.inputs(), request_id=str(i))
        self.client.async_stream_infer("sums", self.inputs(("INPUT0",)), request_id="bad")
        self.client.async_stream_infer("sums", self.inputs(), request_id="last")
        self.client.stop_stream()
        self.assertEqual(len(results), 22)
        self.assertEqual(sum(error is not None for _, error in results), 1)
        self.assertEqual({r.get_response().id for r, e in results if e is None},
                         {str(i) for i in range(20)} | {"last"})


if __name__ == "__main__":
    unittest.main()
