//! The way of the spans to a collector: gathered within bounds, sent beside the traffic, lost when nobody takes them.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Key, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL, OTEL_EXPORTER_OTLP_TIMEOUT,
    OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use rustls::ClientConfig;
use tokio::runtime::Handle;

use super::spans;

/// The spans of this process.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
}

/// Traces from now on, where the environment names an endpoint; `tls` is how an https one is spoken to. Must be called in the runtime
/// in which spans are sent. Whatever is wrong with that is told, and keeps nobody from signing in.
pub fn begin<E: Display>(tls: impl FnOnce() -> Result<ClientConfig, E>) -> Option<Traces> {
    if !is_wanted(set) {
        return None;
    }
    let exporter = tls()
        .map_err(|error| error.to_string())
        .and_then(|tls| exporter(tls, Handle::current()).map_err(|error| error.to_string()));
    let exporter = match exporter {
        Ok(exporter) => exporter,
        Err(error) => {
            tracing::warn!(error, "nothing is traced");
            return None;
        }
    };
    let provider = SdkTracerProvider::builder().with_resource(resource()).with_batch_exporter(exporter).build();
    spans::trace_by(provider.tracer("samlgate"));
    tracing::info!("traces are sent to a collector");
    Some(Traces { provider })
}

impl Traces {
    /// Sends what is left; what is not taken in this time is lost.
    pub async fn flush(self, within: Duration) {
        let sent = tokio::task::spawn_blocking(move || self.provider.shutdown_with_timeout(within));
        // a collector that is stuck keeps that thread, and not the end of the service
        let sent = tokio::time::timeout(within, sent).await.map(|sent| sent.map(|sent| sent.is_ok()));
        if !matches!(sent, Ok(Ok(true))) {
            tracing::warn!("the last traces were not taken in time");
        }
    }
}

/// A variable that says something.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn is_wanted(set: impl Fn(&str) -> Option<String>) -> bool {
    let says = |name, word: &str| set(name).is_some_and(|value| value.trim().eq_ignore_ascii_case(word));
    let endpoints = [OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT];
    endpoints.into_iter().any(|name| set(name).is_some())
        && !says("OTEL_SDK_DISABLED", "true")
        && !says("OTEL_TRACES_EXPORTER", "none")
}

fn exporter(tls: ClientConfig, runtime: Handle) -> Result<SpanExporter, ExporterBuildError> {
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
    let client = OnRuntime { runtime, client: HyperClient::new(connector, timeout(set), None) };
    let mut builder = SpanExporter::builder().with_http().with_http_client(client);
    if [OTEL_EXPORTER_OTLP_TRACES_PROTOCOL, OTEL_EXPORTER_OTLP_PROTOCOL].into_iter().all(|name| set(name).is_none()) {
        // what the specification wants of who says nothing
        builder = builder.with_protocol(Protocol::HttpBinary);
    }
    builder.build()
}

/// For a collector to take one batch.
fn timeout(set: impl Fn(&str) -> Option<String>) -> Duration {
    let millis = [OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, OTEL_EXPORTER_OTLP_TIMEOUT].into_iter();
    let millis = millis.filter_map(set).find_map(|value| value.trim().parse().ok());
    millis.map_or(OTEL_EXPORTER_OTLP_TIMEOUT_DEFAULT, Duration::from_millis)
}

/// Who sends: what the environment says, and `samlgate` where it names no service.
fn resource() -> Resource {
    let found = Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))).build();
    let named = found.get(&Key::new("service.name")).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    if named {
        return found;
    }
    let found = found.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect::<Vec<_>>();
    Resource::builder_empty().with_attributes(found).with_service_name("samlgate").build()
}

/// Batches are sent by a thread of their own, which has no runtime: the connection lives in ours.
#[derive(Debug)]
struct OnRuntime {
    runtime: Handle,
    client: HyperClient<HttpsConnector<HttpConnector>>,
}

impl HttpClient for OnRuntime {
    fn send_bytes<'life0, 'async_trait>(
        &'life0 self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sent.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<String> + use<'a> {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn an_endpoint_is_needed_and_may_be_overruled() {
        let endpoint = (OTEL_EXPORTER_OTLP_ENDPOINT, "http://127.0.0.1:4318");
        assert!(!is_wanted(of(&[])));
        assert!(is_wanted(of(&[endpoint])));
        assert!(is_wanted(of(&[(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, "http://127.0.0.1:4318/v1/traces")])));
        assert!(!is_wanted(of(&[endpoint, ("OTEL_SDK_DISABLED", "True")])));
        assert!(is_wanted(of(&[endpoint, ("OTEL_SDK_DISABLED", "false")])));
        assert!(!is_wanted(of(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")])));
    }

    #[test]
    fn the_time_of_a_batch_is_that_of_traces_else_of_all_else_ten_seconds() {
        let (traces, all) = ((OTEL_EXPORTER_OTLP_TRACES_TIMEOUT, "250"), (OTEL_EXPORTER_OTLP_TIMEOUT, "500"));
        assert_eq!(timeout(of(&[all, traces])), Duration::from_millis(250));
        assert_eq!(timeout(of(&[all])), Duration::from_millis(500));
        assert_eq!(timeout(of(&[(OTEL_EXPORTER_OTLP_TIMEOUT, "soon")])), Duration::from_secs(10));
    }
}
