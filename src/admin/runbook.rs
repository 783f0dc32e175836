//! The pages that the links of alerts lead to: for each alert and each check what it means, and what to do.

use std::fmt::{self, Write as _};

use super::page;
use crate::html::Escaped;
use crate::runbook::{ALERTS, Alert, GUIDES, Guide, meaning};

/// Before each page's name.
pub(super) const PATH: &str = "/runbooks";

/// The page of that path below [`PATH`], or the list of all; none where there is no such alert and no such check.
pub(super) fn render(below: &str) -> Option<String> {
    let mut page = String::with_capacity(8 * 1024);
    // writing to a string does not fail
    let _ = match below {
        "" | "/" => list(&mut page),
        _ => {
            let name = below.strip_prefix('/')?;
            match ALERTS.iter().find(|alert| alert.name == name) {
                Some(told) => alert(&mut page, told),
                None => check(&mut page, GUIDES.iter().find(|guide| guide.id.as_str() == name)?),
            }
        }
    };
    Some(page)
}

fn list(page: &mut String) -> fmt::Result {
    page::head(page, "samlgate: what to do", None)?;
    page.write_str("<h1>What to do</h1>\n<h2>Alerts</h2>\n<table>")?;
    let row = |page: &mut String, name: &str, title: &str| {
        writeln!(page, "<tr><td><a href=\"{PATH}/{name}\">{name}</a><td>{}</tr>", Escaped(title))
    };
    for Alert { name, title, .. } in &ALERTS {
        row(page, name, title)?;
    }
    page.write_str("</table>\n<h2>Checks</h2>\n<table>")?;
    for Guide { id, title, .. } in &GUIDES {
        row(page, id.as_str(), title)?;
    }
    page.write_str("</table>\n</body></html>\n")
}

fn alert(page: &mut String, Alert { name, title, fires, means, steps }: &Alert) -> fmt::Result {
    top(page, name, title)?;
    write!(page, "<h2>Fires when</h2>\n<p>{}</p>\n<p>{}</p>\n", Escaped(fires), Escaped(means))?;
    end(page, "What to do", steps)
}

fn check(page: &mut String, guide: &Guide) -> fmt::Result {
    let Guide { id, title, checked, entra, class, evidence, codes, mend } = guide;
    top(page, id.as_str(), title)?;
    write!(page, "<h2>Checked</h2>\n<p>{}</p>\n<h2>Entra</h2>\n<p>{}</p>\n", Escaped(checked), Escaped(entra))?;
    for code in *codes {
        writeln!(page, "<p><code>{code}</code>: {}</p>", Escaped(meaning(*code)))?;
    }
    writeln!(page, "<p class=\"dim\">{}. Known from {}.</p>", Escaped(class.words()), Escaped(evidence))?;
    end(page, "To mend it", mend)
}

fn top(page: &mut String, name: &str, title: &str) -> fmt::Result {
    page::head(page, name, None)?;
    writeln!(page, "<p><a href=\"{PATH}\">all</a></p>\n<h1>{name}</h1>\n<p><b>{}</b></p>", Escaped(title))
}

fn end(page: &mut String, heading: &str, steps: &[&str]) -> fmt::Result {
    writeln!(page, "<h2>{heading}</h2>\n<ul>")?;
    for step in steps {
        writeln!(page, "<li>{}</li>", Escaped(step))?;
    }
    page.write_str("</ul>\n</body></html>\n")
}
