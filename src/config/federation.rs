//! The federations: every file about what Entra expects is read here, and one source is chosen for each federation.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{FederationTable, Located};
use super::parties::{domain_policy, parties};
use super::problem::Problems;
use super::published::{Documents, is_url};
use super::resolve::{self, Folder};
use super::told::Told;
use crate::dsig::TrustedKey;
use crate::observe::Source;
use crate::saml::metadata::IdpMetadata;
use crate::source::Url;
use crate::tenant::{Directory, DomainPolicy, Federation, MfaBehavior, Protocol, RegisteredKey, Settings, Sources};

/// Reads federations, one after the other.
pub(super) struct Federations<'a, 'p> {
    documents: &'a Documents,
    /// What Graph told, or why it did not.
    told: Option<&'a Told>,
    untold: Option<&'a str>,
    folder: &'a Folder,
    problems: &'a mut Problems<'p>,
    notes: &'a mut Vec<String>,
    /// Files of users that were read, with what came of it: a file that serves several federations is read once.
    users: HashMap<PathBuf, Option<Arc<Directory>>>,
}

/// Why there are no bytes.
enum Missing {
    /// That was told as a problem.
    Told,
    /// Nobody asked.
    Unasked,
    /// It was asked for in vain.
    Refused(String),
}

/// What Entra expects, from the one source that tells it.
#[derive(Default)]
struct Expected {
    issuer: String,
    keys: Vec<RegisteredKey>,
    protocol: Option<Protocol>,
    mfa_behavior: Option<MfaBehavior>,
}

impl<'a, 'p> Federations<'a, 'p> {
    pub(super) fn resolve(
        tables: &[Located<FederationTable>],
        documents: &'a Documents,
        (told, untold): (Option<&'a Told>, Option<&'a str>),
        folder: &'a Folder,
        problems: &'a mut Problems<'p>,
        notes: &'a mut Vec<String>,
    ) -> (Vec<Federation>, Vec<Sources>) {
        if tables.is_empty() {
            let hint = "add a [[federation]] with `domain`, and `settings`, `issuer` and `certificates`, or `metadata`";
            problems.push(None, "there is no federation to judge against", Some(hint.to_owned()));
        }
        let mut reader = Self { documents, told, untold, folder, problems, notes, users: HashMap::new() };
        let mut federations: Vec<Federation> = Vec::with_capacity(tables.len());
        let mut evidence = Vec::with_capacity(tables.len());
        for Located { value: table, at } in tables {
            let mut sources = Sources::default();
            let federation = reader.federation(table, at, &mut sources);
            reader.compare(&federation, &federations, table, at);
            federations.push(federation);
            evidence.push(sources);
        }
        (federations, evidence)
    }

    fn federation(&mut self, table: &FederationTable, at: &Range<usize>, sources: &mut Sources) -> Federation {
        let domain = self.domain(table, at);
        let expected = self.expected(table, at, domain.as_deref(), sources);
        self.beside(table, sources);
        let (acs, audience) = parties(table, self.problems);
        let root_domain = table.root_domain.as_ref().map(|root| root.value.to_ascii_lowercase());
        let root_domain = root_domain.or_else(|| self.told?.root_of(domain.as_deref()));
        Federation {
            root_domain: root_domain.or_else(|| domain.clone()),
            domain,
            // there is none where it is not known yet
            issuer: Some(expected.issuer).filter(|issuer| !issuer.is_empty()),
            keys: expected.keys,
            protocol: expected.protocol,
            // what the operator writes is newer than what was exported
            mfa_behavior: table.mfa_behavior.as_ref().map(|written| written.value).or(expected.mfa_behavior),
            authn_context: table.authn_context.as_ref().map_or_else(Vec::new, |classes| classes.value.clone()),
            domain_policy: match (&table.domain_policy, self.told.and_then(|told| told.policy.as_ref())) {
                (Some(written), _) => domain_policy(&written.value),
                (None, told) => told.cloned().unwrap_or(DomainPolicy::All),
            },
            acs,
            audience,
            users: match self.told.and_then(|told| told.users.as_ref()) {
                Some(users) => Some(Arc::clone(users)),
                None => table.users.as_ref().and_then(|file| {
                    sources.users_made = self.folder.made(&file.value);
                    self.users(file)
                }),
            },
        }
    }

