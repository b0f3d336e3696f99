//! Encrypting and decrypting a token's inside: AES-256 in CBC with PKCS#7 padding, or in GCM without
//! additional data (contract, auth 2.4).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    self, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use super::TokenForm;
use super::envelope::Envelope;
use crate::secret::ServerSecret;

/// The inside in plain text, or nothing.
pub(super) fn open(envelope: &Envelope, secret: &ServerSecret) -> Option<Vec<u8>> {
    let mut buffer = envelope.ciphertext.clone();
    let length = match envelope.form {
        TokenForm::Token04Cbc | TokenForm::Token03 => {
            let iv = <[u8; 16]>::try_from(envelope.iv.as_slice()).ok()?;
            let key = UnboundCipherKey::new(&cipher::AES_256, secret.expose()).ok()?;
            let context = DecryptionContext::Iv128(FixedLength::from(iv));
            let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
            key.decrypt(&mut buffer, context).ok()?.len()
        }
        TokenForm::Token04Gcm => {
            let nonce = Nonce::try_assume_unique_for_key(&envelope.iv).ok()?;
            gcm_key(secret)?.open_in_place(nonce, Aad::empty(), &mut buffer).ok()?.len()
        }
    };
    buffer.truncate(length);
    Some(buffer)
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
