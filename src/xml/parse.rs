//! Bytes to tree, once, strictly: quick-xml cuts the text into tokens, everything else that well-formedness asks is asked here.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::chars::{first_bad_char, is_ncname, is_space};
use super::document::{
    Attribute, Content, Declaration, Document, NO_PREFIX, NO_URI, Name, Node, NodeId, Str, Tree, XML_NAMESPACE,
    XML_URI, XMLNS_NAMESPACE, position,
};
use super::error::{XmlError, XmlProblem};
use super::interner::Interner;
use super::references::{push_attribute_value, push_normalised, resolve};
use super::tag::{RawAttribute, RawAttributes, excerpt};
use crate::limits::Limits;

type Located<T> = Result<T, (XmlProblem, usize)>;

/// Parses a document.
///
/// Accepted is what is well-formed under [XML 1.0] and [Namespaces in XML 1.0], in UTF-8, without a document type
/// declaration, within the limits. One byte order mark may stand before it.
pub fn parse(bytes: Vec<u8>, limits: &Limits) -> Result<Document, XmlError> {
    let start = crate::verdict::Position { line: 1, column: 1 };
    let refuse = |problem| XmlError { problem, at: start };
    if bytes.len() > limits.xml_bytes {
        return Err(refuse(XmlProblem::Limit { what: "bytes of XML", limit: limits.xml_bytes }));
    }
    if let Some(encoding) = other_encoding(&bytes) {
        return Err(refuse(XmlProblem::OtherEncoding(encoding)));
    }
    let mut source = String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let valid = String::from_utf8_lossy(valid);
        let valid = valid.strip_prefix(MARK).unwrap_or(&valid);
        XmlError { problem: XmlProblem::NotUtf8, at: position(valid, valid.len()) }
    })?;
    if source.starts_with(MARK) {
        source.drain(..MARK.len_utf8());
        if source.starts_with(MARK) {
            return Err(refuse(XmlProblem::SecondMark));
        }
    }
    match Parser::new(&source, limits).run() {
        Ok(tree) => Ok(Document { source, tree }),
        Err((problem, at)) => Err(XmlError { problem, at: position(&source, at) }),
    }
}

/// A byte order mark.
const MARK: char = '\u{feff}';

/// The encoding that the first bytes speak of, where it is not UTF-8 ([XML 1.0 F.1]).
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, b'<', ..] | [0xff, 0xfe, 0, 0, ..] | [b'<', 0, 0, 0, ..] => Some("UTF-32"),
        [0xfe, 0xff, ..] | [0, b'<', ..] | [0xff, 0xfe, ..] | [b'<', 0, ..] => Some("UTF-16"),
        [0x4c, 0x6f, 0xa7, 0x94, ..] => Some("EBCDIC"),
        _ => None,
    }
}

/// An element whose end tag has not come.
struct Open<'t> {
    node: NodeId,
    name: &'t str,
}

/// Text that may go on in the next token.
enum Pending {
    None,
    /// One token, as it stands in the source.
    Source {
        at: usize,
        text: Str,
    },
    /// Joined, in `made` from here on.
    Made {
        at: usize,
        start: usize,
    },
}

struct Parser<'t> {
    source: &'t str,
    limits: &'t Limits,
    tree: Tree,
    /// The URI that each prefix means now, by the number of the prefix.
    bound: Vec<Option<u32>>,
    open: Vec<Open<'t>>,
    /// The attributes of the tag at hand, which wait for its namespace declarations.
    written: Vec<RawAttribute<'t>>,
    pending: Pending,
    elements: usize,
    comments: usize,
    seen_root: bool,
}

