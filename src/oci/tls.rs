//! Whom to trust and who one is, beside what the system says, in encrypted connections.

use reqwest::{Certificate, ClientBuilder, Identity};
use std::path::{Path, PathBuf};

/// Settings of encrypted connections.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    authorities: Vec<Certificate>,
    identity: Option<Identity>,
    insecure: bool,
}

/// A file of certificates or of a key that cannot be used.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("`{path}` {problem}")]
#[diagnostic(code("wharf::oci::tls"))]
pub struct TlsError {
    path: String,
    problem: String,
}

impl Tls {
    /// Reads the files: certificates of authorities that count alone, and a certificate with its key
    /// to show to servers. With `insecure` servers need no certificate that is trusted.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn read(
        authorities: Option<&Path>,
        identity: Option<(&Path, &Path)>,
        insecure: bool,
    ) -> Result<Tls, TlsError> {
        let wrong =
            |path: &Path, problem: String| TlsError { path: path.display().to_string(), problem };
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| wrong(path, format!("cannot be read: {error}")))
        };
        // fails only when it was done before
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut tls = Tls { insecure, ..Tls::default() };
        if let Some(path) = authorities {
            let found = Certificate::from_pem_bundle(&read(path)?).unwrap_or_default();
            if found.is_empty() {
                return Err(wrong(path, "holds no certificates in PEM".to_owned()));
            }
            tls.authorities = found;
        }
        let mut last = authorities.map(PathBuf::from).unwrap_or_default();
        if let Some((certificate, key)) = identity {
            let mut pem = read(certificate)?;
            pem.push(b'\n');
            pem.extend(read(key)?);
            let identity = Identity::from_pem(&pem).map_err(|_| {
                wrong(key, "is no key in PEM, or its certificate is none".to_owned())
            })?;
            tls.identity = Some(identity);
            key.clone_into(&mut last);
        }
        match tls.apply(reqwest::Client::builder()).build() {
            Ok(_) => Ok(tls),
            Err(_) => Err(wrong(&last, "cannot be used".to_owned())),
        }
    }

    /// A builder of clients with these settings.
    pub fn apply(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if !self.authorities.is_empty() {
            builder = builder.tls_certs_only(self.authorities.iter().cloned());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        if self.insecure {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        let said = |path: &Path| {
            let error = Tls::read(Some(path), None, false).expect_err("it is no certificate");
            let code = miette::Diagnostic::code(&error).map(|code| code.to_string());
            assert_eq!(code.as_deref(), Some("wharf::oci::tls"));
            error.to_string()
        };
        assert!(said(&path).contains("cannot be read"));
        std::fs::write(&path, "text").expect("a file");
        assert!(said(&path).ends_with("holds no certificates in PEM"));
        let error = Tls::read(None, Some((&path, &path)), false).expect_err("no key");
        assert!(error.to_string().contains("is no key in PEM"), "{error}");
        assert!(Tls::read(None, None, true).is_ok());
    }
}
