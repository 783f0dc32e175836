//! From the file as written to what the program runs on: defaults, addresses, names and the files of the proxy.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper::Uri;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::federation::{Federations, source};
use super::file::{File, InterceptTable, ListenTable, Located, TlsTable, UpstreamTable};
use super::problem::Problems;
use super::published::Documents;
use super::read::FileRead;
use super::{Config, Listen, Log};
use super::{capture, connect, graph, replay};
use crate::inspect::Judge;
use crate::proxy::{Authority, Intercept, ServerCertificate, TlsError, Upstream};

const HOST: &str = "login.microsoftonline.com";
const PATH: &str = "/login.srf";
const ADMIN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Resolves everything that can be, so that every problem is found.
pub(super) fn resolve(
    file: File,
    documents: &Documents,
    folder: &Folder,
    problems: &mut Problems<'_>,
) -> Option<Config> {
    let mut notes = Vec::new();

    let policy = file.policy.resolve(problems);
    let limits = file.limits.resolve(problems);
    let (told, untold) = match documents.graph() {
        _ if file.graph.is_none() => (None, None),
        Some(Ok(told)) => (Some(told.as_ref()), None),
        Some(Err(why)) => (None, Some(why.as_str())),
        None => (None, Some("Microsoft Graph was not asked: only `serve` and `doctor` do")),
    };
    notes.extend(told.iter().flat_map(|told| &told.lacking).map(|why| format!("[graph]: {why}")));
    notes.extend(untold.map(|why| format!("[graph]: {why}: what else is written counts")));
    let (federations, evidence) =
        Federations::resolve(&file.federation, documents, (told, untold), folder, problems, &mut notes);
    let (intercept, hosts) = intercept(&file.intercept, problems);
    let explicit = connect::resolve(&file.listen, &file.intercept, &hosts, folder, problems, &mut notes);
    let listen = listen(&file.listen, explicit.address, problems);
    let certificate = certificate(&file.tls, &hosts, folder, problems, &mut notes);
    let upstream = upstream(&file.upstream, folder, problems);
    let capture =
        file.capture.as_ref().and_then(|table| capture::resolve(table, file.mode, folder, problems, &mut notes));
    let replay = replay::resolve(&file.replay, folder, problems, &mut notes);
    let graph = file.graph.as_ref().and_then(|table| graph::resolve(table, folder, problems));

    if let Some(environment) = file.environment.as_ref().filter(|environment| environment.value.trim().is_empty()) {
        problems.push(Some(environment.at.clone()), "`environment` is empty", None);
    }
    let upstream = upstream?;
    if upstream.address.is_none() && file.upstream.dns.is_none() && hosts.contains(&upstream.host) {
        notes.push(format!(
            "`upstream.url` names {}, which this proxy stands in for: set `upstream.address` if this machine's own resolver \
             points that name here",
            upstream.host
        ));
    }
    if !problems.is_empty() {
        return None;
    }
    Some(Config {
        judge: Judge { federations, policy, limits },
        environment: file.environment.map(|environment| environment.value),
        mode: file.mode,
        pass_unjudged: file.intercept.pass_unjudged.unwrap_or(true),
        listen,
        intercept,
        tunnels: explicit.tunnels,
        users: explicit.users,
        certificate,
        upstream,
        capture,
        replay,
        log: Log { level: file.log.level, format: file.log.format },
        graph,
        notes,
        evidence,
        sources: file.federation.iter().map(|table| source(&table.value, told)).collect(),
        files: Vec::new(),
    })
}

/// The folder that paths are relative to, and what was read of it.
pub(super) struct Folder {
    path: PathBuf,
    read: RefCell<Vec<FileRead>>,
}

impl Folder {
    /// The folder of a configuration file that was read.
    pub(super) fn of(file: FileRead) -> Self {
        let path = file.path.parent().map(Path::to_owned).unwrap_or_default();
        Self { path, read: RefCell::new(vec![file]) }
    }

    /// Every file that was read, the configuration first.
    pub(super) fn files(self) -> Vec<FileRead> {
        self.read.into_inner()
    }

    /// The bytes of a file that the configuration names; a problem is noted when there are none.
    pub(super) fn read(&self, file: &Located<PathBuf>, problems: &mut Problems<'_>) -> Option<Vec<u8>> {
        self.read_path(&file.value, &file.at, problems)
    }

    /// Where a file stands.
    pub(super) fn at(&self, file: &Path) -> PathBuf {
        self.path.join(file)
    }

