//! Encrypting and decrypting a token's inside: AES-256 in CBC with PKCS#7 padding, or in GCM
//! without additional data (contract, auth 2.4).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptingKey, DecryptionContext, EncryptionContext, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::TokenForm;
use super::envelope::Envelope;
use crate::secret::ServerSecret;

/// A token's inside.
pub(super) struct Plain {
    /// The text; whatever came out when `is_sound` is false.
    pub(super) text: Vec<u8>,
    /// Whether the padding (CBC) was right. It is told together with the fields' check, so that a
    /// wrong padding takes the same way, and as long, as a wrong field.
    pub(super) is_sound: bool,
}

/// The inside in plain text. `None` when a GCM tag is wrong, which tells nothing about the text.
pub(super) fn open(envelope: &Envelope, secret: &ServerSecret) -> Option<Plain> {
    let mut text = envelope.ciphertext.clone();
    match envelope.form {
        TokenForm::Token04Cbc | TokenForm::Token03 => {
            let iv = <[u8; 16]>::try_from(envelope.iv.as_slice()).ok()?;
            let key = UnboundCipherKey::new(&cipher::AES_256, secret.expose()).ok()?;
            let context = DecryptionContext::Iv128(FixedLength::from(iv));
            DecryptingKey::cbc(key).ok()?.decrypt(&mut text, context).ok()?;
            let (length, is_sound) = unpadded(&text);
            text.truncate(length);
            Some(Plain { text, is_sound })
        }
        TokenForm::Token04Gcm => {
            let nonce = Nonce::try_assume_unique_for_key(&envelope.iv).ok()?;
            let length = gcm_key(secret)?.open_in_place(nonce, Aad::empty(), &mut text).ok()?.len();
            text.truncate(length);
            Some(Plain { text, is_sound: true })
        }
    }
}

/// The length without PKCS#7 padding, and whether that is right. All of the last block is looked at
/// whatever it holds; a wrong padding leaves the length that the last byte claims.
fn unpadded(text: &[u8]) -> (usize, bool) {
    let (Some(last_block), Some(claimed)) = (text.last_chunk::<16>(), text.last().copied()) else {
        return (0, false);
    };
    let padding = usize::from(claimed).clamp(1, last_block.len());
    let wrong = last_block.iter().rev().enumerate().fold(0, |wrong, (from_end, byte)| {
        let counts = u8::from(from_end < padding);
        wrong | ((byte ^ claimed) * counts)
    });
    let is_sound = wrong == 0 && padding == usize::from(claimed);
    (text.len() - padding, is_sound)
}

/// `plain` encrypted with CBC. The caller gives an `iv` that nobody can foresee.
pub(super) fn seal_cbc(plain: Vec<u8>, secret: &ServerSecret, iv: [u8; 16]) -> Option<Vec<u8>> {
    let key = UnboundCipherKey::new(&cipher::AES_256, secret.expose()).ok()?;
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?;
    let mut buffer = plain;
    key.less_safe_encrypt(&mut buffer, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
    Some(buffer)
}

/// `plain` encrypted with GCM, its tag behind it. The caller never gives a `nonce` twice.
pub(super) fn seal_gcm(plain: Vec<u8>, secret: &ServerSecret, nonce: [u8; 12]) -> Option<Vec<u8>> {
    let mut buffer = plain;
    let nonce = Nonce::assume_unique_for_key(nonce);
    gcm_key(secret)?.seal_in_place_append_tag(nonce, Aad::empty(), &mut buffer).ok()?;
    Some(buffer)
}

fn gcm_key(secret: &ServerSecret) -> Option<LessSafeKey> {
    UnboundKey::new(&aead::AES_256_GCM, secret.expose()).ok().map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_1_to_16_bytes_that_say_their_number() {
        let block = |tail: &[u8]| {
            let mut text = vec![b'x'; 32];
            text[32 - tail.len()..].copy_from_slice(tail);
            unpadded(&text)
        };
        assert_eq!(block(&[1]), (31, true));
        assert_eq!(block(&[3, 3, 3]), (29, true));
        assert_eq!(block(&[16; 16]), (16, true));
        assert_eq!(block(&[17; 17]), (16, false));
        assert_eq!(block(&[3, 2, 3]), (29, false));
        assert_eq!(block(&[0]), (31, false));
        assert_eq!(unpadded(&[]), (0, false));
    }
}
