//! Log lines: one format, one filter, for the whole process.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::LogFormat;

/// The environment variable that chooses levels, for example `info` or `odeum_api=debug`.
const FILTER: &str = "ODEUM_LOG";

/// Starts logging to standard error; spans put app, room, user, stream and request id on each line.
///
/// # Errors
/// A filter that cannot be read, or a second call.
pub(crate) fn start(format: LogFormat) -> anyhow::Result<()> {
    let text = std::env::var(FILTER).unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&text)
        .map_err(|error| anyhow::anyhow!("{FILTER}={text} cannot be read: {error}"))?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging could not start: {error}"))
}
