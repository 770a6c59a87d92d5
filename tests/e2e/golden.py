#!/usr/bin/env python3
"""Golden outputs over every way in: the same bits from each, and the right numbers.

usage: golden.py [MODEL...]   (names under $SUPERNOVA_TEST_MODELS/onnx, default ../shared/models)

For each model the outputs of `supernova infer`, of REST with JSON, of REST with binary tensors and
of gRPC are compared bit by bit, and with the stored outputs of an independent implementation within
the tolerance of the model's meta.json. Run it through tests/e2e/run, which provides the clients.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import np_to_triton_dtype

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))
from server import BINARY, ROOT, Server  # noqa: E402

MODELS = os.path.join(
    os.environ.get("SUPERNOVA_TEST_MODELS", os.path.join(ROOT, "..", "shared", "models")), "onnx")


def load(path):
    """A tensor from .npy, or from .json where it holds strings."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    with open(path, encoding="utf-8") as file:
        text = json.load(file)
    return np.array([s.encode() for s in text["data"]], dtype=object).reshape(text["shape"])


def infer_offline(folder, meta):
    """The outputs of `supernova infer`, by public name."""
    with tempfile.TemporaryDirectory() as out:
        command = [BINARY, "infer", folder, "--output-dir", out]
        for i in meta["inputs"]:
            command += ["--input", f"{i['tensor']}={os.path.join(folder, i['file'])}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"supernova infer: exit {done.returncode}: {done.stderr.strip()}")
        return {os.path.splitext(f)[0]: load(os.path.join(out, f)) for f in os.listdir(out)}


def infer_remote(client, module, name, inputs, **output_options):
    tensors = []
    for tensor, array in inputs.items():
        wanted = module.InferInput(tensor, list(array.shape), np_to_triton_dtype(array.dtype))
        if module is tritonclient.http:
            wanted.set_data_from_numpy(array, binary_data=output_options["binary_data"])
        else:
            wanted.set_data_from_numpy(array)
        tensors.append(wanted)
    outputs = [o["name"] for o in client.get_model_metadata(name, **(
        {"as_json": True} if module is tritonclient.grpc else {}))["outputs"]]
    result = client.infer(name, tensors, outputs=[
        module.InferRequestedOutput(o, **output_options) for o in outputs])
    return {re.sub(r"[^A-Za-z0-9._-]", "_", o): result.as_numpy(o) for o in outputs}


def difference(got, expected):
    """Why two tensors are not the same bits, or None."""
    if got is None:
        return "missing"
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"{got.dtype}{list(got.shape)}, not {expected.dtype}{list(expected.shape)}"
    if expected.dtype == object:
        same = [v if isinstance(v, bytes) else v.encode() for v in got.ravel()] == list(
            expected.ravel())
    else:
        same = got.tobytes() == expected.tobytes()
    return None if same else "other bits"


def off_golden(got, expected, tolerance):
    """Why a tensor is not close enough to the stored one, or None."""
    known = {"rtol", "atol", "same_argmax", "exact_integers", "max_step"}
    if set(tolerance) - known:
        return f"this test does not know the tolerance {sorted(set(tolerance) - known)}"
    if got.shape != expected.shape:
        return f"shape {list(got.shape)}, not {list(expected.shape)}"
    if expected.dtype.kind in "iub":
        step = 0 if tolerance.get("exact_integers") else tolerance.get("max_step", 0)
        worst = np.abs(got.astype(np.int64) - expected.astype(np.int64)).max(initial=0)
        return None if worst <= step else f"integers differ by up to {worst}"
    if expected.dtype.kind in "SUO":
        strings = [v.decode() if isinstance(v, bytes) else str(v) for v in expected.ravel()]
        return None if [v.decode() for v in got.ravel()] == strings else "other strings"
    close = np.isclose(got, expected, rtol=tolerance.get("rtol", 0), atol=tolerance.get("atol", 0))
    if not close.all():
        return f"off by up to {np.abs(got - expected).max():.3g}"
    if tolerance.get("same_argmax") and got.argmax() != expected.argmax():
        return "another largest element"
    return None


def check(name, server):
    """Problems with one model, as lines."""
    folder = os.path.join(MODELS, name)
    with open(os.path.join(folder, "meta.json"), encoding="utf-8") as file:
        meta = json.load(file)
    inputs = {i["tensor"]: load(os.path.join(folder, i["file"])) for i in meta["inputs"]}
    offline = infer_offline(folder, meta)
    problems = []
    if not offline:
        problems.append("supernova infer wrote no output")
    by_position = sorted(offline)
    for position, output in enumerate(meta["outputs"]):
        expected = load(os.path.join(folder, output["file"]))
        key = re.sub(r"[^A-Za-z0-9._-]", "_", output["tensor"])
        if key not in offline and position < len(by_position):
            key = by_position[position]  # ZipMap's public name carries the inner tensor
        why = (off_golden(offline[key], expected, meta["tolerance"])
               if key in offline else f"not among {sorted(offline)}")
        if why:
            problems.append(f"golden: {output['tensor']}: {why}")
    rest = tritonclient.http.InferenceServerClient(server.http)
    rpc = tritonclient.grpc.InferenceServerClient(server.grpc)
    ways = {
        "REST JSON": lambda: infer_remote(rest, tritonclient.http, name, inputs, binary_data=False),
        "REST binary": lambda: infer_remote(rest, tritonclient.http, name, inputs,
                                            binary_data=True),
        "gRPC": lambda: infer_remote(rpc, tritonclient.grpc, name, inputs),
    }
    for way, call in ways.items():
        try:
            got = call()
        except Exception as error:  # pylint: disable=broad-except
            problems.append(f"{way}: {error}")
            continue
        if set(got) != set(offline):
            problems.append(f"{way}: outputs {sorted(got)}, not {sorted(offline)}")
        for key in set(got) & set(offline):
            why = difference(got[key], offline[key])
            if why:
                problems.append(f"{way}: {key}: {why}")
    rest.close()
    rpc.close()
    return problems


def report(name, server):
    """Prints what one model did; true where something is wrong."""
    try:
        problems = check(name, server)
    except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
        problems = [str(error)]
    print(f"{name}: {'FAILED' if problems else 'same bits over infer, JSON, binary, gRPC'}")
    for problem in problems:
        print(f"   {problem}")
    return bool(problems)


def main():
    if not os.path.isdir(MODELS):
        print(f"skipped: no models at {MODELS} (set SUPERNOVA_TEST_MODELS)", file=sys.stderr)
        return 77
    names = sys.argv[1:] or sorted(n for n in os.listdir(MODELS)
                                   if glob.glob(os.path.join(MODELS, n, "expected_*")))
    failed = 0
    try:
        with Server([os.path.join(MODELS, n) for n in names]) as server:
            for name in names:
                failed += report(name, server)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
