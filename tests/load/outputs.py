#!/usr/bin/env python3
"""Reads what a load writes by other programs than the one that wrote it.

    outputs.py SAMLGATE    SAMLGATE is the program

A load of the fake Entra writes its log of latencies and its report. By the reading of hdrhistogram the log must hold what the report says; by that
of jsonschema the report must be what `samlgate load schema` promises. Needs both packages.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import jsonschema
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = ROOT / "fixtures"
# an hour, in microseconds
LONGEST = 3_600_000_000
DIGITS = 3
SIGN_INS = 1200

CONFIG = f"""environment = "test"
[[federation]]
domain = "domain.company"
issuer = "https://authentik.company/application/saml/m365/metadata/"
certificates = ["{FIXTURES}/certificates/p256.cer"]
users = "{FIXTURES}/tenants/users.csv"
mfa_behavior = "acceptIfMfaDoneByFederatedIdp"
"""


def load(samlgate, folder):
    """Makes a load; its report."""
    (folder / "samlgate.toml").write_text(CONFIG)
    entra = [samlgate, "lab", "entra", "--config", "samlgate.toml", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(entra, cwd=folder, stderr=subprocess.PIPE, text=True) as entra:
        try:
            words = next(line.split() for line in entra.stderr if line.startswith("post"))
            pace = ["--rate", str(SIGN_INS / 3), "--requests", str(SIGN_INS), "--fail-if", "p99>30s"]
            outputs = ["--hdr", "latencies.hdr", "--json", "load.json"]
            key = ["--config", "samlgate.toml", "--key", FIXTURES / "keys/p256.pem"]
            subprocess.run([samlgate, "load", words[1], *key, *pace, *outputs], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        finally:
            entra.terminate()
    return json.loads((folder / "load.json").read_text())


def read(log):
    """All intervals of a log as one, their number, and the intervals' own longest times, in milliseconds."""
    whole = HdrHistogram(1, LONGEST, DIGITS)
    reader = HistogramLogReader(str(log), HdrHistogram(1, LONGEST, DIGITS))
    count = 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        whole.add(interval)
        count += 1
    assert reader.get_start_time_sec() > 1.7e9, reader.get_start_time_sec()
    return whole, count


def main():
    samlgate = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as folder:
        report = load(samlgate, Path(folder))
        whole, intervals = read(Path(folder) / "latencies.hdr")
    latency = report["latency"]
    assert report["totals"]["as_expected"] == SIGN_INS, report["totals"]
    assert intervals >= 3, intervals
    assert whole.get_total_count() == latency["count"] == SIGN_INS, (whole.get_total_count(), latency["count"])
    figures = {"p50": 50, "p75": 75, "p90": 90, "p95": 95, "p99": 99, "p99_9": 99.9, "p99_99": 99.99, "max": 100}
    for name, percent in figures.items():
        theirs, ours = whole.get_value_at_percentile(percent), latency[name]
        # neither may be off by more than the digits that are kept
        assert abs(theirs - ours) <= 2 * ours / 10**DIGITS + 1, (name, theirs, ours)
        print(f"{name:7} {theirs:9} µs by hdrhistogram, {ours:9} µs in the report")
    # the report carries the same histogram once more
    again = HdrHistogram.decode(latency["histogram"])
    assert again.get_total_count() == SIGN_INS and again.get_max_value() == whole.get_max_value(), again.get_max_value()
    print(f"{SIGN_INS} times in {intervals} intervals")

    schema = json.loads(subprocess.run([samlgate, "load", "schema"], check=True, stdout=subprocess.PIPE).stdout)
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    validator(schema).validate(report)
    wrong = {**report, "totals": {**report["totals"], "sent": "many"}}
    assert not validator(schema).is_valid(wrong), "the schema takes anything"
    print("the report keeps to its schema")


main()
