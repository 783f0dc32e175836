//! One verdict in full, for somebody who is tired and in a hurry.

use super::escape::{cut, line, lines, wrap};
use super::terminal::{Terminal, Tone};
use crate::runbook;
use crate::verdict::{
    Check, CheckId, Claims, Covers, Detail, Outcome, Provenance, Show, SignatureSummary, Text, Verdict,
};

/// Characters of a value before its middle is left out.
const VALUE: usize = 160;

/// Columns that the words on a check are moved in by.
const INDENT: usize = 6;

/// Columns that the rest of a long headline is moved in by.
const HEAD: usize = 10;

/// Columns of the names of claims.
const NAMES: usize = 18;

/// The whole report.
pub(super) fn render(name: &str, verdict: &Verdict, terminal: &Terminal) -> String {
    let page = Page { terminal };
    let mut out = headline(name, verdict, true, terminal);
    out.push_str("\n\n");
    for outcome in [Outcome::Fail, Outcome::Warn] {
        for check in verdict.checks.iter().filter(|check| check.outcome == outcome) {
            out.push_str(&page.concern(check));
            out.push('\n');
        }
    }
    for outcome in [Outcome::Pass, Outcome::Skip] {
        out.push_str(&page.list(verdict, outcome));
    }
    out.push('\n');
    out.push_str(&page.provenance(verdict));
    if let Some(claims) = &verdict.claims {
        out.push_str(&page.claims(claims));
    }
    if let Some(signature) = &verdict.signature {
        out.push('\n');
        out.push_str(&page.signature(signature));
    }
    out
}

/// Verdict, predicted code and name, in one line where they fit.
pub(super) fn headline(name: &str, verdict: &Verdict, meaning: bool, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let warnings = verdict.with_outcome(Outcome::Warn).count();
    let name = cut_unless(terminal.verbose, &line(name));
    let (word, tone, aside) = if verdict.accepted {
        let aside = match warnings {
            0 => String::new(),
            1 => "with 1 warning".to_owned(),
            more => format!("with {more} warnings"),
        };
        ("ACCEPTED", if warnings > 0 { Tone::Doubtful } else { Tone::Good }, aside)
    } else {
        let aside = match verdict.predicted {
            Some(code) if meaning => format!("{code} ({})", runbook::meaning(code)),
            Some(code) => code.to_string(),
            None if meaning => "no code predicted".to_owned(),
            None => "no code".to_owned(),
        };
        ("REJECTED", Tone::Bad, aside)
    };
    let mut out = paint.paint(tone, word);
    let mut column = word.len();
    for (part, strong) in [(&aside, false), (&name, true)] {
        let length = part.chars().count();
        if part.is_empty() {
            continue;
        }
        if column > word.len() && column + 2 + length > terminal.width {
            out.push_str(&format!("\n{:HEAD$}", ""));
            column = HEAD;
        } else {
            out.push_str("  ");
            column += 2;
        }
        column += length;
        out.push_str(&if strong { paint.paint(Tone::Strong, part) } else { part.clone() });
    }
    out
}

fn cut_unless(whole: bool, text: &str) -> String {
    if whole { text.to_owned() } else { cut(text, VALUE) }
}

struct Page<'a> {
    terminal: &'a Terminal,
}

