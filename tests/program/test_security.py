"""TLS, mutual TLS, identity and rights from outside, with Python's own library and openssl."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import onnx_writer
from server import BINARY, Server

OPENSSL = shutil.which("openssl")


def openssl(*arguments):
    subprocess.run([OPENSSL, *arguments], check=True, capture_output=True, timeout=60)


@unittest.skipUnless(OPENSSL, "these tests make certificates with the openssl program")
class SecurityCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="supernova-security-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.models = []
        for name in ("open", "secret"):
            path = cls.path(name + ".onnx")
            with open(path, "wb") as file:
                file.write(onnx_writer.sum_difference())
            cls.models.append(path)
        cls.certificate("ca", None)
        cls.certificate("server", "ca", names="DNS:localhost,IP:127.0.0.1")
        cls.certificate("client", "ca", names="DNS:camera-7")
        cls.certificate("stranger", None)
        cls.tls = ["--tls-certificate", cls.path("server.pem"), "--tls-key", cls.path("server.key")]

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def certificate(cls, name, signer, names=None, days="2"):
        """NAME.pem and NAME.key; self-signed without a signer."""
        command = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-days",
                   days, "-keyout", cls.path(name + ".key"), "-out", cls.path(name + ".pem")]
        if signer:
            command += ["-CA", cls.path(signer + ".pem"), "-CAkey", cls.path(signer + ".key"),
                        "-addext", "basicConstraints=critical,CA:FALSE"]
        if names:
            command += ["-addext", "subjectAltName=" + names]
        openssl(*command)

    def serve(self, *flags):
        server = Server(self.models, flags)
        self.addCleanup(server.stop)
        return server

    def context(self, client=None):
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        if client:
            context.load_cert_chain(self.path(client + ".pem"), self.path(client + ".key"))
        return context

    def ask(self, server, method, path, body=None, headers=None, context=None):
        host, port = server.http.rsplit(":", 1)
        connection = (http.client.HTTPSConnection(host, int(port), context=context, timeout=30)
                      if context else http.client.HTTPConnection(host, int(port), timeout=30))
        try:
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read(), dict(reply.headers)
        finally:
            connection.close()


class Tls(SecurityCase):
    def test_https_and_what_is_not(self):
        server = self.serve(*self.tls)
        self.assertEqual(self.ask(server, "GET", "/v2", context=self.context())[0], 200)
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.ask(server, "GET", "/v2", context=ssl.create_default_context())
        # Plain text on the port neither hangs nor is served.
        try:
            status = self.ask(server, "GET", "/v2")[0]
        except (http.client.HTTPException, ConnectionError):
            status = 400
        self.assertEqual(status, 400)

    def test_mutual_tls(self):
        server = self.serve(*self.tls, "--tls-client-ca", self.path("ca.pem"))
        self.assertEqual(self.ask(server, "GET", "/v2", context=self.context("client"))[0], 200)
        for client in (None, "stranger"):
            with self.subTest(client=client), self.assertRaises((ssl.SSLError, OSError)):
                self.ask(server, "GET", "/v2", context=self.context(client))

    def test_a_new_certificate_is_taken_without_a_restart(self):
        for suffix in (".pem", ".key"):
            shutil.copy(self.path("server" + suffix), self.path("rolling" + suffix))
        server = self.serve("--tls-certificate", self.path("rolling.pem"), "--tls-key",
                            self.path("rolling.key"))
        def serial():
            host, port = server.http.rsplit(":", 1)
            with socket.create_connection((host, int(port)), timeout=30) as plain:
                with self.context().wrap_socket(plain, server_hostname="localhost") as secure:
                    return secure.getpeercert()["serialNumber"]
        before = serial()
        self.certificate("next", "ca", names="DNS:localhost,IP:127.0.0.1")
        for suffix in (".key", ".pem"):
            os.replace(self.path("next" + suffix), self.path("rolling" + suffix))
        end = time.monotonic() + 20
        while serial() == before:
            self.assertLess(time.monotonic(), end, "the old certificate is still served")
            time.sleep(0.1)
        # One that is broken leaves the good one in place.
        with open(self.path("rolling.pem"), "w", encoding="ascii") as file:
            file.write("not a certificate")
        time.sleep(1.5)
        self.assertNotEqual(serial(), before)

    def test_files_that_are_of_no_use_are_named(self):
        cases = {
            "missing": (self.path("none.pem"), self.path("server.key"), "none.pem"),
            "not PEM": (self.models[0], self.path("server.key"), "open.onnx"),
            "other key": (self.path("server.pem"), self.path("client.key"), "client.key"),
        }
        for name, (certificate, key, named) in cases.items():
            with self.subTest(name):
                result = subprocess.run(
                    [BINARY, "serve", self.models[0], "--http-port", "0", "--grpc-port", "0",
                     "--metrics-port", "0", "--tls-certificate", certificate, "--tls-key", key],
                    capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(result.returncode, 1)
                last = result.stderr.strip().splitlines()[-1]
                self.assertTrue(last.startswith("error: "), last)
                self.assertIn(named, last)

    def test_a_public_address_needs_protection(self):
        def run(*flags):
            return subprocess.run(
                [BINARY, "serve", self.models[0], "--host", "0.0.0.0", "--http-port", "0",
                 "--grpc-port", "0", "--metrics-port", "0", *flags], capture_output=True, text=True,
                timeout=60, check=False)
        for flags in ((), self.tls):
            result = run(*flags)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("--allow-insecure", result.stderr)
            self.assertIn("--access-file", result.stderr)
        server = self.serve("--host", "0.0.0.0", "--allow-insecure")
        self.assertEqual(self.ask(server, "GET", "/v2")[0], 200)


def digest(secret):
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()


class Identity(SecurityCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.access = cls.path("access.json")
        cls.write_access()

    @classmethod
    def write_access(cls, extra_token=None):
        tokens = [{"hash": digest("good")},
                  {"hash": digest("old"), "expires": "2020-01-01T00:00:00Z"}]
        if extra_token:
            tokens.append({"hash": digest(extra_token)})
        document = {"principals": [
            {"name": "reader", "tokens": tokens, "api_keys": [{"hash": digest("key")}],
             "grants": [{"apis": ["inference", "metadata", "statistics", "model-repository"],
                         "models": ["open"]}]},
            {"name": "camera", "certificates": ["camera-7"],
             "grants": [{"apis": ["*"], "models": ["*"]}]}]}
        with open(cls.access + ".new", "w", encoding="utf-8") as file:
            json.dump(document, file)
        os.replace(cls.access + ".new", cls.access)

    def body(self):
        return json.dumps({"inputs": [
            {"name": n, "datatype": "FP32", "shape": [2, 3], "data": [1] * 6}
            for n in ("INPUT0", "INPUT1")]})

    def test_rights_on_each_api(self):
        server = self.serve("--access-file", self.access)
        bearer = {"Authorization": "Bearer good"}
        cases = [
            ("GET", "/v2/health/live", {}, 200), ("GET", "/v2/health/ready", {}, 200),
            ("GET", "/v2", {}, 401), ("GET", "/v2/models/open", {}, 401),
            ("GET", "/v2/models/open", bearer, 200), ("GET", "/v2/models/secret", bearer, 403),
            ("GET", "/v2/models/open/config", bearer, 403),
            ("GET", "/v2/models/open/stats", bearer, 200),
            ("GET", "/v2/models/secret/stats", bearer, 403),
            ("GET", "/v2/logging", bearer, 403), ("GET", "/v2/trace/setting", bearer, 403),
            ("GET", "/v2/systemsharedmemory/status", bearer, 403),
            ("POST", "/v2/models/open/infer", bearer, 200),
            ("POST", "/v2/models/secret/infer", bearer, 403),
            ("POST", "/v2/models/nothing/infer", bearer, 403),
            ("POST", "/v2/models/open/infer", {"X-API-Key": "key"}, 200),
            ("POST", "/v2/models/open/infer", {"X-API-Key": "good"}, 401),
            ("POST", "/v2/models/open/infer", {"Authorization": "Bearer old"}, 401),
            ("POST", "/v2/models/open/infer", {"Authorization": "Bearer wrong"}, 401),
            ("POST", "/v2/models/open/infer", {"Authorization": "Basic Z29vZDo="}, 401),
            ("POST", "/v1/models/secret:predict", bearer, 403),
            ("POST", "/v2/repository/models/secret/unload", bearer, 403),
        ]
        for method, path, headers, expected in cases:
            with self.subTest(f"{method} {path} {headers}"):
                body = self.body() if path.endswith(("infer", "predict")) else None
                status, content, reply = self.ask(server, method, path, body, headers)
                self.assertEqual(status, expected, content)
                if expected == 401:
                    self.assertIn("Bearer", reply.get("WWW-Authenticate", ""))
        _, content, _ = self.ask(server, "POST", "/v2/repository/index", "{}", bearer)
        self.assertEqual([entry["name"] for entry in json.loads(content)], ["open"])
        # The metrics port asks too.
        connection = http.client.HTTPConnection(server.metrics, timeout=30)
        connection.request("GET", "/metrics")
        self.assertEqual(connection.getresponse().status, 401)

    def test_the_file_is_read_again(self):
        server = self.serve("--access-file", self.access)
        bearer = {"Authorization": "Bearer later"}
        self.assertEqual(self.ask(server, "GET", "/v2/models/open", None, bearer)[0], 401)
        self.write_access("later")
        end = time.monotonic() + 20
        while self.ask(server, "GET", "/v2/models/open", None, bearer)[0] != 200:
            self.assertLess(time.monotonic(), end, "the new token is not known")
            time.sleep(0.1)

    def test_a_certificate_names_its_holder(self):
        server = self.serve(*self.tls, "--tls-client-ca", self.path("ca.pem"), "--access-file",
                            self.access)
        status, content, _ = self.ask(server, "POST", "/v2/models/secret/infer", self.body(),
                                      context=self.context("client"))
        self.assertEqual(status, 200, content)

    def test_restricted_apis(self):
        server = self.serve("--http-restricted-api", "model-repository,logging:admin-key=let-me-in")
        for path, method in (("/v2/logging", "GET"), ("/v2/repository/index", "POST")):
            status, content, _ = self.ask(server, method, path)
            self.assertEqual(status, 403)
            self.assertEqual(json.loads(content)["error"],
                             "This API is restricted, expecting header 'admin-key'")
            self.assertEqual(self.ask(server, method, path, None, {"Admin-Key": "wrong"})[0], 403)
            self.assertEqual(self.ask(server, method, path, None, {"Admin-Key": "let-me-in"})[0],
                             200)
        self.assertEqual(self.ask(server, "GET", "/v2/models/open")[0], 200)

    def test_broken_flags_are_refused(self):
        with open(self.path("broken.json"), "w", encoding="utf-8") as file:
            file.write('{"principals": [{"name": 1}]}')
        for flags, named in ((("--access-file", self.path("broken.json")), "broken.json"),
                             (("--access-file", self.path("none.json")), "none.json"),
                             (("--http-restricted-api", "everything:a=b"), "everything"),
                             (("--http-header-forward-pattern", "(("), "forward-pattern"),
                             (("--tls-certificate", self.path("server.pem")), "--tls-key"),
                             (("--grpc-use-ssl",), "--grpc-server-cert")):
            with self.subTest(flags=flags):
                result = subprocess.run(
                    [BINARY, "serve", self.models[0], "--http-port", "0", "--grpc-port", "0",
                     "--metrics-port", "0", *flags], capture_output=True, text=True, timeout=60,
                    check=False)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(named, result.stderr.strip().splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
