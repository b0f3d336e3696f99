//! Refusals on the wire (RFC 8489 §14.8, RFC 8656 §19).

use crate::gate::Proven;
use crate::message::{Class, Method, Writer, attribute};

/// An error of RFC 8489 and RFC 8656.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) u16, pub(crate) &'static str);

pub(crate) const BAD_REQUEST: Failure = Failure(400, "Bad Request");
pub(crate) const FORBIDDEN: Failure = Failure(403, "Forbidden");
pub(crate) const NO_ALLOCATION: Failure = Failure(437, "Allocation Mismatch");
pub(crate) const NO_FAMILY: Failure = Failure(440, "Address Family not Supported");
pub(crate) const WRONG_USER: Failure = Failure(441, "Wrong Credentials");
pub(crate) const NO_TRANSPORT: Failure = Failure(442, "Unsupported Transport Protocol");
pub(crate) const NO_CAPACITY: Failure = Failure(508, "Insufficient Capacity");

/// Adds it to a reply.
pub(crate) fn error_code(reply: Writer, Failure(number, reason): Failure) -> Writer {
    let mut value = vec![0, 0, (number / 100) as u8, (number % 100) as u8];
    value.extend_from_slice(reason.as_bytes());
    reply.add(attribute::ERROR_CODE, &value)
}

/// The whole reply; with integrity when it is known whose it is.
pub(crate) fn failure(
    method: Method,
    transaction: [u8; 12],
    reason: Failure,
    user: Option<&Proven>,
) -> Vec<u8> {
    let reply = error_code(Writer::new(Class::Error, method, transaction), reason);
    reply.finish(user.map(|user| &user.key[..]))
}
