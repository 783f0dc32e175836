//! The manual's pages of checks and of alerts, written from the tables behind `samlgate explain`.

use std::fmt::Write as _;
use std::path::Path;

use crate::runbook::{ALERTS, Alert, Class, GUIDES, Guide, MET, When, meaning};
use crate::verdict::Code;

const HEAD: &str = "# The checks, in Entra's order

Entra stops at the first thing it objects to and shows the code of that alone. samlgate makes every check and predicts the code
of the first that fails. A check passes, warns, fails, or is skipped because nothing was given to judge it by; `samlgate explain
CHECK` shows the same text in a terminal.

This page is written from the program's own table: `BLESS=1 cargo test checks_of_the_manual` writes it anew.
";

/// The page.
fn page() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n| | check | passes when | predicts |\n| ---: | --- | --- | --- |\n");
    for (index, guide) in GUIDES.iter().enumerate() {
        let codes: Vec<_> = guide.codes.iter().map(|code| code.digits()).collect();
        let codes = if codes.is_empty() { "none".to_owned() } else { codes.join(", ") };
        let _ = writeln!(out, "| {} | [`{}`](#{}) | {} | {codes} |", index + 1, guide.id, guide.id, guide.title);
    }
    for guide in &GUIDES {
        section(&mut out, guide);
    }
    out.push_str("\n## Codes that are predicted\n\n");
    for code in Code::ALL {
        let old = MET.iter().find(|met| met.when == When::Old(code));
        let old = old.map(|old| format!(" (formerly AADSTS{})", old.digits)).unwrap_or_default();
        let _ = writeln!(out, "- `{code}`: {}{old}", meaning(code));
    }
    let groups = [
        (When::After, "Codes that are met around a sign-in, and are no verdict on the response"),
        (When::Elsewhere, "Codes of Entra as the identity provider of an application, easily mistaken for the above"),
    ];
    for (when, heading) in groups {
        let _ = write!(out, "\n## {heading}\n\n");
        for met in MET.iter().filter(|met| met.when == when) {
            let _ = writeln!(out, "- `AADSTS{}`: {}", met.digits, met.meaning);
        }
    }
    out
}

fn section(out: &mut String, guide: &Guide) {
    let Guide { id, title, checked, entra, class, evidence, codes, mend } = guide;
    let _ = write!(out, "\n## {id}\n\n*{title}*\n\n{}\n\n**Entra.** {}", escaped(checked), escaped(entra));
    let codes: Vec<_> = codes.iter().map(|code| format!("`{code}` ({})", meaning(*code))).collect();
    if !codes.is_empty() {
        let _ = write!(out, " Predicted: {}.", codes.join(", "));
    }
    let known = if *class == Class::Own { String::new() } else { format!(" Known from {evidence}.") };
    let words = class.words();
    let mut letters = words.chars();
    let first: String = letters.next().iter().flat_map(|letter| letter.to_uppercase()).collect();
    let _ = write!(out, "\n\n**How sure.** {first}{}.{}\n\n**To mend it**\n\n", letters.as_str(), escaped(&known));
    for step in *mend {
        let (words, commands) = step.split_once(":\n").unwrap_or((step, ""));
        let colon = if commands.is_empty() { "" } else { ":" };
        let _ = writeln!(out, "- {}{colon}", escaped(words));
        if !commands.is_empty() {
            let _ = writeln!(out, "  ```text");
            for command in commands.lines() {
                let _ = writeln!(out, "  {}", command.trim_start());
            }
            let _ = writeln!(out, "  ```");
        }
    }
    let may = if id.may_be_relaxed() { "`reject`, `warn` or `off`" } else { "`reject` alone" };
    let _ = write!(out, "\n`[policy]` takes {may}.\n");
}

/// URLs as code, so that no viewer makes links of identifiers.
fn escaped(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_end_matches(['.', ',', ':', ';', ')']);
        let is_identifier = bare.starts_with("http://") || bare.starts_with("https://") || bare.starts_with("urn:");
        if is_identifier && bare.len() > "https://".len() {
            format!("`{bare}`{}", word.get(bare.len()..).unwrap_or_default())
        } else {
            word.to_owned()
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

const ALERTS_HEAD: &str = "# The alerts

`deploy/prometheus/rules` holds rules for Prometheus, and this page says for each alert what it means and what to do; `samlgate explain
ALERT` shows the same in a terminal. Every rule is tested with `promtool`: it fires when it should, and is silent when it should be.

- `deploy/prometheus/prometheus.yml` scrapes a proxy on the same machine and names the rules; `deploy/prometheus/alertmanager.yml` is an
  example of who is told.
- Each alert has `summary`, `description` and `runbook_url`, a page with the text of its section, which every samlgate serves at its admin
  listener under `/runbooks/`. The links lead to `http://127.0.0.1:9464/runbooks/`, or to where the external label `samlgate_runbooks` of
  Prometheus says: set it there, and nowhere else, when the listener is reached otherwise or the pages are kept elsewhere. While nobody
  answers there, `samlgate explain ALERT` does: the link of `SamlgateDown` leads to a process that is down.
- In a cluster set `externalLabels.samlgate_runbooks` of the Prometheus resource to where people reach the admin listener. Without it the links
  work for whoever has opened the way: `kubectl -n samlgate port-forward deployment/samlgate 9464`.
- Staging has few sign-ins, so what concerns them is counted, not divided; only a load run, with a sign-in a second or more, is held to a
  share of rejected ones.
- `deploy/grafana/samlgate.json` is a dashboard of the same metrics; import it and choose your Prometheus.

This page is written from the program's own table: `BLESS=1 cargo test alerts_of_the_manual` writes it anew.
";

/// The page of alerts.
fn alerts() -> String {
    let mut out = format!("{ALERTS_HEAD}\n| alert | says |\n| --- | --- |\n");
    for Alert { name, title, .. } in &ALERTS {
        let _ = writeln!(out, "| [`{name}`](#{}) | {title} |", name.to_ascii_lowercase());
    }
    for Alert { name, title, fires, means, steps } in &ALERTS {
        let _ = write!(out, "\n## {name}\n\n*{title}*\n\n**Fires when.** {fires}\n\n{means}\n\n**What to do**\n\n");
        for step in *steps {
            let _ = writeln!(out, "- {}", escaped(step));
        }
    }
    out
}

fn is_written(name: &str, page: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual").join(name);
    if std::env::var_os("BLESS").is_some() {
        assert!(std::fs::write(&path, page).is_ok(), "{}", path.display());
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "src/manual/{name} is not what the table says: BLESS=1 cargo test writes it anew");
}

#[test]
fn checks_of_the_manual_are_those_of_the_table() {
    is_written("checks.md", &page());
}

#[test]
fn alerts_of_the_manual_are_those_of_the_table() {
    is_written("alerts.md", &alerts());
}
