#!/usr/bin/env python3
"""What no other program checks about the files of deploy: that they name what exists, and that each alert is tested both ways."""

import json
import re
import sys
from pathlib import Path

import yaml

DEPLOY = Path(__file__).resolve().parent.parent
ROOT = DEPLOY.parent
# Where the links of all alerts lead: where one label says, or to the default of the admin listener.
RUNBOOKS = "{{ with $externalLabels.samlgate_runbooks }}{{ . }}{{ else }}http://127.0.0.1:9464/runbooks{{ end }}"
wrong = []


def need(condition, complaint):
    if not condition:
        wrong.append(complaint)


def alerts():
    """Every alert, by severity, has a test in which it fires, and in which it is silent before or after."""
    named, fires, silent = set(), set(), set()
    for path in (DEPLOY / "prometheus/rules").glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    named.add((rule["alert"], rule["labels"]["severity"]))
                    for annotation in ("summary", "description"):
                        need(rule["annotations"].get(annotation), f"{rule['alert']} has no {annotation}")
                    need(rule["annotations"]["runbook_url"] == f"{RUNBOOKS}/{rule['alert']}", f"{rule['alert']} leads elsewhere")
    for path in (DEPLOY / "prometheus/tests").glob("*.yml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            asked = []
            for question in test.get("promql_expr_test", []):
                alert = re.search(r'alertname="(\w+)"', question["expr"])[1]
                samples = question["exp_samples"]
                asked.append((alert, {(alert, re.search(r'severity="(\w+)"', sample["labels"])[1]) for sample in samples}))
            fired = set().union(*(firing for _, firing in asked))
            fires |= fired
            # silence counts where the same severity fires at another time: without what it is for, everything is silent
            silent |= {one for one in fired for alert, firing in asked if alert == one[0] and one not in firing}
    need(named == fires, f"no test in which it fires, or a test of what is no alert: {named ^ fires}")
    need(named == silent, f"no test in which it fires and is silent at another time: {named ^ silent}")
    return len(named)


def dockerfile():
    """Copies what exists, from stages that exist, and ends as somebody who is not root."""
    folder = DEPLOY / "docker"
    text = (folder / "Dockerfile").read_text()
    stages = re.findall(r"^FROM \S+ AS (\w+)$", text, re.MULTILINE)
    allowed = [line[1:] for line in (folder / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")]
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        if stage := re.match(r"--from=(\w+)", line):
            need(stage[1] in stages, f"Dockerfile: there is no stage {stage[1]}")
        else:
            for source in line.split()[:-1]:
                need((ROOT / source).exists() and source in allowed, f"Dockerfile: {source} is not there, or ignored")
    last = text[text.rindex("\nFROM") :]
    need("nonroot" in last and "\nUSER nonroot" in last and "\nHEALTHCHECK" in last, "Dockerfile: root, or no health check")
    for folder_or_file in ("Cargo.toml", "Cargo.lock", "src"):
        need(folder_or_file in allowed, f"Dockerfile.dockerignore leaves out {folder_or_file}")


def compose():
    """Mounts what exists; the configurations inside are YAML."""
    folder = DEPLOY / "docker"
    services = yaml.safe_load((folder / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        for volume in service.get("volumes", []):
            need((folder / volume.split(":")[0]).exists(), f"compose.yaml: {name} mounts {volume}, which is not there")
        for port in service.get("ports", []):
            need(port.startswith("127.0.0.1:"), f"compose.yaml: {name} opens {port} to everybody")
    sources = yaml.safe_load((folder / "grafana/datasource.yaml").read_text())
    need(sources["datasources"][0]["url"] == "http://prometheus:9090" and "prometheus" in services, "Grafana asks nobody")


def kubernetes():
    """Kustomizations name every file beside them, and manifests speak of the same labels and ports."""
    folders = {}
    for kustomization in (DEPLOY / "kubernetes").glob("*/kustomization.yaml"):
        named = set(yaml.safe_load(kustomization.read_text())["resources"])
        there = {path.name for path in kustomization.parent.glob("*.yaml")} - {"kustomization.yaml"}
        need(named == there, f"{kustomization.parent.name}: the kustomization names other files than there are: {named ^ there}")
        made = [yaml.safe_load((kustomization.parent / name).read_text()) for name in there]
        folders[kustomization.parent.name] = {one["kind"]: one for one in made}
    kinds = folders["monitoring"] | folders["load"] | folders["base"]
    pod = kinds["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"].items()
    ports = {port["name"] for port in pod["spec"]["containers"][0]["ports"]}
    selectors = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    need(all(selector.items() <= labels for selector in selectors), "kubernetes: a selector selects no pod")
    service = kinds["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
    need(service <= kinds["Service"]["metadata"]["labels"].items(), "kubernetes: the ServiceMonitor selects no Service")
    need({port["targetPort"] for port in kinds["Service"]["spec"]["ports"]} <= ports, "kubernetes: the Service names no port")
    need(kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"], "kubernetes: nothing scales")
    job = kinds["Job"]["spec"]
    need(f"+1/{job['completions']}" in str(job["template"]["spec"]["containers"][0]["args"]), "kubernetes: more shards than pods, or fewer")
    reports = next(volume for volume in job["template"]["spec"]["volumes"] if "persistentVolumeClaim" in volume)
    claimed = kinds["PersistentVolumeClaim"]["metadata"]["name"]
    need(reports["persistentVolumeClaim"]["claimName"] == claimed, "kubernetes: the Job claims no volume")
    out = {port["port"] for rule in kinds["NetworkPolicy"]["spec"]["egress"] for port in rule["ports"]}
    need(out == {53, 443, 6379, 4318}, "kubernetes: the way to DNS, https, the shared store or the collector is not open, or another is")
    for folder, spec in (("base", pod["spec"]), ("load", job["template"]["spec"])):
        claim = next(volume for volume in spec["volumes"] if "configMap" in volume)
        need(claim["configMap"]["name"] == folders[folder]["ConfigMap"]["metadata"]["name"], f"kubernetes: no such ConfigMap in {folder}")


def main():
    if sys.argv[1:] == ["--config"]:
        print(yaml.safe_load((DEPLOY / "kubernetes/base/configmap.yaml").read_text())["data"]["samlgate.toml"])
        return
    tested = alerts()
    dockerfile()
    compose()
    kubernetes()
    json.loads((DEPLOY / "grafana/samlgate.json").read_text())
    if wrong:
        raise SystemExit("files: " + "\nfiles: ".join(wrong))
    print(f"files: {tested} alerts, counted by severity, are tested both ways; what the files name is there")


main()
