#!/usr/bin/env python3
"""Writes the rules as a PrometheusRule for the Prometheus Operator, to deploy/kubernetes/monitoring/prometheusrule.yaml.

    prometheus_rule.py           writes the file anew
    prometheus_rule.py --check   says whether it is what the rules say
"""

import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "kubernetes/monitoring/prometheusrule.yaml"
HEAD = (
    "# Written by deploy/prometheus/prometheus_rule.py from deploy/prometheus/rules: change it there.\n"
    "# Where the links of the alerts lead, `externalLabels.samlgate_runbooks` of the Prometheus resource says: see kustomization.yaml.\n"
)


def block(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


yaml.SafeDumper.add_representer(str, block)

groups = [group for path in sorted((HERE / "rules").glob("*.yml")) for group in yaml.safe_load(path.read_text())["groups"]]
resource = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    "metadata": {"name": "samlgate", "labels": {"app.kubernetes.io/name": "samlgate"}},
    "spec": {"groups": groups},
}
text = HEAD + yaml.safe_dump(resource, sort_keys=False, width=140, allow_unicode=True)
if sys.argv[1:] == ["--check"]:
    if not TARGET.exists() or TARGET.read_text() != text:
        raise SystemExit("prometheus_rule: the PrometheusRule is not what the rules say: run deploy/prometheus/prometheus_rule.py")
else:
    TARGET.write_text(text)
