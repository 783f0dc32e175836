//! `samlgate ca`: a test CA, written where nothing is yet.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Ending;
use super::args::CaArguments;
use super::escape;
use super::new_file::{self, Readers};
use super::terminal::{self, Terminal, Tone, Trouble};
use crate::dsig::Certificate;
use crate::proxy::Authority;

/// Makes the CA and says what to do with it.
pub(super) fn run(arguments: &CaArguments, terminal: &Terminal) -> Result<Ending, Trouble> {
    let (certificate_file, key_file) = (arguments.out.join("ca.pem"), arguments.out.join("ca.key"));
    for file in [&certificate_file, &key_file] {
        if fs::symlink_metadata(file).is_ok() {
            let hint =
                "move it away first, or choose another folder with --out: whoever trusts it would trust it no longer";
            return Err(Trouble::new(format!("{} is there already", file.display())).hint(hint));
        }
    }
    let cannot = |error: &dyn std::fmt::Display| Trouble::new(format!("the CA cannot be made: {error}"));
    let created =
        Authority::create(&arguments.host, Timestamp::now(), arguments.days).map_err(|error| cannot(&error))?;
    make(&arguments.out)?;
    // the key first: a certificate without its key would be trusted for nothing
    new_file::write(&key_file, created.key.as_bytes(), Readers::Owner)?;
    if let Err(trouble) = new_file::write(&certificate_file, created.certificate.as_bytes(), Readers::Everybody) {
        // a key that nothing goes with is of no use to anybody
        let _ = fs::remove_file(&key_file);
        return Err(trouble);
    }
    let der = CertificateDer::from_pem_slice(created.certificate.as_bytes()).map_err(|error| cannot(&error))?;
    let certificate = Certificate::from_der(&der).map_err(|error| cannot(&error))?;
    let name = |file: &Path| terminal.paint.paint(Tone::Strong, &escape::line(&file.display().to_string()));
    let out = format!(
        "{}  the certificate, until {}: let the browsers of your tests trust it, and nobody else's\n        \
         SHA-1 {}\n        SHA-256 {}\n\
         {}  its key, readable by you alone: whoever gets it can impersonate these hosts towards those browsers\n\
         hosts   {}\n\n\
         [tls]\nca_certificate = \"ca.pem\"\nca_key = \"ca.key\"\n\n{}",
        name(&certificate_file),
        certificate.not_after,
        certificate.thumbprint(),
        certificate.thumbprint_sha256(),
        name(&key_file),
        escape::line(&arguments.host.join(", ")),
        trusting(&escape::line(&certificate_file.display().to_string()), &certificate.thumbprint()),
    );
    terminal::print_all(&out)?;
    Ok(Ending::Well)
}

/// Makes the folder, if it is not there: its key is nobody else's.
fn make(folder: &Path) -> Result<(), Trouble> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| Trouble::new(format!("{} cannot be made: {error}", folder.display())))
}

/// How browsers and systems come to trust the certificate, and cease to.
fn trusting(file: &str, thumbprint: &str) -> String {
    let name = format!("samlgate-test-{}", thumbprint.get(..8).unwrap_or(thumbprint).to_ascii_lowercase());
    format!(
        "To trust it, and no longer:\n\n\
         Chromium, Chrome, Edge on Linux\n  \
           certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n {name} -i {file}\n  \
           certutil -d sql:$HOME/.pki/nssdb -D -n {name}\n\
         Firefox\n  \
           Settings, Privacy & Security, View Certificates, Authorities: Import…, for websites alone\n  \
           the same place: Delete or Distrust…\n\
         Windows, for this user\n  \
           certutil -user -addstore Root {file}\n  \
           certutil -user -delstore Root {thumbprint}\n\
         macOS, for this user\n  \
           security add-trusted-cert -r trustRoot -p ssl -k ~/Library/Keychains/login.keychain-db {file}\n  \
           security delete-certificate -t -Z {thumbprint} ~/Library/Keychains/login.keychain-db\n\
         Debian, for the whole system\n  \
           sudo cp {file} /usr/local/share/ca-certificates/{name}.crt && sudo update-ca-certificates\n  \
           sudo rm /usr/local/share/ca-certificates/{name}.crt && sudo update-ca-certificates --fresh\n\
         curl\n  \
           --cacert {file}\n\n\
         When the tests are over, destroy the key: nobody needs it afterwards.\n"
    )
}
