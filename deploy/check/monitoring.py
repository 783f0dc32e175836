#!/usr/bin/env python3
"""What is given to the Prometheus Operator, by the models that were made of its definitions (CRDs, v0.80.1).

These models pass over fields that they do not know, and an API server refuses them: so what they kept must be all that was written.
"""

from pathlib import Path

import yaml
from cloudcoil.models.prometheus_operator import v1
from pydantic import ValidationError

MONITORING = Path(__file__).resolve().parent.parent / "kubernetes/monitoring"
MODELS = {"prometheusrule.yaml": v1.PrometheusRule, "servicemonitor.yaml": v1.ServiceMonitor}


def complaint(model, written):
    """What is wrong; none if nothing is."""
    try:
        kept = model.model_validate(written).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except ValidationError as error:
        return str(error)
    return None if kept == written else f"unknown fields: {sorted(set(leaves(written)) - set(leaves(kept)))}"


def leaves(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield f"{path} = {value!r}"


def broken(written):
    """The same with a field that nobody knows in its innermost part, and without what it must have."""
    part, parents = written["spec"], []
    while isinstance(part, dict):
        parents.append(part)
        part = next((inner[0] for inner in part.values() if isinstance(inner, list)), None)
    parents[-1]["nonsense"] = "1"
    yield written
    del parents[-1]["nonsense"]
    del written["spec"]
    yield written


for name, model in MODELS.items():
    text = (MONITORING / name).read_text()
    if wrong := complaint(model, yaml.safe_load(text)):
        raise SystemExit(f"monitoring: {name}: {wrong}")
    for number, wrong in enumerate(broken(yaml.safe_load(text))):
        if not complaint(model, wrong):
            raise SystemExit(f"monitoring: the models find nothing in what is broken: {name}, {number}")
print(f"monitoring: {len(MODELS)} resources are as the Prometheus Operator defines them")