impl<'t> Parser<'t> {
    fn new(source: &'t str, limits: &'t Limits) -> Self {
        // A tag is rarely shorter than 40 bytes; the arena grows once or not at all.
        let expected = source.len() / 40 + 8;
        let mut nodes = Vec::with_capacity(expected * 2);
        nodes.push(Node { parent: NodeId::DOCUMENT, end: NodeId(1), at: 0, content: Content::Document });
        let mut bound = Vec::with_capacity(32);
        bound.extend([Some(NO_URI), Some(XML_URI), None]);
        Self {
            source,
            limits,
            tree: Tree {
                made: String::with_capacity(256),
                nodes,
                attributes: Vec::with_capacity(expected),
                declarations: Vec::with_capacity(32),
                strings: Interner::with(&["", "xml", XML_NAMESPACE]),
            },
            bound,
            open: Vec::with_capacity(16),
            written: Vec::with_capacity(16),
            pending: Pending::None,
            elements: 0,
            comments: 0,
            seen_root: false,
        }
    }

    fn run(mut self) -> Located<Tree> {
        if let Some(at) = first_bad_char(self.source) {
            let found = self.source.get(at..).and_then(|rest| rest.chars().next()).map_or(0, u32::from);
            return Err((XmlProblem::Character(found), at));
        }
        let mut reader = Reader::from_str(self.source);
        let config = reader.config_mut();
        // names are compared here, where the open elements are kept anyway
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.check_comments = false;
        let mut at = 0;
        loop {
            let event = reader.read_event().map_err(|error| {
                if starts_a_doctype(self.source.get(at..).unwrap_or_default()) {
                    return (XmlProblem::Doctype, at);
                }
                let problem = XmlProblem::Syntax { expected: "well-formed XML", got: error.to_string() };
                (problem, usize::try_from(reader.error_position()).unwrap_or(at))
            })?;
            let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            // The token with its delimiters: nothing between two tokens is overlooked.
            let raw = self.source.get(at..end).unwrap_or_default();
            match event {
                Event::Text(_) => self.text(raw, at)?,
                Event::GeneralRef(_) => self.reference(raw, at)?,
                Event::CData(_) => self.cdata(raw, at)?,
                Event::Start(_) => self.start(strip(raw, "<", ">", at)?, at, false)?,
                Event::Empty(_) => self.start(strip(raw, "<", "/>", at)?, at, true)?,
                Event::End(_) => self.end(strip(raw, "</", ">", at)?, at)?,
                Event::Comment(_) => self.comment(raw, at)?,
                Event::PI(_) => self.instruction(strip(raw, "<?", "?>", at)?, at)?,
                Event::Decl(_) if at == 0 => {
                    declaration(strip(raw, "<?xml", "?>", at)?).map_err(|problem| (problem, at))?
                }
                Event::Decl(_) => return Err((XmlProblem::Declaration("one further down".to_owned()), at)),
                Event::DocType(_) => return Err((XmlProblem::Doctype, at)),
                Event::Eof => break,
            }
            at = end;
        }
        if let Some(open) = self.open.last() {
            return Err((XmlProblem::Unclosed(open.name.to_owned()), self.source.len()));
        }
        if !self.seen_root {
            let blank = self.source.bytes().all(is_space);
            let problem = if blank { XmlProblem::Empty } else { XmlProblem::OutsideRoot("no element") };
            return Err((problem, 0));
        }
        let end = self.next_id();
        if let Some(document) = self.tree.nodes.first_mut() {
            document.end = end;
        }
        Ok(self.tree)
    }

