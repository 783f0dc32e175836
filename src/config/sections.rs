//! The two sections that are lists of names: checks and their settings, limits and their numbers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::file::Located;
use super::problem::Problems;
use super::quantity::{Duration, Size};
use crate::check::{Policy, Setting};
use crate::limits::Limits;
use crate::verdict::CheckId;

macro_rules! policy {
    ($($name:ident = $id:ident),+ $(,)?) => {
        /// What you make of the checks. A check is set to `reject` (its warnings become failures), `warn` or `off`.
        #[derive(Deserialize, JsonSchema, Default)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct PolicyTable {
            /// How far clocks may differ. Default: 5m.
            pub(super) skew: Option<Located<Duration>>,
            /// Whether any warning rejects. Default: false.
            pub(super) strict: bool,
            $(
                #[doc = concat!("The check `", stringify!($name), "`.")]
                $name: Option<Located<Setting>>,
            )+
        }

        impl PolicyTable {
            fn settings(&self) -> Vec<(CheckId, &Located<Setting>)> {
                [$((CheckId::$id, &self.$name)),+]
                    .into_iter()
                    .filter_map(|(id, setting)| Some((id, setting.as_ref()?)))
                    .collect()
            }
        }
    };
}

policy!(
    message = Message,
    encoding = Encoding,
    xml = Xml,
    status = Status,
    assertion = Assertion,
    issuer = Issuer,
    signing_key = SigningKey,
    signature = Signature,
    algorithm = Algorithm,
    certificate = Certificate,
    time = Time,
    audience = Audience,
    destination = Destination,
    recipient = Recipient,
    subject = Subject,
    name_id_format = NameIdFormat,
    immutable_id = ImmutableId,
    account = Account,
    domain_policy = DomainPolicy,
    idp_email = IdpEmail,
    authn_context = AuthnContext,
    in_response_to = InResponseTo,
    replay = Replay,
);

impl PolicyTable {
    /// The policy that is written.
    pub(super) fn resolve(&self, problems: &mut Problems<'_>) -> Policy {
        let mut policy = Policy::default();
        policy.strict = self.strict;
        if let Some(skew) = &self.skew {
            policy.skew = skew.value.0;
        }
        for (id, setting) in self.settings() {
            if policy.set(id, setting.value).is_err() {
                let relaxable: Vec<_> =
                    CheckId::ALL.into_iter().filter(|id| id.may_be_relaxed()).map(CheckId::as_str).collect();
                let hint = format!("`warn` and `off` are for {}", relaxable.join(", "));
                let cause = format!("`{id}` decides who speaks: it can be set to `reject` alone");
                problems.push(Some(setting.at.clone()), cause, Some(hint));
            }
        }
        policy
    }
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Bounds on hostile input.
        #[derive(Deserialize, JsonSchema, Default)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct LimitsTable {
            $($(#[$doc])* $name: Option<Located<Size>>,)+
        }

        impl LimitsTable {
            /// The limits that are written, over the usual ones.
            pub(super) fn resolve(&self, problems: &mut Problems<'_>) -> Limits {
                let mut limits = Limits::default();
                $(
                    if let Some(written) = &self.$name {
                        match usize::try_from(written.value.0) {
                            Ok(number) if number > 0 => limits.$name = number,
                            _ => {
                                let cause = concat!("`", stringify!($name), "`: expected a number above 0 that this machine can hold");
                                problems.push(Some(written.at.clone()), cause, None);
                            }
                        }
                    }
                )+
                limits
            }
        }
    };
}

limits!(
    /// Bytes of a posted body or input file.
    body_bytes,
    /// Fields of a form.
    form_fields,
    /// Bytes of the decoded XML.
    xml_bytes,
    /// Bytes that are inflated to name a deflated message.
    inflate_bytes,
    /// Depth of nested elements.
    depth,
    /// Elements of one document.
    elements,
    /// Attributes of one element.
    attributes,
    /// Namespace declarations of one element.
    namespaces,
    /// Comments and processing instructions of one document.
    comments,
    /// Bytes of a qualified name.
    name_bytes,
    /// Bytes of a namespace URI.
    uri_bytes,
    /// Prefixes of one InclusiveNamespaces PrefixList.
    prefix_list,
    /// Canonical bytes for each byte of input.
    canonical_factor,
);

#[cfg(test)]
mod tests {
    use super::{LimitsTable, PolicyTable};
    use crate::verdict::CheckId;

    fn keys<T: schemars::JsonSchema>() -> Vec<String> {
        let schema = schemars::schema_for!(T).to_value();
        let properties = schema.get("properties").and_then(|properties| properties.as_object());
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
    }

    #[test]
    fn every_check_can_be_set() {
        let known = keys::<PolicyTable>();
        assert!(CheckId::ALL.iter().all(|id| known.contains(&id.as_str().to_owned())), "{known:?}");
    }

    #[test]
    fn every_limit_can_be_set() {
        let fields = format!("{:?}", crate::limits::Limits::default());
        let known = keys::<LimitsTable>();
        assert_eq!(fields.matches(": ").count(), known.len());
        assert!(known.iter().all(|key| fields.contains(&format!("{key}: "))));
    }
}
