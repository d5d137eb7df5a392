//! Secrets: resolved at the last moment, redacted from everything that is reported.
//!
//! A task message names its secrets and carries marks `‹secret:NAME:MARK›` where their values belong. `MARK` is unguessable,
//! so data that merely looks like a mark is left alone. Values come from `RUNNEL_SECRET_<NAME>`, from the file named by
//! `RUNNEL_SECRET_<NAME>_FILE`, or from the orchestrator's store over the control channel.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use runnel_queue::{Failure, FailureCategory, TaskMessage};
use serde_json::Value;

use crate::supply::Supplies;
use crate::task::TaskError;

/// Shortest value: a shorter one occurs in any text, and could not be kept out of what is reported.
const VALUE_BYTES_MIN: usize = 6;

/// Lines of a secret of several lines that are shorter are common words, not secrets.
const LINE_BYTES_MIN: usize = 8;

const REPLACEMENT: &str = "***";

/// The secrets of one attempt: where its message names them, and what they are.
#[derive(Default)]
pub struct Secrets {
    /// (mark, value).
    marks: Vec<(String, String)>,
    redactor: Redactor,
}

impl Secrets {
    /// Resolves what the message names: from the worker's environment, from files that it names, then from the stored secrets.
    pub(crate) async fn resolve(message: &TaskMessage, supplies: &Supplies) -> Result<Self, TaskError> {
        if message.secrets.is_empty() {
            return Ok(Self::default());
        }
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for name in &message.secrets {
            match find_value(name) {
                Some(value) => drop(values.insert(name.clone(), value)),
                None => missing.push(name.clone()),
            }
        }
        values.extend(supplies.secrets(&message.at, &missing).await?);
        if let Some(name) = message.secrets.iter().find(|name| !values.contains_key(*name)) {
            return Err(not_found(name, supplies.channel.is_some()));
        }
        Self::of(message, values)
    }

    /// Of values by name that are at hand.
    ///
    /// # Errors
    /// A value is missing, or so short that it could not be kept out of what is reported.
    pub fn of(message: &TaskMessage, mut values: BTreeMap<String, String>) -> Result<Self, TaskError> {
        let mut marks = Vec::with_capacity(message.secrets.len());
        let mut redactor = Redactor::default();
        for name in &message.secrets {
            let value = values.remove(name).ok_or_else(|| not_found(name, false))?;
            if value.len() < VALUE_BYTES_MIN {
                return Err(too_short(name));
            }
            redactor.add(&value);
            marks.push((format!("‹secret:{name}:{}›", message.secret_mark), value));
        }
        redactor.finish();
        Ok(Self { marks, redactor })
    }

    /// Puts the values in place of the marks, in every string of the value.
    pub fn reveal(&self, value: &mut Value) {
        if !self.marks.is_empty() {
            for_each_string(value, &mut |text| self.reveal_text(text));
        }
    }

    pub(crate) fn reveal_env(&self, env: &mut BTreeMap<String, String>) {
        env.values_mut().for_each(|text| self.reveal_text(text));
    }

    /// What takes the values out of everything that is reported.
    #[must_use]
    pub fn into_redactor(self) -> Redactor {
        self.redactor
    }

    fn reveal_text(&self, text: &mut String) {
        for (mark, value) in &self.marks {
            if text.contains(mark.as_str()) {
                *text = text.replace(mark.as_str(), value);
            }
        }
    }
}

/// Puts what marks stand for in their places, in every string of the value.
pub(crate) fn fill(value: &mut Value, marks: &BTreeMap<String, String>) {
    if !marks.is_empty() {
        for_each_string(value, &mut |text| {
            for (mark, stands_for) in marks {
                if text.contains(mark.as_str()) {
                    *text = text.replace(mark.as_str(), stands_for);
                }
            }
        });
    }
}

/// Replaces secret values, plain and in the usual encodings. Its Debug shows none of them.
#[derive(Default, Clone)]
pub struct Redactor {
    patterns: Vec<String>,
}

