//! ICE-lite (RFC 8445 §2.5): the server asks nothing, it answers checks that prove to know its
//! password. Only they let an address in or move a peer to another one.

use std::net::SocketAddr;
use std::time::Instant;

use odeum_rtp::BufferTooSmall;
use odeum_rtp::stun::{self, Class, ErrorCode, IceRole, IntegrityKey, Message, Nomination};

use crate::config::{ADDRESS_SILENCE, ADDRESSES_PER_PEER_MAX};
use crate::entropy::Entropy;

/// Characters of our ufrag and password (RFC 8839 §5.4 asks for 4 and 22): 48 and 144 bits.
const UFRAG_CHARACTERS: usize = 8;
const PASSWORD_CHARACTERS: usize = 24;

/// The ICE state of one peer.
pub(crate) struct Ice {
    /// Our name in this association; the first part of each check's USERNAME.
    ufrag: String,
    /// Our password, for the SDP.
    password: String,
    /// The same, ready to check integrity with.
    key: IntegrityKey,
    /// The peer's name, from its SDP.
    remote_ufrag: String,
    /// Addresses that an authentic check came from, the oldest first.
    addresses: Vec<SocketAddr>,
    /// Where we send to: the last nominated, before that the first validated.
    selected: Option<SocketAddr>,
    /// When an authentic check last came from there.
    selected_checked: Instant,
}

/// Why a check is not answered, or how it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckRefused {
    /// Not a request, or without what RFC 8445 §7.3 wants, or not authentic: no answer, since an
    /// answer would only tell a stranger that someone is here.
    Ignored,
    /// Authentic, but refused with this code.
    Answered(ErrorCode),
}

impl Ice {
    pub(crate) fn new(now: Instant, entropy: &mut Entropy, remote_ufrag: &str) -> Self {
        let password = entropy.ice_text(PASSWORD_CHARACTERS);
        Self {
            ufrag: entropy.ice_text(UFRAG_CHARACTERS),
            key: IntegrityKey::new(password.as_bytes()),
            password,
            remote_ufrag: remote_ufrag.to_owned(),
            addresses: Vec::new(),
            selected: None,
            selected_checked: now,
        }
    }

    /// Judges a binding request whose ufrag is ours.
    ///
    /// # Errors
    /// [`CheckRefused`].
    pub(crate) fn check(&self, message: &Message<'_>) -> Result<(), CheckRefused> {
        let is_ours = message.ufrags() == Some((&self.ufrag, &self.remote_ufrag));
        if message.class != Class::Request || !message.has_fingerprint() || !is_ours {
            return Err(CheckRefused::Ignored);
        }
        message.verify(&self.key).map_err(|_| CheckRefused::Ignored)?;
        if !message.unknown.as_slice().is_empty() {
            return Err(CheckRefused::Answered(ErrorCode::UnknownAttribute));
        }
        // A lite agent is always controlled (RFC 8445 §6.1.1), so its peer has to control.
        if matches!(message.role, Some(IceRole::Controlled(_))) {
            return Err(CheckRefused::Answered(ErrorCode::RoleConflict));
        }
        Ok(())
    }

    /// Lets `source` in, after [`Self::check`]. Gives the address that had to make way.
    ///
    /// A nomination moves the peer there. A client that nominates only once, and whose NAT has
    /// given it another address, keeps checking the pair from there: it is followed once the old
    /// address is silent.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        source: SocketAddr,
        nomination: Nomination,
    ) -> Option<SocketAddr> {
        let is_lost = now.saturating_duration_since(self.selected_checked) >= ADDRESS_SILENCE;
        if nomination == Nomination::UseCandidate || self.selected.is_none() || is_lost {
            self.selected = Some(source);
        }
        if self.selected == Some(source) {
            self.selected_checked = now;
        }
        if self.addresses.contains(&source) {
            return None;
        }
        self.addresses.push(source);
        if self.addresses.len() <= ADDRESSES_PER_PEER_MAX {
            return None;
        }
        let selected = self.selected;
        let oldest = self.addresses.iter().position(|address| Some(*address) != selected)?;
        Some(self.addresses.remove(oldest))
    }

    /// Another peer has proven to be at `address` now.
    pub(crate) fn forget(&mut self, address: SocketAddr) {
        self.addresses.retain(|known| *known != address);
        if self.selected == Some(address) {
            self.selected = self.addresses.last().copied();
        }
    }

    /// Writes the answer to a check; gives its length.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; never with [`stun::MESSAGE_SIZE_MAX`] bytes.
    pub(crate) fn write_answer(
        &self,
        buffer: &mut [u8],
        message: &Message<'_>,
        source: SocketAddr,
        verdict: Result<(), ErrorCode>,
    ) -> Result<usize, BufferTooSmall> {
        let (transaction, key) = (message.transaction, &self.key);
        match verdict {
            Ok(()) => stun::write_success(buffer, transaction, source, key),
            Err(code) => {
                let unknown = message.unknown.as_slice();
                stun::write_error(buffer, transaction, code, unknown, Some(key))
            }
        }
    }

    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(crate) fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }
}
