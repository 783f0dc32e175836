//! Live Microsoft Graph: asked before the configuration is read, and again and again while the service runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::published::chance;
use super::reload::Reloading;
use crate::config::{GraphAsked, Told};
use crate::observe::Source;
use crate::source::graph::{Graph, GraphError, Patience};
use crate::source::{Bounds, Client, Pace};

/// A tenant that is asked, and what it told last.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) asked: GraphAsked,
    graph: Graph,
    pub(super) told: Result<Arc<Told>, String>,
}

/// Whether users are read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    Now,
    Later,
}

/// Who starts does not wait for long.
const AT_START: Patience =
    Patience { tries: 3, first_wait: Duration::from_millis(500), longest_wait: Duration::from_secs(15) };

impl Live {
    /// Asks for what the configuration at `path` wants to know; none where it has no `[graph]`.
    pub(super) async fn of(path: &Path, bounds: Bounds, users: Users) -> Option<Result<Self, String>> {
        let asked = GraphAsked::of(path)?;
        let client = match Client::new(&asked.graph.roots, bounds) {
            Ok(client) => client,
            Err(error) => return Some(Err(error.to_string())),
        };
        let patience = if users == Users::Later { AT_START } else { Patience::default() };
        let graph = Graph::new(client, asked.graph.access.clone(), patience, Timestamp::now);
        let mut live = Self { asked, graph, told: Err("nobody asked".to_owned()) };
        live.told = live.ask(users).await.map(|(told, _)| Arc::new(told));
        live.graph.set_patience(Patience::default());
        Some(Ok(live))
    }

    /// Goes on with the users that were told to another one.
    pub(super) fn inherit(&mut self, known: &Told) {
        if let Ok(told) = &mut self.told {
            Arc::make_mut(told).users = known.users.clone();
        }
    }

    /// What Graph tells, and why it does not tell of users, if that is so: those that were known stay known.
    async fn ask(&mut self, users: Users) -> Result<(Told, Option<String>), String> {
        let mut told = Told::default();
        for domain in &self.asked.domains {
            if let Some(settings) = self.graph.federation(domain).await.map_err(|error| reason(&error))? {
                told.settings.insert(domain.clone(), settings);
            }
        }
        let mut lacking = Vec::new();
        // without these two there is less to compare, and no reason to do without the rest
        told.domains = self.graph.domains().await.map_err(|error| lacking.push(reason(&error))).ok();
        told.policy = self.graph.policy().await.map_err(|error| lacking.push(reason(&error))).ok().flatten();
        let mut failed = None;
        told.users = match users {
            Users::Now => self.graph.users().await.map_err(|error| failed = Some(reason(&error))).ok(),
            Users::Later => None,
        };
        told.users = told.users.or_else(|| self.told.as_ref().ok()?.users.clone());
        lacking.extend(failed.clone());
        told.lacking = lacking;
        Ok((told, failed))
    }

    /// Asks for ever. What can be judged by is put in force, the last good one stays until then.
    pub(super) async fn refresh(mut self, reloading: Arc<Reloading>, path: PathBuf, pace: Pace) {
        let pace = Pace { every: self.asked.graph.refresh, retry: pace.retry.min(self.asked.graph.refresh) };
        let mut failures = u32::from(self.told.is_err());
        self.tell(&reloading, &self.told.clone().map(|_| ()));
        let mut at_once = self.told.as_ref().is_ok_and(|told| told.users.is_none());
        loop {
            if !std::mem::take(&mut at_once) {
                tokio::time::sleep(pace.after(failures, chance(), None)).await;
            }
            let result = match self.ask(Users::Now).await {
                Ok((told, failed)) => self.take(&reloading, &path, told).await.and(failed.map_or(Ok(()), Err)),
                Err(reason) => Err(reason),
            };
            match &result {
                Ok(()) => failures = 0,
                Err(reason) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(reason, failures, "Graph does not tell all: what it told last stays in force");
                }
            }
            self.tell(&reloading, &result);
            if result.is_ok() {
                for domain in &self.asked.domains {
                    reloading.metrics.source_asked(domain, Source::Users, Ok((reloading.now)()));
                }
            }
        }
    }

    async fn take(&mut self, reloading: &Arc<Reloading>, path: &Path, told: Told) -> Result<(), String> {
        match &self.told {
            Ok(known) if known.is_same(&told) => Ok(()),
            _ => self.put(reloading, path, Arc::new(told)).await,
        }
    }

    async fn put(&mut self, reloading: &Arc<Reloading>, path: &Path, told: Arc<Told>) -> Result<(), String> {
        let (path, reloading, new) = (path.to_owned(), Arc::clone(reloading), Arc::clone(&told));
        // files are read where nothing waits for it
        let put = tokio::task::spawn_blocking(move || reloading.put_graph(&path, new)).await;
        if !matches!(put, Ok(true)) {
            return Err("what Graph told cannot be judged by: the log says why".to_owned());
        }
        self.told = Ok(told);
        Ok(())
    }

    fn tell(&self, reloading: &Reloading, result: &Result<(), String>) {
        for domain in &self.asked.domains {
            let result = result.clone().map(|()| (reloading.now)());
            reloading.metrics.source_asked(domain, Source::Settings, result);
        }
    }
}

fn reason(error: &GraphError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    }
}
