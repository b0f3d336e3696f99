//! ICE-lite (RFC 8445 §2.5): the server asks nothing, it answers checks that prove to know its
//! password. Only they let an address in or move a peer to another one.

use std::time::Instant;

use odeum_rtp::BufferTooSmall;
use odeum_rtp::stun::{self, Class, ErrorCode, IceRole, IntegrityKey, Message, Nomination};

use crate::config::{ADDRESS_SILENCE, ADDRESSES_PER_PEER_MAX};
use crate::entropy::Entropy;
use crate::transport_address::{AddressPair, TransportAddress};

/// Characters of our ufrag and password (RFC 8839 §5.4 asks for 4 and 22): 48 and 144 bits.
const UFRAG_CHARACTERS: usize = 8;
const PASSWORD_CHARACTERS: usize = 24;

/// The ICE state of one peer.
pub(crate) struct Ice {
    /// What checks prove to know: of the answer, or of the last restart.
    credentials: Credentials,
    /// What they were before a restart, good until a pair of the new ones is nominated: media goes
    /// on over the old pair until then (RFC 8445 §9).
    former: Option<Credentials>,
    /// Addresses that an authentic check came from, each once, with the one of ours that the last
    /// of them came to; the oldest first.
    addresses: Vec<AddressPair>,
    /// Where we send to: the last nominated, before that the first validated.
    selected: Option<AddressPair>,
    /// When an authentic check last came from there.
    selected_checked: Instant,
}

/// The names and our password of one ICE session.
struct Credentials {
    /// Our name in this association; the first part of each check's USERNAME.
    ufrag: String,
    /// Our password, for the SDP.
    password: String,
    /// The same, ready to check integrity with.
    key: IntegrityKey,
    /// The peer's name, from its SDP.
    remote_ufrag: String,
}

/// Which credentials a check has proven to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IceSession {
    /// The latest.
    Current,
    /// Those before a restart.
    Former,
}

/// What becomes of names and addresses when a check is accepted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// The address that had to make way.
    pub(crate) evicted: Option<TransportAddress>,
    /// Our name before a restart, which is over now.
    pub(crate) former_ufrag: Option<String>,
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

impl Credentials {
    fn new(entropy: &mut Entropy, remote_ufrag: &str) -> Self {
        let password = entropy.ice_text(PASSWORD_CHARACTERS);
        Self {
            ufrag: entropy.ice_text(UFRAG_CHARACTERS),
            key: IntegrityKey::new(password.as_bytes()),
            password,
            remote_ufrag: remote_ufrag.to_owned(),
        }
    }

    fn are_named_by(&self, message: &Message<'_>) -> bool {
        message.ufrags() == Some((&self.ufrag, &self.remote_ufrag))
    }
}

impl Ice {
    pub(crate) fn new(now: Instant, entropy: &mut Entropy, remote_ufrag: &str) -> Self {
        Self {
            credentials: Credentials::new(entropy, remote_ufrag),
            former: None,
            addresses: Vec::new(),
            selected: None,
            selected_checked: now,
        }
    }

    /// Begins a new ICE session of the same peer (RFC 8445 §9): new credentials, while the old ones
    /// stay good until a pair of the new ones is nominated. Gives our name that is no longer one.
    pub(crate) fn restart(
        &mut self,
        entropy: &mut Entropy,
        remote_ufrag: &str,
        is_taken: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let mut latest = Credentials::new(entropy, remote_ufrag);
        // 48 random bits: a second draw is a curiosity, a third one will not be seen.
        while is_taken(&latest.ufrag) {
            latest = Credentials::new(entropy, remote_ufrag);
        }
        let before = std::mem::replace(&mut self.credentials, latest);
        if self.former.is_some() {
            // Of the restart before this one nothing came: what carries the media is older.
            return Some(before.ufrag);
        }
        self.former = Some(before);
        None
    }

