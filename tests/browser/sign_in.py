#!/usr/bin/env python3
"""Signs in with Chromium, through the explicit proxy, from the fake Entra to the fake identity provider and back.

    sign_in.py SAMLGATE [FOLDER]    SAMLGATE is the program; screenshots go into FOLDER

Nothing is agreed with the browser but its proxy: it takes /proxy.pac, and trusts the test CA as a tester would have it do (certutil).
Needs chromium, chromedriver, certutil and openssl, and nothing of Python's but what comes with it.
"""

import base64
import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "deploy/check"))
from services import DIRECT, PATIENCE, Program, until  # noqa: E402

ENTRA = "https://login.microsoftonline.com"
AUTHORIZE = ENTRA + "/common/oauth2/v2.0/authorize"
IDP = "authentik.company"
FORBIDDEN = "forbidden.company"


class Browser:
    """Chromium by WebDriver."""

    def __init__(self, driver, arguments):
        self.driver = driver
        options = {"args": arguments, "binary": shutil.which("chromium")}
        wanted = {"browserName": "chrome", "acceptInsecureCerts": False, "goog:chromeOptions": options}
        self.session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.driver + path, data, {"content-type": "application/json"}, method=method)
        try:
            with DIRECT.open(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def _do(self, method, path, body=None):
        return self._ask(method, f"/session/{self.session}{path}", body)

    def go(self, url):
        """Says why not, where the browser shows no page of the server."""
        try:
            self._do("POST", "/url", {"url": url})
            shown = self.text()
        except RuntimeError as error:
            shown = str(error)
        why = re.search(r"(?i)net::(ERR_\w+)", shown)
        return why and why.group(1)

    def js(self, script):
        try:
            return self._do("POST", "/execute/sync", {"script": "return " + script, "args": []})
        except RuntimeError:
            # between two pages
            return None

    def at(self, url):
        until(url, lambda: (self.js("document.readyState === 'complete' && location.href") or "").startswith(url))

    def text(self):
        return self.js("document.body.innerText") or ""

    def source(self):
        return self.js("document.documentElement.outerHTML") or ""

    def title(self):
        return self.js("document.title")

    def click(self, css):
        element = self._do("POST", "/element", {"using": "css selector", "value": css})
        self._do("POST", f"/element/{next(iter(element.values()))}/click", {})

    def shoot(self, path):
        path.write_bytes(base64.b64decode(self._do("GET", "/screenshot")))

    def end(self):
        """Leaves no window behind, whatever became of the test."""
        try:
            self._do("DELETE", "")
        except (RuntimeError, OSError) as error:
            print(f"browser: it did not end: {error}", file=sys.stderr)


class Terminator:
    """Ends TLS with a certificate by name, and passes on what is inside to one address."""

    def __init__(self, certificates, address):
        self.visits, self.address = [], address
        default, contexts = None, {}
        for name, (chain, key) in certificates.items():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(chain, key)
            contexts[name] = context
            default = default or context

        def by_name(stream, name, _context):
            stream.context = contexts.get(name, default)

        default.sni_callback = by_name
        self.context = default
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream):
        try:
            with self.context.wrap_socket(stream, server_side=True) as near:
                # whoever does not believe the certificate says nothing inside
                first = near.recv(65536)
                if not first:
                    return
                self.visits.append(re.search(rb"(?i)\r\nhost: *(\S+)", first).group(1).decode())
                with socket.create_connection(self.address) as far:
                    far.sendall(first)
                    back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
                    back.start()
                    self._copy(near, far)
                    back.join()
        except OSError:
            # the browser went away
            pass

    @staticmethod
    def _copy(near, far):
        try:
            while True:
                piece = near.recv(65536)
                if not piece:
                    break
                far.sendall(piece)
            far.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def run(*command, cwd=None, env=None):
    subprocess.run(command, cwd=cwd, env=env, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def leaf(folder, name, ca):
    """A certificate for a name, signed by a CA that may or may not speak for it."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    run(
        "openssl", "req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", str(key), "-out", str(chain), "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth",
        "-CA", str(ca / "ca.pem"), "-CAkey", str(ca / "ca.key"), "-days", "2",
    )  # fmt: skip
    return chain, key


def trusting(folder, *authorities):
    """A home whose browsers trust these."""
    home = folder / "home"
    database = home / ".pki/nssdb"
    database.mkdir(parents=True)
    run("certutil", "-d", f"sql:{database}", "-N", "--empty-password")
    for number, authority in enumerate(authorities):
        run("certutil", "-d", f"sql:{database}", "-A", "-t", "C,,", "-n", f"test {number}", "-i", str(authority))
    return home


def browsing(folder, home, arguments):
    """A browser with a profile of its own, below this home."""
    env = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()} | {"HOME": str(home)}
    driver = Program("chromedriver", "--port=0", env=env)
    port = driver.says(r"started successfully on port (\d+)")
    own = ["--headless=new", "--window-size=1000,700", f"--user-data-dir={folder / 'profile'}", "--disable-gpu"]
    if os.getuid() == 0:
        own.append("--no-sandbox")
    return driver, Browser(f"http://127.0.0.1:{port}", own + arguments)


def sign_in(browser, fault, shot=None):
    """From Entra's page to the identity provider, with a fault of its list, and back."""
    assert browser.go(AUTHORIZE) is None
    browser.at(f"https://{IDP}/sso")
    if shot:
        browser.shoot(shot)
    browser.click(f"button[value={fault}]")
    browser.at(ENTRA + "/login.srf")


class Service:
    """serve, between the two ends."""

    def __init__(self, samlgate, folder):
        run(samlgate, "ca", "--out", str(folder))
        other = folder / "idp"
        other.mkdir()
        run(samlgate, "ca", "--out", str(other), "--host", IDP)
        fixtures = ROOT / "fixtures"
        for name in ["certificates/current.cer", "certificates/next.cer", "tenants/users.csv", "keys/current.pem"]:
            shutil.copy(fixtures / name, folder)
        self.folder, self.file = folder, folder / "samlgate.toml"
        self.text = (fixtures / "tenants/default.toml").read_text().replace("../certificates/", "")
        tls = '\n[tls]\nca_certificate = "ca.pem"\nca_key = "ca.key"\n'
        self.file.write_text(self.text + tls)

        common = ["--config", "samlgate.toml", "--listen", "127.0.0.1:0"]
        self.idp = Program(samlgate, "lab", "idp", "--key", "current.pem", *common, cwd=folder)
        host, port = self.idp.says(r"choose +http://([^/]+)/").split(":")
        certificates = {IDP: leaf(folder, IDP, other), FORBIDDEN: leaf(folder, FORBIDDEN, folder)}
        self.tls = Terminator(certificates, (host, int(port)))
        sso = f"https://{IDP}/sso"
        self.entra = Program(samlgate, "lab", "entra", "--tls", "--sign-in", sso, *common, cwd=folder)
        entra = self.entra.says(r"post +https://([^/]+)/")

        at = f"127.0.0.1:{self.tls.port}"
        self.ends = (
            f'{tls}\n[listen]\nconnect = "127.0.0.1:0"\nadmin = "127.0.0.1:0"\n'
            f'[upstream]\naddress = "{entra}"\nca = "ca.pem"\n'
            f'[intercept]\ntunnel = ["{IDP}:443={at}", "{FORBIDDEN}:443={at}"]\n'
        )
        self.file.write_text(self.text + self.ends)
        self.proxy = Program(samlgate, "serve", "--config", "samlgate.toml", cwd=folder)
        self.admin = self.proxy.says(r'"admin":"([^"]+)"')
        self.home = trusting(folder, folder / "ca.pem", other / "ca.pem")

    def shown(self, path):
        with DIRECT.open(f"http://{self.admin}{path}", timeout=PATIENCE) as answer:
            return answer.read().decode()

    def metrics(self):
        return self.shown("/metrics").splitlines()

    def verdicts(self):
        """The oldest first."""
        return json.loads(self.shown("/api/verdicts"))[::-1]

    def counted(self, line):
        until(f"{line}", lambda: line in self.metrics())

    def enforce(self):
        assert 'mode = "' not in self.text
        self.file.write_text('mode = "enforce"\n' + self.text + self.ends)
        self.counted('samlgate_config_reloads_total{result="ok"} 1')

    def end(self):
        for program in [self.proxy, self.entra, self.idp]:
            program.end()


def through_serve(samlgate, folder, shots):
    service = Service(samlgate, folder)
    driver, browser = browsing(folder, service.home, [f"--proxy-pac-url=http://{service.admin}/proxy.pac"])
    prediction = 'samlgate_predictions_total{{actual="{0}",predicted="{0}"}} {1}'
    try:
        sign_in(browser, "sound", shots / "1-identity-provider.png")
        assert browser.title() == "Stay signed in?", browser.source()
        browser.shoot(shots / "2-signed-in.png")
        service.counted(prediction.format("none", 1))

        for number, (fault, code) in enumerate([("unknown_user", "51004"), ("unregistered_key", "5000811")], 3):
            sign_in(browser, fault)
            assert f"AADSTS{code}" in browser.source(), browser.source()
            browser.shoot(shots / f"{number}-{fault}.png")
            service.counted(prediction.format(code, 1))

        # the CA of the intercepted host signed a certificate for another one
        visits = len(service.tls.visits)
        refused = browser.go(f"https://{FORBIDDEN}/")
        browser.shoot(shots / "5-another-host.png")
        assert refused and refused.startswith("ERR_CERT_"), refused
        assert FORBIDDEN not in service.tls.visits, service.tls.visits[visits:]
        print(f"browser: a certificate of {FORBIDDEN} by the CA of {ENTRA}: {refused}")

        service.enforce()
        sign_in(browser, "unknown_user")
        text = browser.text()
        assert "was not accepted, and was not forwarded" in text and "Predicted: AADSTS51004" in text, text
        browser.shoot(shots / "6-enforced.png")
        sign_in(browser, "sound")
        assert browser.title() == "Stay signed in?", browser.source()
        service.counted(prediction.format("none", 2))

        # what was not forwarded was not answered by Entra
        service.counted(prediction.format("51004", 1))
        for line in [
            'samlgate_responses_total{federation="domain.company",verdict="accepted"} 2',
            'samlgate_responses_total{federation="domain.company",verdict="rejected"} 3',
            'samlgate_requests_total{listener="connect",route="inspect",status_class="2xx"} 4',
            'samlgate_requests_total{listener="connect",route="inspect",status_class="4xx"} 1',
            'samlgate_requests_total{listener="connect",route="refuse",status_class="4xx"} 0',
        ]:
            service.counted(line)
        told = [tuple(verdict[key] for key in ["verdict", "predicted", "actual", "agree"]) for verdict in service.verdicts()]
        assert told == [
            ("accepted", None, "none", True),
            ("rejected", "AADSTS51004", "AADSTS51004", True),
            ("rejected", "AADSTS5000811", "AADSTS5000811", True),
            ("rejected", "AADSTS51004", None, None),
            ("accepted", None, "none", True),
        ], told
    except BaseException:
        browser.shoot(shots / "failed.png")
        print("\n".join(service.proxy.said.splitlines()[-20:] + service.metrics()), file=sys.stderr)
        raise
    finally:
        browser.end()
        driver.end()
        service.end()


def through_the_demonstration(samlgate, folder, shots):
    """The line that is printed, as it is printed, in a home that trusts nothing new."""
    demo = Program(samlgate, "demo", "--browser")
    line = demo.says(r"^(chromium .*)$")
    arguments = shlex.split(line)[1:-1]
    arguments = [argument for argument in arguments if not argument.startswith("--user-data-dir=")]
    (folder / "home").mkdir()
    driver, browser = browsing(folder, folder / "home", arguments)
    try:
        sign_in(browser, "sound")
        assert browser.title() == "Stay signed in?", browser.source()
        browser.shoot(shots / "7-demonstration.png")
        sign_in(browser, "mail_as_name_id")
        assert "AADSTS51004" in browser.source(), browser.source()
        demo.says(r"^(your sign-in: accepted, signs in)$")
        demo.says(r"^(your sign-in: rejected, AADSTS51004)$")
    finally:
        browser.end()
        driver.end()
        demo.end()


def main():
    samlgate = str(Path(sys.argv[1]).resolve())
    shots = Path(sys.argv[2] if len(sys.argv) > 2 else tempfile.mkdtemp(prefix="samlgate-screenshots-")).resolve()
    shots.mkdir(parents=True, exist_ok=True)
    for part in [through_serve, through_the_demonstration]:
        folder = Path(tempfile.mkdtemp(prefix="samlgate-browser-"))
        try:
            part(samlgate, folder, shots)
        finally:
            # the browser's last writes may still be on their way
            until("an empty folder", lambda: shutil.rmtree(folder, ignore_errors=True) or not folder.exists())
        print(f"browser: {part.__name__.replace('_', ' ')}: well")


if __name__ == "__main__":
    main()