impl Redactor {
    fn add(&mut self, value: &str) {
        if value.is_empty() {
            return;
        }
        let bytes = value.as_bytes();
        let json = Value::from(value).to_string();
        self.patterns.extend([
            value.to_owned(),
            json.trim_matches('"').to_owned(),
            STANDARD.encode(bytes),
            STANDARD_NO_PAD.encode(bytes),
            URL_SAFE.encode(bytes),
            URL_SAFE_NO_PAD.encode(bytes),
            percent_encode(bytes, "%20"),
            percent_encode(bytes, "+"),
        ]);
        // output is handled line by line, so each line of a key file has to be known
        if value.contains('\n') {
            self.patterns.extend(
                value
                    .lines()
                    .filter(|line| line.len() >= LINE_BYTES_MIN)
                    .map(str::to_owned),
            );
        }
    }

    /// Longest first, so that a pattern inside another never leaves the rest of it visible.
    fn finish(&mut self) {
        self.patterns
            .sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.patterns.dedup();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.patterns.is_empty()
    }

    /// A text without them.
    #[must_use]
    pub fn text(&self, text: String) -> String {
        self.patterns.iter().fold(text, |text, pattern| {
            if text.contains(pattern.as_str()) {
                text.replace(pattern.as_str(), REPLACEMENT)
            } else {
                text
            }
        })
    }

    /// Takes them out of every text, key and number of a value.
    pub fn value(&self, value: &mut Value) {
        if !self.is_idle() {
            for_each_string(value, &mut |text| *text = self.text(std::mem::take(text)));
            self.numbers(value);
        }
    }

    /// A secret of digits is a secret as a number too.
    fn numbers(&self, value: &mut Value) {
        match value {
            Value::Number(number) => {
                let text = number.to_string();
                if self
                    .patterns
                    .iter()
                    .any(|pattern| text.contains(pattern.as_str()))
                {
                    *value = Value::from(REPLACEMENT);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.numbers(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.numbers(field)),
            Value::Null | Value::Bool(_) | Value::String(_) => {}
        }
    }

    /// Takes them out of a failure.
    pub fn failure(&self, failure: &mut Failure) {
        failure.message = self.text(std::mem::take(&mut failure.message));
        failure.traceback = failure.traceback.take().map(|text| self.text(text));
        if let Some(details) = &mut failure.details {
            self.value(details);
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} patterns)", self.patterns.len())
    }
}

fn not_found(name: &str, has_channel: bool) -> TaskError {
    let variable = variable_name(name);
    let stored = if has_channel {
        "or store it with `runnel secret set`"
    } else {
        "or store it with `runnel secret set` and give the worker RUNNEL_API_URL"
    };
    TaskError::new(
        FailureCategory::Input,
        "SECRET_NOT_FOUND",
        format!(
            "secret `{name}` is not configured here: set {variable} or {variable}_FILE on the worker, {stored}"
        ),
    )
}

fn too_short(name: &str) -> TaskError {
    TaskError::new(
        FailureCategory::Input,
        "SECRET_TOO_SHORT",
        format!(
            "the value of secret `{name}` has fewer than {VALUE_BYTES_MIN} bytes and could not be kept out of logs and outputs"
        ),
    )
}

fn find_value(name: &str) -> Option<String> {
    let variable = variable_name(name);
    for variable in [format!("RUNNEL_SECRET_{name}"), variable] {
        if let Ok(value) = std::env::var(&variable) {
            return Some(value);
        }
        if let Ok(path) = std::env::var(format!("{variable}_FILE")) {
            let text = std::fs::read_to_string(path).ok()?;
            // editors and `echo` end files with a line break that is no part of the secret
            return Some(text.strip_suffix('\n').unwrap_or(&text).to_owned());
        }
    }
    None
}

fn variable_name(name: &str) -> String {
    let legal = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("RUNNEL_SECRET_{}", name.chars().map(legal).collect::<String>())
}

fn percent_encode(bytes: &[u8], space: &str) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for byte in bytes {
        match byte {
            b' ' => out.push_str(space),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte))
            }
            // writing to a String cannot fail
            other => drop(write!(out, "%{other:02X}")),
        }
    }
    out
}

