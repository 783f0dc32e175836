//! The report as one page that needs nothing else and runs nothing: text is escaped, and the page forbids itself scripts.

use super::{Latencies, Report, Totals, chart, compare, differences};
use crate::html::Escaped;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width"><title>samlgate load</title><style>
:root{color-scheme:light dark;--ink:#1b1f24;--faint:#6a737d;--line:#d8dee4;--paper:#fff;--good:#1a7f37;--bad:#cf222e;--a:#0969da;--b:#bf8700;--c:#cf222e}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--faint:#8b949e;--line:#30363d;--paper:#0d1117;--good:#3fb950;--bad:#f85149;--a:#58a6ff;--b:#d29922;--c:#f85149}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;margin-bottom:0}h2{font-size:1.1rem;margin-top:2rem}.faint{color:var(--faint)}.good{color:var(--good)}.bad,.bad td{color:var(--bad)}
.verdict{font-size:1.25rem;font-weight:600}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line)}
td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}p,td:last-child{overflow-wrap:anywhere}svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--faint)}
.grid{stroke:var(--line);stroke-width:1}polyline{fill:none;stroke-width:2}.p50{stroke:var(--a)}.p99{stroke:var(--b)}.max{stroke:var(--c);stroke-width:1}.before{stroke:var(--faint);stroke-dasharray:5 4}
.k50{color:var(--a)}.k99{color:var(--b)}.kmax{color:var(--c)}
</style></head><body>
"#;

/// The page of a report, beside the one of a load before.
pub fn page(report: &Report, before: Option<&Report>) -> String {
    let mut out = HEAD.to_owned();
    out.push_str(&heading(report));
    out.push_str(&table(&["case", "#sent", "expected", "got"], &cases(report)));
    if !report.tally.differing.is_empty() {
        out.push_str("<h2>Verdicts that differ</h2>\n");
        let rows = report.tally.differing.iter().map(|one| {
            let id = one.request_id.clone().unwrap_or_default();
            Row::from(vec![one.case.clone(), one.expected.clone(), one.got.clone(), one.number.to_string(), id])
        });
        out.push_str(&table(&["case", "expected", "got", "#number", "request"], &rows.collect::<Vec<_>>()));
    }
    out.push_str("<h2>Latency over time</h2>\n<p class=\"faint\"><span class=\"k50\">median</span> · <span class=\"k99\">99 %</span> · <span class=\"kmax\">longest</span></p>\n");
    out.push_str(&chart::over_time(&report.timeline));
    out.push_str("<h2>Latency by percentile</h2>\n");
    if before.is_some() {
        out.push_str("<p class=\"faint\">dashed: the load before</p>\n");
    }
    out.push_str(&chart::by_percentile(&report.tally.latency, before.map(|before| &before.tally.latency)));
    out.push_str(&table(&["", "#p50", "#p90", "#p99", "#p99.9", "#p99.99", "#longest", "#of"], &times(report)));
    if let Some(before) = before {
        out.push_str("<h2>Beside the load before</h2>\n");
        for difference in differences(before, report) {
            out.push_str(&format!("<p class=\"bad\">{}</p>\n", Escaped(&difference)));
        }
        out.push_str(&table(&["", "#before", "#now", "#%"], &changes(before, report)));
    }
    out.push_str("<h2>How it was made</h2>\n");
    out.push_str(&table(&["", ""], &settings(report)));
    out + "</body></html>\n"
}

fn heading(report: &Report) -> String {
    let Totals { sent, as_expected, false_accepts, false_rejects, wrong_codes, unclear, errors } = report.totals;
    let class = if report.is_well() { "good" } else { "bad" };
    let mut out = format!(
        "<h1>Sign-in load</h1>\n<p class=\"faint\">{} · {} UTC · {:.1} s</p>\n\
         <p class=\"verdict {class}\">{false_accepts} false accepts, {false_rejects} false rejects</p>\n\
         <p>{sent} sign-ins: {as_expected} as expected, {wrong_codes} by another code, {unclear} unclear, {errors} errors.</p>\n",
        Escaped(&report.target),
        Escaped(report.begun.split(['.', 'Z']).next().unwrap_or_default()),
        report.seconds
    );
    for held in report.thresholds.iter().filter(|held| held.failed) {
        out.push_str(&format!("<p class=\"bad\">failed: {}: {}</p>\n", Escaped(&held.fail_if), held.words()));
    }
    for limit in &report.limits {
        out.push_str(&format!("<p class=\"bad\">{}</p>\n", Escaped(limit)));
    }
    out
}

