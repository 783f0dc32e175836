//! A visit at every URL of a configuration, for a pre-flight, and at one that is to be written into one.

use std::path::Path;
use std::sync::Arc;

use super::AppError;
use super::published::{First, Published};
use crate::config::{Documents, Wanted};
use crate::doctor::{Met, Visit};
use crate::source::{Bounds, Failure, NotHad, Url};

/// What was had at the URLs of the configuration at `path`, and what each visit told. Opens no socket where there is no URL; blocks.
///
/// # Errors
/// The system refuses threads.
pub fn visits(path: &Path, bounds: Bounds) -> Result<(Documents, Vec<Visit>), AppError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AppError::Runtime)?;
    let published = runtime.block_on(Published::of(path, bounds));
    runtime.shutdown_background();
    Ok((published.documents().clone(), published.firsts().iter().map(visit).collect()))
}

/// The metadata at a URL, asked for once; these roots, in DER, are trusted beside the machine's own. Blocks.
///
/// # Errors
/// The system refuses threads.
pub fn metadata_at(url: &Url, roots: &[Vec<u8>], bounds: Bounds) -> Result<Result<Arc<[u8]>, NotHad>, AppError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(AppError::Runtime)?;
    let wanted = Wanted { written: url.to_string(), url: url.clone(), roots: roots.to_vec(), domains: Vec::new() };
    let first = runtime.block_on(First::look(wanted, bounds));
    runtime.shutdown_background();
    Ok(first.had)
}

fn visit(first: &First) -> Visit {
    let met = match &first.had {
        Ok(_) => Met::Metadata,
        Err(NotHad::Failed(Failure::OldTls)) => Met::OldTls,
        Err(NotHad::Failed(Failure::Tls(why))) => Met::Unverified(why.clone()),
        Err(NotHad::Failed(failure @ (Failure::TooLarge(_) | Failure::Led(_)))) => {
            Met::SomethingElse(failure.to_string())
        }
        Err(NotHad::Failed(failure)) => Met::Nobody(failure.to_string()),
        Err(other) => Met::SomethingElse(other.to_string()),
    };
    Visit {
        url: first.wanted.written.clone(),
        met,
        clock_offset: first.clock_offset,
        certificate_until: first.peer.map(|peer| peer.not_after),
    }
}
