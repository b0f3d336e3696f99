//! One RTP packet (RFC 3550 §5.1) and its header extensions (RFC 8285): a view to read, a writer
//! for the header under which a packet is forwarded.

#[cfg(test)]
mod tests;

use crate::bytes::{BufferTooSmall, Cursor, u16_at, u32_at};

/// Version to SSRC.
const FIXED_HEADER_SIZE: usize = 12;
/// The id that ends one-byte extensions (RFC 8285 §4.2).
const ONE_BYTE_STOP: u8 = 15;

/// The marker bit, whose meaning is the payload format's: for video the last packet of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marker {
    /// The bit is one.
    Set,
    /// The bit is zero.
    Clear,
}

/// How the extension block is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtensionProfile {
    /// 0xBEDE: ids 1 to 14, 1 to 16 bytes each.
    OneByte,
    /// 0x100x: ids 1 to 255, 0 to 255 bytes each.
    TwoByte,
    /// Something else (RFC 3550 §5.3.1), not iterated.
    Other(u16),
}

/// The header of one packet, read and copied; positions are offsets into the packet's bytes, which
/// are not held. It says nothing about padding, which SRTP encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit.
    pub marker: Marker,
    /// 0 to 127.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence_number: u16,
    /// Sampling instant in units of the payload's clock rate, wraps.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// How many contributing sources follow the fixed header, 0 to 15.
    pub csrc_count: u8,
    /// Whether the padding bit is set.
    pub padding_flag: bool,
    /// The extension block's profile, when there is a block.
    pub extension_profile: Option<ExtensionProfile>,
    /// Where the extension elements begin, in bytes.
    extensions_at: u16,
    /// How many bytes of elements there are.
    extensions_size: u16,
    /// Bytes from the packet's begin to its payload.
    pub size: usize,
}

/// Why bytes are not an RTP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// The version is not 2.
    #[error("RTP version {version} is not 2")]
    Version {
        /// The version.
        version: u8,
    },
    /// The packet ends inside the header, the CSRC list or the extension block.
    #[error("the packet ends inside its header")]
    Truncated,
    /// An extension element is longer than the block.
    #[error("extension {id} runs over its block")]
    Extension {
        /// The element's id.
        id: u8,
    },
    /// The padding count is zero, or more than there is payload.
    #[error("padding of {padding} bytes is impossible")]
    Padding {
        /// The count.
        padding: u8,
    },
}

impl RtpHeader {
    /// Reads the header of `bytes`, whose payload may still be encrypted.
    ///
    /// # Errors
    /// All of [`RtpError`] but `Padding`.
    pub fn parse(bytes: &[u8]) -> Result<Self, RtpError> {
        if bytes.len() < FIXED_HEADER_SIZE {
            return Err(RtpError::Truncated);
        }
        let version = bytes[0] >> 6;
        if version != 2 {
            return Err(RtpError::Version { version });
        }
        let csrc_count = bytes[0] & 0x0F;
        let mut header = Self {
            marker: if bytes[1] & 0x80 == 0 { Marker::Clear } else { Marker::Set },
            payload_type: bytes[1] & 0x7F,
            sequence_number: u16::from_be_bytes([bytes[2], bytes[3]]),
            timestamp: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            ssrc: u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            csrc_count,
            padding_flag: bytes[0] & 0x20 != 0,
            extension_profile: None,
            extensions_at: 0,
            extensions_size: 0,
            size: FIXED_HEADER_SIZE + 4 * usize::from(csrc_count),
        };
        if bytes[0] & 0x10 != 0 {
            header.parse_extension_block(bytes)?;
        }
        match header.size <= bytes.len() {
            true => Ok(header),
            false => Err(RtpError::Truncated),
        }
    }

