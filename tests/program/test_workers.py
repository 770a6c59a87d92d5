"""Engines in worker processes: what crashes, hangs or eats memory there costs one request, at most
one model, never a neighbour or the server."""

import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import onnx_writer
import workers
from server import BINARY, Server

GONE_WITHIN = 20.0  # seconds; a limit for what hangs, not an expectation


def eventually(condition):
    end = time.monotonic() + GONE_WITHIN
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


@unittest.skipUnless(os.path.exists(workers.engine()),
                     f"the engine library {workers.engine()} is not built")
class WorkerCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="supernova-workers-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, *flags, library=None):
        libraries = [library or workers.engine()] if not isinstance(library, list) else library
        flags = [*(f for l in libraries for f in ("--engine-library", l)), *flags]
        server = Server(["--model-repository", self.folder], flags)
        self.addCleanup(self.stop, server)
        return server

    def stop(self, server):
        pids = workers.children(server.process.pid)
        self.assertEqual(server.stop(), 0, "".join(server.log[-20:]))
        for pid in pids:
            self.assertTrue(eventually(lambda pid=pid: not workers.exists(pid)),
                            f"the worker {pid} is left behind")

    def client(self, server):
        client = workers.Client(server)
        self.addCleanup(client.connection.close)
        return client

    def add(self, name, words="", **more):
        workers.add_model(self.folder, name, words, **more)

    def add_onnx(self, name):
        os.makedirs(os.path.join(self.folder, name, "1"))
        with open(os.path.join(self.folder, name, "1", "model.onnx"), "wb") as file:
            file.write(onnx_writer.identity("FP32", ["n"]))

    def assert_right(self, client, model="good", values=(1.0, 2.0, 3.0), offset=0.0):
        status, answer = client.infer(model, values)
        self.assertEqual((status, answer), (200, [v + offset for v in values]))


