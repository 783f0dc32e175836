//! Every bound on hostile input, in one place, each with its reason.

/// Bounds on one posted message. All of them are enforced before or while the message is read, so that nothing
/// downstream has to defend itself against size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a posted body or input file. A base64 of [`Limits::xml_bytes`] escaped as a form fits.
    pub body_bytes: usize,
    /// Fields of a form. Real sign-ins send two, some portals a handful more.
    pub form_fields: usize,
    /// Bytes of the decoded XML. Real responses are 2 to 50 kB; group claims rarely reach 200 kB.
    pub xml_bytes: usize,
    /// Bytes that are inflated to *name* a deflated message. Nothing is ever inflated to be judged.
    pub inflate_bytes: usize,
    /// Depth of nested elements. The SAML schema needs about 12.
    pub depth: usize,
    /// Elements of one document.
    pub elements: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// Namespace declarations of one element.
    pub namespaces: usize,
    /// Comments and processing instructions of one document.
    pub comments: usize,
    /// Bytes of a qualified name.
    pub name_bytes: usize,
    /// Bytes of a namespace URI.
    pub uri_bytes: usize,
    /// Prefixes of one InclusiveNamespaces PrefixList.
    pub prefix_list: usize,
    /// Canonical bytes for each byte of input: a long namespace URI repeated by thousands of siblings multiplies.
    pub canonical_factor: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            form_fields: 64,
            xml_bytes: 256 * 1024,
            inflate_bytes: 64 * 1024,
            depth: 64,
            elements: 20_000,
            attributes: 64,
            namespaces: 128,
            comments: 1_000,
            name_bytes: 512,
            uri_bytes: 1_024,
            prefix_list: 16,
            canonical_factor: 8,
        }
    }
}