    fn next_id(&self) -> NodeId {
        // the size of the document bounds the number of nodes far below 2^32
        NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX))
    }

    fn push(&mut self, at: usize, content: Content) -> NodeId {
        let id = self.next_id();
        let parent = self.open.last().map_or(NodeId::DOCUMENT, |open| open.node);
        self.tree.nodes.push(Node { parent, end: NodeId(id.0 + 1), at: offset(at), content });
        id
    }

    // --- character data ----------------------------------------------------------------------------------------------

    fn text(&mut self, raw: &'t str, at: usize) -> Located<()> {
        if self.open.is_empty() {
            return match raw.bytes().position(|byte| !is_space(byte)) {
                Some(found) => Err((XmlProblem::OutsideRoot("text"), at + found)),
                None => Ok(()),
            };
        }
        let special = memchr::memchr2(b'>', b'\r', raw.as_bytes());
        if special.is_some()
            && let Some(found) = memchr::memmem::find(raw.as_bytes(), b"]]>")
        {
            let problem = XmlProblem::Syntax { expected: "`]]&gt;` in text", got: "`]]>`".to_owned() };
            return Err((problem, at + found));
        }
        self.append(raw, at, at, special.is_none());
        Ok(())
    }

    /// Character data goes on: `raw` stands at `text_at` in a token that begins at `at`.
    fn append(&mut self, raw: &'t str, at: usize, text_at: usize, plain: bool) {
        if matches!(self.pending, Pending::None) && (plain || !raw.contains('\r')) {
            let text = Str { start: offset(text_at), len: offset(raw.len()), made: false, plain };
            self.pending = Pending::Source { at, text };
        } else {
            self.join(at);
            push_normalised(&mut self.tree.made, raw);
        }
    }

    /// Goes over to joined text.
    fn join(&mut self, at: usize) {
        let start = self.tree.made.len();
        match self.pending {
            Pending::Made { .. } => {}
            Pending::None => self.pending = Pending::Made { at, start },
            Pending::Source { at, text } => {
                let first = text.start as usize;
                self.tree.made.push_str(self.source.get(first..first + text.len as usize).unwrap_or_default());
                self.pending = Pending::Made { at, start };
            }
        }
    }

    fn reference(&mut self, raw: &'t str, at: usize) -> Located<()> {
        if self.open.is_empty() {
            return Err((XmlProblem::OutsideRoot("a reference"), at));
        }
        let name = raw.strip_prefix('&').and_then(|rest| rest.strip_suffix(';'));
        let c = name.and_then(resolve).ok_or_else(|| (XmlProblem::Reference(bounded(raw)), at))?;
        self.join(at);
        self.tree.made.push(c);
        Ok(())
    }

    fn cdata(&mut self, raw: &'t str, at: usize) -> Located<()> {
        if self.open.is_empty() {
            return Err((XmlProblem::OutsideRoot("a CDATA section"), at));
        }
        let text = strip(raw, "<![CDATA[", "]]>", at)?;
        let plain = !text.contains(['&', '<', '>', '\r']);
        self.append(text, at, at + "<![CDATA[".len(), plain);
        Ok(())
    }

    /// Character data has ended: it becomes one node.
    fn flush(&mut self) {
        match std::mem::replace(&mut self.pending, Pending::None) {
            Pending::None => {}
            Pending::Source { text, .. } if text.len == 0 => {}
            Pending::Source { at, text } => _ = self.push(at, Content::Text(text)),
            Pending::Made { start, .. } if self.tree.made.len() == start => {}
            Pending::Made { at, start } => {
                let plain = !self.tree.made.get(start..).unwrap_or_default().contains(['&', '<', '>', '\r']);
                let text = self.made_since(start, plain);
                self.push(at, Content::Text(text));
            }
        }
    }

    fn made_since(&self, start: usize, plain: bool) -> Str {
        Str { start: offset(start), len: offset(self.tree.made.len() - start), made: true, plain }
    }

    /// Text of a comment or an instruction: a run of the source, unless its line ends must be normalised.
    fn markup_text(&mut self, raw: &str, at: usize) -> Str {
        if raw.contains('\r') {
            let start = self.tree.made.len();
            push_normalised(&mut self.tree.made, raw);
            self.made_since(start, true)
        } else {
            Str { start: offset(at), len: offset(raw.len()), made: false, plain: true }
        }
    }

    // --- comments and instructions -----------------------------------------------------------------------------------

    fn comment(&mut self, raw: &'t str, at: usize) -> Located<()> {
        self.flush();
        self.count_comment(at)?;
        let text = strip(raw, "<!--", "-->", at)?;
        if text.ends_with('-') || memchr::memmem::find(text.as_bytes(), b"--").is_some() {
            let problem = XmlProblem::Syntax { expected: "a comment without `--`", got: excerpt(raw) };
            return Err((problem, at));
        }
        let text = self.markup_text(text, at + "<!--".len());
        self.push(at, Content::Comment(text));
        Ok(())
    }

    fn instruction(&mut self, content: &'t str, at: usize) -> Located<()> {
        self.flush();
        self.count_comment(at)?;
        let target_len = content.bytes().take_while(|byte| !is_space(*byte)).count();
        let (target, rest) = content.split_at_checked(target_len).unwrap_or((content, ""));
        if !is_ncname(target) || target.eq_ignore_ascii_case("xml") {
            let problem =
                XmlProblem::Syntax { expected: "the target of a processing instruction", got: excerpt(target) };
            return Err((problem, at));
        }
        let data = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let data_at = at + "<?".len() + (content.len() - data.len());
        let target = self.markup_text(target, at + "<?".len());
        let data = self.markup_text(data, data_at);
        self.push(at, Content::Instruction { target, data });
        Ok(())
    }

    fn count_comment(&mut self, at: usize) -> Located<()> {
        self.comments += 1;
        self.bound_by(self.comments, self.limits.comments, "comments and processing instructions", at)
    }

    fn bound_by(&self, count: usize, limit: usize, what: &'static str, at: usize) -> Located<()> {
        if count > limit { Err((XmlProblem::Limit { what, limit }, at)) } else { Ok(()) }
    }

    // --- elements ----------------------------------------------------------------------------------------------------

    fn start(&mut self, content: &'t str, at: usize, empty: bool) -> Located<()> {
        self.flush();
        if self.open.is_empty() && self.seen_root {
            return Err((XmlProblem::OutsideRoot("a second element"), at));
        }
        self.seen_root = true;
        self.elements += 1;
        self.bound_by(self.elements, self.limits.elements, "elements", at)?;
        self.bound_by(self.open.len() + 1, self.limits.depth, "nested elements", at)?;

        let name_len = content.bytes().take_while(|byte| !is_space(*byte)).count();
        let (name, rest) = content.split_at_checked(name_len).unwrap_or((content, ""));
        let first_attribute = offset(self.tree.attributes.len());
        let first_declaration = offset(self.tree.declarations.len());
        self.attributes(rest, at + 1 + name_len)?;
        let name_of_element = self.name(name, at + 1, true)?;
        let declarations = first_declaration..offset(self.tree.declarations.len());
        let node = self.push(
            at,
            Content::Element {
                name: name_of_element,
                attributes: first_attribute..offset(self.tree.attributes.len()),
                declarations: declarations.clone(),
            },
        );
        if empty {
            self.unbind(&declarations);
        } else {
            self.open.push(Open { node, name });
        }
        Ok(())
    }

    fn end(&mut self, content: &'t str, at: usize) -> Located<()> {
        self.flush();
        let name = content.trim_end_matches([' ', '\t', '\n', '\r']);
        let Some(open) = self.open.pop() else {
            return Err((XmlProblem::OutsideRoot("an end tag"), at));
        };
        if open.name != name {
            return Err((XmlProblem::EndTag { expected: open.name.to_owned(), got: bounded(name) }, at));
        }
        let end = self.next_id();
        if let Some(node) = self.tree.nodes.get_mut(open.node.index()) {
            node.end = end;
            if let Content::Element { declarations, .. } = &node.content {
                let declarations = declarations.clone();
                self.unbind(&declarations);
            }
        }
        Ok(())
    }

    /// What follows the name in a tag. Names have a meaning only when all declarations of the tag are known.
    fn attributes(&mut self, rest: &'t str, rest_at: usize) -> Located<()> {
        let first_declaration = self.tree.declarations.len();
        let mut written = std::mem::take(&mut self.written);
        written.clear();
        let mut raw = RawAttributes::new(rest);
        while let Some(attribute) = raw.next().map_err(|(problem, at)| (problem, rest_at + at))? {
            let at = rest_at + attribute.at;
            if let Some(prefix) = attribute.declares() {
                self.declare(&attribute, prefix, first_declaration, at)?;
            } else {
                written.push(attribute);
                self.bound_by(written.len(), self.limits.attributes, "attributes in one element", at)?;
            }
        }
        let first = self.tree.attributes.len();
        for attribute in &written {
            self.attribute(attribute, rest_at, first)?;
        }
        self.written = written;
        Ok(())
    }

    fn declare(&mut self, attribute: &RawAttribute<'t>, prefix: &str, first: usize, at: usize) -> Located<()> {
        let uri = if is_as_written(attribute.value) {
            Cow::Borrowed(attribute.value)
        } else {
            let mut made = String::new();
            push_attribute_value(&mut made, attribute.value)
                .map_err(|found| (XmlProblem::Reference(bounded(found)), at))?;
            Cow::Owned(made)
        };
        self.bound_by(uri.len(), self.limits.uri_bytes, "bytes of a namespace URI", at)?;
        self.bound_by(attribute.name.len(), self.limits.name_bytes, "bytes of a name", at)?;
        lawful_declaration(attribute.name, prefix, &uri).map_err(|text| (XmlProblem::Namespace(text), at))?;
        let (prefix, uri) = (self.tree.strings.intern(prefix), self.tree.strings.intern(&uri));
        if self.tree.declarations.iter().skip(first).any(|known| known.prefix == prefix) {
            return Err((XmlProblem::DuplicateAttribute(bounded(attribute.name)), at));
        }
        self.bound.resize(self.tree.strings.len(), None);
        let outside = self.bound.get_mut(prefix as usize).and_then(|bound| bound.replace(uri));
        self.tree.declarations.push(Declaration { prefix, uri, outside });
        let count = self.tree.declarations.len() - first;
        self.bound_by(count, self.limits.namespaces, "namespace declarations in one element", at)
    }

    /// The element of these declarations has ended.
    fn unbind(&mut self, declarations: &Range<u32>) {
        let ended = self.tree.declarations.get(declarations.start as usize..declarations.end as usize);
        for declaration in ended.unwrap_or_default() {
            if let Some(bound) = self.bound.get_mut(declaration.prefix as usize) {
                *bound = declaration.outside;
            }
        }
    }

    fn attribute(&mut self, raw: &RawAttribute<'t>, rest_at: usize, first: usize) -> Located<()> {
        let at = rest_at + raw.at;
        let name = self.name(raw.name, at, false)?;
        let value = self.value(raw.value, at, rest_at + raw.value_at)?;
        let local = raw.name.get(name.local_at as usize..).unwrap_or_default();
        let twin = |known: &Attribute| known.name.uri == name.uri && self.local_of(&known.name) == local;
        if self.tree.attributes.iter().skip(first).any(twin) {
            return Err((XmlProblem::DuplicateAttribute(bounded(raw.name)), at));
        }
        self.tree.attributes.push(Attribute { name, value, at: offset(at) });
        Ok(())
    }

    fn local_of(&self, name: &Name) -> &'t str {
        let start = (name.written.start + name.local_at) as usize;
        self.source.get(start..(name.written.start + name.written.len) as usize).unwrap_or_default()
    }

    fn value(&mut self, raw: &'t str, at: usize, value_at: usize) -> Located<Str> {
        if is_as_written(raw) {
            let plain = memchr::memchr(b'"', raw.as_bytes()).is_none();
            return Ok(Str { start: offset(value_at), len: offset(raw.len()), made: false, plain });
        }
        let start = self.tree.made.len();
        push_attribute_value(&mut self.tree.made, raw).map_err(|found| (XmlProblem::Reference(bounded(found)), at))?;
        let plain = !self.tree.made.get(start..).unwrap_or_default().contains(['&', '<', '"', '\t', '\n', '\r']);
        Ok(self.made_since(start, plain))
    }

    /// Resolves a name. An unprefixed element is in the default namespace, an unprefixed attribute in none.
    fn name(&mut self, written: &'t str, at: usize, element: bool) -> Located<Name> {
        self.bound_by(written.len(), self.limits.name_bytes, "bytes of a name", at)?;
        let (prefix, local) = written.split_once(':').unwrap_or(("", written));
        let prefixed = local.len() < written.len();
        if !is_ncname(local) || (prefixed && !is_ncname(prefix)) {
            return Err((XmlProblem::Name(bounded(written)), at));
        }
        let (prefix, uri) = if prefixed {
            let number = self.tree.strings.find(prefix);
            let bound = number.and_then(|number| Some((number, self.bound.get(number as usize).copied().flatten()?)));
            bound.ok_or_else(|| (XmlProblem::Prefix(bounded(prefix)), at))?
        } else if element {
            (NO_PREFIX, self.bound.first().copied().flatten().unwrap_or(NO_URI))
        } else {
            (NO_PREFIX, NO_URI)
        };
        let text = Str { start: offset(at), len: offset(written.len()), made: false, plain: true };
        Ok(Name { written: text, local_at: offset(written.len() - local.len()), prefix, uri })
    }
}

