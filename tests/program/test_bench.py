"""`supernova bench`: against the real server over three protocols, in this process, wrong use."""

import json
import os
import socket
import tempfile
import unittest

import onnx_writer
from server import Server
from test_cli import Folder, npy, supernova

QUICK = ("--duration", "0.3", "--warmup", "0.1")


class BenchServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = os.path.join(cls.folder.name, "sums.onnx")
        with open(cls.model, "wb") as file:
            file.write(onnx_writer.sum_difference())
        cls.any_size = os.path.join(cls.folder.name, "any.onnx")
        with open(cls.any_size, "wb") as file:
            file.write(onnx_writer.identity("FP32", ["n", 2]))
        cls.server = Server([cls.model, cls.any_size])

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        cls.folder.cleanup()
        assert status == 0, "".join(cls.server.log[-20:])

    def url(self, model="sums", grpc=False):
        if grpc:
            return f"grpc://{self.server.grpc}/{model}"
        return f"http://{self.server.http}/v2/models/{model}"

    def bench(self, *arguments):
        result = supernova("bench", *arguments, *QUICK, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        return json.loads(result.stdout)

    def check_run(self, run):
        self.assertEqual(run["errors"], 0, run["error_messages"])
        self.assertGreater(run["requests"], 0)
        self.assertAlmostEqual(run["requests_per_second"], run["requests"] / run["seconds"], places=3)
        latency = [run["latency_us"][name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
        self.assertEqual(latency, sorted(latency))
        self.assertGreater(latency[0], 0)

    def test_three_protocols_and_a_sweep(self):
        for protocol, arguments in (("REST binary", [self.url()]),
                                    ("REST JSON", [self.url(), "--encoding", "json"]),
                                    ("gRPC", [self.url(grpc=True)])):
            with self.subTest(protocol):
                report = self.bench(*arguments, "--concurrency", "1,4", "--fill", "random",
                                    "--in-process", self.model)
                self.assertEqual(report["protocol"], protocol)
                self.assertEqual(report["model"], "sums")
                self.assertEqual(report["loop"], "closed")
                self.assertEqual([run["connections"] for run in report["runs"]], [1, 4])
                here = report["in_process"]
                self.check_run(here)
                for run in report["runs"]:
                    self.check_run(run)
                    self.assertAlmostEqual(
                        run["of_in_process"],
                        run["requests_per_second"] / here["requests_per_second"], places=6)

    def test_open_loop_makes_what_the_rate_says(self):
        for grpc in (False, True):
            report = self.bench(self.url(grpc=grpc), "--rate", "200", "--arrivals", "constant",
                                "--concurrency", "8", "--threads", "2")
            self.assertEqual((report["loop"], report["rate"]), ("open", 200))
            run, = report["runs"]
            self.check_run(run)
            self.assertAlmostEqual(run["requests"], 60, delta=2)
        run, = self.bench(self.url(), "--rate", "100")["runs"]
        self.assertEqual(run["connections"], 64)

    def test_shapes_and_files(self):
        report = self.bench(self.url("any"), "--shape", "INPUT0=1000,2")
        self.check_run(report["runs"][0])
        self.assertGreater(report["request_bytes"], 8000)
        path = os.path.join(self.folder.name, "x.npy")
        npy(path, "<f4", (3, 2), b"\0" * 24)
        report = self.bench(self.url("any"), "--input", "INPUT0=" + path)
        self.check_run(report["runs"][0])

    def test_errors_are_counted_and_shown(self):
        path = os.path.join(self.folder.name, "bad.npy")
        npy(path, "<f4", (3, 3), b"\0" * 36)
        for grpc in (False, True):
            result = supernova("bench", self.url("any", grpc), "--input", path, *QUICK)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"^error: no request of \d+ on 1 connections succeeded: ")
            self.assertIn("unexpected shape for input 'INPUT0'", result.stderr)

    def test_unknown_models(self):
        for url in (self.url("nobody"), self.url("nobody", grpc=True)):
            result = supernova("bench", url, *QUICK)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"^error: (http|grpc)://.*nobody")

    def test_table(self):
        result = supernova("bench", self.url(), "--in-process", self.model, *QUICK)
        self.assertEqual(result.returncode, 0, result.stderr)
        for text in ("requests/s", "p99.9 µs", "client CPU", "ratio: to", "closed loop"):
            self.assertIn(text, result.stdout)


class BenchAlone(Folder):
    def test_in_process(self):
        model = self.write("m.onnx", onnx_writer.sum_difference())
        for extra in ([], ["--rate", "300"]):
            result = supernova("bench", model, "--concurrency", "1,2", *QUICK, *extra, "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            report = json.loads(result.stdout)
            self.assertEqual(report["protocol"], "in-process")
            self.assertEqual(report["place"], "onnxruntime on cpu")
            self.assertEqual(len(report["runs"]), 2)
            self.assertGreater(report["runs"][1]["requests"], 0)

    def test_it_is_placed_as_a_server_places_it(self):
        model = self.write("m.onnx", onnx_writer.sum_difference())
        self.assert_error(supernova("bench", model, "--device", "vulkan:99"), "no device 'vulkan:99'")
        self.assert_error(supernova("bench", model, "--option", "strict_device=yes"),
                          "strict_device is 'yes'")
        result = supernova("bench", model, "--engine-isolation", "worker", *QUICK, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.assert_error(supernova("bench", f"http://127.0.0.1:{port}/v2/models/m"),
                          f"can't connect to http://127.0.0.1:{port}", "is the server running")
        self.assert_error(supernova("bench", f"grpc://127.0.0.1:{port}/m"), f"127.0.0.1:{port}")

    def test_wrong_targets(self):
        model = self.write("m.onnx", onnx_writer.sum_difference())
        for arguments, text in (
                (["https://127.0.0.1/"], "https is not supported"),
                (["ftp://127.0.0.1/"], "unknown scheme"),
                (["http://127.0.0.1:0/"], "no such port"),
                (["grpc://127.0.0.1:1"], "names no model"),
                ([self.path("none.onnx")], "none.onnx"),
                ([model, "--shape", "X=1"], "no such input"),
                ([model, "--shape", "INPUT0=2,x"], "'x' is no size"),
                ([model, "--shape", "INPUT0=2,4"], "[2,3]"),
                ([model, "--in-process", model], "not a URL"),
                (["http://127.0.0.1:1/", "--header", "x"], "NAME: VALUE")):
            with self.subTest(arguments):
                self.assert_error(supernova("bench", *arguments, *QUICK), text)
        for arguments in ([], [model, "--concurrency", "0"], [model, "--rate", "x"],
                          [model, "--encoding", "xml"]):
            self.assert_error(supernova("bench", *arguments), code=2)


if __name__ == "__main__":
    unittest.main()
