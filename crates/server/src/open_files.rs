//! The system's limit of open files: every connection takes one, so the process takes all that it
//! may have at the start, and says when that is less than the configuration promises.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::{info, warn};

/// Files beside those of public connections: listeners, media sockets, the operator's connections,
/// standard streams, and what the runtime needs.
const BESIDE_CONNECTIONS: u64 = 256;

/// Raises the soft limit to the hard one. A limit that stays below what `connections_max` needs is
/// no reason not to start: further connections wait in the kernel's queue, as they do beyond the
/// option.
pub(crate) fn raise(connections_max: usize) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let open_files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            warn!(%error, "the limit of open files could not be raised");
            limit.current
        }
    };
    info!(open_files = open_files.unwrap_or(u64::MAX), "limit of open files");
    let needed = needed(connections_max);
    if let Some(open_files) = open_files.filter(|open_files| *open_files < needed) {
        warn!(
            open_files,
            needed,
            connections_max,
            "fewer files may be open than limits.connections_max needs: raise the hard limit \
             (ulimit -Hn, LimitNOFILE=) or lower the option",
        );
    }
}

fn needed(connections_max: usize) -> u64 {
    u64::try_from(connections_max).unwrap_or(u64::MAX).saturating_add(BESIDE_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_needs_a_file_and_the_rest_some_more() {
        assert_eq!(needed(1_000), 1_000 + BESIDE_CONNECTIONS);
        assert_eq!(needed(usize::MAX), u64::MAX);
    }
}
