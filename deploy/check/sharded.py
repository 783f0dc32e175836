#!/usr/bin/env python3
"""The Job of deploy/kubernetes/load, without a cluster: its shards run here, by its own command line, and their reports are merged.

    sharded.py path/to/samlgate

Each pod's command and configuration are as the Job and the ConfigMap have them, but for where things are (paths, the address, the fake Entra instead
of the proxy), and how much: 200 sign-ins in all. `$(…)` is put in as the kubelet would. Whatever they name of the Secret must be among what the
command above the Job puts there.
"""

import json
import re
import subprocess
from pathlib import Path

import yaml

from services import check
from staging import FIXTURES, KEY, Staging

LOAD = Path(__file__).resolve().parent.parent / "kubernetes/load"
JOB = LOAD / "job.yaml"
SECRET = "/etc/samlgate/secret/"


def commands():
    """The arguments of each pod."""
    spec = yaml.safe_load(JOB.read_text())["spec"]
    container = spec["template"]["spec"]["containers"][0]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    for index in range(spec["completions"]):
        arguments = [argument.replace("$(JOB_COMPLETION_INDEX)", str(index)) for argument in container["args"]]
        lost = [argument for argument in arguments if "$(" in argument or not placed(argument, mounts)]
        if lost:
            raise SystemExit(f"sharded: {lost}: nothing of the kind is in the pod")
        yield arguments


def placed(argument, mounts):
    path = argument.partition("=")[2]
    return not path.startswith("/") or any(path.startswith(f"{mount}/") for mount in mounts)


def configuration(folder):
    """The configuration of the ConfigMap, where this machine has what it names."""
    secret = {"users.csv": FIXTURES / "tenants/users.csv", "idp.cer": FIXTURES / "certificates/current.cer"}
    text = yaml.safe_load((LOAD / "configmap.yaml").read_text())["data"]["samlgate.toml"]
    for name, file in secret.items():
        text = text.replace(f'"{SECRET}{name}"', f'"{file}"')
    put = set(re.findall(r"--from-file=(\S+)", JOB.read_text()))
    named = {argument.partition(SECRET)[2] for pod in commands() for argument in pod if SECRET in argument} | set(secret)
    if "/etc/" in text or named != put:
        raise SystemExit(f"sharded: the Secret has {sorted(put)}, {sorted(named)} are named, and the configuration is\n{text}")
    file = folder / "load.toml"
    file.write_text(text)
    return file


def here(arguments, staging, folder):
    """The same where this machine has it."""
    at = {"--connect-to": staging.entra, "--config": configuration(folder), "--key": KEY, "--ca": folder / "ca.pem"}
    at |= {"--rate": 200, "--duration": "1s", "--pool": 0}
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name == "--json":
            yield f"--json={folder / Path(value).name}"
        else:
            yield f"{name}={at[name]}" if name in at else argument.replace("https://", "http://")


def main(samlgate, folder, started):
    staging = Staging(samlgate, folder, started)
    pods = [list(here(arguments, staging, folder)) for arguments in commands()]
    running = [subprocess.Popen([samlgate, *pod], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for pod in pods]
    for shard in running:
        said, _ = shard.communicate(timeout=120)
        if shard.returncode:
            raise SystemExit(f"sharded: {said}")
    reports = sorted(path for path in folder.glob("*.json") if re.fullmatch(r"\d+\.json", path.name))
    merged = folder / "merged.json"
    subprocess.run([samlgate, "load", "merge", *reports, "--json", merged], check=True, capture_output=True)
    report = json.loads(merged.read_text())
    sent, shards = [json.loads(path.read_text())["totals"]["sent"] for path in reports], report["settings"]["shards"]
    if len(reports) != len(pods) or sorted(shards) != [f"{number}/{len(pods)}" for number in range(1, len(pods) + 1)]:
        raise SystemExit(f"sharded: {len(pods)} pods, {len(reports)} reports, shards {shards}")
    totals = report["totals"]
    if totals["sent"] != 200 or sum(sent) != 200 or totals["as_expected"] != 200:
        raise SystemExit(f"sharded: 200 sign-ins were asked for: {sent}, {totals}")
    print(f"sharded: {len(pods)} shards sent {sent}, and their reports are one")


if __name__ == "__main__":
    check(main, __doc__)
