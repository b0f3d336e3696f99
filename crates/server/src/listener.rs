//! TCP in, HTTP/1.1 out: accepts connections, puts TLS over them where a certificate is configured,
//! and hands each request to the router.
//!
//! Limits: connections at once ([`Listener::connections_max`]; further ones wait in the kernel's
//! queue), [`HEADERS_WITHIN`] for a request's head, [`TLS_WITHIN`] for a handshake (ruling 2).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use tracing::{debug, warn};

use crate::source::Source;

/// A request's head must be complete this long after its first byte could come; else the connection
/// is closed.
pub(crate) const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A TLS handshake must be complete this long after the connection was made.
pub(crate) const TLS_WITHIN: Duration = Duration::from_secs(10);

/// How long to wait when the system has no descriptor left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The largest request head in bytes: a query of 16 KiB (ruling 2) and its headers.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A bound TCP socket and what is served on it.
pub(crate) struct Listener {
    /// The socket.
    pub(crate) socket: TcpListener,
    /// TLS, or none for plain HTTP.
    pub(crate) tls: Option<TlsAcceptor>,
    /// What answers.
    pub(crate) router: Router,
    /// Connections at once.
    pub(crate) connections_max: usize,
    /// Whom to believe about where a request comes from.
    pub(crate) source: Source,
}

impl Listener {
    /// Binds `address`.
    ///
    /// # Errors
    /// What the system says, for example that the port is in use.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind(address).await
    }

    /// Serves until `closing` turns true; then accepts no more, lets requests under way end, and
    /// returns when every connection has.
    pub(crate) async fn run(self, closing: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.connections_max));
        loop {
            let slot = tokio::select! {
                slot = Arc::clone(&slots).acquire_owned() => slot.expect("nobody closes the slots"),
                () = closed(closing.clone()) => break,
            };
            let (stream, remote) = tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
                () = closed(closing.clone()) => break,
            };
            let (router, source) = (self.router.clone(), self.source);
            let connection = Connection { router, remote, source, slot };
            tokio::spawn(connection.run(stream, self.tls.clone(), closing.clone()));
        }
        let all = u32::try_from(self.connections_max).unwrap_or(u32::MAX);
        // Every connection holds one slot: having them all means that none is left.
        drop(slots.acquire_many(all).await);
    }
}

/// Waits until `closing` is true; its sender gone means the same.
async fn closed(mut closing: watch::Receiver<bool>) {
    let told = closing.wait_for(|closing| *closing).await.is_ok();
    debug!(told, "closing");
}

/// One accepted connection.
struct Connection {
    /// What answers.
    router: Router,
    /// Who is on the other end.
    remote: SocketAddr,
    /// Whom to believe about that.
    source: Source,
    /// Its place among the connections at once; given back when it ends.
    slot: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(
        self,
        stream: TcpStream,
        tls: Option<TlsAcceptor>,
        closing: watch::Receiver<bool>,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "no TCP_NODELAY");
        }
        let Some(tls) = tls else {
            return self.serve(stream, closing).await;
        };
        match tokio::time::timeout(TLS_WITHIN, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve(stream, closing).await,
            Ok(Err(error)) => debug!(%error, "TLS handshake failed"),
            Err(_) => debug!("TLS handshake took too long"),
        }
    }

    async fn serve<S>(self, stream: S, closing: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { router, remote, source, slot } = self;
        let stream = Slotted { stream, _slot: slot };
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            let from = source.of(request.headers(), remote);
            request.extensions_mut().insert(ConnectInfo(from));
            let mut router = router.clone();
            async move {
                let response: Result<_, Infallible> = router.call(request).await;
                response
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = closed(closing) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            debug!(%error, "connection ended");
        }
    }
}

/// A stream with its place among the connections at once. The place goes with the stream into a
/// WebSocket, which outlives the HTTP connection that it was.
struct Slotted<S> {
    /// The connection's bytes.
    stream: S,
    /// Given back when the stream is dropped.
    _slot: OwnedSemaphorePermit,
}

impl<S: AsyncRead + Unpin> AsyncRead for Slotted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Slotted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
