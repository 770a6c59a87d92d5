"""Reports of `supernova conformance` that are sent in: what tools/support_tables takes, and what it says of others."""

import contextlib
import copy
import datetime
import importlib.machinery
import importlib.util
import io
import json
import os
import subprocess
import sys
import unittest

from test_cli import Folder, supernova

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
TOOL = os.path.join(ROOT, "tools/support_tables")
GOOD = os.path.join(ROOT, "docs/support/reports/onnxruntime-vulkan-llvmpipe.json")


def load_tool():
    loader = importlib.machinery.SourceFileLoader("support_tables", TOOL)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("support_tables", loader))
    loader.exec_module(module)
    return module


tool = load_tool()


class Reports(Folder):
    def setUp(self):
        super().setUp()
        with open(GOOD, encoding="utf-8") as file:
            self.good = json.load(file)

    def said_of(self, content):
        path = self.path("report.json")
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else json.dumps(content).encode())
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = tool.main(["--report", path])
        return code, said.getvalue()

    def assert_refused(self, content, *words):
        code, said = self.said_of(content)
        self.assertEqual(code, 1, said)
        for word in words:
            self.assertIn(word, said)

    def changed(self, change):
        report = copy.deepcopy(self.good)
        change(report)
        return report

    def test_a_good_one(self):
        code, said = self.said_of(self.good)
        self.assertEqual(code, 0, said)
        self.assertIn("onnxruntime", said)
        self.assertIn("llvmpipe", said)

    def test_damaged_files(self):
        whole = json.dumps(self.good).encode()
        self.assert_refused(b"", "damaged, or no JSON")
        self.assert_refused(whole[:len(whole) // 2], "damaged, or no JSON")
        self.assert_refused(b"\xff\xfe{}", "UTF-8")
        self.assert_refused(b"[" * 100000, "damaged, or no JSON")
        self.assert_refused([1, 2], "no JSON object")
        self.assert_refused({}, "'program_version' is missing")
        result = subprocess.run([sys.executable, "-B", TOOL, "--report", "/nowhere.json"], capture_output=True,
                                text=True, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nowhere.json: No such file", result.stdout)

    def test_every_field_that_is_missing_or_of_another_type_is_named(self):
        for name in ("program_version", "date", "engine", "engine_version", "isolation", "processor", "options",
                     "device", "counts", "cases"):
            self.assert_refused(self.changed(lambda report, name=name: report.pop(name)), f"'{name}")
            self.assert_refused(self.changed(lambda report, name=name: report.update({name: 7})), f"'{name}")
        for name in ("id", "kind", "model", "driver", "driver_version", "emulated"):
            self.assert_refused(self.changed(lambda report, name=name: report["device"].pop(name)),
                                f"'device.{name}' is missing")

    def test_forged_ones(self):
        def pass_all(report):
            for case in report["cases"]:
                case["outcome"] = "passed"
        self.assert_refused(self.changed(pass_all), "'counts' says 99 passed, the cases 148")
        self.assert_refused(self.changed(lambda r: r["counts"].update(passed=148)), "'counts' says 148 passed")
        self.assert_refused(self.changed(lambda r: r["device"].update(emulated=False)), "is software")
        self.assert_refused(self.changed(lambda r: r["device"].update(kind="nvidia")), "none of the kind 'nvidia'")
        self.assert_refused(self.changed(lambda r: r["cases"].append(r["cases"][0])), "is there twice")
        self.assert_refused(self.changed(lambda r: r["cases"][0].update(outcome="won")), "ends with 'won'")
        self.assert_refused(self.changed(lambda r: r["cases"][0].update(difference=3)), "operators/Relu",
                            "difference of 3")
        self.assert_refused(self.changed(lambda r: r["cases"][0].update(difference=float("nan"))), "no number")
        self.assert_refused(self.changed(lambda r: r["cases"][0].pop("name")), "case 1 has no group, name")
        tomorrow = (datetime.date.today() + datetime.timedelta(days=9)).isoformat()
        self.assert_refused(self.changed(lambda r: r.update(date=tomorrow)), "yet to come")
        self.assert_refused(self.changed(lambda r: r.update(date="yesterday")), "no date")

    def test_old_new_and_partial_ones(self):
        self.assert_refused(self.changed(lambda r: r.update(format=99)), "newer version of this tool")
        self.assertEqual(self.said_of(self.changed(lambda r: r.update(format=0)))[0], 0)

        def keep_few(report):
            report["cases"] = report["cases"][:20]
            report["counts"] = {outcome: sum(case["outcome"] == outcome for case in report["cases"])
                                for outcome in tool.OUTCOMES}
        self.assert_refused(self.changed(keep_few), "lacks 128 cases", "run the whole suite")

    def test_what_the_program_writes_is_understood(self):
        path = self.path("written.json")
        result = supernova("conformance", "--engine", "onnxruntime", "--filter", "shapes/", "--output", path,
                           "--option", "ep_library=/opt/somebody/libep.so:/opt/other.so")
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("somebody", text)
        report = json.loads(text)
        self.assertEqual(report["options"]["ep_library"], "libep.so:other.so")
        self.assertEqual(report["filter"], "shapes/")
        self.assertTrue(report["architecture"] and report["kernel"])
        self.assert_refused(report, "some cases only (--filter 'shapes/')")
        report["filter"] = ""
        self.assert_refused(report, "lacks")
        tool.check_report(report)

    def test_which_route_a_report_is_of(self):
        def on(kind, **options):
            return {"engine": "onnxruntime", "device": {"kind": kind}, "options": options}
        for report, provider, expected in (
                (on("nvidia"), "CUDA", True), (on("nvidia"), "TensorRT", False),
                (on("nvidia", execution_provider="TensorrtExecutionProvider"), "TensorRT", True),
                (on("nvidia", execution_provider="tensorrt"), "CUDA", False),
                (on("amd"), "MIGraphX plug-in", True),
                (on("fpga", execution_provider="VitisAIExecutionProvider"), "Vitis AI plug-in", True),
                (on("cpu"), "CPU", True), (on("cpu", execution_provider="OpenVINO"), "CPU", False)):
            kind = report["device"]["kind"]
            self.assertEqual(tool.matches(report, "onnxruntime", kind, provider), expected, (report, provider))

    def test_text_of_a_report_stays_in_its_cell(self):
        self.assertEqual(tool.cell("a|b\n[c](d)<e>"), r"a\|b \[c\](d)\<e\>")


if __name__ == "__main__":
    unittest.main()
