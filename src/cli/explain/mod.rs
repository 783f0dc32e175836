//! `samlgate explain`: a check, a code or an alert, told in words.

#[cfg(test)]
mod manual;

use super::Ending;
use super::args::ExplainArguments;
use super::escape::wrap;
use super::terminal::{self, Terminal, Tone, Trouble};
use crate::runbook::{ALERTS, Alert, GUIDES, Guide, MET, Met, When, meaning};
use crate::verdict::{CheckId, Code};

/// Columns of the names of the parts.
const PARTS: usize = 12;

/// Tells of a check, of a code, or lists the checks.
pub(super) fn run(arguments: &ExplainArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let page = Page { terminal };
    let text = match &arguments.check {
        None => page.list(),
        Some(word) if word == "codes" => page.codes(),
        Some(word) if word == "alerts" => page.alerts(),
        Some(word) => page.find(word).ok_or_else(|| unknown(word))?,
    };
    terminal::print_all(&text)?;
    Ok(Ending::Well)
}

fn unknown(word: &str) -> Trouble {
    let nearest = CheckId::ALL.into_iter().find(|id| {
        let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-', ' '], "");
        !plain(word).is_empty()
            && (plain(id.as_str()).contains(&plain(word)) || plain(word).contains(&plain(id.as_str())))
    });
    let hint = match nearest {
        Some(id) => format!("is it {id}? `samlgate explain` lists the checks"),
        None => {
            "`samlgate explain` lists the checks, `samlgate explain codes` the codes, `samlgate explain alerts` the alerts"
                .to_owned()
        }
    };
    Trouble::new(format!("there is no check, code or alert \"{word}\"")).hint(hint)
}

struct Page<'a> {
    terminal: &'a Terminal,
}

