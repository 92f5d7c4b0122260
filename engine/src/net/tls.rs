//! Which certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};

const EXTRA_CA: &str = "extra_ca";

/// The client's TLS settings: the system's roots, and those in the PEM file `extra_ca`. Without any root no
/// certificate is trusted, which is an error if one `is_needed`.
///
/// # Errors
/// A sentence that names the file or says that no root was found.
pub fn client_config(extra_ca: Option<&Path>, is_needed: bool) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if let Some(path) = extra_ca {
        let mut added = read_certificates(EXTRA_CA, path)?.into_iter().map(|certificate| roots.add(certificate));
        added.try_for_each(|added| added.map_err(|error| wrong(EXTRA_CA, path, &error.to_string())))?;
    }
    if roots.is_empty() && is_needed {
        let why = system.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(format!(
            "no trusted root certificate was found ({why}): install the system's (package ca-certificates) or set extra_ca"
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The certificates that [`client_config`] trusts, for clients with settings of their own.
///
/// # Errors
/// A sentence that names the file.
pub fn certificates(extra_ca: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let mut certificates = rustls_native_certs::load_native_certs().certs;
    certificates.extend(extra_ca.map_or(Ok(Vec::new()), |path| read_certificates(EXTRA_CA, path))?);
    Ok(certificates)
}

/// The certificates in the PEM file that `key` of the configuration names: at least one.
///
/// # Errors
/// A sentence that names the key and the file.
pub fn read_certificates(key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    let certificates: Vec<_> =
        read.map_err(|error: pem::Error| wrong(key, path, &format!("{error}: name a PEM file with certificates")))?;
    match certificates.is_empty() {
        true => Err(wrong(key, path, "the file holds no certificate: give one in PEM form")),
        false => Ok(certificates),
    }
}

/// Sees whether the PEM file that `key` of the configuration names has the private key of the first of these
/// certificates.
///
/// # Errors
/// A sentence that names the key and the file.
pub fn check_private_key(key: &str, path: &Path, chain: Vec<CertificateDer<'static>>) -> Result<(), String> {
    let private = match PrivateKeyDer::from_pem_file(path) {
        Ok(private) => private,
        Err(pem::Error::NoItemsFound) => {
            return Err(wrong(key, path, "the file holds no private key: give one in PEM form, not encrypted"));
        }
        Err(error) => return Err(wrong(key, path, &error.to_string())),
    };
    // Other errors are about kinds of keys that OpenSSL may know.
    match CertifiedKey::from_der(chain, private, &rustls::crypto::ring::default_provider()) {
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(wrong(key, path, "the key is not the certificate's: give the one that it was made with"))
        }
        _ => Ok(()),
    }
}

fn wrong(key: &str, path: &Path, what: &str) -> String {
    format!("{key} = {:?}: {what}", path.display())
}
