//! Live Microsoft Graph: `[graph]` as written and resolved. The secret is read, and never shown.

use std::ops::Range;
use std::path::PathBuf;
use std::time;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::Located;
use super::problem::Problems;
use super::quantity::Duration;
use super::resolve::{Folder, roots};
use crate::source::Url;
use crate::source::graph::{Access, Cloud, Credential};

/// Where the secret stands, if no file is named.
const VARIABLE: &str = "SAMLGATE_GRAPH_SECRET";
/// How often what changed is asked for.
const REFRESH: time::Duration = time::Duration::from_secs(5 * 60);
/// Graph would only throttle whoever asks more often.
const SHORTEST: time::Duration = time::Duration::from_secs(1);

/// Microsoft Graph, and how often it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Who asks, and where.
    pub access: Access,
    /// Roots in DER that are trusted for both beside the machine's own.
    pub roots: Vec<Vec<u8>>,
    /// How often what changed is asked for.
    pub refresh: time::Duration,
}

/// Live Microsoft Graph, read only.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GraphTable {
    /// Tenant id or domain.
    tenant: Option<Located<String>>,
    /// Application id.
    client_id: Option<Located<String>>,
    /// File with the client secret. Default: the environment variable SAMLGATE_GRAPH_SECRET.
    secret_file: Option<Located<PathBuf>>,
    /// Or a certificate of the application, in PEM.
    certificate: Option<Located<PathBuf>>,
    /// The RSA key of that certificate, in PEM.
    key: Option<Located<PathBuf>>,
    /// The cloud that the tenant is in. Default: worldwide.
    cloud: Option<GraphCloud>,
    /// Where tokens are had, in place of the cloud's.
    login: Option<Located<String>>,
    /// Where Graph is, in place of the cloud's.
    endpoint: Option<Located<String>>,
    /// Root certificates in PEM that are trusted for both beside the machine's own.
    ca: Option<Located<PathBuf>>,
    /// How often what changed is asked for. Default: 5m.
    refresh: Option<Located<Duration>>,
}

/// A cloud as Graph knows them.
#[derive(Deserialize, JsonSchema, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "snake_case")]
enum GraphCloud {
    /// graph.microsoft.com
    #[default]
    Worldwide,
    /// microsoftgraph.chinacloudapi.cn
    China,
    /// graph.microsoft.us
    UsGovernment,
    /// dod-graph.microsoft.us
    UsGovernmentDod,
}

/// What is written, as far as it holds together.
pub(super) fn resolve(table: &Located<GraphTable>, folder: &Folder, problems: &mut Problems<'_>) -> Option<Graph> {
    let Located { value: table, at } = table;
    let tenant = name("tenant", &table.tenant, "domain.company", at, problems);
    let client_id = name("client_id", &table.client_id, "00000000-0000-0000-0000-000000000000", at, problems);
    let credential = credential(table, at, folder, problems);
    let refresh = refresh(table, problems);
    let cloud = match table.cloud.unwrap_or_default() {
        GraphCloud::Worldwide => Cloud::Worldwide,
        GraphCloud::China => Cloud::China,
        GraphCloud::UsGovernment => Cloud::UsGovernment,
        GraphCloud::UsGovernmentDod => Cloud::UsGovernmentDod,
    };
    let (login, endpoint) = cloud.endpoints().ok()?;
    let login = url("login", &table.login, login, problems);
    let endpoint = url("endpoint", &table.endpoint, endpoint, problems);
    let roots = table.ca.as_ref().map_or_else(Vec::new, |ca| roots("graph.ca", ca, folder, problems));
    let access =
        Access { tenant: tenant?, client_id: client_id?, credential: credential?, login: login?, endpoint: endpoint? };
    Some(Graph { access, roots, refresh: refresh? })
}

/// A value that stands in a URL, or in a form.
fn name(
    key: &str,
    written: &Option<Located<String>>,
    example: &str,
    at: &Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<String> {
    let Some(written) = written else {
        let hint = format!("as in {key} = \"{example}\"");
        problems.push(Some(at.clone()), format!("`[graph]` has no `{key}`"), Some(hint));
        return None;
    };
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    if written.value.is_empty() || !written.value.bytes().all(good) {
        let cause = format!("`graph.{key}`: expected a value such as \"{example}\", got \"{}\"", written.value);
        problems.push(Some(written.at.clone()), cause, None);
        return None;
    }
    Some(written.value.clone())
}

fn credential(
    table: &GraphTable,
    at: &Range<usize>,
    folder: &Folder,
    problems: &mut Problems<'_>,
) -> Option<Credential> {
    let (made, at) = match (&table.secret_file, &table.certificate, &table.key) {
        (Some(file), None, None) => (Credential::secret(&text(file, folder, problems)?), &file.at),
        (None, Some(certificate), Some(key)) => {
            let (chain, private) = (folder.read(certificate, problems), folder.read(key, problems));
            (Credential::certificate(&chain?, &private?), &certificate.at)
        }
        (None, None, None) => match std::env::var(VARIABLE) {
            Ok(secret) => (Credential::secret(&secret), at),
            Err(_) => {
                let hint = format!("give `secret_file`, or `certificate` and `key`, or set {VARIABLE}");
                problems.push(Some(at.clone()), "`[graph]` has nothing to prove the application by", Some(hint));
                return None;
            }
        },
        _ => {
            let hint = "give `secret_file`, or `certificate` and `key`".to_owned();
            problems.push(Some(at.clone()), "`[graph]`: expected one credential, got parts of two", Some(hint));
            return None;
        }
    };
    made.map_err(|error| problems.push(Some(at.clone()), format!("`[graph]`: {error}"), None)).ok()
}

fn text(file: &Located<PathBuf>, folder: &Folder, problems: &mut Problems<'_>) -> Option<String> {
    let bytes = folder.read(file, problems)?;
    crate::file_text::decode(&bytes)
        .map(|text| text.into_owned())
        .map_err(|error| {
            problems.push(Some(file.at.clone()), format!("`graph.secret_file`: {error}"), Some(error.hint().into()));
        })
        .ok()
}

fn url(key: &str, written: &Option<Located<String>>, usual: Url, problems: &mut Problems<'_>) -> Option<Url> {
    let Some(written) = written else { return Some(usual) };
    Url::parse(&written.value)
        .map_err(|error| problems.push(Some(written.at.clone()), format!("`graph.{key}`: {error}"), None))
        .ok()
}

fn refresh(table: &GraphTable, problems: &mut Problems<'_>) -> Option<time::Duration> {
    let Some(written) = &table.refresh else { return Some(REFRESH) };
    let refresh = time::Duration::try_from(written.value.0).ok().filter(|refresh| *refresh >= SHORTEST);
    if refresh.is_none() {
        problems.push(Some(written.at.clone()), "`graph.refresh`: expected a second or more", None);
    }
    refresh
}