/// What the namespaces recommendation forbids, and relative URIs, on which canonicalisers differ ([xml-c14n 1.3]).
fn lawful_declaration(written: &str, prefix: &str, uri: &str) -> Result<(), String> {
    if written != "xmlns" && !is_ncname(prefix) {
        return Err(format!("`{}`", bounded(written)));
    }
    if (prefix == "xml") != (uri == XML_NAMESPACE) {
        return Err(format!("`{}` bound to `{}`", bounded(written), bounded(uri)));
    }
    if prefix == "xmlns" || uri == XMLNS_NAMESPACE {
        return Err("a declaration of `xmlns` itself".to_owned());
    }
    if uri.is_empty() && !prefix.is_empty() {
        return Err(format!("`{}=\"\"`, which XML 1.0 cannot undeclare", bounded(written)));
    }
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let absolute = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !uri.is_empty() && !absolute {
        return Err(format!("the relative URI `{}`", bounded(uri)));
    }
    Ok(())
}

/// The XML declaration, between `<?xml` and `?>` ([XML 1.0 2.8]).
fn declaration(content: &str) -> Result<(), XmlProblem> {
    let wrong = || XmlProblem::Declaration(excerpt(content));
    let mut raw = RawAttributes::new(content);
    let mut next = || raw.next().map_err(|_| wrong());
    let version = next()?.filter(|first| first.name == "version").ok_or_else(wrong)?;
    if version.value != "1.0" {
        return Err(XmlProblem::Version(bounded(version.value)));
    }
    let mut further = next()?;
    if let Some(encoding) = further.take_if(|attribute| attribute.name == "encoding") {
        if !encoding.value.eq_ignore_ascii_case("utf-8") {
            return Err(XmlProblem::DeclaredEncoding(bounded(encoding.value)));
        }
        further = next()?;
    }
    if let Some(standalone) = further {
        if standalone.name != "standalone" || !matches!(standalone.value, "yes" | "no") || next()?.is_some() {
            return Err(wrong());
        }
    }
    Ok(())
}

/// Whether the value of an attribute means what is written, without references and white space to be normalised.
fn is_as_written(value: &str) -> bool {
    // without a branch for each byte
    !value.bytes().fold(false, |found, byte| found | matches!(byte, b'&' | b'\t' | b'\n' | b'\r'))
}

fn starts_a_doctype(text: &str) -> bool {
    text.get(.."<!DOCTYPE".len()).is_some_and(|start| start.eq_ignore_ascii_case("<!DOCTYPE"))
}

/// A token without its delimiters.
fn strip<'t>(raw: &'t str, open: &'static str, close: &'static str, at: usize) -> Located<&'t str> {
    raw.strip_prefix(open)
        .and_then(|rest| rest.strip_suffix(close))
        .ok_or_else(|| (XmlProblem::Syntax { expected: "a token that is closed", got: excerpt(raw) }, at))
}

/// Hostile text for a sentence.
fn bounded(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The limit on the size of a document keeps every offset far below 2^32.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
