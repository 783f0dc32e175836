//! Documents out of a number: well-formed, and full of what canonicalisers and parsers are known to differ on.

use std::fmt::Write;

/// A small random source; the same numbers everywhere and for ever (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, but not including.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// Once in so many.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Every prefix that documents use; some stand in a document and are not used there.
pub(crate) const PREFIXES: [&str; 7] = ["a", "b", "ds", "é", "long-prefix.1", "A", "_"];

// No `&` among them: libxml2 writes it as it is; the test of that says more.
const URIS: [&str; 9] = [
    "urn:a",
    "urn:b",
    "urn:oasis:names:tc:SAML:2.0:assertion",
    "http://www.w3.org/2000/09/xmldsig#",
    "http://example.org/?q=1;r=2",
    "urn:&#97;",
    "urn:%C3%A9",
    "URN:A",
    "http://example.org",
];

const LOCALS: [&str; 8] = ["x", "y", "Assertion", "z-1.2", "é", "_", "xx", "X"];

const TEXTS: [&str; 24] = [
    "text",
    " ",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "é",
    "😀",
    "山田",
    "&amp;",
    "&lt;",
    "&gt;",
    ">",
    "\"'",
    "&quot;&apos;",
    "&#13;",
    "&#xD;&#xA;",
    "&#9;",
    "&#x1F600;",
    "]]",
    "]]&gt;",
    "\u{feff}",
    "\u{85}\u{2028}\u{a0}\u{7f}",
    "&amp;amp;",
];

const VALUES: [&str; 20] = [
    "value",
    "",
    " ",
    "  two  spaces ",
    "é",
    "😀",
    "&amp;",
    "&lt;",
    ">",
    "&quot;",
    "&apos;",
    "&#9;",
    "&#10;",
    "&#13;",
    "&#xD;&#xA;",
    "&#32;",
    "\u{85}\u{2028}",
    "]]>",
    "a=b;c",
    "&#x26;",
];

const WHITE_SPACE: [&str; 5] = ["\t", "\n", "\r\n", "\r", "\t \n"];

/// What a document may hold, decided once for the whole of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flavour {
    /// Tabs and line ends written as they are in values of attributes.
    pub(crate) white_space_in_values: bool,
    elements: usize,
    depth: usize,
    attributes: usize,
    /// Chances are one in so many.
    redeclare: usize,
    markup: usize,
}

impl Flavour {
    fn of(dice: &mut Dice) -> Self {
        Self {
            white_space_in_values: dice.once_in(2),
            elements: dice.pick(&[1, 3, 6, 12, 25, 60]),
            depth: dice.pick(&[2, 4, 8, 60]),
            attributes: dice.pick(&[0, 2, 4, 10, 40]),
            redeclare: dice.pick(&[1, 2, 4, 10]),
            markup: dice.pick(&[2, 5, 20]),
        }
    }
}

/// The document of this number, and what kind it is.
pub(crate) fn document(seed: u64) -> (String, Flavour) {
    let mut dice = Dice::new(seed);
    let flavour = Flavour::of(&mut dice);
    let mut writer = Writing { dice, flavour, left: flavour.elements, ids: 0, scope: Vec::new(), text: String::new() };
    writer.prolog();
    writer.element(1);
    writer.misc();
    (writer.text, flavour)
}

struct Writing {
    dice: Dice,
    flavour: Flavour,
    left: usize,
    ids: usize,
    /// Declarations in scope, the nearest last.
    scope: Vec<(&'static str, &'static str)>,
    text: String,
}

impl Writing {
    fn prolog(&mut self) {
        if self.dice.once_in(3) {
            self.text.push_str(self.dice.pick(&[
                "<?xml version=\"1.0\"?>",
                "<?xml version='1.0' encoding='utf-8' ?>",
                "<?xml\nversion = \"1.0\"\tencoding=\"UTF-8\" standalone=\"no\"?>\r\n",
            ]));
        }
        self.misc();
    }

    /// What may stand outside the root element.
    fn misc(&mut self) {
        for _ in 0..self.dice.pick(&[0, 0, 1, 3]) {
            match self.dice.below(3) {
                0 => self.comment(),
                1 => self.instruction(),
                _ => self.space(),
            }
        }
    }

    fn space(&mut self) {
        let space = self.dice.pick(&[" ", "\n", "\r\n", "\t ", "\r"]);
        self.text.push_str(space);
    }

    fn comment(&mut self) {
        let text = self.dice.pick(&["", " c ", "a-b", "<x>&amp;&no;", "\r\n é \r", "?>]]>"]);
        write!(self.text, "<!--{text}-->").unwrap();
    }

    fn instruction(&mut self) {
        let target = self.dice.pick(&["pi", "xml-stylesheet", "é"]);
        let data = self.dice.pick(&["", " ", " data", "  \r\n two\r\nlines ", " ? > &amp; <x>", "\tx??"]);
        write!(self.text, "<?{target}{data}?>").unwrap();
    }

