#!/usr/bin/env python3
"""Dashboard, alerts and runbooks fit the program: every metric that they name is one that it exports, and every alert has a page."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
CRATES = ["api", "runtime", "worker", "queue", "cli", "telemetry"]
# How a metric is recorded, with its name or with a constant; and the constants.
RECORDED = re.compile(r"\b(counter|gauge|histogram)!\(\s*(?:[a-z_]+::)?(?:\"(runnel_\w+)\"|([A-Z_]+))")
CONSTANT = re.compile(r"const ([A-Z_]+): &str = \"(runnel_\w+)\"")
NAMED = re.compile(r"\brunnel_\w+")
PAGE = re.compile(r"docs/runbooks/([\w-]+)\.md")


def exported():
    """Names of all series that the program can export."""
    constants, recorded = {}, set()
    for crate in CRATES:
        for file in sorted((ROOT / crate / "src").rglob("*.rs")):
            if "tests" in file.stem:
                continue
            text = file.read_text()
            # a constant of the same name may be in two files, so that each name stands for several metrics
            for name, metric in CONSTANT.findall(text):
                constants.setdefault(name, set()).add(metric)
            recorded.update(RECORDED.findall(text))
    series = set()
    for kind, metric, constant in recorded:
        for name in {metric} if metric else constants.get(constant, set()):
            series.add(name)
            if kind == "histogram":
                series.update(f"{name}_{part}" for part in ("bucket", "sum", "count"))
    assert len(series) > 20, f"only {len(series)} metrics found: this check does not read the sources any more"
    return series


def expressions():
    dashboard = json.loads((ROOT / "infra/grafana/dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for rule in rules():
        yield rule["alert"], rule["expr"]


def rules():
    groups = yaml.safe_load((ROOT / "infra/prometheus/alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def names_are_exported():
    known = exported()
    for where, expression in expressions():
        # a label matcher or a comparison holds no metric
        bare = re.sub(r"\{[^}]*\}", "", expression)
        for name in NAMED.findall(bare):
            if name not in known:
                yield f"{where}: the program exports no {name}"


def alerts_have_pages():
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    linked = set()
    for rule in rules():
        found = PAGE.fullmatch(rule["annotations"].get("runbook_url", ""))
        if not found:
            yield f"{rule['alert']} has no runbook_url"
        else:
            linked.add(found[1])
    for template in sorted((ROOT / "infra/cloudformation").glob("*.yaml")):
        for description in re.findall(r"AlarmDescription: (.*)", template.read_text()):
            found = PAGE.search(description)
            if not found:
                yield f"{template.name}: an alarm names no page: {description}"
            else:
                linked.add(found[1])
    yield from (f"docs/runbooks/{name}.md does not exist" for name in sorted(linked - pages))
    yield from (f"docs/runbooks/{name}.md: no alert leads there" for name in sorted(pages - linked))


def queries_are_valid(promtool):
    """Queries of the dashboard are put into rules, which Prometheus's own tool parses."""
    settings = {"$__rate_interval": "5m", "$instance": ".*"}
    written = []
    for number, (_, expression) in enumerate(expressions()):
        for name, value in settings.items():
            expression = expression.replace(name, value)
        written.append({"record": f"check:{number}", "expr": expression})
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": written}]}, file)
        file.flush()
        ended = subprocess.run([promtool, "check", "rules", file.name], capture_output=True, text=True)
    if ended.returncode != 0:
        yield f"a query is not valid: {ended.stdout}{ended.stderr}"


def main():
    problems = [*names_are_exported(), *alerts_have_pages()]
    if len(sys.argv) > 1:
        problems += queries_are_valid(sys.argv[1])
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
