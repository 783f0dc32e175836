#!/usr/bin/env python3
"""Prometheus and Alertmanager watch a running samlgate: metrics, every query, alerts that fire and end.

    live.py path/to/samlgate

`samlgate load` plants broken sign-ins; the alerts must come to a webhook at the receivers that the example of Alertmanager's configuration
names, and end when all is well again. Every query of the dashboard must have an answer, and so must every selector of the rules.
The rules are run as they are but for their times: `for` is a second, and a quarter of an hour is 20 seconds.
"""

import json
import re
import subprocess
from pathlib import Path

import yaml

from services import Prometheus, Redis, Webhook, alertmanager, check, get, until
from staging import Staging

DEPLOY = Path(__file__).resolve().parent.parent

# What is planted, and how often: each count is what the rule asks for.
FAULTS = "sound=3,replayed=1,unregistered_key=1,altered=1,wrong_issuer=1,unknown_user=3,wrong_audience=3"
EXPECTED = {
    "SamlgateSigningKeyUnknown": "on-call",
    "SamlgateSignatureInvalid": None,  # told to nobody while the key is unknown
    "SamlgateIssuerUnknown": "chat",
    "SamlgateUserUnknown": "chat",
    "SamlgateCheckFailing": None,
    "SamlgateSignInsRejected": None,
    "SamlgateAssertionReplayed": "chat",
    "SamlgateIdpClockOff": "on-call",
    "SamlgateTunnelFailing": "chat",
    "SamlgateConnectRefused": None,
    "SamlgateCertificateExpired": "chat",  # the next certificate has ended
}
# What does not end by itself within seconds.
LASTING = {"SamlgateCertificateExpired"}
# Selectors of rules that find nothing where nothing is wrong.
EMPTY = {
    "samlgate:predictions_missed:total": "nothing was predicted wrongly",
    'samlgate_certificate_last_verified_timestamp_seconds{role="next"}': "nobody signs with the next certificate",
}


def shortened(text):
    """Rules whose alerts need not be waited for."""
    text = re.sub(r"^(\s+for:) .*$", r"\1 1s", text, flags=re.MULTILINE)
    text = text.replace("store_errors_total[5m]", "store_errors_total[20s]")
    return text.replace("[15m]", "[20s]").replace("offset 15m", "offset 20s")


def configure(folder, admin, webhook):
    """Writes the configurations, and starts Alertmanager and Prometheus."""
    text = (DEPLOY / "prometheus/alertmanager.yml").read_text()
    text = text.replace("127.0.0.1:9095", f"127.0.0.1:{webhook.port}").replace("group_wait: 30s", "group_wait: 1s")
    (folder / "alertmanager.yml").write_text(text.replace("group_interval: 5m", "group_interval: 1s"))
    manager, address = alertmanager(folder, folder / "alertmanager.yml")
    yield manager

    (folder / "rules").mkdir()
    for rules in (DEPLOY / "prometheus/rules").glob("*.yml"):
        (folder / "rules" / rules.name).write_text(shortened(rules.read_text()))
    text = (DEPLOY / "prometheus/prometheus.yml").read_text()
    text = text.replace("127.0.0.1:9093", address).replace("127.0.0.1:9464", admin).replace(": 15s", ": 1s")
    (folder / "prometheus.yml").write_text(text)
    yield Prometheus(folder, folder / "prometheus.yml")


def plant(staging):
    """What is wrong with sign-ins, and with the explicit proxy.

    By this seed the replayed one is not the first. The fast clock comes last: the clock is known by the last assertion.
    """
    sent = sum(int(weight) for weight in re.findall(r"=(\d+)", FAULTS))
    cases = staging.load("--seed", "7", "--mix", FAULTS, "--requests", str(sent))["cases"]
    said = ",".join(f"{case}={told['sent']}" for case, told in cases.items())
    if sorted(said.split(",")) != sorted(FAULTS.split(",")):
        raise SystemExit(f"live: samlgate load sent {said}")
    staging.load("--mix", "not_yet_valid=1", "--requests", "1")
    wanted = {"stranger.company:443": (403, 10), "authentik.company:443": (502, 3)}
    for place, (status, times) in wanted.items():
        for _ in range(times):
            if (got := staging.asks_the_explicit_proxy_for(place)) != status:
                raise SystemExit(f"live: {place}: the explicit proxy answers {got}")


def targets():
    """Every query of the dashboard, with the panel that it is of."""
    dashboard = json.loads((DEPLOY / "grafana/samlgate.json").read_text())
    ids, names = set(), {"datasource"}
    for panel in dashboard["panels"]:
        if panel["id"] in ids or panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24:
            raise SystemExit(f"live: the panel {panel['title']} has another's id, or stands outside")
        ids.add(panel["id"])
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        names.add(variable["name"])
        if asked := re.fullmatch(r"label_values\((.+), (\w+)\)", variable.get("definition", "")):
            yield f"variable {variable['name']}", f"group by ({asked[2]}) ({asked[1]})"
    if unknown := set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard))) - names - {"__all", "__rate_interval", "__range"}:
        raise SystemExit(f"live: the dashboard has no variable {unknown}")


def filled(expression):
    """With the variables as Grafana fills them in when all is chosen."""
    for name, value in {"__rate_interval": "60s", "__range": "5m", "job": ".*", "instance": ".*", "federation": ".*"}.items():
        expression = expression.replace(f"${name}", value)
    return expression


