//! The secret of an app: 32 characters that sign requests and are the key of tokens.

use odeum_types::Redacted;

/// A ServerSecret's length. Its bytes are the AES-256 key as they stand: they are not decoded from
/// hex.
pub const SECRET_BYTES: usize = 32;

/// A ServerSecret. It never prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSecret(Redacted<[u8; SECRET_BYTES]>);

impl ServerSecret {
    /// Takes the text of a ServerSecret.
    ///
    /// # Errors
    /// [`SecretError`] when it is not 32 bytes of UTF-8.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let bytes = <[u8; SECRET_BYTES]>::try_from(text.as_bytes())
            .map_err(|_| SecretError { bytes: text.len() })?;
        Ok(Self(Redacted::new(bytes)))
    }

    /// The key's bytes.
    pub fn expose(&self) -> &[u8; SECRET_BYTES] {
        self.0.expose()
    }
}

/// Why a text is not a ServerSecret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server secret has {SECRET_BYTES} bytes, not {bytes}")]
pub struct SecretError {
    /// The length that was given.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_32_bytes_and_never_prints() {
        assert_eq!(ServerSecret::parse("short"), Err(SecretError { bytes: 5 }));
        let secret = ServerSecret::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert!(!format!("{secret:?}").contains("0123"));
    }
}
