//! The configuration file as written: every key of it, and nothing that it means.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::graph::GraphTable;
use super::quantity::{Duration, Size};
use super::sections::{LimitsTable, PolicyTable};
use crate::observe::{LogFormat, LogLevel};
use crate::proxy::Mode;
use crate::tenant::MfaBehavior;

/// A value and its place in the file.
pub(super) struct Located<T> {
    /// The value.
    pub(super) value: T,
    /// Where it stands.
    pub(super) at: Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::deserialize(deserializer)?;
        Ok(Self { at: spanned.span(), value: spanned.into_inner() })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

/// A configuration of samlgate. Paths are relative to this file.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "samlgate")]
pub(super) struct File {
    /// The environment, in your own word. `serve` wants it, because this is a tool for test environments.
    pub(super) environment: Option<Located<String>>,
    /// `observe` judges beside the forward, `enforce` forwards only what is accepted.
    pub(super) mode: Mode,
    /// Where to listen.
    pub(super) listen: ListenTable,
    /// What is looked at.
    pub(super) intercept: InterceptTable,
    /// What browsers are shown.
    pub(super) tls: TlsTable,
    /// Where everything goes.
    pub(super) upstream: UpstreamTable,
    /// The federated domains, one table each.
    pub(super) federation: Vec<Located<FederationTable>>,
    /// What you make of the checks, beyond what Entra does.
    pub(super) policy: PolicyTable,
    /// Whether an assertion comes twice.
    pub(super) replay: ReplayTable,
    /// Verdicts kept in a file.
    pub(super) capture: Option<Located<CaptureTable>>,
    /// The log.
    pub(super) log: LogTable,
    /// Bounds on hostile input.
    pub(super) limits: LimitsTable,
    /// Live Microsoft Graph, read only.
    pub(super) graph: Option<Located<GraphTable>>,
}

/// Where to listen.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenTable {
    /// Stands in for the intercepted hosts, by a hosts file or a test DNS.
    pub(super) reverse: Option<Located<String>>,
    /// `false` behind a balancer that terminates TLS. Default: true.
    pub(super) tls: Option<bool>,
    /// Explicit proxy; intercepts only the hosts of `[intercept]`.
    pub(super) connect: Option<Located<String>>,
    /// Those who may use the explicit proxy: lines `name:digest`, the SHA-256 of `name:password` in hex. Needed where others reach it.
    pub(super) connect_users: Option<Located<PathBuf>>,
    /// Metrics and health. Default: 127.0.0.1:9464.
    pub(super) admin: Option<Located<String>>,
}

/// What is looked at.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct InterceptTable {
    /// Host names without ports. Default: login.microsoftonline.com.
    pub(super) hosts: Option<Located<Vec<String>>>,
    /// Paths whose posts are judged. Default: /login.srf.
    pub(super) paths: Option<Located<Vec<String>>>,
    /// Places that the explicit proxy tunnels to unread: `host:port`, or `host:port=address:port` to connect there, whatever the
    /// name resolves to. Default: none.
    pub(super) tunnel: Option<Located<Vec<String>>>,
    /// In `enforce`: forward what is no SAML 2.0 sign-in response. Default: true.
    pub(super) pass_unjudged: Option<bool>,
}

/// What browsers are shown: a certificate, or a test CA that mints one.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsTable {
    /// Certificate chain in PEM, leaf first.
    pub(super) certificate: Option<Located<PathBuf>>,
    /// Private key of the leaf in PEM.
    pub(super) key: Option<Located<PathBuf>>,
    /// Certificate of a test CA, in PEM.
    pub(super) ca_certificate: Option<Located<PathBuf>>,
    /// Private key of the test CA, in PEM.
    pub(super) ca_key: Option<Located<PathBuf>>,
}

/// Where everything goes.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct UpstreamTable {
    /// Scheme, host and port. Default: `https://login.microsoftonline.com`.
    pub(super) url: Option<Located<String>>,
    /// Connect here, whatever the name resolves to.
    pub(super) address: Option<Located<String>>,
    /// Ask this DNS server for the name: the test DNS points it at this proxy.
    pub(super) dns: Option<Located<String>>,
    /// Whether HTTP/2 is offered, where TLS is spoken. Default: true.
    pub(super) http2: Option<bool>,
    /// Root certificates in PEM that are trusted beside the machine's own.
    pub(super) ca: Option<Located<PathBuf>>,
}

