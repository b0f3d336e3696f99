//! STUN messages as TURN uses them (RFC 8489, RFC 8656): read, and written with long-term
//! integrity. ICE has its own, smaller, in `rtp`: there each message has another key.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aws_lc_rs::hmac;

/// The fixed word of every message (RFC 8489 §5).
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Type, length, cookie and transaction id.
pub(crate) const HEADER_BYTES: usize = 20;
/// Attribute header and HMAC-SHA1.
const INTEGRITY_BYTES: usize = 24;
/// Attribute types below are to be understood or refused.
const OPTIONAL_FROM: u16 = 0x8000;

/// Attribute types (RFC 8489 §18.3, RFC 8656 §18).
pub(crate) mod attribute {
    pub(crate) const USERNAME: u16 = 0x0006;
    pub(crate) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(crate) const ERROR_CODE: u16 = 0x0009;
    pub(crate) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(crate) const CHANNEL_NUMBER: u16 = 0x000C;
    pub(crate) const LIFETIME: u16 = 0x000D;
    pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub(crate) const DATA: u16 = 0x0013;
    pub(crate) const REALM: u16 = 0x0014;
    pub(crate) const NONCE: u16 = 0x0015;
    pub(crate) const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub(crate) const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub(crate) const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub(crate) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// All that are understood, in requests.
    pub(crate) const KNOWN: [u16; 13] = [
        USERNAME,
        MESSAGE_INTEGRITY,
        CHANNEL_NUMBER,
        LIFETIME,
        XOR_PEER_ADDRESS,
        DATA,
        REALM,
        NONCE,
        REQUESTED_ADDRESS_FAMILY,
        REQUESTED_TRANSPORT,
        XOR_MAPPED_ADDRESS,
        // Of ICE, which some clients put into requests to TURN servers as well.
        0x0024,
        0x0025,
    ];
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Binding,
    Allocate,
    Refresh,
    Send,
    Data,
    CreatePermission,
    ChannelBind,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// A message that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    /// All of it.
    bytes: &'a [u8],
    pub(crate) class: Class,
    pub(crate) method: Method,
    pub(crate) transaction: [u8; 12],
    /// Where MESSAGE-INTEGRITY begins; what follows it is not covered and not read.
    integrity_at: Option<usize>,
}

impl Method {
    const ALL: [(Self, u16); 7] = [
        (Self::Binding, 0x001),
        (Self::Allocate, 0x003),
        (Self::Refresh, 0x004),
        (Self::Send, 0x006),
        (Self::Data, 0x007),
        (Self::CreatePermission, 0x008),
        (Self::ChannelBind, 0x009),
    ];

    fn number(self) -> u16 {
        let known = Self::ALL.iter().find(|(method, _)| *method == self);
        known.map(|(_, number)| *number).expect("the table has every method")
    }
}

impl<'a> Message<'a> {
    /// Reads exactly one message; none when it is not one, or of a method that nobody here knows.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER_BYTES)?;
        let kind = u16_at(header, 0)?;
        let length = usize::from(u16_at(header, 2)?);
        let is_message = kind & 0xC000 == 0
            && header[4..8] == MAGIC_COOKIE.to_be_bytes()
            && length.is_multiple_of(4)
            && HEADER_BYTES + length == bytes.len();
        if !is_message {
            return None;
        }
        // RFC 8489 §5: the class is spread over bits 4 and 8, the method over the others.
        let number = kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2;
        let method = Method::ALL.iter().find(|(_, known)| *known == number)?.0;
        let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Error,
        };
        let transaction = header[8..20].try_into().ok()?;
        let mut message = Self { bytes, class, method, transaction, integrity_at: None };
        let mut at = HEADER_BYTES;
        while at < bytes.len() {
            let (kind, value) = attribute_at(bytes, at)?;
            if kind == attribute::MESSAGE_INTEGRITY {
                message.integrity_at = Some(at).filter(|_| value.len() == INTEGRITY_BYTES - 4);
                break;
            }
            at += 4 + value.len().next_multiple_of(4);
        }
        Some(message)
    }

    /// The first attribute of this type.
    pub(crate) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(other, _)| *other == kind).map(|(_, value)| value)
    }

    /// The attribute as text.
    pub(crate) fn text(&self, kind: u16) -> Option<&'a str> {
        std::str::from_utf8(self.get(kind)?).ok()
    }

    /// Every XOR-PEER-ADDRESS.
    pub(crate) fn peers(&self) -> impl Iterator<Item = Option<SocketAddr>> {
        let peers = self.attributes().filter(|(kind, _)| *kind == attribute::XOR_PEER_ADDRESS);
        peers.map(|(_, value)| read_xor_address(value, &self.transaction))
    }

    /// Types that have to be understood and are not, at most eight.
    pub(crate) fn unknown(&self) -> Vec<u16> {
        let kinds = self.attributes().map(|(kind, _)| kind);
        kinds
            .filter(|kind| *kind < OPTIONAL_FROM && !attribute::KNOWN.contains(kind))
            .take(8)
            .collect()
    }

    /// Whether MESSAGE-INTEGRITY is there at all.
    pub(crate) fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// Whether MESSAGE-INTEGRITY was made with this key; in constant time.
    pub(crate) fn is_made_with(&self, key: &[u8]) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let mut covered = self.bytes[..at].to_vec();
        let length = (at + INTEGRITY_BYTES - HEADER_BYTES) as u16;
        covered[2..4].copy_from_slice(&length.to_be_bytes());
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        hmac::verify(&key, &covered, &self.bytes[at + 4..at + INTEGRITY_BYTES]).is_ok()
    }

    /// Those before MESSAGE-INTEGRITY: what follows is not covered by it.
    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let end = self.integrity_at.unwrap_or(self.bytes.len());
        let (bytes, mut at) = (&self.bytes[..end], HEADER_BYTES);
        std::iter::from_fn(move || {
            let (kind, value) = attribute_at(bytes, at)?;
            at += 4 + value.len().next_multiple_of(4);
            Some((kind, value))
        })
    }
}

