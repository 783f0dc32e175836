//! Bytes to tree, once, strictly: everything that well-formedness asks is asked here, of the tokens that [`super::token`] cuts.

use smallvec::SmallVec;

use super::chars::{is_ncname, is_space, survey};
use super::document::{Content, Document, NO_PREFIX, NO_URI, Node, NodeId, Str, Tree, XML_URI};
use super::error::{XmlError, XmlProblem};
use super::position::position;
use super::references::{push_normalised, resolve};
use super::tag::{RawAttributes, excerpt};
use super::token::{Token, token};
use crate::limits::Limits;

/// A problem and its offset. Boxed: nearly every step of the parser gives back a result, and hardly any holds one.
pub(super) struct Fault(Box<(XmlProblem, usize)>);

impl From<(XmlProblem, usize)> for Fault {
    fn from(located: (XmlProblem, usize)) -> Self {
        Self(Box::new(located))
    }
}

pub(super) type Located<T> = Result<T, Fault>;

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
        Ok(tree) => Ok(Document::new(source, tree)),
        Err(Fault(fault)) => {
            let (problem, at) = *fault;
            Err(XmlError { problem, at: position(&source, at) })
        }
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
pub(super) struct Open<'t> {
    pub(super) node: NodeId,
    pub(super) name: &'t str,
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