    /// The extension elements of `bytes`, the packet that this header was read from.
    pub fn extensions<'a>(&self, bytes: &'a [u8]) -> Extensions<'a> {
        let (start, size) = (usize::from(self.extensions_at), usize::from(self.extensions_size));
        let profile = self.extension_profile.unwrap_or(ExtensionProfile::OneByte);
        Extensions { block: bytes.get(start..start + size).unwrap_or(&[]), profile }
    }

    /// The value of extension `id` in `bytes`, the packet that this header was read from.
    pub fn extension<'a>(&self, bytes: &'a [u8], id: u8) -> Option<&'a [u8]> {
        self.extensions(bytes).find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    fn parse_extension_block(&mut self, bytes: &[u8]) -> Result<(), RtpError> {
        let at = self.size;
        let profile = u16_at(bytes, at).ok_or(RtpError::Truncated)?;
        let words = u16_at(bytes, at + 2).ok_or(RtpError::Truncated)?;
        let size = usize::from(words) * 4;
        let block = bytes.get(at + 4..at + 4 + size).ok_or(RtpError::Truncated)?;
        let profile = match profile {
            0xBEDE => ExtensionProfile::OneByte,
            0x1000..=0x100F => ExtensionProfile::TwoByte,
            other => ExtensionProfile::Other(other),
        };
        let mut rest = block;
        while let Some(element) = next_element(rest, profile) {
            let (_, _, after) = element.map_err(|id| RtpError::Extension { id })?;
            rest = after;
        }
        self.extension_profile = Some(profile);
        self.extensions_at = (at + 4) as u16;
        // A datagram is below 64 KiB; a longer slice has no extensions that can be addressed.
        self.extensions_size = u16::try_from(size).map_err(|_| RtpError::Truncated)?;
        self.size = at + 4 + size;
        Ok(())
    }
}

/// A whole packet whose payload is in the clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    /// All bytes.
    bytes: &'a [u8],
    /// What they begin with.
    header: RtpHeader,
    /// Bytes of padding at the end, the count included.
    padding: usize,
}

impl<'a> RtpPacket<'a> {
    /// Reads `bytes`, one whole packet.
    ///
    /// # Errors
    /// All of [`RtpError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let header = RtpHeader::parse(bytes)?;
        Self::with_header(header, bytes)
    }

    /// Makes the view from a header that was read before the payload was decrypted.
    ///
    /// # Errors
    /// [`RtpError::Padding`]; [`RtpError::Truncated`] when `bytes` are shorter than the header.
    pub fn with_header(header: RtpHeader, bytes: &'a [u8]) -> Result<Self, RtpError> {
        let body = bytes.get(header.size..).ok_or(RtpError::Truncated)?;
        if !header.padding_flag {
            return Ok(Self { bytes, header, padding: 0 });
        }
        let padding = body.last().copied().unwrap_or(0);
        if padding == 0 || usize::from(padding) > body.len() {
            return Err(RtpError::Padding { padding });
        }
        Ok(Self { bytes, header, padding: usize::from(padding) })
    }

    /// The header's numbers.
    pub fn header(&self) -> &RtpHeader {
        &self.header
    }

    /// What lies between header and padding; empty in a packet that is only padding.
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header.size..self.bytes.len() - self.padding]
    }

    /// How many bytes of padding follow the payload.
    pub fn padding(&self) -> usize {
        self.padding
    }

    /// The contributing sources.
    pub fn csrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        let bytes = self.bytes;
        (0..usize::from(self.header.csrc_count))
            .filter_map(move |index| u32_at(bytes, FIXED_HEADER_SIZE + 4 * index))
    }

    /// The extension elements, `(id, value)`.
    pub fn extensions(&self) -> Extensions<'a> {
        self.header.extensions(self.bytes)
    }

    /// The value of extension `id`.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.header.extension(self.bytes, id)
    }
}

/// Iterates `(id, value)` of an extension block that [`RtpHeader::parse`] found to be sound.
#[derive(Debug, Clone)]
pub struct Extensions<'a> {
    /// What is left of the block.
    block: &'a [u8],
    /// How elements are laid out.
    profile: ExtensionProfile,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (id, value, rest) = next_element(self.block, self.profile)?.ok()?;
        self.block = rest;
        Some((id, value))
    }
}

/// An element's id and value, and the rest of the block.
type Element<'a> = (u8, &'a [u8], &'a [u8]);

