//! The outside of a token: version, base64, and the binary layout around the encrypted part
//! (contract, auth 2.1 to 2.3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{FormatError, TokenForm};

/// Longest token text: what the layout's 16-bit lengths can hold. A longer one is refused unread.
const TEXT_BYTES_MAX: usize = 88 * 1024;

/// Length of the CBC initialisation vector.
pub(super) const CBC_IV_BYTES: usize = 16;
/// Length of the GCM nonce.
pub(super) const GCM_NONCE_BYTES: usize = 12;
/// Length of the GCM tag.
pub(super) const GCM_TAG_BYTES: usize = 16;
/// AES block length: a CBC ciphertext is a multiple of it.
const BLOCK_BYTES: usize = 16;

/// Last byte of the newer layout: CBC, called deprecated there.
const MODE_CBC: u8 = 0;
/// Last byte of the newer layout: GCM.
const MODE_GCM: u8 = 1;

/// A token's parts before decryption; lengths fit the cipher that `form` names.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Version and cipher.
    pub(super) form: TokenForm,
    /// The expiry that stands outside the encrypted part, Unix seconds.
    pub(super) expire_seconds: i64,
    /// CBC initialisation vector or GCM nonce.
    pub(super) iv: Vec<u8>,
    /// The encrypted part; with GCM the tag is its end.
    pub(super) ciphertext: Vec<u8>,
}

impl Envelope {
    /// Reads the text of a token.
    pub(super) fn parse(text: &str) -> Result<Self, FormatError> {
        if text.is_empty() {
            return Err(FormatError::Missing);
        }
        let (version, body) = if let Some(body) = text.strip_prefix("04") {
            (Version::V04, body)
        } else if let Some(body) = text.strip_prefix("03") {
            (Version::V03, body)
        } else {
            return Err(FormatError::UnknownVersion);
        };
        if body.len() > TEXT_BYTES_MAX {
            return Err(FormatError::WrongLengths);
        }
        let bytes = STANDARD.decode(body).map_err(|_| FormatError::NotBase64)?;
        Self::parse_bytes(version, &bytes).ok_or(FormatError::WrongLengths)
    }

    /// The text of a token of these parts.
    pub(super) fn write(&self) -> Option<String> {
        let mut bytes = Vec::with_capacity(self.iv.len() + self.ciphertext.len() + 13);
        bytes.extend(self.expire_seconds.to_be_bytes());
        bytes.extend(u16::try_from(self.iv.len()).ok()?.to_be_bytes());
        bytes.extend(&self.iv);
        bytes.extend(u16::try_from(self.ciphertext.len()).ok()?.to_be_bytes());
        bytes.extend(&self.ciphertext);
        let version = match self.form {
            TokenForm::Token04Cbc => "04",
            TokenForm::Token04Gcm => {
                bytes.push(MODE_GCM);
                "04"
            }
            TokenForm::Token03 => "03",
        };
        Some(format!("{version}{}", STANDARD.encode(bytes)))
    }

    fn parse_bytes(version: Version, bytes: &[u8]) -> Option<Self> {
        let (expire, rest) = bytes.split_first_chunk::<8>()?;
        let (iv, rest) = split_counted(rest)?;
        let (ciphertext, rest) = split_counted(rest)?;
        let form = match (version, rest) {
            (Version::V04, []) => TokenForm::Token04Cbc,
            (Version::V04, [MODE_CBC]) => TokenForm::Token04Cbc,
            (Version::V04, [MODE_GCM]) => TokenForm::Token04Gcm,
            (Version::V03, []) => TokenForm::Token03,
            (Version::V04 | Version::V03, _) => return None,
        };
        let lengths_fit = match form {
            TokenForm::Token04Cbc | TokenForm::Token03 => {
                iv.len() == CBC_IV_BYTES
                    && !ciphertext.is_empty()
                    && ciphertext.len().is_multiple_of(BLOCK_BYTES)
            }
            TokenForm::Token04Gcm => {
                iv.len() == GCM_NONCE_BYTES && ciphertext.len() >= GCM_TAG_BYTES
            }
        };
        lengths_fit.then(|| Self {
            form,
            expire_seconds: i64::from_be_bytes(*expire),
            iv: iv.to_vec(),
            ciphertext: ciphertext.to_vec(),
        })
    }
}

/// The two characters a token begins with.
#[derive(Clone, Copy)]
enum Version {
    V04,
    V03,
}

/// Splits off a field whose length stands before it in 16 bits.
fn split_counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(version: &str, iv_length: u16, length: u16, tail: &[u8]) -> String {
        let mut bytes = vec![0; 8];
        bytes.extend(iv_length.to_be_bytes());
        bytes.extend(vec![1; usize::from(iv_length)]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(vec![2; usize::from(length)]);
        bytes.extend(tail);
        format!("{version}{}", STANDARD.encode(bytes))
    }

    fn form(text: &str) -> Result<TokenForm, FormatError> {
        Envelope::parse(text).map(|envelope| envelope.form)
    }

    #[test]
    fn the_cipher_is_told_by_what_follows_the_ciphertext() {
        assert_eq!(form(&text("04", 16, 32, &[])), Ok(TokenForm::Token04Cbc));
        assert_eq!(form(&text("04", 16, 32, &[0])), Ok(TokenForm::Token04Cbc));
        assert_eq!(form(&text("04", 12, 33, &[1])), Ok(TokenForm::Token04Gcm));
        assert_eq!(form(&text("03", 16, 32, &[])), Ok(TokenForm::Token03));
    }

    #[test]
    fn lengths_that_fit_no_cipher_are_refused_before_decrypting() {
        for text in [
            text("04", 16, 31, &[]),
            text("04", 16, 0, &[]),
            text("04", 12, 32, &[]),
            text("04", 16, 32, &[1]),
            text("04", 12, 15, &[1]),
            text("04", 12, 32, &[2]),
            text("04", 12, 32, &[1, 1]),
            text("03", 12, 32, &[1]),
            format!("04{}", STANDARD.encode([0; 9])),
            format!("04{}", STANDARD.encode([0xff; 40])),
            format!("04{}", "A".repeat(TEXT_BYTES_MAX + 4)),
            "04".to_owned(),
        ] {
            assert_eq!(form(&text), Err(FormatError::WrongLengths), "{text}");
        }
    }

    #[test]
    fn what_is_no_token_says_so() {
        assert_eq!(form(""), Err(FormatError::Missing));
        assert_eq!(form("0"), Err(FormatError::UnknownVersion));
        assert_eq!(form("05AAAA"), Err(FormatError::UnknownVersion));
        assert_eq!(form("04AAA"), Err(FormatError::NotBase64));
        assert_eq!(form("04AA-_"), Err(FormatError::NotBase64));
        assert_eq!(form("04 AAAA"), Err(FormatError::NotBase64));
    }
}