pub(super) struct Parser<'t> {
    pub(super) source: &'t str,
    pub(super) limits: &'t Limits,
    pub(super) tree: Tree,
    /// The URI that each prefix means now, by the number of the prefix.
    pub(super) bound: SmallVec<[Option<u32>; 32]>,
    pub(super) open: SmallVec<[Open<'t>; 16]>,
    /// The prefix that was looked up last, and its number.
    pub(super) recent_prefix: (&'t str, u32),
    pending: Pending,
    /// Whether a carriage return stands anywhere.
    returns: bool,
    pub(super) elements: usize,
    comments: usize,
    pub(super) seen_root: bool,
}

impl<'t> Parser<'t> {
    fn new(source: &'t str, limits: &'t Limits) -> Self {
        Self {
            source,
            limits,
            // a tag is rarely shorter than 40 bytes: the arena grows once or not at all
            tree: Tree::of_about(source.len() / 40 + 8),
            bound: SmallVec::from_slice(&[Some(NO_URI), Some(XML_URI), None]),
            open: SmallVec::new(),
            recent_prefix: ("", NO_PREFIX),
            pending: Pending::None,
            returns: false,
            elements: 0,
            comments: 0,
            seen_root: false,
        }
    }

    fn run(mut self) -> Located<Tree> {
        let survey = survey(self.source);
        self.returns = survey.returns;
        if let Some(at) = survey.bad {
            let found = self.source.get(at..).and_then(|rest| rest.chars().next()).map_or(0, u32::from);
            return Err((XmlProblem::Character(found), at).into());
        }
        let mut at = 0;
        loop {
            // the end of most elements is just what it must be
            if let Some(end) = self.bare_end(at) {
                self.end_bare(at);
                at = end;
                continue;
            }
            let Some((token, end)) = token(self.source, at)? else { break };
            match token {
                Token::Text(text, greater) => self.text(text, at, greater)?,
                Token::Reference(name) => self.reference(name, at)?,
                Token::Cdata(text) => self.cdata(text, at)?,
                Token::Start(tag, name) => self.start(tag, name, at, false)?,
                Token::Empty(tag, name) => self.start(tag, name, at, true)?,
                Token::End(tag) => self.end(tag, at)?,
                Token::Comment(text) => self.comment(text, at)?,
                Token::Instruction(content) => self.instruction(content, at)?,
            }
            at = end;
        }
        if let Some(open) = self.open.last() {
            return Err((XmlProblem::Unclosed(open.name.to_owned()), self.source.len()).into());
        }
        if !self.seen_root {
            let blank = self.source.bytes().all(is_space);
            let problem = if blank { XmlProblem::Empty } else { XmlProblem::OutsideRoot("no element") };
            return Err((problem, 0).into());
        }
        let end = self.next_id();
        if let Some(document) = self.tree.nodes.first_mut() {
            document.end = end;
        }
        Ok(self.tree)
    }

    pub(super) fn next_id(&self) -> NodeId {
        // the size of the document bounds the number of nodes far below 2^32
        NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn push(&mut self, at: usize, content: Content) -> NodeId {
        let id = self.next_id();
        let parent = self.open.last().map_or(NodeId::DOCUMENT, |open| open.node);
        self.tree.nodes.push(Node { parent, end: NodeId(id.0 + 1), at: offset(at), content });
        id
    }

    // --- character data ----------------------------------------------------------------------------------------------

    fn text(&mut self, raw: &'t str, at: usize, greater: bool) -> Located<()> {
        if self.open.is_empty() {
            return match raw.bytes().position(|byte| !is_space(byte)) {
                Some(found) => Err((XmlProblem::OutsideRoot("text"), at + found).into()),
                None => Ok(()),
            };
        }
        if greater && let Some(found) = memchr::memmem::find(raw.as_bytes(), b"]]>") {
            let problem = XmlProblem::Syntax { expected: "`]]&gt;` in text", got: "`]]>`".to_owned() };
            return Err((problem, at + found).into());
        }
        let special = greater || (self.returns && raw.contains('\r'));
        self.append(raw, at, at, !special);
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

    fn reference(&mut self, name: &str, at: usize) -> Located<()> {
        if self.open.is_empty() {
            return Err((XmlProblem::OutsideRoot("a reference"), at).into());
        }
        let c = resolve(name).ok_or_else(|| (XmlProblem::Reference(bounded(&format!("&{name};"))), at))?;
        self.join(at);
        self.tree.made.push(c);
        Ok(())
    }

    fn cdata(&mut self, text: &'t str, at: usize) -> Located<()> {
        if self.open.is_empty() {
            return Err((XmlProblem::OutsideRoot("a CDATA section"), at).into());
        }
        let plain = !text.contains(['&', '<', '>', '\r']);
        self.append(text, at, at + "<![CDATA[".len(), plain);
        Ok(())
    }

    /// Character data has ended: it becomes one node.
    #[inline]
    pub(super) fn flush(&mut self) {
        if !matches!(self.pending, Pending::None) {
            self.flush_pending();
        }
    }

    fn flush_pending(&mut self) {
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

    pub(super) fn made_since(&self, start: usize, plain: bool) -> Str {
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

    fn comment(&mut self, text: &'t str, at: usize) -> Located<()> {
        self.flush();
        self.count_comment(at)?;
        if text.ends_with('-') || memchr::memmem::find(text.as_bytes(), b"--").is_some() {
            let problem = XmlProblem::Syntax { expected: "a comment without `--`", got: excerpt(text) };
            return Err((problem, at).into());
        }
        let text = self.markup_text(text, at + "<!--".len());
        self.push(at, Content::Comment(text));
        Ok(())
    }

    fn instruction(&mut self, content: &'t str, at: usize) -> Located<()> {
        let target_len = content.bytes().take_while(|byte| !is_space(*byte)).count();
        let (target, rest) = content.split_at_checked(target_len).unwrap_or((content, ""));
        if target == "xml" {
            let further_down = || XmlProblem::Declaration("one further down".to_owned());
            let well = if at == 0 { declaration(rest) } else { Err(further_down()) };
            return well.map_err(|problem| (problem, at).into());
        }
        self.flush();
        self.count_comment(at)?;
        self.bound_by(target.len(), self.limits.name_bytes, "bytes of a name", at)?;
        if !is_ncname(target) || target.eq_ignore_ascii_case("xml") {
            let problem =
                XmlProblem::Syntax { expected: "the target of a processing instruction", got: excerpt(target) };
            return Err((problem, at).into());
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

    pub(super) fn bound_by(&self, count: usize, limit: usize, what: &'static str, at: usize) -> Located<()> {
        if count > limit { Err((XmlProblem::Limit { what, limit }, at).into()) } else { Ok(()) }
    }
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
    match further {
        None => Ok(()),
        Some(last) if last.name == "standalone" && matches!(last.value, "yes" | "no") && next()?.is_none() => Ok(()),
        Some(_) => Err(wrong()),
    }
}

/// Hostile text for a sentence.
pub(super) fn bounded(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The limit on the size of a document keeps every offset far below 2^32.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
