"""What the nets of both frameworks share: the writers of the differential tests, which this makes
importable, and MobileNet's layers."""

import os
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
for format_name in ("tflite", "caffe"):
    sys.path.insert(0, os.path.join(ROOT, "tests", "oracles", format_name))

# Output channels and stride of MobileNet's pairs of layers.
MOBILENET_V1 = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [
    (1024, 2), (1024, 1)]
