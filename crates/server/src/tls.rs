//! The certificate: read from PEM files, put in place of the old one without dropping a connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::TlsConfig;

/// The certificate in force. New handshakes take what is there at that moment; connections that are
/// up keep theirs.
///
/// The lock is held to copy or set one `Arc`; rustls asks for the certificate from whatever thread
/// makes a handshake, so no task can own it.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// Where it was read from.
    files: TlsConfig,
    /// What handshakes use.
    current: RwLock<Arc<CertifiedKey>>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// A file cannot be read, or is not PEM of the right kind.
    #[error("cannot read {}: {error}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// The certificate file holds no certificate.
    #[error("{} holds no certificate", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The key is not one that TLS can use, or does not belong to the certificate.
    #[error("the key in {} cannot be used with the certificate: {error}", file.display())]
    Key {
        /// The key's file.
        file: PathBuf,
        /// What is wrong with it.
        error: rustls::Error,
    },
}

impl Certificate {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// [`CertificateError`], naming the file.
    pub(crate) fn load(files: &TlsConfig) -> Result<Arc<Self>, CertificateError> {
        let key = certified_key(&files.cert, &files.key)?;
        Ok(Arc::new(Self { files: files.clone(), current: RwLock::new(Arc::new(key)) }))
    }

    /// Reads both files again. On an error the old certificate stays.
    ///
    /// # Errors
    /// As [`Certificate::load`].
    pub(crate) fn reload(&self) -> Result<(), CertificateError> {
        let key = certified_key(&self.files.cert, &self.files.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
        Ok(())
    }

    /// The TLS settings that serve this certificate: TLS 1.2 and 1.3, HTTP/1.1.
    pub(crate) fn server_config(self: &Arc<Self>) -> Arc<ServerConfig> {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the provider has suites for TLS 1.2 and 1.3")
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn certified_key(cert: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let unreadable = |file: &Path| {
        let file = file.to_owned();
        move |error| CertificateError::Unreadable { file, error }
    };
    let chain = CertificateDer::pem_file_iter(cert)
        .map_err(unreadable(cert))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable(cert))?;
    if chain.is_empty() {
        return Err(CertificateError::Empty { file: cert.to_owned() });
    }
    let private_key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    CertifiedKey::from_der(chain, private_key, &aws_lc_rs::default_provider())
        .map_err(|error| CertificateError::Key { file: key.to_owned(), error })
}
