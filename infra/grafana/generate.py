#!/usr/bin/env python3
"""Writes dashboard.json beside it: `generate.py`, or `generate.py --check` to fail when it is not what this would write."""

import json
import pathlib
import sys

TARGET = pathlib.Path(__file__).with_name("dashboard.json")
EVERY = "$__rate_interval"


def rate(metric, by="", where=""):
    total = f"sum by ({by}) " if by else "sum "
    selector = f'instance=~"$instance"{"," + where if where else ""}'
    return f"{total}(rate({metric}{{{selector}}}[{EVERY}]))"


def quantiles(metric, where=""):
    return [(f"p{int(q * 100)}", f"histogram_quantile({q}, {rate(metric + '_bucket', 'le', where)})") for q in (0.5, 0.95, 0.99)]


def value(metric, by="", function="max"):
    """States are read from the shared database by every server alike: not to be added up over them."""
    return f'{function} by ({by}) ({metric}{{instance=~"$instance"}})' if by else f'{function}({metric}{{instance=~"$instance"}})'


# Rows of panels: title, unit, what it means, lines as (legend, expression).
ROWS = [
    ("Is it going well?", [
        ("Tasks ended", "ops", "Every task that came to an end, by how.", [("{{status}}", rate("runnel_tasks_ended_total", "status"))]),
        ("Runs started and ended", "ops", "When more start than end for long, something is too slow.", [
            ("started", rate("runnel_runs_started_total")), ("{{status}}", rate("runnel_runs_ended_total", "status"))]),
        ("Runs that have not ended", "short", "Where the open runs are.", [("{{status}}", value("runnel_runs", "status"))]),
        ("Oldest waiting attempt", "s", "How long tasks wait for a worker, per queue: the first sign of too few workers.", [
            ("{{queue}}", value("runnel_queue_oldest_age_seconds", "queue"))]),
        ("From ready to sent", "s", "From what makes a task ready to the acceptance of its message.", quantiles("runnel_dispatch_seconds")),
        ("From report to commit", "s", "From the receipt of reports to the commit of what they change.", quantiles("runnel_report_seconds")),
    ]),
    ("Queues and workers", [
        ("Attempts per queue", "short", "Dispatched and waiting, or running.", [("{{queue}} {{state}}", value("runnel_queue_tasks", "queue, state"))]),
        ("Messages per queue", "short", "What the queue service says.", [("{{queue}} {{state}}", value("runnel_queue_messages", "queue, state"))]),
        ("Workers and their slots", "short", "Who said that he is there, and how much he does at once.", [
            ("{{queue}} workers", value("runnel_workers", "queue")), ("{{queue}} slots", value("runnel_worker_slots_registered", "queue"))]),
        ("Attempts of workers", "ops", "By result, as the workers count them.", [("{{result}}", rate("runnel_worker_attempts_total", "result"))]),
        ("Use of slots", "percentunit", "Near 1: more workers would do more.", [
            ("{{instance}}", 'runnel_worker_in_flight{instance=~"$instance"} / runnel_worker_slots{instance=~"$instance"}')]),
        ("Length of attempts", "s", "From receipt to result.", quantiles("runnel_worker_attempt_seconds")),
        ("CPU time of attempts", "s", "Of those that start processes.", quantiles("runnel_worker_cpu_seconds")),
        ("Memory of attempts", "bytes", "Of those that start processes.", quantiles("runnel_worker_memory_bytes")),
        ("Bytes in and out", "Bps", "Inputs and outputs of attempts.", [
            ("in", rate("runnel_worker_input_bytes_total")), ("out", rate("runnel_worker_output_bytes_total"))]),
        ("Messages received", "ops", "And receive calls that failed.", [
            ("received", rate("runnel_worker_received_total")), ("failed calls", rate("runnel_worker_receive_errors_total"))]),
    ]),
    ("Orchestrator", [
        ("Records committed", "ops", "Work of the database, whatever it is for.", [("records", rate("runnel_records_total")), ("reports", rate("runnel_reports_total"))]),
        ("Time of a batch", "s", "From its begin to its commit.", quantiles("runnel_apply_seconds")),
        ("Inputs of a batch", "short", "Large batches mean load, not trouble.", quantiles("runnel_apply_batch_items")),
        ("Inputs that wait", "short", "For an applier; growing means that the database is the limit.", [("{{instance}}", value("runnel_apply_waiting", "instance"))]),
        ("Outbox", "short", "Messages that wait to be sent.", [("rows", value("runnel_outbox_rows"))]),
        ("Oldest message of the outbox", "s", "Growing means that the queue service does not take them.", [("age", value("runnel_outbox_oldest_age_seconds"))]),
        ("Messages sent", "ops", "And refused, which are sent again.", [("sent", rate("runnel_relay_sent_total")), ("refused", rate("runnel_relay_failed_total"))]),
        ("Connections of the database", "short", "Of each server's pool.", [
            ("{{instance}} {{state}}", value("runnel_database_connections", "instance, state")), ("most", value("runnel_database_connections_max"))]),
        ("Tried again", "ops", "Lost races between replicas, broken transactions.", [
            ("{{reason}}", rate("runnel_apply_retries_total", "reason")), ("{{action}}", rate("runnel_store_retries_total", "action"))]),
        ("Latest alarm", "s", "How late the earliest alarm of a run is; seconds are normal.", [("late", value("runnel_alarm_overdue_seconds"))]),
    ]),
    ("What should be nothing", [
        ("Open dead letters", "short", "Nobody has replayed or discarded them.", [("open", value("runnel_dead_letters_open")), ("{{queue}} in SQS", value("runnel_dead_letter_messages", "queue"))]),
        ("Refused reports", "ops", "Without a valid token, or unreadable.", [("forged", rate("runnel_reports_forged_total")), ("malformed", rate("runnel_reports_malformed_total"))]),
        ("Runs in quarantine", "short", "Could not be applied, and were left as they are.", [("runs", f'sum(increase(runnel_apply_quarantined_total{{instance=~"$instance"}}[{EVERY}]))')]),
        ("Lost rows of the audit log", "short", "They were logged instead.", [("rows", f'sum(increase(runnel_audit_lost_total{{instance=~"$instance"}}[{EVERY}]))')]),
    ]),
    ("API and the rest", [
        ("GraphQL operations", "ops", "By kind and outcome.", [("{{kind}} {{outcome}}", rate("runnel_graphql_operations_total", "kind, outcome"))]),
        ("Live subscriptions", "short", "Of each server.", [("{{instance}}", value("runnel_subscriptions", "instance"))]),
        ("Large values", "ops", "Written, read, and deleted because nothing refers to them.", [
            (word, rate(f"runnel_payloads_{word}_total")) for word in ("written", "read", "deleted")]),
        ("Spans of traces", "ops", "Dropped ones: the receiver is away or too slow.", [
            ("exported", rate("runnel_trace_spans_exported_total")), ("dropped", rate("runnel_trace_spans_dropped_total"))]),
        ("Refused webhooks", "ops", "Wrong signature, or not known.", [("refused", rate("runnel_webhook_refusals_total"))]),
        ("Versions", "short", "Two while an upgrade goes on.", [("{{version}}", 'count by (version) (runnel_build_info{instance=~"$instance"})')]),
    ]),
]


