//! What a configuration names by URL: who wants to be asked, and what was had there before the configuration is read.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::problem::Problems;
use super::read::FileRead;
use super::resolve::{Folder, roots};
use super::told::Told;
use super::written;
use crate::source::Url;

/// Documents by the URL that the configuration writes.
#[derive(Debug, Clone, Default)]
pub struct Documents {
    had: HashMap<String, Result<Arc<[u8]>, String>>,
    may_lack: bool,
    graph: Option<Result<Arc<Told>, String>>,
}

impl Documents {
    /// Nothing, and no reason to complain: the configuration is only looked at.
    pub fn unasked() -> Self {
        Self { may_lack: true, ..Self::default() }
    }

    /// What was had at a URL, or why nothing was.
    pub fn insert(&mut self, url: String, had: Result<Arc<[u8]>, String>) -> Option<Result<Arc<[u8]>, String>> {
        self.had.insert(url, had)
    }

    /// What Graph told, or why it did not.
    pub fn set_graph(&mut self, told: Result<Arc<Told>, String>) {
        self.graph = Some(told);
    }

    /// What Graph told, or why it did not; none when nobody asked.
    pub fn graph(&self) -> Option<&Result<Arc<Told>, String>> {
        self.graph.as_ref()
    }

    /// Nobody asks Graph any more.
    pub fn forget_graph(&mut self) {
        self.graph = None;
    }

    /// Forgets all but these.
    pub fn retain(&mut self, is_wanted: impl Fn(&str) -> bool) {
        self.had.retain(|url, _| is_wanted(url));
    }

    /// What was had at a URL; none when nobody asked.
    pub fn get(&self, url: &str) -> Option<&Result<Arc<[u8]>, String>> {
        self.had.get(url)
    }

    pub(super) fn may_lack(&self) -> bool {
        self.may_lack
    }
}

/// A document that a configuration names by URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The URL, as it is written.
    pub written: String,
    /// The URL.
    pub url: Url,
    /// Roots in DER that are trusted for it beside the machine's own.
    pub roots: Vec<Vec<u8>>,
    /// The domains of the federations that it is the metadata of.
    pub domains: Vec<String>,
}

impl Wanted {
    /// What the configuration at `path` names by URL, each once. What cannot be read wants nothing: loading it tells why.
    pub fn of(path: &Path) -> Vec<Self> {
        let read = FileRead::about_to(path);
        let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
        let mut problems = Problems::new(path, &text);
        let folder = Folder::of(read);
        let Some(file) = written::read(&text, &mut problems) else { return Vec::new() };
        let mut all: Vec<Self> = Vec::new();
        for table in file.federation.iter().map(|table| &table.value) {
            let Some(written) = table.metadata.as_ref().map(|metadata| &metadata.value) else { continue };
            let Some(url) = Url::parse(written).ok().filter(|_| is_url(written)) else { continue };
            let ca = table.metadata_ca.as_ref();
            let roots = ca.map_or_else(Vec::new, |ca| roots("metadata_ca", ca, &folder, &mut problems));
            let domain = table.domain.as_ref().map(|domain| domain.value.to_ascii_lowercase()).unwrap_or_default();
            match all.iter_mut().find(|known| known.written == *written) {
                Some(known) => {
                    known.domains.push(domain);
                    known.roots.extend(roots);
                }
                None => all.push(Self { written: written.clone(), url, roots, domains: vec![domain] }),
            }
        }
        all
    }
}

/// Whether it is no path.
pub(super) fn is_url(written: &str) -> bool {
    written.contains("://")
}
