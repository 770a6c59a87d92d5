#!/usr/bin/env python3
"""Imported models against the runtimes of their own frameworks, in one run.

usage: speed.py [--rounds N] [--seconds S] [--threads 1,2] [--only NAME,...]...
                [--runtimes tflite,xnnpack,opencv] [--short]

For each model and number of processors, in turns: Supernova in its own process (`supernova bench MODEL`),
the framework's runtime in its. Medians of a call over a turn, then over the rounds; the ratio is theirs by
ours, round by round, before its median: above 1, ours is faster. Run it through bench/import/run, which
says in LEFT_OUT which frameworks can't be had.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from nets import write_all

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.environ["SUPERNOVA_TEST_MODELS"]
NAMED = {"tflite": ["mobilenet-v2-224-quant", "mobilenet-v1-025-128-quant", "person-detect-int8",
                    "vww96-int8", "kws-dscnn-int8", "kws-dscnn-float", "resnet8-cifar10-int8",
                    "resnet8-cifar10-float", "mediapipe-selfie-fp16"],
         "caffe": ["ultraface-rfb320", "wechat-qr-detect"]}

SHORT = ["mobilenet-v1-224-float", "mobilenet-v2-224-int8", "mobilenet-v1-224", "squeezenet-1.1"]


def ours(model, threads, seconds):
    done = subprocess.run([os.environ["SUPERNOVA"], "bench", model, "--json", "--warmup", "0.2",
                           "--duration", str(seconds), "--option", f"intra_op_threads={threads}"],
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        sys.exit(f"{model}: {done.stderr.strip()}")
    return json.loads(done.stdout)["runs"][0]["latency_us"]["p50"]


def theirs(kind, model, threads, seconds):
    python = os.environ["OPENCV_PYTHON"] if kind == "opencv" else sys.executable
    done = subprocess.run([python, "-B", os.path.join(HERE, "runners.py"), kind, model, str(threads),
                           str(seconds)], capture_output=True, text=True, timeout=300, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def measure(model, kinds, threads, args):
    """Our median, and for each kind its median and the ratio; None where the runtime refuses."""
    mine, other = [], {kind: [] for kind in kinds}
    for _ in range(args.rounds):
        mine.append(ours(model, threads, args.seconds))
        for kind in kinds:
            other[kind].append(theirs(kind, model, threads, args.seconds))
    out = {}
    for kind, times in other.items():
        out[kind] = None if None in times else (
            statistics.median(times), statistics.median(t / m for t, m in zip(times, mine)))
    return statistics.median(mine), out


def find_models(folder, args):
    """Paths by framework and name."""
    wanted = [name for names in args.only or [] for name in names.split(",")]
    frameworks = [f for f in NAMED if f not in os.environ.get("LEFT_OUT", "").split()]
    made = write_all(folder, frameworks, wanted)
    for framework in frameworks:
        for name in NAMED[framework]:
            path = os.path.join(MODELS, framework, name)
            if os.path.isdir(path) and (not wanted or name in wanted):
                file = os.path.join(path, "model.tflite")
                made[framework][name] = file if framework == "tflite" else path
    return made


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", action="append")
    parser.add_argument("--runtimes", default="tflite,xnnpack,opencv")
    parser.add_argument("--short", action="store_true", help="one round of a few models")
    args = parser.parse_args()
    if args.short:
        args.rounds, args.seconds, args.only = 1, 0.3, args.only or [",".join(SHORT)]
    print("| model | threads | ours, µs | theirs, µs | ratio |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for framework, models in find_models(folder, args).items():
            kinds = ["tflite", "xnnpack"] if framework == "tflite" else ["opencv"]
            kinds = [kind for kind in kinds if kind in args.runtimes.split(",")]
            for name, model in models.items():
                for threads in map(int, args.threads.split(",")):
                    mine, other = measure(model, kinds, threads, args)
                    for kind, result in other.items():
                        words = "refuses it | " if result is None else f"{result[0]:.0f} | {result[1]:.2f}"
                        print(f"| {name} ({kind}) | {threads} | {mine:.0f} | {words} |", flush=True)


if __name__ == "__main__":
    main()
