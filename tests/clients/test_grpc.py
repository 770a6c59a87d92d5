"""tritonclient over gRPC, unmodified, and its generated stubs where it hides the wire."""

import queue
import unittest

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import harness
from harness import DTYPES, ClientTest, identity_name, same, sample, to_bytes

# datatype -> the typed list that carries it
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents",
    "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
    "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}


class GrpcTest(ClientTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = triton.InferenceServerClient(cls.served.server.grpc)
        cls.addClassCleanup(cls.client.close)
        cls.channel = grpc.insecure_channel(cls.served.server.grpc, options=[
            ("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)])
        cls.addClassCleanup(cls.channel.close)
        cls.stub = service_pb2_grpc.GRPCInferenceServiceStub(cls.channel)

    def input(self, name, datatype, array):
        tensor = triton.InferInput(name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array)
        return tensor

    def ones(self):
        one = np.ones((2, 3), np.float32)
        return [self.input("INPUT0", "FP32", one), self.input("INPUT1", "FP32", one)]

    def assert_refused(self, code, pattern, call, *args, **kwargs):
        with self.assertRaisesRegex(InferenceServerException, pattern) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.status(), "StatusCode." + code,
                         caught.exception.message())

    def assert_stub_refuses(self, code, pattern, request):
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.ModelInfer(request, timeout=30)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertRegex(caught.exception.details(), pattern)


class Health(GrpcTest):
    def test_server_and_models_are_ready(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        for name in self.served.names:
            with self.subTest(name):
                self.assertTrue(self.client.is_model_ready(name))
                self.assertTrue(self.client.is_model_ready(name, "1"))

    def test_standard_health_service(self):
        check = self.channel.unary_unary("/grpc.health.v1.Health/Check")
        self.assertEqual(check(b"", timeout=30), b"\x08\x01")  # status = SERVING


class Metadata(GrpcTest):
    def test_server(self):
        metadata = self.client.get_server_metadata()
        self.assertTrue(metadata.name)
        self.assertTrue(metadata.version)
        self.assertIn("binary_tensor_data", metadata.extensions)
        over_http = harness.http_json(self.served.server.http, "/v2")
        self.assertEqual([metadata.name, metadata.version, list(metadata.extensions)],
                         [over_http[k] for k in ("name", "version", "extensions")])

    def test_models(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                metadata = self.client.get_model_metadata(identity_name(datatype))
                self.assertEqual(metadata.name, identity_name(datatype))
                self.assertEqual(list(metadata.versions), ["1"])
                self.assertTrue(metadata.platform)
                for side, name in ((metadata.inputs, "INPUT0"), (metadata.outputs, "OUTPUT0")):
                    (tensor,) = side
                    self.assertEqual((tensor.name, tensor.datatype, list(tensor.shape)),
                                     (name, datatype, [-1, -1]))

    def test_config(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                config = self.client.get_model_config(identity_name(datatype), as_json=True)
                config = config["config"]
                self.assertEqual(config["name"], identity_name(datatype))
                kind = "TYPE_STRING" if datatype == "BYTES" else "TYPE_" + datatype
                for side, name in (("input", "INPUT0"), ("output", "OUTPUT0")):
                    (tensor,) = config[side]
                    self.assertEqual((tensor["name"], tensor["data_type"]), (name, kind))
                    self.assertEqual([int(d) for d in tensor["dims"]], [-1, -1])

    def test_unknown_model_and_version(self):
        for call in (self.client.get_model_metadata, self.client.get_model_config):
            self.assert_refused("INVALID_ARGUMENT",
                                r"Request for unknown model: 'no_such_model' is not found",
                                call, "no_such_model")
            self.assert_refused(
                "NOT_FOUND", r"Request for unknown model: 'sum_difference' version 7 is not found",
                call, "sum_difference", "7")


class Inference(GrpcTest):
    def test_every_datatype(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                expected = sample(datatype)
                result = self.client.infer(identity_name(datatype),
                                           [self.input("INPUT0", datatype, expected)])
                self.assertEqual(result.get_output("OUTPUT0").datatype, datatype)
                same(self, result.as_numpy("OUTPUT0"), expected)

    def test_every_datatype_in_typed_lists(self):
        for datatype, field in _CONTENTS.items():
            with self.subTest(datatype):
                expected = sample(datatype)
                request = service_pb2.ModelInferRequest(model_name=identity_name(datatype))
                tensor = request.inputs.add(name="INPUT0", datatype=datatype, shape=[2, 4])
                getattr(tensor.contents, field).extend(expected.ravel().tolist())
                reply = self.stub.ModelInfer(request, timeout=30)
                self.assertEqual(list(reply.raw_output_contents), [to_bytes(expected)])
                self.assertEqual(list(reply.outputs[0].shape), [2, 4])

    def test_nan_and_infinity(self):
        for datatype in ("FP16", "FP32", "FP64", "BF16"):
            with self.subTest(datatype):
                expected = np.array([[np.nan, np.inf, -np.inf]], dtype=DTYPES[datatype])
                result = self.client.infer(identity_name(datatype),
                                           [self.input("INPUT0", datatype, expected)])
                same(self, result.as_numpy("OUTPUT0"), expected)

    def test_empty_tensors(self):
        for datatype in DTYPES:
            with self.subTest(datatype):
                tensor = triton.InferInput("INPUT0", [0, 4], datatype)
                tensor.set_data_from_numpy(np.empty((0, 4), dtype=DTYPES[datatype]))
                reply = self.client.infer(identity_name(datatype), [tensor]).get_response()
                self.assertEqual(list(reply.outputs[0].shape), [0, 4])
                self.assertEqual(list(reply.raw_output_contents), [b""])

    def test_large_tensor(self):  # beyond gRPC's own limit of 4 MiB
        expected = np.random.default_rng(2).random((2048, 1024), dtype=np.float32)
        result = self.client.infer("identity_fp32", [self.input("INPUT0", "FP32", expected)])
        same(self, result.as_numpy("OUTPUT0"), expected)

    def test_two_inputs_and_outputs(self):
        a = np.arange(6, dtype=np.float32).reshape(2, 3)
        b = np.full((2, 3), 10, np.float32)
        result = self.client.infer("sum_difference", [  # the order of inputs is the client's
            self.input("INPUT1", "FP32", b), self.input("INPUT0", "FP32", a)])
        same(self, result.as_numpy("SUM"), a + b)
        same(self, result.as_numpy("DIFFERENCE"), a - b)

    def test_requested_outputs(self):
        def names(*outputs):
            reply = self.client.infer("sum_difference", self.ones(), outputs=[
                triton.InferRequestedOutput(n) for n in outputs]).get_response()
            self.assertEqual((reply.model_name, reply.model_version), ("sum_difference", "1"))
            self.assertEqual(len(reply.raw_output_contents), len(reply.outputs))
            return [o.name for o in reply.outputs]

        self.assertEqual(names("DIFFERENCE"), ["DIFFERENCE"])
        self.assertCountEqual(names("DIFFERENCE", "SUM"), ["SUM", "DIFFERENCE"])
        self.assert_refused("INVALID_ARGUMENT", r"NO_SUCH", names, "NO_SUCH")

    def test_request_id(self):
        reply = self.client.infer("sum_difference", self.ones(), request_id="id \u00e9 7")
        self.assertEqual(reply.get_response().id, "id \u00e9 7")
        self.assertEqual(self.client.infer("sum_difference", self.ones()).get_response().id, "")

    def test_parameters(self):
        self.client.infer("sum_difference", self.ones(), priority=1, timeout=10_000_000,
                          parameters={"text": "a", "number": 3, "real": 0.5, "flag": True})
        request = service_pb2.ModelInferRequest(model_name="identity_fp32")
        request.inputs.add(name="INPUT0", datatype="FP32", shape=[1, 1])
        request.raw_input_contents.append(bytes(4))
        # What the C++ client sends with every request.
        request.parameters["triton_enable_empty_final_response"].bool_param = False
        self.stub.ModelInfer(request, timeout=30)
        request.parameters["triton_mine"].int64_param = 1
        self.assert_stub_refuses(grpc.StatusCode.INVALID_ARGUMENT, r"triton_mine", request)

    def test_compressed_requests(self):
        for algorithm in ("gzip", "deflate"):
            with self.subTest(algorithm):
                result = self.client.infer("sum_difference", self.ones(),
                                           compression_algorithm=algorithm)
                same(self, result.as_numpy("SUM"), np.full((2, 3), 2, np.float32))

    def test_version(self):
        self.client.infer("sum_difference", self.ones(), model_version="1")
        self.assert_refused(
            "NOT_FOUND", r"Request for unknown model: 'sum_difference' version 7 is not found",
            self.client.infer, "sum_difference", self.ones(), model_version="7")

    def test_async_requests(self):
        done = queue.Queue()
        for i in range(60):
            array = np.full((2, 3), i, np.float32)
            self.client.async_infer(
                "sum_difference",
                [self.input("INPUT0", "FP32", array), self.input("INPUT1", "FP32", array)],
                callback=lambda result, error, i=i: done.put((i, result, error)))
        for _ in range(60):
            i, result, error = done.get(timeout=30)
            self.assertIsNone(error)
            same(self, result.as_numpy("SUM"), np.full((2, 3), 2 * i, np.float32))


class Errors(GrpcTest):
    def test_unknown_model(self):
        self.assert_refused("INVALID_ARGUMENT",
                            r"Request for unknown model: 'no_such_model' is not found",
                            self.client.infer, "no_such_model", [])

    def test_refused_requests(self):
        for name, (model, inputs, pattern) in harness.REFUSED.items():
            with self.subTest(name):
                self.assert_refused("INVALID_ARGUMENT", pattern, self.client.infer, model,
                                    [self.input(*i) for i in inputs])

    def test_message_names_the_request(self):
        self.assert_refused("INVALID_ARGUMENT", r"\[request id: r7\] ", self.client.infer,
                            "sum_difference", [], request_id="r7")

    def request(self, datatype="FP32", shape=(2, 2), raw=None, contents=None):
        request = service_pb2.ModelInferRequest(model_name="identity_fp32")
        tensor = request.inputs.add(name="INPUT0", datatype=datatype, shape=shape)
        if contents is not None:
            tensor.contents.fp32_contents.extend(contents)
        request.raw_input_contents.extend(raw or [])
        return request

    def test_sizes_that_disagree(self):
        bad = grpc.StatusCode.INVALID_ARGUMENT
        self.assert_stub_refuses(
            bad, r"input byte size mismatch for input 'INPUT0' for model 'identity_fp32'\. "
            r"Expected 16, got 12", self.request(raw=[bytes(12)]))
        for name, request in {
                "too few elements": self.request(contents=[1, 2, 3]),
                "too many elements": self.request(contents=[1] * 5),
                "both kinds of data": self.request(contents=[1] * 4, raw=[bytes(16)]),
                "one buffer too many": self.request(raw=[bytes(16), bytes(16)]),
                "no data": self.request(),
                "negative shape": self.request(shape=[2, -2], raw=[bytes(16)]),
                "overflowing shape": self.request(shape=[2**62, 2**62], raw=[bytes(16)]),
                "unknown datatype": self.request(datatype="FP33", raw=[bytes(16)]),
        }.items():
            with self.subTest(name):
                self.assert_stub_refuses(bad, r".", request)
        self.assertTrue(self.client.is_server_ready())

    def test_broken_strings(self):
        for raw in (b"\x05\0\0\0ab", b"\xff\xff\xff\xffab", b"\x01\0", b"\x01\0\0\0a\x01\0\0\0b"):
            with self.subTest(raw=raw):
                request = service_pb2.ModelInferRequest(model_name="identity_bytes")
                request.inputs.add(name="INPUT0", datatype="BYTES", shape=[1, 1])
                request.raw_input_contents.append(raw)
                self.assert_stub_refuses(grpc.StatusCode.INVALID_ARGUMENT, r"INPUT0", request)


if __name__ == "__main__":
    unittest.main()