    /// When a file was last written.
    pub(super) fn made(&self, file: &Path) -> Option<Timestamp> {
        let written = std::fs::metadata(self.at(file)).and_then(|metadata| metadata.modified()).ok()?;
        Timestamp::try_from(written).ok()
    }

    pub(super) fn read_path(
        &self,
        file: &Path,
        at: &std::ops::Range<usize>,
        problems: &mut Problems<'_>,
    ) -> Option<Vec<u8>> {
        let path = self.path.join(file);
        self.read.borrow_mut().push(FileRead::about_to(&path));
        std::fs::read(path)
            .map_err(|error| {
                let hint = (error.kind() == std::io::ErrorKind::NotFound && file.is_relative())
                    .then(|| "paths are relative to the configuration file".to_owned());
                problems.push(Some(at.clone()), format!("`{}` cannot be read: {error}", file.display()), hint);
            })
            .ok()
    }
}

fn listen(table: &ListenTable, connect: Option<SocketAddr>, problems: &mut Problems<'_>) -> Listen {
    let reverse = table.reverse.as_ref().and_then(|reverse| address("listen.reverse", reverse, problems));
    let admin = table.admin.as_ref().and_then(|admin| address("listen.admin", admin, problems));
    Listen { reverse, tls: table.tls.unwrap_or(true), connect, admin: admin.unwrap_or(ADMIN) }
}

pub(super) fn address(key: &str, written: &Located<String>, problems: &mut Problems<'_>) -> Option<SocketAddr> {
    let address = written.value.parse().ok();
    if address.is_none() {
        let cause =
            format!("`{key}`: expected an address and a port such as \"127.0.0.1:8443\", got \"{}\"", written.value);
        problems.push(Some(written.at.clone()), cause, None);
    }
    address
}

fn intercept(table: &InterceptTable, problems: &mut Problems<'_>) -> (Intercept, Vec<String>) {
    let list = |written: &Option<Located<Vec<String>>>, default: &str| match written {
        Some(written) => written.value.clone(),
        None => vec![default.to_owned()],
    };
    let hosts = list(&table.hosts, HOST);
    let paths = list(&table.paths, PATH);
    if let Some(written) = &table.hosts {
        let is_name = |host: &String| {
            let authority = host.parse::<hyper::http::uri::Authority>();
            authority.is_ok_and(|authority| authority.host() == host && !host.contains('@') && !host.ends_with('.'))
        };
        bad(written, "intercept.hosts", "host names without scheme, port or path", is_name, problems);
    }
    if let Some(written) = &table.paths {
        let is_path = |path: &String| path.starts_with('/') && !path.contains(['?', '#']);
        bad(written, "intercept.paths", "paths that begin with `/`", is_path, problems);
    }
    (Intercept::new(hosts.iter().cloned(), paths), hosts)
}

fn bad(
    written: &Located<Vec<String>>,
    key: &str,
    expected: &str,
    is_good: impl Fn(&String) -> bool,
    problems: &mut Problems<'_>,
) {
    let got = match written.value.iter().find(|entry| !is_good(entry)) {
        Some(entry) => format!("\"{entry}\""),
        None if written.value.is_empty() => "none".to_owned(),
        None => return,
    };
    problems.push(Some(written.at.clone()), format!("`{key}`: expected {expected}, got {got}"), None);
}

fn certificate(
    table: &TlsTable,
    hosts: &[String],
    folder: &Folder,
    problems: &mut Problems<'_>,
    notes: &mut Vec<String>,
) -> Option<ServerCertificate> {
    for (one, other, missing) in [
        (&table.certificate, &table.key, "`tls.certificate` needs `tls.key`"),
        (&table.key, &table.certificate, "`tls.key` needs `tls.certificate`"),
        (&table.ca_certificate, &table.ca_key, "`tls.ca_certificate` needs `tls.ca_key`"),
        (&table.ca_key, &table.ca_certificate, "`tls.ca_key` needs `tls.ca_certificate`"),
    ] {
        if let (Some(one), None) = (one, other) {
            problems.push(Some(one.at.clone()), missing, None);
        }
    }
    if let (Some(one), Some(_)) = (&table.certificate, &table.ca_certificate) {
        let hint = "leave one of them out: the CA mints what the other one is".to_owned();
        let cause = "`tls.certificate` and `tls.ca_certificate` do not go together";
        problems.push(Some(one.at.clone()), cause, Some(hint));
        return None;
    }
    if let (Some(ca), Some(key)) = (&table.ca_certificate, &table.ca_key) {
        return minted(ca, key, hosts, folder, problems, notes);
    }
    let (chain, key) = (table.certificate.as_ref()?, table.key.as_ref()?);
    let (chain_bytes, key_bytes) = (folder.read(chain, problems), folder.read(key, problems));
    match ServerCertificate::from_pem(&chain_bytes?, &key_bytes?) {
        Ok(certificate) => Some(certificate),
        Err(error) => {
            let cause = format!("`tls.certificate` and `tls.key` cannot be used: {error}");
            problems.push(Some(chain.at.clone()), cause, None);
            None
        }
    }
}

