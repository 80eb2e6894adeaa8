//! Traces for a collector of OpenTelemetry (the feature `otlp`): where it is, and how they are posted there.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use percent_encoding::percent_decode_str;
use pymcp_egress::{Allow, Egress, Error as NotSent, Limits, Response, Secret};
use pymcp_kit::otlp::{Collector, Traces, TracesConfig, Undelivered};

use super::OBSERVABILITY;
use super::web::{is_loopback, parsed};
use crate::program::Program;

/// What one message may take.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    connect: Duration::from_secs(3),
    body: 64 << 10,
    request: 4 << 20,
    redirects: 0,
    concurrent: 1,
};

/// Time for what waits to be sent at the end.
const FLUSH: Duration = Duration::from_secs(2);

/// Where traces are below the address of a collector (OTLP 1, "OTLP/HTTP Request").
const TRACES: &str = "/v1/traces";

/// Headers that there can be.
const MAX_HEADERS: usize = 16;

/// Which collector gets the traces.
#[derive(Debug, Clone, Args)]
// An author's own may have the same name.
#[group(skip)]
pub(crate) struct Otlp {
    /// Collector of OpenTelemetry that gets the traces, such as `http://localhost:4318`: OTLP over HTTP in protobuf, at
    /// `/v1/traces` below this URL. Without it there are none.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL", value_parser = endpoint, hide_short_help = true, help_heading = OBSERVABILITY)]
    otlp_endpoint: Option<String>,

    /// Headers for the collector, comma-separated, such as `authorization=Bearer%20TOKEN`; what is special in a value is
    /// percent-encoded. Better given by the variable: others on this machine can see flags.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_HEADERS", default_value = "", value_name = "HEADERS", value_parser = headers, hide_default_value = true, hide_env_values = true, hide_short_help = true, help_heading = OBSERVABILITY)]
    otlp_headers: Headers,

    /// What the server is called among others in the traces (`service.name`); its own name otherwise.
    #[arg(long, env = "OTEL_SERVICE_NAME", value_name = "NAME", value_parser = service, hide_short_help = true, help_heading = OBSERVABILITY)]
    otlp_service_name: Option<String>,
}

/// Names of headers, and their values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Headers(Vec<(String, Secret)>);

impl Otlp {
    /// Where traces are posted, if they are.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.otlp_endpoint.as_deref()
    }

    /// Begins to send traces, if there is a collector. In a Tokio runtime.
    pub(crate) fn start(&self, program: &Program) -> Option<Traces> {
        let url = self.otlp_endpoint.clone()?;
        let parsed = parsed(&url)?;
        let host = parsed.host_str().unwrap_or_default();
        let Headers(headers) = self.otlp_headers.clone();
        if parsed.scheme() == "http" && !is_loopback(&parsed) && !headers.is_empty() {
            tracing::warn!(
                "{host} is sent the headers of --otlp-headers over http: who is between can read them."
            );
        }
        let agent = format!("{}/{}", program.name(), program.version());
        let egress = Egress::builder()
            // Who names a host of a private network means it; nothing else can be reached.
            .allow(Allow::host(host).private())
            .limits(LIMITS)
            .user_agent(&agent)
            .build();
        let service = self.otlp_service_name.as_deref();
        let config = TracesConfig {
            timeout: LIMITS.time,
            ..TracesConfig::new(service.unwrap_or(program.name()), program.version())
        };
        let door = Door {
            egress,
            url,
            headers,
        };
        Some(Traces::start(config, Arc::new(door)))
    }
}

/// Sends what waits, for 2 s at most.
pub(crate) async fn flush(traces: Option<Traces>) {
    if let Some(traces) = traces {
        traces.close(FLUSH).await;
        if traces.dropped() > 0 {
            let (sent, dropped) = (traces.exported(), traces.dropped());
            tracing::warn!(sent, dropped, "the collector has not taken all spans");
        }
    }
}

/// Posts to the host of the collector alone.
struct Door {
    egress: Egress,
    url: String,
    headers: Vec<(String, Secret)>,
}

impl Collector for Door {
    fn post(
        &self,
        message: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, Undelivered>> + Send + '_>> {
        Box::pin(async move {
            let call = self.egress.post(&self.url);
            let mut call = call.body("application/x-protobuf", message);
            for (name, value) in &self.headers {
                call = call.secret_header(name, value);
            }
            match call.send().await {
                Ok(response) if response.status.is_success() => Ok(response.body),
                Ok(response) => Err(refused(&response)),
                Err(error) => {
                    let transient = matches!(
                        error,
                        NotSent::Unreachable { .. }
                            | NotSent::Unresolvable { .. }
                            | NotSent::TimedOut
                    );
                    Err(Undelivered {
                        why: error.to_string(),
                        again: transient.then_some(Duration::ZERO),
                    })
                }
            }
        })
    }
}

/// What a status says (OTLP 1, "Failures").
fn refused(response: &Response) -> Undelivered {
    let status = response.status;
    let after = response.headers.get("retry-after");
    let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
    let transient = [429, 502, 503, 504].contains(&status.as_u16());
    Undelivered {
        why: format!("it answered with the status {status}"),
        again: transient.then(|| Duration::from_secs(after.unwrap_or(0))),
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let text = text.trim();
    let url = parsed(text).filter(|url| url.query().is_none());
    let url = url.ok_or("a URL such as http://localhost:4318, without user, query and fragment")?;
    let base = url.as_str().trim_end_matches('/');
    Ok(match base.ends_with(TRACES) {
        true => base.to_owned(),
        false => format!("{base}{TRACES}"),
    })
}

fn headers(text: &str) -> Result<Headers, String> {
    let wrong =
        || format!("up to {MAX_HEADERS} of NAME=VALUE with commas between, values percent-encoded");
    let pairs = text
        .split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let value = Secret::new(value).ok()?;
        (!name.is_empty() && name.chars().all(is_name)).then(|| (name.to_owned(), value))
    };
    let read: Option<Vec<_>> = pairs.map(read).collect();
    read.filter(|read| read.len() <= MAX_HEADERS)
        .map(Headers)
        .ok_or_else(wrong)
}

fn service(text: &str) -> Result<String, String> {
    let text = text.trim();
    let fits = (1..=128).contains(&text.len()) && !text.chars().any(char::is_control);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "a name of 1 to 128 bytes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traces_are_below_the_url_of_the_collector() {
        for (given, posted) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            (
                "https://otel.example/a/",
                "https://otel.example/a/v1/traces",
            ),
            (
                " https://otel.example/v1/traces ",
                "https://otel.example/v1/traces",
            ),
        ] {
            assert_eq!(endpoint(given).as_deref(), Ok(posted));
        }
        for bad in [
            "localhost:4318",
            "grpc://localhost:4317",
            "http://user:secret@otel.example",
            "http://otel.example/?token=secret",
            "",
        ] {
            let why = endpoint(bad).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn headers_are_read_and_shown_nowhere() {
        let read = headers("authorization=Bearer%20secret, x-tenant=a=b ,").unwrap();
        let names: Vec<_> = read.0.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "x-tenant"]);
        assert!(!format!("{read:?}").contains("secret"), "{read:?}");
        assert!(headers("").unwrap().0.is_empty());
        let many = vec!["a=b"; MAX_HEADERS + 1].join(",");
        for bad in [
            "secret",
            "a b=secret",
            "=secret",
            "a=",
            "a=%0Asecret%0A%C3",
            &many,
        ] {
            let why = headers(bad).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }
}
