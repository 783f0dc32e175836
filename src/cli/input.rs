//! Inputs: names on the command line, found, read, and taken apart into messages.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead as _, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::args::Format;
use super::capture_file::{self, Kind};
use super::detect::{self, Shape};
use super::terminal::Trouble;
use super::verdict_lines;
use crate::inspect::Posted;

/// Bytes of the largest recording that is read. A HAR file of a busy day in a portal has some 100 MB.
const RECORDING_BYTES: usize = 256 * 1024 * 1024;

/// Folders within folders.
const FOLDERS: usize = 64;

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The body of a form post.
    Form(Vec<u8>),
    /// The base64 of a field.
    Base64(Vec<u8>),
    /// The XML itself.
    Xml(Vec<u8>),
}

impl Body {
    /// The message, to be judged.
    pub(super) fn posted(&self) -> Posted<'_> {
        match self {
            Self::Form(bytes) => Posted::Form(bytes),
            Self::Base64(bytes) => Posted::Base64(bytes),
            Self::Xml(bytes) => Posted::Xml(bytes),
        }
    }
}

/// A message of an input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The name that reports give it.
    pub(super) name: String,
    /// What was posted.
    pub(super) body: Body,
    /// When, where a recording says so.
    pub(super) at: Option<Timestamp>,
}

/// Something that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// The name that reports give it.
    pub(super) fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Stdin => Cow::Borrowed("-"),
            Self::File(path) => path.to_string_lossy(),
        }
    }

    /// Reads the messages. `body_bytes` bounds everything but recordings.
    pub(super) fn messages(&self, format: Format, body_bytes: usize) -> Result<Vec<Message>, Trouble> {
        let name = self.name();
        let cannot = |error: io::Error| Trouble::new(format!("cannot read {name}: {error}"));
        match self {
            Self::Stdin => {
                let mut stdin = io::stdin().lock();
                if stdin.fill_buf().map_err(cannot)?.is_empty() {
                    return Err(Trouble::new("stdin is empty").hint("name a file or a folder, or pipe a response in"));
                }
                messages(&name, &mut stdin, format, body_bytes)
            }
            Self::File(path) => messages(&name, &mut fs::File::open(path).map_err(cannot)?, format, body_bytes),
        }
    }
}

fn messages(name: &str, reader: &mut dyn Read, format: Format, body_bytes: usize) -> Result<Vec<Message>, Trouble> {
    let mut bytes = Vec::new();
    read_up_to(name, reader, body_bytes, &mut bytes)?;
    let recording = match format {
        Format::Auto => (detect::shape(&bytes) == Shape::Json).then_some(Kind::Any),
        Format::Har => Some(Kind::Har),
        Format::SamlTracer => Some(Kind::SamlTracer),
        Format::Xml | Format::Base64 | Format::Form => None,
    };
    let Some(kind) = recording else {
        if bytes.len() > body_bytes {
            return Err(too_large(name, body_bytes));
        }
        let body = body(bytes, format);
        return Ok(vec![Message { name: name.to_owned(), body, at: None }]);
    };
    read_up_to(name, reader, RECORDING_BYTES, &mut bytes)?;
    if bytes.len() > RECORDING_BYTES {
        return Err(too_large(name, RECORDING_BYTES));
    }
    let text = detect::text(&bytes);
    if kind == Kind::Any && verdict_lines::are_here(&text) {
        let found = verdict_lines::messages(&text).map_err(|cause| {
            Trouble::new(format!("cannot judge {name} again: {cause}"))
                .hint("`raw = true` in [capture] keeps the bodies of what is judged from then on")
        })?;
        let numbered = found.into_iter();
        return Ok(numbered.map(|(n, it)| Message { name: format!("{name}#{n}"), body: it.body, at: it.at }).collect());
    }
    let found =
        capture_file::messages(&text, kind).map_err(|cause| Trouble::new(format!("cannot read {name}: {cause}")))?;
    if found.is_empty() {
        return Err(Trouble::new(format!("{name}: no POST with a SAMLResponse was recorded"))
            .hint("record with \"Preserve log\" on, and begin before the sign-in"));
    }
    let numbered = found.into_iter().zip(1_u64..);
    Ok(numbered.map(|(it, n)| Message { name: format!("{name}#{n}"), body: it.body, at: it.at }).collect())
}

/// Reads until there is one byte more than the limit, so that the caller can tell.
fn read_up_to(name: &str, reader: &mut dyn Read, limit: usize, bytes: &mut Vec<u8>) -> Result<(), Trouble> {
    let room = (limit + 1).saturating_sub(bytes.len());
    let room = u64::try_from(room).unwrap_or(u64::MAX);
    match reader.take(room).read_to_end(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(Trouble::new(format!("cannot read {name}: {error}"))),
    }
}

fn too_large(name: &str, limit: usize) -> Trouble {
    Trouble::new(format!("{name} is larger than {limit} bytes"))
        .hint("Entra takes no response of this size; is this the file that was meant?")
}

fn body(bytes: Vec<u8>, format: Format) -> Body {
    let shape = match format {
        Format::Xml => Shape::Xml,
        Format::Base64 => Shape::Base64,
        Format::Form => Shape::Form,
        Format::Auto | Format::Har | Format::SamlTracer => detect::shape(&bytes),
    };
    match shape {
        Shape::Xml => Body::Xml(bytes),
        Shape::Form => Body::Form(one_line(&bytes)),
        Shape::Base64 | Shape::Json => Body::Base64(one_line(&bytes)),
    }
}