/// A message under construction.
pub(crate) struct Writer {
    bytes: Vec<u8>,
    transaction: [u8; 12],
}

impl Writer {
    pub(crate) fn new(class: Class, method: Method, transaction: [u8; 12]) -> Self {
        let number = method.number();
        let spread = number & 0x000F | (number & 0x0070) << 1 | (number & 0x0F80) << 2;
        let class = match class {
            Class::Request => 0x0000,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let mut bytes = Vec::with_capacity(160);
        bytes.extend_from_slice(&(spread | class).to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        bytes.extend_from_slice(&transaction);
        Self { bytes, transaction }
    }

    /// Adds an attribute, at most 64 KiB with all others.
    pub(crate) fn add(mut self, kind: u16, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    pub(crate) fn add_address(self, kind: u16, address: SocketAddr) -> Self {
        let value = xor_address(address, &self.transaction);
        self.add(kind, &value)
    }

    /// The message; with a key, with integrity.
    pub(crate) fn finish(mut self, key: Option<&[u8]>) -> Vec<u8> {
        let size = self.bytes.len() + key.map_or(0, |_| INTEGRITY_BYTES);
        let length = ((size - HEADER_BYTES) as u16).to_be_bytes();
        self.bytes[2..4].copy_from_slice(&length);
        let Some(key) = key else { return self.bytes };
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let tag = hmac::sign(&key, &self.bytes);
        self.add(attribute::MESSAGE_INTEGRITY, tag.as_ref()).bytes
    }
}

fn attribute_at(bytes: &[u8], at: usize) -> Option<(u16, &[u8])> {
    let kind = u16_at(bytes, at)?;
    let length = usize::from(u16_at(bytes, at + 2)?);
    Some((kind, bytes.get(at + 4..at + 4 + length)?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Family, and port and address XORed with cookie and transaction id (RFC 8489 §14.2).
fn xor_address(address: SocketAddr, transaction: &[u8; 12]) -> Vec<u8> {
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let mut value = vec![0, if address.is_ipv4() { 1 } else { 2 }];
    value.extend_from_slice(&port.to_be_bytes());
    let mask = MAGIC_COOKIE.to_be_bytes().into_iter().chain(*transaction);
    match address.ip() {
        IpAddr::V4(ip) => value.extend(ip.octets().into_iter().zip(mask).map(|(a, b)| a ^ b)),
        IpAddr::V6(ip) => value.extend(ip.octets().into_iter().zip(mask).map(|(a, b)| a ^ b)),
    }
    value
}

fn read_xor_address(value: &[u8], transaction: &[u8; 12]) -> Option<SocketAddr> {
    let port = u16_at(value, 2)? ^ (MAGIC_COOKIE >> 16) as u16;
    let mask = MAGIC_COOKIE.to_be_bytes().into_iter().chain(*transaction);
    let plain: Vec<u8> = value.get(4..)?.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    let ip: IpAddr = match (value[1], value.len()) {
        (1, 8) => Ipv4Addr::from(<[u8; 4]>::try_from(plain).ok()?).into(),
        (2, 20) => Ipv6Addr::from(<[u8; 16]>::try_from(plain).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for address in ["203.0.113.9:7", "[2001:db8::1]:65535"] {
            let address: SocketAddr = address.parse().unwrap();
            let bytes = Writer::new(Class::Request, Method::ChannelBind, [7; 12])
                .add(attribute::USERNAME, b"ann")
                .add_address(attribute::XOR_PEER_ADDRESS, address)
                .add(0x7777, &[1])
                .finish(Some(b"key"));
            let message = Message::parse(&bytes).unwrap();
            assert_eq!((message.class, message.method), (Class::Request, Method::ChannelBind));
            assert_eq!(message.text(attribute::USERNAME), Some("ann"));
            assert_eq!(message.peers().collect::<Vec<_>>(), [Some(address)]);
            assert_eq!(message.unknown(), [0x7777]);
            assert!(message.is_made_with(b"key") && !message.is_made_with(b"kex"));
        }
    }

    #[test]
    fn every_broken_message_is_refused_or_read_and_nothing_panics() {
        let bytes = Writer::new(Class::Request, Method::Allocate, [7; 12])
            .add(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
            .finish(Some(b"key"));
        for end in 0..bytes.len() {
            assert!(Message::parse(&bytes[..end]).is_none());
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0xFF;
            if let Some(message) = Message::parse(&broken) {
                assert!(!message.is_made_with(b"key"), "byte {at}");
                assert!(message.unknown().len() <= 8 && message.peers().count() <= 8);
            }
        }
    }
}