/// The certificate that a test CA mints for the intercepted hosts.
fn minted(
    ca: &Located<PathBuf>,
    key: &Located<PathBuf>,
    hosts: &[String],
    folder: &Folder,
    problems: &mut Problems<'_>,
    notes: &mut Vec<String>,
) -> Option<ServerCertificate> {
    let (certificate, key) = (folder.read(ca, problems), folder.read(key, problems));
    let authority = Authority::from_pem(&certificate?, &key?);
    if authority.as_ref().is_ok_and(|authority| !authority.is_constrained()) {
        notes.push(format!(
            "{}: this CA may speak for every host: whoever gets its key can impersonate anybody towards those who trust it; \
             `samlgate ca` makes one for the intercepted hosts alone",
            ca.value.display()
        ));
    }
    let minted = authority
        .map_err(TlsError::Authority)
        .and_then(|authority| ServerCertificate::minted(authority, hosts.to_vec(), Timestamp::now));
    minted
        .map_err(|error| {
            let cause = format!("`tls.ca_certificate` and `tls.ca_key` cannot be used: {error}");
            let hint = "`samlgate ca` makes a CA for the hosts that are intercepted".to_owned();
            problems.push(Some(ca.at.clone()), cause, Some(hint));
        })
        .ok()
}

fn upstream(table: &UpstreamTable, folder: &Folder, problems: &mut Problems<'_>) -> Option<Upstream> {
    let written = table.url.as_ref().map_or("https://login.microsoftonline.com", |url| url.value.as_str());
    let at = table.url.as_ref().map(|url| url.at.clone());
    let address = table.address.as_ref().and_then(|written| address("upstream.address", written, problems));
    let dns = table.dns.as_ref().and_then(|written| self::address("upstream.dns", written, problems));
    if let Some(both) = table.dns.as_ref().filter(|_| table.address.is_some()) {
        let cause = "`upstream.dns` would never be asked: `upstream.address` says where to connect";
        problems.push(Some(both.at.clone()), cause, Some("give one of the two".to_owned()));
    }
    let extra_roots = table.ca.as_ref().map_or_else(Vec::new, |ca| roots("upstream.ca", ca, folder, problems));
    let Some((tls, host, port)) = origin(written) else {
        let cause = format!(
            "`upstream.url`: expected scheme, host and port such as \"https://login.microsoftonline.com\", got \"{written}\""
        );
        problems.push(at, cause, Some("a path, a query or a user name have no place here".to_owned()));
        return None;
    };
    Some(Upstream { tls, http2: table.http2.unwrap_or(true), host, port, address, dns, extra_roots })
}

/// Scheme, host and port of a URL that has nothing else.
fn origin(url: &str) -> Option<(bool, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let authority = uri.authority()?;
    let tls = match uri.scheme_str()? {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
    let port = match authority.port() {
        Some(port) => port.as_str().parse().ok()?,
        None if authority.as_str() != authority.host() => return None,
        None if tls => 443,
        None => 80,
    };
    bare.then(|| (tls, authority.host().trim_matches(['[', ']']).to_ascii_lowercase(), port))
}

/// The certificates in DER of a file that this key names.
pub(super) fn roots(key: &str, ca: &Located<PathBuf>, folder: &Folder, problems: &mut Problems<'_>) -> Vec<Vec<u8>> {
    let Some(bytes) = folder.read(ca, problems) else { return Vec::new() };
    let roots: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let (got, roots) = match roots {
        Ok(roots) if !roots.is_empty() => return roots.iter().map(|root| root.as_ref().to_vec()).collect(),
        Ok(none) => ("none".to_owned(), none),
        Err(error) => (error.to_string(), Vec::new()),
    };
    problems.push(Some(ca.at.clone()), format!("`{key}`: expected certificates in PEM, got {got}"), None);
    roots.iter().map(|root| root.as_ref().to_vec()).collect()
}