class Isolation(WorkerCase):
    def test_a_library_runs_in_a_worker_and_not_in_the_server(self):
        self.add("good")
        server = self.serve()
        self.assert_right(self.client(server))
        self.assertFalse(workers.maps(server.process.pid, "faulty.so"))
        self.assertTrue(any(workers.maps(pid, "faulty.so")
                            for pid in workers.children(server.process.pid)))
        self.assertEqual(workers.metric(server, "supernova_worker_state", state="ready",
                                        worker="faulty@cpu"), 1)
        self.assertGreater(workers.metric(server, "supernova_worker_resident_memory_bytes",
                                          role="active"), 1 << 20)

    def test_it_runs_in_the_server_when_told_to(self):
        self.add("good")
        server = self.serve("--engine-isolation", "faulty=in-process")
        self.assert_right(self.client(server))
        self.assertTrue(workers.maps(server.process.pid, "faulty.so"))
        self.assertEqual(workers.children(server.process.pid), [])

    def test_a_model_chooses_for_itself(self):
        self.add("shared")
        self.add("own", parameters={"isolation": "own-worker"})
        self.add("here", parameters={"isolation": "in-process"})
        self.add("nowhere", parameters={"isolation": "jail"})
        server = self.serve()
        client = self.client(server)
        for model in ("shared", "own", "here"):
            self.assert_right(client, model)
        self.assertIn("jail", client.index()["nowhere"][1])
        self.assertEqual(workers.metric(server, "supernova_worker_state", state="ready"), 2)
        self.assertEqual(workers.metric(server, "supernova_worker_state", state="ready",
                                        worker="faulty@cpu/own"), 1)

    def test_the_built_in_engine_in_a_worker_answers_the_same(self):
        self.add_onnx("good")
        self.add_onnx("other")
        server = self.serve("--engine-isolation", "onnxruntime=worker")
        client = self.client(server)
        self.assert_right(client)
        self.assert_right(client, "other", [float(i) for i in range(5000)])
        self.assertFalse(workers.maps(server.process.pid, "libonnxruntime"))

    def test_two_versions_of_a_library_side_by_side(self):
        self.add("first", backend="v1")
        self.add("second", backend="v2")
        server = self.serve(library=["v1=" + workers.engine(), "v2=" + workers.engine("faulty_v2")])
        client = self.client(server)
        self.assert_right(client, "first")
        self.assert_right(client, "second", offset=1000.0)
        for pid in workers.children(server.process.pid):
            self.assertFalse(workers.maps(pid, "faulty.so") and workers.maps(pid, "faulty_v2.so"))

    def test_offline_commands_have_the_flags(self):
        model = os.path.join(self.folder, "model.onnx")
        with open(model, "wb") as file:
            file.write(onnx_writer.sum_difference())
        command = [BINARY, "infer", model, "--json"]
        for where in ("in-process", "worker", "own-worker"):
            done = subprocess.run([*command, "--engine-isolation", where], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("SUM", done.stdout)
        done = subprocess.run([*command, "--engine-isolation", "jail"], capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--engine-isolation: isolation 'jail' is not known", done.stderr)
        done = subprocess.run([*command, "--engine-isolation", "onnxruntim=worker"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("--engine-isolation: no engine 'onnxruntim' here; there is: onnxruntime",
                      done.stderr)


class Libraries(WorkerCase):
    """Libraries that can't be used are refused with the reason; the others serve."""

    def refused(self, library, *reasons):
        self.add("good", backend="fine")
        self.add("bad", backend=library)
        server = self.serve(library=["fine=" + workers.engine(), workers.engine(library)])
        client = self.client(server)
        self.assert_right(client)
        state, why = client.index()["bad"]
        self.assertEqual(state, "UNAVAILABLE")
        status, answer = client.infer("bad", [1.0])
        self.assertEqual(status, 503)
        for reason in reasons:
            self.assertIn(reason, why)
            self.assertIn(reason, answer)
        done = subprocess.run([BINARY, "infer", self.folder + "/bad/1", "--engine-library",
                               workers.engine(library)], capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 1)
        for reason in reasons:
            self.assertIn(reason, done.stderr)

    def test_another_abi_version(self):
        self.refused("faulty_abi", "faulty_abi.so", "ABI version 99")

    def test_one_that_aborts_while_it_is_loaded(self):
        self.refused("faulty_constructor", "faulty_constructor.so", "SIGABRT")

    def test_one_that_is_not_there(self):
        self.add("good", backend="fine")
        with self.assertRaisesRegex(RuntimeError, "nowhere.so"):
            Server(["--model-repository", self.folder],
                   ["--engine-library", "/nowhere.so", "--exit-on-error"])


@workers.plain_only
class Loads(WorkerCase):
    def test_a_first_run_that_hangs_does_not_keep_the_server_from_being_ready(self):
        self.add("good")
        self.add("hangs", "run=hang", parameters={"worker.load_timeout_ms": "500"})
        server = self.serve()
        client = self.client(server)
        self.assert_right(client)
        state, why = client.index()["hangs"]
        self.assertEqual(state, "UNAVAILABLE")
        self.assertIn("warm-up run: it was not over after 0.5 s, which a load may take", why)
        self.assertEqual(client.ask("GET", "/v2/health/ready")[0], 200)

    def test_a_load_that_hangs_does_not_outlive_sigterm(self):
        self.add("hangs", "load=hang")
        process = subprocess.Popen(
            [BINARY, "serve", "--model-repository", self.folder, "--engine-library", workers.engine(),
             "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        self.assertTrue(eventually(lambda: workers.children(process.pid)))
        process.terminate()
        out, log = process.communicate(timeout=GONE_WITHIN)
        self.assertEqual((process.returncode, out), (0, ""), log)

    def test_options_that_do_nothing_are_named(self):
        self.add("here", parameters={"isolation": "in-process", "worker.memory_byte_size": "1073741824"})
        self.add("strict", parameters={"strict_devise": "true"})
        self.add("limits", parameters={"worker.memory": "1073741824"})
        self.add("program", parameters={"worker.program": "/bin/true"})
        server = self.serve()
        index = self.client(server).index()
        log = "".join(server.log)
        self.assertIn("model 'here': option 'worker.memory_byte_size' has no effect", log)
        self.assertIn("model 'strict': there is no option 'strict_devise'; 'strict_device' is", log)
        for model in ("limits", "program"):
            self.assertEqual(index[model][0], "UNAVAILABLE")
            self.assertIn("there is no option 'worker." + model.replace("limits", "memory"), index[model][1])

    def test_models_that_fail_while_they_are_loaded(self):
        faults = {"segv": "SIGSEGV", "abort": "SIGABRT", "exit": "exit code 3",
                  "hang": "took too long", "allocate": "memory"}
        self.add("good")
        self.add_onnx("onnx")
        for fault in faults:
            self.add(fault, f"load={fault}")
            self.add(fault + "_instance", f"open={fault}")
        server = self.serve("--model-control-mode", "explicit", "--load-model", "good",
                            "--load-model", "onnx", "--worker-load-timeout-ms", "3000",
                            "--worker-memory-byte-size", "128MiB")
        stop, wrong, answers = threading.Event(), [], []

        def neighbour(model):
            client = self.client(server)
            while not stop.is_set():
                answer = client.infer(model, [1.0, 2.0])
                answers.append(answer)
                if answer != (200, [1.0, 2.0]):
                    wrong.append(answer)

        # In the same worker and in the server itself.
        threads = [threading.Thread(target=neighbour, args=(m,)) for m in ("good", "onnx")]
        for thread in threads:
            thread.start()
        try:
            client = self.client(server)
            for fault, reason in faults.items():
                for model in (fault, fault + "_instance"):
                    with self.subTest(model):
                        status, answer = client.load(model)
                        self.assertEqual(status, 400, answer)
                        self.assertIn(reason, answer)
                        state, why = client.index()[model]
                        self.assertEqual(state, "UNAVAILABLE")
                        self.assertIn(reason, why)
                        status, answer = client.ready(model)
                        self.assertEqual(status, 503)
                        self.assertIn(reason, answer)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(len(answers), 10)

    def test_loads_that_hang_keep_no_other_engines_model_from_loading(self):
        hangs = os.path.join(self.folder, ".hangs")
        os.close(os.open(hangs, os.O_CREAT))
        names = [f"hangs{number}" for number in range(8)]
        for name in names:
            self.add(name, f"load=hang while={hangs}")
        self.add_onnx("onnx")
        server = self.serve("--model-control-mode", "explicit")
        answers = []

        def load(name):
            answers.append(self.client(server).load(name))

        threads = [threading.Thread(target=load, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        try:
            client = self.client(server)
            self.assertTrue(eventually(
                lambda: all(client.index()[name][0] == "LOADING" for name in names)))
            self.assertEqual(client.load("onnx"), (200, ""))
            self.assert_right(client, "onnx")
            self.assertEqual(answers, [])
        finally:
            os.unlink(hangs)
            for thread in threads:
                thread.join()
        self.assertEqual(answers, [(200, "")] * 8)

    def test_a_model_that_was_mended_loads(self):
        self.add("model", "load=segv")
        server = self.serve("--model-control-mode", "explicit", "--load-model", "*")
        client = self.client(server)
        self.assertIn("quarantined", client.index()["model"][1])
        self.assertEqual(client.load("model")[0], 400)  # the operator may always try
        workers.set_words(self.folder, "model", "none")
        self.assertEqual(client.load("model"), (200, ""))
        self.assert_right(client, "model")


@workers.plain_only
class Runs(WorkerCase):
    def serve_values(self, *flags, **more):
        self.add("good")
        self.add("bad", "values", **more)
        server = self.serve("--model-control-mode", "explicit", "--load-model", "*", *flags)
        return server, self.client(server)

    def test_a_request_that_crashes_is_answered_and_then_refused(self):
        faults = {"segv": "SIGSEGV", "abort": "SIGABRT", "exit": "exit code 3",
                  "hang": "took too long", "allocate": "ran out of memory"}
        for fault in faults:
            self.add(fault, "values")
        server, client = self.serve_values("--worker-run-timeout-ms", "3000",
                                           "--worker-memory-byte-size", "128MiB")
        for fault, reason in faults.items():
            with self.subTest(fault):
                poison = [float(workers.fault(fault)), 7.0]
                # What takes too long is not tried twice for one request.
                for _ in range(2 if fault == "hang" else 1):
                    status, answer = client.infer(fault, poison)
                    self.assertGreaterEqual(status, 500)
                    self.assertIn(reason, answer)
                ends = workers.metric(server, "supernova_worker_ends_total")
                # Content that ended two workers is not tried on a third.
                status, answer = client.infer(fault, poison)
                self.assertGreaterEqual(status, 400)
                self.assertIn(reason, answer)
                self.assertIn("not tried any more", answer)
                self.assertEqual(workers.metric(server, "supernova_worker_ends_total"), ends)
                self.assert_right(client, "good")
                self.assert_right(client, fault)
                self.assertEqual(client.ready(fault)[0], 200)

    def test_a_model_with_many_such_requests_is_quarantined(self):
        server, client = self.serve_values()
        for i in range(5):
            self.assertGreaterEqual(client.infer("bad", [workers.fault("segv"), float(i)])[0], 500)
        status, answer = client.infer("bad", [1.0])
        self.assertEqual(status, 503)
        self.assertIn("quarantined", answer)
        self.assertIn("SIGSEGV", answer)
        state, why = client.index()["bad"]
        self.assertEqual(state, "UNAVAILABLE")
        self.assertIn("quarantined", why)
        status, answer = client.ready("bad")
        self.assertEqual(status, 503)
        self.assertIn("quarantined", answer)
        self.assert_right(client, "good")
        self.assertEqual(client.index()["good"][0], "READY")
        # The operator has it tried again.
        self.assertEqual(client.load("bad"), (200, ""))
        self.assert_right(client, "bad")
        self.assertEqual(client.index()["bad"], ("READY", ""))

    def test_a_second_try_mends_what_it_can(self):
        marker = os.path.join(self.folder, ".once")
        self.add("model", f"run=segv once={marker}")
        os.close(os.open(marker, os.O_CREAT))  # not while the server tries it
        server = self.serve()
        client = self.client(server)
        os.unlink(marker)
        self.assert_right(client, "model")
        self.assertEqual(workers.metric(server, "supernova_worker_retried_runs_total"), 1)
        self.assertEqual(workers.metric(server, "supernova_worker_ends_total", cause="crashed"), 1)
        self.assertEqual(client.index()["model"], ("READY", ""))

    def test_an_answer_that_lies_about_its_size(self):
        server, client = self.serve_values()
        status, answer = client.infer("bad", [workers.fault("corrupt"), 1.0])
        self.assertGreaterEqual(status, 500, answer)
        self.assert_right(client, "bad")
        self.assert_right(client, "good")

    def test_a_request_is_answered_at_its_deadline_whatever_the_engine_does(self):
        server, client = self.serve_values()
        in_100_ms = {"timeout": 100_000}
        status, answer = client.infer("bad", [workers.fault("hang"), 1.0], in_100_ms)
        self.assertEqual(status, 503, answer)
        self.assertIn("timeout expired", answer)
        # The worker goes on with it, and with others.
        self.assert_right(client, "bad")
        self.assert_right(client, "good")
        self.assertEqual(workers.metric(server, "supernova_worker_ends_total"), 0)
        # Its model can be unloaded nevertheless.
        workers.set_words(self.folder, "bad", "none")
        self.assertEqual(client.load("bad"), (200, ""))
        self.assert_right(client, "bad")
        self.assert_right(client, "good")

    def test_limits_of_one_model(self):
        self.add("good")
        self.add("large", "hold_mib=300", parameters={
            "isolation": "own-worker", "worker.memory_byte_size": str(200 << 20)})
        self.add("slow", "run=slow slow_ms=30000 values", parameters={
            "isolation": "own-worker", "worker.run_timeout_ms": "300"})
        server = self.serve("--model-control-mode", "explicit", "--load-model", "good")
        client = self.client(server)
        status, answer = client.load("large")
        self.assertEqual(status, 400)
        self.assertIn("memory", answer)
        self.assert_right(client, "good")
        workers.set_words(self.folder, "large", "hold_mib=20")
        self.assertEqual(client.load("large"), (200, ""))
        self.assert_right(client, "large")


@workers.plain_only
class Outages(WorkerCase):
    def test_a_model_whose_worker_does_not_come_up_is_not_ready(self):
        library = os.path.join(self.folder, ".mine.so")
        shutil.copy(workers.engine(), library)
        self.add("model", backend="mine")
        self.add_onnx("onnx")
        server = self.serve(library="mine=" + library)
        client = self.client(server)
        self.assert_right(client, "model")
        self.assertEqual(client.ready("model")[0], 200)
        os.rename(library, library + ".gone")
        end = time.monotonic() + GONE_WITHIN
        while client.ready("model")[0] == 200 and time.monotonic() < end:
            for pid in workers.children(server.process.pid):
                if workers.maps(pid, ".mine.so"):  # the active one and the spare
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        self.assertTrue(eventually(lambda: ".mine.so" in client.ready("model")[1]))
        status, answer = client.ready("model")
        self.assertEqual(status, 503)
        self.assertIn("no worker has been ready", answer)
        self.assertIn(".mine.so", answer)
        state, why = client.index()["model"]
        self.assertEqual(state, "UNAVAILABLE")
        self.assertIn(".mine.so", why)
        # The server lives, and what needs no worker is served.
        self.assertEqual(client.ask("GET", "/v2/health/live")[0], 200)
        self.assert_right(client, "onnx")
        os.rename(library + ".gone", library)
        self.assertTrue(eventually(lambda: client.ready("model")[0] == 200))
        self.assert_right(client, "model")


@workers.plain_only
class Reasons(WorkerCase):
    """What is said of a model that is not served, and what its operator can do about it."""

    def kill_workers(self, server):
        for pid in workers.children(server.process.pid):
            if workers.maps(pid, "faulty.so"):
                os.kill(pid, signal.SIGKILL)

    def test_a_model_that_can_not_be_opened_again_is_named(self):
        bad_now = os.path.join(self.folder, ".bad")
        self.add("good")
        self.add("bad", f"load=error while={bad_now}")
        server = self.serve("--model-control-mode", "explicit", "--load-model", "*")
        client = self.client(server)
        self.assert_right(client, "bad")
        os.close(os.open(bad_now, os.O_CREAT))
        self.kill_workers(server)
        self.assert_right(client, "good")
        self.assertTrue(eventually(lambda: client.ready("bad")[0] == 503))
        said = ("model 'bad' could not be opened again after its worker had ended: this "
                "model fails as it was told to; to have it tried again, load the model again")
        for answer in (client.ready("bad")[1], client.index()["bad"][1],
                       client.infer("bad", [1.0])[1]):
            self.assertIn(said, answer)
        self.assertTrue(eventually(lambda: any(said in line for line in server.log)))
        os.unlink(bad_now)
        self.assertEqual(client.load("bad"), (200, ""))
        self.assert_right(client, "bad")

    def crash_often(self, client):
        for i in range(5):
            self.assertGreaterEqual(client.infer("bad", [workers.fault("segv"), float(i)])[0], 500)
        status, why = client.ready("bad")
        self.assertEqual(status, 503)
        return why

    def test_without_control_a_restart_helps(self):
        self.add("bad", "values")
        client = self.client(self.serve())
        self.assertIn("; to have it tried again, restart the server", self.crash_often(client))

    def test_with_polling_a_touch_helps(self):
        self.add("bad", "values")
        server = self.serve("--model-control-mode", "poll", "--repository-poll-secs", "1")
        client = self.client(server)
        self.assertIn("; to have it tried again, replace or touch the model's files",
                      self.crash_often(client))
        for folder, _, names in os.walk(os.path.join(self.folder, "bad")):
            for name in names:
                os.utime(os.path.join(folder, name))
        self.assertTrue(eventually(lambda: client.ready("bad")[0] == 200))
        self.assert_right(client, "bad")

    def test_the_log_calls_a_worker_as_the_metrics_do(self):
        self.add("shared", "values")
        self.add("own", "values", parameters={"isolation": "own-worker"})
        server = self.serve()
        client = self.client(server)
        for model, worker in (("shared", "faulty@cpu"), ("own", "faulty@cpu/own")):
            self.assertGreaterEqual(client.infer(model, [workers.fault("segv")])[0], 500)
            self.assertEqual(workers.metric(server, "supernova_worker_ends_total",
                                            cause="crashed", worker=worker), 2)
            said = f"worker '{worker}' ended: SIGSEGV"
            self.assertTrue(eventually(lambda: any(said in line for line in server.log)))


@workers.plain_only
class LostDevices(WorkerCase):
    def test_a_run_whose_device_is_lost_is_answered_by_the_next_worker(self):
        self.add("model", "values")
        marker = os.path.join(self.folder, ".once")
        self.add("once", f"run=lost once={marker}")
        os.close(os.open(marker, os.O_CREAT))  # not while the server tries it
        server = self.serve()
        client = self.client(server)
        os.unlink(marker)
        self.assert_right(client, "once")
        self.assert_right(client, "model")
        self.assertEqual(workers.metric(server, "supernova_worker_ends_total",
                                        cause="device_lost"), 1)
        self.assertEqual(workers.metric(server, "supernova_worker_ends_total"), 1)
        self.assertEqual(workers.metric(server, "supernova_worker_restarts_total"), 1)
        self.assertEqual(client.index(), {"model": ("READY", ""), "once": ("READY", "")})

    def test_a_model_is_not_ready_while_its_device_stays_lost(self):
        gone = os.path.join(self.folder, ".gone")
        self.add("model", f"load=lost run=lost while={gone}")
        self.add_onnx("onnx")
        server = self.serve()
        client = self.client(server)
        self.assert_right(client, "model")
        os.close(os.open(gone, os.O_CREAT))
        status, answer = client.infer("model", [1.0])
        self.assertEqual(status, 503)
        self.assertIn("the test device is lost", answer)
        self.assertTrue(eventually(lambda: client.ready("model")[0] == 503))
        self.assertIn("the test device is lost", client.ready("model")[1])
        state, why = client.index()["model"]
        self.assertEqual(state, "UNAVAILABLE")
        self.assertIn("the test device is lost", why)
        self.assert_right(client, "onnx")
        os.unlink(gone)
        self.assertTrue(eventually(lambda: client.ready("model")[0] == 200))
        self.assert_right(client, "model")


@workers.plain_only
class Kills(WorkerCase):
    def test_a_run_that_hangs_does_not_outlive_sigterm(self):
        begun = os.path.join(self.folder, "hangs", "begun")
        self.add("hangs", f"values once={begun}")
        server = self.serve("--exit-timeout-secs", "1")
        answers = []

        def ask():
            try:
                answers.append(self.client(server).infer("hangs", [float(workers.fault("hang"))]))
            except (OSError, http.client.HTTPException):
                answers.append(None)

        asking = threading.Thread(target=ask)
        asking.start()
        self.assertTrue(eventually(lambda: os.path.exists(begun)))
        pids = workers.children(server.process.pid)
        server.process.terminate()
        self.assertEqual(server.process.wait(GONE_WITHIN + 10), 0)
        asking.join()
        self.assertEqual(len(answers), 1)
        for pid in pids:
            self.assertTrue(eventually(lambda pid=pid: not workers.exists(pid)))

    def test_kills_from_outside_lose_nothing_and_blame_nobody(self):
        self.add("good")
        self.add("second")
        server = self.serve()
        stop, wrong, counts = threading.Event(), [], []

        def ask(number):
            client = self.client(server)
            count = 0
            while not stop.is_set():
                values = [float(number), float(count % 999)]
                answer = client.infer(("good", "second")[number % 2], values)
                count += 1
                if answer != (200, values):
                    wrong.append(answer)
            counts.append(count)

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        try:
            for kill in range(20):
                victims = []

                def found():
                    victims[:] = [p for p in workers.children(server.process.pid)
                                  if workers.maps(p, "faulty.so")]
                    return victims

                self.assertTrue(eventually(found))
                victim = victims[0]
                os.kill(victim, (signal.SIGKILL, signal.SIGTERM)[kill % 2])
                self.assertTrue(eventually(lambda pid=victim: not workers.exists(pid)))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        self.assertGreater(min(counts), 0)
        client = self.client(server)
        self.assertEqual(client.index(), {"good": ("READY", ""), "second": ("READY", "")})
        self.assertGreater(workers.metric(server, "supernova_worker_ends_total",
                                          cause="killed_from_outside"), 10)
        self.assertEqual(workers.metric(server, "supernova_worker_ends_total", cause="crashed"), 0)

    def test_a_killed_server_leaves_no_worker_behind(self):
        self.add("good")
        server = self.serve()
        self.assert_right(self.client(server))
        pids = workers.children(server.process.pid)
        self.assertGreaterEqual(len(pids), 1)
        server.process.kill()
        server.process.wait()
        for pid in pids:
            self.assertTrue(eventually(lambda pid=pid: not workers.exists(pid)))
        server.stop = lambda: 0  # it has been


if __name__ == "__main__":
    unittest.main()
