"""Alerts and dashboard: promtool's own tests, and a real Prometheus that scrapes real relays and evaluates every expression."""

import json
import os
import re
import tempfile

import yaml

import rule_cases
from tools import K8S, Failed, read, run

# What Grafana puts in place of its variables.
VARIABLES = {"$namespace": ".*", "$pod": ".*", "$__rate_interval": "1m"}
# A metric of ours with its matchers, as it stands in an expression.
SELECTOR = re.compile(r"\b((?:uturn|stunner|process)_\w+)\s*(\{[^{}]*\})?")
# Of the histogram and of counters whose values come when something happens, a value that no relay has shown.
QUIET = re.compile(r'uturn_errors_total\{code="(403|486|508)"\}')


def rule_groups():
    return yaml.safe_load(read(K8S, "monitoring/prometheusrule.yaml"))["spec"]


def rules():
    """promtool: the syntax of every rule, and what fires when."""
    with tempfile.TemporaryDirectory(prefix="uturn-rules-") as dir:
        for name, content in (("rules.yaml", rule_groups()), ("test.yaml", rule_cases.document())):
            with open(os.path.join(dir, name), "w", encoding="utf-8") as file:
                yaml.safe_dump(content, file)
        run("promtool", "check", "rules", os.path.join(dir, "rules.yaml"))
        run("promtool", "test", "rules", os.path.join(dir, "test.yaml"))
    alerts = {rule["alert"] for group in rule_groups()["groups"] for rule in group["rules"]}
    if rule_cases.tested() != alerts:
        raise Failed(f"rule_cases.py: never fires: {sorted(alerts - rule_cases.tested())}; no rules: {sorted(rule_cases.tested() - alerts)}")
    return len(rule_cases.CASES)


def expressions():
    """(where it stands, expression) of every rule and every panel."""
    for group in rule_groups()["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]
    dashboard = json.loads(read(K8S, "monitoring/uturn-dashboard.json"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield f"panel {panel['title']}", expression


def selectors_of(expression):
    return {name + (matchers or "") for name, matchers in SELECTOR.findall(expression)}


def judge(where, expression, query):
    """What is wrong with an expression, asked of a Prometheus that has seen every series of ours."""
    answer = query(expression)
    if answer.get("status") != "success":
        yield f"{where}: {answer.get('error')}: {expression}"
    for selector in selectors_of(expression):
        if not query(selector)["data"]["result"] and not QUIET.fullmatch(selector):
            yield f"{where}: no such series: {selector}"


# Expressions that must be found wanting, or the check above is worth nothing.
BROKEN = (
    "rate(uturn_kernel_drop_total[5m]) > 1",
    'rate(uturn_send_drops_total{reason="overflow"}[5m])',
    'sum by (verdict) (rate(uturn_packets_total{verdict=~"dropped_.*"}[5m]))',
    "rate(uturn_kernel_drops_total[5m] > 1",
)


# Series of the same metric have the same labels, whether the value that is looked for has come or not.
LENIENT = re.compile(r"\{.*\}")
LABEL_USED = re.compile(r"\$labels\.(\w+)")
AGGREGATED_AWAY = re.compile(r"without \(([^)]*)\)")


def texts(query):
    """Annotations may name only labels that the alert's series have, and those that a scrape adds."""
    for group in rule_groups()["groups"]:
        for rule in group["rules"]:
            series = [one["metric"] for selector in selectors_of(rule["expr"]) for one in query(LENIENT.sub("", selector))["data"]["result"]]
            gone = {label.strip() for labels in AGGREGATED_AWAY.findall(rule["expr"]) for label in labels.split(",")}
            there = {label for labels in series for label in labels} - gone
            for text in rule["annotations"].values():
                for label in LABEL_USED.findall(text):
                    if label not in there:
                        yield f"alert {rule['alert']}: its text names the label {label}, which it does not have"


def dashboard():
    """What Grafana needs of a dashboard: its own identifiers, panels beside and not above each other, the data source by its variable."""
    panels = json.loads(read(K8S, "monitoring/uturn-dashboard.json"))["panels"]
    taken = {}
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if x >= 24 or (x, y) in taken:
                    raise Failed(f"panel {panel['title']} lies on {taken.get((x, y), 'the border')}")
                taken[x, y] = panel["title"]
        sources = [panel.get("datasource")] + [target["datasource"] for target in panel.get("targets", [])]
        if panel["type"] != "row" and any(source != {"type": "prometheus", "uid": "${datasource}"} for source in sources):
            raise Failed(f"panel {panel['title']}: it does not take the data source that was chosen")
    if len({panel["id"] for panel in panels}) != len(panels):
        raise Failed("two panels have the same id")
    return len(panels)


def queries(rendered):
    import scene  # Only this step needs namespaces, and root.

    with scene.Scene(rendered) as stage:
        found = [text for where, expression in expressions() for text in judge(where, expression, stage.query)]
        found += [f"nothing wrong was found in {one}" for one in BROKEN if not list(judge("broken", one, stage.query))]
        found += list(texts(stage.query))
        firing = stage.unexpected_alerts()
    if found or firing:
        raise Failed("\n".join(found + firing))
    return sum(1 for _ in expressions())
