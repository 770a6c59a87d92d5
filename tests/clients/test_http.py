"""tritonclient over HTTP, unmodified, and plain HTTP where that client hides the wire."""

import http.client
import json
import struct
import unittest

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import harness
from harness import DTYPES, NO_JSON, ClientTest, identity_name, same, sample

_EXTENSIONS = {"binary_tensor_data", "model_configuration", "parameters"}


class HttpTest(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = triton.InferenceServerClient(cls.served.server.http, concurrency=4)
        cls.addClassCleanup(cls.client.close)

    def input(self, name, datatype, array, binary=True):
        tensor = triton.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        return tensor

    def raw(self, method, path, body=None, headers=None):
        """Status, headers and body as they came over the wire."""
        connection = http.client.HTTPConnection(self.served.server.http, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def assert_refused(self, status, pattern, call, *args, **kwargs):
        with self.assertRaisesRegex(InferenceServerException, pattern) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.status(), str(status), caught.exception.message())


class Health(HttpTest):
    def test_server_is_live_and_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())

    def test_health_replies_have_no_body(self):
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/sum_difference/ready"):
            with self.subTest(path):
                status, _, body = self.raw("GET", path)
                self.assertEqual((status, body), (200, b""))

    def test_models_are_ready(self):
        for name in self.served.names:
            with self.subTest(name):
                self.assertTrue(self.client.is_model_ready(name))
                self.assertTrue(self.client.is_model_ready(name, "1"))
        self.assertFalse(self.client.is_model_ready("no_such_model"))
        self.assertFalse(self.client.is_model_ready("sum_difference", "7"))

    def test_wrong_method_and_path(self):
        status, _, body = self.raw("POST", "/v2/health/live")
        self.assertEqual(status, 405)
        self.assertEqual(json.loads(body), {"error": "Method Not Allowed"})
        status, _, body = self.raw("GET", "/v2/no/such/thing")
        self.assertEqual(status, 404)
        self.assertEqual(json.loads(body), {"error": "Not Found"})