impl Page<'_> {
    fn strong(&self, text: &str) -> String {
        self.terminal.paint.paint(Tone::Strong, text)
    }

    fn part(&self, name: &str, text: &str) -> String {
        let name = self.terminal.paint.paint(Tone::Faint, &format!("{name:PARTS$}"));
        format!("{name}{}\n", wrap(text, PARTS, self.terminal.width))
    }

    fn find(&self, word: &str) -> Option<String> {
        let word = word.trim().to_ascii_lowercase();
        if let Some(guide) = GUIDES.iter().find(|guide| guide.id.as_str() == word.replace('-', "_")) {
            return Some(self.guide(guide));
        }
        if let Some(alert) = ALERTS.iter().find(|alert| alert.name.eq_ignore_ascii_case(&word)) {
            return Some(self.alert(alert));
        }
        let digits = word.strip_prefix("aadsts").unwrap_or(&word);
        let predicted = Code::ALL.into_iter().find(|code| code.digits() == digits);
        let met = || MET.iter().find(|met| met.digits == digits);
        predicted.map(|code| self.code(code)).or_else(|| met().map(|met| self.met(met)))
    }

    fn list(&self) -> String {
        let mut out = String::new();
        for guide in &GUIDES {
            let name = self.strong(&format!("{:16}", guide.id.as_str()));
            out.push_str(&format!("{name}{}\n", wrap(guide.title, 16, self.terminal.width)));
        }
        out.push_str("\n`samlgate explain CHECK` tells more, `samlgate explain codes` lists the codes of Entra, `samlgate explain alerts` the alerts.\n");
        out
    }

    fn guide(&self, guide: &Guide) -> String {
        let Guide { id, title, checked, entra, class, evidence, codes, mend } = guide;
        let mut out = format!("{}: {title}\n\n", self.strong(id.as_str()));
        out.push_str(&self.part("checked", checked));
        out.push_str(&self.part("Entra", entra));
        for code in *codes {
            out.push_str(&self.part("", &format!("{code}: {}", meaning(*code))));
        }
        if codes.is_empty() {
            out.push_str(&self.part("", "no code is predicted"));
        }
        out.push_str(&self.part("class", class.words()));
        out.push_str(&self.part("known from", evidence));
        for (index, step) in mend.iter().enumerate() {
            out.push_str(&self.part(if index == 0 { "mend" } else { "" }, step));
        }
        let settings = if id.may_be_relaxed() {
            format!("{id} = \"reject\" (its warnings fail), \"warn\" (its failures warn) or \"off\" (skipped)")
        } else {
            format!("{id} = \"reject\" (its warnings fail); it cannot be relaxed")
        };
        out.push_str(&self.part("[policy]", &settings));
        out
    }

    fn alerts(&self) -> String {
        let mut out = String::new();
        for alert in &ALERTS {
            let name = self.strong(&format!("{:29}", alert.name));
            out.push_str(&format!("{name}{}\n", wrap(alert.title, 29, self.terminal.width)));
        }
        out
    }

    fn alert(&self, alert: &Alert) -> String {
        let Alert { name, title, fires, means, steps } = alert;
        let mut out = format!("{}: {title}\n\n", self.strong(name));
        out.push_str(&self.part("fires", fires));
        out.push_str(&self.part("means", means));
        for (index, step) in steps.iter().enumerate() {
            out.push_str(&self.part(if index == 0 { "do" } else { "" }, step));
        }
        out
    }

    fn code(&self, code: Code) -> String {
        let mut out = format!("{}: {}\n\n", self.strong(&code.to_string()), meaning(code));
        out.push_str("Predicted by\n");
        for guide in GUIDES.iter().filter(|guide| guide.codes.contains(&code)) {
            let name = format!("  {:16}", guide.id.as_str());
            out.push_str(&format!("{name}{}\n", wrap(guide.title, 18, self.terminal.width)));
        }
        let old = MET.iter().find(|met| met.when == When::Old(code));
        if let Some(old) = old {
            out.push_str(&format!("\nAADSTS{} is its older form.\n", old.digits));
        }
        out
    }

    fn codes(&self) -> String {
        let row = |digits: &str, text: &str| {
            format!("  {:16}{}\n", format!("AADSTS{digits}"), wrap(text, 18, self.terminal.width))
        };
        let mut out = format!("{}\n", self.strong("Predicted"));
        for code in Code::ALL {
            out.push_str(&row(code.digits(), meaning(code)));
        }
        let after = self.strong("Met around a sign-in, no verdict on the response");
        let elsewhere = self.strong("Met where Entra is the identity provider of an application");
        for (heading, when) in [(after, When::After), (elsewhere, When::Elsewhere)] {
            out.push_str(&format!("\n{heading}\n"));
            for met in MET.iter().filter(|met| met.when == when) {
                out.push_str(&row(met.digits, met.meaning));
            }
        }
        out
    }

    fn met(&self, met: &Met) -> String {
        let when = match met.when {
            When::Old(code) => return self.code(code),
            When::After => {
                "It is no verdict on the response: the response was taken, or was not asked about. Never predicted."
            }
            When::Elsewhere => {
                "It belongs to Entra as the identity provider of an application, not to sign-ins by a federated \
                 domain. Never predicted."
            }
        };
        let first = format!("{}: {}", self.strong(&format!("AADSTS{}", met.digits)), met.meaning);
        format!("{}\n\n{}\n", wrap(&first, 0, self.terminal.width), wrap(when, 0, self.terminal.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_its_guide_in_order() {
        for (guide, id) in GUIDES.iter().zip(CheckId::ALL) {
            assert_eq!(guide.id, id);
            for text in [guide.title, guide.checked, guide.entra, guide.evidence] {
                assert!(!text.is_empty() && !text.contains("  "), "{id}: {text}");
            }
            assert!(!guide.mend.is_empty(), "{id}");
        }
    }

    #[test]
    fn every_code_that_can_be_predicted_is_predicted_by_some_check() {
        for code in Code::ALL {
            assert!(GUIDES.iter().any(|guide| guide.codes.contains(&code)), "{code}");
        }
    }

    #[test]
    fn no_code_is_both_predicted_and_only_met() {
        for met in &MET {
            assert!(Code::ALL.into_iter().all(|code| code.digits() != met.digits), "{}", met.digits);
        }
    }
}
