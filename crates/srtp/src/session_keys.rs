//! Session keys: their derivation (RFC 3711 §4.3) and the one place that touches ciphers.
//!
//! Key schedules are made once and hashed HMAC pads are copied per packet: making them per packet
//! costs four times the encryption of a 1,200-byte packet.

use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::RTCP_CLEAR_BYTES;
use crate::profile::{MasterKey, Profile};

/// Derivation labels of RTP (RFC 3711 §4.3.1); those of RTCP follow three later (§4.3.2).
const LABEL_RTP: u8 = 0;
const LABEL_RTCP: u8 = 3;

/// Length of the HMAC-SHA1 session key and of the tag kept of it (RFC 3711 §5.2, §8.2).
const HMAC_KEY_BYTES: usize = 20;
const HMAC_TAG_BYTES: usize = 10;
const GCM_TAG_BYTES: usize = 16;

/// The E flag of SRTCP, beside the 31-bit index (RFC 3711 §3.4).
const RTCP_ENCRYPTED: u32 = 1 << 31;

/// Says that a packet is not what the holder of the key sent.
pub(crate) struct Forged;

/// The keys of one direction of RTP, or of RTCP.
#[expect(clippy::large_enum_variant, reason = "nearly every peer has GCM: no hop to its key")]
pub(crate) enum SessionKeys {
    /// AES-GCM (RFC 7714).
    Gcm {
        /// Cipher with its key schedule.
        key: LessSafeKey,
        /// Session salt.
        salt: [u8; 12],
    },
    /// AES in counter mode and HMAC-SHA1 (RFC 3711). Boxed: three times the size of the other, of
    /// which a peer has four.
    CounterMode(Box<CounterModeKeys>),
}

/// Session keys of the profile that RFC 3711 began with.
pub(crate) struct CounterModeKeys {
    /// Cipher with its key schedule.
    key: EncryptingKey,
    /// Both pads hashed already.
    hmac: hmac::Key,
    /// Session salt.
    salt: [u8; 14],
}

impl SessionKeys {
    pub(crate) fn rtp(master: &MasterKey) -> Self {
        Self::derive(master, LABEL_RTP)
    }

    pub(crate) fn rtcp(master: &MasterKey) -> Self {
        Self::derive(master, LABEL_RTCP)
    }

    fn derive(master: &MasterKey, label: u8) -> Self {
        let mut key = [0; 32];
        let key = &mut key[..master.profile().key_bytes()];
        pseudo_random(master, label, key);
        let mut hmac_key = [0; HMAC_KEY_BYTES];
        pseudo_random(master, label + 1, &mut hmac_key);
        let mut salt = [0; 14];
        pseudo_random(master, label + 2, &mut salt);
        Self::from_parts(master.profile(), key, &hmac_key, &salt)
    }

