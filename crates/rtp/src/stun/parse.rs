//! A received Binding message as a view.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::integrity::{self, IntegrityKey};
use super::{
    Class, ErrorCode, FINGERPRINT_SIZE, HEADER_SIZE, INTEGRITY_SIZE, IceRole, MAGIC_COOKIE,
    Nomination, TransactionId, attribute,
};
use crate::bytes::{u16_at, u32_at, u64_at};

/// How many unknown comprehension-required types are remembered for the 420 answer; more are
/// counted as present but not listed.
const UNKNOWN_MAX: usize = 8;

/// A Binding message, its attributes read and its fingerprint (when there is one) checked. Its
/// integrity is not checked before [`Message::verify`] says so.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// The whole message.
    bytes: &'a [u8],
    /// Request, indication, success or error.
    pub class: Class,
    /// Pairs response and request.
    pub transaction: TransactionId,
    /// USERNAME: in ICE `<receiver's ufrag>:<sender's ufrag>`.
    pub username: Option<&'a str>,
    /// PRIORITY of the candidate that the check would make.
    pub priority: Option<u32>,
    /// USE-CANDIDATE.
    pub nomination: Nomination,
    /// ICE-CONTROLLING or ICE-CONTROLLED.
    pub role: Option<IceRole>,
    /// XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS of an old server.
    pub mapped_address: Option<SocketAddr>,
    /// ERROR-CODE.
    pub error_code: Option<ErrorCode>,
    /// Comprehension-required types that are not understood: answer 420 with them.
    pub unknown: UnknownAttributes,
    /// Where MESSAGE-INTEGRITY begins.
    integrity_at: Option<usize>,
    /// Whether a (correct) FINGERPRINT was there.
    has_fingerprint: bool,
}

/// The comprehension-required attribute types of a message that nobody here knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UnknownAttributes {
    /// The first types, in order.
    types: [u16; UNKNOWN_MAX],
    /// How many of `types` count.
    count: usize,
}

impl UnknownAttributes {
    /// The types, at most eight.
    pub fn as_slice(&self) -> &[u16] {
        &self.types[..self.count]
    }

    fn push(&mut self, kind: u16) {
        if self.count < UNKNOWN_MAX {
            self.types[self.count] = kind;
            self.count += 1;
        }
    }
}

/// Why bytes are not a Binding message, or may not be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StunError {
    /// Shorter than a header, or not as long as the header says.
    #[error("the message is truncated or its length is wrong")]
    Length,
    /// The magic cookie is missing, or the first two bits are not zero.
    #[error("not a STUN message")]
    NotStun,
    /// Another method than Binding.
    #[error("method {method:#05x} is not Binding")]
    Method {
        /// The method.
        method: u16,
    },
    /// An attribute's length or content is wrong.
    #[error("attribute {kind:#06x} is malformed")]
    Attribute {
        /// The attribute's type.
        kind: u16,
    },
    /// FINGERPRINT is there and wrong, or is not the last attribute.
    #[error("the fingerprint is wrong")]
    Fingerprint,
    /// There is no MESSAGE-INTEGRITY.
    #[error("the message has no integrity")]
    NoIntegrity,
    /// MESSAGE-INTEGRITY was made with another password.
    #[error("the integrity is wrong")]
    Integrity,
}

