//! Who fails to log in too often: 20 a second for one source address (ruling 25).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::rate::RateBucket;

/// Source addresses that are counted at once. Beyond it, those that may log in again anyway are
/// forgotten, then all.
const SOURCES_MAX: usize = 10_000;

/// Counts failed logins per source address, over every door that takes tokens. Clones are handles
/// of the same count.
///
/// A lock shared by all connections: it is taken once for a login, for a hash-map operation; a
/// message to an owner would cost more than it.
#[derive(Debug, Clone)]
pub struct FailedLogins {
    /// Sources that failed lately.
    sources: Arc<Mutex<HashMap<IpAddr, RateBucket>>>,
    /// Failures allowed per second and source.
    per_second: u32,
}

impl FailedLogins {
    /// Nobody has failed yet.
    pub fn new(per_second: u32) -> Self {
        Self { sources: Arc::default(), per_second }
    }

    /// Notes a failure of `source`.
    pub fn failed(&self, now: Instant, source: IpAddr) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() >= SOURCES_MAX {
            sources.retain(|_, bucket| !bucket.is_full(now));
            if sources.len() >= SOURCES_MAX {
                sources.clear();
            }
        }
        let bucket = sources
            .entry(network(source))
            .or_insert_with(|| RateBucket::new(now, self.per_second, self.per_second));
        bucket.try_take(now);
    }

    /// Whether `source` may try to log in.
    pub fn may_try(&self, now: Instant, source: IpAddr) -> bool {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.get_mut(&network(source)).is_none_or(|bucket| bucket.has_one(now))
    }
}

/// One customer's network: an IPv4 address, or the /64 of an IPv6 one.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_21st_failure_of_a_second_shuts_its_source_out_and_nobody_else() {
        let now = Instant::now();
        let failed = FailedLogins::new(20);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        for _ in 0..20 {
            assert!(failed.may_try(now, one));
            failed.failed(now, one);
        }
        assert!(!failed.may_try(now, one));
        assert!(failed.may_try(now, other));
        assert!(
            failed.may_try(now + Duration::from_millis(50), one),
            "one more after a 20th second"
        );
    }

    #[test]
    fn an_ipv6_source_is_its_network_and_a_mapped_one_is_its_ipv4_address() {
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(network(parse("2001:db8::1")), network(parse("2001:db8::ffff:2")));
        assert_ne!(network(parse("2001:db8:0:1::1")), network(parse("2001:db8::1")));
        assert_eq!(network(parse("::ffff:10.0.0.1")), parse("10.0.0.1"));
    }

    #[test]
    fn memory_is_bounded_by_the_number_of_sources() {
        let now = Instant::now();
        let failed = FailedLogins::new(20);
        for number in 0..(SOURCES_MAX as u32 + 10) {
            failed.failed(now, IpAddr::from(number.to_be_bytes()));
        }
        assert!(failed.sources.lock().expect("no panic held it").len() <= SOURCES_MAX);
    }
}
