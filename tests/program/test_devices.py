"""`supernova devices` on recorded system trees (trees/*.tree) and on this machine, and GET /v2/devices."""

import glob
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import onnx_writer
import workers
from server import BINARY, Server

TREES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trees")
MEMBERS = ["id", "kind", "ordinal", "model", "state", "engine", "missing", "health", "address", "same_as",
           "emulated", "uuid", "vendor_id", "product_id", "driver", "driver_version", "nodes", "memory_bytes",
           "memory_free_bytes", "cores", "cores_usable", "features", "numa_nodes", "numa_node"]


def unpack(tree, root):
    """The format is that of tests/support/recorded_tree.h."""
    escapes = {"n": "\n", "t": "\t", "0": "\0"}
    with open(os.path.join(TREES, tree), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if not line or line.startswith("#"):
                continue
            name, arrow, target = line.partition(" -> ")
            name, equals, text = name.partition(" = ")
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if arrow:
                os.symlink(target, path)
                continue
            pieces = text.split("\\")
            content = pieces[0] + "".join(escapes[piece[0]] + piece[1:] for piece in pieces[1:])
            with open(path, "w", encoding="utf-8") as out:
                out.write(content + "\n" if equals else "")


def run(*arguments):
    return subprocess.run([BINARY, "devices", *arguments], capture_output=True, text=True, timeout=120, check=True)


class RecordedTrees(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def devices(self, tree=None):
        if tree:
            unpack(tree, self.root)
        found = json.loads(run("--json", "--sysroot", self.root).stdout)["devices"]
        for device in found:
            self.assertEqual(list(device), MEMBERS)
        return {device["id"]: device for device in found}

    def test_a_gpu_server(self):
        found = self.devices("gpu_server.tree")
        self.assertEqual(list(found), ["cpu", "nvidia:0", "nvidia:1", "vulkan:0"])
        gpu = found["nvidia:1"]
        self.assertEqual(gpu["address"], "pci:0000:ca:00.0")
        self.assertEqual(gpu["uuid"], "GPU-0e4f7a2b-8c9d-4e1f-a2b3-c4d5e6f70819")
        self.assertEqual((gpu["vendor_id"], gpu["product_id"]), ("10de", "20b5"))
        self.assertEqual((gpu["driver"], gpu["driver_version"]), ("nvidia", "535.129.03"))
        self.assertEqual((gpu["state"], gpu["engine"], gpu["missing"]), ("usable", "onnxruntime", None))
        self.assertIn("older than 580, which CUDA 13 needs", gpu["health"])
        self.assertEqual(gpu["numa_node"], 1)
        self.assertEqual(gpu["nodes"], ["/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/dri/renderD129"])
        self.assertEqual(found["cpu"]["numa_nodes"], 2)
        text = run("--sysroot", self.root).stdout
        self.assertIn("nvidia:1  NVIDIA A100 80GB PCIe\n", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_a_jetson(self):
        gpu = self.devices("jetson.tree")["nvidia:0"]
        self.assertIn("/dev/nvmap (missing) /dev/nvgpu/igpu0/ctrl /dev/nvhost", run("--sysroot", self.root).stdout)
        self.assertEqual(gpu["model"], "NVIDIA Jetson AGX Orin Developer Kit")
        self.assertEqual(gpu["features"], ["dla0", "dla1", "tegra234"])
        self.assertEqual(gpu["state"], "unusable")
        self.assertEqual(gpu["missing"], "/dev/nvmap is not in this container: start it with --runtime nvidia "
                                         "(NVIDIA Container Toolkit)")

    def test_an_edge_box_and_a_stick_that_is_moved(self):
        found = self.devices("edge_box.tree")
        self.assertEqual(list(found), ["cpu", "intel-gpu:0", "edgetpu:0", "vpu:0"])
        self.assertEqual(found["intel-gpu:0"]["model"], "Alder Lake-N [UHD Graphics]")
        self.assertIn("apt install intel-opencl-icd", found["intel-gpu:0"]["missing"])
        self.assertEqual(found["edgetpu:0"]["engine"], "tflite")
        self.assertEqual(found["edgetpu:0"]["address"], "usb:2-1")
        self.assertIn("OpenVINO 2022.3 was the last", found["vpu:0"]["missing"])
        # Unplugged; then back in another port, with its firmware.
        stick = os.path.join(self.root, "sys/bus/usb/devices/2-1")
        away = os.path.join(self.root, "away")
        os.rename(stick, away)
        self.assertNotIn("edgetpu:0", self.devices())
        os.rename(away, os.path.join(self.root, "sys/bus/usb/devices/2-3"))
        for name, text in (("idVendor", "18d1"), ("idProduct", "9302"), ("devnum", "9")):
            with open(os.path.join(self.root, "sys/bus/usb/devices/2-3", name), "w", encoding="utf-8") as file:
                file.write(text + "\n")
        moved = self.devices()["edgetpu:0"]
        self.assertEqual(moved["address"], "usb:2-3")
        self.assertEqual(moved["nodes"], ["/dev/bus/usb/002/009"])

    def test_a_tree_without_rights_is_not_an_empty_one(self):
        os.chmod(self.root, 0)
        self.addCleanup(os.chmod, self.root, 0o700)
        # Root may read everything.
        nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        if nobody and subprocess.run([*nobody, BINARY, "--version"], capture_output=True, check=False).returncode != 0:
            self.skipTest("the program can't be run as nobody here")
        result = subprocess.run([*nobody, BINARY, "devices", "--sysroot", self.root], capture_output=True,
                                text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("can't be read: Permission denied", result.stderr)

    def test_an_empty_tree_says_so(self):
        result = run("--json", "--sysroot", self.root)
        self.assertEqual(json.loads(result.stdout), {"devices": []})
        self.assertIn("no device found: '%s' has no proc/cpuinfo" % self.root, result.stderr)

    def test_every_tree_is_readable_text(self):
        for path in glob.glob(os.path.join(TREES, "*.tree")):
            with tempfile.TemporaryDirectory() as root:
                unpack(path, root)
                self.assertIn("cpu  ", run("--sysroot", root).stdout)


class ThisMachine(unittest.TestCase):
    def test_libraries_of_engines_that_are_none_or_crash(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "text.so"), "w", encoding="utf-8") as file:
                file.write("no library")
            crashes = workers.engine("faulty_constructor")
            for library, says in (("text.so", "file too short"), ("v=text.so", "file too short"),
                                  ("v=", "names no file"), ("", "names no file"),
                                  ("nowhere.so", "No such file"), (crashes, "SIGABRT")):
                if library == crashes and not os.path.exists(crashes):
                    continue
                result = subprocess.run([BINARY, "devices", "--engine-library", library], cwd=folder,
                                        capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn(says, result.stderr)

    def test_the_server_tells_what_the_command_tells(self):
        with tempfile.TemporaryDirectory() as folder:
            model = os.path.join(folder, "sums.onnx")
            with open(model, "wb") as file:
                file.write(onnx_writer.sum_difference())
            with Server([model]) as server:
                for headers in ({}, {"Cache-Control": "no-cache"}):
                    connection = http.client.HTTPConnection(server.http, timeout=30)
                    connection.request("GET", "/v2/devices", headers=headers)
                    reply = connection.getresponse()
                    self.assertEqual(reply.status, 200)
                    told = json.loads(reply.read())["devices"]
                    connection.close()
                    self.assertEqual(told[0]["state"], "usable")
                    self.assertEqual([d["id"] for d in told],
                                     [d["id"] for d in json.loads(run("--json").stdout)["devices"]])

    def test_the_hidden_command_answers_without_a_library(self):
        result = subprocess.run([BINARY, "ask-library", "no-such-probe"], capture_output=True, timeout=60,
                                check=False)
        self.assertEqual((result.returncode, result.stdout), (2, b""))


if __name__ == "__main__":
    unittest.main()