impl Page<'_> {
    /// A value, safe and not too long.
    fn value(&self, value: &str) -> String {
        cut_unless(self.terminal.verbose, &line(value))
    }

    /// A sentence of a report: it may quote hostile values, and hints may be laid out in lines.
    fn sentence(&self, text: &Text, indent: usize) -> String {
        // a check with several findings tells them in a row; here each gets its line
        let text = lines(&text.to_string_for(Show::Personal)).replace("; also: ", "\nalso: ");
        let short = |word: &str| cut_unless(self.terminal.verbose, word);
        let text = text.split('\n').map(|line| line.split(' ').map(short).collect::<Vec<_>>().join(" "));
        wrap(&text.collect::<Vec<_>>().join("\n"), indent, self.terminal.width)
    }

    /// A check that is not well.
    fn concern(&self, check: &Check) -> String {
        let paint = self.terminal.paint;
        let failed = check.outcome == Outcome::Fail;
        let (word, tone) = if failed { ("FAIL", Tone::Bad) } else { ("WARN", Tone::Doubtful) };
        let mut out = format!("{}  {}", paint.paint(tone, word), paint.paint(Tone::Strong, check.id.as_str()));
        let Some(detail) = &check.detail else { return out + "\n" };
        let Detail { code, finding, hint, expected, got, at, label } = detail.as_ref();
        if let Some(code) = code {
            out.push_str(&format!("  {code}"));
        }
        if let Some(label) = label {
            out.push_str(&format!("  {}", label.as_str()));
        }
        if let Some(at) = at {
            out.push_str(&paint.paint(Tone::Faint, &format!("  at {}:{}", at.line, at.column)));
        }
        out.push('\n');
        if let Some(finding) = finding {
            out.push_str(&format!("{:INDENT$}{}\n", "", self.sentence(finding, INDENT)));
        }
        for (name, value) in [("expected", expected), ("got", got)] {
            // a warning is told in fewer words
            let Some(value) = value.as_ref().filter(|_| failed || self.terminal.verbose) else { continue };
            let value = self.value(&value.to_string_for(Show::Personal));
            out.push_str(&format!("{:INDENT$}{} {value}\n", "", paint.paint(Tone::Faint, &format!("{name:9}"))));
        }
        if let Some(hint) = hint {
            let hint = self.sentence(hint, INDENT + 6);
            out.push_str(&format!("{:INDENT$}{} {hint}\n", "", paint.paint(Tone::Strong, "hint:")));
        }
        out
    }

    /// The checks of which there is little to say.
    fn list(&self, verdict: &Verdict, outcome: Outcome) -> String {
        let paint = self.terminal.paint;
        let checks: Vec<&Check> = verdict.checks.iter().filter(|check| check.outcome == outcome).collect();
        if checks.is_empty() {
            return String::new();
        }
        let (word, tone) = if outcome == Outcome::Pass { ("PASS", Tone::Good) } else { ("SKIP", Tone::Faint) };
        let names: Vec<String> = checks.iter().map(|check| named(check)).collect();
        let list = wrap(&names.join(", "), INDENT, self.terminal.width);
        let mut out = format!("{}  {list}\n", paint.paint(tone, word));
        // a passing check that has something to say is worth a line
        if self.terminal.verbose || outcome == Outcome::Pass {
            for check in checks {
                let finding = check.detail.as_ref().and_then(|detail| detail.finding.as_ref());
                if let Some(finding) = finding {
                    let indent = INDENT + check.id.as_str().len() + 2;
                    out.push_str(&format!("{:INDENT$}{}: {}\n", "", check.id, self.sentence(finding, indent)));
                }
            }
        }
        out
    }

    fn provenance(&self, verdict: &Verdict) -> String {
        let paint = self.terminal.paint;
        match (verdict.provenance, &verdict.claims) {
            (_, None) => "Claims: there is no assertion to read them from.\n".to_owned(),
            (Provenance::Signed, Some(_)) => {
                format!("{}\n", paint.paint(Tone::Strong, "Claims, signed by a registered key"))
            }
            (Provenance::Unsigned, Some(_)) => {
                let text = "Claims, unsigned: nobody vouches for these claims";
                format!("{}\n", paint.paint(Tone::Doubtful, text))
            }
        }
    }

    fn claims(&self, claims: &Claims) -> String {
        let audience = Some(claims.audience.join(", ")).filter(|audience| !audience.is_empty());
        let name_id = claims.name_id.as_ref().map(|value| value.expose().to_owned());
        let idp_email = claims.idp_email.as_ref().map(|value| value.expose().to_owned());
        let claims = [
            ("issuer", &claims.issuer),
            ("audience", &audience),
            ("name_id", &name_id),
            ("name_id_format", &claims.name_id_format),
            ("idp_email", &idp_email),
            ("authn_context", &claims.authn_context),
            ("not_before", &claims.not_before),
            ("not_on_or_after", &claims.not_on_or_after),
            ("recipient", &claims.recipient),
            ("destination", &claims.destination),
            ("in_response_to", &claims.in_response_to),
            ("id", &claims.id),
        ];
        let mut out = String::new();
        for (name, value) in claims {
            if let Some(value) = value {
                out.push_str(&self.row(name, &self.value(value)));
            } else if self.terminal.verbose {
                out.push_str(&self.row(name, "absent"));
            }
        }
        out
    }

    fn signature(&self, signature: &SignatureSummary) -> String {
        let covers = match signature.covers {
            Covers::Assertion => "the assertion",
            Covers::Response => "the whole response",
            Covers::Both => "response and assertion, each with its own",
        };
        let mut out = format!("{}\n", self.terminal.paint.paint(Tone::Strong, "Signature"));
        out.push_str(&self.row("covers", covers));
        out.push_str(&self.row("algorithm", &format!("{}, digest {}", signature.algorithm, signature.digest)));
        out.push_str(&self.row("thumbprint", &signature.thumbprint));
        out.push_str(&self.row("sha256", &signature.thumbprint_sha256));
        out
    }

    fn row(&self, name: &str, value: &str) -> String {
        format!("  {}{value}\n", self.terminal.paint.paint(Tone::Faint, &format!("{name:NAMES$}")))
    }
}