    fn domain(&mut self, table: &FederationTable, at: &Range<usize>) -> Option<String> {
        let Some(written) = &table.domain else {
            self.problems.push(Some(at.clone()), "a federation has no `domain`", None);
            return None;
        };
        let domain = written.value.to_ascii_lowercase();
        let is_name = !domain.is_empty()
            && domain.len() <= 253
            && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
        if !is_name {
            let cause =
                format!("`domain`: expected a domain name such as \"domain.company\", got \"{}\"", written.value);
            self.problems.push(Some(written.at.clone()), cause, None);
        }
        Some(domain)
    }

    /// What Entra expects comes from one place: Graph or `settings`, else `issuer` and `certificates`, else `metadata`. Their union would
    /// hide a key that Entra does not hold.
    fn expected(
        &mut self,
        table: &FederationTable,
        at: &Range<usize>,
        domain: Option<&str>,
        sources: &mut Sources,
    ) -> Expected {
        let held = self.told.and_then(|told| told.settings.get(domain?));
        let (source, place, found) = if let Some(bytes) = held {
            ("graph", at, self.held(bytes, Path::new("Microsoft Graph"), at, domain, sources))
        } else if let Some(file) = &table.settings {
            let bytes = self.folder.read(file, self.problems);
            let found = bytes.and_then(|bytes| self.held(&bytes, &file.value, &file.at, domain, sources));
            ("settings", &file.at, found)
        } else if let Some(certificates) = &table.certificates {
            ("certificates", &certificates.at, self.certificates(table.issuer.as_ref(), certificates, sources))
        } else if let Some(issuer) = &table.issuer {
            let hint = "add `certificates`; `issuer` alone is not filled up from `metadata`".to_owned();
            self.problems.push(Some(issuer.at.clone()), "`issuer` needs `certificates`", Some(hint));
            return Expected::default();
        } else if let Some(metadata) = &table.metadata {
            ("metadata", &metadata.at, self.metadata(metadata, sources))
        } else if self.untold.is_some() && self.documents.may_lack() {
            return Expected::default();
        } else if let Some(why) =
            self.untold.or(self.told.map(|_| "Microsoft Graph knows no federation of this domain"))
        {
            let hint = "what Entra expects is known from there alone: give `settings`, too".to_owned();
            self.problems.push(Some(at.clone()), format!("`[graph]`: {why}"), Some(hint));
            return Expected::default();
        } else {
            let hint = "give `settings`, or `issuer` and `certificates`, or `metadata`, or a [graph]".to_owned();
            self.problems.push(Some(at.clone()), "nothing says what Entra expects of this federation", Some(hint));
            return Expected::default();
        };
        let Some(found) = found else { return Expected::default() };
        if found.issuer.is_empty() {
            self.problems.push(Some(place.clone()), format!("`{source}`: there is no issuer"), None);
        }
        if found.keys.is_empty() {
            let cause = format!("`{source}`: there is no signing certificate: nothing could be accepted");
            self.problems.push(Some(place.clone()), cause, None);
        }
        found
    }

    /// What is not judged by is read to be compared: where it cannot be, that is worth a word and no reason to stop.
    fn beside(&mut self, table: &FederationTable, sources: &mut Sources) {
        sources.issuer = table.issuer.as_ref().map(|issuer| issuer.value.clone());
        if let Some(ca) = &table.metadata_ca {
            // who asks reads them for itself: here it is seen whether it can
            resolve::roots("metadata_ca", ca, self.folder, self.problems);
        }
        let written = table.metadata.as_ref();
        sources.metadata_url = written.map(|written| written.value.clone()).filter(|written| is_url(written));
        if let Some(written) = written.filter(|_| sources.metadata.is_none())
            && (sources.settings.is_some() || !sources.certificates.is_empty())
        {
            match self.document(written).map(|bytes| IdpMetadata::parse(&bytes)) {
                Ok(Ok(metadata)) => sources.metadata = Some(metadata),
                Ok(Err(error)) => self.notes.push(format!("{}: {error}: it is compared with nothing", written.value)),
                Err(Missing::Told) => {}
                Err(Missing::Unasked) => {
                    self.notes.push(format!("{} was not fetched: it is compared with nothing", written.value));
                }
                Err(Missing::Refused(why)) => {
                    self.notes.push(format!("{}: {why}: it is compared with nothing", written.value));
                }
            }
        }
        let Some(files) = table.certificates.as_ref().filter(|_| sources.settings.is_some()) else { return };
        for file in &files.value {
            let Some(bytes) = self.folder.read_path(file, &files.at, self.problems) else { continue };
            match crate::tenant::certificate(&bytes) {
                Ok(certificate) => sources.certificates.push(certificate),
                Err(error) => self.notes.push(format!("{}: {error}: it is compared with nothing", file.display())),
            }
        }
    }

