//! Protection profiles and master keys: what DTLS negotiates and exports (RFC 5764, RFC 7714
//! §14.2).

/// A DTLS-SRTP protection profile that Odeum speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM` (RFC 7714 §14.2): the cheapest per packet.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM` (RFC 7714 §14.2).
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80` (RFC 5764 §4.1.2): what every WebRTC endpoint has.
    AesCm128HmacSha1_80,
}

impl Profile {
    /// All profiles, the preferred one first.
    pub const ALL: [Self; 3] =
        [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::AesCm128HmacSha1_80];

    /// Bytes that [`crate::Outbound::protect_rtp`] adds: the authentication tag.
    pub const fn rtp_overhead_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// Bytes that [`crate::Outbound::protect_rtcp`] adds: the tag, the E flag and the index.
    pub const fn rtcp_overhead_bytes(self) -> usize {
        self.rtp_overhead_bytes() + 4
    }

    /// Length of a master key.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Length of a master salt: 96 bits for AEAD (RFC 7714 §12), else 112 (RFC 3711 §8.2).
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Length of the keying material to export from DTLS for both directions.
    pub const fn keying_material_bytes(self) -> usize {
        2 * (self.key_bytes() + self.salt_bytes())
    }
}

/// The master key and salt of one direction. Never printed.
pub struct MasterKey {
    /// The key; the first [`Profile::key_bytes`] count.
    key: [u8; 32],
    /// The salt, padded with zeros to the 112 bits of the key derivation (RFC 7714 §11).
    salt: [u8; 14],
    /// The profile it was made for.
    profile: Profile,
}

impl MasterKey {
    fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Self {
        let mut master = Self { key: [0; 32], salt: [0; 14], profile };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        master
    }

    /// The key without its padding.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key[..self.profile.key_bytes()]
    }

    /// The salt as the key derivation takes it.
    pub(crate) fn salt(&self) -> &[u8; 14] {
        &self.salt
    }

    /// The profile that this key was cut for.
    pub fn profile(&self) -> Profile {
        self.profile
    }
}

/// Both directions' master keys.
pub struct DtlsKeys {
    /// What the DTLS client sends with.
    pub client: MasterKey,
    /// What the DTLS server sends with.
    pub server: MasterKey,
}

impl DtlsKeys {
    /// Cuts exported keying material: client key, server key, client salt, server salt
    /// (RFC 5764 §4.2).
    ///
    /// # Errors
    /// [`KeyingMaterialLengthError`] when `material` is not [`Profile::keying_material_bytes`]
    /// long.
    pub fn split(profile: Profile, material: &[u8]) -> Result<Self, KeyingMaterialLengthError> {
        if material.len() != profile.keying_material_bytes() {
            return Err(KeyingMaterialLengthError {
                length: material.len(),
                expected: profile.keying_material_bytes(),
            });
        }
        let (keys, salts) = material.split_at(2 * profile.key_bytes());
        let (client_key, server_key) = keys.split_at(profile.key_bytes());
        let (client_salt, server_salt) = salts.split_at(profile.salt_bytes());
        Ok(Self {
            client: MasterKey::new(profile, client_key, client_salt),
            server: MasterKey::new(profile, server_key, server_salt),
        })
    }
}

/// Keying material of the wrong length for its profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes of keying material, the profile takes {expected}")]
pub struct KeyingMaterialLengthError {
    /// Bytes given.
    pub length: usize,
    /// Bytes that the profile takes.
    pub expected: usize,
}
