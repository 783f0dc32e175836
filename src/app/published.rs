//! What the configuration names by URL: asked for before it is read, and again and again while the service runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand;
use jiff::{SignedDuration, Timestamp};
use tokio::task::{AbortHandle, JoinSet};

use super::graph::{Live, Users};
use super::reload::Reloading;
use crate::config::{Documents, GraphAsked, Told, Wanted};
use crate::observe::{Metrics, Source};
use crate::source::{Bounds, Document, Failure, Had, NotHad, Pace, Peer};

/// What was had at the URLs of a configuration.
#[derive(Debug, Default)]
pub struct Published {
    firsts: Vec<First>,
    documents: Documents,
    live: Option<Live>,
}

/// The first look at one URL.
#[derive(Debug)]
pub(super) struct First {
    pub(super) wanted: Wanted,
    /// None where nobody could be asked at all.
    document: Option<Document>,
    pub(super) had: Result<Arc<[u8]>, NotHad>,
    /// The clock there less ours.
    pub(super) clock_offset: Option<SignedDuration>,
    pub(super) peer: Option<Peer>,
}

impl Published {
    /// Asks for everything that the configuration at `path` names by URL, and all that it wants to know of Graph, once and
    /// all together.
    pub async fn of(path: &Path, bounds: Bounds) -> Self {
        Self::with(path, bounds, Users::Now).await
    }

    /// [`of`](Self::of) without the users of Graph: a large tenant takes many minutes to read, in which sign-ins go on.
    pub async fn without_users(path: &Path, bounds: Bounds) -> Self {
        Self::with(path, bounds, Users::Later).await
    }

    async fn with(path: &Path, bounds: Bounds, users: Users) -> Self {
        let (mut published, live) = tokio::join!(Self::fetch(Wanted::of(path), bounds), Live::of(path, bounds, users));
        match live {
            Some(Ok(live)) => {
                published.documents.set_graph(live.told.clone());
                published.live = Some(live);
            }
            Some(Err(reason)) => published.documents.set_graph(Err(reason)),
            None => {}
        }
        published
    }

    async fn fetch(wanted: Vec<Wanted>, bounds: Bounds) -> Self {
        let mut looks = JoinSet::new();
        for wanted in wanted {
            looks.spawn(First::look(wanted, bounds));
        }
        let mut published = Self::default();
        while let Some(first) = looks.join_next().await {
            let Ok(first) = first else { continue };
            let had = first.had.clone().map_err(|error| error.to_string());
            published.documents.insert(first.wanted.written.clone(), had);
            published.firsts.push(first);
        }
        published
    }

    /// The documents, for the configuration to be read with.
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(super) fn firsts(&self) -> &[First] {
        &self.firsts
    }
}

impl First {
    pub(super) async fn look(wanted: Wanted, bounds: Bounds) -> Self {
        let mut document = match Document::new(wanted.url.clone(), &wanted.roots, bounds) {
            Ok(document) => document,
            Err(error) => {
                let had = Err(NotHad::Failed(Failure::Tls(error.to_string())));
                return Self { wanted, document: None, had, clock_offset: None, peer: None };
            }
        };
        let looked = document.look().await;
        let now = Timestamp::now();
        let had = match looked.had {
            Ok(Had::New(held)) => {
                let bytes = Arc::clone(&held.bytes);
                document.keep(held);
                Ok(bytes)
            }
            // nothing was held
            Ok(Had::Same) => Err(NotHad::Status(304)),
            Err(error) => Err(error),
        };
        let clock_offset = looked.date.map(|date| date.duration_since(now));
        Self { wanted, document: Some(document), had, clock_offset, peer: looked.peer }
    }
}

/// The documents in force, and who asks for each of them.
pub(super) struct Kept {
    documents: Mutex<Documents>,
    asking: Mutex<Vec<Asking>>,
    /// Who asks Graph.
    graph: Mutex<Option<(GraphAsked, AbortHandle)>>,
    pace: Pace,
    bounds: Bounds,
}

