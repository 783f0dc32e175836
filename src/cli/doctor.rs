//! `samlgate doctor`: the pre-flight, for people, for programs and for build servers.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::json;

use super::escape::{line, lines, wrap};
use super::preflight_args::DoctorArguments;
use super::seen_lines::SeenLines;
use super::terminal::{self, Terminal, Tone, Trouble};
use super::{Ending, certificate_table, junit};
use crate::app;
use crate::config::Config;
use crate::doctor::{Case, Diagnosis, Harm, Row, certificates, examine, gaps};
use crate::source::Bounds;
use crate::tenant::Federation;
use crate::verdict::{Show, Text};

/// Columns that evidence is moved in by.
const INDENT: usize = 12;

/// What was found about one federation.
pub(super) struct Examined<'a> {
    /// The federation.
    pub(super) federation: &'a Federation,
    /// The worst first.
    pub(super) found: Vec<Diagnosis>,
    /// Each once.
    certificates: Vec<Row>,
}

/// Compares, and tells.
pub(super) fn run(arguments: &DoctorArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let (documents, visits) = match arguments.offline {
        true => <_>::default(),
        false => app::visits(&arguments.config, Bounds::default()).map_err(|error| Trouble::new(error.to_string()))?,
    };
    let config = Config::load_with(&arguments.config, &documents).map_err(|error| Trouble::new(error.to_string()))?;
    for note in &config.notes {
        terminal.note(note, "");
    }
    let show = if arguments.show_personal { Show::Personal } else { Show::Hashed };
    let federations = &config.judge.federations;
    let root_domains: Vec<&str> =
        federations.iter().filter_map(|federation| federation.root_domain.as_deref()).collect();
    let now = arguments.at.unwrap_or_else(Timestamp::now);
    let mut seen = SeenLines::default();
    for file in &arguments.capture {
        seen.read(file)?;
    }
    let mut examined = Vec::with_capacity(federations.len());
    for (federation, sources) in federations.iter().zip(&config.evidence) {
        let visit = visits.iter().find(|visit| sources.metadata_url.as_ref() == Some(&visit.url));
        let skew = config.judge.policy.skew;
        let seen = seen.of(federation.name());
        let case = Case { federation, sources, root_domains: &root_domains, now, visit, seen, skew };
        for gap in gaps(&case) {
            terminal.note(&format!("{}: {gap}", federation.name()), "");
        }
        if !arguments.capture.is_empty() && seen.is_empty() {
            let note = "the capture has no sign-in of it that says which certificate signed";
            terminal.note(&format!("{}: {note}", federation.name()), "");
        }
        examined.push(Examined { federation, found: examine(&case), certificates: certificates(&case) });
    }
    let speaks_of_users = examined.iter().flat_map(|examined| &examined.found).any(Diagnosis::is_personal);
    if speaks_of_users && !arguments.show_personal {
        terminal.note("users are shown as hashes", "--show-personal shows them, so that commands can be copied");
    }
    if let Some(file) = &arguments.junit {
        let cannot =
            |error: &dyn std::fmt::Display| Trouble::new(format!("{} cannot be written: {error}", file.display()));
        let xml = junit::render(&examined, show).map_err(|error| cannot(&error))?;
        std::fs::write(file, xml).map_err(|error| cannot(&error))?;
    }
    let out = if arguments.json {
        objects(&examined, show)
    } else {
        pages(&examined, show, !arguments.capture.is_empty(), terminal)
    };
    terminal::print_all(&out)?;
    let well = examined.iter().all(|examined| examined.found.is_empty());
    Ok(if well { Ending::Well } else { Ending::Wanting })
}

/// One object a line.
fn objects(examined: &[Examined<'_>], show: Show) -> String {
    let mut out = String::new();
    for Examined { federation, found, .. } in examined {
        for Diagnosis { id, harm, finding, code, entra, provider, mend } in found {
            let text = |text: &Option<Text>| text.as_ref().map(|text| text.to_string_for(show));
            let object = json!({
                "kind": "finding",
                "federation": federation.name(),
                "id": id,
                "harm": harm.as_str(),
                "code": code.map(|code| code.to_string()),
                "finding": finding.to_string_for(show),
                "entra": text(entra),
                "provider": text(provider),
                "mend": mend.to_string_for(show),
            });
            let _ = writeln!(out, "{object}");
        }
    }
    for Examined { federation, certificates, .. } in examined {
        out.push_str(&certificate_table::objects(federation.name(), certificates));
    }
    out
}

/// For people: one federation after the other, with its certificates where something was found, or a capture tells of them.
fn pages(examined: &[Examined<'_>], show: Show, captured: bool, terminal: &Terminal) -> String {
    let mut out = String::new();
    for Examined { federation, found, certificates } in examined {
        let name = terminal.paint.paint(Tone::Strong, &line(federation.name()));
        if found.is_empty() {
            let _ = writeln!(out, "{name}  {}", terminal.paint.paint(Tone::Good, "all well"));
        } else {
            let _ = writeln!(out, "{name}  {}\n", count(found));
        }
        for diagnosis in found {
            out.push_str(&concern(diagnosis, show, terminal));
            out.push('\n');
        }
        if !terminal.quiet && (captured || terminal.verbose || !found.is_empty()) {
            out.push_str(if found.is_empty() { "\n" } else { "" });
            out.push_str(&certificate_table::page(certificates, terminal));
        }
    }
    out
}

fn count(found: &[Diagnosis]) -> String {
    let of = |harm: Harm| found.iter().filter(|diagnosis| diagnosis.harm == harm).count();
    let counts = Harm::ALL.into_iter().map(|harm| (of(harm), harm)).filter(|(count, _)| *count > 0);
    counts.map(|(count, harm)| format!("{count} × {}", harm.meaning())).collect::<Vec<_>>().join(", ")
}

fn concern(diagnosis: &Diagnosis, show: Show, terminal: &Terminal) -> String {
    let paint = terminal.paint;
    let Diagnosis { id, harm, finding, code, entra, provider, mend } = diagnosis;
    let tone = match harm {
        Harm::Everybody | Harm::Some | Harm::Imminent => Tone::Bad,
        Harm::Soon | Harm::Around => Tone::Doubtful,
    };
    let mut out = format!("{:9}  {}", paint.paint(tone, &harm.as_str().to_uppercase()), paint.paint(Tone::Strong, id));
    if let Some(code) = code {
        let _ = write!(out, "  {code}");
    }
    out.push('\n');
    let _ = writeln!(out, "  {}", wrap(&lines(&finding.to_string_for(show)), 2, terminal.width));
    for (name, text) in [("Entra", entra), ("provider", provider)] {
        if let Some(text) = text {
            let text = wrap(&lines(&text.to_string_for(show)), INDENT, terminal.width);
            let _ = writeln!(out, "  {name:8}  {text}");
        }
    }
    // a command is to be copied: it stays on its line
    let _ = writeln!(out, "  {:8}  {}", "mend", lines(&mend.to_string_for(show)));
    out
}