/// A federated domain.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FederationTable {
    /// The federated domain; it names this federation in reports and metrics.
    pub(super) domain: Option<Located<String>>,
    /// The root domain that it belongs to. Default: `domain`.
    pub(super) root_domain: Option<Located<String>>,
    /// `issuerUri`.
    pub(super) issuer: Option<Located<String>>,
    /// Signing certificates: the current one, then the next one. PEM, base64 or DER.
    pub(super) certificates: Option<Located<Vec<PathBuf>>>,
    /// Metadata of the identity provider: a file, or an https URL that `serve` asks again every hour.
    pub(super) metadata: Option<Located<String>>,
    /// Root certificates in PEM that are trusted for that URL beside the machine's own.
    pub(super) metadata_ca: Option<Located<PathBuf>>,
    /// `Get-MgDomainFederationConfiguration` or Graph JSON.
    pub(super) settings: Option<Located<PathBuf>>,
    /// `Export-Csv`, `ConvertTo-Json` or Graph JSON of the whole tenant; one file may serve several federations.
    pub(super) users: Option<Located<PathBuf>>,
    /// `federatedIdpMfaBehavior`.
    pub(super) mfa_behavior: Option<Located<MfaBehavior>>,
    /// Context classes of which one is required: a miss fails.
    pub(super) authn_context: Option<Located<Vec<String>>>,
    /// Federated token validation policy: `all`, `none`, `all_federated`, `all_managed`, or a list of root domains.
    pub(super) domain_policy: Option<Located<DomainPolicyValue>>,
    /// ACS and audience of this cloud. Default: worldwide.
    pub(super) cloud: Option<Cloud>,
    /// Assertion consumer service, in place of the cloud's.
    pub(super) acs: Option<Located<String>>,
    /// Audience, in place of the cloud's.
    pub(super) audience: Option<Located<String>>,
}

/// A national cloud.
#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum Cloud {
    /// login.microsoftonline.com
    #[default]
    Worldwide,
    /// login.partner.microsoftonline.cn
    China,
    /// login.microsoftonline.us
    UsGovernment,
}

/// Which root domains are compared.
#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected \"all\", \"none\", \"all_federated\", \"all_managed\" or a list of root domains"
)]
pub(super) enum DomainPolicyValue {
    /// One of Graph's words.
    Word(DomainPolicyWord),
    /// These root domains.
    Enumerated(Vec<String>),
}

/// `validatingDomains`, but for the list.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DomainPolicyWord {
    /// Every domain.
    All,
    /// No domain.
    None,
    /// Federated domains.
    #[serde(alias = "allFederated")]
    AllFederated,
    /// Managed domains.
    #[serde(alias = "allManaged")]
    AllManaged,
}

/// Whether an assertion comes twice.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReplayTable {
    /// `memory`, or a Redis URL; `rediss://` is verified TLS. Default: memory.
    pub(super) store: Option<Located<Secret>>,
    /// Roots in PEM that are trusted for it beside this machine's own.
    pub(super) ca: Option<Located<PathBuf>>,
    /// When the store is away. Default: `fail_open`.
    pub(super) on_error: Option<OnError>,
    /// For one question to the store. Default: 20ms.
    pub(super) timeout: Option<Located<Duration>>,
}

/// What an outage means.
#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnError {
    /// Go on unprotected.
    FailOpen,
    /// Refuse.
    FailClosed,
}

/// Verdicts kept in a file.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CaptureTable {
    /// One JSON object a line. Only its owner may read it.
    pub(super) file: Option<Located<PathBuf>>,
    /// `true` keeps whole responses. Default: false.
    pub(super) raw: Option<bool>,
    /// Of one file. Default: 100MiB.
    pub(super) max_size: Option<Located<Size>>,
    /// How long a line is kept at most. Default: 7d.
    pub(super) max_age: Option<Located<Duration>>,
    /// In `enforce`: on disk before the answer, and 503 when it cannot be. Default: false.
    pub(super) durable: Option<bool>,
}

/// The log.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    /// How much. Default: info.
    pub(super) level: LogLevel,
    /// For whom. Default: json.
    pub(super) format: LogFormat,
}

/// Text that is never printed: a URL may hold a password.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct Secret(String);

impl Secret {
    /// For who uses it, and does not show it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}
