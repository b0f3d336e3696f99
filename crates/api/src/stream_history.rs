//! Streams that have closed: asked of whoever keeps them, which is not the node.

use std::pin::Pin;
use std::sync::Arc;

use odeum_types::{AppId, StreamId, UnixMillis};

/// When a stream came and went, if it is known.
type Times = Pin<Box<dyn Future<Output = Option<(UnixMillis, UnixMillis)>> + Send>>;

/// Knows when streams came and went that have closed.
#[derive(Clone)]
pub struct StreamHistory(Arc<dyn Fn(AppId, StreamId) -> Times + Send + Sync>);

impl StreamHistory {
    /// A history that `look_up` looks into.
    pub fn new<F>(look_up: impl Fn(AppId, StreamId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Option<(UnixMillis, UnixMillis)>> + Send + 'static,
    {
        Self(Arc::new(move |app, stream| Box::pin(look_up(app, stream))))
    }

    /// A history of nothing: a stream that has closed is unknown.
    pub fn none() -> Self {
        Self::new(|_, _| async { None })
    }

    pub(crate) async fn times(
        &self,
        app: AppId,
        stream: StreamId,
    ) -> Option<(UnixMillis, UnixMillis)> {
        (self.0)(app, stream).await
    }
}
