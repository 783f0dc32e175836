//! What the parser takes and what it refuses, and where it says so.

use proptest::collection::vec;
use proptest::prelude::proptest;
use proptest::sample::select;
use samlgate::limits::Limits;
use samlgate::xml::{Algorithm, Attribute, Canonical, Document, NodeId, NodeKind, XmlProblem, parse};

use crate::random_xml::{Dice, document};

/// Documents that are well-formed, though they may not look like it.
pub(crate) const ACCEPTED: [&str; 31] = [
    "<a/>",
    "\u{feff}<a/>",
    " \r\n\t<a/>\n",
    "<?xml version='1.0'?><a/>",
    "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes' ?>\n<a/>",
    "<?xml\tversion\n=\r\"1.0\"?><a></a\n>",
    "<!----><a/><!-- - -->",
    "<?p ??><a/><!-- > --><?p?>",
    "<?xml-stylesheet x?><?xmlx?><a/>",
    "<a b='\"' c=\"'\" d='>' e=''/>",
    "<a\nb\t=\r'x' />",
    "<a>]] > ]]&gt; &#93;]> ]&#93;></a>",
    "<a><![CDATA[]]></a>",
    "<a><![CDATA[<&]]>]]<![CDATA[>]]></a>",
    "<a>&#x10FFFF;&#9;&#xD7FF;&#xE000;&#xFFFD;&#0000000000000065;&amp;&lt;&gt;&apos;&quot;</a>",
    "<é.-_·1/>",
    "<_/>",
    "<𐐀/>",
    "<xml/>",
    "<xmlns/>",
    "<p:a xmlns:p='urn:p' p:b='1' b='2'/>",
    "<a p:b='1' xmlns:p='urn:p'/>",
    "<a xmlns='urn:a'><b xmlns=''/></a>",
    "<a xmlns:p='urn:p' xmlns:q='urn:p' p:b='' q:c=''/>",
    "<a xmlns:xml='http://www.w3.org/XML/1998/namespace' xml:lang='en'/>",
    "<xml:a/>",
    "<a xmlns:p='urn:&#x61;&amp;b'/>",
    "<a xmlns:xmlnsx='urn:a' xmlnsx:b=''/>",
    "<a xmlnsx='relative'/>",
    "<a xmlns:p='x+y-z.1:anything at all'/>",
    "<!--><a/>--><a/>",
];

#[test]
fn what_is_well_formed_is_accepted() {
    for source in ACCEPTED {
        assert_eq!(parse(source.as_bytes().to_vec(), &Limits::default()).map(|_| ()), Ok(()), "{source}");
    }
}

