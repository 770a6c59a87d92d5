#!/usr/bin/env python3
"""Random small graphs through Supernova and through the TensorFlow Lite runtime, compared.

usage: differential.py [--count N] [--seed S] [--only FAMILY]... [--keep DIR] [-v]

A graph that either side refuses is counted; numbers that differ are errors: quantised results by
more than one step, whole numbers at all, real ones beyond rounding. A step of rounding grows through
later layers (x + x doubles it, a weight of 127 does more), so that a quantised graph of several layers
that differs by more is held to it layer by layer, each over the runtime's own inputs. Run it through
tests/oracles/tflite/run, which finds the runtime.
"""

import argparse
import collections
import copy
import concurrent.futures
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
from ai_edge_litert import interpreter as litert

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from families import FAMILIES, Case  # noqa: E402
from graph_writer import TYPES  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
BINARY = os.environ.get("SUPERNOVA", os.path.join(ROOT, "build", "release", "bin", "supernova"))
DTYPES = {number: name for name, number in TYPES.items()}
RESOLVER = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def by_runtime(content, feeds, later=()):
    """The runtime's outputs with whether each is quantised, or a reason; in a process of its own,
    which damaged graphs may end. The outputs of `later` requests, which find the state that the
    earlier ones left, come behind."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            runtime = litert.Interpreter(model_content=content, experimental_op_resolver_type=RESOLVER,
                                         num_threads=1)
            runtime.allocate_tensors()
            answer = []
            for request in (feeds, *later):
                for detail, feed in zip(runtime.get_input_details(), request):
                    runtime.set_tensor(detail["index"], feed)
                runtime.invoke()
                answer += [(runtime.get_tensor(d["index"]),
                            len(d["quantization_parameters"]["scales"]) > 0)
                           for d in runtime.get_output_details()]
        except Exception as error:  # pylint: disable=broad-except
            answer = str(error)
        with os.fdopen(write, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        content = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(content) if content else "the runtime crashed"


def by_supernova(path, graph, folder):
    """Our outputs by position, or a reason; those of later requests, which bring the state that the
    one before left, behind."""
    out = os.path.join(folder, "out")
    states = {}
    if graph.later:
        states = {f"t{i}": np.zeros(t.shape, DTYPES[t.type])
                  for i, t in enumerate(graph.graph.tensors) if t.isVariable}
    answer = []
    for feeds in (graph.feeds, *graph.later):
        command = [BINARY, "infer", path, "--output-dir", out]
        command += ["--option", "state=tensors"] if states else []
        given = {f"t{number}": feed for number, feed in zip(graph.graph.inputs, feeds)}
        for name, feed in {**given, **states}.items():
            file = os.path.join(folder, f"{name}.npy")
            np.save(file, feed)
            command += ["--input", f"{name}={file}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            return f"exit {done.returncode}: {done.stderr.strip()[-600:]}"
        answer += [np.load(os.path.join(out, f"t{n}.npy")) for n in graph.graph.outputs]
        states = {name: np.load(os.path.join(out, f"{name}.next.npy")) for name in states}
    return answer


def difference(got, expected, quantised):
    """Why two tensors differ too much, or None."""
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"{got.dtype}{list(got.shape)}, not {expected.dtype}{list(expected.shape)}"
    if got.size == 0:
        return None
    if expected.dtype.kind in "iub":
        steps = np.abs(got.astype(np.int64) - expected.astype(np.int64))
        off = steps.max()
        if quantised and expected.dtype == np.int16:
            return None if off <= 3 else f"integers off by up to {off}"  # its kernels approximate
        return None if off <= (1 if quantised else 0) else f"integers off by up to {off}"
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-3)
    close = np.isclose(got, expected, rtol=1e-4, atol=2e-5 * scale, equal_nan=True)
    return None if close.all() else f"off by up to {np.abs(got - expected).max():.3g} of {scale:.3g}"


def by_layer(graph, folder):
    """Why a layer, with the runtime's own values as its inputs, gives something else, or None."""
    layers = list(graph.graph.operators)
    results = [number for op in layers for number in op.outputs]
    known = dict(zip(graph.graph.inputs, graph.feeds))
    whole = copy.deepcopy(graph)
    whole.graph.outputs = results
    values = by_runtime(whole.model.bytes(), graph.feeds)
    if isinstance(values, str):
        return values
    known.update((number, value) for number, (value, _) in zip(results, values))
    for i, op in enumerate(layers):
        alone = copy.deepcopy(graph)
        alone.graph.operators = [copy.deepcopy(op)]
        alone.graph.inputs = sorted({n for n in op.inputs if n in known})
        alone.graph.outputs = list(op.outputs)
        alone.feeds = [known[n] for n in alone.graph.inputs]
        for number in alone.graph.inputs:
            alone.graph.tensors[number].shape = list(known[number].shape)
        expected = by_runtime(alone.model.bytes(), alone.feeds)
        if isinstance(expected, str):
            return f"layer {i}: {expected}"
        path = os.path.join(folder, f"layer{i}.tflite")
        with open(path, "wb") as file:
            file.write(alone.model.bytes())
        got = by_supernova(path, alone, folder)
        if isinstance(got, str):
            return f"layer {i}: {got}"
        for g, (e, quantised) in zip(got, expected):
            why = difference(g, e, quantised)
            if why:
                return f"layer {i}: {why}"
    return None


