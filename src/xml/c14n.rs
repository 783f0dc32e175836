//! Canonical forms of a subtree, written straight into a sink ([xml-c14n], [xml-exc-c14n]).

use std::cmp::Ordering;
use std::ops::Range;

use smallvec::{SmallVec, smallvec};

use super::canonical::{Canonical, Overflow, Sink};
use super::document::{
    Attribute, Content, Document, Element, NO_PREFIX, NO_URI, Name, NodeId, Str, XML_PREFIX, XML_URI,
};
use super::escape::{attribute_escape, escape_into, text_escape};

/// The attributes of an element that does not have them in canonical order.
type Sorted = SmallVec<[Attribute; 8]>;

struct Frame {
    end: NodeId,
    name: Str,
    /// Where its end tag stands in the source as in canonical form, or 0.
    end_tag: u32,
    /// How many namespaces were rendered before this element.
    rendered: usize,
}

pub(super) struct Writer<'a, S> {
    what: &'a Canonical<'a>,
    document: &'a Document,
    sink: &'a mut S,
    /// The URI that each prefix has in the output, by the number of the prefix.
    rendered: SmallVec<[Option<u32>; 32]>,
    /// What the prefixes had before, in the elements that are open.
    undo: SmallVec<[(u32, Option<u32>); 16]>,
    frames: SmallVec<[Frame; 16]>,
    /// Numbers of the prefixes of InclusiveNamespaces that the document knows.
    listed: SmallVec<[u32; 4]>,
    /// Where the bytes to write next stand in the source. Most of a document is canonical as it came: it is written in a few
    /// long pieces, without being copied.
    run: Range<usize>,
}

impl<'a, S: Sink> Writer<'a, S> {
    pub(super) fn new(what: &'a Canonical<'a>, sink: &'a mut S) -> Self {
        let document = what.document;
        let mut rendered = smallvec![None; document.tree.strings.len()];
        if let Some(default) = rendered.first_mut() {
            *default = Some(NO_URI);
        }
        let number = |prefix: &&str| document.tree.strings.find(if *prefix == "#default" { "" } else { prefix });
        let listed = what.prefix_list.iter().filter_map(number).collect();
        Self { what, document, sink, rendered, undo: SmallVec::new(), frames: SmallVec::new(), listed, run: 0..0 }
    }

    pub(super) fn run(mut self) -> Result<(), Overflow> {
        let end = self.document.node(self.what.apex).map_or(self.what.apex, |node| node.end);
        let mut at = self.what.apex;
        let mut seen_root = false;
        while at < end {
            self.close_until(at)?;
            let Some(node) = self.document.node(at) else { break };
            if self.what.without == Some(at) {
                at = node.end;
                continue;
            }
            let outside = self.frames.is_empty() && self.what.apex == NodeId::DOCUMENT;
            match &node.content {
                Content::Document => {}
                Content::Element(element) => {
                    seen_root = true;
                    self.open(at, element, node.end)?;
                }
                Content::Text(text) => self.text(*text)?,
                Content::Comment(_) if !self.what.algorithm.comments => {}
                Content::Comment(text) => {
                    self.outside(outside, seen_root, &["<!--", self.document.str(*text), "-->"])?;
                }
                Content::Instruction { target, data } => {
                    let (target, data) = (self.document.str(*target), self.document.str(*data));
                    let space = if data.is_empty() { "" } else { " " };
                    self.outside(outside, seen_root, &["<?", target, space, data, "?>"])?;
                }
            }
            at = NodeId(at.0 + 1);
        }
        self.close_until(end)?;
        self.flush()
    }

    // --- bytes -------------------------------------------------------------------------------------------------------

    /// Writes a piece of the document.
    fn piece(&mut self, text: Str) -> Result<(), Overflow> {
        if text.made {
            return self.literal(self.document.str(text).as_bytes());
        }
        let (start, len) = (text.start as usize, text.len as usize);
        if start != self.run.end {
            self.flush()?;
            self.run = start..start;
        }
        self.run.end += len;
        Ok(())
    }

