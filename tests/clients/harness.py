"""What the client tests share: models, one server for all of them, sample data."""

import json
import os
import tempfile
import unittest
import urllib.request

import ml_dtypes
import numpy as np

import onnx_writer
from server import Server

DTYPES = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32,
    "UINT64": np.uint64, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "BF16": ml_dtypes.bfloat16,
    "BYTES": np.object_,
}
NO_JSON = ("FP16", "BF16")  # datatypes that travel as bytes only


def identity_name(datatype):
    return "identity_" + datatype.lower()


def sample(datatype):
    """A [2, 4] tensor with the edges of the datatype in it."""
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        values = [b"", b"a", "gr\u00fc\u00dfe \u4e16\u754c".encode(), b'"quoted"\n\\',
                  b"nul\0inside", b"x" * 300, b"\x7f", b" tab\t"]
    elif datatype == "BOOL":
        values = [True, False, False, True, True, True, False, False]
    elif np.issubdtype(dtype, np.integer):
        info = np.iinfo(dtype)
        values = [info.min, info.max, 0, 1, 2, info.max - 1, info.min + 1, 100]
    else:
        info = ml_dtypes.finfo(dtype)
        values = [0.0, -0.0, info.max, info.min, info.tiny, info.smallest_subnormal, 0.1, -1 / 3]
    return np.array(values, dtype=dtype).reshape(2, 4)


def to_bytes(array):
    """The tensor as it travels: little-endian, BYTES with 32-bit lengths."""
    if array.dtype == np.object_:
        return b"".join(len(v).to_bytes(4, "little") + v for v in array.ravel())
    return array.tobytes()


def same(case, got, expected):
    """Equal to the last bit, in shape and datatype too."""
    case.assertIsNotNone(got, "the output is missing")
    case.assertEqual(got.shape, expected.shape)
    case.assertEqual(got.dtype, expected.dtype)
    if expected.dtype == np.object_:
        as_bytes = [v.encode() if isinstance(v, str) else bytes(v) for v in got.ravel()]
        case.assertEqual(as_bytes, list(expected.ravel()))
    else:
        case.assertEqual(got.tobytes(), expected.tobytes(), f"{got} != {expected}")


def http_json(address, path):
    """The JSON reply to a plain GET."""
    with urllib.request.urlopen(f"http://{address}{path}", timeout=30) as reply:
        return json.load(reply)


class ServedModels:
    """Every test model behind one server; started on first use, stopped by the last test module."""

    _shared = None
    _users = 0

    @classmethod
    def acquire(cls):
        if cls._shared is None:
            cls._shared = cls()
        cls._users += 1
        return cls._shared

    @classmethod
    def release(cls):
        cls._users -= 1
        if cls._users == 0:
            shared, cls._shared = cls._shared, None
            shared.close()

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="supernova-clients-")
        models = {identity_name(d): onnx_writer.identity(d) for d in DTYPES}
        models["sum_difference"] = onnx_writer.sum_difference()
        models["spaced name"] = onnx_writer.sum_difference()
        paths = []
        for name, data in models.items():
            path = os.path.join(self._folder.name, name + ".onnx")
            with open(path, "wb") as file:
                file.write(data)
            paths.append(path)
        self.names = list(models)
        self.server = Server(paths)

    def close(self):
        status = self.server.stop()
        self._folder.cleanup()
        if status != 0:
            raise AssertionError(f"the server ended with status {status}")


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = ServedModels.acquire()
        cls.addClassCleanup(ServedModels.release)


# Requests that must be refused, the same over both protocols:
# name -> (model, [(input name, datatype, array)], pattern of the message).
_SIX = np.arange(6, dtype=np.float32).reshape(2, 3)
REFUSED = {
    "wrong shape": ("sum_difference",
                    [("INPUT0", "FP32", _SIX), ("INPUT1", "FP32", _SIX.reshape(3, 2))],
                    r"unexpected shape for input 'INPUT1' for model 'sum_difference'\. "
                    r"Expected \[2, ?3\], got \[3, ?2\]"),
    "wrong rank": ("sum_difference",
                   [("INPUT0", "FP32", _SIX), ("INPUT1", "FP32", _SIX.reshape(6))],
                   r"unexpected shape for input 'INPUT1' for model 'sum_difference'"),
    "wrong datatype": ("sum_difference",
                       [("INPUT0", "INT32", _SIX.astype(np.int32)), ("INPUT1", "FP32", _SIX)],
                       r"inference input 'INPUT0' data-type is 'INT32', "
                       r"but model 'sum_difference' expects 'FP32'"),
    "missing input": ("sum_difference", [("INPUT1", "FP32", _SIX)],
                      r"expected 2 inputs but got 1 inputs for model 'sum_difference'\. "
                      r"Got input\(s\) \['INPUT1'\], "
                      r"but missing required input\(s\) \['INPUT0'\]"),
    "extra input": ("sum_difference",
                    [("INPUT0", "FP32", _SIX), ("INPUT1", "FP32", _SIX), ("OTHER", "FP32", _SIX)],
                    r"unexpected inference input 'OTHER' for model 'sum_difference'"
                    r"|expected 2 inputs but got 3 inputs for model 'sum_difference'"),
    "other name": ("sum_difference",
                   [("INPUT0", "FP32", _SIX), ("OTHER", "FP32", _SIX)],
                   r"unexpected inference input 'OTHER' for model 'sum_difference'"
                   r"|missing required input\(s\) \['INPUT1'\]"),
    "input twice": ("sum_difference",
                    [("INPUT0", "FP32", _SIX), ("INPUT0", "FP32", _SIX)], r"INPUT0"),
}
