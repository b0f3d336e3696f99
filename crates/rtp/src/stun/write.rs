//! Binding messages to be sent. Every one ends with FINGERPRINT, as ICE wants (RFC 8445 §7.1.1).

use std::net::{IpAddr, SocketAddr};

use super::integrity::{self, IntegrityKey};
use super::parse::xor_address;
use super::{
    Class, ErrorCode, FINGERPRINT_SIZE, HEADER_SIZE, INTEGRITY_SIZE, IceRole, MAGIC_COOKIE,
    Nomination, TransactionId, attribute,
};
use crate::bytes::{BufferTooSmall, Cursor};

/// A buffer of this size holds every message written here, whose username is an ICE one (two
/// fragments of at most 256 bytes, RFC 8839 §5.4).
pub const MESSAGE_SIZE_MAX: usize = 640;

/// A connectivity check as a client sends it.
#[derive(Debug, Clone, Copy)]
pub struct BindingRequest<'a> {
    /// Pairs the response with it: 96 random bits.
    pub transaction: TransactionId,
    /// `<receiver's ufrag>:<sender's ufrag>`.
    pub username: &'a str,
    /// The priority that a peer-reflexive candidate of this check would have.
    pub priority: u32,
    /// The sender's role and tie-breaker.
    pub role: IceRole,
    /// Whether the pair is nominated by it.
    pub nomination: Nomination,
}

impl BindingRequest<'_> {
    /// Writes the request, its integrity made with the **receiver's** password. Gives the length.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; never with [`MESSAGE_SIZE_MAX`] bytes and an ICE username.
    pub fn write(&self, buffer: &mut [u8], key: &IntegrityKey) -> Result<usize, BufferTooSmall> {
        let mut writer = Writer::new(buffer, Class::Request, self.transaction)?;
        writer.attribute(attribute::USERNAME, self.username.as_bytes())?;
        writer.attribute(attribute::PRIORITY, &self.priority.to_be_bytes())?;
        let (kind, tie) = match self.role {
            IceRole::Controlling(tie) => (attribute::ICE_CONTROLLING, tie),
            IceRole::Controlled(tie) => (attribute::ICE_CONTROLLED, tie),
        };
        writer.attribute(kind, &tie.to_be_bytes())?;
        if self.nomination == Nomination::UseCandidate {
            writer.attribute(attribute::USE_CANDIDATE, &[])?;
        }
        writer.finish(Some(key))
    }
}

/// Writes a plain request, as a STUN server takes it that tells a client its address beyond NATs
/// (RFC 8489 §2). Gives the length.
///
/// # Errors
/// [`BufferTooSmall`].
pub fn write_address_request(
    buffer: &mut [u8],
    transaction: TransactionId,
) -> Result<usize, BufferTooSmall> {
    Writer::new(buffer, Class::Request, transaction)?.finish(None)
}

/// Writes the success response to a request that came from `source`, its integrity made with the
/// same password as the request's; none for a plain request. Gives the length.
///
/// # Errors
/// [`BufferTooSmall`].
pub fn write_success(
    buffer: &mut [u8],
    transaction: TransactionId,
    source: SocketAddr,
    key: Option<&IntegrityKey>,
) -> Result<usize, BufferTooSmall> {
    let mut writer = Writer::new(buffer, Class::Success, transaction)?;
    let masked = xor_address(source, &transaction);
    let mut value = [0; 20];
    value[2..4].copy_from_slice(&masked.port().to_be_bytes());
    let length = match masked.ip() {
        IpAddr::V4(ip) => {
            value[1] = 1;
            value[4..8].copy_from_slice(&ip.octets());
            8
        }
        IpAddr::V6(ip) => {
            value[1] = 2;
            value[4..20].copy_from_slice(&ip.octets());
            20
        }
    };
    writer.attribute(attribute::XOR_MAPPED_ADDRESS, &value[..length])?;
    writer.finish(key)
}

/// Writes an error response. `unknown` lists the types that a 420 is about. A 400 or 401 has no
/// integrity (`key` None), since the ends agree on no password (RFC 8489 §9.1.3). Gives the length.
///
/// # Errors
/// [`BufferTooSmall`].
pub fn write_error(
    buffer: &mut [u8],
    transaction: TransactionId,
    code: ErrorCode,
    unknown: &[u16],
    key: Option<&IntegrityKey>,
) -> Result<usize, BufferTooSmall> {
    let mut writer = Writer::new(buffer, Class::Error, transaction)?;
    let (number, reason) = (code.number(), code.reason());
    writer.begin(attribute::ERROR_CODE, 4 + reason.len())?;
    writer.cursor.put(&[0, 0, (number / 100) as u8, (number % 100) as u8])?;
    writer.cursor.put(reason.as_bytes())?;
    writer.cursor.pad_to_word()?;
    if !unknown.is_empty() {
        writer.begin(attribute::UNKNOWN_ATTRIBUTES, unknown.len() * 2)?;
        for kind in unknown {
            writer.cursor.put_u16(*kind)?;
        }
        writer.cursor.pad_to_word()?;
    }
    writer.finish(key)
}

/// A message under construction.
struct Writer<'a> {
    /// The caller's buffer.
    cursor: Cursor<'a>,
}

impl<'a> Writer<'a> {
    fn new(
        buffer: &'a mut [u8],
        class: Class,
        transaction: TransactionId,
    ) -> Result<Self, BufferTooSmall> {
        let mut cursor = Cursor::new(buffer);
        cursor.put_u16(match class {
            Class::Request => 0x0001,
            Class::Indication => 0x0011,
            Class::Success => 0x0101,
            Class::Error => 0x0111,
        })?;
        cursor.put_u16(0)?;
        cursor.put_u32(MAGIC_COOKIE)?;
        cursor.put(&transaction.0)?;
        Ok(Self { cursor })
    }

    fn begin(&mut self, kind: u16, length: usize) -> Result<(), BufferTooSmall> {
        self.cursor.put_u16(kind)?;
        self.cursor.put_u16(u16::try_from(length).map_err(|_| BufferTooSmall)?)
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) -> Result<(), BufferTooSmall> {
        self.begin(kind, value.len())?;
        self.cursor.put(value)?;
        self.cursor.pad_to_word()
    }

    fn set_length(&mut self, total: usize) -> Result<(), BufferTooSmall> {
        let length = u16::try_from(total - HEADER_SIZE).map_err(|_| BufferTooSmall)?;
        self.cursor.set_u16(2, length);
        Ok(())
    }

    /// Adds integrity (with a key) and fingerprint; gives the length.
    fn finish(mut self, key: Option<&IntegrityKey>) -> Result<usize, BufferTooSmall> {
        if let Some(key) = key {
            let total = self.cursor.length() + INTEGRITY_SIZE;
            self.set_length(total)?;
            let tag = key.tag(self.cursor.written(), (total - HEADER_SIZE) as u16);
            self.attribute(attribute::MESSAGE_INTEGRITY, tag.as_ref())?;
        }
        self.set_length(self.cursor.length() + FINGERPRINT_SIZE)?;
        let fingerprint = integrity::fingerprint(self.cursor.written());
        self.attribute(attribute::FINGERPRINT, &fingerprint.to_be_bytes())?;
        Ok(self.cursor.length())
    }
}