    /// Writes these bytes, which may be what the source goes on with.
    #[inline]
    fn literal(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        let end = self.run.end + bytes.len();
        if self.document.source.as_bytes().get(self.run.end..end) == Some(bytes) {
            self.run.end = end;
            return Ok(());
        }
        self.flush()?;
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> Result<(), Overflow> {
        let end = self.run.end;
        let run = std::mem::replace(&mut self.run, end..end);
        match self.document.source.as_bytes().get(run) {
            Some([]) | None => Ok(()),
            Some(bytes) => self.sink.write(bytes),
        }
    }

    fn escaped(&mut self, text: &str, escape: fn(u8) -> Option<&'static str>) -> Result<(), Overflow> {
        if text.bytes().all(|byte| escape(byte).is_none()) {
            return self.literal(text.as_bytes());
        }
        self.flush()?;
        escape_into(self.sink, text, escape)
    }

    // --- nodes -------------------------------------------------------------------------------------------------------

    /// A comment or an instruction; outside the root element a line feed stands between it and the root.
    fn outside(&mut self, outside: bool, seen_root: bool, pieces: &[&str]) -> Result<(), Overflow> {
        if outside && seen_root {
            self.literal(b"\n")?;
        }
        pieces.iter().try_for_each(|piece| self.literal(piece.as_bytes()))?;
        if outside && !seen_root {
            self.literal(b"\n")?;
        }
        Ok(())
    }

    /// Writes the end tags of all elements that end before this node.
    #[inline]
    fn close_until(&mut self, at: NodeId) -> Result<(), Overflow> {
        while self.frames.last().is_some_and(|frame| frame.end <= at) {
            self.close()?;
        }
        Ok(())
    }

    /// Writes the end tag of the innermost element.
    fn close(&mut self) -> Result<(), Overflow> {
        if let Some(frame) = self.frames.pop() {
            if frame.end_tag > 0 {
                self.piece(Str { start: frame.end_tag, len: frame.name.len + 3, ..frame.name })?;
            } else {
                self.literal(b"</")?;
                self.literal(self.document.str(frame.name).as_bytes())?;
                self.literal(b">")?;
            }
            while self.undo.len() > frame.rendered {
                if let Some((prefix, before)) = self.undo.pop()
                    && let Some(slot) = self.rendered.get_mut(prefix as usize)
                {
                    *slot = before;
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, at: NodeId, element: &Element, end: NodeId) -> Result<(), Overflow> {
        let apex = at == self.what.apex || self.frames.is_empty();
        let rendered = self.undo.len();
        let name = &element.name;
        let attributes = self.document.attribute_slice(&element.attributes);
        let mut sorted = Sorted::new();
        if self.what.algorithm.exclusive {
            self.visibly_used(name, attributes);
            self.listed_in_scope(at, apex);
        } else if apex {
            self.all_in_scope(at);
            self.with_inherited_xml_attributes(at, attributes, &mut sorted);
        } else {
            self.declared(at, |_| true);
        }
        // `<` and the name stand one after the other in the source
        let start = name.written.start - 1;
        if element.canonical_to > 0 && self.undo.len() == rendered && sorted.is_empty() {
            self.piece(Str { start, len: element.canonical_to - start, ..name.written })?;
        } else {
            self.piece(Str { start, len: name.written.len + 1, ..name.written })?;
            self.write_namespaces(rendered)?;
            self.write_attributes(attributes, &mut sorted)?;
            self.literal(b">")?;
        }
        self.frames.push(Frame { end, name: name.written, end_tag: element.end_tag, rendered });
        Ok(())
    }

    // --- namespaces --------------------------------------------------------------------------------------------------

    /// A prefix that the output must bind to this URI; does nothing where it does already.
    fn want(&mut self, prefix: u32, uri: u32) {
        let Some(slot) = self.rendered.get_mut(prefix as usize) else { return };
        if prefix == XML_PREFIX || *slot == Some(uri) {
            return;
        }
        self.undo.push((prefix, *slot));
        *slot = Some(uri);
    }

    /// Exclusive: the prefixes of the element and of its attributes ([xml-exc-c14n 3]).
    fn visibly_used(&mut self, name: &Name, attributes: &[Attribute]) {
        self.want(name.prefix, name.uri);
        for attribute in attributes.iter().filter(|attribute| attribute.name.prefix != NO_PREFIX) {
            self.want(attribute.name.prefix, attribute.name.uri);
        }
    }

    /// Exclusive: listed prefixes are treated as inclusive canonicalisation does.
    fn listed_in_scope(&mut self, at: NodeId, apex: bool) {
        if self.listed.is_empty() {
            return;
        }
        let listed = std::mem::take(&mut self.listed);
        if apex {
            for prefix in &listed {
                if let Some(uri) = self.in_scope(at, *prefix) {
                    self.want(*prefix, uri);
                }
            }
        } else {
            self.declared(at, |prefix| listed.contains(&prefix));
        }
        self.listed = listed;
    }

    /// What a prefix is bound to here, by the nearest declaration.
    fn in_scope(&self, at: NodeId, prefix: u32) -> Option<u32> {
        let mut node = at;
        while node != NodeId::DOCUMENT {
            let found = self.declarations(node).iter().find(|declaration| declaration.prefix == prefix);
            if let Some(declaration) = found {
                return Some(declaration.uri);
            }
            node = self.document.parent(node);
        }
        None
    }

    fn declarations(&self, at: NodeId) -> &'a [super::document::Declaration] {
        match self.document.node(at).map(|node| &node.content) {
            Some(Content::Element(element)) => self.document.declaration_slice(&element.declarations),
            _ => &[],
        }
    }

    fn declared(&mut self, at: NodeId, wanted: impl Fn(u32) -> bool) {
        for declaration in self.declarations(at) {
            if wanted(declaration.prefix) {
                self.want(declaration.prefix, declaration.uri);
            }
        }
    }

    /// Inclusive: everything in scope at the apex. The nearest declaration of a prefix comes first and stays.
    fn all_in_scope(&mut self, at: NodeId) {
        let mut decided = vec![false; self.document.tree.strings.len()];
        let mut node = at;
        while node != NodeId::DOCUMENT {
            for declaration in self.declarations(node) {
                if let Some(decided) = decided.get_mut(declaration.prefix as usize)
                    && !std::mem::replace(decided, true)
                {
                    self.want(declaration.prefix, declaration.uri);
                }
            }
            node = self.document.parent(node);
        }
    }

    /// Inclusive: `xml:lang` and its kin come down from ancestors that are not part of the output ([xml-c14n 2.4]). Of one
    /// name the nearest counts.
    fn with_inherited_xml_attributes(&self, at: NodeId, own: &[Attribute], sorted: &mut Sorted) {
        let document = self.document;
        sorted.extend_from_slice(own);
        let mut node = document.parent(at);
        while node != NodeId::DOCUMENT {
            let inherited = document.attributes(node).iter().filter(|attribute| attribute.name.uri == XML_URI);
            sorted.extend(inherited.copied());
            node = document.parent(node);
        }
        // stable: of one name the nearest stays first
        sorted.sort_by(|a, b| canonical_order(document, a, b));
        sorted.dedup_by(|a, b| canonical_order(document, a, b).is_eq());
    }

    /// Those that this element has changed, which are the last in `undo`.
    fn write_namespaces(&mut self, before: usize) -> Result<(), Overflow> {
        let strings = &self.document.tree.strings;
        self.undo.get_mut(before..).unwrap_or_default().sort_unstable_by_key(|(prefix, _)| strings.text(*prefix));
        for at in before..self.undo.len() {
            let prefix = self.undo.get(at).map_or(NO_PREFIX, |(prefix, _)| *prefix);
            let uri = self.rendered.get(prefix as usize).copied().flatten().unwrap_or(NO_URI);
            if prefix == NO_PREFIX {
                self.literal(b" xmlns=\"")?;
            } else {
                self.literal(b" xmlns:")?;
                self.literal(strings.text(prefix).as_bytes())?;
                self.literal(b"=\"")?;
            }
            self.escaped(strings.text(uri), attribute_escape)?;
            self.literal(b"\"")?;
        }
        Ok(())
    }

    // --- attributes and text -----------------------------------------------------------------------------------------

    fn write_attributes(&mut self, own: &[Attribute], sorted: &mut Sorted) -> Result<(), Overflow> {
        let document = self.document;
        let in_order = own.is_sorted_by(|a, b| canonical_order(document, a, b).is_lt());
        if sorted.is_empty() && !in_order {
            sorted.extend_from_slice(own);
            sorted.sort_unstable_by(|a, b| canonical_order(document, a, b));
        }
        for attribute in if sorted.is_empty() { own } else { sorted.as_slice() } {
            self.literal(b" ")?;
            self.piece(attribute.name.written)?;
            self.literal(b"=\"")?;
            if attribute.value.plain {
                self.piece(attribute.value)?;
            } else {
                self.escaped(document.str(attribute.value), attribute_escape)?;
            }
            self.literal(b"\"")?;
        }
        Ok(())
    }

    fn text(&mut self, text: Str) -> Result<(), Overflow> {
        let value = self.document.str(text);
        if self.what.without_blank_text && value.bytes().all(super::chars::is_space) {
            return Ok(());
        }
        if text.plain { self.piece(text) } else { self.escaped(value, text_escape) }
    }
}

/// The order of attributes in canonical form.
fn canonical_order(document: &Document, a: &Attribute, b: &Attribute) -> Ordering {
    a.canonical_order(b, &document.source, &document.tree.strings)
}
