//! What is wrong with a configuration: everything at once, each with its place and a hint.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::read::FileRead;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What was expected and what came.
    pub cause: String,
    /// The file in which it stands.
    pub file: PathBuf,
    /// The line of the configuration, from 1, where it is one line's doing.
    pub line: Option<usize>,
    /// How to mend it.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  --> {}", self.cause, self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// A configuration that cannot be used, with every reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Every reason, in the order of the file.
    pub problems: Vec<Problem>,
    /// The files that were read, or looked for: a change of one of them may mend it.
    pub files: Vec<FileRead>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.len() {
            1 => f.write_str("the configuration cannot be used")?,
            count => write!(f, "the configuration cannot be used, for {count} reasons")?,
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

impl ConfigError {
    pub(super) fn unreadable(file: FileRead, error: &std::io::Error) -> Self {
        let cause = format!("the file cannot be read: {error}");
        Self { problems: vec![Problem { cause, file: file.path.clone(), line: None, hint: None }], files: vec![file] }
    }
}

/// Problems as they are found.
pub(super) struct Problems<'a> {
    path: &'a Path,
    text: &'a str,
    found: Vec<Problem>,
}

impl<'a> Problems<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, found: Vec::new() }
    }

    /// Notes a problem at a place of the file, or of the file as a whole.
    pub(super) fn push(&mut self, at: Option<Range<usize>>, cause: impl Into<String>, hint: Option<String>) {
        let line =
            at.map(|span| self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count().saturating_add(1));
        self.found.push(Problem { cause: cause.into(), file: self.path.to_owned(), line, hint });
    }

    /// Whether nothing was wrong so far.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The configuration, if nothing was wrong.
    pub(super) fn finish<T>(mut self, resolved: Option<T>) -> Result<T, Vec<Problem>> {
        self.found.sort_by_key(|problem| problem.line);
        match resolved {
            Some(resolved) if self.found.is_empty() => Ok(resolved),
            _ => Err(self.found),
        }
    }
}
