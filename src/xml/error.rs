//! Why a document is not XML that this program reads.

use crate::verdict::Position;

/// A document that was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at line {} column {}", at.line, at.column)]
pub struct XmlError {
    /// What is wrong.
    pub problem: XmlProblem,
    /// Where.
    pub at: Position,
}

/// What is wrong with a document.
///
/// Sections are those of [XML 1.0] (Fifth Edition) and [Namespaces in XML 1.0] (Third Edition).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlProblem {
    /// Nothing but white space.
    #[error("expected a document, got nothing")]
    Empty,
    /// UTF-16 or UTF-32, by its first bytes.
    #[error("expected UTF-8, got {0}")]
    OtherEncoding(&'static str),
    /// Bytes that are not UTF-8.
    #[error("expected UTF-8, got bytes that are not")]
    NotUtf8,
    /// A byte order mark that is not the first character.
    #[error("expected one byte order mark at most, got a second")]
    SecondMark,
    /// A character that XML does not have ([XML 1.0 2.2]).
    #[error("expected a character of XML 1.0, got U+{0:04X}")]
    Character(u32),
    /// A document type declaration, whatever it holds.
    #[error("expected no document type declaration, got one")]
    Doctype,
    /// An XML declaration that is not one, or not at the beginning ([XML 1.0 2.8]).
    #[error("expected `<?xml version=\"1.0\" encoding=\"UTF-8\"?>` at the very beginning or no declaration, got {0}")]
    Declaration(String),
    /// Another encoding was declared.
    #[error("expected UTF-8, got a declaration of `{0}`")]
    DeclaredEncoding(String),
    /// Another version of XML.
    #[error("expected XML 1.0, got version `{0}`")]
    Version(String),
    /// A name that is none ([Namespaces 4]).
    #[error("expected a name with one prefix at most, got `{0}`")]
    Name(String),
    /// A tag that is not finished or not well-formed.
    #[error("expected {expected}, got {got}")]
    Syntax {
        /// What would have been right.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// An end tag that closes another element.
    #[error("expected `</{expected}>`, got `</{got}>`")]
    EndTag {
        /// The element that is open.
        expected: String,
        /// The tag.
        got: String,
    },
    /// The document ends inside an element.
    #[error("expected `</{0}>`, got the end of the document")]
    Unclosed(String),
    /// Text or an element outside the root.
    #[error("expected one root element and nothing beside it, got {0}")]
    OutsideRoot(&'static str),
    /// An attribute that stands twice, by its written or its expanded name ([Namespaces 6.3]).
    #[error("expected each attribute once, got `{0}` twice")]
    DuplicateAttribute(String),
    /// A prefix without a declaration ([Namespaces 5]).
    #[error("expected a declaration of the prefix `{0}`, got none")]
    Prefix(String),
    /// A declaration that the namespaces recommendation forbids ([Namespaces 2.2, 3]).
    #[error("expected a lawful namespace declaration, got {0}")]
    Namespace(String),
    /// An entity beyond the five, or a reference that is none ([XML 1.0 4.1, 4.6]).
    #[error("expected one of &amp; &lt; &gt; &apos; &quot; or a character reference, got `{0}`")]
    Reference(String),
    /// A bound was passed.
    #[error("expected at most {limit} {what}, got more")]
    Limit {
        /// Of what.
        what: &'static str,
        /// How many.
        limit: usize,
    },
}

impl XmlProblem {
    /// How it came about, as far as the problem tells, and how to mend it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "the identity provider posted an empty document",
            Self::OtherEncoding(_) | Self::NotUtf8 | Self::DeclaredEncoding(_) => {
                "write the response as UTF-8; a script or an editor between the identity provider and the browser may have saved it in another encoding"
            }
            Self::SecondMark => "something put a byte order mark before a document that had one already",
            Self::Character(_) => {
                "an attribute of the user holds a control character; clean it in the directory or leave the attribute out of the response"
            }
            Self::Doctype => "no identity provider sends a document type declaration; somebody is trying something",
            Self::Limit { .. } => "send fewer or shorter attributes; group claims are the usual cause",
            Self::Reference(_) => "text must be escaped: a bare `&` is written `&amp;`",
            _ => {
                "the response was built or altered as text; build it with an XML library and do not touch it afterwards"
            }
        }
    }
}
