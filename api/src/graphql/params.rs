//! The parameters of a GraphQL request, and the checked operation they become.

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Request, Variables};
use serde_json::{Map, Value};

use super::{cost, lexer};
use crate::error::{ApiError, Code};

/// As received, over any transport.
#[derive(Debug)]
pub(crate) struct Params {
    query: String,
    operation_name: Option<String>,
    variables: Map<String, Value>,
}

/// Parsed, within the limits, and ready to run.
#[derive(Debug)]
pub(crate) struct Operation {
    /// For the executor; the document is parsed already.
    pub(crate) request: Request,
    /// What it does.
    pub(crate) kind: OperationType,
}

impl Params {
    /// From the JSON object of a body or message.
    pub(crate) fn from_json(mut map: Map<String, Value>) -> Result<Self, ApiError> {
        let query = match map.remove("query") {
            Some(Value::String(query)) => query,
            _ => return Err(bad("`query` must be a string")),
        };
        let operation_name = match map.remove("operationName") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(name),
            Some(_) => return Err(bad("`operationName` must be a string")),
        };
        let variables = object(map.remove("variables"), "`variables` must be an object")?;
        object(map.remove("extensions"), "`extensions` must be an object")?;
        Ok(Self {
            query,
            operation_name,
            variables,
        })
    }

    /// From the pairs of a query string.
    pub(crate) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Self, ApiError> {
        let mut map = Map::new();
        for (name, text) in pairs {
            let is_json = name == "variables" || name == "extensions";
            let value = if is_json {
                serde_json::from_str(&text).map_err(|_| bad("`variables` and `extensions` must be JSON"))?
            } else {
                Value::String(text)
            };
            map.insert(name, value);
        }
        Self::from_json(map)
    }

    /// Parses and measures the document and finds the operation.
    pub(crate) fn prepare(self) -> Result<Operation, ApiError> {
        let Self {
            query,
            operation_name,
            variables,
        } = self;
        refuse_nul(&query, &variables)?;
        lexer::check(&query)?;
        let document = async_graphql::parser::parse_query(&query)
            .map_err(|e| ApiError::new(Code::GraphqlParseFailed, e.to_string()))?;
        let kind = find(&document, operation_name.as_deref())?.ty;
        cost::check(&document, &variables, &cost::Limits::default())?;
        let mut request = Request::new(query).variables(Variables::from_json(Value::Object(variables)));
        if let (Some(name), DocumentOperations::Multiple(_)) = (operation_name, &document.operations) {
            request = request.operation_name(name);
        }
        request.set_parsed_query(document);
        Ok(Operation { request, kind })
    }
}

fn bad(message: &str) -> ApiError {
    ApiError::new(Code::BadRequest, message)
}

fn object(value: Option<Value>, message: &str) -> Result<Map<String, Value>, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(bad(message)),
    }
}

fn find<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ApiError> {
    let unresolved = |message| ApiError::new(Code::OperationResolutionFailure, message);
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(&operation.node),
        // a document with one anonymous operation has no operation of any name
        (DocumentOperations::Single(_), Some(_)) => {
            Err(unresolved("there is no operation with this `operationName`"))
        }
        (DocumentOperations::Multiple(all), Some(name)) => match all.get(name) {
            Some(operation) => Ok(&operation.node),
            None => Err(unresolved("there is no operation with this `operationName`")),
        },
        (DocumentOperations::Multiple(all), None) => match all.values().next() {
            Some(operation) if all.len() == 1 => Ok(&operation.node),
            _ => Err(unresolved("`operationName` must name one of the operations")),
        },
    }
}

/// PostgreSQL cannot store U+0000 in a text, so no string of a request may contain it; the same everywhere, so that no
/// resolver has to think of it.
fn refuse_nul(query: &str, variables: &Map<String, Value>) -> Result<(), ApiError> {
    fn has_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(has_nul),
            Value::Object(map) => map
                .iter()
                .any(|(key, value)| key.contains('\0') || has_nul(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
    if query.contains('\0') || query.contains("\\u0000") || variables.values().any(has_nul) {
        return Err(ApiError::input("strings may not contain the character U+0000"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::types::OperationType;
    use serde_json::json;

    use super::Params;
    use crate::error::Code;

    fn prepare(value: &serde_json::Value) -> Result<OperationType, Code> {
        let params = Params::from_json(value.as_object().cloned().unwrap_or_default());
        params
            .and_then(Params::prepare)
            .map(|operation| operation.kind)
            .map_err(|e| e.code)
    }

    #[test]
    fn parameters_of_wrong_types_are_bad_requests() {
        for value in [
            json!({}),
            json!({ "query": 1 }),
            json!({ "query": null }),
            json!({ "query": "{ a }", "operationName": 1 }),
            json!({ "query": "{ a }", "variables": [] }),
            json!({ "query": "{ a }", "variables": "{}" }),
            json!({ "query": "{ a }", "extensions": 7 }),
        ] {
            assert_eq!(prepare(&value), Err(Code::BadRequest), "{value}");
        }
        let nulls = json!({ "query": "{ a }", "operationName": null, "variables": null, "extensions": null });
        assert_eq!(prepare(&nulls), Ok(OperationType::Query));
    }

    #[test]
    fn the_named_operation_decides_what_is_done() {
        let two = "query A { a } mutation B { b }";
        assert_eq!(
            prepare(&json!({ "query": two, "operationName": "B" })),
            Ok(OperationType::Mutation)
        );
        for name in [json!(null), json!("C")] {
            let got = prepare(&json!({ "query": two, "operationName": name }));
            assert_eq!(got, Err(Code::OperationResolutionFailure));
        }
    }

    #[test]
    fn nul_is_refused_in_texts_and_variables() {
        let text = json!({ "query": "{ a(b: \"\\u0000\") }" });
        assert_eq!(prepare(&text), Err(Code::BadUserInput));
        let variable =
            json!({ "query": "query($x: JSON) { a(b: $x) }", "variables": { "x": { "k": ["a\u{0}"] } } });
        assert_eq!(prepare(&variable), Err(Code::BadUserInput));
    }
}
