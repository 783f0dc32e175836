//! Tags to elements: attributes and namespace declarations, names with their meaning.

use std::borrow::Cow;
use std::ops::Range;

use super::chars::{AsciiName, is_ncname, is_space};
use super::document::{
    Attribute, Content, Declaration, Element, NO_PREFIX, NO_URI, Name, Str, XML_NAMESPACE, XMLNS_NAMESPACE,
};
use super::error::XmlProblem;
use super::parse::{Located, Open, Parser, bounded, offset};
use super::references::push_attribute_value;
use super::tag::{RawAttribute, RawAttributes};

impl<'t> Parser<'t> {
    /// A start tag, or that of an empty element: its content, and its name if that is a plain one.
    pub(super) fn start(&mut self, content: &'t str, known: Option<AsciiName>, at: usize, empty: bool) -> Located<()> {
        self.flush();
        if self.open.is_empty() && self.seen_root {
            return Err((XmlProblem::OutsideRoot("a second element"), at).into());
        }
        self.seen_root = true;
        self.elements += 1;
        self.bound_by(self.elements, self.limits.elements, "elements", at)?;
        self.bound_by(self.open.len() + 1, self.limits.depth, "nested elements", at)?;

        let known_to = known.map_or(0, |name| name.len);
        let more = content.as_bytes().get(known_to..).unwrap_or_default();
        let name_len = known_to + more.iter().take_while(|byte| !is_space(**byte)).count();
        let local_at = known.filter(|_| name_len == known_to).map(|name| name.local_at);
        let (name, rest) = content.split_at_checked(name_len).unwrap_or((content, ""));
        let first_attribute = offset(self.tree.attributes.len());
        let first_declaration = offset(self.tree.declarations.len());
        // the canonical form of an empty element has two tags
        let canonical = (rest.is_empty() || self.attributes(rest, at + 1 + name_len)?) && !empty;
        let canonical_to = if canonical { offset(at + content.len() + 2) } else { 0 };
        let local_at = self.local_at(name, local_at, at + 1)?;
        let (prefix, uri) = self.meaning(name, local_at, at + 1)?;
        let name_of_element = Name { prefix, uri, ..written(name, local_at, at + 1) };
        let declarations = first_declaration..offset(self.tree.declarations.len());
        let node = self.push(
            at,
            Content::Element(Element {
                name: name_of_element,
                attributes: first_attribute..offset(self.tree.attributes.len()),
                declarations: declarations.clone(),
                canonical_to,
                end_tag: 0,
            }),
        );
        if empty {
            self.unbind(&declarations);
        } else {
            self.open.push(Open { node, name });
        }
        Ok(())
    }

    /// Where the end tag of the open element ends, if just that stands here.
    #[inline]
    pub(super) fn bare_end(&self, at: usize) -> Option<usize> {
        let tag = self.source.as_bytes().get(at..)?.strip_prefix(b"</")?;
        let name = self.open.last()?.name;
        (tag.strip_prefix(name.as_bytes())?.first() == Some(&b'>')).then_some(at + name.len() + "</>".len())
    }

    /// The end tag of the open element, with no more in it than is needed.
    pub(super) fn end_bare(&mut self, at: usize) {
        self.flush();
        if let Some(open) = self.open.pop() {
            self.close(&open, offset(at));
        }
    }

    /// Any other end tag.
    pub(super) fn end(&mut self, content: &'t str, at: usize) -> Located<()> {
        self.flush();
        let Some(open) = self.open.pop() else {
            return Err((XmlProblem::OutsideRoot("an end tag"), at).into());
        };
        let name = content.trim_end_matches([' ', '\t', '\n', '\r']);
        if open.name != name {
            return Err((XmlProblem::EndTag { expected: open.name.to_owned(), got: bounded(name) }, at).into());
        }
        self.close(&open, 0);
        Ok(())
    }

