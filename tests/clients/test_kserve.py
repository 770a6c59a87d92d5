"""KServe's own inference client, unmodified: v1 and v2 over REST, v2 over gRPC."""

import unittest

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

from harness import ServedModels


class KServeTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = ServedModels.acquire()
        cls.addClassCleanup(ServedModels.release)
        cls.base = "http://" + cls.served.server.http
        cls.a = np.arange(6, dtype=np.float32).reshape(2, 3)
        cls.b = np.full((2, 3), 0.5, dtype=np.float32)

    def request(self, binary):
        inputs = []
        for name, array in (("INPUT0", self.a), ("INPUT1", self.b)):
            tensor = InferInput(name, list(array.shape), "FP32")
            tensor.set_data_from_numpy(array, binary_data=binary)
            inputs.append(tensor)
        return InferRequest("sum_difference", inputs, request_id="k1")

    def check(self, response):
        self.assertEqual(response.id, "k1")
        got = {output.name: output.as_numpy() for output in response.outputs}
        np.testing.assert_array_equal(got["SUM"], self.a + self.b)
        np.testing.assert_array_equal(got["DIFFERENCE"], self.a - self.b)


class Rest(KServeTest):
    async def test_v2(self):
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        self.assertTrue(await client.is_server_live(self.base))
        self.assertTrue(await client.is_server_ready(self.base))
        self.assertTrue(await client.is_model_ready(self.base, "sum_difference"))
        self.assertFalse(await client.is_model_ready(self.base, "nothing"))
        for binary in (False, True):
            with self.subTest(binary=binary):
                self.check(await client.infer(self.base, self.request(binary), "sum_difference"))

    async def test_v2_errors(self):
        client = InferenceRESTClient(RESTConfig(protocol="v2"))
        with self.assertRaises(httpx.HTTPStatusError) as caught:
            await client.infer(self.base, self.request(False), "nothing")
        self.assertIn("Request for unknown model: 'nothing' is not found", str(caught.exception))

    async def test_v1(self):
        client = InferenceRESTClient(RESTConfig(protocol="v1"))
        self.assertTrue(await client.is_server_live(self.base))
        self.assertTrue(await client.is_model_ready(self.base, "sum_difference"))
        # Columnar, as the model has no batch; one input, row by row.
        reply = await client.infer(
            self.base, {"inputs": {"INPUT0": self.a.tolist(), "INPUT1": self.b.tolist()}},
            "sum_difference")
        self.assertEqual(reply["predictions"]["SUM"], (self.a + self.b).tolist())
        reply = await client.infer(self.base, {"instances": self.a.tolist()}, "identity_fp32")
        self.assertEqual(reply["predictions"], self.a.tolist())

    async def test_v1_errors(self):
        client = InferenceRESTClient(RESTConfig(protocol="v1"))
        for model, data, status in (("nothing", {"instances": [[1.0]]}, 404),
                                    ("identity_fp32", {"instances": [["a"]]}, 400),
                                    ("identity_fp32", {}, 400)):
            with self.subTest(model=model, data=data):
                with self.assertRaises(httpx.HTTPStatusError) as caught:
                    await client.infer(self.base, data, model)
                self.assertEqual(caught.exception.response.status_code, status)
        with self.assertRaises(httpx.HTTPStatusError) as caught:
            await client.explain(self.base, "identity_fp32", {"instances": [[1.0]]})
        self.assertEqual(caught.exception.response.status_code, 501)


class Grpc(KServeTest):
    async def test_v2(self):
        async with InferenceGRPCClient(self.served.server.grpc) as client:
            self.assertTrue(await client.is_server_live())
            self.assertTrue(await client.is_server_ready())
            self.assertTrue(await client.is_model_ready("sum_difference"))
            for binary in (False, True):
                with self.subTest(binary=binary):
                    self.check(await client.infer(self.request(binary)))

    async def test_unknown_model(self):
        async with InferenceGRPCClient(self.served.server.grpc) as client:
            request = self.request(False)
            request.model_name = "nothing"
            with self.assertRaises(grpc.RpcError) as caught:
                await client.infer(request)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)


if __name__ == "__main__":
    unittest.main()
