//! `in_response_to`: whether the response answers a request. (`replay` is a matter of stores, not of one response.)

use super::{Facts, Findings};
use crate::verdict::Finding;

/// `in_response_to`. Which requests were sent is not known here: a value that names one is not judged.
pub(super) fn in_response_to(facts: &Facts<'_>) -> Findings {
    let confirmation = facts.claims.and_then(|claims| claims.bearer());
    let in_data = confirmation.and_then(|confirmation| confirmation.in_response_to).filter(|id| !id.is_empty());
    let in_response = facts.response.in_response_to.filter(|id| !id.is_empty());
    if let (Some(in_data), Some(in_response)) = (in_data, in_response)
        && in_data != in_response
    {
        return vec![
            Finding::warn("InResponseTo of the Response and of SubjectConfirmationData differ")
                .expected(in_response.to_owned())
                .got(in_data.to_owned())
                .at(facts.at(facts.response.node)),
        ];
    }
    match in_data.or(in_response) {
        Some(_) => vec![Finding::skip("the request was not seen here")],
        None => Findings::new(),
    }
}
