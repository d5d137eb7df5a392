//! What handlers and commands may say of their progress.

use serde_json::Value;

use super::{PROGRESS_MESSAGE_BYTES_MAX, Progress};

impl Progress {
    /// Reads a number from 0 to 1, or an object with `current`, `total`, `fraction` and `message` (each optional, one at least).
    /// The fraction of an object that has `current` and `total` follows from them. `None` for anything else.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let found = match value {
            Value::Number(number) => Self {
                fraction: number.as_f64(),
                ..Self::default()
            },
            Value::Object(fields) => Self {
                fraction: fields.get("fraction").and_then(Value::as_f64),
                current: fields.get("current").and_then(Value::as_f64),
                total: fields.get("total").and_then(Value::as_f64),
                message: fields.get("message").and_then(Value::as_str).map(str::to_owned),
            },
            Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => return None,
        };
        found.checked()
    }

    /// The same with everything in its range; `None` when nothing is left or a number is none.
    #[must_use]
    pub fn checked(mut self) -> Option<Self> {
        if [self.fraction, self.current, self.total]
            .into_iter()
            .flatten()
            .any(|number| !number.is_finite())
        {
            return None;
        }
        if self.fraction.is_none()
            && let (Some(current), Some(total)) = (self.current, self.total)
            && total > 0.0
        {
            self.fraction = Some(current / total);
        }
        self.fraction = self.fraction.map(|fraction| fraction.clamp(0.0, 1.0));
        if let Some(message) = &mut self.message {
            cut(message);
        }
        (self != Self::default()).then_some(self)
    }
}

fn cut(message: &mut String) {
    if message.len() > PROGRESS_MESSAGE_BYTES_MAX {
        let end = (0..=PROGRESS_MESSAGE_BYTES_MAX)
            .rev()
            .find(|end| message.is_char_boundary(*end));
        message.truncate(end.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fraction_is_kept_between_zero_and_one() {
        let fraction = |value| Progress::read(&value).and_then(|progress| progress.fraction);
        assert_eq!(fraction(json!(0.25)), Some(0.25));
        assert_eq!(fraction(json!(7)), Some(1.0));
        assert_eq!(fraction(json!({"current": 3, "total": 12})), Some(0.25));
        assert_eq!(fraction(json!({"current": 3, "total": 0})), None);
    }

    #[test]
    fn what_says_nothing_is_no_progress() {
        for nothing in [
            json!(null),
            json!("half"),
            json!([0.5]),
            json!({}),
            json!({"other": 1}),
        ] {
            assert_eq!(Progress::read(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let read = Progress::read(&json!({"message": format!("x{}", "ü".repeat(500))}));
        let message = read.and_then(|progress| progress.message).expect("a message");
        assert_eq!(message.len(), PROGRESS_MESSAGE_BYTES_MAX - 1);
    }
}