    fn from_parts(profile: Profile, key: &[u8], hmac_key: &[u8], salt: &[u8]) -> Self {
        let gcm = |algorithm| {
            let mut short = [0; 12];
            short.copy_from_slice(&salt[..12]);
            let key = UnboundKey::new(algorithm, key).expect("key length comes from the profile");
            Self::Gcm { key: LessSafeKey::new(key), salt: short }
        };
        match profile {
            Profile::AeadAes128Gcm => gcm(&aead::AES_128_GCM),
            Profile::AeadAes256Gcm => gcm(&aead::AES_256_GCM),
            Profile::AesCm128HmacSha1_80 => {
                let mut long = [0; 14];
                long.copy_from_slice(&salt[..14]);
                Self::CounterMode(Box::new(CounterModeKeys {
                    key: counter_mode_key(key),
                    hmac: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, hmac_key),
                    salt: long,
                }))
            }
        }
    }

    /// Encrypts `packet` behind its header and writes the tag into its last bytes. `index` is the
    /// 48-bit packet index. `packet` must be longer than header and tag together.
    pub(crate) fn seal_rtp(&self, packet: &mut [u8], header: usize, ssrc: u32, index: u64) {
        match self {
            Self::Gcm { key, salt } => {
                let (body, tag) = packet.split_at_mut(packet.len() - GCM_TAG_BYTES);
                let (clear, payload) = body.split_at_mut(header);
                let nonce = gcm_rtp_nonce(salt, ssrc, index);
                let sealed = key
                    .seal_in_place_separate_tag(nonce, Aad::from(&*clear), payload)
                    .expect("a packet is far below the 64 GB that GCM can seal");
                tag.copy_from_slice(sealed.as_ref());
            }
            Self::CounterMode(keys) => {
                let CounterModeKeys { key, hmac, salt } = &**keys;
                let (body, tag) = packet.split_at_mut(packet.len() - HMAC_TAG_BYTES);
                apply_keystream(key, counter_block(salt, ssrc, index), &mut body[header..]);
                let full = rtp_tag(hmac, body, index);
                tag.copy_from_slice(&full.as_ref()[..HMAC_TAG_BYTES]);
            }
        }
    }

    /// Checks and decrypts what [`Self::seal_rtp`] made.
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), Forged> {
        match self {
            Self::Gcm { key, salt } => {
                let (clear, sealed) = packet.split_at_mut(header);
                let nonce = gcm_rtp_nonce(salt, ssrc, index);
                key.open_in_place(nonce, Aad::from(&*clear), sealed).map_err(|_| Forged)?;
            }
            Self::CounterMode(keys) => {
                let CounterModeKeys { key, hmac, salt } = &**keys;
                let (body, tag) = packet.split_at_mut(packet.len() - HMAC_TAG_BYTES);
                let full = rtp_tag(hmac, body, index);
                verify_slices_are_equal(&full.as_ref()[..HMAC_TAG_BYTES], tag)
                    .map_err(|_| Forged)?;
                apply_keystream(key, counter_block(salt, ssrc, index), &mut body[header..]);
            }
        }
        Ok(())
    }

    /// Encrypts an RTCP packet and writes E flag, index and tag into its last bytes.
    pub(crate) fn seal_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) {
        let word = (RTCP_ENCRYPTED | index).to_be_bytes();
        match self {
            // RFC 7714 §9.3: the tag stands before the ESRTCP word.
            Self::Gcm { key, salt } => {
                let (body, trailer) = packet.split_at_mut(packet.len() - GCM_TAG_BYTES - 4);
                let aad = gcm_rtcp_aad(body, word);
                let nonce = gcm_rtcp_nonce(salt, ssrc, index);
                let payload = &mut body[RTCP_CLEAR_BYTES..];
                let sealed = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), payload)
                    .expect("a packet is far below the 64 GB that GCM can seal");
                trailer[..GCM_TAG_BYTES].copy_from_slice(sealed.as_ref());
                trailer[GCM_TAG_BYTES..].copy_from_slice(&word);
            }
            Self::CounterMode(keys) => {
                let CounterModeKeys { key, hmac, salt } = &**keys;
                let (body, tag) = packet.split_at_mut(packet.len() - HMAC_TAG_BYTES);
                let (plain, trailer) = body.split_at_mut(body.len() - 4);
                let block = counter_block(salt, ssrc, u64::from(index));
                apply_keystream(key, block, &mut plain[RTCP_CLEAR_BYTES..]);
                trailer.copy_from_slice(&word);
                tag.copy_from_slice(&hmac::sign(hmac, body).as_ref()[..HMAC_TAG_BYTES]);
            }
        }
    }

    /// Checks and decrypts what [`Self::seal_rtcp`] made.
    pub(crate) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Result<(), Forged> {
        match self {
            Self::Gcm { key, salt } => {
                let (body, word) = packet.split_at_mut(packet.len() - 4);
                let aad = gcm_rtcp_aad(body, [word[0], word[1], word[2], word[3]]);
                let nonce = gcm_rtcp_nonce(salt, ssrc, index);
                key.open_in_place(nonce, Aad::from(aad), &mut body[RTCP_CLEAR_BYTES..])
                    .map_err(|_| Forged)?;
            }
            Self::CounterMode(keys) => {
                let CounterModeKeys { key, hmac, salt } = &**keys;
                let (body, tag) = packet.split_at_mut(packet.len() - HMAC_TAG_BYTES);
                let full = hmac::sign(hmac, body);
                verify_slices_are_equal(&full.as_ref()[..HMAC_TAG_BYTES], tag)
                    .map_err(|_| Forged)?;
                let plain = body.len() - 4;
                let block = counter_block(salt, ssrc, u64::from(index));
                apply_keystream(key, block, &mut body[RTCP_CLEAR_BYTES..plain]);
            }
        }
        Ok(())
    }

    /// The E flag and the index of a protected RTCP packet: the last word for GCM, the word before
    /// the tag for counter mode. The caller has checked the length.
    pub(crate) fn rtcp_index(&self, packet: &[u8]) -> (RtcpEncryption, u32) {
        let end = match self {
            Self::Gcm { .. } => packet.len(),
            Self::CounterMode(_) => packet.len() - HMAC_TAG_BYTES,
        };
        let word = u32::from_be_bytes(
            packet[end - 4..end].try_into().expect("a slice of four bytes makes an array of four"),
        );
        let encryption = match word & RTCP_ENCRYPTED {
            0 => RtcpEncryption::None,
            _ => RtcpEncryption::Whole,
        };
        (encryption, word & !RTCP_ENCRYPTED)
    }
}

