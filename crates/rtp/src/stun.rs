//! STUN Binding (RFC 8489) as ICE uses it (RFC 8445): requests and responses, their integrity by
//! short-term password, and their fingerprint; and the plain request for an address beyond NATs.
//! Both ends are here: the server answers, our client asks.

mod integrity;
mod parse;
#[cfg(test)]
mod tests;
mod write;

pub use integrity::IntegrityKey;
pub use parse::{Message, StunError, UnknownAttributes};
pub use write::{
    BindingRequest, MESSAGE_SIZE_MAX, write_address_request, write_error, write_success,
};

/// The fixed word of every message (RFC 8489 §5).
const MAGIC_COOKIE: u32 = 0x2112_A442;
/// Type, length, cookie and transaction id.
const HEADER_SIZE: usize = 20;
/// Attribute header and HMAC-SHA1.
const INTEGRITY_SIZE: usize = 24;
/// Attribute header and CRC-32.
const FINGERPRINT_SIZE: usize = 8;
/// What a fingerprint's CRC-32 is XORed with (RFC 8489 §14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// Attribute types (RFC 8489 §18.3, RFC 8445 §16.1).
mod attribute {
    pub(super) const MAPPED_ADDRESS: u16 = 0x0001;
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(super) const ERROR_CODE: u16 = 0x0009;
    pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(super) const REALM: u16 = 0x0014;
    pub(super) const NONCE: u16 = 0x0015;
    pub(super) const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    pub(super) const FINGERPRINT: u16 = 0x8028;
    pub(super) const ICE_CONTROLLED: u16 = 0x8029;
    pub(super) const ICE_CONTROLLING: u16 = 0x802A;
    /// Types from here on may be ignored when unknown.
    pub(super) const OPTIONAL_FROM: u16 = 0x8000;
}

/// What pairs a response with its request: 96 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// What a Binding message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A connectivity or consent check that wants an answer.
    Request,
    /// Keeps a NAT binding alive; unanswered.
    Indication,
    /// The check arrived.
    Success,
    /// The check was refused.
    Error,
}

/// Who nominates, with the tie-breaker (RFC 8445 §7.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceRole {
    /// The sender nominates; our clients, since the server is ICE-lite.
    Controlling(u64),
    /// The sender leaves nomination to the other end.
    Controlled(u64),
}

/// Whether a request nominates its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nomination {
    /// USE-CANDIDATE is in the request.
    UseCandidate,
    /// It is a plain check.
    None,
}

/// The refusals that ICE knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 400: malformed, or without the attributes that ICE needs.
    BadRequest,
    /// 401: wrong password, or a username that nobody has.
    Unauthenticated,
    /// 420: a comprehension-required attribute is not understood.
    UnknownAttribute,
    /// 487: both ends claim the same role.
    RoleConflict,
    /// Any other code that a peer sent, 300 to 699.
    Other(u16),
}

impl ErrorCode {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::UnknownAttribute => 420,
            Self::RoleConflict => 487,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: u16) -> Self {
        match number {
            400 => Self::BadRequest,
            401 => Self::Unauthenticated,
            420 => Self::UnknownAttribute,
            487 => Self::RoleConflict,
            other => Self::Other(other),
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::Unauthenticated => "Unauthenticated",
            Self::UnknownAttribute => "Unknown Attribute",
            Self::RoleConflict => "Role Conflict",
            Self::Other(_) => "",
        }
    }
}