    /// The element has ended, by an end tag that stands there as in canonical form, or by another.
    fn close(&mut self, open: &Open<'t>, canonical_tag: u32) {
        let end = self.next_id();
        if let Some(node) = self.tree.nodes.get_mut(open.node.index()) {
            node.end = end;
            if let Content::Element(element) = &mut node.content {
                element.end_tag = canonical_tag;
                let declarations = element.declarations.clone();
                self.unbind(&declarations);
            }
        }
    }

    /// What follows the name in a tag, and whether it stands there as in canonical form. Names have a meaning only when all
    /// declarations of the tag are known.
    fn attributes(&mut self, rest: &'t str, rest_at: usize) -> Located<bool> {
        let (first, first_declaration) = (self.tree.attributes.len(), self.tree.declarations.len());
        let mut raw = RawAttributes::new(rest);
        let (mut canonical, mut through) = (true, 0);
        while let Some(attribute) = raw.next().map_err(|(problem, at)| (problem, rest_at + at))? {
            let at = rest_at + attribute.at;
            through = attribute.value_at + attribute.value.len() + 1;
            if let Some(prefix) = attribute.declares() {
                // where it is written depends on who uses it
                canonical = false;
                self.declare(&attribute, prefix, first_declaration, at)?;
            } else {
                canonical &= self.attribute(&attribute, rest_at)? && attribute.bare;
                let count = self.tree.attributes.len() - first;
                self.bound_by(count, self.limits.attributes, "attributes in one element", at)?;
            }
        }
        for index in first..self.tree.attributes.len() {
            let Some(Attribute { name, at, .. }) = self.tree.attributes.get(index).copied() else { break };
            // without a prefix it is in no namespace
            if name.local_at > 0 {
                let text = self.source.get(at as usize..(at + name.written.len) as usize).unwrap_or_default();
                let (prefix, uri) = self.meaning(text, name.local_at, at as usize)?;
                if let Some(attribute) = self.tree.attributes.get_mut(index) {
                    (attribute.name.prefix, attribute.name.uri) = (prefix, uri);
                }
            }
        }
        Ok(self.each_once(first)? && canonical && through == rest.len())
    }