/// Each document, the beginning of what is said of it, and the line and column.
pub(crate) const REFUSED: [(&str, &str, u32, u32); 102] = [
    // nothing, or not one root
    ("", "expected a document", 1, 1),
    (" \n", "expected a document", 1, 1),
    ("<!-- only -->", "expected one root element and nothing beside it, got no element", 1, 1),
    ("<a/><b/>", "expected one root element and nothing beside it, got a second element", 1, 5),
    ("<a/>\n <a></a>", "expected one root element and nothing beside it, got a second element", 2, 2),
    ("x<a/>", "expected one root element and nothing beside it, got text", 1, 1),
    ("<a/> é", "expected one root element and nothing beside it, got text", 1, 6),
    ("<a/>&#32;", "expected one root element and nothing beside it, got a reference", 1, 5),
    ("&#32;<a/>", "expected one root element and nothing beside it, got a reference", 1, 1),
    ("<a/><![CDATA[]]>", "expected one root element and nothing beside it, got a CDATA section", 1, 5),
    ("<a/></a>", "expected one root element and nothing beside it, got an end tag", 1, 5),
    ("</a>", "expected one root element and nothing beside it, got an end tag", 1, 1),
    ("<a/>\u{feff}", "expected one root element and nothing beside it, got text", 1, 5),
    // tags that do not meet
    ("<a>", "expected `</a>`, got the end", 1, 4),
    ("<a>\n<b></b>", "expected `</a>`, got the end", 2, 8),
    ("<a></b>", "expected `</a>`, got `</b>`", 1, 4),
    ("<a>\r\n<b></a></b>", "expected `</b>`, got `</a>`", 2, 4),
    ("<a></A>", "expected `</a>`, got `</A>`", 1, 4),
    ("<p:a xmlns:p='u:' xmlns:q='u:'></q:a>", "expected `</p:a>`, got `</q:a>`", 1, 32),
    ("<a></ a>", "expected `</a>`, got `</ a>`", 1, 4),
    ("<a></a b=''>", "expected `</a>`, got `</a b=''>`", 1, 4),
    ("<a></a/>", "expected `</a>`, got `</a/>`", 1, 4),
    ("<a", "expected well-formed XML", 1, 1),
    ("<a><", "expected well-formed XML", 1, 4),
    ("<a b='", "expected well-formed XML", 1, 1),
    ("<a></a", "expected well-formed XML", 1, 4),
    // names
    ("< a/>", "expected `=` and a value", 1, 4),
    ("<1/>", "expected a name", 1, 2),
    ("<-a/>", "expected a name", 1, 2),
    ("<a><></></a>", "expected a name", 1, 5),
    ("<·a/>", "expected a name", 1, 2),
    ("<a:b:c xmlns:a='urn:a'/>", "expected a name", 1, 2),
    ("<:a/>", "expected a name", 1, 2),
    ("<a:/>", "expected a name", 1, 2),
    ("<a 1=''/>", "expected a name", 1, 4),
    ("<a b:='' xmlns:b='urn:b'/>", "expected a name", 1, 4),
    ("<a\u{37e}/>", "expected a name", 1, 2),
    ("<a$/>", "expected a name", 1, 2),
    ("<a/ >", "expected a name", 1, 2),
    // attributes
    ("<a b/>", "expected `=` and a value", 1, 5),
    ("<a b=/>", "expected a quoted value", 1, 6),
    ("<a b=c/>", "expected a quoted value", 1, 6),
    ("<a b=''c=''/>", "expected white space before an attribute", 1, 8),
    ("<a b='1' b='2'/>", "expected each attribute once, got `b`", 1, 10),
    ("<a b='1'\n  b='1'/>", "expected each attribute once, got `b`", 2, 3),
    ("<a xmlns:p='urn:a' xmlns:q='urn:a' p:b='' q:b=''/>", "expected each attribute once, got `q:b`", 1, 43),
    ("<a xmlns:p='urn:a' xmlns:q='urn:&#97;' p:b='' q:b=''/>", "expected each attribute once, got `q:b`", 1, 47),
    ("<a xmlns='urn:a' xmlns='urn:a'/>", "expected each attribute once, got `xmlns`", 1, 18),
    ("<a xmlns:p='urn:a' xmlns:p='urn:b'/>", "expected each attribute once, got `xmlns:p`", 1, 20),
    ("<a b='<'/>", "expected `&lt;` in the value of an attribute", 1, 7),
    ("<a xmlns:p='urn:<'/>", "expected `&lt;` in the value of an attribute", 1, 17),
    // references
    ("<a>&nbsp;</a>", "expected one of", 1, 4),
    ("<a>\n &e;</a>", "expected one of", 2, 2),
    ("<a b='&e;'/>", "expected one of", 1, 4),
    ("<a xmlns:p='urn:&e;'/>", "expected one of", 1, 4),
    ("<a>&</a>", "expected well-formed XML", 1, 4),
    ("<a>& b;</a>", "expected one of", 1, 4),
    ("<a>&;</a>", "expected one of", 1, 4),
    ("<a>&#;</a>", "expected one of", 1, 4),
    ("<a>&#x;</a>", "expected one of", 1, 4),
    ("<a>&#X41;</a>", "expected one of", 1, 4),
    ("<a>&#+65;</a>", "expected one of", 1, 4),
    ("<a>&#0;</a>", "expected one of", 1, 4),
    ("<a>&#1;</a>", "expected one of", 1, 4),
    ("<a>&#xD800;</a>", "expected one of", 1, 4),
    ("<a>&#xFFFF;</a>", "expected one of", 1, 4),
    ("<a>&#x110000;</a>", "expected one of", 1, 4),
    ("<a>&#x100000041;</a>", "expected one of", 1, 4),
    ("<a>&AMP;</a>", "expected one of", 1, 4),
    ("<a b='&amp'/>", "expected one of", 1, 4),
    // characters
    ("<a>\u{1}</a>", "expected a character of XML 1.0, got U+0001", 1, 4),
    ("<a>\n\n é\u{0}</a>", "expected a character of XML 1.0, got U+0000", 3, 3),
    ("<a b='\u{b}'/>", "expected a character of XML 1.0, got U+000B", 1, 7),
    ("<a/><!--\u{fffe}-->", "expected a character of XML 1.0, got U+FFFE", 1, 9),
    ("<a/>\u{ffff}", "expected a character of XML 1.0, got U+FFFF", 1, 5),
    ("\u{feff}\u{feff}<a/>", "expected one byte order mark at most", 1, 1),
    // text, comments, instructions
    ("<a>]]></a>", "expected `]]&gt;` in text", 1, 4),
    ("<a>é\n]]]></a>", "expected `]]&gt;` in text", 2, 2),
    ("<a><![CDATA[x]]>]]></a>", "expected `]]&gt;` in text", 1, 17),
    ("<a><![CDATA[</a>", "expected well-formed XML", 1, 4),
    ("<a><![cdata[]]></a>", "expected well-formed XML", 1, 4),
    ("<a><!-- -- --></a>", "expected a comment without `--`", 1, 4),
    ("<a><!-- ---></a>", "expected a comment without `--`", 1, 4),
    ("<!--><a/>-->", "expected one root element and nothing beside it, got no element", 1, 1),
    ("<a/><!-- ", "expected well-formed XML", 1, 5),
    ("<a><?1?></a>", "expected the target of a processing instruction", 1, 4),
    ("<a><? x?></a>", "expected the target of a processing instruction", 1, 4),
    ("<a><?p:q?></a>", "expected the target of a processing instruction", 1, 4),
    ("<a><?XmL x?></a>", "expected the target of a processing instruction", 1, 4),
    ("<a><?p </a>", "expected well-formed XML", 1, 4),
    // the XML declaration
    (" <?xml version='1.0'?><a/>", "expected `<?xml", 1, 2),
    ("<a><?xml version='1.0'?></a>", "expected `<?xml", 1, 4),
    ("<?xml?><a/>", "expected `<?xml", 1, 1),
    ("<?xml encoding='UTF-8'?><a/>", "expected `<?xml", 1, 1),
    ("<?xml version='1.0' standalone='yes' encoding='UTF-8'?><a/>", "expected `<?xml", 1, 1),
    ("<?xml version='1.0'encoding='UTF-8'?><a/>", "expected `<?xml", 1, 1),
    ("<?xml version='1.0' standalone='maybe'?><a/>", "expected `<?xml", 1, 1),
    ("<?xml version='1.0' x='y'?><a/>", "expected `<?xml", 1, 1),
    ("<?xml version='1.1'?><a/>", "expected XML 1.0, got version `1.1`", 1, 1),
    ("<?xml version='1.0' encoding='UTF-16'?><a/>", "expected UTF-8, got a declaration of `UTF-16`", 1, 1),
    ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", "expected UTF-8, got a declaration of `ISO-8859-1`", 1, 1),
    ("<?xml version='1.0' encoding='UTF-7'?><a/>", "expected UTF-8, got a declaration of `UTF-7`", 1, 1),
];