    /// Judges a binding request whose ufrag is ours.
    ///
    /// # Errors
    /// [`CheckRefused`].
    pub(crate) fn check(&self, message: &Message<'_>) -> Result<(), CheckRefused> {
        if message.class != Class::Request || !message.has_fingerprint() {
            return Err(CheckRefused::Ignored);
        }
        let session = self.session_of(message).ok_or(CheckRefused::Ignored)?;
        let credentials = self.credentials_of(session).ok_or(CheckRefused::Ignored)?;
        message.verify(&credentials.key).map_err(|_| CheckRefused::Ignored)?;
        if !message.unknown.as_slice().is_empty() {
            return Err(CheckRefused::Answered(ErrorCode::UnknownAttribute));
        }
        // A lite agent is always controlled (RFC 8445 §6.1.1), so its peer has to control.
        if matches!(message.role, Some(IceRole::Controlled(_))) {
            return Err(CheckRefused::Answered(ErrorCode::RoleConflict));
        }
        Ok(())
    }

    /// Lets `source` in, after [`Self::check`] of `message`.
    ///
    /// A nomination moves the peer there. A client that nominates only once, and whose NAT has
    /// given it another address, keeps checking the pair from there: it is followed once the old
    /// address is silent.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        source: AddressPair,
        message: &Message<'_>,
    ) -> Accepted {
        let is_nominated = message.nomination == Nomination::UseCandidate;
        let is_current = self.session_of(message) == Some(IceSession::Current);
        let restarted = if is_nominated && is_current { self.former.take() } else { None };
        Accepted {
            evicted: self.let_in(now, source, is_nominated),
            former_ufrag: restarted.map(|former| former.ufrag),
        }
    }

    fn let_in(
        &mut self,
        now: Instant,
        source: AddressPair,
        is_nominated: bool,
    ) -> Option<TransportAddress> {
        let is_lost = now.saturating_duration_since(self.selected_checked) >= ADDRESS_SILENCE;
        if is_nominated || self.selected.is_none() || is_lost {
            self.selected = Some(source);
        }
        if self.selected == Some(source) {
            self.selected_checked = now;
        }
        if let Some(known) = self.addresses.iter_mut().find(|pair| pair.remote == source.remote) {
            *known = source;
            return None;
        }
        self.addresses.push(source);
        if self.addresses.len() <= ADDRESSES_PER_PEER_MAX {
            return None;
        }
        let selected = self.selected.map(|pair| pair.remote);
        let oldest = self.addresses.iter().position(|pair| Some(pair.remote) != selected)?;
        Some(self.addresses.remove(oldest).remote)
    }

    /// Another peer has proven to be at `address` now.
    pub(crate) fn forget(&mut self, address: TransportAddress) {
        self.addresses.retain(|known| known.remote != address);
        if self.selected.is_some_and(|selected| selected.remote == address) {
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
        source: TransportAddress,
        verdict: Result<(), ErrorCode>,
    ) -> Result<usize, BufferTooSmall> {
        let session = self.session_of(message).unwrap_or(IceSession::Current);
        let credentials = self.credentials_of(session).unwrap_or(&self.credentials);
        let (transaction, key) = (message.transaction, &credentials.key);
        match verdict {
            Ok(()) => stun::write_success(buffer, transaction, source.socket, Some(key)),
            Err(code) => {
                let unknown = message.unknown.as_slice();
                stun::write_error(buffer, transaction, code, unknown, Some(key))
            }
        }
    }

    /// Our name now.
    pub(crate) fn ufrag(&self) -> &str {
        &self.credentials.ufrag
    }

    /// All our names that checks may come under.
    pub(crate) fn ufrags(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.credentials).chain(&self.former);
        all.map(|credentials| credentials.ufrag.as_str())
    }

    /// Our password now.
    pub(crate) fn password(&self) -> &str {
        &self.credentials.password
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = TransportAddress> {
        self.addresses.iter().map(|pair| pair.remote)
    }

    pub(crate) fn selected(&self) -> Option<AddressPair> {
        self.selected
    }

    /// The ICE session that a check names.
    fn session_of(&self, message: &Message<'_>) -> Option<IceSession> {
        if self.credentials.are_named_by(message) {
            return Some(IceSession::Current);
        }
        let former = self.former.as_ref()?;
        former.are_named_by(message).then_some(IceSession::Former)
    }

    fn credentials_of(&self, session: IceSession) -> Option<&Credentials> {
        match session {
            IceSession::Current => Some(&self.credentials),
            IceSession::Former => self.former.as_ref(),
        }
    }
}
