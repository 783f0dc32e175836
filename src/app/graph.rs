//! Live Microsoft Graph: asked before the configuration is read, and again and again while the service runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::published::chance;
use super::reload::Reloading;
use crate::config::{GraphAsked, Told};
use crate::observe::Source;
use crate::source::graph::{Graph, GraphError, Patience};
use crate::source::{Bounds, Client, Pace};

/// A tenant that is asked, and what it told last.
#[derive(Debug)]
pub(super) struct Live {
    asked: GraphAsked,
    graph: Graph,
    pub(super) told: Result<Arc<Told>, String>,
}

impl Live {
    /// Asks for everything that the configuration at `path` wants to know; none where it has no `[graph]`.
    pub(super) async fn of(path: &Path, bounds: Bounds, now: fn() -> jiff::Timestamp) -> Option<Result<Self, String>> {
        let asked = GraphAsked::of(path)?;
        let client = match Client::new(&asked.graph.roots, bounds) {
            Ok(client) => client,
            Err(error) => return Some(Err(error.to_string())),
        };
        let graph = Graph::new(client, asked.graph.access.clone(), Patience::default(), now);
        let mut live = Self { asked, graph, told: Err("nobody asked".to_owned()) };
        live.told = live.ask().await.map(Arc::new);
        Some(Ok(live))
    }

    async fn ask(&mut self) -> Result<Told, String> {
        let reason = |error: GraphError| match error.hint() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        };
        let mut told = Told::default();
        for domain in &self.asked.domains {
            if let Some(settings) = self.graph.federation(domain).await.map_err(reason)? {
                told.settings.insert(domain.clone(), settings);
            }
        }
        // without these two there is less to compare, and no reason to do without the rest
        told.domains = self.graph.domains().await.map_err(|error| missed(&error)).ok();
        told.policy = self.graph.policy().await.map_err(|error| missed(&error)).ok().flatten();
        told.users = self.graph.users().await.map_err(reason)?;
        Ok(told)
    }

    /// Asks for ever. What can be judged by is put in force, the last good one stays until then.
    pub(super) async fn refresh(mut self, reloading: Arc<Reloading>, path: PathBuf, pace: Pace) {
        let pace = Pace { every: self.asked.graph.refresh, retry: pace.retry.min(self.asked.graph.refresh) };
        let mut failures = u32::from(self.told.is_err());
        self.tell(&reloading, &self.told.clone().map(|_| ()));
        loop {
            tokio::time::sleep(pace.after(failures, chance())).await;
            let result = match self.ask().await {
                Ok(told) if self.told.as_ref().is_ok_and(|known| known.is_same(&told)) => Ok(()),
                Ok(told) => self.put(&reloading, &path, Arc::new(told)).await,
                Err(reason) => Err(reason),
            };
            match &result {
                Ok(()) => failures = 0,
                Err(reason) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(reason, failures, "Graph does not tell: what it told last stays in force");
                }
            }
            self.tell(&reloading, &result);
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

fn missed(error: &GraphError) {
    tracing::warn!(%error, hint = error.hint(), "Graph does not tell everything");
}
