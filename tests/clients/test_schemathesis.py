"""Requests made from the OpenAPI document: every answer must be one that the document declares."""

import os
import subprocess
import sys
import unittest

from harness import ServedModels


class OpenApi(unittest.TestCase):
    def test_answers_keep_the_document(self):
        served = ServedModels.acquire()
        self.addCleanup(ServedModels.release)
        program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
        result = subprocess.run(
            [program, "--no-color", "run", f"http://{served.server.http}/openapi.json",
             "--max-examples", "25", "--seed", "1", "--workers", "1", "--request-timeout", "20",
             "--checks", "not_a_server_error,status_code_conformance,content_type_conformance,"
             "response_schema_conformance,response_headers_conformance"],
            text=True, capture_output=True, timeout=500, check=False)
        self.assertEqual(result.returncode, 0, result.stdout[-8000:] + result.stderr[-2000:])
        self.assertRegex(result.stdout, r"\d+ passed|generated")


if __name__ == "__main__":
    unittest.main()
