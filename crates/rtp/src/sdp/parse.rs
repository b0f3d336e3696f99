//! Text to [`Description`]: line by line, every list bounded, every error with its line.

use std::net::{IpAddr, SocketAddr};

use odeum_types::Redacted;

use self::format::{extmap, fmtp, rtcp_fb, rtpmap};
use super::attribute::{
    Direction, Fingerprint, IceCredentials, MediaKind, Msid, PacketTimes, PayloadFormat, Setup,
    is_ice_text,
};
use super::description::{Description, IceMode, Media};
use super::{FORMATS_MAX, ITEMS_MAX, LINES_MAX, MEDIA_MAX, RID_BYTES_MAX, SIZE_MAX};

mod format;

/// Why a text is not a description that can be used. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`SIZE_MAX`].
    #[error("the description has {size} bytes, more than {SIZE_MAX}")]
    TooLong {
        /// Its size in bytes.
        size: usize,
    },
    /// A list is longer than its limit.
    #[error("line {line}: more than {max} {what}")]
    TooMany {
        /// Where the limit was passed.
        line: usize,
        /// What the list holds.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The line is not `x=text`, has control characters, or is out of place.
    #[error("line {line}: not an SDP line")]
    Line {
        /// Where.
        line: usize,
    },
    /// A line or attribute that must be understood is malformed.
    #[error("line {line}: malformed {name}")]
    Malformed {
        /// Where.
        line: usize,
        /// Which.
        name: &'static str,
    },
    /// Fingerprints are there, but none by SHA-256.
    #[error("line {line}: fingerprint algorithm is not sha-256")]
    FingerprintAlgorithm {
        /// Where the last of them is.
        line: usize,
    },
}

/// What the session level says for all m-lines that do not say it themselves.
#[derive(Default)]
struct SessionDefaults {
    ufrag: Option<String>,
    password: Option<String>,
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
    direction: Option<Direction>,
}

/// One line, split at its equals sign.
struct Line<'a> {
    number: usize,
    kind: u8,
    value: &'a str,
}

impl Line<'_> {
    fn malformed(&self, name: &'static str) -> SdpError {
        SdpError::Malformed { line: self.number, name }
    }

    fn push<T>(&self, list: &mut Vec<T>, item: T, what: &'static str) -> Result<(), SdpError> {
        if list.len() == ITEMS_MAX {
            return Err(SdpError::TooMany { line: self.number, what, max: ITEMS_MAX });
        }
        list.push(item);
        Ok(())
    }
}

fn lines(text: &str) -> impl Iterator<Item = Result<Line<'_>, SdpError>> {
    text.split('\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.strip_suffix('\r').unwrap_or(line)))
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            if number > LINES_MAX {
                return Err(SdpError::TooMany { line: number, what: "lines", max: LINES_MAX });
            }
            let bad = line.chars().any(|character| character.is_control() && character != '\t');
            match line.as_bytes() {
                [kind @ b'a'..=b'z', b'=', ..] if !bad => {
                    Ok(Line { number, kind: *kind, value: &line[2..] })
                }
                _ => Err(SdpError::Line { line: number }),
            }
        })
}

impl Description {
    /// Reads an offer or answer. Unknown attributes are skipped.
    ///
    /// # Errors
    /// All of [`SdpError`].
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > SIZE_MAX {
            return Err(SdpError::TooLong { size: text.len() });
        }
        let mut parser = Parser {
            description: Self {
                session_id: 0,
                session_version: 0,
                ice_mode: IceMode::Full,
                extmap_allow_mixed: false,
                bundle: Vec::new(),
                media: Vec::new(),
            },
            session: SessionDefaults::default(),
            media: SessionDefaults::default(),
            other_fingerprint: None,
        };
        let mut lines = lines(text);
        match lines.next().transpose()? {
            Some(Line { kind: b'v', value: "0", .. }) => {}
            _ => return Err(SdpError::Malformed { line: 1, name: "v=0" }),
        }
        for line in lines {
            parser.line(&line?)?;
        }
        parser.finish()
    }
}

/// The description so far.
struct Parser {
    /// What is read.
    description: Description,
    /// Session-level values.
    session: SessionDefaults,
    /// Those of the current m-line.
    media: SessionDefaults,
    /// The line of a fingerprint that is not SHA-256.
    other_fingerprint: Option<usize>,
}

