//! Scalars of the schema, each with a link to what specifies it.

use std::time::Duration as StdDuration;

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::DateTime as ChronoDateTime;
use runnel_engine::Timestamp;

use crate::error::ApiError;

/// A moment: RFC 3339 in UTC with microseconds, as `2026-01-31T09:30:00.000000Z`. Input may have any offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateTime(pub(crate) Timestamp);

/// A moment: RFC 3339 in UTC with microseconds, as `2026-01-31T09:30:00.000000Z`. Input may have any offset.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for DateTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let time = ChronoDateTime::parse_from_rfc3339(text)
            .map_err(|_| InputValueError::custom("must be an RFC 3339 time such as 2026-01-31T09:30:00Z"))?;
        Ok(Self(Timestamp(time.timestamp_micros())))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_rfc3339())
    }
}

/// A length of time: ISO 8601, as `PT1.5S`. Input may also be as in workflow files, `90s` or `1h30m`, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Duration(pub(crate) StdDuration);

/// A length of time: ISO 8601, as `PT1.5S`. Input may also be as in workflow files, `90s` or `1h30m`, to the millisecond.
#[Scalar(specified_by_url = "https://www.iso.org/iso-8601-date-and-time-format.html")]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        runnel_engine::source::read_duration(text)
            .map(Self)
            .map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        let (seconds, micros) = (self.0.as_secs(), self.0.subsec_micros());
        let fraction = if micros == 0 {
            String::new()
        } else {
            format!(".{micros:06}")
        };
        let fraction = fraction.trim_end_matches('0');
        Value::String(format!("PT{seconds}{fraction}S"))
    }
}

/// Any JSON value, as itself and not as a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Json(pub(crate) Value);

/// Any JSON value, as itself and not as a text.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        Ok(Self(value))
    }

    fn to_value(&self) -> Value {
        self.0.clone()
    }
}

impl Json {
    /// From a stored JSON text.
    pub(crate) fn from_text(text: &str) -> Result<Self, ApiError> {
        serde_json::from_str(text)
            .map(Self)
            .map_err(|_| ApiError::internal("stored JSON text does not parse"))
    }

    /// From a value of the store.
    pub(crate) fn from_json(value: serde_json::Value) -> Self {
        Value::from_json(value).map_or(Self(Value::Null), Self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration as StdDuration;

    use async_graphql::{ScalarType, Value};
    use runnel_engine::Timestamp;

    use super::{DateTime, Duration, Json};

    #[test]
    fn durations_are_iso_8601_without_trailing_zeros() {
        for (millis, text) in [
            (0, "PT0S"),
            (1_500, "PT1.5S"),
            (61_000, "PT61S"),
            (1, "PT0.001S"),
            (10_010, "PT10.01S"),
        ] {
            assert_eq!(
                Duration(StdDuration::from_millis(millis)).to_value(),
                Value::from(text)
            );
        }
    }

    #[test]
    fn times_are_read_with_any_offset_and_written_in_utc() {
        let time = DateTime::parse(Value::from("2026-01-31T10:30:00.25+01:00")).unwrap();
        assert_eq!(time.to_value(), Value::from("2026-01-31T09:30:00.250000Z"));
        for bad in ["", "2026-01-31", "now", "2026-13-01T00:00:00Z"] {
            assert!(DateTime::parse(Value::from(bad)).is_err(), "{bad}");
        }
        assert_eq!(
            DateTime(Timestamp(0)).to_value(),
            Value::from("1970-01-01T00:00:00.000000Z")
        );
    }

    #[test]
    fn json_keeps_numbers_and_the_order_of_keys() {
        let text = r#"{"z":1,"a":[1.5,null,{"k":"v"}],"n":9007199254740993}"#;
        let json = Json::from_text(text).unwrap();
        assert_eq!(serde_json::to_string(&json.0).unwrap(), text);
    }
}
