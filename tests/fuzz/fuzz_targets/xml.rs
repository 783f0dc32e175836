//! Any bytes: the parser refuses or takes them, and what it takes is read again from its canonical forms as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use samlgate::limits::Limits;
use samlgate::xml::{Algorithm, Canonical, Document, NodeId, NodeKind, parse};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { xml_bytes: 64 * 1024, ..Limits::default() };
    let Ok(document) = parse(bytes.to_vec(), &limits) else { return };
    for exclusive in [true, false] {
        for comments in [true, false] {
            let algorithm = Algorithm { exclusive, comments };
            let canonical = write(&document, algorithm);
            // it may be longer than the original, and a name in it is never longer
            let limits = Limits { xml_bytes: usize::MAX, ..limits };
            let again = parse(canonical.clone(), &limits).expect("a canonical form is well-formed");
            assert_eq!(write(&again, algorithm), canonical, "a canonical form is its own canonical form");
            assert!(nodes(&again, comments).eq(nodes(&document, comments)), "the tree is read again as it was");
        }
    }
    let last = document.descendants(NodeId::DOCUMENT).filter(|node| document.kind(*node) == NodeKind::Element).last();
    let mut subtree = Vec::new();
    Canonical::exclusive(&document, last.expect("a root")).write(&mut subtree).expect("memory has no end");
    parse(subtree, &Limits { xml_bytes: usize::MAX, ..limits }).expect("the canonical form of a subtree is well-formed");
});

fn write(document: &Document, algorithm: Algorithm) -> Vec<u8> {
    let mut bytes = Vec::new();
    let whole = Canonical { algorithm, ..Canonical::exclusive(document, NodeId::DOCUMENT) };
    whole.write(&mut bytes).expect("memory has no end");
    bytes
}

/// Names, attributes and texts in document order, attributes sorted; without comments texts are joined over them.
fn nodes(document: &Document, comments: bool) -> impl Iterator<Item = String> {
    let mut found: Vec<(NodeKind, &str, String)> = Vec::new();
    let mut text_of = NodeId::DOCUMENT;
    for node in document.descendants(NodeId::DOCUMENT) {
        let kind = document.kind(node);
        match kind {
            NodeKind::Comment if !comments => {}
            NodeKind::Text => {
                let parent = document.parent(node);
                match found.last_mut() {
                    Some((NodeKind::Text, _, text)) if text_of == parent => text.push_str(document.text(node)),
                    _ => found.push((kind, document.local_name(parent), document.text(node).to_owned())),
                }
                text_of = parent;
            }
            _ => {
                let mut attributes: Vec<_> = document
                    .attributes(node)
                    .iter()
                    .map(|a| format!("{}={:?}", document.attribute_local_name(a), document.attribute_value(a)))
                    .collect();
                attributes.sort_unstable();
                let name = (document.namespace(node), document.written_name(node), document.local_name(node));
                found.push((kind, document.local_name(document.parent(node)), format!("{name:?} {attributes:?}")));
            }
        }
    }
    found.into_iter().map(|(kind, parent, text)| format!("{kind:?} {text} below {parent}"))
}
