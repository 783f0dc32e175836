//! The page for people: what is in force, what was counted, the last verdicts. No script, nothing from elsewhere.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use hyper::header::HeaderValue;
use jiff::Timestamp;

use super::{Shown, runbook};
use crate::html::Escaped;
use crate::observe::{Failing, KnownFederation, RecentVerdict, Setup};

const SECONDS_A_DAY: i64 = 86_400;
/// Days before its end from which a certificate is worth a look, as for the check `certificate`.
const SOON: i64 = 30;
/// Seconds after which the page is asked for again.
const AGAIN: u32 = 10;
/// Verdicts of the page; `/api/verdicts` has more.
const VERDICTS: usize = 50;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--dim:#888;--good:#1a7f37;--bad:#cf222e;--look:#9a6700}\
@media(prefers-color-scheme:dark){:root{--good:#57ab5a;--bad:#f47067;--look:#d4a72c}}\
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1.5rem}\
h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .4rem}p{margin:.3rem 0}\
table{border-collapse:collapse;width:100%}\
th{text-align:left;font-weight:600;color:var(--dim)}\
th,td{padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
code,.id{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}.number{text-align:right}.time{white-space:nowrap}td p{overflow-wrap:anywhere}\
.dim{color:var(--dim)}.good{color:var(--good)}.bad{color:var(--bad)}.look{color:var(--look)}b{font-weight:600}";

/// What a browser may do with the page: show it, with this style.
pub(super) fn policy() -> HeaderValue {
    static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
        let hash = base64_simd::STANDARD.encode_to_string(digest(&SHA256, STYLE.as_bytes()));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        HeaderValue::from_str(&policy).ok()
    });
    // without the hash the page is plain and no less safe
    POLICY.clone().unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

/// The page.
pub(super) fn render(shown: &Shown) -> String {
    let mut page = String::with_capacity(16 * 1024);
    // writing to a string does not fail
    let _ = write(&mut page, shown);
    page
}

/// Where a page begins; with the seconds after which it is asked for again.
pub(super) fn head(page: &mut String, title: &str, again: Option<u32>) -> fmt::Result {
    let again = again.map(|again| format!("<meta http-equiv=\"refresh\" content=\"{again}\">")).unwrap_or_default();
    writeln!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">{again}<style>{STYLE}</style></head><body>",
        Escaped(title)
    )
}

fn write(page: &mut String, shown: &Shown) -> fmt::Result {
    let (setup, now) = (shown.metrics.setup(), (shown.now)());
    head(page, "samlgate", Some(AGAIN))?;
    writeln!(page, "<h1>samlgate <span class=\"dim\">{}</span></h1>", env!("CARGO_PKG_VERSION"))?;
    state(page, shown, &setup)?;
    federations(page, shown, &setup, now)?;
    counts(page, shown)?;
    verdicts(page, &shown.recent.newest_first())?;
    page.write_str(
        "<p class=\"dim\">All numbers: <a href=\"/metrics\">/metrics</a>. More verdicts: \
         <a href=\"/api/verdicts\">/api/verdicts</a>. What checks and alerts mean: <a href=\"/runbooks\">/runbooks</a>. \
         Persons are shown as hashes.</p>\n</body></html>\n",
    )
}

fn state(page: &mut String, shown: &Shown, setup: &Setup) -> fmt::Result {
    if shown.metrics.is_ready() {
        page.write_str("<p><b class=\"good\">ready</b>")?;
    } else {
        write!(page, "<p><b class=\"bad\">not ready: {}</b>", Escaped(shown.metrics.not_ready()))?;
    }
    let forwards = match setup.mode {
        "enforce" => "only what is accepted is forwarded",
        _ => "everything is forwarded",
    };
    writeln!(
        page,
        " · mode <b>{}</b>: {forwards} · environment <b>{}</b> · configuration of {}</p>",
        Escaped(setup.mode),
        Escaped(&setup.environment),
        minute(setup.since)
    )?;
    if shown.metrics.is_stale() {
        page.write_str(
            "<p class=\"bad\">The file of the configuration is broken since then: the log says why, and the last good one is in \
             force.</p>\n",
        )?;
    }
    for Failing { domain, source, last, reason } in shown.metrics.failing_sources() {
        let last = last.map_or_else(|| "was never had".to_owned(), |last| format!("is of {}", minute(last)));
        let (domain, reason) = (Escaped(&domain), Escaped(&reason));
        writeln!(page, "<p class=\"bad\">The {source} of <b>{domain}</b> {last}: {reason}.</p>")?;
    }
    Ok(())
}

