//! The closed list of checks, in the order in which Entra is known to make them.

/// Something that is checked. One spelling everywhere: enum, JSON, configuration, metric label, documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "`samlgate explain` tells of each; the names are SAML's own")]
pub enum CheckId {
    Message,
    Encoding,
    Xml,
    Status,
    Assertion,
    Issuer,
    SigningKey,
    Signature,
    Algorithm,
    Certificate,
    Time,
    Audience,
    Destination,
    Recipient,
    Subject,
    NameIdFormat,
    ImmutableId,
    Account,
    DomainPolicy,
    IdpEmail,
    AuthnContext,
    InResponseTo,
    Replay,
}

impl CheckId {
    /// Every check, in Entra's order.
    pub const ALL: [Self; 23] = [
        Self::Message,
        Self::Encoding,
        Self::Xml,
        Self::Status,
        Self::Assertion,
        Self::Issuer,
        Self::SigningKey,
        Self::Signature,
        Self::Algorithm,
        Self::Certificate,
        Self::Time,
        Self::Audience,
        Self::Destination,
        Self::Recipient,
        Self::Subject,
        Self::NameIdFormat,
        Self::ImmutableId,
        Self::Account,
        Self::DomainPolicy,
        Self::IdpEmail,
        Self::AuthnContext,
        Self::InResponseTo,
        Self::Replay,
    ];

    /// Place in [`CheckId::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Encoding => "encoding",
            Self::Xml => "xml",
            Self::Status => "status",
            Self::Assertion => "assertion",
            Self::Issuer => "issuer",
            Self::SigningKey => "signing_key",
            Self::Signature => "signature",
            Self::Algorithm => "algorithm",
            Self::Certificate => "certificate",
            Self::Time => "time",
            Self::Audience => "audience",
            Self::Destination => "destination",
            Self::Recipient => "recipient",
            Self::Subject => "subject",
            Self::NameIdFormat => "name_id_format",
            Self::ImmutableId => "immutable_id",
            Self::Account => "account",
            Self::DomainPolicy => "domain_policy",
            Self::IdpEmail => "idp_email",
            Self::AuthnContext => "authn_context",
            Self::InResponseTo => "in_response_to",
            Self::Replay => "replay",
        }
    }

    /// The check of this spelling.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.as_str() == word)
    }

    /// Whether `[policy]` may set this check to `warn` or `off`. What decides who speaks may not be weakened.
    pub fn may_be_relaxed(self) -> bool {
        !matches!(
            self,
            Self::Message
                | Self::Encoding
                | Self::Xml
                | Self::Status
                | Self::Assertion
                | Self::Issuer
                | Self::SigningKey
                | Self::Signature
                | Self::Algorithm
                | Self::Audience
        )
    }
}

impl std::fmt::Display for CheckId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::CheckId;

    #[test]
    fn the_list_is_in_the_order_of_the_enum_and_every_name_reads_back() {
        for (index, id) in CheckId::ALL.into_iter().enumerate() {
            assert_eq!(id.index(), index);
            assert_eq!(CheckId::parse(id.as_str()), Some(id));
        }
    }
}
