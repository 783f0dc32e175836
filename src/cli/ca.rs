//! `samlgate ca`: a test CA, written where nothing is yet.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::Ending;
use super::args::CaArguments;
use super::escape;
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
    // the key first: a certificate without its key would be trusted for nothing
    write_new(&key_file, created.key.as_bytes(), 0o600)?;
    if let Err(trouble) = write_new(&certificate_file, created.certificate.as_bytes(), 0o644) {
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
         [tls]\nca_certificate = \"ca.pem\"\nca_key = \"ca.key\"\n",
        name(&certificate_file),
        certificate.not_after,
        certificate.thumbprint(),
        certificate.thumbprint_sha256(),
        name(&key_file),
        escape::line(&arguments.host.join(", ")),
    );
    terminal::print_all(&out)?;
    Ok(Ending::Well)
}

/// Writes a file that is not there yet, with these permissions from its first moment.
fn write_new(file: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(file).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|error: io::Error| Trouble::new(format!("{} cannot be written: {error}", file.display())))
}