def panels():
    source = {"type": "prometheus", "uid": "${source}"}
    number, y = 0, 0
    for title, row in ROWS:
        number += 1
        yield {"id": number, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": 24, "h": 1}}
        y += 1
        for place, (name, unit, meaning, lines) in enumerate(row):
            number += 1
            yield {
                "id": number,
                "type": "timeseries",
                "title": name,
                "description": meaning,
                "datasource": source,
                "gridPos": {"x": place % 3 * 8, "y": y + place // 3 * 7, "w": 8, "h": 7},
                "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 8, "showPoints": "never"}}, "overrides": []},
                "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
                "targets": [
                    {"refId": chr(ord("A") + n), "datasource": source, "expr": expression, "legendFormat": legend}
                    for n, (legend, expression) in enumerate(lines)
                ],
            }
        y += (len(row) + 2) // 3 * 7


def dashboard():
    return {
        "uid": "runnel",
        "title": "Runnel",
        "tags": ["runnel"],
        "schemaVersion": 41,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "source", "type": "datasource", "query": "prometheus", "label": "Source"},
                {
                    "name": "instance",
                    "type": "query",
                    "label": "Process",
                    "datasource": {"type": "prometheus", "uid": "${source}"},
                    "query": {"query": "label_values(runnel_build_info, instance)", "refId": "instance"},
                    "refresh": 2,
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                },
            ]
        },
        "annotations": {"list": []},
        "panels": list(panels()),
    }


def main():
    text = json.dumps(dashboard(), indent=1) + "\n"
    if "--check" not in sys.argv:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        sys.exit(f"{TARGET.name} is not what generate.py writes: run it")


if __name__ == "__main__":
    main()
