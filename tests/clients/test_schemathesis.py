"""Requests made from the OpenAPI document: every answer must be one that the document declares."""

import os
import subprocess
import sys
import tempfile
import unittest

from harness import ServedModels


class OpenApi(unittest.TestCase):
    def test_answers_keep_the_document(self):
        served = ServedModels.acquire()
        self.addCleanup(ServedModels.release)
        folder = tempfile.TemporaryDirectory(prefix="supernova-openapi-")  # it keeps notes
        self.addCleanup(folder.cleanup)
        program = os.path.join(os.path.dirname(sys.executable), "schemathesis")
        result = subprocess.run(
            [program, "--no-color", "run", f"http://{served.server.http}/openapi.json",
             "--max-examples", "20", "--seed", "1", "--workers", "1", "--request-timeout", "20",
             # 501 and 503 are answers of this protocol; what the model refuses is not bad data.
             "--checks", "all", "--exclude-checks", "not_a_server_error,positive_data_acceptance"],
            text=True, capture_output=True, timeout=500, check=False, cwd=folder.name)
        self.assertEqual(result.returncode, 0, result.stdout[-8000:] + result.stderr[-2000:])
        self.assertRegex(result.stdout, r"\d+ generated, \d+ passed")


if __name__ == "__main__":
    unittest.main()
