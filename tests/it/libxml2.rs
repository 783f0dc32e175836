//! libxml2 as an oracle: one child process, asked document by document.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use samlgate::xml::{Algorithm, Canonical, Document, NodeId, NodeKind};
use serde::{Deserialize, Serialize};

/// A canonical form to be asked for. Elements are counted from 0 in document order.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Form {
    pub(crate) exclusive: bool,
    pub(crate) comments: bool,
    pub(crate) prefixes: Vec<&'static str>,
    /// The element at the top; `None` is the document.
    pub(crate) apex: Option<usize>,
    /// An element that is left out with all below it.
    pub(crate) without: Option<usize>,
}

impl Form {
    /// What this program makes of it.
    pub(crate) fn of(&self, document: &Document, elements: &[NodeId]) -> Vec<u8> {
        let canonical = Canonical {
            document,
            apex: self.apex.map_or(NodeId::DOCUMENT, |apex| elements[apex]),
            algorithm: Algorithm { exclusive: self.exclusive, comments: self.comments },
            prefix_list: &self.prefixes,
            without: self.without.map(|without| elements[without]),
            without_blank_text: false,
        };
        let mut bytes = Vec::new();
        canonical.write(&mut bytes).unwrap();
        bytes
    }
}

/// All elements in document order.
pub(crate) fn elements(document: &Document) -> Vec<NodeId> {
    document.descendants(NodeId::DOCUMENT).filter(|node| document.kind(*node) == NodeKind::Element).collect()
}

/// What libxml2 says about a document.
#[derive(Debug)]
pub(crate) struct Opinion {
    /// Whether it is well-formed, namespaces included.
    pub(crate) accepted: bool,
    /// Its complaints, each as `domain/code text`.
    pub(crate) why: Vec<String>,
    /// The forms asked for; `None` where it refuses to canonicalise.
    pub(crate) forms: Vec<Option<Vec<u8>>>,
}

#[derive(Deserialize)]
struct Answer {
    accepted: bool,
    why: Vec<String>,
    forms: Vec<Option<usize>>,
}

/// The child process.
pub(crate) struct Libxml2 {
    child: Child,
    questions: Option<ChildStdin>,
    answers: ChildStdout,
}

const MISSING: &str =
    "the libxml2 oracle does not answer: install Python 3 and libxml2 (Debian: apt-get install python3 libxml2)";

impl Libxml2 {
    pub(crate) fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/libxml2_oracle.py");
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{MISSING}; python3: {error}"));
        let (questions, answers) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut oracle = Self { child, questions, answers };
        let version = String::from_utf8(oracle.receive()).unwrap();
        assert!(version.starts_with('2'), "{MISSING}; it calls itself `{version}`");
        oracle
    }

    /// Asks; the answer is to be fetched with [`Libxml2::answer`], so that both sides can work meanwhile.
    pub(crate) fn ask(&mut self, document: &[u8], forms: &[Form]) {
        let header = serde_json::json!({ "forms": forms }).to_string();
        let length = u32::try_from(header.len() + 1 + document.len()).unwrap();
        let frame = [&length.to_be_bytes(), header.as_bytes(), b"\n", document].concat();
        self.questions.as_mut().unwrap().write_all(&frame).expect(MISSING);
    }

    pub(crate) fn answer(&mut self) -> Opinion {
        let frame = self.receive();
        let line = frame.iter().position(|byte| *byte == b'\n').unwrap();
        let answer: Answer = serde_json::from_slice(&frame[..line]).unwrap();
        let mut rest = &frame[line + 1..];
        let forms = answer.forms.into_iter().map(|length| {
            let (form, after) = rest.split_at(length?);
            rest = after;
            Some(form.to_vec())
        });
        Opinion { accepted: answer.accepted, why: answer.why, forms: forms.collect() }
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.answers.read_exact(&mut length).expect(MISSING);
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.answers.read_exact(&mut frame).expect(MISSING);
        frame
    }
}

impl Drop for Libxml2 {
    fn drop(&mut self) {
        self.questions = None;
        _ = self.child.wait();
    }
}
