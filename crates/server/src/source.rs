//! Where a request comes from: the socket's other end, or what the proxy in front says of it.
//! Failed logins and failed authentications are counted by it (rulings 4 and 25), so behind a proxy
//! it must not be the proxy, or one stranger would shut everybody out.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The header to which every proxy appends whom it serves.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Whom to believe about a request's source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The socket.
    Socket,
    /// The proxy in front (`behind_proxy = true`): the last address of its last `X-Forwarded-For`,
    /// which is the one that it appended itself; all before that is the client's own word.
    Proxy,
}

impl Source {
    /// The address that the request of `headers` counts under; `remote` is the socket's other end.
    pub(crate) fn of(self, headers: &HeaderMap, remote: SocketAddr) -> SocketAddr {
        match self {
            Self::Socket => remote,
            Self::Proxy => forwarded(headers).unwrap_or(remote),
        }
    }
}

fn forwarded(headers: &HeaderMap) -> Option<SocketAddr> {
    let last = headers.get_all(FORWARDED_FOR).iter().next_back()?.to_str().ok()?;
    let text = last.rsplit(',').next()?.trim();
    let address = text.parse::<IpAddr>().ok().map(|address| SocketAddr::new(address, 0));
    address.or_else(|| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: &str = "127.0.0.1:5000";

    #[track_caller]
    fn check(source: Source, headers: &[&str], expected: &str) {
        let mut map = HeaderMap::new();
        for text in headers {
            map.append(FORWARDED_FOR, text.parse().expect("a header"));
        }
        let remote = REMOTE.parse().expect("an address");
        assert_eq!(source.of(&map, remote).to_string(), expected, "{headers:?}");
    }

    #[test]
    fn without_a_proxy_the_header_is_a_strangers_word() {
        check(Source::Socket, &["203.0.113.9"], REMOTE);
    }

    #[test]
    fn behind_a_proxy_its_own_last_address_counts() {
        check(Source::Proxy, &["203.0.113.9"], "203.0.113.9:0");
        check(Source::Proxy, &["10.0.0.1, 203.0.113.9"], "203.0.113.9:0");
        check(Source::Proxy, &["10.0.0.1", "198.51.100.2,203.0.113.9"], "203.0.113.9:0");
        check(Source::Proxy, &["2001:db8::1"], "[2001:db8::1]:0");
        check(Source::Proxy, &["203.0.113.9:4711"], "203.0.113.9:4711");
    }

    #[test]
    fn a_header_that_cannot_be_read_leaves_the_proxys_address() {
        for headers in [&[][..], &["unknown"], &["203.0.113.9,"], &["203.0.113.9, ?"]] {
            check(Source::Proxy, headers, REMOTE);
        }
    }
}