    fn uri_of(&self, prefix: &str) -> &'static str {
        self.scope.iter().rev().find(|(known, _)| *known == prefix).map_or("", |(_, uri)| uri)
    }

    /// A prefix that is declared, or none.
    fn used_prefix(&mut self) -> &'static str {
        let near = self.dice.below(self.scope.len());
        let prefix = match self.scope.get(near) {
            Some((prefix, _)) if self.dice.once_in(2) => prefix,
            _ => self.dice.pick(&PREFIXES),
        };
        if self.uri_of(prefix).is_empty() { "" } else { prefix }
    }

    fn element(&mut self, depth: usize) {
        self.left -= 1;
        let outer = self.scope.len();
        let mut pieces = self.declarations();
        let prefix = self.used_prefix();
        let name = qualified(prefix, self.dice.pick(&LOCALS));
        self.attributes(&mut pieces);
        for at in (1..pieces.len()).rev() {
            pieces.swap(at, self.dice.below(at + 1));
        }
        write!(self.text, "<{name}").unwrap();
        for piece in &pieces {
            self.text.push_str(self.dice.pick(&[" ", " ", "  ", "\n", "\r\n\t"]));
            self.text.push_str(piece);
        }
        if self.dice.once_in(6) {
            self.text.push(' ');
        }
        if self.dice.once_in(5) {
            self.text.push_str("/>");
        } else {
            self.text.push('>');
            self.content(depth);
            let space = self.dice.pick(&["", "", "", " ", "\r\n"]);
            write!(self.text, "</{name}{space}>").unwrap();
        }
        self.scope.truncate(outer);
    }

    fn declarations(&mut self) -> Vec<String> {
        let mut pieces = Vec::new();
        let mut declared = Vec::new();
        let wanted = if self.dice.once_in(self.flavour.redeclare) { self.dice.pick(&[1, 2, 3, 8]) } else { 0 };
        for _ in 0..wanted {
            let prefix = if self.dice.once_in(3) { "" } else { self.dice.pick(&PREFIXES) };
            if declared.contains(&prefix) {
                continue;
            }
            declared.push(prefix);
            let uri = if prefix.is_empty() && self.dice.once_in(2) { "" } else { self.dice.pick(&URIS) };
            self.scope.push((prefix, uri));
            let name = if prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{prefix}") };
            let quote = self.dice.pick(&['"', '\'']);
            pieces.push(format!("{name}={quote}{uri}{quote}"));
        }
        if self.dice.once_in(40) {
            pieces.push("xmlns:xml='http://www.w3.org/XML/1998/namespace'".to_owned());
        }
        pieces
    }

    fn attributes(&mut self, pieces: &mut Vec<String>) {
        // two prefixes may mean one namespace
        let mut taken = Vec::new();
        for _ in 0..self.dice.below(self.flavour.attributes + 1) {
            let prefix = self.used_prefix();
            let local = self.dice.pick(&LOCALS);
            let uri = if prefix.is_empty() { "" } else { self.uri_of(prefix) };
            let expanded = (uri.replace("&#97;", "a"), local);
            if !taken.contains(&expanded) {
                taken.push(expanded);
                pieces.push(format!("{}{}", qualified(prefix, local), self.equals_value()));
            }
        }
        for (name, values) in [
            ("xml:lang", ["en", "de-CH", ""]),
            ("xml:space", ["preserve", "default", "preserve"]),
            ("xml:base", ["http://example.org/", "x", "../y"]),
        ] {
            if self.dice.once_in(8) {
                pieces.push(format!("{name}=\"{}\"", self.dice.pick(&values)));
            }
        }
        if self.dice.once_in(20) {
            self.ids += 1;
            pieces.push(format!("xml:id='i{}'", self.ids));
        }
    }

    fn equals_value(&mut self) -> String {
        let quote = self.dice.pick(&['"', '\'']);
        let other = if quote == '"' { '\'' } else { '"' };
        let mut value = String::new();
        for _ in 0..self.dice.below(4) {
            value.push_str(self.dice.pick(&VALUES));
            if self.dice.once_in(6) {
                value.push(other);
            }
            if self.flavour.white_space_in_values && self.dice.once_in(3) {
                value.push_str(self.dice.pick(&WHITE_SPACE));
            }
        }
        let equals = self.dice.pick(&["=", "=", "=", " = ", "\n="]);
        format!("{equals}{quote}{value}{quote}")
    }

    fn content(&mut self, depth: usize) {
        for _ in 0..self.dice.below(9) {
            match self.dice.below(4) {
                0 | 1 if self.left > 0 && depth < self.flavour.depth => self.element(depth + 1),
                2 if self.dice.once_in(self.flavour.markup) => match self.dice.below(3) {
                    0 => self.comment(),
                    1 => self.instruction(),
                    _ => {
                        let text = self.dice.pick(&["", "<&>", "]]", "\r\n", "é", "]>", "&amp;"]);
                        write!(self.text, "<![CDATA[{text}]]>").unwrap();
                    }
                },
                _ => {
                    // `]]` and `>` must not meet
                    let text = self.dice.pick(&TEXTS);
                    if self.text.ends_with(']') && text.starts_with('>') {
                        self.text.push(' ');
                    }
                    self.text.push_str(text);
                }
            }
        }
    }
}

fn qualified(prefix: &str, local: &str) -> String {
    if prefix.is_empty() { local.to_owned() } else { format!("{prefix}:{local}") }
}
