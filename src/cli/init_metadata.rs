//! The metadata that `samlgate init` is given: a file, or what is at a URL now.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::preflight_args::InitArguments;
use super::terminal::Trouble;
use crate::app;
use crate::config::Documents;
use crate::saml::metadata::IdpMetadata;
use crate::source::{Bounds, Failure, NotHad, Url};

/// The metadata that was given.
#[derive(Debug)]
pub(super) enum Given<'a> {
    /// None.
    Nothing,
    /// A file that holds metadata.
    File(&'a Path),
    /// A URL where there is metadata, as it was written.
    Url(&'a str),
}

/// Reads the metadata, or asks for it, so that nothing is written that cannot be used. What was had at a URL is the document.
pub(super) fn given(arguments: &InitArguments) -> Result<(Given<'_>, Documents), Trouble> {
    let mut documents = Documents::default();
    let Some(metadata) = &arguments.metadata else { return Ok((Given::Nothing, documents)) };
    let Some(written) = metadata.to_str().filter(|text| text.contains("://")) else {
        if arguments.metadata_ca.is_some() {
            return Err(Trouble::new("--metadata-ca is for a URL, and --metadata names a file"));
        }
        let refused = |error: &dyn std::fmt::Display| Trouble::new(format!("{}: {error}", metadata.display()));
        let bytes = read(metadata).map_err(|trouble| trouble.hint("a file, or a URL that begins with https://"))?;
        IdpMetadata::parse(&bytes).map_err(|error| refused(&error).hint(error.hint()))?;
        return Ok((Given::File(metadata), documents));
    };
    let url = Url::parse(written).map_err(|error| Trouble::new(format!("--metadata: {error}")))?;
    let roots = arguments.metadata_ca.as_deref().map(roots).transpose()?.unwrap_or_default();
    let had = app::metadata_at(&url, &roots, Bounds::default()).map_err(|error| Trouble::new(error.to_string()))?;
    let bytes = had.map_err(|error| not_had(written, &error))?;
    documents.insert(written.to_owned(), Ok(bytes));
    Ok((Given::Url(written), documents))
}

fn not_had(url: &str, error: &NotHad) -> Trouble {
    Trouble::new(format!("{url}: {error}")).hint(match error {
        NotHad::Failed(Failure::Tls(_)) => {
            "if a root of your own vouches for that server, give it by --metadata-ca; or save the metadata to a file and give that"
        }
        NotHad::Status(_) | NotHad::Unreadable(_) => {
            "open the URL in a browser that is not signed in: it must show the metadata and no page to log in at"
        }
        NotHad::Failed(_) => "save the metadata to a file and give that, where this machine does not reach the server",
    })
}

fn roots(file: &Path) -> Result<Vec<Vec<u8>>, Trouble> {
    let bytes = read(file)?;
    let all = CertificateDer::pem_slice_iter(&bytes).map(|root| root.map(|root| root.as_ref().to_vec()));
    let all = all.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string());
    let (got, hint) = match all {
        Ok(roots) if !roots.is_empty() => return Ok(roots),
        Ok(_) => ("none".to_owned(), "openssl x509 -inform DER makes PEM of a DER file"),
        Err(error) => (error, "it begins with -----BEGIN CERTIFICATE-----"),
    };
    Err(Trouble::new(format!("{}: expected certificates in PEM, got {got}", file.display())).hint(hint))
}

/// The bytes of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Trouble> {
    std::fs::read(file).map_err(|error| Trouble::new(format!("{} cannot be read: {error}", file.display())))
}