class Metadata(HttpTest):
    def test_server(self):
        metadata = self.client.get_server_metadata()
        self.assertTrue(metadata["name"])
        self.assertTrue(metadata["version"])
        self.assertLessEqual(_EXTENSIONS, set(metadata["extensions"]))

    def test_models(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                metadata = self.client.get_model_metadata(identity_name(datatype))
                self.assertEqual(metadata["name"], identity_name(datatype))
                self.assertEqual(metadata["versions"], ["1"])
                self.assertTrue(metadata["platform"])
                self.assertEqual(metadata["inputs"], [
                    {"name": "INPUT0", "datatype": datatype, "shape": [-1, -1]}])
                self.assertEqual(metadata["outputs"], [
                    {"name": "OUTPUT0", "datatype": datatype, "shape": [-1, -1]}])

    def test_order_of_tensors_is_the_models(self):
        metadata = self.client.get_model_metadata("sum_difference", "1")
        self.assertEqual([i["name"] for i in metadata["inputs"]], ["INPUT0", "INPUT1"])
        self.assertEqual([o["name"] for o in metadata["outputs"]], ["SUM", "DIFFERENCE"])
        self.assertEqual(metadata["inputs"][0]["shape"], [2, 3])

    def test_config(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                config = self.client.get_model_config(identity_name(datatype))
                self.assertEqual(config["name"], identity_name(datatype))
                self.assertEqual(config["max_batch_size"], 0)
                kind = "TYPE_STRING" if datatype == "BYTES" else "TYPE_" + datatype
                for side, name in (("input", "INPUT0"), ("output", "OUTPUT0")):
                    (tensor,) = config[side]
                    self.assertEqual(tensor["name"], name)
                    self.assertEqual(tensor["data_type"], kind)
                    # 64-bit numbers may be written as strings.
                    self.assertEqual([int(d) for d in tensor["dims"]], [-1, -1])

    def test_name_that_needs_quoting(self):
        self.assertEqual(self.client.get_model_metadata("spaced name")["name"], "spaced name")

    def test_unknown_model_and_version(self):
        for call in (self.client.get_model_metadata, self.client.get_model_config):
            self.assert_refused(400, r"Request for unknown model: 'no_such_model' is not found",
                                call, "no_such_model")
            self.assert_refused(
                404, r"Request for unknown model: 'sum_difference' version 7 is not found",
                call, "sum_difference", "7")


class Inference(HttpTest):
    def identity(self, datatype, array, binary_in, binary_out):
        result = self.client.infer(
            identity_name(datatype), [self.input("INPUT0", datatype, array, binary_in)],
            outputs=[triton.InferRequestedOutput("OUTPUT0", binary_data=binary_out)])
        self.assertEqual(result.get_output("OUTPUT0")["datatype"], datatype)
        return result.as_numpy("OUTPUT0")

    def test_every_datatype_in_binary(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                expected = sample(datatype)
                same(self, self.identity(datatype, expected, True, True), expected)

    def test_every_datatype_in_json(self):
        for datatype in DTYPES:
            if datatype in NO_JSON:
                continue
            for binary_in, binary_out in ((False, False), (False, True), (True, False)):
                with self.subTest(datatype, binary_in=binary_in, binary_out=binary_out):
                    expected = sample(datatype)
                    same(self, self.identity(datatype, expected, binary_in, binary_out), expected)

    def test_half_precision_is_refused_in_json(self):
        for datatype in NO_JSON:
            with self.subTest(datatype):
                self.assert_refused(400, datatype, self.identity, datatype, sample(datatype),
                                    True, False)
                status, _, body = self.raw(
                    "POST", f"/v2/models/{identity_name(datatype)}/infer",
                    json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 1],
                                            "datatype": datatype, "data": [1.0]}]}))
                self.assertEqual(status, 400)
                self.assertIn(datatype, json.loads(body)["error"])

    def test_bytes_that_are_not_text(self):
        expected = np.array([[b"\xff\xfe", b"\x80\x00"]], dtype=np.object_)
        same(self, self.identity("BYTES", expected, True, True), expected)

    def test_nan_and_infinity_in_binary(self):
        for datatype in ("FP16", "FP32", "FP64", "BF16"):
            with self.subTest(datatype):
                expected = np.array([[np.nan, np.inf, -np.inf]], dtype=DTYPES[datatype])
                same(self, self.identity(datatype, expected, True, True), expected)

    def test_nan_and_infinity_in_a_json_reply_are_refused_with_the_remedy(self):
        for datatype in ("FP32", "FP64"):
            with self.subTest(datatype):
                values = np.array([[np.nan, np.inf, -np.inf]], dtype=DTYPES[datatype])
                with self.assertRaisesRegex(InferenceServerException, "binary_data"):
                    self.identity(datatype, values, True, False)

    def test_floats_survive_json_to_the_last_bit(self):
        bits = np.random.default_rng(1).integers(0, 2**64, 4000, dtype=np.uint64)
        for datatype, array in (("FP32", bits.view(np.float32)), ("FP64", bits.view(np.float64))):
            expected = array[np.isfinite(array)].reshape(1, -1)
            for binary_in, binary_out in ((True, False), (False, False)):
                with self.subTest(datatype, binary_in=binary_in):
                    same(self, self.identity(datatype, expected, binary_in, binary_out), expected)

    def test_empty_tensors(self):
        for datatype in DTYPES:
            expected = np.empty((0, 4), dtype=DTYPES[datatype])
            with self.subTest(datatype):
                same(self, self.identity(datatype, expected, True, True), expected)
                if datatype not in NO_JSON:
                    same(self, self.identity(datatype, expected, False, False), expected)

    def test_large_tensor(self):
        expected = np.random.default_rng(2).random((1024, 1024), dtype=np.float32)
        same(self, self.identity("FP32", expected, True, True), expected)

    def test_two_inputs_and_outputs(self):
        a = np.arange(6, dtype=np.float32).reshape(2, 3)
        b = np.full((2, 3), 10, np.float32)
        for mixed in (True, False):  # one input in the JSON, one behind it
            result = self.client.infer("sum_difference", [
                self.input("INPUT0", "FP32", a, binary=True),
                self.input("INPUT1", "FP32", b, binary=mixed)])
            same(self, result.as_numpy("SUM"), a + b)
            same(self, result.as_numpy("DIFFERENCE"), a - b)
        result = self.client.infer("spaced name", [  # the order of inputs is the client's
            self.input("INPUT1", "FP32", b), self.input("INPUT0", "FP32", a)])
        same(self, result.as_numpy("DIFFERENCE"), a - b)

    def ones(self):
        one = np.ones((2, 3), np.float32)
        return [self.input("INPUT0", "FP32", one), self.input("INPUT1", "FP32", one)]

    def test_requested_outputs(self):
        def names(*outputs):
            reply = self.client.infer("sum_difference", self.ones(), outputs=[
                triton.InferRequestedOutput(n, binary_data=b) for n, b in outputs]).get_response()
            self.assertEqual(reply["model_name"], "sum_difference")
            self.assertEqual(reply["model_version"], "1")
            return [o["name"] for o in reply["outputs"]]

        self.assertEqual(names(("DIFFERENCE", True)), ["DIFFERENCE"])
        self.assertEqual(names(("SUM", False)), ["SUM"])
        self.assertCountEqual(names(("DIFFERENCE", True), ("SUM", False)), ["SUM", "DIFFERENCE"])
        self.assert_refused(400, r"NO_SUCH", names, ("NO_SUCH", True))

    def test_request_id(self):
        reply = self.client.infer("sum_difference", self.ones(), request_id="id \u00e9 7")
        self.assertEqual(reply.get_response()["id"], "id \u00e9 7")
        reply = self.client.infer("sum_difference", self.ones())
        self.assertNotIn("id", reply.get_response())

    def test_parameters(self):
        self.client.infer("sum_difference", self.ones(), priority=1, timeout=10_000_000,
                          parameters={"text": "a", "number": 3, "real": 0.5, "flag": True})
        status, _, body = self.raw(
            "POST", "/v2/models/identity_fp32/infer",
            json.dumps({"parameters": {"triton_mine": 1},
                        "inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "FP32",
                                    "data": [1.0]}]}))
        self.assertEqual(status, 400)
        self.assertIn("triton_mine", json.loads(body)["error"])

    def test_version_in_the_path(self):
        self.client.infer("sum_difference", self.ones(), model_version="1")
        self.assert_refused(
            404, r"Request for unknown model: 'sum_difference' version 7 is not found",
            self.client.infer, "sum_difference", self.ones(), model_version="7")

    def test_async_requests(self):
        arrays = [np.full((2, 3), i, np.float32) for i in range(60)]
        pending = [self.client.async_infer("sum_difference", [
            self.input("INPUT0", "FP32", a), self.input("INPUT1", "FP32", a)]) for a in arrays]
        for array, request in zip(arrays, pending):
            same(self, request.get_result().as_numpy("SUM"), array * 2)


