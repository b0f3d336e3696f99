//! The names under which clients use the server's own TURN relay. Each says for whom it was made,
//! so that the relay can end what it gave when that one's session ends, and keeps nothing of names.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use odeum_types::{AppId, SessionId, UnixMillis, UserId};

/// How long a name that was given before there is a session opens the relay without one: a client
/// of WHIP gathers in it, and then offers.
pub const SESSION_WITHIN: Duration = Duration::from_secs(60);

/// For whom a name is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnHolder {
    /// The app.
    pub app: AppId,
    /// The user.
    pub user: UserId,
    /// The session; none when it has yet to begin.
    pub session: Option<SessionId>,
}

/// A name, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnName {
    /// For whom it was made.
    pub holder: TurnHolder,
    /// Until when it is good without a session, for one that was made without.
    pub pending_until: UnixMillis,
}

impl TurnName {
    /// Writes a name that is made at `now` and ends at `expires_at`:
    /// `<second of its end>:<app>:<session, or ~ and the second until which it needs none>:<user>`,
    /// in characters that headers and the logs of others take.
    pub fn write(holder: &TurnHolder, now: UnixMillis, expires_at: UnixMillis) -> String {
        let TurnHolder { app, user, session } = holder;
        let session = match session {
            Some(session) => session.0.to_string(),
            None => format!("~{}", now.after(SESSION_WITHIN).0 / 1_000),
        };
        let user = URL_SAFE_NO_PAD.encode(user.as_str());
        format!("{}:{}:{session}:{user}", expires_at.0 / 1_000, app.0)
    }

    /// Reads a name; none for one that was not written by [`Self::write`].
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split(':');
        let mut next = || parts.next();
        let (_expires, app, session, user) = (next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return None;
        }
        let app = AppId(app.parse().ok()?);
        let user = String::from_utf8(URL_SAFE_NO_PAD.decode(user).ok()?).ok()?;
        let user = UserId::parse(&user).ok()?;
        let (session, pending_s) = match session.strip_prefix('~') {
            Some(until_s) => (None, until_s.parse().ok()?),
            None => (Some(SessionId(session.parse().ok()?)), 0),
        };
        let pending_until = UnixMillis(u64::checked_mul(pending_s, 1_000)?);
        Some(Self { holder: TurnHolder { app, user, session }, pending_until })
    }

    /// Whether its holder is here at `now`, when the app has for that user a session, whose login
    /// began so long ago. A name that was made without a session is that of those which begin
    /// while it needs none: a later login does not bring it back.
    pub fn is_here(&self, now: UnixMillis, session: Option<(SessionId, Duration)>) -> bool {
        match (self.holder.session, session) {
            (Some(own), session) => session.is_some_and(|(id, _)| id == own),
            (None, None) => now < self.pending_until,
            (None, Some((_, age))) => now < self.pending_until.after(age),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn holder(session: Option<u64>) -> TurnHolder {
        let user = UserId::parse("ann.ä:~").unwrap_or_else(|_| UserId::parse("ann").unwrap());
        TurnHolder { app: AppId(7), user, session: session.map(SessionId) }
    }

    fn session(id: u64, age_s: u64) -> Option<(SessionId, Duration)> {
        Some((SessionId(id), Duration::from_secs(age_s)))
    }

    #[test]
    fn a_name_is_read_as_it_was_written_and_has_plain_characters() {
        for session in [Some(42), None] {
            let name = TurnName::write(&holder(session), NOW, NOW.after(Duration::from_secs(9)));
            assert!(name.starts_with("1700000009:7:"), "{name}");
            let is_plain =
                |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '~');
            assert!(name.chars().all(is_plain), "{name}");
            assert_eq!(TurnName::parse(&name).unwrap().holder, holder(session));
        }
        for broken in ["", "1:2:3", "1:2:3:YW5u:5", "1:x:3:YW5u", "1:2:x:YW5u", "1:2:3:", "1:2:3:*"]
        {
            assert_eq!(TurnName::parse(broken), None, "{broken}");
        }
        let last = format!("1:2:~{}:YW5u", u64::MAX);
        assert_eq!(TurnName::parse(&last), None);
    }

    #[test]
    fn the_name_of_a_session_is_good_while_that_one_goes_on() {
        let name = TurnName::write(&holder(Some(42)), NOW, NOW);
        let name = TurnName::parse(&name).unwrap();
        assert!(name.is_here(NOW, session(42, 9)));
        assert!(!name.is_here(NOW, session(43, 9)), "another login of the same user");
        assert!(!name.is_here(NOW, None));
    }

    #[test]
    fn a_name_without_a_session_has_a_minute_to_get_one() {
        let name = TurnName::write(&holder(None), NOW, NOW.after(Duration::from_secs(3_600)));
        let name = TurnName::parse(&name).unwrap();
        assert!(name.is_here(NOW.after(Duration::from_secs(59)), None));
        assert!(!name.is_here(NOW.after(Duration::from_secs(60)), None));
        let later = NOW.after(Duration::from_secs(600));
        assert!(name.is_here(later, session(42, 541)), "one that began in that minute");
        assert!(name.is_here(later, session(42, 900)), "one that had begun before");
    }

    #[test]
    fn a_name_without_a_session_does_not_come_back_with_a_later_login() {
        let name = TurnName::write(&holder(None), NOW, NOW.after(Duration::from_secs(3_600)));
        let name = TurnName::parse(&name).unwrap();
        let later = NOW.after(Duration::from_secs(600));
        assert!(!name.is_here(later, session(43, 0)));
        assert!(!name.is_here(later, session(43, 540)));
    }
}
