//! What the standard variables of OpenTelemetry say.

use std::time::Duration;

use crate::sampler::Sampler;

/// How and where spans are exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Address that spans are posted to.
    pub endpoint: String,
    /// Headers of each post, as credentials; never logged.
    pub headers: Vec<(String, String)>,
    /// Longest time of one post.
    pub timeout: Duration,
    /// Longest time that a span waits for others.
    pub delay: Duration,
    /// Spans that may wait; further ones are dropped.
    pub queue_max: usize,
    /// Most spans of one post.
    pub batch_max: usize,
    /// Attributes of the resource.
    pub resource: Vec<(String, String)>,
    /// Which traces are kept.
    pub sampler: Sampler,
}

/// A variable whose value cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is not understood: {expected}")]
pub struct SettingsError {
    /// The variable. Its value is not repeated: headers hold credentials.
    pub variable: &'static str,
    /// What it may be.
    pub expected: &'static str,
}

impl Settings {
    /// What the environment says; `None` where it names no receiver, or wants no traces.
    ///
    /// # Errors
    /// A variable cannot be understood.
    pub fn from_env(role: &str) -> Result<Option<Self>, SettingsError> {
        Self::read(role, |name| std::env::var(name).ok())
    }

    /// The same, from anywhere.
    pub(crate) fn read(
        role: &str,
        variable: impl Fn(&'static str) -> Option<String>,
    ) -> Result<Option<Self>, SettingsError> {
        let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
        let is_disabled = variable("OTEL_SDK_DISABLED").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
        let exporter = variable("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        let of_traces = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        let endpoint = of_traces.or_else(|| Some(format!("{}/v1/traces", base?.trim_end_matches('/'))));
        let Some(endpoint) = endpoint.filter(|_| !is_disabled && exporter != "none") else {
            return Ok(None);
        };
        let refuse = |variable, expected| Err(SettingsError { variable, expected });
        if exporter != "otlp" {
            return refuse("OTEL_TRACES_EXPORTER", "`otlp` or `none`");
        }
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return refuse(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "a URL that begins with http:// or https://",
            );
        }
        let protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
            .or_else(|| variable("OTEL_EXPORTER_OTLP_PROTOCOL"));
        if protocol.is_some_and(|protocol| protocol != "http/protobuf") {
            return refuse(
                "OTEL_EXPORTER_OTLP_PROTOCOL",
                "only `http/protobuf` is spoken, which receivers take on port 4318",
            );
        }
        let millis = |name: &'static str, default: u64| match variable(name).map(|text| text.parse()) {
            None => Ok(Duration::from_millis(default)),
            Some(Ok(millis)) => Ok(Duration::from_millis(millis)),
            Some(Err(_)) => Err(SettingsError {
                variable: name,
                expected: "a number of milliseconds",
            }),
        };
        let count = |name: &'static str, default: usize| match variable(name).map(|text| text.parse()) {
            None => Ok(default),
            Some(Ok(count)) if count > 0 => Ok(count),
            Some(_) => Err(SettingsError {
                variable: name,
                expected: "a number of at least 1",
            }),
        };
        let sampler = variable("OTEL_TRACES_SAMPLER").map(|name| {
            Sampler::named(name.trim(), variable("OTEL_TRACES_SAMPLER_ARG").as_deref()).ok_or(SettingsError {
                variable: "OTEL_TRACES_SAMPLER",
                expected: "always_on, always_off, traceidratio or one of these with parentbased_ before it; \
                           OTEL_TRACES_SAMPLER_ARG a number from 0 to 1",
            })
        });
        let headers =
            variable("OTEL_EXPORTER_OTLP_TRACES_HEADERS").or_else(|| variable("OTEL_EXPORTER_OTLP_HEADERS"));
        let queue_max = count("OTEL_BSP_MAX_QUEUE_SIZE", 8_192)?;
        Ok(Some(Self {
            endpoint,
            headers: pairs("OTEL_EXPORTER_OTLP_HEADERS", headers.as_deref())?,
            timeout: millis("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?,
            delay: millis("OTEL_BSP_SCHEDULE_DELAY", 1_000)?,
            queue_max,
            batch_max: count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)?.min(queue_max),
            resource: resource(role, &variable)?,
            sampler: sampler.transpose()?.unwrap_or_default(),
        }))
    }
}

/// `service.name` is the role unless said otherwise.
fn resource(
    role: &str,
    variable: &impl Fn(&'static str) -> Option<String>,
) -> Result<Vec<(String, String)>, SettingsError> {
    let mut resource = pairs(
        "OTEL_RESOURCE_ATTRIBUTES",
        variable("OTEL_RESOURCE_ATTRIBUTES").as_deref(),
    )?;
    if let Some(name) = variable("OTEL_SERVICE_NAME") {
        resource.retain(|(key, _)| key != "service.name");
        resource.push(("service.name".to_owned(), name));
    }
    let defaults = [
        ("service.name", format!("runnel-{role}")),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("telemetry.sdk.name", "runnel".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
    ];
    for (key, value) in defaults {
        if resource.iter().all(|(known, _)| known != key) {
            resource.push((key.to_owned(), value));
        }
    }
    Ok(resource)
}

/// `key=value,key=value`, percent-encoded as in the baggage specification.
fn pairs(variable: &'static str, text: Option<&str>) -> Result<Vec<(String, String)>, SettingsError> {
    let bad = SettingsError {
        variable,
        expected: "pairs `key=value`, separated by commas",
    };
    text.unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').ok_or_else(|| bad.clone())?;
            let value = decoded(value.trim()).ok_or_else(|| bad.clone())?;
            Ok((key.trim().to_owned(), value))
        })
        .collect()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&'static str, &str)]) -> Result<Option<Settings>, SettingsError> {
        Settings::read("serve", |name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    const HERE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");

    #[test]
    fn nothing_is_exported_without_a_receiver_or_against_somebodys_will() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]), Ok(None));
        assert_eq!(read(&[HERE, ("OTEL_SDK_DISABLED", "true")]), Ok(None));
        assert_eq!(read(&[HERE, ("OTEL_TRACES_EXPORTER", "none")]), Ok(None));
    }

    #[test]
    fn the_address_of_traces_is_taken_as_it_is() {
        let settings = read(&[HERE]).unwrap().unwrap();
        assert_eq!(settings.endpoint, "http://127.0.0.1:4318/v1/traces");
        let special = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/x");
        assert_eq!(
            read(&[HERE, special]).unwrap().unwrap().endpoint,
            "https://collector/x"
        );
    }

    #[test]
    fn headers_and_resource_are_pairs() {
        let settings = read(&[
            HERE,
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Basic%20eDp5, x-a=1"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=test,service.name=other",
            ),
            ("OTEL_SERVICE_NAME", "mine"),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(settings.headers[0], ("authorization".into(), "Basic eDp5".into()));
        assert_eq!(settings.headers[1], ("x-a".into(), "1".into()));
        let names: Vec<_> = settings
            .resource
            .iter()
            .filter(|(key, _)| key == "service.name")
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(names, ["mine"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_its_name_and_without_its_value() {
        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_TRACES_SAMPLER", "often"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318"),
        ] {
            let error = read(&[HERE, (variable, value)]).unwrap_err().to_string();
            assert!(
                error.contains("OTEL_") && !error.contains("secret"),
                "{variable}: {error}"
            );
        }
    }
}
