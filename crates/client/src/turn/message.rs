//! STUN messages as TURN uses them (RFC 8489, RFC 8656), as far as a client needs them.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Type, length, cookie and transaction.
pub(super) const HEADER_BYTES: usize = 20;
/// MESSAGE-INTEGRITY and its header.
const INTEGRITY_BYTES: usize = 24;
const INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnMethod {
    /// An allocation.
    Allocate = 0x003,
    /// More or less time for it.
    Refresh = 0x004,
    /// That a peer may send.
    CreatePermission = 0x008,
    /// A channel to a peer.
    ChannelBind = 0x009,
}

/// What a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnAttribute {
    /// USERNAME.
    Username = 0x0006,
    /// CHANNEL-NUMBER.
    Channel = 0x000C,
    /// LIFETIME.
    Lifetime = 0x000D,
    /// XOR-PEER-ADDRESS.
    Peer = 0x0012,
    /// REALM.
    Realm = 0x0014,
    /// NONCE.
    Nonce = 0x0015,
    /// REQUESTED-ADDRESS-FAMILY.
    Family = 0x0017,
    /// EVEN-PORT, which not every relay knows.
    EvenPort = 0x0018,
    /// REQUESTED-TRANSPORT.
    Transport = 0x0019,
}

/// An answer of the relay.
pub(super) struct Answer(Vec<u8>);

impl Answer {
    /// `bytes`, if they answer `request`.
    pub(super) fn to(request: &[u8], bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() >= HEADER_BYTES && bytes[8..20] == request[8..20]).then_some(Self(bytes))
    }

    /// With which code it refuses; 0 for none.
    pub(super) fn code(&self) -> u16 {
        let code = self.find_number(ERROR_CODE).and_then(|value| value.get(2..4));
        code.map_or(0, |code| u16::from(code[0]) * 100 + u16::from(code[1]))
    }

    /// An attribute's value.
    pub(super) fn find(&self, kind: TurnAttribute) -> Option<&[u8]> {
        self.find_number(kind as u16)
    }

    fn find_number(&self, kind: u16) -> Option<&[u8]> {
        let mut rest = self.0.get(HEADER_BYTES..)?;
        loop {
            let (head, after) = rest.split_first_chunk::<4>()?;
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = after.get(..length)?;
            if u16::from_be_bytes([head[0], head[1]]) == kind {
                return Some(value);
            }
            rest = after.get(length.next_multiple_of(4)..)?;
        }
    }
}

/// A request, sealed with `key` if there is one.
pub(super) fn write(
    method: TurnMethod,
    attributes: &[(TurnAttribute, &[u8])],
    key: Option<&[u8]>,
) -> Vec<u8> {
    let mut bytes = (method as u16).to_be_bytes().to_vec();
    bytes.extend([0, 0]);
    bytes.extend(MAGIC_COOKIE.to_be_bytes());
    bytes.extend(rand::random::<[u8; 12]>());
    attributes.iter().for_each(|(kind, value)| add(&mut bytes, *kind as u16, value));
    if let Some(key) = key {
        // The length counts the tag, which is made over it (RFC 8489 §14.5).
        set_length(&mut bytes, INTEGRITY_BYTES);
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
        let tag = hmac::sign(&key, &bytes);
        add(&mut bytes, INTEGRITY, tag.as_ref());
    }
    set_length(&mut bytes, 0);
    bytes
}

/// XOR-PEER-ADDRESS (RFC 8489 §14.2). An IPv6 address is not hidden by the transaction as it should
/// be: the relay takes it for another one.
pub(super) fn address_value(address: SocketAddr) -> Vec<u8> {
    let family = if address.is_ipv4() { 1 } else { 2 };
    let mut value = vec![0, family];
    value.extend((address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => value.extend((u32::from(ip) ^ MAGIC_COOKIE).to_be_bytes()),
        IpAddr::V6(ip) => value.extend(ip.octets()),
    }
    value
}

fn set_length(bytes: &mut [u8], more: usize) {
    let length = (bytes.len() + more - HEADER_BYTES) as u16;
    bytes[2..4].copy_from_slice(&length.to_be_bytes());
}

fn add(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}
