//! Every fixture as what the verifier sees of it: the decoded XML, the tenant and the clock.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use samlgate::config::Config;
use samlgate::inspect::{Judge, Posted, decode};

/// The part of a `case.toml` that says what is judged, and against what.
#[derive(serde::Deserialize)]
struct Case {
    input: String,
    #[serde(default)]
    format: Option<String>,
    /// RFC 3339.
    now: String,
    tenant: String,
}

/// One fixture.
pub(super) struct Sample {
    /// Kind and folder, as `attacks/xsw_1`.
    pub(super) name: String,
    /// The decoded message.
    pub(super) xml: Vec<u8>,
    pub(super) now: Timestamp,
    pub(super) judge: Arc<Judge>,
}

/// All fixtures whose message can be decoded to XML; recordings of browsers are left to the command line's tests.
pub(super) fn samples() -> Vec<Sample> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut judges: BTreeMap<String, Arc<Judge>> = BTreeMap::new();
    let mut samples = Vec::new();
    for kind in ["responses", "attacks", "unusual"] {
        let mut folders: Vec<_> =
            fs::read_dir(fixtures.join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        for folder in folders {
            let case: Case = toml::from_str(&fs::read_to_string(folder.join("case.toml")).unwrap()).unwrap();
            let judge = judges.entry(case.tenant).or_insert_with_key(|tenant| {
                let file = fixtures.join("tenants").join(tenant).with_extension("toml");
                Arc::new(Config::load(&file).map_err(|error| error.to_string()).unwrap().judge)
            });
            let bytes = fs::read(folder.join(&case.input)).unwrap();
            let posted = match (case.format.as_deref(), Path::new(&case.input).extension().and_then(|end| end.to_str()))
            {
                (Some("form"), _) | (_, Some("txt" | "form")) => Posted::Form(&bytes),
                (Some("base64"), _) | (_, Some("b64")) => Posted::Base64(&bytes),
                (_, Some("xml")) => Posted::Xml(&bytes),
                _ => continue,
            };
            if let Some(xml) = decode(posted, &judge.limits).xml {
                let name = format!("{kind}/{}", folder.file_name().unwrap().to_string_lossy());
                samples.push(Sample { name, xml, now: case.now.parse().unwrap(), judge: Arc::clone(judge) });
            }
        }
    }
    samples
}