/// A check in a list, with what Entra makes of the context class.
fn named(check: &Check) -> String {
    let label = check.detail.as_ref().and_then(|detail| detail.label);
    match label.filter(|_| check.id == CheckId::AuthnContext) {
        Some(label) => format!("{} ({})", check.id, label.as_str()),
        None => check.id.to_string(),
    }
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;
    use crate::personal::Personal;
    use crate::verdict::{Code, Finding, Position, Verdict};

    /// A verdict with something of everything.
    pub(in crate::cli) fn sample() -> Verdict {
        let mut checks: Vec<Check> = CheckId::ALL.into_iter().map(|id| Check::silent(id, Outcome::Pass)).collect();
        let mut set = |id: CheckId, finding: Finding| {
            if let Some(check) = checks.get_mut(id.index()) {
                *check = Check::from_findings(id, vec![finding]);
            }
        };
        let unknown = Text::plain("No user has this ImmutableId. It is the GUID of ")
            .then_personal("first.user@domain.company\u{202e}")
            .then(" with its bytes in the wrong order.");
        let unknown = Finding::fail(Code::UserUnknown, unknown)
            .hint("Make it as .NET does:\n  [Convert]::ToBase64String(([Guid]'GUID').ToByteArray())")
            .expected(Text::personal("1wfM9xV8fUSHbcAbDlqeOA=="))
            .got(Text::personal(format!("98wH13wVRH2HbcAbDlqeOA==\u{1b}[2J{}", "x".repeat(300))))
            .at(Position { line: 1, column: 2310 });
        set(CheckId::ImmutableId, unknown);
        set(CheckId::IdpEmail, Finding::warn("The attribute IDPEmail is absent.").hint("Add it.").expected("x"));
        set(CheckId::Replay, Finding::skip("verify keeps no memory"));
        let claims = Claims {
            issuer: Some("https://authentik.company/".to_owned()),
            name_id: Some(Personal::new("98wH13wVRH2HbcAbDlqeOA==")),
            ..Claims::default()
        };
        Verdict {
            checks,
            accepted: false,
            predicted: Some(Code::UserUnknown),
            provenance: Provenance::Unsigned,
            claims: Some(claims),
            signature: None,
        }
    }

    #[test]
    fn a_report_tells_the_worst_first_and_nothing_hostile_gets_through() {
        let report = render("a.xml", &sample(), &Terminal::plain(100));
        let mut lines = report.lines();
        assert_eq!(lines.next(), Some("REJECTED  AADSTS51004 (no user has this ImmutableId)  a.xml"));
        assert_eq!(lines.nth(1), Some("FAIL  immutable_id  AADSTS51004  at 1:2310"));
        for wanted in [
            "\n      expected  1wfM9xV8fUSHbcAbDlqeOA==\n",
            "\n      got       98wH13wVRH2HbcAbDlqeOA==\\u{1b}[2Jxxx",
            "characters…",
            "first.user@domain.company\\u{202e} with",
            "\n      hint: Make it as .NET does:\n              [Convert]::",
            "\nWARN  idp_email\n      The attribute IDPEmail is absent.\n      hint: Add it.\n",
            "\nPASS  message, encoding,",
            "\nSKIP  replay\n",
            "nobody vouches for these claims",
        ] {
            assert!(report.contains(wanted), "{wanted} in\n{report}");
        }
        assert!(!report.chars().any(|c| c != '\n' && crate::cli::escape::is_unsafe(c)), "{report}");
    }

    #[test]
    fn a_verbose_report_cuts_nothing_and_says_why_a_check_was_skipped() {
        let mut terminal = Terminal::plain(60);
        terminal.verbose = true;
        let report = render("a.xml", &sample(), &terminal);
        assert!(report.contains(&"x".repeat(300)));
        assert!(report.contains("replay: verify keeps no memory"));
        assert!(report.contains("idp_email         absent"));
    }

    #[test]
    fn reports_fit_the_width_but_for_values_and_commands() {
        let report = render("a.xml", &sample(), &Terminal::plain(60));
        for line in report.lines().filter(|line| !line.contains("got  ") && !line.contains("Convert")) {
            assert!(line.chars().count() <= 60, "{line}");
        }
    }
}
