//! Opening the WebSocket, plain or over TLS.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Bytes with which a socket reads: many clients share a process.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// Where to connect and whom to trust.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// `ws://` or `wss://`, with the path `/signal`.
    pub url: String,
    /// Whom to trust with `wss`.
    pub tls: Tls,
}

/// Whom a `wss` connection trusts.
#[derive(Debug, Clone)]
pub enum Tls {
    /// Certificates issued by one of these (DER).
    Roots(Vec<CertificateDer<'static>>),
    /// Anybody; for tests only.
    AcceptAny,
}

/// Why no WebSocket was opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is not `ws://host[:port]/path` or `wss://…`.
    #[error("{0} is not a WebSocket URL")]
    Url(String),
    /// The network, or the TLS handshake.
    #[error("cannot connect")]
    Io(#[from] std::io::Error),
    /// A root certificate cannot be read.
    #[error("bad root certificate")]
    Root(#[from] rustls::Error),
    /// The server did not open a WebSocket.
    #[error("no WebSocket")]
    WebSocket(#[from] Box<tungstenite::Error>),
}

/// A byte stream, plain or TLS.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl ByteStream for TcpStream {}
impl ByteStream for tokio_rustls::client::TlsStream<TcpStream> {}

/// An open WebSocket.
pub(super) type Socket = WebSocketStream<Box<dyn ByteStream>>;

impl ConnectOptions {
    /// `url`, trusting nobody over TLS until told otherwise.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), tls: Tls::Roots(Vec::new()) }
    }
}

/// Opens a WebSocket.
pub(super) async fn connect(options: &ConnectOptions) -> Result<Socket, ConnectError> {
    let bad_url = || ConnectError::Url(options.url.clone());
    let uri: Uri = options.url.parse().map_err(|_| bad_url())?;
    let host = uri.host().ok_or_else(bad_url)?.trim_matches(['[', ']']).to_owned();
    let secure = match uri.scheme_str() {
        Some("ws") => false,
        Some("wss") => true,
        Some(_) | None => return Err(bad_url()),
    };
    let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = open_stream(&host, port, secure.then_some(&options.tls)).await?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    let (socket, _response) =
        tokio_tungstenite::client_async_with_config(&options.url, stream, Some(config))
            .await
            .map_err(Box::new)?;
    Ok(socket)
}

/// Opens a stream to `host`, over TLS if it says whom to trust; for HTTP and TURN.
///
/// # Errors
/// [`ConnectError::Url`] for a host that has no name of TLS, and what network and handshake say.
pub async fn open_stream(
    host: &str,
    port: u16,
    tls: Option<&Tls>,
) -> Result<Box<dyn ByteStream>, ConnectError> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Box::new(tcp)) };
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| ConnectError::Url(host.to_owned()))?;
    Ok(Box::new(TlsConnector::from(tls_config(tls)?).connect(name, tcp).await?))
}

fn tls_config(tls: &Tls) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = match tls {
        Tls::Roots(certificates) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate.clone())?;
            }
            builder.with_root_certificates(roots)
        }
        Tls::AcceptAny => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        }
    };
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Takes any certificate; its signature over the handshake is still checked.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
