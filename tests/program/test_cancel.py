"""Clients that go, and deadlines that pass, while a run is under way: the run ends early."""

import http.client
import json
import os
import socket
import tempfile
import time
import unittest

import onnx_writer
import workers
from server import Server

WITHIN = 30.0  # seconds; a limit for what hangs, not an expectation
# Of a model whose run takes far longer than a test may: a matrix, multiplied by itself.
SIDE = 384
STEPS = 3000


def eventually(condition):
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def slow_model():
    shape = [SIDE, SIDE]
    names = ["INPUT0", *(f"step{i}" for i in range(STEPS - 1)), "OUTPUT0"]
    nodes = [onnx_writer.node("MatMul", [one, "INPUT0"], [next_one])
             for one, next_one in zip(names, names[1:])]
    return onnx_writer.model(nodes, [onnx_writer.tensor_info("INPUT0", "FP32", shape)],
                             [onnx_writer.tensor_info("OUTPUT0", "FP32", shape)])


def request(name, shape, data, parameters=None):
    """Head and body of a request whose one tensor is binary."""
    head = json.dumps({"inputs": [{"name": name, "datatype": "FP32", "shape": shape,
                                   "parameters": {"binary_data_size": len(data)}}],
                       "parameters": parameters or {}}).encode()
    return {"Inference-Header-Content-Length": str(len(head))}, head + data


def count(value, parameters=None):
    """For the streaming engine: -1 has no answer until it is cancelled."""
    body = json.dumps({"inputs": [{"name": "COUNT", "datatype": "FP32", "shape": [1],
                                   "data": [value]}], "parameters": parameters or {}}).encode()
    return {}, body


class Cancel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="supernova-cancel-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def add_slow(self, **parameters):
        os.makedirs(os.path.join(self.folder, "slow", "1"))
        with open(os.path.join(self.folder, "slow", "1", "model.onnx"), "wb") as file:
            file.write(slow_model())
        with open(os.path.join(self.folder, "slow", "config.pbtxt"), "w", encoding="ascii") as file:
            for key, value in parameters.items():
                file.write(f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n')

    def serve(self, *flags):
        server = Server(["--model-repository", self.folder], flags)
        self.addCleanup(server.stop)
        return server

    def serve_streams(self, **parameters):
        library = workers.engine("streaming")
        if not os.path.exists(library):
            self.skipTest(f"the engine library {library} is not built")
        workers.add_model(self.folder, "endless", "", backend="streaming", parameters=parameters)
        return self.serve("--engine-library", library)

    def ask(self, server, model, content):
        headers, body = content
        connection = http.client.HTTPConnection(server.http, timeout=60)
        self.addCleanup(connection.close)
        connection.request("POST", f"/v2/models/{model}/infer", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def send_and_go(self, server, model, content):
        headers, body = content
        host, port = server.http.split(":")
        client = socket.create_connection((host, int(port)), timeout=20)
        head = (f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: x\r\n"
                f"Content-Length: {len(body)}\r\n")
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        client.sendall(head.encode() + b"\r\n" + body)
        client.close()

    def failures(self, server, model, reason):
        return workers.metric(server, "nv_inference_request_failure", model=model, reason=reason)

    def assert_ended(self, server, model, reason, number=1):
        self.assertTrue(eventually(lambda: self.failures(server, model, reason) == number),
                        "".join(server.log[-20:]))

    def check_client_goes(self, server, model, content):
        for i in range(3):
            self.send_and_go(server, model, content)
            self.assert_ended(server, model, "CANCELED", i + 1)

    def check_deadline(self, server, model, content):
        status, body = self.ask(server, model, content)
        self.assertEqual(status, 503, body)
        self.assertIn("Request timeout expired", json.loads(body)["error"])
        self.assert_ended(server, model, "REJECTED")

    def check_streams(self, **parameters):
        server = self.serve_streams(**parameters)
        self.check_client_goes(server, "endless", count(-1))
        self.check_deadline(server, "endless", count(-1, {"timeout": 100_000}))
        # One that has given an answer already, which is not the last.
        self.check_deadline_again(server)
        status, body = self.ask(server, "endless", count(1))
        self.assertEqual(status, 200, body)
        self.assertEqual(json.loads(body)["outputs"][0]["data"], [0.0])

    def check_deadline_again(self, server):
        status, body = self.ask(server, "endless", count(-2, {"timeout": 100_000}))
        self.assertEqual(status, 503, body)
        self.assert_ended(server, "endless", "REJECTED", 2)

    def test_an_engine_in_a_worker(self):
        self.check_streams()

    def test_an_engine_in_the_server(self):
        self.check_streams(isolation="in-process")

    def check_slow(self, **parameters):
        self.add_slow(**parameters)
        server = self.serve()
        data = bytes(4 * SIDE * SIDE)
        self.check_client_goes(server, "slow", request("INPUT0", [SIDE, SIDE], data))
        self.check_deadline(server, "slow",
                            request("INPUT0", [SIDE, SIDE], data, {"timeout": 200_000}))

    def test_the_cpu_runtime(self):
        self.check_slow()

    def test_the_cpu_runtime_in_a_worker(self):
        self.check_slow(isolation="worker")
