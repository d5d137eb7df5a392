"""Values of the schema's own scalars, for the fuzzer of the API."""

import hypothesis.strategies as st
import schemathesis
from graphql import parse_value

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