    /// Federation settings that a file, or Graph, holds.
    fn held(
        &mut self,
        bytes: &[u8],
        name: &Path,
        at: &Range<usize>,
        domain: Option<&str>,
        sources: &mut Sources,
    ) -> Option<Expected> {
        let settings = match Settings::parse(bytes, domain) {
            Ok(settings) => settings,
            Err(error) => {
                let cause = format!("`{}`: {error}", name.display());
                self.problems.push(Some(at.clone()), cause, Some(error.hint().into()));
                return None;
            }
        };
        if !settings.has_current_certificate && !settings.certificates.is_empty() {
            self.notes.push(format!("{}: there is a next signing certificate and no current one", name.display()));
        }
        let keys = settings.certificates.iter().filter_map(|input| {
            let pem_in_settings = input.is_pem();
            self.key(&input.der, name, at).map(|key| RegisteredKey { key, pem_in_settings })
        });
        let expected = Expected {
            keys: keys.collect(),
            issuer: settings.issuer_uri.clone().unwrap_or_default(),
            protocol: settings.protocol,
            mfa_behavior: settings.mfa_behavior,
        };
        sources.settings = Some(settings);
        Some(expected)
    }

    fn certificates(
        &mut self,
        issuer: Option<&Located<String>>,
        certificates: &Located<Vec<PathBuf>>,
        sources: &mut Sources,
    ) -> Option<Expected> {
        self.at_most_two("certificates", certificates.value.len(), &certificates.at);
        let mut keys = Vec::new();
        for file in &certificates.value {
            let Some(bytes) = self.folder.read_path(file, &certificates.at, self.problems) else { continue };
            match crate::tenant::certificate(&bytes) {
                Ok(input) => {
                    let key = self.key(&input.der, file, &certificates.at);
                    keys.extend(key.map(|key| RegisteredKey { key, pem_in_settings: false }));
                    sources.certificates.push(input);
                }
                Err(error) => {
                    let cause = format!("`{}`: {error}", file.display());
                    self.problems.push(Some(certificates.at.clone()), cause, Some(error.hint().into()));
                }
            }
        }
        let Some(issuer) = issuer else {
            let hint = "`issuer` and `certificates` go together".to_owned();
            self.problems.push(Some(certificates.at.clone()), "`certificates` needs `issuer`", Some(hint));
            return None;
        };
        // what could not be read was reported: no second complaint that nothing is there
        (keys.len() == certificates.value.len()).then(|| Expected {
            issuer: issuer.value.clone(),
            keys,
            ..Expected::default()
        })
    }

    fn metadata(&mut self, written: &Located<String>, sources: &mut Sources) -> Option<Expected> {
        let file = PathBuf::from(&written.value);
        let bytes = match self.document(written) {
            Ok(bytes) => bytes,
            Err(Missing::Told) => return None,
            Err(Missing::Unasked) if self.documents.may_lack() => {
                let note = "was not fetched: what Entra expects of this federation is known from there alone";
                self.notes.push(format!("{} {note}", written.value));
                return None;
            }
            Err(missing) => {
                let cause = match missing {
                    Missing::Refused(why) => format!("`metadata`: {}: {why}", written.value),
                    _ => format!("`metadata`: {} was not fetched: only `serve` and `doctor` ask for it", written.value),
                };
                let hint =
                    "what Entra expects is known from there alone: give `settings`, or save it and give the path";
                self.problems.push(Some(written.at.clone()), cause, Some(hint.to_owned()));
                return None;
            }
        };
        let metadata = match IdpMetadata::parse(&bytes) {
            Ok(metadata) => metadata,
            Err(error) => {
                let cause = format!("`{}`: {error}", file.display());
                self.problems.push(Some(written.at.clone()), cause, Some(error.hint().to_owned()));
                return None;
            }
        };
        self.at_most_two("metadata", metadata.signing_certificates.len(), &written.at);
        let keys = metadata.signing_certificates.iter().filter_map(|der| {
            self.key(der, &file, &written.at).map(|key| RegisteredKey { key, pem_in_settings: false })
        });
        let expected = Expected { keys: keys.collect(), issuer: metadata.entity_id.clone(), ..Expected::default() };
        sources.metadata = Some(metadata);
        Some(expected)
    }

