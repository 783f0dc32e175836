"""Programs that a check or a test starts on this machine, each on a free port of the loopback address, and ends."""

import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATIENCE = 90.0
# the machine's own proxies, if it has any, are none for this machine
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def until(what, condition, lacking=lambda: ""):
    """What the condition says, as soon as it says something."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            if found := condition():
                return found
        except (urllib.error.URLError, ConnectionError):
            pass
        if time.monotonic() > end:
            raise SystemExit(f"in vain waited for {what} {lacking()}")
        time.sleep(0.05)


def check(main, usage):
    """Runs a check of the program that the command line names, in a folder of its own, and ends whatever it started."""
    if len(sys.argv) != 2:
        raise SystemExit(usage)
    started = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            main(sys.argv[1], Path(folder), started)
        finally:
            for one in reversed(started):
                one.end()


def get(url):
    with DIRECT.open(url, timeout=20) as answer:
        return answer.read()


class Program:
    """A program that runs, with the lines that it has said."""

    def __init__(self, *command, cwd=None, env=None):
        self.name = command[0].rsplit("/", 1)[-1]
        self.said = ""
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.said += line

    def says(self, pattern):
        """What the group of the pattern matches, in a line or more, once it has been said."""

        def found():
            ended = self.process.poll() is not None
            match = re.search(pattern, self.said, re.MULTILINE)
            if ended and not match:
                raise SystemExit(f"{self.name} ended:\n{self.said[-3000:]}")
            return match

        return until(f"{pattern} of {self.name}", found).group(1)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Webhook:
    """Takes what Alertmanager sends, and knows the last state of each alert by receiver."""

    def __init__(self):
        self.heard = {}
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in message["alerts"]:
                    heard.setdefault((self.path.strip("/"), alert["labels"]["alertname"]), {})[alert["status"]] = alert
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def told(self, receiver, alert, status):
        """The alert, once that receiver was told so."""
        return until(f"{alert} {status} at {receiver}", lambda: self.heard.get((receiver, alert), {}).get(status))


class Prometheus:
    """A Prometheus that can be asked."""

    def __init__(self, folder, configuration):
        self.program = Program(
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder}/prometheus",
            "--web.listen-address=127.0.0.1:0",
        )
        self.url = "http://" + self.program.says(r'msg="Listening on" address=(127\.0\.0\.1:\d+)')

    def ask(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            answer = json.loads(get(url))
        except urllib.error.HTTPError as error:
            raise SystemExit(f"live: {parameters}: {error.read().decode()}") from None
        return answer["data"]

    def query(self, expression):
        return self.ask("query", query=expression)["result"]

    def firing(self):
        return {alert["labels"]["alertname"]: alert for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}


def alertmanager(folder, configuration):
    """A running Alertmanager, and its address."""
    program = Program(
        "prometheus-alertmanager",
        f"--config.file={configuration}",
        f"--storage.path={folder}/alertmanager",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
    )
    return program, program.says(r'msg="Listening on" address=(127\.0\.0\.1:\d+)')


class Redis:
    """A Redis without a file, that can be ended and started again at the same address."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self):
        self.program = Program("redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no")
        self.program.says("(Ready to accept connections)")

    def end(self):
        self.program.end()