fn cases(report: &Report) -> Vec<Row> {
    let row = |(name, counts): (&str, &super::Counts)| {
        let code = counts.code.as_deref().unwrap_or_default();
        let got: Vec<String> = counts.got.iter().map(|(got, count)| format!("{got} {count}")).collect();
        let cells = [name.to_owned(), counts.sent.to_string(), format!("{} {code}", counts.expected), got.join(", ")];
        Row { bad: !counts.is_well(), cells: cells.to_vec() }
    };
    report.tally.by_concern().into_iter().map(row).collect()
}

fn times(report: &Report) -> Vec<Row> {
    let tally = &report.tally;
    let row = |(name, latencies): (&str, &Latencies)| {
        let at = [50.0, 90.0, 99.0, 99.9, 99.99, 100.0].map(|percent| millis(latencies.percentile(percent)));
        let mut row = vec![name.to_owned()];
        row.extend(at);
        row.push(latencies.count().to_string());
        Row::from(row)
    };
    let all = [
        ("latency", &tally.latency),
        ("from its start", &tally.service),
        ("sent late", &tally.late),
        ("connect", &tally.connect),
        ("TLS", &tally.tls),
    ];
    all.into_iter().filter(|(_, latencies)| latencies.count() > 0).map(row).collect()
}

fn changes(before: &Report, after: &Report) -> Vec<Row> {
    let row = |change: super::Change| {
        let number = |value: f64| match change.kind {
            super::Kind::Micros => format!("{:.3} ms", value / 1e3),
            super::Kind::Rate => format!("{value:.1}/s"),
            super::Kind::Count => format!("{value:.0}"),
        };
        let percent = change.percent().map_or_else(String::new, |percent| format!("{percent:+.1}"));
        let cells = vec![change.name.to_owned(), number(change.before), number(change.after), percent];
        Row { bad: change.is_worse(), cells }
    };
    compare(before, after).into_iter().map(row).collect()
}

fn settings(report: &Report) -> Vec<Row> {
    let settings = &report.settings;
    let asked = report.asked_rate.map_or_else(|| "none".to_owned(), |rate| format!("{rate:.1}/s"));
    let (opened, relay) = (report.tally.connections, report.tally.relay_state);
    let mut rows = vec![
        ("model", settings.model.clone()),
        ("plan", settings.plan.clone()),
        ("rate asked", asked),
        ("rate reached", format!("{:.1}/s", report.reached_rate)),
        ("connections", settings.connections.to_string()),
        (
            "opened",
            format!(
                "{}: {} full handshakes, {} sessions taken up",
                opened.opened, opened.full_handshakes, opened.resumed
            ),
        ),
        ("bytes", format!("{} sent, {} received", opened.sent_bytes, opened.received_bytes)),
        (
            "RelayState",
            format!("{} answers name theirs, {} none, {} of another request", relay.kept, relay.silent, relay.mixed),
        ),
        ("HTTP", settings.http.clone()),
        ("TLS", settings.tls.clone()),
        ("mix", settings.mix.clone()),
        ("users", settings.users.clone()),
        ("keys", settings.keys.join(", ")),
        ("signed ahead", settings.pool.to_string()),
        ("signing", format!("{:.0} µs each", settings.signing_micros)),
        ("seed", settings.seed.to_string()),
        ("shards", settings.shards.join(", ")),
    ];
    for (kind, count) in &report.tally.errors {
        let said = report.tally.error_texts.get(kind).map_or("", String::as_str);
        rows.push(("error", format!("{kind}: {count}. {said}")));
    }
    rows.into_iter().map(|(name, value)| Row::from(vec![name.to_owned(), value])).collect()
}