SELECTOR = re.compile(r"\b((?:samlgate|job|job_federation|job_federation_check)[:_][a-z0-9_:]+|up|process_\w+)(\{[^}]*\})?")


def rules():
    for path in sorted((DEPLOY / "prometheus/rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def scaled_by():
    """What the HorizontalPodAutoscaler asks for, as an adapter would ask: each value of a selector by itself."""
    for metric in yaml.safe_load((DEPLOY / "kubernetes/base/hpa.yaml").read_text())["spec"]["metrics"]:
        metric = metric["pods"]["metric"]
        for choice in metric.get("selector", {}).get("matchExpressions", []):
            yield from (f'{metric["name"]}{{{choice["key"]}="{value}"}}' for value in choice["values"])
        yield metric["name"]


def check_queries(prometheus):
    """Every query of the dashboard, every rule, every selector of the rules, and what pods are scaled by."""
    asked = 0
    empty = []
    for panel, expression in targets():
        asked += 1
        if not prometheus.query(filled(expression)):
            empty.append(f"{panel}: {expression}")
    for rule in rules():
        prometheus.query(rule["expr"])
        for name, matchers in SELECTOR.findall(re.sub(r"#.*", "", rule["expr"])):
            asked += 1
            if name + matchers not in EMPTY and not prometheus.query(name + matchers):
                empty.append(f"{rule.get('alert') or rule['record']}: {name}{matchers}")
    for selector in scaled_by():
        asked += 1
        if not prometheus.query(selector):
            empty.append(f"hpa.yaml: {selector}")
    if empty:
        raise SystemExit("live: no data for\n  " + "\n  ".join(empty))
    return asked


def check_annotations(alert):
    for name, text in alert["annotations"].items():
        if not text or "<no value>" in text or "error" in text or "%!" in text:
            raise SystemExit(f"live: {alert['labels']['alertname']}: {name}: {text}")


def check_links(alert):
    """The link leads to a page, which is that of the alert; so does the link to the check."""
    annotations = alert["annotations"]
    leads = {annotations["runbook_url"]: alert["labels"]["alertname"]}
    if "check_url" in annotations:
        leads[annotations["check_url"]] = alert["labels"]["check"]
    for url, name in leads.items():
        if f"<h1>{name}</h1>" not in get(url).decode():
            raise SystemExit(f"live: {url} is not the page of {name}")


def main(samlgate, folder, started):
    store = Redis()
    started.append(store)
    staging = Staging(samlgate, folder, started, f'[replay]\nstore = "redis://127.0.0.1:{store.port}/0"\ntimeout = "500ms"')
    admin = staging.admin
    webhook = Webhook()
    running = configure(folder, admin, webhook)
    started.append(next(running))
    prometheus = next(running)
    started.append(prometheus.program)

    lint = subprocess.run(["promtool", "check", "metrics"], input=get(f"http://{admin}/metrics"), capture_output=True, check=False)
    if lint.returncode or lint.stdout or lint.stderr:
        raise SystemExit(f"live: promtool check metrics: {(lint.stdout + lint.stderr).decode()}")
    print("live: promtool check metrics finds nothing to complain of")

    until("two scrapes", lambda: prometheus.query('count_over_time(up{job="samlgate"}[1m]) >= 2'))
    plant(staging)
    until("all alerts", lambda: not (EXPECTED.keys() - prometheus.firing().keys()), lambda: EXPECTED.keys() - prometheus.firing().keys())
    firing = prometheus.firing()
    if more := firing.keys() - EXPECTED.keys():
        raise SystemExit(f"live: nobody asked for {sorted(more)}")
    for alert, receiver in EXPECTED.items():
        check_annotations(firing[alert])
        check_links(firing[alert])
        if receiver:
            webhook.told(receiver, alert, "firing")
    print(f"live: {len(firing)} alerts fire, came to who is to be told, and their links lead to their pages")

    print(f"live: {check_queries(prometheus)} queries have data")

    # the next assertions are of now
    staging.load("--requests", "3")
    for alert in EXPECTED.keys() - LASTING:
        if receiver := EXPECTED[alert]:
            webhook.told(receiver, alert, "resolved")
    until("the end of all alerts", lambda: prometheus.firing().keys() == LASTING, lambda: prometheus.firing().keys() - LASTING)
    print("live: all is well again, the alerts ended, and that was told")

    store.end()
    # fail_open: who signs in meanwhile does not notice
    staging.load("--requests", "3")
    check_annotations(webhook.told("on-call", "SamlgateReplayStoreFailing", "firing"))
    store.start()
    webhook.told("on-call", "SamlgateReplayStoreFailing", "resolved")
    errors = 'samlgate_replay_store_errors_total{job="samlgate"}'
    before = prometheus.query(errors)[0]["value"][1]
    staging.load("--requests", "3")
    until("a scrape", lambda: prometheus.query('changes(samlgate_checks_total{check="replay",outcome="pass"}[3s]) > 0'))
    if (after := prometheus.query(errors)[0]["value"][1]) != before:
        raise SystemExit(f"live: the store is not asked again: {before} errors, then {after}")
    print("live: while the store of used assertions is away people sign in, and somebody is told; then it is asked again")

    staging.proxy.end()
    check_annotations(webhook.told("on-call", "SamlgateDown", "firing"))
    print("live: without samlgate SamlgateDown fires")


if __name__ == "__main__":
    check(main, __doc__)