impl<'a> Message<'a> {
    /// Reads `bytes`, exactly one message.
    ///
    /// # Errors
    /// All of [`StunError`] but `NoIntegrity` and `Integrity`.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        let (class, transaction) = parse_header(bytes)?;
        let mut message = Self {
            bytes,
            class,
            transaction,
            username: None,
            priority: None,
            nomination: Nomination::None,
            role: None,
            mapped_address: None,
            error_code: None,
            unknown: UnknownAttributes::default(),
            integrity_at: None,
            has_fingerprint: false,
        };
        let mut at = HEADER_SIZE;
        while at < bytes.len() {
            let kind = u16_at(bytes, at).ok_or(StunError::Length)?;
            let length = usize::from(u16_at(bytes, at + 2).ok_or(StunError::Length)?);
            let value = bytes.get(at + 4..at + 4 + length).ok_or(StunError::Attribute { kind })?;
            message.attribute(kind, value, at)?;
            at += 4 + length.next_multiple_of(4);
        }
        Ok(message)
    }

    /// Checks MESSAGE-INTEGRITY against `key` in constant time.
    ///
    /// # Errors
    /// [`StunError::NoIntegrity`] or [`StunError::Integrity`].
    pub fn verify(&self, key: &IntegrityKey) -> Result<(), StunError> {
        let at = self.integrity_at.ok_or(StunError::NoIntegrity)?;
        let length = (at + INTEGRITY_SIZE - HEADER_SIZE) as u16;
        let given = &self.bytes[at + 4..at + INTEGRITY_SIZE];
        match key.verify(&self.bytes[..at], length, given) {
            true => Ok(()),
            false => Err(StunError::Integrity),
        }
    }

    /// Whether MESSAGE-INTEGRITY is there at all; without it a request gets 400.
    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// Whether FINGERPRINT was there, and thus correct.
    pub fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// The two halves of an ICE username: the receiver's fragment, then the sender's.
    pub fn ufrags(&self) -> Option<(&'a str, &'a str)> {
        self.username?.split_once(':')
    }

    /// Takes in one attribute. What follows MESSAGE-INTEGRITY is not covered by it and is ignored,
    /// but for FINGERPRINT (RFC 8489 §14.5). Of repeated attributes the first counts (§14).
    fn attribute(&mut self, kind: u16, value: &'a [u8], at: usize) -> Result<(), StunError> {
        let malformed = StunError::Attribute { kind };
        if kind == attribute::FINGERPRINT {
            let given = u32_at(value, 0).filter(|_| value.len() == 4).ok_or(malformed)?;
            let is_last = at + FINGERPRINT_SIZE == self.bytes.len();
            if !is_last || given != integrity::fingerprint(&self.bytes[..at]) {
                return Err(StunError::Fingerprint);
            }
            self.has_fingerprint = true;
            return Ok(());
        }
        if self.integrity_at.is_some() {
            return Ok(());
        }
        match kind {
            attribute::MESSAGE_INTEGRITY => {
                if value.len() != INTEGRITY_SIZE - 4 {
                    return Err(malformed);
                }
                self.integrity_at = Some(at);
            }
            attribute::USERNAME => {
                let text = std::str::from_utf8(value).map_err(|_| malformed)?;
                self.username.get_or_insert(text);
            }
            attribute::PRIORITY => {
                let priority = u32_at(value, 0).filter(|_| value.len() == 4).ok_or(malformed)?;
                self.priority.get_or_insert(priority);
            }
            attribute::USE_CANDIDATE => self.nomination = Nomination::UseCandidate,
            attribute::ICE_CONTROLLING | attribute::ICE_CONTROLLED => {
                let tie = u64_at(value, 0).filter(|_| value.len() == 8).ok_or(malformed)?;
                self.role.get_or_insert(match kind == attribute::ICE_CONTROLLING {
                    true => IceRole::Controlling(tie),
                    false => IceRole::Controlled(tie),
                });
            }
            attribute::XOR_MAPPED_ADDRESS => {
                let address = parse_address(value).ok_or(malformed)?;
                self.mapped_address = Some(xor_address(address, &self.transaction));
            }
            attribute::MAPPED_ADDRESS => {
                let address = parse_address(value).ok_or(malformed)?;
                self.mapped_address.get_or_insert(address);
            }
            attribute::ERROR_CODE => {
                let code = parse_error_code(value).ok_or(malformed)?;
                self.error_code.get_or_insert(code);
            }
            attribute::UNKNOWN_ATTRIBUTES | attribute::REALM | attribute::NONCE => {}
            attribute::MESSAGE_INTEGRITY_SHA256 => {}
            unknown if unknown < attribute::OPTIONAL_FROM => self.unknown.push(unknown),
            _optional => {}
        }
        Ok(())
    }
}

fn parse_header(bytes: &[u8]) -> Result<(Class, TransactionId), StunError> {
    let header = bytes.get(..HEADER_SIZE).ok_or(StunError::Length)?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    if kind & 0xC000 != 0 || u32_at(header, 4) != Some(MAGIC_COOKIE) {
        return Err(StunError::NotStun);
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if !length.is_multiple_of(4) || HEADER_SIZE + length != bytes.len() {
        return Err(StunError::Length);
    }
    // RFC 8489 §5: the class is spread over bits 4 and 8, the method over the others.
    let method = kind & 0x000F | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2;
    if method != 0x0001 {
        return Err(StunError::Method { method });
    }
    let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    };
    let mut transaction = [0; 12];
    transaction.copy_from_slice(&header[8..20]);
    Ok((class, TransactionId(transaction)))
}

fn parse_address(value: &[u8]) -> Option<SocketAddr> {
    let port = u16_at(value, 2)?;
    let ip: IpAddr = match (value.get(1)?, value.len()) {
        (1, 8) => Ipv4Addr::from_bits(u32_at(value, 4)?).into(),
        (2, 20) => {
            let mut octets = [0; 16];
            octets.copy_from_slice(&value[4..20]);
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn parse_error_code(value: &[u8]) -> Option<ErrorCode> {
    let (class, number) = (value.get(2)? & 0x07, value.get(3)?);
    if !(3..=6).contains(&class) || *number > 99 {
        return None;
    }
    Some(ErrorCode::from_number(u16::from(class) * 100 + u16::from(*number)))
}

/// XORs port and address with cookie and transaction id (RFC 8489 §14.2); its own inverse.
pub(super) fn xor_address(address: SocketAddr, transaction: &TransactionId) -> SocketAddr {
    let port = address.port() ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match address.ip() {
        IpAddr::V4(ip) => Ipv4Addr::from_bits(ip.to_bits() ^ MAGIC_COOKIE).into(),
        IpAddr::V6(ip) => {
            let mut mask = [0; 16];
            mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
            mask[4..].copy_from_slice(&transaction.0);
            Ipv6Addr::from_bits(ip.to_bits() ^ u128::from_be_bytes(mask)).into()
        }
    };
    SocketAddr::new(ip, port)
}