/// The E flag of SRTCP.
#[derive(PartialEq, Eq)]
pub(crate) enum RtcpEncryption {
    /// Only authenticated; nobody in WebRTC sends this.
    None,
    /// Encrypted and authenticated.
    Whole,
}

fn counter_mode_key(key: &[u8]) -> EncryptingKey {
    let algorithm = if key.len() == 32 { &cipher::AES_256 } else { &cipher::AES_128 };
    UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .expect("key length comes from the profile")
}

fn apply_keystream(key: &EncryptingKey, block: [u8; 16], bytes: &mut [u8]) {
    key.less_safe_encrypt(bytes, EncryptionContext::Iv128(block.into()))
        .expect("counter mode takes any length");
}

/// AES-CM PRF with a key derivation rate of zero (RFC 3711 §4.3.3, RFC 7714 §11): the label lies
/// over the salt's octet 7, the last two octets count blocks.
fn pseudo_random(master: &MasterKey, label: u8, output: &mut [u8]) {
    let mut block = [0; 16];
    block[..14].copy_from_slice(master.salt());
    block[7] ^= label;
    output.fill(0);
    apply_keystream(&counter_mode_key(master.key()), block, output);
}

/// The first counter block (RFC 3711 §4.1.1): salt * 2^16 ^ SSRC * 2^64 ^ index * 2^16.
fn counter_block(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut block = [0; 16];
    block[..14].copy_from_slice(salt);
    let mask = (u128::from(ssrc) << 64) ^ (u128::from(index) << 16);
    (u128::from_be_bytes(block) ^ mask).to_be_bytes()
}

fn rtp_tag(key: &hmac::Key, body: &[u8], index: u64) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(body);
    context.update(&((index >> 16) as u32).to_be_bytes());
    context.sign()
}

/// RFC 7714 §8.1: zero, SSRC, rollover counter and sequence number, over the salt.
fn gcm_rtp_nonce(salt: &[u8; 12], ssrc: u32, index: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[6..12].copy_from_slice(&index.to_be_bytes()[2..]);
    salted(nonce, salt)
}

/// RFC 7714 §9.1: zero, SSRC, zero and the 31-bit index, over the salt.
fn gcm_rtcp_nonce(salt: &[u8; 12], ssrc: u32, index: u32) -> Nonce {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[8..12].copy_from_slice(&index.to_be_bytes());
    salted(nonce, salt)
}

