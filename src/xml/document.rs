//! The tree: an arena of nodes in document order, so that a subtree is a run of it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::OnceLock;

use super::interner::Interner;
use super::position::Marks;
use super::spare;
use crate::verdict::Position;

/// A node of one [`Document`]. Numbers grow in document order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    /// The document itself, parent of the root element.
    pub const DOCUMENT: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A piece of text: of the source, or of what was made of it (references decoded, line ends normalised).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Str {
    pub(super) start: u32,
    pub(super) len: u32,
    pub(super) made: bool,
    /// Whether it stands in canonical form as it is, without a character that is escaped there.
    pub(super) plain: bool,
}

/// A name: as written, and by namespace.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    pub(super) written: Str,
    /// Bytes of the prefix and its colon.
    pub(super) local_at: u32,
    pub(super) prefix: u32,
    pub(super) uri: u32,
}

/// An attribute that is not a namespace declaration.
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    pub(super) name: Name,
    pub(super) value: Str,
    pub(super) at: u32,
}

impl Name {
    /// The name without its prefix.
    pub(super) fn local_in<'s>(&self, source: &'s str) -> &'s str {
        let Str { start, len, .. } = self.written;
        source.get((start + self.local_at) as usize..(start + len) as usize).unwrap_or_default()
    }
}

impl Attribute {
    /// How attributes are sorted in canonical form: by namespace, then by local name ([xml-c14n 2.3]).
    pub(super) fn canonical_order(&self, other: &Self, source: &str, strings: &Interner) -> Ordering {
        let (one, another) = (&self.name, &other.name);
        let namespaces = || strings.text(one.uri).cmp(strings.text(another.uri));
        let namespaces = if one.uri == another.uri { Ordering::Equal } else { namespaces() };
        namespaces.then_with(|| one.local_in(source).cmp(another.local_in(source)))
    }
}

/// A namespace declaration, by interned prefix and URI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Declaration {
    pub(super) prefix: u32,
    pub(super) uri: u32,
    /// What the prefix means outside the element.
    pub(super) outside: Option<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) parent: NodeId,
    /// The node after the last descendant.
    pub(super) end: NodeId,
    /// Offset in the source.
    pub(super) at: u32,
    pub(super) content: Content,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Document,
    Element(Element),
    Text(Str),
    Comment(Str),
    Instruction { target: Str, data: Str },
}

/// What is known of an element beside its place.
#[derive(Debug, Clone)]
pub(super) struct Element {
    pub(super) name: Name,
    /// Its own, among all attributes.
    pub(super) attributes: Range<u32>,
    /// Its own, among all declarations.
    pub(super) declarations: Range<u32>,
    /// Where the start tag ends that declares nothing and stands in the source as in canonical form, unless that has namespaces to
    /// declare there; 0 of any other.
    pub(super) canonical_to: u32,
    /// Where the end tag begins that has no more than it needs; 0 of any other.
    pub(super) end_tag: u32,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// The document itself.
    Document,
    /// An element.
    Element,
    /// Text, CDATA sections and references joined.
    Text,
    /// A comment.
    Comment,
    /// A processing instruction.
    Instruction,
}

/// A parsed document. It cannot be changed: what was digested is what is read.
#[derive(Debug)]
pub struct Document {
    pub(super) source: String,
    pub(super) tree: Tree,
    /// Where lines and columns are counted from; made when the first position is asked for.
    marks: OnceLock<Marks>,
}

/// What the parser makes of the source.
#[derive(Debug)]
pub(super) struct Tree {
    /// Text that does not stand in the source as it is.
    pub(super) made: String,
    pub(super) nodes: Vec<Node>,
    pub(super) attributes: Vec<Attribute>,
    pub(super) declarations: Vec<Declaration>,
    /// Prefixes and namespace URIs.
    pub(super) strings: Interner,
}

impl Tree {
    /// The tree of a document of about so many tags: the document itself, and nothing in it so far.
    pub(super) fn of_about(tags: usize) -> Self {
        let (mut nodes, attributes) = spare::nodes(tags);
        nodes.push(Node { parent: NodeId::DOCUMENT, end: NodeId(1), at: 0, content: Content::Document });
        let strings = Interner::with(&["", "xml", XML_NAMESPACE]);
        Self { made: String::new(), nodes, attributes, declarations: Vec::with_capacity(32), strings }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        spare::keep_nodes(std::mem::take(&mut self.nodes), std::mem::take(&mut self.attributes));
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        spare::keep_buffer(std::mem::take(&mut self.source).into_bytes());
    }
}

/// Interned numbers that every document has.
pub(super) const NO_PREFIX: u32 = 0;
pub(super) const XML_PREFIX: u32 = 1;
pub(super) const NO_URI: u32 = 0;
pub(super) const XML_URI: u32 = 2;
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
pub(super) const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

impl Document {
    pub(super) fn new(source: String, tree: Tree) -> Self {
        Self { source, tree, marks: OnceLock::new() }
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.tree.nodes.get(id.index())
    }

    pub(super) fn str(&self, text: Str) -> &str {
        let whole = if text.made { &self.tree.made } else { &self.source };
        let start = text.start as usize;
        whole.get(start..start + text.len as usize).unwrap_or_default()
    }

