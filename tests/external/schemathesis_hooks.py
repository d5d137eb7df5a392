"""Values of the schema's own scalars, and what counts as a failure, for the fuzzer of the API."""

import hypothesis.strategies as st
import schemathesis
from graphql import parse_value
from schemathesis.checks import not_a_server_error

JSON = [
    "null",
    "1",
    "1.5",
    "true",
    '"a"',
    "[]",
    "[1, {a: null}]",
    "{}",
    '{a: {b: ["c"]}}',
    '{specversion: "1.0", id: "1", source: "/s", type: "t", data: {a: 1}}',
]

schemathesis.graphql.scalar("JSON", st.sampled_from(JSON).map(parse_value))


@schemathesis.check
def no_server_error(ctx, response, case):
    """As `not_a_server_error`; that an idempotency key is taken by another request is the documented answer, at the top level."""
    errors = response.json().get("errors") or [] if response.status_code == 200 else []
    if errors and all(error.get("extensions", {}).get("code") == "CONFLICT" for error in errors):
        return None
    return not_a_server_error(ctx, response, case)
