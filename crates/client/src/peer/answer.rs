//! What a client needs of an SDP answer: where the server is, how it proves itself, and what it
//! takes.

use std::net::{IpAddr, SocketAddr};

/// What an answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The server's ICE user fragment.
    pub(super) ufrag: String,
    /// The server's ICE password.
    pub(super) password: String,
    /// SHA-256 of the server's certificate.
    pub(super) fingerprint: [u8; 32],
    /// Where the server may be reached over UDP.
    pub(super) candidates: Vec<SocketAddr>,
    /// One per m-line of the offer.
    pub(super) media: Vec<AnsweredMedia>,
}

/// One m-line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AnsweredMedia {
    /// Whether the server takes it.
    pub(super) accepted: bool,
    /// Payload types that the server takes, first preferred.
    pub(super) payload_types: Vec<u8>,
    /// `(id, uri)` of the header extensions.
    pub(super) extensions: Vec<(u8, String)>,
}

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A line or attribute that has to be there is not.
    #[error("the answer has no {0}")]
    Missing(&'static str),
    /// A line cannot be read.
    #[error("the answer has a bad line: {0}")]
    BadLine(String),
    /// The server does not take the passive role in DTLS.
    #[error("the answer has a=setup:{0}, not passive")]
    Setup(String),
    /// The answer has another number of m-lines than the offer.
    #[error("the answer has {found} m-lines, the offer {expected}")]
    MediaCount {
        /// In the offer.
        expected: usize,
        /// In the answer.
        found: usize,
    },
}

impl Answer {
    /// Reads an answer to an offer with `media_count` m-lines.
    pub(super) fn parse(sdp: &str, media_count: usize) -> Result<Self, AnswerError> {
        let mut answer = Self::default();
        let mut fingerprint = None;
        let mut setup = None;
        for line in sdp.lines() {
            let bad_line = || AnswerError::BadLine(line.to_owned());
            if let Some(media) = line.strip_prefix("m=") {
                answer.media.push(AnsweredMedia::parse(media).ok_or_else(bad_line)?);
            } else if let Some(ufrag) = line.strip_prefix("a=ice-ufrag:") {
                answer.ufrag = ufrag.to_owned();
            } else if let Some(password) = line.strip_prefix("a=ice-pwd:") {
                answer.password = password.to_owned();
            } else if let Some(text) = line.strip_prefix("a=fingerprint:sha-256 ") {
                fingerprint = Some(parse_fingerprint(text).ok_or_else(bad_line)?);
            } else if let Some(text) = line.strip_prefix("a=setup:") {
                setup = Some(text.to_owned());
            } else if let Some(text) = line.strip_prefix("a=candidate:") {
                let candidate = parse_candidate(text).ok_or_else(bad_line)?;
                if let Some(address) = candidate
                    && !answer.candidates.contains(&address)
                {
                    answer.candidates.push(address);
                }
            } else if let (Some(text), Some(media)) =
                (line.strip_prefix("a=extmap:"), answer.media.last_mut())
            {
                let (id, uri) = parse_extension(text).ok_or_else(bad_line)?;
                media.extensions.push((id, uri.to_owned()));
            }
        }
        answer.fingerprint = fingerprint.ok_or(AnswerError::Missing("sha-256 fingerprint"))?;
        answer.check(setup, media_count)?;
        Ok(answer)
    }

    fn check(&self, setup: Option<String>, media_count: usize) -> Result<(), AnswerError> {
        if self.ufrag.is_empty() || self.password.is_empty() {
            return Err(AnswerError::Missing("ICE credentials"));
        }
        if self.candidates.is_empty() {
            return Err(AnswerError::Missing("UDP candidate"));
        }
        if self.media.len() != media_count {
            let found = self.media.len();
            return Err(AnswerError::MediaCount { expected: media_count, found });
        }
        match setup.as_deref() {
            Some("passive") => Ok(()),
            Some(other) => Err(AnswerError::Setup(other.to_owned())),
            None => Err(AnswerError::Missing("a=setup")),
        }
    }
}

impl AnsweredMedia {
    /// Reads what follows `m=`.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (_kind, port, _protocol) = (words.next()?, words.next()?, words.next()?);
        let payload_types = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
        Some(Self { accepted: port != "0", payload_types, extensions: Vec::new() })
    }

    /// The id of the extension with this URI.
    pub(super) fn extension(&self, uri: &str) -> Option<u8> {
        self.extensions.iter().find(|(_, own)| own == uri).map(|(id, _)| *id)
    }
}

/// The address of a UDP candidate; none for another transport, and for a name of a local network
/// (mDNS), which nobody here could look up.
fn parse_candidate(text: &str) -> Option<Option<SocketAddr>> {
    let mut words = text.split(' ').skip(1);
    let (component, transport) = (words.next()?, words.next()?);
    let (_priority, ip, port) = (words.next()?, words.next()?, words.next()?);
    if component != "1" || !transport.eq_ignore_ascii_case("udp") {
        return Some(None);
    }
    let port = port.parse().ok()?;
    if ip.ends_with(".local") {
        return Some(None);
    }
    Some(Some(SocketAddr::new(ip.parse::<IpAddr>().ok()?, port)))
}

fn parse_extension(text: &str) -> Option<(u8, &str)> {
    let (id, rest) = text.split_once(' ')?;
    let id = id.split('/').next()?.parse().ok()?;
    Some((id, rest.split(' ').next()?))
}

fn parse_fingerprint(text: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(change: impl Fn(&str) -> Option<String>) -> String {
        let fingerprint = vec!["AB"; 32].join(":");
        let text = format!(
            "v=0\na=ice-lite\nm=audio 7881 UDP/TLS/RTP/SAVPF 111\na=ice-ufrag:u\na=ice-pwd:p\n\
             a=fingerprint:sha-256 {fingerprint}\na=setup:passive\na=extmap:4 urn:mid\n\
             a=candidate:1 1 udp 2130706431 127.0.0.1 7881 typ host\n\
             a=candidate:2 1 tcp 1 127.0.0.1 7881 typ host\n\
             a=candidate:3 1 udp 1 5e1f.local 7881 typ host\nm=video 0 UDP/TLS/RTP/SAVPF 96\n"
        );
        text.lines().filter_map(change).collect::<Vec<_>>().join("\r\n")
    }

    #[test]
    fn an_answer_of_an_ice_lite_server_is_read() {
        let answer = Answer::parse(&sdp(|line| Some(line.to_owned())), 2).expect("a good answer");
        assert_eq!((answer.ufrag.as_str(), answer.password.as_str()), ("u", "p"));
        assert_eq!(answer.fingerprint, [0xAB; 32]);
        assert_eq!(answer.candidates, ["127.0.0.1:7881".parse().expect("an address")]);
        assert_eq!(answer.media[0].extension("urn:mid"), Some(4));
        assert_eq!((answer.media[0].accepted, answer.media[1].accepted), (true, false));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (prefix, missing) in [
            ("a=fingerprint", "sha-256 fingerprint"),
            ("a=ice-pwd", "ICE credentials"),
            ("a=candidate", "UDP candidate"),
            ("a=setup", "a=setup"),
        ] {
            let text = sdp(|line| (!line.starts_with(prefix)).then(|| line.to_owned()));
            assert_eq!(Answer::parse(&text, 2), Err(AnswerError::Missing(missing)));
        }
    }

    #[test]
    fn a_server_that_wants_to_be_the_dtls_client_is_refused() {
        let text = sdp(|line| Some(line.replace("passive", "active")));
        assert_eq!(Answer::parse(&text, 2), Err(AnswerError::Setup("active".into())));
    }
}