    pub(super) fn attribute_slice(&self, range: &Range<u32>) -> &[Attribute] {
        self.tree.attributes.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    pub(super) fn declaration_slice(&self, range: &Range<u32>) -> &[Declaration] {
        self.tree.declarations.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// The decoded XML as it came, without its byte order mark.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The root element.
    pub fn root(&self) -> NodeId {
        self.child_elements(NodeId::DOCUMENT).next().unwrap_or(NodeId::DOCUMENT)
    }

    /// What a node is.
    pub fn kind(&self, id: NodeId) -> NodeKind {
        match self.node(id).map(|node| &node.content) {
            Some(Content::Element(_)) => NodeKind::Element,
            Some(Content::Text(_)) => NodeKind::Text,
            Some(Content::Comment(_)) => NodeKind::Comment,
            Some(Content::Instruction { .. }) => NodeKind::Instruction,
            Some(Content::Document) | None => NodeKind::Document,
        }
    }

    /// The node that holds this one; the document holds itself.
    pub fn parent(&self, id: NodeId) -> NodeId {
        self.node(id).map_or(NodeId::DOCUMENT, |node| node.parent)
    }

    /// All nodes below this one, in document order.
    pub fn descendants(&self, id: NodeId) -> impl Iterator<Item = NodeId> + use<> {
        let end = self.node(id).map_or(id.0, |node| node.end.0);
        (id.0 + 1..end).map(NodeId)
    }

    /// The nodes directly below this one.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let end = self.node(id).map_or(id.0, |node| node.end.0);
        let mut next = id.0 + 1;
        std::iter::from_fn(move || {
            let child = NodeId(next);
            let node = (next < end).then(|| self.node(child)).flatten()?;
            next = node.end.0;
            Some(child)
        })
    }

    /// The elements directly below this one.
    pub fn child_elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.children(id).filter(|child| self.kind(*child) == NodeKind::Element)
    }

    /// The elements of this name directly below this one.
    pub fn children_named<'a>(
        &'a self,
        id: NodeId,
        namespace: &'a str,
        local: &'a str,
    ) -> impl Iterator<Item = NodeId> + 'a {
        self.child_elements(id).filter(move |child| self.is(*child, namespace, local))
    }

    /// Whether this is an element of this expanded name.
    pub fn is(&self, id: NodeId, namespace: &str, local: &str) -> bool {
        // most names differ in length already
        self.name(id).is_some_and(|name| {
            (name.written.len - name.local_at) as usize == local.len()
                && self.local(name) == local
                && self.tree.strings.text(name.uri) == namespace
        })
    }

    fn name(&self, id: NodeId) -> Option<&Name> {
        match &self.node(id)?.content {
            Content::Element(element) => Some(&element.name),
            _ => None,
        }
    }

    /// Local name of an element; empty for any other node.
    pub fn local_name(&self, id: NodeId) -> &str {
        self.name(id).map_or("", |name| self.local(name))
    }

    /// Namespace of an element; empty for none and for any other node.
    pub fn namespace(&self, id: NodeId) -> &str {
        self.name(id).map_or("", |name| self.tree.strings.text(name.uri))
    }

    /// Name of an element as written, prefix and all.
    pub fn written_name(&self, id: NodeId) -> &str {
        self.name(id).map_or("", |name| self.str(name.written))
    }

    pub(super) fn local(&self, name: &Name) -> &str {
        name.local_in(&self.source)
    }

    /// The attributes of an element, without namespace declarations, as written.
    pub fn attributes(&self, id: NodeId) -> &[Attribute] {
        match self.node(id).map(|node| &node.content) {
            Some(Content::Element(element)) => self.attribute_slice(&element.attributes),
            _ => &[],
        }
    }

    /// Value of the attribute of this name that has no prefix.
    pub fn attribute(&self, id: NodeId, local: &str) -> Option<&str> {
        let named = |attribute: &&Attribute| attribute.name.uri == NO_URI && self.str(attribute.name.written) == local;
        self.attributes(id).iter().find(named).map(|attribute| self.str(attribute.value))
    }

    /// Local name of an attribute.
    pub fn attribute_local_name(&self, attribute: &Attribute) -> &str {
        self.local(&attribute.name)
    }

    /// Whether the attribute was written without a prefix.
    pub fn attribute_is_unprefixed(&self, attribute: &Attribute) -> bool {
        attribute.name.uri == NO_URI
    }

    /// Value of an attribute, normalised.
    pub fn attribute_value(&self, attribute: &Attribute) -> &str {
        self.str(attribute.value)
    }

    /// Where an attribute stands.
    pub fn attribute_position(&self, attribute: &Attribute) -> Position {
        self.position_of(attribute.at)
    }

    /// The text of a text node; empty for any other.
    pub fn text(&self, id: NodeId) -> &str {
        match self.node(id).map(|node| &node.content) {
            Some(Content::Text(text)) => self.str(*text),
            _ => "",
        }
    }

    /// All text directly in an element, joined over comments, nothing trimmed.
    pub fn text_in(&self, id: NodeId) -> Cow<'_, str> {
        let mut texts = self.children(id).filter(|child| self.kind(*child) == NodeKind::Text);
        let first = texts.next().map_or("", |node| self.text(node));
        match texts.next() {
            None => Cow::Borrowed(first),
            Some(second) => {
                let mut joined = [first, self.text(second)].concat();
                texts.for_each(|node| joined.push_str(self.text(node)));
                Cow::Owned(joined)
            }
        }
    }

    /// Whether anything but text stands directly in this element.
    pub fn has_only_text(&self, id: NodeId) -> bool {
        self.children(id).all(|child| self.kind(child) == NodeKind::Text)
    }

    /// Where a node begins in the source, in bytes.
    pub(crate) fn offset(&self, id: NodeId) -> usize {
        self.node(id).map_or(0, |node| node.at as usize)
    }

    /// Where a node begins.
    pub fn position(&self, id: NodeId) -> Position {
        self.position_of(self.node(id).map_or(0, |node| node.at))
    }

    fn position_of(&self, offset: u32) -> Position {
        self.marks.get_or_init(|| Marks::of(&self.source)).position(&self.source, offset as usize)
    }
}