def one(seed, family, keep):
    """(family, operators, outcome, words)."""
    case = Case(seed)
    graph = family(case)
    content = graph.model.bytes()
    expected = by_runtime(content, graph.feeds, graph.later)
    for _ in range(8):  # down to a version that the runtime has
        newer = isinstance(expected, str) and re.search(r"opcode '(\w+)' version", expected)
        if not newer or not graph.model.lower_version(newer.group(1)):
            break
        content = graph.model.bytes()
        expected = by_runtime(content, graph.feeds, graph.later)
    names = "+".join(sorted({name for name, _ in graph.model.codes}))
    words = ""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.tflite")
        with open(path, "wb") as file:
            file.write(content)
        if isinstance(expected, str):
            return family.__name__, names, "runtime refuses", expected.strip()[:200]
        got = by_supernova(path, graph, folder)
        if isinstance(got, str):
            outcome, words = "we refuse", got
            if not got.startswith("exit 1:"):
                outcome = "CRASHED"
        else:
            tolerant = names == "EMBEDDING_LOOKUP"
            reasons = []
            if names == "TFLite_Detection_PostProcess":
                # The runtime leaves rows beyond the number of detections as they were.
                count = int(expected[3][0][0])
                expected = [(e[:, :count], q) for e, q in expected[:3]] + expected[3:]
                got = [g[:, :count] for g in got[:3]] + got[3:]
            for g, (e, quantised) in zip(got, expected):
                why = difference(g, e, quantised)
                if why and quantised and len(graph.graph.operators) > 1 and why.startswith("integers"):
                    why = by_layer(graph, folder)
                if why and tolerant and why.startswith("off"):
                    # The runtime rounds activations to 8 bits on the way; we don't.
                    span = np.abs(e).max(initial=1e-3)
                    why = why if np.abs(g - e).max() > 0.03 * span + 0.05 else None
                if why:
                    reasons.append(why)
            outcome = "WRONG" if reasons else "equal"
            words = "; ".join(reasons)
        if keep and outcome in ("WRONG", "CRASHED", "we refuse"):
            target = os.path.join(keep, f"{family.__name__}_{seed}")
            shutil.copytree(folder, target, dirs_exist_ok=True)
            if not isinstance(expected, str):
                for i, (e, _) in enumerate(expected):
                    np.save(os.path.join(target, f"expected_{i}.npy"), e)
    return family.__name__, names, outcome, words


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append")
    parser.add_argument("--keep")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    families = [f for f in FAMILIES if not args.only or f.__name__ in args.only]
    tally = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(one, args.seed + i, families[i % len(families)], args.keep): args.seed + i
                for i in range(args.count)}
        for job in concurrent.futures.as_completed(jobs):
            family, names, outcome, words = job.result()
            tally[outcome] += 1
            if outcome in ("WRONG", "CRASHED") or args.v:
                print(f"seed {jobs[job]} {family} {names}: {outcome} {words}", flush=True)
    print(", ".join(f"{n} {outcome}" for outcome, n in sorted(tally.items())))
    return 1 if tally["WRONG"] or tally["CRASHED"] else 0


if __name__ == "__main__":
    sys.exit(main())