/// The text without the line break that editors put at the end of a file.
fn one_line(bytes: &[u8]) -> Vec<u8> {
    let text = detect::text(bytes);
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    text.get(..end).unwrap_or_default().to_vec()
}

/// Everything that was found under the names of the command line, in their order.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What can be read.
    pub(super) sources: Vec<Source>,
    /// What cannot even be found.
    pub(super) troubles: Vec<Trouble>,
}

/// Finds the inputs. Folders are gone through in the byte order of their names, files alone.
pub(super) fn find(names: &[PathBuf]) -> Found {
    let mut found = Found::default();
    for name in names {
        if name.as_os_str() == "-" {
            if found.sources.contains(&Source::Stdin) {
                found.troubles.push(Trouble::new("stdin can be read only once"));
            } else {
                found.sources.push(Source::Stdin);
            }
            continue;
        }
        match fs::metadata(name) {
            Ok(metadata) if metadata.is_dir() => enter(name, &mut HashSet::new(), &mut found),
            // a named pipe or a device that was named on the command line is meant
            Ok(_) => found.sources.push(Source::File(name.clone())),
            Err(error) => found.troubles.push(unreadable(name, &error)),
        }
    }
    found
}

fn unreadable(path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(format!("cannot read {}: {error}", path.display()))
}

/// `above` holds the true names of the folders that we are in: a link back to one of them is not followed.
fn enter(folder: &Path, above: &mut HashSet<PathBuf>, found: &mut Found) {
    let entries = fs::canonicalize(folder).and_then(|name| {
        let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
        Ok((name, entries))
    });
    let (true_name, mut entries) = match entries {
        Ok(entries) => entries,
        Err(error) => return found.troubles.push(unreadable(folder, &error)),
    };
    if above.len() >= FOLDERS {
        return found.troubles.push(Trouble::new(format!("{}: too many folders within folders", folder.display())));
    }
    if !above.insert(true_name.clone()) {
        return;
    }
    entries.sort_by(|a, b| name_bytes(a).cmp(name_bytes(b)));
    for path in entries {
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => enter(&path, above, found),
            Ok(metadata) if metadata.is_file() => found.sources.push(Source::File(path)),
            Ok(_) => {}
            Err(error) => found.troubles.push(unreadable(&path, &error)),
        }
    }
    above.remove(&true_name);
}

fn name_bytes(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const LIMIT: usize = 64;

    fn read(bytes: &[u8], format: Format) -> Result<Vec<Message>, Trouble> {
        messages("file", &mut &*bytes, format, LIMIT)
    }

    #[test]
    fn texts_lose_the_line_break_of_the_editor_and_xml_keeps_every_byte() {
        let only = |bytes: &[u8], format| read(bytes, format).unwrap().remove(0).body;
        assert_eq!(
            only(b"SAMLResponse=a&RelayState=b\r\n", Format::Auto),
            Body::Form(b"SAMLResponse=a&RelayState=b".to_vec())
        );
        assert_eq!(only(b"PHNh\n", Format::Auto), Body::Base64(b"PHNh".to_vec()));
        assert_eq!(only(b"\xef\xbb\xbf<a/>\n", Format::Auto), Body::Xml(b"\xef\xbb\xbf<a/>\n".to_vec()));
        assert_eq!(only(b"PHNh", Format::Xml), Body::Xml(b"PHNh".to_vec()));
        assert_eq!(only(b"<a/>", Format::Base64), Body::Base64(b"<a/>".to_vec()));
        assert_eq!(only(b"", Format::Auto), Body::Base64(Vec::new()));
    }

    #[test]
    fn a_file_over_the_limit_is_named_and_a_recording_may_be_larger() {
        let long = [b'A'; LIMIT + 1];
        assert!(read(&long, Format::Auto).unwrap_err().to_string().contains("file is larger than 64 bytes"));
        assert!(read(long.get(1..).unwrap(), Format::Auto).is_ok());
        let har = br#"{"log":{"comment":"longer than the limit of a body, as recordings are","entries":[{"request":
            {"method":"POST","url":"https://a/","postData":{"text":"SAMLResponse=a"}}}]}}"#;
        assert_eq!(read(har, Format::Auto).unwrap().remove(0).name, "file#1");
    }

    #[test]
    fn a_recording_without_a_sign_in_is_trouble() {
        let trouble = read(br#"{"log":{"entries":[]}}"#, Format::Auto).unwrap_err();
        assert!(trouble.to_string().contains("no POST with a SAMLResponse"));
    }

    #[test]
    fn folders_are_gone_through_in_byte_order_and_loops_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("b")).unwrap();
        for name in ["a.xml", "Z.xml", "b/c.xml", "é.xml", "b.xml"] {
            fs::write(at(name), "<a/>").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path(), at("b/loop")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("nowhere"), at("dangling")).unwrap();
        let found = find(&[folder.path().to_owned()]);
        let names: Vec<_> = found
            .sources
            .iter()
            .map(|source| source.name().strip_prefix(folder.path().to_str().unwrap()).unwrap().to_owned())
            .collect();
        assert_eq!(names, ["/Z.xml", "/a.xml", "/b/c.xml", "/b.xml", "/é.xml"]);
        assert_eq!(found.troubles.len(), usize::from(cfg!(unix)));
    }
}
