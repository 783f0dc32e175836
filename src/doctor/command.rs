//! The commands that mend: PowerShell for Microsoft Graph, quoted so that they can be pasted.

use crate::verdict::Text;

/// Sets properties of a domain's federation.
pub(super) fn update(domain: &str, parameters: &str) -> String {
    format!(
        "Update-MgDomainFederationConfiguration -DomainId {0} -InternalDomainFederationId \
         (Get-MgDomainFederationConfiguration -DomainId {0}).Id {parameters}",
        quoted(domain)
    )
}

/// Gives a user the ImmutableId that the identity provider sends.
pub(super) fn anchor(upn: &str) -> Text {
    Text::plain("Update-MgUser -UserId '")
        .then_personal_as(upn, between_quotes(upn))
        .then("' -OnPremisesImmutableId <what the identity provider sends as NameID>")
}

/// A PowerShell string that holds no variables ([about_Quoting_Rules]).
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", between_quotes(text))
}

fn between_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        // the typographic ones end a string of PowerShell, too
        if matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(character);
        }
        quoted.push(if character.is_control() { ' ' } else { character });
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_quoted_stays_one_string() {
        assert_eq!(quoted("a'; Remove-MgUser"), "'a''; Remove-MgUser'");
        assert_eq!(quoted("a\u{2019}b\nc"), "'a\u{2019}\u{2019}b c'");
    }
}
