"""The server from outside, over plain sockets: hostile requests, ports, signals, failing models."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import onnx_writer
from server import BINARY, Server


class ServerCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.folder.name, "sums.onnx")
        with open(cls.model, "wb") as file:
            file.write(onnx_writer.sum_difference())
        broken = os.path.join(cls.folder.name, "broken.onnx")
        with open(broken, "wb") as file:
            file.write(onnx_writer.sum_difference()[:60])
        cls.server = Server([cls.model, broken])

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.folder.cleanup()
        assert status == 0, "".join(cls.server.log[-20:])

    def connect(self):
        host, port = self.server.http.split(":")
        return socket.create_connection((host, int(port)), timeout=20)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.server.http, timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def error(self, method, path, body=None, headers=None):
        status, content = self.ask(method, path, body, headers)
        return status, json.loads(content)["error"]

    def assert_alive(self):
        self.assertEqual(self.ask("GET", "/v2/health/live")[0], 200)

    def request(self, **changes):
        tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
        tensor.update(changes)
        other = {"name": "INPUT1", "datatype": "FP32", "shape": [2, 3], "data": [0] * 6}
        return {"inputs": [{k: v for k, v in tensor.items() if v is not None}, other]}

    def refuse(self, body, *texts, status=400, headers=None):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        got, message = self.error("POST", "/v2/models/sums/infer", body, headers)
        self.assertEqual(got, status, message)
        for text in texts:
            self.assertIn(text, message)


class Requests(ServerCase):
    def test_it_answers(self):
        status, content = self.ask("POST", "/v2/models/sums/infer", json.dumps(self.request()))
        self.assertEqual(status, 200, content)
        outputs = {o["name"]: o["data"] for o in json.loads(content)["outputs"]}
        self.assertEqual(outputs["SUM"], [1, 2, 3, 4, 5, 6])

    def test_broken_json(self):
        good = json.dumps(self.request())
        for length in range(len(good)):
            self.refuse(good[:length])
        for body in ("[]", "null", "1", '"x"', "{}", '{"inputs":{}}', '{"inputs":[1]}', good + "x",
                     '{"inputs":[{"name":1}]}', b"\xff\xfe{}", '{"inputs":' + "[" * 5000):
            self.refuse(body)
        self.refuse(good.replace("INPUT0", "\\ud800"))
        self.refuse(good.encode().replace(b"INPUT0", b"\xff\xfe"))
        self.assert_alive()

    def test_shapes(self):
        for shape in ([-1, 3], [2, -3], [2 ** 62, 2 ** 62], [2 ** 63], [2 ** 40, 3], [2.5, 3], ["2", 3],
                      [2, 4], [6], [], "x", None, [[2, 3]], [2, 3, 1], [10 ** 30, 1]):
            self.refuse(self.request(shape=shape))

    def test_datatypes_and_values(self):
        self.refuse(self.request(datatype="FP31"), "FP31")
        self.refuse(self.request(datatype=None))
        self.refuse(self.request(datatype="INT32"), "INPUT0", "FP32")
        for data in ([1, 2, 3], [1] * 7, ["1"] * 6, [None] * 6, [True] * 6, {}, "x", [[1, 2], [3, 4, 5, 6], []][:1]):
            self.refuse(self.request(data=data))
        self.refuse(self.request(data=None), "INPUT0")

    def test_names(self):
        self.refuse(self.request(name="nope"), "nope")
        self.refuse(self.request(name=""))
        self.refuse(self.request(name="INPUT1"), "INPUT1")
        self.refuse(self.request(name="a\u0000b"))
        self.refuse({"inputs": self.request()["inputs"][:1]}, "INPUT1")
        self.refuse(dict(self.request(), outputs=[{"name": "nope"}]), "nope")
        self.refuse(dict(self.request(), outputs=[{"name": "SUM"}, {"name": "SUM"}]), "SUM")

    def test_positional_aliases(self):
        request = {"inputs": [dict(i, name=f"INPUT__{k}") for k, i in
                              enumerate(self.request()["inputs"])], "outputs": [{"name": "OUTPUT__1"}]}
        status, content = self.ask("POST", "/v2/models/sums/infer", json.dumps(request))
        self.assertEqual(status, 200, content)
        self.assertEqual(json.loads(content)["outputs"][0]["name"], "OUTPUT__1")

    def test_paths(self):
        for path, status in (("/v2/models/%2e%2e/infer", 400), ("/v2/models/../../etc/passwd", 404),
                             ("/v2/models/a%2Fb", 400), ("/v2/models/%00", 400), ("/v2/models/%zz", 400),
                             ("/v2/models/%ff", 400), ("/nothing", 404), ("/v2/models/", 404),
                             ("/v2/models/sums/versions/7", 404), ("/v2/models/sums/versions/x", 404),
                             ("/v2/models/unknown", 400), ("/v2/models/broken/ready", 503)):
            with self.subTest(path):
                self.assertEqual(self.error("POST" if path.endswith("infer") else "GET", path)[0], status)
        self.assertEqual(self.error("DELETE", "/v2")[0], 405)
        self.assertIn("broken", self.error("GET", "/v2/models/broken")[1])

    def test_binary_sizes(self):
        def binary(size, header_length=None, tail=b"\0" * 24):
            request = self.request(data=None, parameters={"binary_data_size": size})
            head = json.dumps(request).encode()
            length = len(head) if header_length is None else header_length
            return head + tail, {"Inference-Header-Content-Length": str(length)}
        body, headers = binary(24)
        status, content = self.ask("POST", "/v2/models/sums/infer", body, headers)
        self.assertEqual(status, 200, content)
        for size, tail in ((20, 24), (28, 28), (24, 20), (24, 28), (2 ** 63, 24), (-1, 24), ("24", 24)):
            body, headers = binary(size, tail=b"\0" * tail)
            self.refuse(body, headers=headers)
        for length in ("-1", "x", "99999999", "18446744073709551616", "1", "", "24.5", "0x10"):
            body, headers = binary(24, header_length=length)
            self.refuse(body, headers=headers)
        self.assert_alive()

    def test_malformed_http(self):
        for raw in (b"GARBAGE\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00",
                    b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                    b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
                    b"POST /v2 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                    b"POST /v2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                    b"GET /v2 HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 200000 + b"\r\n\r\n",
                    b"GET /v2 HTTP/1.1\r\nbad header line\r\n\r\n"):
            with self.subTest(raw[:60]), self.connect() as connection:
                try:
                    connection.sendall(raw)
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(65536)
                except ConnectionError:
                    answer = b""
                self.assertTrue(answer == b"" or b" 4" in answer.split(b"\r\n")[0], answer[:100])
        self.assert_alive()

    def test_truncated_bodies_and_vanishing_clients(self):
        for body in (b"", b"{", b"{" * 1000):
            connection = self.connect()
            connection.sendall(b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: 5000\r\n\r\n" + body)
            connection.close()
        # A body that is announced and never comes must not cost its memory.
        connection = self.connect()
        connection.sendall(b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Length: 2000000000\r\n\r\n{")
        self.assert_alive()
        with open(f"/proc/{self.server.process.pid}/statm", encoding="ascii") as file:
            self.assertLess(int(file.read().split()[1]) * 4096, 1 << 30)
        connection.close()

    def test_too_large_is_said(self):
        with self.connect() as connection:
            connection.sendall(b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\n"
                               b"Content-Length: 99999999999999\r\n\r\n")
            self.assertIn(b" 413 ", connection.recv(4096).split(b"\r\n")[0])

    def test_chunked_and_pipelined(self):
        body = json.dumps(self.request()).encode()
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[:7], body[7:])) + b"0\r\n\r\n"
        head = b"POST /v2/models/sums/infer HTTP/1.1\r\nHost: x\r\n"
        one = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        two = head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
        with self.connect() as connection:
            connection.sendall(one + two)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        self.assertEqual(answer.count(b"HTTP/1.1 200"), 2, answer)

    def test_many_at_once(self):
        failures = []

        def work():
            connection = http.client.HTTPConnection(self.server.http, timeout=30)
            for _ in range(50):
                connection.request("POST", "/v2/models/sums/infer", json.dumps(self.request()))
                answer = connection.getresponse()
                if answer.status != 200 or b'"SUM"' not in answer.read():
                    failures.append(answer.status)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])


class Ports(ServerCase):
    def second(self, http_port, grpc_port):
        return subprocess.run([BINARY, "serve", self.model, "--http-port", http_port, "--grpc-port",
                               grpc_port, "--metrics-port", "0"], capture_output=True, text=True, timeout=60, check=False)

    def test_a_port_in_use(self):
        for http_port, grpc_port, name in ((self.server.http.split(":")[1], "0", "HTTP"),
                                           ("0", self.server.grpc.split(":")[1], "gRPC")):
            result = self.second(http_port, grpc_port)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, "")
            last = result.stderr.strip().splitlines()[-1]
            self.assertTrue(last.startswith("error: "), last)
            self.assertIn(name, last)
            self.assertIn("in use", last)

    def test_a_model_that_fails(self):
        missing = os.path.join(self.folder.name, "missing.onnx")
        result = subprocess.run([BINARY, "serve", missing, "--exit-on-error", "--http-port", "0",
                                 "--grpc-port", "0", "--metrics-port", "0"], capture_output=True,
                                text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("missing.onnx", result.stderr)
        with Server([missing]) as server:
            connection = http.client.HTTPConnection(server.http, timeout=20)
            connection.request("GET", "/v2/models/missing")
            answer = connection.getresponse()
            self.assertEqual(answer.status, 503)
            self.assertIn("does not exist", json.loads(answer.read())["error"])

    def test_a_repository(self):
        with tempfile.TemporaryDirectory() as repository:
            for path in ("versioned/2/model.onnx", "plain/model.onnx", "bare.onnx"):
                os.makedirs(os.path.dirname(os.path.join(repository, path)), exist_ok=True)
                with open(os.path.join(repository, path), "wb") as file:
                    file.write(onnx_writer.sum_difference())
            with Server(["--model-repository", repository]) as server:
                connection = http.client.HTTPConnection(server.http, timeout=20)
                for name, version in (("versioned", "2"), ("plain", "1"), ("bare", "1")):
                    connection.request("GET", f"/v2/models/{name}")
                    self.assertEqual(json.loads(connection.getresponse().read())["versions"], [version])


class Signals(ServerCase):
    def test_sigterm_finishes_what_is_in_progress(self):
        # A chain of large products keeps the server busy for a while.
        nodes = [onnx_writer.node("MatMul", ["x" if i == 0 else f"t{i}", "w"],
                                  [f"t{i + 1}" if i < 39 else "y"]) for i in range(40)]
        slow = os.path.join(self.folder.name, "slow.onnx")
        square = ("n", "n")
        with open(slow, "wb") as file:
            file.write(onnx_writer.model(nodes, [onnx_writer.tensor_info(n, "FP32", square) for n in
                                                 ("x", "w")],
                                         [onnx_writer.tensor_info("y", "FP32", square)]))
        server = Server([slow])
        size = 768
        tensors = [{"name": n, "datatype": "FP32", "shape": [size, size],
                    "parameters": {"binary_data_size": 4 * size * size}} for n in ("x", "w")]
        head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
        connection = http.client.HTTPConnection(server.http, timeout=60)
        connection.request("POST", "/v2/models/slow/infer", head + bytes(8 * size * size),
                           {"Inference-Header-Content-Length": str(len(head))})
        time.sleep(0.15)
        server.process.send_signal(signal.SIGTERM)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertGreaterEqual(len(answer.read()), 4 * size * size)
        self.assertEqual(server.process.wait(30), 0)

    def test_sigint_too(self):
        server = Server([self.model])
        server.process.send_signal(signal.SIGINT)
        self.assertEqual(server.process.wait(20), 0)


if __name__ == "__main__":
    unittest.main()