struct Asking {
    wanted: Wanted,
    task: Option<AbortHandle>,
}

impl Kept {
    /// Nobody asks yet.
    pub(super) fn new(documents: Documents, pace: Pace, bounds: Bounds) -> Self {
        Self { documents: Mutex::new(documents), asking: Mutex::default(), graph: Mutex::default(), pace, bounds }
    }

    /// The documents as they are now.
    pub(super) fn documents(&self) -> Documents {
        self.locked().clone()
    }

    /// Puts a document in the place of another while `then` is done, and for good where that goes well.
    pub(super) fn try_with(&self, url: &str, bytes: Arc<[u8]>, then: impl FnOnce(&Documents) -> bool) -> bool {
        let mut documents = self.documents();
        documents.insert(url.to_owned(), Ok(bytes));
        let went_well = then(&documents);
        if went_well {
            *self.locked() = documents;
        }
        went_well
    }

    /// [`try_with`](Self::try_with) what Graph told.
    pub(super) fn try_graph(&self, told: Arc<Told>, then: impl FnOnce(&Documents) -> bool) -> bool {
        let mut documents = self.documents();
        documents.set_graph(Ok(Arc::clone(&told)));
        let went_well = then(&documents);
        if went_well {
            self.locked().set_graph(Ok(told));
        }
        went_well
    }

    /// Asks Graph for nothing any more, and forgets what it told.
    pub(super) fn forget_graph(&self, metrics: &Metrics) {
        self.leave_graph(&[], metrics);
        self.locked().forget_graph();
    }

    /// Asks it no more in the way that is known. Somebody else will, for these domains.
    fn leave_graph(&self, still: &[String], metrics: &Metrics) {
        let Some((asked, task)) = self.graph.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        task.abort();
        for domain in asked.domains.iter().filter(|domain| !still.contains(domain)) {
            metrics.source_forgotten(domain, Source::Settings);
            metrics.source_forgotten(domain, Source::Users);
        }
    }