fn salted(mut nonce: [u8; 12], salt: &[u8; 12]) -> Nonce {
    nonce.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 7714 §9.2: the clear header and the ESRTCP word.
fn gcm_rtcp_aad(packet: &[u8], word: [u8; 4]) -> [u8; 12] {
    let mut aad = [0; 12];
    aad[..RTCP_CLEAR_BYTES].copy_from_slice(&packet[..RTCP_CLEAR_BYTES]);
    aad[RTCP_CLEAR_BYTES..].copy_from_slice(&word);
    aad
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::DtlsKeys;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn keystream_is_that_of_rfc_3711_b_2() {
        let key = counter_mode_key(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
        let salt: [u8; 14] = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD").try_into().unwrap();
        let mut stream = vec![0; 0xff03 * 16];
        apply_keystream(&key, counter_block(&salt, 0, 0), &mut stream);
        assert_eq!(
            &stream[..48],
            hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
                 41E95B3BB0A2E8DD477901E4FCA894C0")
        );
        assert_eq!(
            &stream[0xfeff * 16..0xff02 * 16],
            hex("EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
                 6A2CC3787889374FBEB4C81B17BA6C44")
        );
    }

    #[test]
    fn derived_keys_are_those_of_rfc_3711_b_3() {
        let material = [
            hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
            vec![0; 16],
            hex("0EC675AD498AFEEBB6960B3AABE6"),
            vec![0; 14],
        ]
        .concat();
        let keys = DtlsKeys::split(Profile::AesCm128HmacSha1_80, &material).unwrap();
        let derive = |label, length| {
            let mut output = vec![0xaa; length];
            pseudo_random(&keys.client, label, &mut output);
            output
        };
        assert_eq!(derive(0, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derive(2, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            derive(1, 94),
            hex("CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
                 E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
                 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2")
        );
    }

    const SALT_7714: &str = "517569642070726f2071756f";
    const RTP_7714: &str = "8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973
        20646976 69736120 696e2070 61727465 73207472 6573";
    const RTCP_7714: &str = "81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930
        4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef";

    fn gcm_keys(profile: Profile) -> SessionKeys {
        let key: Vec<u8> = (0..profile.key_bytes() as u8).collect();
        SessionKeys::from_parts(profile, &key, &[], &hex(SALT_7714))
    }

    fn check_rtp(profile: Profile, sealed: &str) {
        let keys = gcm_keys(profile);
        let plain = hex(RTP_7714);
        let mut packet = plain.clone();
        packet.resize(plain.len() + 16, 0);
        keys.seal_rtp(&mut packet, 12, 0x5501_a0b2, 0xf17b);
        assert_eq!(packet, hex(sealed));
        assert!(keys.open_rtp(&mut packet, 12, 0x5501_a0b2, 0xf17b).is_ok());
        assert_eq!(packet[..plain.len()], plain);
    }

    #[test]
    fn gcm_packets_are_those_of_rfc_7714_16() {
        check_rtp(
            Profile::AeadAes128Gcm,
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f
             42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        check_rtp(
            Profile::AeadAes256Gcm,
            "8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3
             b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
        );
    }

    fn check_rtcp(profile: Profile, sealed: &str) {
        let keys = gcm_keys(profile);
        let plain = hex(RTCP_7714);
        let mut packet = plain.clone();
        packet.resize(plain.len() + 20, 0);
        keys.seal_rtcp(&mut packet, 0x4d61_7273, 0x5d4);
        assert_eq!(packet, hex(sealed));
        assert!(keys.rtcp_index(&packet) == (RtcpEncryption::Whole, 0x5d4));
        assert!(keys.open_rtcp(&mut packet, 0x4d61_7273, 0x5d4).is_ok());
        assert_eq!(packet[..plain.len()], plain);
    }

    #[test]
    fn gcm_rtcp_packets_are_those_of_rfc_7714_17() {
        check_rtcp(
            Profile::AeadAes128Gcm,
            "81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1
             730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
        );
        check_rtcp(
            Profile::AeadAes256Gcm,
            "81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1
             110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
        );
    }
}