/// A row of a table.
struct Row {
    /// Whether something is wrong there.
    bad: bool,
    cells: Vec<String>,
}

impl From<Vec<String>> for Row {
    fn from(cells: Vec<String>) -> Self {
        Self { bad: false, cells }
    }
}

/// A table; a heading that begins with # is of numbers.
fn table(head: &[&str], rows: &[Row]) -> String {
    let class = |index: usize| match head.get(index) {
        Some(name) if name.starts_with('#') => " class=\"n\"",
        _ => "",
    };
    let cell = |tag: &str, (index, text): (usize, &str)| format!("<{tag}{}>{}</{tag}>", class(index), Escaped(text));
    let names = head.iter().map(|name| name.trim_start_matches('#')).enumerate();
    let mut out = format!("<table>\n<tr>{}</tr>\n", names.map(|name| cell("th", name)).collect::<String>());
    for row in rows {
        let class = if row.bad { " class=\"bad\"" } else { "" };
        let cells = row.cells.iter().map(String::as_str).enumerate().map(|text| cell("td", text));
        out.push_str(&format!("<tr{class}>{}</tr>\n", cells.collect::<String>()));
    }
    out + "</table>\n"
}

fn millis(micros: u64) -> String {
    format!("{:.3} ms", micros as f64 / 1e3)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_is_well_is_green() {
        let mut report = Report::default();
        let verdict = |report: &Report| page(report, None).contains("class=\"verdict good\"");
        assert!(!verdict(&report), "nobody answered");
        report.totals = Totals { sent: 40, as_expected: 40, ..Totals::default() };
        assert!(verdict(&report));
        let totals = Totals { as_expected: 39, ..report.totals };
        for totals in [
            Totals { wrong_codes: 1, ..totals },
            Totals { unclear: 1, ..totals },
            Totals { errors: 1, ..totals },
            Totals { false_rejects: 1, ..totals },
            Totals { false_accepts: 1, ..totals },
        ] {
            assert!(!verdict(&Report { totals, ..report.clone() }), "{totals:?}");
        }
        let mut mixed = report.clone();
        mixed.tally.relay_state.mixed = 1;
        assert!(!verdict(&mixed));
        report.thresholds.push(crate::load::Threshold::all(Vec::new())[0].hold(&report, None));
        assert!(verdict(&report));
        report.thresholds[0].failed = true;
        assert!(!verdict(&report));
    }

    /// A mix is one word of some hundreds of characters, which must not make the page wider than a window.
    #[test]
    fn long_words_are_broken() {
        assert!(HEAD.contains("p,td:last-child{overflow-wrap:anywhere}"));
        let mix = "sound=1,".repeat(99);
        let mut report = Report::default();
        report.settings.mix.clone_from(&mix);
        assert!(page(&report, None).contains(&format!("<td>{mix}</td></tr>")));
    }

    #[test]
    fn hostile_text_stays_text_and_nothing_comes_from_elsewhere() {
        const HOSTILE: &str = "<script>alert(1)</script>\"'&";
        let mut report = Report { target: HOSTILE.to_owned(), begun: HOSTILE.to_owned(), ..Report::default() };
        report.tally.errors.insert(HOSTILE.to_owned(), 1);
        report.tally.error_texts.insert(HOSTILE.to_owned(), HOSTILE.to_owned());
        report.limits.push(HOSTILE.to_owned());
        report.settings.plan = HOSTILE.to_owned();
        for micros in 1..2000 {
            report.tally.latency.record(Duration::from_micros(micros * 37));
        }
        let tally = report.tally.clone();
        (0..40).for_each(|second| report.timeline.add(second, &tally));
        let before = report.clone();
        let page = page(&report, Some(&before));
        assert!(!page.contains("<script") && !page.contains("\"'&") && page.contains("&lt;script&gt;"), "{page}");
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("url("), "{page}");
        assert_eq!((page.matches("<svg").count(), page.matches("<polyline").count()), (2, 5));
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
        // nothing was sent
        assert!(super::page(&Report::default(), None).ends_with("</html>\n"));
    }
}