    /// Asks Graph in another way, where the configuration wants that now: another secret, say. What it told before stays
    /// until it tells anew.
    async fn attend_graph(&self, reloading: &Arc<Reloading>, path: &Path) {
        let Some(wanted) = GraphAsked::of(path) else { return };
        let known = self.graph.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(asked, _)| asked.clone());
        if known.as_ref() == Some(&wanted) {
            return;
        }
        let Some(Ok(mut live)) = Live::of(path, self.bounds, Users::Later).await else { return };
        let told = self.documents().graph().and_then(|told| told.as_ref().ok().cloned());
        if let Some(told) = told.as_ref().filter(|_| known.is_some_and(|known| known.is_of_tenant(&wanted))) {
            live.inherit(told);
        }
        if live.told.is_ok() || told.is_none() {
            self.locked().set_graph(live.told.clone());
        }
        self.leave_graph(&wanted.domains, &reloading.metrics);
        self.ask(Published { live: Some(live), ..Published::default() }, reloading, path);
    }

    /// Asks for what nobody asks for yet; blocks until an answer, or none, is there.
    pub(super) async fn attend(&self, wanted: &[Wanted], reloading: &Arc<Reloading>, path: &Path) {
        self.attend_graph(reloading, path).await;
        let is_new = |wanted: &&Wanted| !self.asking().iter().any(|asking| asking.wanted == **wanted);
        let new: Vec<Wanted> = wanted.iter().filter(is_new).cloned().collect();
        self.ask(Published::fetch(new, self.bounds).await, reloading, path);
    }

    /// Asks for these again and again from now on.
    pub(super) fn ask(&self, published: Published, reloading: &Arc<Reloading>, path: &Path) {
        if let Some(live) = published.live {
            let asked = live.asked.clone();
            let refresh = live.refresh(Arc::clone(reloading), path.to_owned(), self.pace);
            let task = tokio::spawn(refresh).abort_handle();
            *self.graph.lock().unwrap_or_else(PoisonError::into_inner) = Some((asked, task));
        }
        for First { wanted, document, had, .. } in published.firsts {
            let had = had.map_err(|error| error.to_string());
            tell(&reloading.metrics, &wanted, had.as_ref().map(|_| (reloading.now)()).map_err(String::as_str));
            let failures = u32::from(had.is_err());
            self.hold(&wanted.written, had);
            let task = document.map(|document| {
                let refresh =
                    refresh(Arc::clone(reloading), path.to_owned(), wanted.clone(), document, failures, self.pace);
                tokio::spawn(refresh).abort_handle()
            });
            self.asking().push(Asking { wanted, task });
        }
    }

    /// Asks for nothing but these any more.
    pub(super) fn rest(&self, wanted: &[Wanted], metrics: &Metrics) {
        self.asking().retain(|asking| {
            let stays = wanted.contains(&asking.wanted);
            if !stays {
                asking.task.iter().for_each(AbortHandle::abort);
                let still = |domain: &&String| !wanted.iter().any(|wanted| wanted.domains.contains(domain));
                let gone = asking.wanted.domains.iter().filter(still);
                gone.for_each(|domain| metrics.source_forgotten(domain, Source::Metadata));
            }
            stays
        });
        self.locked().retain(|url| wanted.iter().any(|wanted| wanted.written == url));
    }

    /// What was had once stays until there is something better.
    fn hold(&self, url: &str, had: Result<Arc<[u8]>, String>) {
        let mut documents = self.locked();
        if had.is_ok() || !matches!(documents.get(url), Some(Ok(_))) {
            documents.insert(url.to_owned(), had);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Documents> {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asking(&self) -> MutexGuard<'_, Vec<Asking>> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for one document for ever. What can be judged by is put in force, the last good one stays until then.
async fn refresh(
    reloading: Arc<Reloading>,
    path: PathBuf,
    wanted: Wanted,
    mut document: Document,
    mut failures: u32,
    pace: Pace,
) {
    let mut wanted_time = None;
    loop {
        tokio::time::sleep(pace.after(failures, chance(), wanted_time)).await;
        let looked = document.look().await;
        wanted_time = looked.retry_after;
        let result = match looked.had {
            Ok(Had::Same) => Ok(()),
            Ok(Had::New(held)) => {
                let (reloading, path, url) = (Arc::clone(&reloading), path.clone(), wanted.written.clone());
                let bytes = Arc::clone(&held.bytes);
                // files are read where nothing waits for it
                let put = tokio::task::spawn_blocking(move || reloading.put_document(&path, &url, bytes)).await;
                if matches!(put, Ok(true)) {
                    document.keep(held);
                    Ok(())
                } else {
                    Err("what came cannot be judged by: the log says why".to_owned())
                }
            }
            Err(error) => Err(error.to_string()),
        };
        match &result {
            Ok(()) => {
                if failures > 0 {
                    tracing::info!(url = %wanted.url, "the metadata can be had again");
                }
                failures = 0;
            }
            Err(reason) => {
                failures = failures.saturating_add(1);
                tracing::warn!(url = %wanted.url, reason, failures, "the metadata cannot be had: the last good one stays in force");
            }
        }
        tell(&reloading.metrics, &wanted, result.as_ref().map(|()| (reloading.now)()).map_err(String::as_str));
    }
}

fn tell(metrics: &Metrics, wanted: &Wanted, result: Result<Timestamp, &str>) {
    for domain in &wanted.domains {
        metrics.source_asked(domain, Source::Metadata, result.map_err(str::to_owned));
    }
}

/// From 0 to 1.
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 2];
    // without chance all ask in the middle
    if rand::fill(&mut bytes).is_err() {
        return 0.5;
    }
    f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX)
}
