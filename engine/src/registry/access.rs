//! Who asks the registry, and which roots it is trusted by.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use ureq::tls::{Certificate, RootCerts};

use super::RegistryError;
use crate::net::tls;
use crate::secret::Secret;

/// How a registry is asked, besides by its URL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Access {
    /// Who asks, by basic authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<Login>,
    /// A PEM file with roots to trust besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// A user of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

impl Access {
    /// The header `Authorization`, if somebody asks.
    pub(super) fn authorization(&self) -> Option<Secret> {
        let Login { username, password } = self.login.as_ref()?;
        let encoded = BASE64_STANDARD.encode(format!("{username}:{}", password.reveal()));
        Some(Secret::new(format!("Basic {encoded}")))
    }

    /// The roots that this machine trusts, so that a registry with a company's certificate is reached like any other,
    /// and its own; the web's common ones when there are none.
    pub(super) fn roots(&self) -> Result<RootCerts, RegistryError> {
        let mut found = rustls_native_certs::load_native_certs().certs;
        if let Some(path) = &self.ca {
            let own = tls::read_certificates("kafka.registry_ca", path);
            found.extend(own.map_err(|reason| RegistryError::BadCa { reason })?);
        }
        if found.is_empty() {
            return Ok(RootCerts::WebPki);
        }
        let owned = |der: &[u8]| Certificate::from_der(der).to_owned();
        Ok(RootCerts::from(found.iter().map(|root| owned(root))))
    }
}