/// The first element of `block`; `Err` has the id of one that is too long.
fn next_element(mut block: &[u8], profile: ExtensionProfile) -> Option<Result<Element<'_>, u8>> {
    if matches!(profile, ExtensionProfile::Other(_)) {
        return None;
    }
    // Zero bytes are padding between and after elements (RFC 8285 §4.1.1).
    while let [0, rest @ ..] = block {
        block = rest;
    }
    let (id, size, header_size) = match (profile, block) {
        (ExtensionProfile::OneByte, [first, ..]) => {
            if first >> 4 == ONE_BYTE_STOP {
                return None;
            }
            // Id 0 with a length is given out too: no map knows id 0.
            (first >> 4, usize::from(first & 0x0F) + 1, 1)
        }
        (ExtensionProfile::TwoByte, [id, size, ..]) => (*id, usize::from(*size), 2),
        (ExtensionProfile::TwoByte, [id]) => return Some(Err(*id)),
        _ => return None,
    };
    let end = header_size + size;
    Some(match block.get(header_size..end) {
        Some(value) => Ok((id, value, &block[end..])),
        None => Err(id),
    })
}

/// A header to be written: the numbers of a forwarded or made-up packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderWriter<'a> {
    /// The marker bit.
    pub marker: Marker,
    /// 0 to 127.
    pub payload_type: u8,
    /// Counts packets of the new stream.
    pub sequence_number: u16,
    /// In units of the payload's clock rate.
    pub timestamp: u32,
    /// The new stream's source.
    pub ssrc: u32,
    /// Contributing sources, at most 15.
    pub csrcs: &'a [u32],
}

/// Why a header cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The buffer cannot hold it.
    #[error(transparent)]
    BufferTooSmall(#[from] BufferTooSmall),
    /// More than 15 contributing sources.
    #[error("{count} contributing sources are more than 15")]
    Csrcs {
        /// How many.
        count: usize,
    },
    /// An extension's id is 0, or its value is longer than 255 bytes.
    #[error("extension {id} cannot be written")]
    Extension {
        /// The id.
        id: u8,
    },
}

impl HeaderWriter<'_> {
    /// Writes the header with `extensions` (`(id, value)`, in order) and gives its size; the
    /// payload belongs right behind it. The one-byte form is used unless an element needs the
    /// other.
    ///
    /// # Errors
    /// All of [`HeaderError`].
    pub fn write(
        &self,
        buffer: &mut [u8],
        extensions: &[(u8, &[u8])],
    ) -> Result<usize, HeaderError> {
        if self.csrcs.len() > 15 {
            return Err(HeaderError::Csrcs { count: self.csrcs.len() });
        }
        let has_extensions = u8::from(!extensions.is_empty());
        let marker = u8::from(self.marker == Marker::Set);
        let mut cursor = Cursor::new(buffer);
        cursor.put_u8(0x80 | has_extensions << 4 | self.csrcs.len() as u8)?;
        cursor.put_u8(marker << 7 | self.payload_type & 0x7F)?;
        cursor.put_u16(self.sequence_number)?;
        cursor.put_u32(self.timestamp)?;
        cursor.put_u32(self.ssrc)?;
        for csrc in self.csrcs {
            cursor.put_u32(*csrc)?;
        }
        if !extensions.is_empty() {
            write_extensions(&mut cursor, extensions)?;
        }
        Ok(cursor.length())
    }
}

fn write_extensions(
    cursor: &mut Cursor<'_>,
    extensions: &[(u8, &[u8])],
) -> Result<(), HeaderError> {
    let one_byte = extensions
        .iter()
        .all(|(id, value)| (1..ONE_BYTE_STOP).contains(id) && (1..=16).contains(&value.len()));
    let start = cursor.length();
    cursor.put_u16(if one_byte { 0xBEDE } else { 0x1000 })?;
    cursor.put_u16(0)?;
    for (id, value) in extensions {
        if *id == 0 || value.len() > 255 {
            return Err(HeaderError::Extension { id: *id });
        }
        match one_byte {
            true => cursor.put_u8(id << 4 | (value.len() - 1) as u8)?,
            false => cursor.put(&[*id, value.len() as u8])?,
        }
        cursor.put(value)?;
    }
    cursor.pad_to_word()?;
    let words = (cursor.length() - start - 4) / 4;
    cursor.set_u16(start + 2, u16::try_from(words).map_err(|_| BufferTooSmall)?);
    Ok(())
}