    /// No two attributes of an element have one expanded name ([Namespaces 6.3]). Says whether they stand in canonical order.
    fn each_once(&self, first: usize) -> Located<bool> {
        const COMPARED: usize = 8;
        let all = self.tree.attributes.get(first..).unwrap_or_default();
        // of two that are one, neither comes first
        let in_order = |a: &Attribute, b: &Attribute| a.canonical_order(b, self.source, &self.tree.strings).is_lt();
        if all.array_windows().all(|[a, b]| in_order(a, b)) {
            return Ok(true);
        }
        let expanded = |attribute: &Attribute| (attribute.name.uri, attribute.name.local_in(self.source));
        let twin = if all.len() <= COMPARED {
            let is_twin = |(at, attribute): &(usize, &Attribute)| {
                let name = expanded(attribute);
                all.iter().take(*at).any(|known| expanded(known) == name)
            };
            all.iter().enumerate().find(is_twin).map(|(_, attribute)| attribute)
        } else {
            // comparing each with each would be what a hostile document is made for
            let mut sorted: Vec<&Attribute> = all.iter().collect();
            sorted.sort_unstable_by_key(|attribute| (expanded(attribute), attribute.at));
            let twins = sorted.array_windows().filter(|[a, b]| expanded(a) == expanded(b));
            twins.map(|[_, twin]| *twin).min_by_key(|twin| twin.at)
        };
        let Some(twin) = twin else { return Ok(false) };
        let (start, len) = (twin.name.written.start as usize, twin.name.written.len as usize);
        let written = self.source.get(start..start + len).unwrap_or_default();
        Err((XmlProblem::DuplicateAttribute(bounded(written)), twin.at as usize).into())
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
            return Err((XmlProblem::DuplicateAttribute(bounded(attribute.name)), at).into());
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

    /// Takes an attribute in, and says whether its value stands there in canonical form.
    fn attribute(&mut self, raw: &RawAttribute<'t>, rest_at: usize) -> Located<bool> {
        let at = rest_at + raw.at;
        let local_at = self.local_at(raw.name, raw.local_at, at)?;
        let name = written(raw.name, local_at, at);
        let value = self.value(raw, at, rest_at + raw.value_at)?;
        if raw.name.get(name.local_at as usize..) == Some("PrefixList") {
            // each prefix is work for each element that is canonicalised ([xml-exc-c14n 2.1])
            let text = if value.made { &self.tree.made } else { self.source };
            let list = text.get(value.start as usize..(value.start + value.len) as usize).unwrap_or_default();
            let count = list.split_ascii_whitespace().count();
            self.bound_by(count, self.limits.prefix_list, "prefixes in a PrefixList", at)?;
        }
        self.tree.attributes.push(Attribute { name, value, at: offset(at) });
        Ok(value.plain && !value.made)
    }

    fn value(&mut self, raw: &RawAttribute<'t>, at: usize, value_at: usize) -> Located<Str> {
        let (raw, in_double_quotes) = (raw.value, raw.in_double_quotes);
        if is_as_written(raw) {
            let plain = in_double_quotes || memchr::memchr(b'"', raw.as_bytes()).is_none();
            return Ok(Str { start: offset(value_at), len: offset(raw.len()), made: false, plain });
        }
        let start = self.tree.made.len();
        push_attribute_value(&mut self.tree.made, raw).map_err(|found| (XmlProblem::Reference(bounded(found)), at))?;
        let plain = !self.tree.made.get(start..).unwrap_or_default().contains(['&', '<', '"', '\t', '\n', '\r']);
        Ok(self.made_since(start, plain))
    }

    /// Where the local part of a name begins, if this is a name; it may be known to be one.
    fn local_at(&self, name: &str, known: Option<usize>, at: usize) -> Located<u32> {
        self.bound_by(name.len(), self.limits.name_bytes, "bytes of a name", at)?;
        if let Some(local_at) = known {
            return Ok(offset(local_at));
        }
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let local_at = name.len() - local.len();
        if !is_ncname(local) || (local_at > 0 && !is_ncname(prefix)) {
            return Err((XmlProblem::Name(bounded(name)), at).into());
        }
        Ok(offset(local_at))
    }

    /// The prefix and the URI of a name of an element here, or of that of an attribute with a prefix.
    fn meaning(&mut self, name: &'t str, local_at: u32, at: usize) -> Located<(u32, u32)> {
        let Some(colon) = local_at.checked_sub(1) else {
            return Ok((NO_PREFIX, self.bound.first().copied().flatten().unwrap_or(NO_URI)));
        };
        let prefix = name.get(..colon as usize).unwrap_or_default();
        let number = self.prefix_number(prefix);
        let bound = number.and_then(|number| Some((number, self.bound.get(number as usize).copied().flatten()?)));
        bound.ok_or_else(|| (XmlProblem::Prefix(bounded(prefix)), at).into())
    }

    /// The number of a prefix. Most names have the prefix of the name before them.
    fn prefix_number(&mut self, prefix: &'t str) -> Option<u32> {
        let (recent, number) = self.recent_prefix;
        if recent == prefix {
            return Some(number);
        }
        let number = self.tree.strings.find(prefix)?;
        self.recent_prefix = (prefix, number);
        Some(number)
    }
}

/// A name in no namespace so far.
fn written(name: &str, local_at: u32, at: usize) -> Name {
    let text = Str { start: offset(at), len: offset(name.len()), made: false, plain: true };
    Name { written: text, local_at, prefix: NO_PREFIX, uri: NO_URI }
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

/// Whether the value of an attribute means what is written, without references and white space to be normalised.
fn is_as_written(value: &str) -> bool {
    // Without a branch for each byte. Below the space there are tab and line ends alone: the characters have been looked at.
    !value.bytes().fold(false, |found, byte| found | (byte < b' ') | (byte == b'&'))
}
