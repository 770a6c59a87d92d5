#!/usr/bin/env python3
"""Models that others wrote, through `supernova infer`, against the outputs of an independent runtime.

usage: golden.py FORMAT [MODEL...] [--engine NAME]

The models are $SUPERNOVA_TEST_MODELS/FORMAT/MODEL (default ../shared/models), each with a meta.json
that says its inputs, outputs, options and tolerance. A model without stored outputs must run or be
refused in one line. Exit 77, after one line, where there are no models.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BINARY = os.environ.get("SUPERNOVA", os.path.join(ROOT, "build", "release", "bin", "supernova"))
MODELS = os.environ.get("SUPERNOVA_TEST_MODELS", os.path.join(ROOT, "..", "shared", "models"))
KNOWN = {"rtol", "atol", "max_step", "same_argmax", "exact_integers", "rows", "min_iou_nonzero",
         "atol_of_range"}
# Steps by which an engine's own library differs from the runtime that made the golden outputs.
STEPS_OF_ENGINE = {("tflite", "mobilenet-v1-025-128-quant"): 5}  # TensorFlow Lite 2.9, run bare too


class NotInstalled(Exception):
    """The engine's library isn't there."""


def load(path):
    """A tensor from .npy, or from .json where it holds strings."""
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    with open(path, encoding="utf-8") as file:
        text = json.load(file)
    return np.array(text["data"]).reshape(text["shape"])


def off(got, expected, tolerance):
    """(why a tensor is not close enough or None, the largest difference)."""
    if set(tolerance) - KNOWN:
        return f"this test does not know the tolerance {sorted(set(tolerance) - KNOWN)}", None
    if got.shape != expected.shape:
        return f"shape {list(got.shape)}, not {list(expected.shape)}", None
    if expected.dtype.kind in "SUO":
        same = (got.astype(str) == expected.astype(str)).all()
        return (None if same else "other strings"), 0
    if "min_iou_nonzero" in tolerance:
        both = ((got == expected) & (expected != 0)).sum()
        either = ((got != 0) | (expected != 0)).sum()
        ratio = both / max(either, 1)
        bad = either and ratio < tolerance["min_iou_nonzero"]
        return (f"only {ratio:.3f} of the marks agree" if bad else None), 1 - ratio
    if expected.dtype.kind in "iub":
        step = 0 if tolerance.get("exact_integers") else tolerance.get("max_step", 0)
        worst = np.abs(got.astype(np.int64) - expected.astype(np.int64)).max(initial=0)
        return (None if worst <= step else f"integers differ by up to {worst}"), worst
    return off_numbers(got.astype(np.float64), expected.astype(np.float64), tolerance)


def off_numbers(got, expected, tolerance):
    if "rows" in tolerance:  # detections: those of some score
        columns = expected.shape[-1]
        score = 2 if columns == 7 else 4
        got, expected = (x.reshape(-1, columns) for x in (got, expected))
        got, expected = (x[x[:, score] > tolerance["rows"]["min_score"]] for x in (got, expected))
        if len(got) != len(expected):
            return f"{len(got)} detections, not {len(expected)}", None
    atol, rtol = tolerance.get("atol", 0), tolerance.get("rtol", 0)
    if "atol_of_range" in tolerance:
        atol, rtol = tolerance["atol_of_range"] * np.ptp(expected), 0
    worst = np.abs(got - expected).max(initial=0)
    if not np.isclose(got, expected, rtol=rtol, atol=atol).all():
        return f"off by up to {worst:.3g}", worst
    if tolerance.get("same_argmax") and got.argmax() != expected.argmax():
        return "another largest element", worst
    return None, worst


def infer(folder, meta, out, engine):
    command = [BINARY, "infer", folder, "--output-dir", out]
    if engine:
        command += ["--engine", engine]
    for key, value in (meta.get("options") or {}).items():
        command += ["--option", f"{key}={value}"]
    for i in meta.get("inputs") or []:
        command += ["--input", f"{i['tensor']}={os.path.join(folder, i['file'])}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def check(folder, engine):
    """(problems as lines, what to print of a good one)."""
    with open(os.path.join(folder, "meta.json"), encoding="utf-8") as file:
        meta = json.load(file)
    outputs = meta.get("outputs") or []
    with tempfile.TemporaryDirectory() as out:
        done = infer(folder, meta, out, engine)
        last = (done.stderr.strip().splitlines() or [""])[-1]
        if engine and "can't be loaded" in last:
            raise NotInstalled(last)
        if not outputs:
            good = done.returncode == 0 or (done.returncode == 1 and "error: " in done.stderr)
            return ([] if good else [f"exit {done.returncode}: {last}"]), last or "runs"
        if done.returncode != 0:
            return [f"exit {done.returncode}: {last}"], ""
        problems, worst_of_all = [], 0
        tolerance = dict(meta["tolerance"])
        steps = STEPS_OF_ENGINE.get((engine, os.path.basename(folder)))
        if steps is not None:
            tolerance["max_step"] = steps
        for output in outputs:
            name = re.sub(r"[^A-Za-z0-9._-]", "_", output["tensor"])
            kind = os.path.splitext(output["file"])[1]
            path = os.path.join(out, name + kind)
            if not os.path.exists(path):
                problems.append(f"{output['tensor']}: not among {sorted(os.listdir(out))}")
                continue
            why, worst = off(load(path), load(os.path.join(folder, output["file"])),
                             tolerance)
            if why:
                problems.append(f"{output['tensor']}: {why}")
            worst_of_all = max(worst_of_all, worst or 0)
        return problems, f"largest difference {worst_of_all:.2g}, tolerance {tolerance}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("format")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--engine", default="")
    args = parser.parse_args()
    root = os.path.join(MODELS, args.format)
    if not os.path.isdir(root):
        print(f"skipped: no models at {root} (set SUPERNOVA_TEST_MODELS)", file=sys.stderr)
        return 77
    failed = 0
    for name in args.models or sorted(os.listdir(root)):
        if not os.path.exists(os.path.join(root, name, "meta.json")):
            continue
        try:
            problems, words = check(os.path.join(root, name), args.engine)
        except NotInstalled as why:
            print(f"skipped: {why}", file=sys.stderr)
            return 77
        failed += bool(problems)
        print(f"{name}: {'FAILED' if problems else words}", flush=True)
        for problem in problems:
            print(f"   {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