impl Parser {
    fn line(&mut self, line: &Line<'_>) -> Result<(), SdpError> {
        match line.kind {
            b'o' => self.origin(line),
            b'm' => {
                self.finish_media();
                self.begin_media(line)
            }
            b'a' => {
                let (name, value) = line.value.split_once(':').unwrap_or((line.value, ""));
                let common = self.common_attribute(line, name, value)?;
                match (common, self.description.media.is_empty()) {
                    (true, _) => Ok(()),
                    (false, true) => self.session_attribute(line, name, value),
                    (false, false) => self.media_attribute(line, name, value),
                }
            }
            b'v' => Err(SdpError::Line { line: line.number }),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Description, SdpError> {
        self.finish_media();
        let has_fingerprint =
            self.description.media.iter().any(|media| media.fingerprint.is_some());
        match self.other_fingerprint {
            Some(line) if !has_fingerprint => Err(SdpError::FingerprintAlgorithm { line }),
            _ => Ok(self.description),
        }
    }

    fn origin(&mut self, line: &Line<'_>) -> Result<(), SdpError> {
        let mut words = line.value.split_ascii_whitespace().skip(1);
        let mut number = || words.next().and_then(|word| word.parse().ok());
        self.description.session_id = number().ok_or(line.malformed("origin"))?;
        self.description.session_version = number().ok_or(line.malformed("origin"))?;
        Ok(())
    }

    fn begin_media(&mut self, line: &Line<'_>) -> Result<(), SdpError> {
        if self.description.media.len() == MEDIA_MAX {
            let what = "m-lines";
            return Err(SdpError::TooMany { line: line.number, what, max: MEDIA_MAX });
        }
        let mut words = line.value.splitn(4, ' ');
        let mut word = || words.next().filter(|word| !word.is_empty());
        let (Some(kind), Some(port), Some(protocol), Some(list)) = (word(), word(), word(), word())
        else {
            return Err(line.malformed("m-line"));
        };
        let port = port.parse().map_err(|_| line.malformed("m-line"))?;
        let mut media = Media::new(MediaKind::parse(kind), port, protocol, list);
        if media.is_rtp() {
            for word in list.split_ascii_whitespace() {
                let payload_type: Option<u8> = word.parse().ok().filter(|number| *number < 128);
                let payload_type = payload_type.ok_or(line.malformed("payload type"))?;
                if media.format(payload_type).is_some() {
                    return Err(line.malformed("payload type"));
                }
                media.formats.push(PayloadFormat::new(payload_type, "", 0));
            }
            debug_assert!(media.formats.len() <= FORMATS_MAX, "each payload type is there once");
        }
        self.description.media.push(media);
        Ok(())
    }

    /// Gives the current m-line what belongs to it and what the session level has for all.
    fn finish_media(&mut self) {
        let own = std::mem::take(&mut self.media);
        let Some(media) = self.description.media.last_mut() else {
            self.session = own;
            return;
        };
        let session = &self.session;
        let ufrag = own.ufrag.or_else(|| session.ufrag.clone());
        let password = own.password.or_else(|| session.password.clone());
        media.ice = ufrag
            .zip(password)
            .map(|(ufrag, password)| IceCredentials { ufrag, password: Redacted::new(password) });
        media.fingerprint = own.fingerprint.or(session.fingerprint);
        media.setup = own.setup.or(session.setup);
        media.direction = own.direction.or(session.direction).unwrap_or(Direction::SendReceive);
    }

    /// Attributes of either level; true when it was one.
    fn common_attribute(
        &mut self,
        line: &Line<'_>,
        name: &str,
        value: &str,
    ) -> Result<bool, SdpError> {
        let level = &mut self.media;
        match name {
            "ice-ufrag" => {
                let text = Some(value).filter(|text| is_ice_text(text, 4..=256));
                level.ufrag = Some(text.ok_or(line.malformed("ice-ufrag"))?.to_owned());
            }
            "ice-pwd" => {
                let text = Some(value).filter(|text| is_ice_text(text, 22..=256));
                level.password = Some(text.ok_or(line.malformed("ice-pwd"))?.to_owned());
            }
            "fingerprint" => {
                let (algorithm, digest) =
                    value.split_once(' ').ok_or(line.malformed("fingerprint"))?;
                if algorithm.eq_ignore_ascii_case("sha-256") {
                    let fingerprint = Fingerprint::parse(digest.trim());
                    level.fingerprint = Some(fingerprint.ok_or(line.malformed("fingerprint"))?);
                } else {
                    self.other_fingerprint = Some(line.number);
                }
            }
            "setup" => {
                level.setup = Some(Setup::parse(value).ok_or(line.malformed("setup"))?);
            }
            _ => match Direction::parse(name) {
                Some(direction) => level.direction = Some(direction),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn session_attribute(
        &mut self,
        line: &Line<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), SdpError> {
        match name {
            "ice-lite" => self.description.ice_mode = IceMode::Lite,
            "extmap-allow-mixed" => self.description.extmap_allow_mixed = true,
            "group" => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some("BUNDLE") && self.description.bundle.is_empty() {
                    for mid in words {
                        line.push(&mut self.description.bundle, mid.to_owned(), "bundled mids")?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn media_attribute(
        &mut self,
        line: &Line<'_>,
        name: &str,
        value: &str,
    ) -> Result<(), SdpError> {
        let Some(media) = self.description.media.last_mut() else { return Ok(()) };
        match name {
            "mid" => {
                let is_token =
                    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
                let mid = Some(value).filter(|_| is_token);
                media.mid = mid.ok_or(line.malformed("mid"))?.to_owned();
            }
            "bundle-only" => media.bundle_only = true,
            "rtcp-mux" => media.rtcp_mux = true,
            "rtcp-rsize" => media.rtcp_rsize = true,
            "extmap-allow-mixed" => self.description.extmap_allow_mixed = true,
            "rtpmap" => rtpmap(media, value).ok_or(line.malformed("rtpmap"))?,
            "fmtp" => fmtp(media, value).ok_or(line.malformed("fmtp"))?,
            "rtcp-fb" => rtcp_fb(media, value).ok_or(line.malformed("rtcp-fb"))?,
            "ptime" => media.packet_times.usual_ms = PacketTimes::parse(value),
            "maxptime" => media.packet_times.most_ms = PacketTimes::parse(value),
            "extmap" => extmap(media, value).ok_or(line.malformed("extmap"))?,
            "msid" => {
                let (stream, track) = value.split_once(' ').unwrap_or((value, ""));
                let (stream, track) = (stream.to_owned(), track.trim().to_owned());
                media.msid.get_or_insert(Msid { stream, track });
            }
            "ssrc" => ssrc(media, line, value)?,
            "ssrc-group" => {
                let mut words = value.split_ascii_whitespace();
                if words.next() == Some("FID") {
                    let mut number = || words.next().and_then(|word| word.parse().ok());
                    let group = number().zip(number()).ok_or(line.malformed("ssrc-group"))?;
                    line.push(&mut media.retransmission_groups, group, "source groups")?;
                }
            }
            "rid" => {
                let mut words = value.split_ascii_whitespace();
                let rid = words.next().filter(|rid| is_rid(rid)).ok_or(line.malformed("rid"))?;
                let list = match words.next() {
                    Some("send") => &mut media.send_rids,
                    Some("recv") => &mut media.receive_rids,
                    _ => return Err(line.malformed("rid")),
                };
                if !list.iter().any(|other| other == rid) {
                    line.push(list, rid.to_owned(), "rids")?;
                }
            }
            "simulcast" => media.simulcast = true,
            "candidate" => {
                if let Some(address) = candidate(value) {
                    line.push(&mut media.candidates, address, "candidates")?;
                }
            }
            "end-of-candidates" => media.end_of_candidates = true,
            _ => {}
        }
        Ok(())
    }
}

/// RFC 8852 §3.1: letters and digits; `-` and `_` are taken as RFC 8851 first had them. Longer ones
/// than fit a one-byte header extension are refused.
fn is_rid(text: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=RID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_known)
}

fn ssrc(media: &mut Media, line: &Line<'_>, value: &str) -> Result<(), SdpError> {
    let (source, attribute) = value.split_once(' ').unwrap_or((value, ""));
    let source: u32 = source.parse().map_err(|_| line.malformed("ssrc"))?;
    if !media.sources.contains(&source) {
        line.push(&mut media.sources, source, "sources")?;
    }
    if let Some(cname) = attribute.strip_prefix("cname:") {
        media.cname.get_or_insert_with(|| cname.to_owned());
    }
    Ok(())
}

/// The address of a UDP candidate for component 1; None for the others and for mDNS names.
fn candidate(value: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = value.split_ascii_whitespace().take(8).collect();
    let [_, "1", protocol, _, ip, port, "typ", _] = words[..] else { return None };
    let ip: IpAddr = ip.parse().ok()?;
    let port = port.parse().ok()?;
    protocol.eq_ignore_ascii_case("udp").then_some(SocketAddr::new(ip, port))
}
