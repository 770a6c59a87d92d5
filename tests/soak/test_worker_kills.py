"""Workers that are killed under load, and models that crash, hang and eat memory beside others."""

import os
import random
import signal
import tempfile
import threading
import time
import unittest

import workers
from server import Server
from test_soak import FULL, memory_counts, process_facts

import onnx_writer

KILLS = 200 if FULL else 100
FAULTS = ["none", "segv", "abort", "hang", "allocate"]


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Load:
    """Clients that ask models without a pause and check every answer."""

    def __init__(self, server, models, threads):
        self.server, self.stop = server, threading.Event()
        self.wrong, self.times = [], []
        self.threads = [threading.Thread(target=self.work, args=(models[i % len(models)], i))
                        for i in range(threads)]

    def work(self, model, number):
        client, count = workers.Client(self.server), 0
        while not self.stop.is_set():
            values = [float(number), float(count % 1000), 0.5]
            started = time.monotonic()
            try:
                answer = client.infer(model, values)
            except OSError as error:
                answer = error
                client = workers.Client(self.server)
            self.times.append((started, time.monotonic() - started))
            if answer != (200, values):
                self.wrong.append((model, answer))
            count += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def between(self, start, end):
        return [took for at, took in self.times if start <= at < end]


@workers.plain_only
class WorkerSoak(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(workers.engine()):
            self.skipTest(f"the engine library {workers.engine()} is not built")
        folder = tempfile.TemporaryDirectory(prefix="supernova-workers-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.poison = 0

    def serve(self, *flags):
        server = Server(["--model-repository", self.folder],
                        ["--engine-library", workers.engine(), *flags])
        self.addCleanup(server.stop)
        return server

    def active(self, server):
        return [pid for pid in workers.children(server.process.pid)
                if workers.maps(pid, "faulty.so")]

    def wait_for(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, "it took longer than a minute")
            time.sleep(0.005)

    def test_kills_lose_nothing_and_leave_the_server_as_it_was(self):
        for name in ("first", "second"):
            workers.add_model(self.folder, name, "")
        server = self.serve()
        chance = random.Random(1)
        facts = []
        with Load(server, ["first", "second"], threads=4) as load:
            for kill in range(KILLS):
                self.wait_for(lambda: self.active(server))
                done = len(load.times)
                self.wait_for(lambda done=done: len(load.times) > done + 20)
                time.sleep(chance.uniform(0, 0.02))
                os.kill(self.active(server)[0], signal.SIGKILL)
                facts.append(process_facts(server.process.pid))
        settled = facts[KILLS // 10:]
        rss, descriptors, threads = zip(*settled)
        client = workers.Client(server)
        # The last one's end may still be on its way.
        self.wait_for(lambda: workers.metric(server, "supernova_worker_ends_total",
                                             cause="killed_from_outside") >= KILLS)
        print(f"\n{KILLS} kills under {len(load.times)} requests: {len(load.wrong)} lost or wrong, "
              f"{workers.metric(server, 'supernova_worker_retried_runs_total'):.0f} runs tried "
              f"again; RSS {rss[0]} -> {rss[-1]} KiB (first {facts[0][0]}), descriptors "
              f"{min(descriptors)}..{max(descriptors)}, threads {min(threads)}..{max(threads)}; "
              f"longest answer {max(t for _, t in load.times) * 1e3:.1f} ms")
        self.assertEqual(load.wrong, [])
        self.assertEqual(client.index(), {n: ("READY", "") for n in ("first", "second")})
        if memory_counts(server.process.pid):
            self.assertLess(rss[-1] - rss[0], 2048, "the server's memory grows with kills")
        self.assertLessEqual(max(descriptors) - min(descriptors), 16)
        self.assertLessEqual(max(threads) - min(threads), 4)

    def serve_neighbours(self, words):
        """An ONNX model in the server, one with a worker of its own, and one for each fault."""
        with open(os.path.join(self.folder, "onnx.onnx"), "wb") as file:
            file.write(onnx_writer.identity("FP32", ["n"]))
        workers.add_model(self.folder, "apart", "", parameters={"isolation": "own-worker"})
        for name in FAULTS:
            workers.add_model(self.folder, name, words(name))
        return self.serve("--model-control-mode", "explicit", "--load-model", "*",
                          "--worker-run-timeout-ms", "300", "--worker-load-timeout-ms", "2000",
                          "--worker-memory-byte-size", "256MiB")

    def test_neighbours_of_models_that_fail_when_run(self):
        """Their 99th percentile while others crash, next to that without: measured, not judged."""
        server = self.serve_neighbours(lambda fault: "values")

        def run(client, fault):
            # Never the same content: what has crashed before is refused.
            self.poison += 1
            status, _ = client.infer(fault, [workers.fault(fault), float(self.poison)])
            self.assertEqual(status == 200, fault == "none")

        def mend(client, fault):
            if client.ready(fault)[0] != 200:
                client.load(fault)  # forgets what is known against the model

        for neighbour in ("onnx", "apart"):
            for fault in FAULTS:
                self.measure(server, neighbour, fault, "run", run, mend)

    def test_neighbours_of_models_that_fail_when_loaded(self):
        server = self.serve_neighbours(lambda fault: f"load={fault}")

        def load(client, fault):
            status, _ = client.load(fault)
            self.assertEqual(status == 200, fault == "none")

        for neighbour in ("onnx", "apart"):
            for fault in FAULTS:
                self.measure(server, neighbour, fault, "load", load, lambda client, fault: None)

    def measure(self, server, neighbour, fault, where, inflict, mend):
        """Seconds with and without a fault take turns, so that what else the machine does hits
        both; "none" says how far apart they are by chance."""
        calm, stormy = [], []
        client = workers.Client(server)
        with Load(server, [neighbour], threads=2) as load:
            for _ in range(12 if FULL else 2):
                start = time.monotonic()
                time.sleep(1.0)
                calm.append((start, time.monotonic()))
                start = time.monotonic()
                inflict(client, fault)
                time.sleep(max(0.0, start + 1.0 - time.monotonic()))
                stormy.append((start, time.monotonic()))
                mend(client, fault)
        p99 = [percentile([t for period in periods for t in load.between(*period)], 0.99) * 1e3
               for periods in (calm, stormy)]
        print(f"\n{neighbour} beside {fault} in {where}: p99 {p99[0]:.3f} ms calm, {p99[1]:.3f} ms "
              f"with a fault each second, ratio {p99[1] / p99[0]:.2f}; {len(load.wrong)} of "
              f"{len(load.times)} lost or wrong", end="")
        self.assertEqual(load.wrong, [])


if __name__ == "__main__":
    unittest.main()
