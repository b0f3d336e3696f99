//! Refusals: on the wire (RFC 8489 §14.8, RFC 8656 §19), and by a word for who counts them.

use crate::gate::Proven;
use crate::message::{Class, Method, Writer, attribute};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An attribute is missing, or makes no sense.
    BadRequest,
    /// It shows no name: how every client begins.
    Challenged,
    /// Its name or password is wrong, or its time is over.
    Unauthenticated,
    /// Its name was good, and its session is over.
    SessionEnded,
    /// The peer is no media port.
    Forbidden,
    /// It has an attribute that has to be understood and is not.
    UnknownAttribute,
    /// There is no allocation, or already one.
    AllocationMismatch,
    /// Its nonce is of another time or of somebody else.
    StaleNonce,
    /// There is no media port of that IP version.
    FamilyUnsupported,
    /// The allocation is of another user.
    WrongUser,
    /// It wants to relay something else than UDP.
    TransportUnsupported,
    /// The peer has another IP version than the allocation.
    FamilyMismatch,
    /// The user has as many allocations as it may.
    Quota,
    /// There are as many allocations as there may be, or of what one has.
    Capacity,
}

impl Refusal {
    /// Every one.
    pub const ALL: [Self; 14] = [
        Self::BadRequest,
        Self::Challenged,
        Self::Unauthenticated,
        Self::SessionEnded,
        Self::Forbidden,
        Self::UnknownAttribute,
        Self::AllocationMismatch,
        Self::StaleNonce,
        Self::FamilyUnsupported,
        Self::WrongUser,
        Self::TransportUnsupported,
        Self::FamilyMismatch,
        Self::Quota,
        Self::Capacity,
    ];

    /// A word for it, for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Challenged => "challenged",
            Self::Unauthenticated => "unauthenticated",
            Self::SessionEnded => "session_ended",
            Self::Forbidden => "forbidden",
            Self::UnknownAttribute => "unknown_attribute",
            Self::AllocationMismatch => "allocation_mismatch",
            Self::StaleNonce => "stale_nonce",
            Self::FamilyUnsupported => "family_unsupported",
            Self::WrongUser => "wrong_user",
            Self::TransportUnsupported => "transport_unsupported",
            Self::FamilyMismatch => "family_mismatch",
            Self::Quota => "quota",
            Self::Capacity => "capacity",
        }
    }

    /// Number and phrase on the wire.
    fn code(self) -> (u16, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request"),
            Self::Challenged | Self::Unauthenticated | Self::SessionEnded => {
                (401, "Unauthenticated")
            }
            Self::Forbidden => (403, "Forbidden"),
            Self::UnknownAttribute => (420, "Unknown Attribute"),
            Self::AllocationMismatch => (437, "Allocation Mismatch"),
            Self::StaleNonce => (438, "Stale Nonce"),
            Self::FamilyUnsupported => (440, "Address Family not Supported"),
            Self::WrongUser => (441, "Wrong Credentials"),
            Self::TransportUnsupported => (442, "Unsupported Transport Protocol"),
            Self::FamilyMismatch => (443, "Peer Address Family Mismatch"),
            Self::Quota => (486, "Allocation Quota Reached"),
            Self::Capacity => (508, "Insufficient Capacity"),
        }
    }
}

/// Adds it to a reply.
pub(crate) fn error_code(reply: Writer, refusal: Refusal) -> Writer {
    let (number, phrase) = refusal.code();
    let mut value = vec![0, 0, (number / 100) as u8, (number % 100) as u8];
    value.extend_from_slice(phrase.as_bytes());
    reply.add(attribute::ERROR_CODE, &value)
}

/// The whole reply to somebody who has proved to be `user`, with integrity.
pub(crate) fn failure(
    method: Method,
    transaction: [u8; 12],
    refusal: Refusal,
    user: &Proven,
) -> Vec<u8> {
    let reply = Writer::new(Class::Error, method, transaction);
    error_code(reply, refusal).finish(Some(&user.key))
}
