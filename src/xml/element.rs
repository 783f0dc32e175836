//! Tags to elements: attributes and namespace declarations, names with their meaning.

use std::borrow::Cow;
use std::ops::Range;

use super::chars::{ascii_name, is_ncname, is_space};
use super::document::{Attribute, Content, Declaration, NO_PREFIX, NO_URI, Name, Str, XML_NAMESPACE, XMLNS_NAMESPACE};
use super::error::XmlProblem;
use super::parse::{Located, Open, Parser, bounded, offset};
use super::references::push_attribute_value;
use super::tag::{RawAttribute, RawAttributes};

impl<'t> Parser<'t> {
    pub(super) fn start(&mut self, content: &'t str, at: usize, empty: bool) -> Located<()> {
        self.flush();
        if self.open.is_empty() && self.seen_root {
            return Err((XmlProblem::OutsideRoot("a second element"), at).into());
        }
        self.seen_root = true;
        self.elements += 1;
        self.bound_by(self.elements, self.limits.elements, "elements", at)?;
        self.bound_by(self.open.len() + 1, self.limits.depth, "nested elements", at)?;

        let known = ascii_name(content.as_bytes());
        let known_to = known.map_or(0, |(len, _)| len);
        let more = content.as_bytes().get(known_to..).unwrap_or_default();
        let name_len = known_to + more.iter().take_while(|byte| !is_space(**byte)).count();
        let local_at = known.filter(|_| name_len == known_to).map(|(_, local_at)| local_at);
        let (name, rest) = content.split_at_checked(name_len).unwrap_or((content, ""));
        let first_attribute = offset(self.tree.attributes.len());
        let first_declaration = offset(self.tree.declarations.len());
        if !rest.is_empty() {
            self.attributes(rest, at + 1 + name_len)?;
        }
        let name_of_element = self.named(name, local_at, at + 1)?;
        let name_of_element = self.meant(name_of_element, at + 1)?;
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

    pub(super) fn end(&mut self, content: &'t str, at: usize) -> Located<()> {
        self.flush();
        let Some(open) = self.open.pop() else {
            return Err((XmlProblem::OutsideRoot("an end tag"), at).into());
        };
        // hardly anybody writes white space behind the name
        if open.name != content {
            let name = content.trim_end_matches([' ', '\t', '\n', '\r']);
            if open.name != name {
                return Err((XmlProblem::EndTag { expected: open.name.to_owned(), got: bounded(name) }, at).into());
            }
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
        let (first, first_declaration) = (self.tree.attributes.len(), self.tree.declarations.len());
        let mut raw = RawAttributes::new(rest);
        while let Some(attribute) = raw.next().map_err(|(problem, at)| (problem, rest_at + at))? {
            let at = rest_at + attribute.at;
            if let Some(prefix) = attribute.declares() {
                self.declare(&attribute, prefix, first_declaration, at)?;
            } else {
                self.attribute(&attribute, rest_at)?;
                let count = self.tree.attributes.len() - first;
                self.bound_by(count, self.limits.attributes, "attributes in one element", at)?;
            }
        }
        for index in first..self.tree.attributes.len() {
            let Some(Attribute { name, at, .. }) = self.tree.attributes.get(index).copied() else { break };
            // without a prefix it is in no namespace
            if name.local_at > 0 {
                let meant = self.meant(name, at as usize)?;
                if let Some(attribute) = self.tree.attributes.get_mut(index) {
                    attribute.name = meant;
                }
            }
        }
        self.each_once(first)
    }

    /// No two attributes of an element have one expanded name ([Namespaces 6.3]).
    fn each_once(&self, first: usize) -> Located<()> {
        const COMPARED: usize = 8;
        let all = self.tree.attributes.get(first..).unwrap_or_default();
        if all.len() < 2 {
            return Ok(());
        }
        let expanded = |attribute: &Attribute| (attribute.name.uri, self.local_of(&attribute.name));
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
        let Some(twin) = twin else { return Ok(()) };
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

    fn attribute(&mut self, raw: &RawAttribute<'t>, rest_at: usize) -> Located<()> {
        let at = rest_at + raw.at;
        let name = self.named(raw.name, raw.local_at, at)?;
        let value = self.value(raw, at, rest_at + raw.value_at)?;
        if raw.name.get(name.local_at as usize..) == Some("PrefixList") {
            // each prefix is work for each element that is canonicalised ([xml-exc-c14n 2.1])
            let text = if value.made { &self.tree.made } else { self.source };
            let list = text.get(value.start as usize..(value.start + value.len) as usize).unwrap_or_default();
            let count = list.split_ascii_whitespace().count();
            self.bound_by(count, self.limits.prefix_list, "prefixes in a PrefixList", at)?;
        }
        self.tree.attributes.push(Attribute { name, value, at: offset(at) });
        Ok(())
    }

    fn local_of(&self, name: &Name) -> &'t str {
        let start = (name.written.start + name.local_at) as usize;
        self.source.get(start..(name.written.start + name.written.len) as usize).unwrap_or_default()
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

    /// A name in no namespace so far, whose local part begins at `local_at` where it is known to be one.
    fn named(&self, written: &str, local_at: Option<usize>, at: usize) -> Located<Name> {
        self.bound_by(written.len(), self.limits.name_bytes, "bytes of a name", at)?;
        let local_at = match local_at {
            Some(local_at) => local_at,
            None => {
                let (prefix, local) = written.split_once(':').unwrap_or(("", written));
                let local_at = written.len() - local.len();
                if !is_ncname(local) || (local_at > 0 && !is_ncname(prefix)) {
                    return Err((XmlProblem::Name(bounded(written)), at).into());
                }
                local_at
            }
        };
        let text = Str { start: offset(at), len: offset(written.len()), made: false, plain: true };
        Ok(Name { written: text, local_at: offset(local_at), prefix: NO_PREFIX, uri: NO_URI })
    }

    /// What the name of an element means here, or that of an attribute with a prefix.
    fn meant(&mut self, name: Name, at: usize) -> Located<Name> {
        let (prefix, uri) = if let Some(colon) = name.local_at.checked_sub(1) {
            let start = name.written.start as usize;
            let prefix = self.source.get(start..start + colon as usize).unwrap_or_default();
            let number = self.prefix_number(prefix);
            let bound = number.and_then(|number| Some((number, self.bound.get(number as usize).copied().flatten()?)));
            bound.ok_or_else(|| (XmlProblem::Prefix(bounded(prefix)), at))?
        } else {
            (NO_PREFIX, self.bound.first().copied().flatten().unwrap_or(NO_URI))
        };
        Ok(Name { prefix, uri, ..name })
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