/// Visits every string, keys of objects included.
fn for_each_string(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter_mut().for_each(|item| for_each_string(item, visit)),
        Value::Object(fields) => {
            let entries = std::mem::take(fields);
            fields.extend(entries.into_iter().map(|(mut key, mut value)| {
                visit(&mut key);
                for_each_string(&mut value, visit);
                (key, value)
            }));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secrets(values: &[(&str, &str)]) -> Secrets {
        let mut secrets = Secrets::default();
        for (name, value) in values {
            secrets
                .marks
                .push((format!("‹secret:{name}:m1›"), (*value).to_owned()));
            secrets.redactor.add(value);
        }
        secrets.redactor.finish();
        secrets
    }

    #[test]
    fn marks_become_values_and_lookalikes_stay() {
        let mut input = json!({"h": ["Bearer ‹secret:T:m1›", "‹secret:T:zz›", "‹secret:U:m1›"], "n": 1});
        secrets(&[("T", "v4lue")]).reveal(&mut input);
        assert_eq!(
            input,
            json!({"h": ["Bearer v4lue", "‹secret:T:zz›", "‹secret:U:m1›"], "n": 1})
        );
    }

    #[test]
    fn a_value_never_passes_in_any_encoding() {
        let value = "p@ss \"w/rd\"+ü";
        let redactor = secrets(&[("P", value)]).into_redactor();
        let encoded = [
            value.to_owned(),
            STANDARD.encode(value),
            URL_SAFE_NO_PAD.encode(value),
            "p%40ss%20%22w%2Frd%22%2B%C3%BC".to_owned(),
            "p%40ss+%22w%2Frd%22%2B%C3%BC".to_owned(),
            Value::from(value).to_string(),
        ];
        for text in encoded {
            let clean = redactor.text(format!("before {text} after"));
            assert!(
                clean.starts_with("before ") && clean.contains(REPLACEMENT),
                "{clean}"
            );
            assert!(!clean.contains("rd") && !clean.contains(&text), "{clean}");
        }
    }

    #[test]
    fn keys_details_and_tracebacks_are_redacted() {
        let redactor = secrets(&[("P", "hunter22")]).into_redactor();
        let mut value = json!({"hunter22": {"deep": ["x hunter22"]}});
        redactor.value(&mut value);
        let mut failure = TaskError::input("no hunter22")
            .with_details(json!(["hunter22"]))
            .with_traceback("at hunter22")
            .into_failure();
        redactor.failure(&mut failure);
        assert!(!format!("{value}{failure:?}{redactor:?}").contains("hunter22"));
    }

    #[test]
    fn a_secret_of_digits_is_redacted_as_a_number_too() {
        let redactor = secrets(&[("PIN", "73519264")]).into_redactor();
        let mut value = json!({"pin": 73_519_264, "list": [1, 173_519_264]});
        redactor.value(&mut value);
        assert_eq!(value, json!({"pin": "***", "list": [1, "***"]}));
    }

    #[test]
    fn each_line_of_a_long_secret_is_redacted() {
        let redactor =
            secrets(&[("K", "-----BEGIN KEY-----\nMIIabcdefgh\n-----END KEY-----")]).into_redactor();
        assert_eq!(redactor.text("MIIabcdefgh".to_owned()), REPLACEMENT);
    }

    #[test]
    fn a_secret_inside_another_leaves_nothing_behind() {
        let redactor = secrets(&[("A", "abc"), ("B", "abcdef")]).into_redactor();
        assert_eq!(redactor.text("abcdef abc".to_owned()), "*** ***");
    }

    #[test]
    fn names_become_legal_variables() {
        assert_eq!(variable_name("api-key.v2"), "RUNNEL_SECRET_API_KEY_V2");
    }
}
