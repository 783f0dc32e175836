"""A staging environment on this machine: the fake Entra, the proxy in front of it, and loads of sign-ins against either."""

import http.client
import json
import shutil
import subprocess
from pathlib import Path

from services import Program

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# The registered certificates: the identity provider signs with the first; the second has ended.
KEY = FIXTURES / "keys/current.pem"
CONFIGURATION = f"""
environment = "test"

[listen]
reverse = "127.0.0.1:0"
connect = "127.0.0.1:0"
admin = "127.0.0.1:0"

[tls]
ca_certificate = "ca.pem"
ca_key = "ca.key"

[intercept]
tunnel = ["authentik.company:443=127.0.0.1:9"]      # where nobody is

[upstream]
url = "http://UPSTREAM"

REPLAY

[[federation]]
domain = "domain.company"
issuer = "https://authentik.company/application/saml/m365/metadata/"
certificates = ["{FIXTURES}/certificates/current.cer", "{FIXTURES}/certificates/expired.cer"]
users = "users.csv"
mfa_behavior = "acceptIfMfaDoneByFederatedIdp"
"""


class Staging:
    """The fake Entra and, in front of it, the proxy; both are put among what was started."""

    def __init__(self, samlgate, folder, started, replay=""):
        self.samlgate, self.folder = samlgate, folder
        self.configuration = folder / "samlgate.toml"
        subprocess.run([samlgate, "ca", "--out", folder, "--days", "1"], check=True, capture_output=True)
        # a copy is young: no alert says that the users are old
        shutil.copyfile(FIXTURES / "tenants/users.csv", folder / "users.csv")
        # the fake Entra reads of it what the tenant is, and not where the proxy forwards to
        written = CONFIGURATION.replace("REPLAY", replay)
        self.configuration.write_text(written.replace("UPSTREAM", "127.0.0.1:9"))
        entra = Program(samlgate, "lab", "entra", "--config", str(self.configuration), "--listen", "127.0.0.1:0")
        started.append(entra)
        self.entra = entra.says(r"http://(127\.0\.0\.1:\d+)")
        self.configuration.write_text(written.replace("UPSTREAM", self.entra))
        self.proxy = Program(samlgate, "serve", "--config", str(self.configuration))
        started.append(self.proxy)
        self.reverse = self.proxy.says(r'"reverse":"([^"]+)"')
        self.connect = self.proxy.says(r'"connect":"([^"]+)"')
        self.admin = self.proxy.says(r'"admin":"([^"]+)"')

    def load(self, *arguments):
        """A load through the proxy by one connection, one sign-in after the other; its report, in which every verdict is as it must be."""
        return self.load_open("--closed", "--connections", "1", "--threads", "1", *arguments)

    def load_open(self, *arguments):
        """The same at a rate, by many connections."""
        report = self.folder / "load.json"
        url = "https://login.microsoftonline.com/login.srf"
        command = [self.samlgate, "load", url, "--connect-to", self.reverse, "--ca", self.folder / "ca.pem"]
        command += ["--config", self.configuration, "--key", KEY, "--json", report, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"live: samlgate load: {done.stdout[-3000:]}{done.stderr[-3000:]}")
        return json.loads(report.read_text())

    def asks_the_explicit_proxy_for(self, place):
        """The status that it answers to a CONNECT."""
        connection = http.client.HTTPConnection(self.connect, timeout=20)
        connection.request("CONNECT", place, headers={"Host": place})
        status = connection.getresponse().status
        connection.close()
        return status