fn federations(page: &mut String, shown: &Shown, setup: &Setup, now: Timestamp) -> fmt::Result {
    page.write_str(
        "<h2>Federations</h2>\n<table><tr><th>domain<th>issuer<th>users<th>certificate<th>thumbprint<th>ends<th>last verified</tr>\n",
    )?;
    for federation in &setup.federations {
        let KnownFederation { domain, issuer, certificates, users, .. } = federation;
        let users = users.map_or_else(|| "none given".to_owned(), |users| users.to_string());
        let (rows, mut first) = (certificates.len().max(1), true);
        for certificate in certificates {
            page.write_str("<tr>")?;
            if std::mem::take(&mut first) {
                write!(
                    page,
                    "<td rowspan={rows}><b>{}</b><td rowspan={rows} class=\"id\">{}<td rowspan={rows}>{users}",
                    Escaped(domain),
                    Escaped(issuer)
                )?;
            }
            let days = certificate.not_after.as_second().saturating_sub(now.as_second()).div_euclid(SECONDS_A_DAY);
            let (class, left) = match days {
                ..0 => ("bad", "expired".to_owned()),
                0..SOON => ("look", format!("{days} days left")),
                _ => ("good", format!("{days} days left")),
            };
            let verified = shown.metrics.last_verified(domain, &certificate.thumbprint);
            let verified = verified.map_or_else(|| "not since the start".to_owned(), minute);
            writeln!(
                page,
                "<td>{} <span class=\"dim\">({})</span><td class=\"id\">{}<td>{} <b class=\"{class}\">{left}</b><td>{verified}</tr>",
                certificate.role.as_str(),
                certificate.source.as_str(),
                Escaped(&certificate.thumbprint),
                minute(certificate.not_after)
            )?;
        }
    }
    page.write_str("</table>\n")
}

fn counts(page: &mut String, shown: &Shown) -> fmt::Result {
    page.write_str(
        "<h2>Counted since the start</h2>\n<table><tr><th>responses for<th class=\"number\">accepted<th class=\"number\">rejected</tr>\n",
    )?;
    for (domain, accepted, rejected) in shown.metrics.verdicts() {
        let domain = Escaped(&domain);
        writeln!(page, "<tr><td>{domain}<td class=\"number\">{accepted}<td class=\"number\">{rejected}</tr>")?;
    }
    page.write_str("</table>\n<p class=\"dim\">")?;
    for (number, (words, sum)) in shown.metrics.sums().into_iter().enumerate() {
        let between = if number == 0 { "" } else { " · " };
        write!(page, "{between}{words}: <b>{sum}</b>")?;
    }
    page.write_str("</p>\n")
}

fn verdicts(page: &mut String, verdicts: &[RecentVerdict]) -> fmt::Result {
    page.write_str("<h2>Last verdicts</h2>\n")?;
    if verdicts.is_empty() {
        return page.write_str("<p>None yet: nothing was posted to an intercepted path.</p>\n");
    }
    page.write_str(
        "<table><tr><th>time<th>federation<th>verdict<th>predicted<th>answered<th>checks that fail or warn</tr>\n",
    )?;
    for verdict in verdicts.iter().take(VERDICTS) {
        let class = if verdict.verdict == "accepted" { "good" } else { "bad" };
        let answered = match verdict.agree {
            Some(false) => " class=\"look\"",
            _ => "",
        };
        write!(
            page,
            "<tr><td><span class=\"time\">{}Z</span><br><span class=\"id dim\">{}</span><td>{}<td><b class=\"{class}\">{}</b><td>{}<td{answered}>{}<td>",
            Escaped(verdict.time.get(..19).unwrap_or(&verdict.time)),
            Escaped(&verdict.request_id),
            Escaped(&verdict.federation),
            verdict.verdict,
            Escaped(verdict.predicted.as_deref().unwrap_or("none")),
            Escaped(verdict.actual.as_deref().unwrap_or("–")),
        )?;
        for check in &verdict.checks {
            let class = if check.outcome == "fail" { "bad" } else { "look" };
            write!(
                page,
                "<p><a class=\"{class}\" href=\"{}/{id}\"><b>{id}</b></a> {}",
                runbook::PATH,
                Escaped(check.finding.as_deref().unwrap_or_default()),
                id = check.id,
            )?;
            if let Some(hint) = &check.hint {
                write!(page, " <span class=\"dim\">hint: {}</span>", Escaped(hint))?;
            }
            page.write_str("</p>")?;
        }
        page.write_str("</tr>\n")?;
    }
    page.write_str("</table>\n")
}

/// An instant to the minute.
fn minute(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M").to_string() + " UTC"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_says_stays_text() {
        let text = Escaped("<script src='x'>\"&").to_string();
        assert_eq!(text, "&lt;script src=&#39;x&#39;&gt;&quot;&amp;");
        assert!(policy().to_str().is_ok_and(|policy| policy.starts_with("default-src 'none'; style-src 'sha256-")));
    }
}