class Errors(HttpTest):
    def test_unknown_model(self):
        self.assert_refused(400, r"Request for unknown model: 'no_such_model' is not found",
                            self.client.infer, "no_such_model", [])

    def test_refused_requests(self):
        for name, (model, inputs, pattern) in harness.REFUSED.items():
            for binary in (True, False):
                with self.subTest(name, binary=binary):
                    tensors = [self.input(*i, binary=binary) for i in inputs]
                    self.assert_refused(400, pattern, self.client.infer, model, tensors)

    def test_message_names_the_request(self):
        self.assert_refused(400, r"\[request id: r7\] ", self.client.infer, "sum_difference", [],
                            request_id="r7")

    def test_unknown_datatype(self):
        tensor = self.input("INPUT0", "FP32", np.ones((1, 1), np.float32))
        tensor._datatype = "FP33"  # the client has no way to say this in public
        self.assert_refused(400, r"FP33", self.client.infer, "identity_fp32", [tensor])

    def refuse_raw(self, pattern, body, header_length=None):
        headers = {}
        if header_length is not None:
            headers["Inference-Header-Content-Length"] = str(header_length)
        status, reply_headers, reply = self.raw("POST", "/v2/models/identity_fp32/infer", body,
                                                headers)
        self.assertEqual(status, 400, reply)
        self.assertEqual(reply_headers.get_content_type(), "application/json")
        self.assertRegex(json.loads(reply)["error"], pattern)

    def test_sizes_that_disagree(self):
        def header(shape, size):
            return json.dumps({"inputs": [{"name": "INPUT0", "shape": shape, "datatype": "FP32",
                                           "parameters": {"binary_data_size": size}}]}).encode()

        data = struct.pack("<4f", 1, 2, 3, 4)
        good = header([2, 2], 16)
        self.refuse_raw(r"16|trailing|additional", good + data + b"more", len(good))
        self.refuse_raw(r"INPUT0|16", good + data[:9], len(good))
        self.refuse_raw(r".", good + data, len(good) + 1000)
        self.refuse_raw(r".", good + data, len(good) - 3)
        wrong = header([2, 3], 16)
        self.refuse_raw(r"input byte size mismatch for input 'INPUT0' for model 'identity_fp32'\. "
                        r"Expected 24, got 16", wrong + data, len(wrong))
        for shape in ([2, -2], [2**62, 2**62], [2**63 - 1, 1]):
            with self.subTest(shape=shape):
                body = header(shape, 16)
                self.refuse_raw(r"INPUT0", body + data, len(body))
        self.assertTrue(self.client.is_server_ready())

    def test_elements_that_disagree_with_the_shape(self):
        def body(**changes):
            tensor = {"name": "INPUT0", "shape": [2, 2], "datatype": "FP32",
                      "data": [1, 2, 3, 4]} | changes
            return json.dumps({"inputs": [tensor]})

        for data in ([1, 2, 3], [1, 2, 3, 4, 5], [[1, 2], [3]], ["a", 2, 3, 4], [None] * 4):
            with self.subTest(data=data):
                status, _, reply = self.raw("POST", "/v2/models/identity_fp32/infer",
                                            body(data=data))
                self.assertIn(status, (400, 500))
                self.assertIn("INPUT0", json.loads(reply)["error"])
        self.refuse_raw(r"INPUT0", body(parameters={"binary_data_size": 16}), None)

    def test_bodies_that_are_no_request(self):
        for text in (b"", b"{", b"[]", b"{}", b"\xff\xfe", b'{"inputs":5}', b'{"inputs":[5]}',
                     b'{"inputs":[{}]}', b"[" * 100_000):
            with self.subTest(text=text[:40]):
                self.refuse_raw(r".", text)
        self.assertTrue(self.client.is_server_ready())


if __name__ == "__main__":
    unittest.main()
