"""supernova conformance: the suite's table, its report, and wrong use."""

import json
import os
import unittest
import unittest.mock

from test_cli import Folder, supernova

DO_NOTHING = os.environ.get("SUPERNOVA_DO_NOTHING", "")

SUITE = ("conformance", "--engine", "onnxruntime")


class Conformance(Folder):
    def test_the_cpu_runtime(self):
        report = self.path("report.json")
        result = supernova(*SUITE, "--filter", "operators/Conv", "--output", report)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("operators", result.stdout)
        with open(report, encoding="utf-8") as file:
            written = json.load(file)
        self.assertEqual(written["engine"], "onnxruntime")
        self.assertEqual(written["device"]["kind"], "cpu")
        self.assertEqual(written["counts"]["failed"], 0)
        self.assertEqual(written["counts"]["passed"], len(written["cases"]))
        self.assertGreater(len(written["cases"]), 4)

    def test_json(self):
        result = supernova(*SUITE, "--filter", "shapes/", "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual({case["outcome"] for case in json.loads(result.stdout)["cases"]},
                         {"passed"})

    def test_runs_that_are_cancelled(self):
        result = supernova(*SUITE, "--filter", "cancel/", "--json")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual([case["outcome"] for case in json.loads(result.stdout)["cases"]],
                         ["passed", "passed"])

    @unittest.skipUnless(os.path.exists(DO_NOTHING), "the engine library is not built")
    def test_an_engine_that_can_not_cancel_is_not_said_to(self):
        result = supernova("conformance", "--engine-library", DO_NOTHING, "--engine", "do_nothing",
                           "--json")
        self.assertEqual(result.returncode, 0, result.stdout)
        cases = [case for case in json.loads(result.stdout)["cases"] if case["group"] == "cancel"]
        self.assertEqual([case["outcome"] for case in cases], ["skipped", "skipped"])
        self.assertIn("not supported", cases[0]["detail"])

    def test_an_engine_whose_library_is_missing_does_not_pass(self):
        with unittest.mock.patch.dict(os.environ, {"SUPERNOVA_TFLITE_LIBRARY": "/nowhere.so"}):
            result = supernova("conformance", "--engine", "tflite", "--filter", "use/")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn("no case passed on the device itself; refused: ", result.stderr)
        self.assertIn("/nowhere.so", result.stdout)

    def test_wrong_use(self):
        self.assert_error(supernova("conformance"), "--engine")
        self.assert_error(supernova("conformance", "--engine", "none"), "no engine 'none'",
                          "onnxruntime")
        self.assert_error(supernova(*SUITE, "--filter", "no such case"), "no such case")
        self.assert_error(supernova(*SUITE, "--device", "nvidia:7"), "nvidia:7")
        self.assert_error(supernova(*SUITE, "--filter", "operators/Abs", "--output",
                                    self.path("no/folder.json")), "no/folder.json")
