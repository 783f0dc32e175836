//! Findings as JUnit XML: what build servers show. A federation is a suite, a finding a failed case, and no finding a passed one.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::doctor::Examined;
use super::escape::lines;
use crate::doctor::Diagnosis;
use crate::verdict::{Show, Text};

/// The document.
pub(super) fn render(examined: &[Examined<'_>], show: Show) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let failures: usize = examined.iter().map(|examined| examined.found.len()).sum();
    let tests: usize = examined.iter().map(|examined| examined.found.len().max(1)).sum();
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", "samlgate doctor"),
            ("tests", &*tests.to_string()),
            ("failures", &*failures.to_string()),
        ])
        .write_inner_content(|writer| examined.iter().try_for_each(|examined| suite(writer, examined, show)))?;
    let mut xml = writer.into_inner();
    xml.push(b'\n');
    Ok(xml)
}

fn suite(writer: &mut Writer<Vec<u8>>, examined: &Examined<'_>, show: Show) -> io::Result<()> {
    let name = lines(examined.federation.name());
    let (failures, tests) = (examined.found.len().to_string(), examined.found.len().max(1).to_string());
    writer
        .create_element("testsuite")
        .with_attributes([("name", &*name), ("tests", &*tests), ("failures", &*failures)])
        .write_inner_content(|writer| {
            if examined.found.is_empty() {
                writer
                    .create_element("testcase")
                    .with_attributes([("classname", &*name), ("name", "all well")])
                    .write_empty()?;
            }
            examined.found.iter().try_for_each(|diagnosis| case(writer, &name, diagnosis, show))
        })?;
    Ok(())
}

fn case(writer: &mut Writer<Vec<u8>>, federation: &str, diagnosis: &Diagnosis, show: Show) -> io::Result<()> {
    let Diagnosis { id, harm, finding, code, entra, provider, mend } = diagnosis;
    let message = lines(&finding.to_string_for(show));
    let told = |name: &str, text: &Option<Text>| {
        text.as_ref().map(|text| format!("{name}: {}\n", lines(&text.to_string_for(show)))).unwrap_or_default()
    };
    let code = code.map(|code| format!("code: {code}\n")).unwrap_or_default();
    let body = format!(
        "{code}{}{}mend: {}\n",
        told("Entra", entra),
        told("provider", provider),
        lines(&mend.to_string_for(show))
    );
    writer.create_element("testcase").with_attributes([("classname", federation), ("name", id)]).write_inner_content(
        |writer| {
            writer
                .create_element("failure")
                .with_attributes([("type", harm.as_str()), ("message", &*message)])
                .write_text_content(BytesText::new(&body))?;
            Ok(())
        },
    )?;
    Ok(())
}
