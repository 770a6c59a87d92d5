"""Starts and stops the server under test."""

import os
import re
import subprocess
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("SUPERNOVA", os.path.join(ROOT, "build/release/bin/supernova"))

# Imported models go beside the program under test, never into the user's own cache.
os.environ.setdefault("SUPERNOVA_CACHE_DIR",
                      os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(BINARY))),
                                   "test-cache"))

# Every port is left to the system, so that suites can run side by side.
_ANY_PORTS = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]


class Server:
    """A running `supernova serve`; use it in a `with` block or call stop()."""

    def __init__(self, models, extra_flags=(), start_timeout=60):
        command = [BINARY, "serve", *models, *_ANY_PORTS, *extra_flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, errors="replace")
        self.log = []
        self._log_reader = threading.Thread(target=self._collect_log, daemon=True)
        self._log_reader.start()
        timer = threading.Timer(start_timeout, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        match = re.match(r"ready http=(\S+) grpc=(\S+) metrics=(\S+)", line)
        if not match:
            self.process.kill()
            self.process.wait()
            self._log_reader.join(5)
            raise RuntimeError(
                f"the server did not become ready: {line.strip()!r}\n" + "".join(self.log[-20:]))
        self.http, self.grpc, self.metrics = match.groups()

    def _collect_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def stop(self, timeout=20):
        """Asks the server to end and returns its exit status (0 when it drained)."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"the server ignored SIGTERM for {timeout} s") from None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        status = self.stop()
        if kind is None and status != 0:
            raise RuntimeError(
                f"the server ended with status {status}\n" + "".join(self.log[-20:]))