    /// The bytes of what is named by a path or a URL.
    fn document(&mut self, written: &Located<String>) -> Result<Arc<[u8]>, Missing> {
        if !is_url(&written.value) {
            let read = self.folder.read_path(Path::new(&written.value), &written.at, self.problems);
            return read.map(Arc::from).ok_or(Missing::Told);
        }
        if let Err(error) = Url::parse(&written.value) {
            self.problems.push(Some(written.at.clone()), format!("`metadata`: {error}"), None);
            return Err(Missing::Told);
        }
        match self.documents.get(&written.value) {
            Some(Ok(bytes)) => Ok(Arc::clone(bytes)),
            Some(Err(why)) => Err(Missing::Refused(why.clone())),
            None => Err(Missing::Unasked),
        }
    }

    fn at_most_two(&mut self, source: &str, count: usize, at: &Range<usize>) {
        if count > 2 {
            let cause = format!("`{source}`: expected the current certificate and at most the next one, got {count}");
            let hint = "Entra holds two: signingCertificate and nextSigningCertificate".to_owned();
            self.problems.push(Some(at.clone()), cause, Some(hint));
        }
    }

    fn key(&mut self, der: &[u8], file: &Path, at: &Range<usize>) -> Option<TrustedKey> {
        TrustedKey::from_der(der)
            .map_err(|error| self.problems.push(Some(at.clone()), format!("`{}`: {error}", file.display()), None))
            .ok()
    }

    fn users(&mut self, file: &Located<PathBuf>) -> Option<Arc<Directory>> {
        if let Some(known) = self.users.get(&file.value) {
            return known.clone();
        }
        let loaded = self.folder.read(file, self.problems).and_then(|bytes| match Directory::load(&bytes) {
            Ok(loaded) => {
                let name = file.value.display();
                self.notes.extend(loaded.notes.iter().map(|note| format!("{name}: {}; {}", note.text(), note.hint())));
                Some(Arc::new(loaded.directory))
            }
            Err(error) => {
                let cause = format!("`{}`: {error}", file.value.display());
                self.problems.push(Some(file.at.clone()), cause, Some(error.hint()));
                None
            }
        });
        self.users.insert(file.value.clone(), loaded.clone());
        loaded
    }

    /// Federations are told apart by issuer, and named by domain.
    fn compare(&mut self, new: &Federation, known: &[Federation], table: &FederationTable, at: &Range<usize>) {
        let place =
            |written: &Option<Located<String>>| Some(written.as_ref().map_or(at, |written| &written.at).clone());
        if new.domain.is_some() && known.iter().any(|other| other.domain == new.domain) {
            self.problems.push(place(&table.domain), "another federation has this `domain`", None);
        }
        let named = new.issuer.as_ref().is_some_and(|issuer| !issuer.is_empty());
        if named && known.iter().any(|other| other.issuer == new.issuer) {
            let hint = "Entra holds each issuerUri once in all its tenants".to_owned();
            self.problems.push(place(&table.issuer), "another federation has this issuer", Some(hint));
        }
    }
}

/// Where what Entra expects comes from.
pub(super) fn source(table: &FederationTable, told: Option<&Told>) -> Source {
    let domain = table.domain.as_ref().map(|domain| domain.value.to_ascii_lowercase());
    let of_graph = |told: &Told| domain.is_some_and(|domain| told.settings.contains_key(&domain));
    match (&table.settings, &table.certificates) {
        _ if told.is_some_and(of_graph) => Source::Settings,
        (Some(_), _) => Source::Settings,
        (None, Some(_)) => Source::File,
        (None, None) => Source::Metadata,
    }
}