/// As above, of namespaces and document types.
pub(crate) const REFUSED_NAMES: [(&str, &str, u32, u32); 30] = [
    ("<p:a/>", "expected a declaration of the prefix `p`", 1, 2),
    ("<a p:b=''/>", "expected a declaration of the prefix `p`", 1, 4),
    ("<a><b xmlns:p='urn:p'/><p:c/></a>", "expected a declaration of the prefix `p`", 1, 25),
    ("<a><b xmlns:p='urn:p'></b><p:c/></a>", "expected a declaration of the prefix `p`", 1, 28),
    ("<xmlns:a/>", "expected a declaration of the prefix `xmlns`", 1, 2),
    ("<a XML:lang=''/>", "expected a declaration of the prefix `XML`", 1, 4),
    ("<a xmlns:p=''/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:p='urn:p'><b\n xmlns:p=''/></a>", "expected a lawful namespace declaration", 2, 2),
    ("<a xmlns:='urn:p'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:1='urn:p'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:b:c='urn:p'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:xml='urn:p'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:xmlns='urn:p'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:xmlns='http://www.w3.org/2000/xmlns/'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns='http://www.w3.org/2000/xmlns/'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns='http://www.w3.org/XML/1998/namespace'/>", "expected a lawful namespace declaration", 1, 4),
    ("<a xmlns='relative'/>", "expected a lawful namespace declaration, got the relative URI", 1, 4),
    ("<a xmlns:p='../relative'/>", "expected a lawful namespace declaration, got the relative URI", 1, 4),
    ("<a xmlns:p='#x:y'/>", "expected a lawful namespace declaration, got the relative URI", 1, 4),
    ("<a xmlns:p='1:y'/>", "expected a lawful namespace declaration, got the relative URI", 1, 4),
    ("<a xmlns=' '/>", "expected a lawful namespace declaration, got the relative URI", 1, 4),
    ("<a xmlns=' urn:a'/>", "expected a lawful namespace declaration, got the relative URI", 1, 4),
    ("<!DOCTYPE a><a/>", "expected no document type declaration", 1, 1),
    ("\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "expected no document type declaration", 2, 1),
    ("<!doctype a><a/>", "expected no document type declaration", 1, 1),
    ("<!DOCTYPE a [", "expected no document type declaration", 1, 1),
    ("<a/><!DOCTYPE a>", "expected no document type declaration", 1, 5),
    ("<a><!DOCTYPE a></a>", "expected no document type declaration", 1, 4),
];

#[test]
fn what_is_not_well_formed_is_refused_where_the_trouble_is() {
    let mut wrong = Vec::new();
    for (source, says, line, column) in REFUSED.into_iter().chain(REFUSED_NAMES) {
        match parse(source.as_bytes().to_vec(), &Limits::default()) {
            Ok(_) => wrong.push(format!("{source:?} is accepted")),
            Err(error) if !error.problem.to_string().starts_with(says) => wrong.push(format!("{source:?}: {error}")),
            Err(error) if (error.at.line, error.at.column) != (line, column) => {
                wrong.push(format!("{source:?}: {error}; wanted {line}:{column}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_where_they_stand() {
    for (bytes, says, line, column) in [
        (&b"<a>\n\xc3\xa9\xff</a>"[..], "expected UTF-8, got bytes that are not", 2, 2),
        (b"\xef\xbb\xbf<a>\x80</a>", "expected UTF-8, got bytes that are not", 1, 4),
        (b"<a>\xc0\xbc</a>", "expected UTF-8, got bytes that are not", 1, 4),
        (b"<a>\xed\xa0\x80</a>", "expected UTF-8, got bytes that are not", 1, 4),
        (b"<a>\xf4\x90\x80\x80</a>", "expected UTF-8, got bytes that are not", 1, 4),
        (b"<a>\xc3", "expected UTF-8, got bytes that are not", 1, 4),
        (b"\xfe\xff\0<\0a\0/\0>", "expected UTF-8, got UTF-16", 1, 1),
        (b"\xff\xfe<\0a\0/\0>\0", "expected UTF-8, got UTF-16", 1, 1),
        (b"<\0a\0/\0>\0", "expected UTF-8, got UTF-16", 1, 1),
        (b"\0<\0a\0/\0>", "expected UTF-8, got UTF-16", 1, 1),
        (b"\xff\xfe\0\0<\0\0\0", "expected UTF-8, got UTF-32", 1, 1),
        (b"\0\0\xfe\xff\0\0\0<", "expected UTF-8, got UTF-32", 1, 1),
        (b"\x4c\x6f\xa7\x94\x93", "expected UTF-8, got EBCDIC", 1, 1),
    ] {
        let error = parse(bytes.to_vec(), &Limits::default()).unwrap_err();
        assert_eq!((error.problem.to_string().as_str(), error.at.line, error.at.column), (says, line, column));
    }
}

/// A document with so many of one thing.
type Of = fn(usize) -> String;

#[test]
fn every_limit_is_the_last_number_that_is_accepted() {
    let limits = Limits::default();
    let cases: [(&str, usize, Of); 12] = [
        ("bytes of XML", limits.xml_bytes, |n| format!("<a>{}</a>", "x".repeat(n - 7))),
        ("nested elements", limits.depth, |n| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n))),
        ("nested elements", limits.depth, |n| format!("{}<a/>{}", "<a>".repeat(n - 1), "</a>".repeat(n - 1))),
        ("elements", limits.elements, |n| format!("<a>{}</a>", "<b/>".repeat(n - 1))),
        ("attributes in one element", limits.attributes, |n| {
            let attributes: String = (0..n).map(|n| format!(" a{n}=''")).collect();
            format!("<a xmlns='urn:a'{attributes}/>")
        }),
        ("namespace declarations in one element", limits.namespaces, |n| {
            let declarations: String = (0..n).map(|n| format!(" xmlns:a{n}='urn:a{n}'")).collect();
            format!("<a b=''{declarations}/>")
        }),
        ("comments and processing instructions", limits.comments, |n| {
            format!("<!----><a>{}</a><?p?>", "<!----><?p?>".repeat(n / 2 - 1) + &"<!---->".repeat(n % 2))
        }),
        ("bytes of a name", limits.name_bytes, |n| format!("<a {}=''/>", "x".repeat(n))),
        ("bytes of a name", limits.name_bytes, |n| format!("<p:{} xmlns:p='urn:p'/>", "x".repeat(n - 2))),
        ("bytes of a name", limits.name_bytes, |n| format!("<a xmlns:{}='urn:p'/>", "x".repeat(n - 6))),
        ("bytes of a name", limits.name_bytes, |n| format!("<a/><?{}?>", "p".repeat(n))),
        ("bytes of a namespace URI", limits.uri_bytes, |n| format!("<a xmlns='urn:&#97;{}'/>", "x".repeat(n - 5))),
    ];
    for (what, limit, document) in cases {
        let parsed = parse(document(limit).into_bytes(), &limits);
        assert_eq!(parsed.map(|_| ()), Ok(()), "{limit} {what}");
        let refused = parse(document(limit + 1).into_bytes(), &limits).unwrap_err();
        assert_eq!(refused.problem, XmlProblem::Limit { what, limit }, "{} {what}", limit + 1);
    }
}

/// Pieces of markup, broken and whole.
const PIECES: [&str; 40] = [
    "<",
    ">",
    "/",
    "&",
    ";",
    "\"",
    "'",
    "=",
    "!",
    "?",
    "-",
    "--",
    "]]>",
    "<!--",
    "-->",
    "<![CDATA[",
    "<?",
    "?>",
    " ",
    "\n",
    "\r",
    ":",
    "xmlns=''",
    " xmlns:a=''",
    " xmlns:a='urn:a'",
    " a:x='1' b:x='2'",
    "&#0;",
    "&#x110000;",
    "&#xFFFE;",
    "&nbsp;",
    "\u{0}",
    "\u{fffe}",
    "\u{1}",
    "\u{feff}",
    "<a/>",
    "</x>",
    "<?xml version='1.0'?>",
    "1",
    "é",
    "\u{b7}",
];

/// Flips, drops, doubles and inserts; most results are broken just a little.
pub(crate) fn mutate(source: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = source.as_bytes().to_vec();
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(8) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => drop(bytes.splice(at..(at + dice.below(20)).min(bytes.len()), [])),
            4 => {
                let copy = bytes[at..(at + dice.below(20)).min(bytes.len())].to_vec();
                let to = dice.below(bytes.len());
                drop(bytes.splice(to..to, copy));
            }
            _ => drop(bytes.splice(at..at, dice.pick(&PIECES).bytes())),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

/// Names, attributes and texts in document order, each with its parent's name. Attributes are sorted, and without comments
/// texts are joined over them, as a canonical form has it.
fn nodes(document: &Document, comments: bool) -> Vec<(NodeKind, String, String)> {
    let mut found: Vec<(NodeKind, String, String)> = Vec::new();
    let mut text_of = NodeId::DOCUMENT;
    for node in document.descendants(NodeId::DOCUMENT) {
        let (kind, parent) = (document.kind(node), document.parent(node));
        match (kind, found.last_mut()) {
            (NodeKind::Comment, _) if !comments => continue,
            (NodeKind::Text, Some((NodeKind::Text, _, text))) if text_of == parent => {
                text.push_str(document.text(node));
                continue;
            }
            (NodeKind::Text, _) => text_of = parent,
            _ => {}
        }
        let value = |attribute: &Attribute| {
            let (name, value) = (document.attribute_local_name(attribute), document.attribute_value(attribute));
            format!("{} {name}={value:?}", document.attribute_is_unprefixed(attribute))
        };
        let mut attributes: Vec<_> = document.attributes(node).iter().map(value).collect();
        attributes.sort_unstable();
        let name = format!("{{{}}}{} {attributes:?}", document.namespace(node), document.written_name(node));
        let what = if kind == NodeKind::Text { document.text(node).to_owned() } else { name };
        found.push((kind, document.written_name(parent).to_owned(), what));
    }
    found
}

fn canonical(document: &Document, algorithm: Algorithm) -> Vec<u8> {
    let mut bytes = Vec::new();
    Canonical { algorithm, ..Canonical::exclusive(document, NodeId::DOCUMENT) }.write(&mut bytes).unwrap();
    bytes
}

/// What is digested and what is read are one: the tree is read again from its canonical form as it was, and a canonical
/// form is its own canonical form.
fn is_read_again_from_its_canonical_form(document: &Document) {
    for (exclusive, comments) in [(true, false), (true, true), (false, false), (false, true)] {
        let algorithm = Algorithm { exclusive, comments };
        let bytes = canonical(document, algorithm);
        let limits = Limits { xml_bytes: usize::MAX, ..Limits::default() };
        let again = parse(bytes.clone(), &limits).unwrap();
        assert_eq!(nodes(&again, comments), nodes(document, comments), "{}", document.source());
        assert_eq!(canonical(&again, algorithm), bytes, "{}", document.source());
    }
}

proptest! {
    #[test]
    fn a_tree_is_read_again_from_its_canonical_form(seed: u64) {
        let (source, _) = document(seed);
        is_read_again_from_its_canonical_form(&parse(source.into_bytes(), &Limits::default()).unwrap());
    }

    #[test]
    fn what_survives_a_mutation_is_read_again_from_its_canonical_form(seed: u64) {
        let bytes = mutate(&document(seed).0, &mut Dice::new(!seed));
        if let Ok(document) = parse(bytes, &Limits::default()) {
            is_read_again_from_its_canonical_form(&document);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
        _ = parse(bytes, &Limits::default()).map_err(|error| error.to_string());
    }

    #[test]
    fn no_markup_makes_the_parser_panic(pieces in vec(select(&PIECES), 0..40)) {
        if let Ok(document) = parse(pieces.concat().into_bytes(), &Limits::default()) {
            is_read_again_from_its_canonical_form(&document);
        }
    }
}

#[test]
fn a_tag_is_canonical_however_it_is_written() {
    let canonical = |source: &str| {
        let document = parse(source.as_bytes().to_vec(), &Limits::default()).unwrap();
        let mut written = Vec::new();
        Canonical::exclusive(&document, document.root()).write(&mut written).unwrap();
        String::from_utf8(written).unwrap()
    };
    let sound = r#"<a b="1" c=">"><p:d xmlns:p="urn:p" e="2" p:e="3">x</p:d><f></f></a>"#;
    for (soundly, otherwise) in [
        ("", ""),
        (" c", "  c"),
        (" c", "\n\tc"),
        ("\"1\"", "'1'"),
        ("\"1\"", "\"&#49;\""),
        ("b=", "b ="),
        ("b=", "b= "),
        (r#"b="1" c=">""#, r#"c=">" b="1""#),
        (r#"e="2" p:e="3""#, r#"p:e="3" e="2""#),
        (r#">""#, r#"&gt;""#),
        (r#"">x"#, "\" >x"),
        ("<f>", "<f >"),
        ("</f>", "</f\n>"),
        ("<f></f>", "<f/>"),
        ("<f></f>", "<f />"),
        ("</a>", "</a >"),
        ("<f>", r#"<f xmlns:q="urn:q">"#),
        ("<f>", "<!-- c --><f>"),
        ("x</p:d>", "x<!-- c --></p:d>"),
        ("x</p:d>", "&#x78;</p:d>"),
    ] {
        let source = sound.replacen(soundly, otherwise, 1);
        assert!(soundly.is_empty() || source != sound, "{otherwise}");
        assert_eq!(canonical(&source), sound, "{source}");
    }
}
