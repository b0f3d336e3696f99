//! The rules of one app as they hold now: who may not log in or publish, which streams are cut or
//! forbidden, and in which order calls about a stream may come (ruling 22).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use odeum_types::{RoomId, StreamId, UnixMillis, UserId};
use rustc_hash::FxHashMap;

use crate::rule::{RuleChange, StreamRule, UserRule, UserRuleKey};

/// User rules about addresses that are in force at once (contract, SetForbidUserRule).
pub const IP_RULES_MAX: usize = 100;

/// User rules of each other kind that are in force at once (contract, SetForbidUserRule).
pub const USER_RULES_MAX: usize = 200;

/// Stream rules in force at once; beyond it [`RuleError::TooManyStreamRules`].
pub const STREAM_RULES_MAX: usize = 10_000;

/// Forbidden streams; beyond it [`RuleError::TooManyForbiddenStreams`]. They have no end of their
/// own, so an app that never resumes any comes here one day.
pub const FORBIDDEN_STREAMS_MAX: usize = 100_000;

/// How long a Sequence of a stream is remembered (contract, media service).
pub const SEQUENCE_WINDOW: Duration = Duration::from_secs(10);

/// Why a rule is not set; nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Code 50123.
    #[error("the app has its {rules_max} rules of this kind in force")]
    TooManyUserRules {
        /// The limit that was hit.
        rules_max: usize,
    },
    /// The app has as many stream rules as it may.
    #[error("the app has its {rules_max} stream rules in force")]
    TooManyStreamRules {
        /// The limit that was hit.
        rules_max: usize,
    },
    /// The app has as many forbidden streams as it may.
    #[error("the app has its {streams_max} forbidden streams")]
    TooManyForbiddenStreams {
        /// The limit that was hit.
        streams_max: usize,
    },
    /// Code 50124: there is no rule of this key.
    #[error("there is no such rule")]
    NoUserRule,
}

/// A call about a stream came out of order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Sequence of stream {stream} does not grow: {last} was before")]
pub struct OutOfSequence {
    /// The stream.
    pub stream: StreamId,
    /// The largest in the window.
    pub last: u64,
}

/// Which kind of user rule; each has its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserRuleKind {
    /// RuleType 1.
    Ip,
    /// RuleType 2.
    Room,
    /// RuleType 3.
    User,
    /// RuleType 4.
    RoomUser,
}

/// The rules of one app. Rules that ended are forgotten when they are in the way.
#[derive(Debug, Default)]
pub struct Rules {
    /// By key; at most the limits of the kinds that are in force, and as many that ended.
    users: BTreeMap<UserRuleKey, UserRule>,
    /// By room and stream; at most [`STREAM_RULES_MAX`].
    streams: BTreeMap<(RoomId, StreamId), StreamRule>,
    /// Until they are resumed; at most [`FORBIDDEN_STREAMS_MAX`].
    forbidden: BTreeSet<StreamId>,
    /// The largest Sequence of each stream inside the window. As large as calls come in the
    /// window, which their rate limits bound.
    sequences: FxHashMap<StreamId, (u64, UnixMillis)>,
    /// When those were recorded, oldest first.
    recorded: VecDeque<(UnixMillis, StreamId)>,
}

impl UserRuleKey {
    /// Its kind.
    pub fn kind(&self) -> UserRuleKind {
        match self {
            Self::Ip(_) => UserRuleKind::Ip,
            Self::Room(_) => UserRuleKind::Room,
            Self::User(_) => UserRuleKind::User,
            Self::RoomUser(..) => UserRuleKind::RoomUser,
        }
    }
}

impl UserRuleKind {
    /// How many may be in force at once.
    pub fn rules_max(self) -> usize {
        match self {
            Self::Ip => IP_RULES_MAX,
            Self::Room | Self::User | Self::RoomUser => USER_RULES_MAX,
        }
    }
}

impl Rules {
    /// Whether nothing is forbidden to anybody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.streams.is_empty() && self.forbidden.is_empty()
    }

    /// Whether `change` may be made. What may be made now can be made later as well, as long as no
    /// other change comes in between.
    ///
    /// # Errors
    /// [`RuleError`], each variant as it says.
    pub fn check(&self, now: UnixMillis, change: &RuleChange) -> Result<(), RuleError> {
        match change {
            RuleChange::SetUserRule(rule) => self.check_user_rule(now, &rule.key),
            RuleChange::DeleteUserRule(key) => {
                self.users.get(key).map(|_| ()).ok_or(RuleError::NoUserRule)
            }
            RuleChange::SetStreamRule(rule) => {
                let key = (rule.room.clone(), rule.stream.clone());
                let live = || self.streams.values().filter(|rule| rule.expires_at > now).count();
                // Counted only when it could matter.
                let full = self.streams.len() >= STREAM_RULES_MAX && live() >= STREAM_RULES_MAX;
                match full && !self.streams.contains_key(&key) {
                    true => Err(RuleError::TooManyStreamRules { rules_max: STREAM_RULES_MAX }),
                    false => Ok(()),
                }
            }
            RuleChange::ForbidStreams(streams) => {
                let new = streams.iter().filter(|stream| !self.forbidden.contains(*stream));
                match self.forbidden.len() + new.count() > FORBIDDEN_STREAMS_MAX {
                    true => Err(RuleError::TooManyForbiddenStreams {
                        streams_max: FORBIDDEN_STREAMS_MAX,
                    }),
                    false => Ok(()),
                }
            }
            RuleChange::DeleteStreamRule { .. } | RuleChange::ResumeStreams(_) => Ok(()),
        }
    }

    /// Makes `change`, without asking whether it may be made: it is stored already.
    pub fn apply(&mut self, now: UnixMillis, change: RuleChange) {
        match change {
            RuleChange::SetUserRule(rule) => {
                if self.users.len() >= IP_RULES_MAX {
                    self.users.retain(|_, rule| rule.expires_at > now);
                }
                self.users.insert(rule.key.clone(), rule);
            }
            RuleChange::DeleteUserRule(key) => {
                self.users.remove(&key);
            }
            RuleChange::SetStreamRule(rule) => {
                if self.streams.len() >= STREAM_RULES_MAX {
                    self.streams.retain(|_, rule| rule.expires_at > now);
                }
                self.streams.insert((rule.room.clone(), rule.stream.clone()), rule);
            }
            RuleChange::DeleteStreamRule { room, stream } => {
                self.streams.remove(&(room, stream));
            }
            RuleChange::ForbidStreams(streams) => self.forbidden.extend(streams),
            RuleChange::ResumeStreams(streams) => {
                for stream in &streams {
                    self.forbidden.remove(stream);
                }
            }
        }
    }

    /// Whether calls about these streams may have this number now. Nothing is remembered.
    ///
    /// # Errors
    /// [`OutOfSequence`], of the first stream for which it does not grow.
    pub fn check_sequence(
        &self,
        now: UnixMillis,
        streams: &[StreamId],
        sequence: u64,
    ) -> Result<(), OutOfSequence> {
        for stream in streams {
            if let Some((last, at)) = self.sequences.get(stream)
                && now < at.after(SEQUENCE_WINDOW)
                && sequence <= *last
            {
                return Err(OutOfSequence { stream: stream.clone(), last: *last });
            }
        }
        Ok(())
    }

    /// Remembers the number of a call that was carried out.
    pub fn record_sequence(&mut self, now: UnixMillis, streams: &[StreamId], sequence: u64) {
        while let Some((at, stream)) = self.recorded.front()
            && at.after(SEQUENCE_WINDOW) <= now
        {
            if self.sequences.get(stream).is_some_and(|(_, last_at)| last_at == at) {
                self.sequences.remove(stream);
            }
            self.recorded.pop_front();
        }
        for stream in streams {
            // Two calls may overtake each other on their way here.
            let last = self.sequences.get(stream).map_or(0, |(last, _)| *last);
            self.sequences.insert(stream.clone(), (last.max(sequence), now));
            self.recorded.push_back((now, stream.clone()));
        }
    }

    /// Whether a user behind `source` may not log in to `room`.
    pub fn refuses_login(
        &self,
        now: UnixMillis,
        source: IpAddr,
        room: &RoomId,
        user: &UserId,
    ) -> bool {
        self.meets(now, source, room, user).any(|rule| rule.disabled.login())
    }

    /// Whether a user behind `source` may not publish in `room`. A rule against logging in refuses
    /// that as well to who is in the room already (contract, SetForbidUserRule).
    pub fn refuses_publishing(
        &self,
        now: UnixMillis,
        source: IpAddr,
        room: &RoomId,
        user: &UserId,
    ) -> bool {
        self.meets(now, source, room, user).next().is_some()
    }

    /// Whether a stream is forbidden.
    pub fn is_forbidden(&self, stream: &StreamId) -> bool {
        self.forbidden.contains(stream)
    }

    /// The rule about a stream of a room that is in force.
    pub fn stream_rule(
        &self,
        now: UnixMillis,
        room: &RoomId,
        stream: &StreamId,
    ) -> Option<&StreamRule> {
        // No key of borrowed parts: a rule is looked up once for each publication.
        let rule = self.streams.get(&(room.clone(), stream.clone()))?;
        (rule.expires_at > now).then_some(rule)
    }

    /// User rules of a kind, those that ended and are not forgotten among them.
    pub fn user_rules(&self, kind: UserRuleKind) -> impl Iterator<Item = &UserRule> {
        self.users.values().filter(move |rule| rule.key.kind() == kind)
    }

    fn check_user_rule(&self, now: UnixMillis, key: &UserRuleKey) -> Result<(), RuleError> {
        let kind = key.kind();
        let others = self.user_rules(kind).filter(|rule| rule.expires_at > now && rule.key != *key);
        let rules_max = kind.rules_max();
        match others.count() >= rules_max {
            true => Err(RuleError::TooManyUserRules { rules_max }),
            false => Ok(()),
        }
    }

    /// The rules in force about a user, by whichever of the keys.
    fn meets(
        &self,
        now: UnixMillis,
        source: IpAddr,
        room: &RoomId,
        user: &UserId,
    ) -> impl Iterator<Item = &UserRule> {
        let keys = match self.users.is_empty() {
            true => Vec::new(),
            false => vec![
                UserRuleKey::Ip(source.to_canonical()),
                UserRuleKey::Room(room.clone()),
                UserRuleKey::User(user.clone()),
                UserRuleKey::RoomUser(room.clone(), user.clone()),
            ],
        };
        let rules = keys.into_iter().filter_map(|key| self.users.get(&key));
        rules.filter(move |rule| rule.expires_at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{CutMedia, UserPrivileges};

    const NOW: UnixMillis = UnixMillis(1_795_400_000_000);
    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    fn room(text: &str) -> RoomId {
        RoomId::parse(text).unwrap()
    }

    fn user(text: &str) -> UserId {
        UserId::parse(text).unwrap()
    }

    fn stream(text: &str) -> StreamId {
        StreamId::parse(text).unwrap()
    }

    fn in_s(seconds: u64) -> UnixMillis {
        NOW.after(Duration::from_secs(seconds))
    }

    fn set(key: UserRuleKey, disabled: UserPrivileges) -> RuleChange {
        RuleChange::SetUserRule(UserRule { key, disabled, expires_at: in_s(60) })
    }

    #[test]
    fn a_rule_meets_whom_it_is_about_until_it_ends() {
        let ann = || user("ann");
        for (key, meets, spares) in [
            (UserRuleKey::Ip(SOURCE), ("a", "ann"), None),
            (UserRuleKey::Room(room("a")), ("a", "bob"), Some(("b", "ann"))),
            (UserRuleKey::User(ann()), ("b", "ann"), Some(("a", "bob"))),
            (UserRuleKey::RoomUser(room("a"), ann()), ("a", "ann"), Some(("b", "ann"))),
        ] {
            let mut rules = Rules::default();
            rules.apply(NOW, set(key.clone(), UserPrivileges::Login));
            let login = |rules: &Rules, now, (r, u): (&str, &str)| {
                rules.refuses_login(now, SOURCE, &room(r), &user(u))
            };
            assert!(login(&rules, NOW, meets), "{key:?}");
            assert!(!login(&rules, in_s(60), meets), "{key:?} has ended");
            assert!(spares.is_none_or(|spared| !login(&rules, NOW, spared)), "{key:?}");
            let (r, u) = meets;
            let publishing =
                |rules: &Rules, now| rules.refuses_publishing(now, SOURCE, &room(r), &user(u));
            assert!(publishing(&rules, NOW), "{key:?} also stops who is in the room already");
            assert!(!publishing(&rules, in_s(60)), "{key:?} has ended");
            rules.apply(NOW, set(key.clone(), UserPrivileges::Publish));
            assert!(!login(&rules, NOW, meets), "the last one about a key wins");
            assert!(publishing(&rules, NOW));
            rules.apply(NOW, RuleChange::DeleteUserRule(key));
            assert!(!publishing(&rules, NOW));
        }
    }

    #[test]
    fn an_address_is_the_same_in_both_writings() {
        let mut rules = Rules::default();
        rules.apply(NOW, set(UserRuleKey::Ip(SOURCE), UserPrivileges::Both));
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert!(rules.refuses_login(NOW, mapped, &room("a"), &user("ann")));
    }

    #[test]
    fn each_kind_has_its_limit_of_live_rules() {
        let mut rules = Rules::default();
        for number in 0..IP_RULES_MAX {
            let ip = IpAddr::from([10, 0, 1, number as u8]);
            let change = set(UserRuleKey::Ip(ip), UserPrivileges::Login);
            assert_eq!(rules.check(NOW, &change), Ok(()));
            rules.apply(NOW, change);
        }
        let further = set(UserRuleKey::Ip(SOURCE), UserPrivileges::Login);
        let full = RuleError::TooManyUserRules { rules_max: IP_RULES_MAX };
        assert_eq!(rules.check(NOW, &further), Err(full));
        assert_eq!(rules.check(in_s(60), &further), Ok(()), "only live ones count");
        let again = set(UserRuleKey::Ip([10, 0, 1, 0].into()), UserPrivileges::Both);
        assert_eq!(rules.check(NOW, &again), Ok(()), "a rule may be replaced");
        let other = set(UserRuleKey::Room(room("a")), UserPrivileges::Login);
        assert_eq!(rules.check(NOW, &other), Ok(()));
        rules.apply(in_s(60), further);
        assert_eq!(rules.user_rules(UserRuleKind::Ip).count(), 1, "what ended is forgotten");
    }

    #[test]
    fn a_missing_user_rule_cannot_be_deleted_and_a_missing_stream_rule_can() {
        let rules = Rules::default();
        let delete = RuleChange::DeleteUserRule(UserRuleKey::User(user("ann")));
        assert_eq!(rules.check(NOW, &delete), Err(RuleError::NoUserRule));
        let (room, stream) = (room("a"), stream("cam"));
        assert_eq!(rules.check(NOW, &RuleChange::DeleteStreamRule { room, stream }), Ok(()));
    }

    #[test]
    fn a_stream_rule_is_of_one_room_and_ends() {
        let mut rules = Rules::default();
        let rule = StreamRule {
            room: room("a"),
            stream: stream("cam"),
            cut: CutMedia::Audio,
            created_at: NOW,
            expires_at: in_s(60),
        };
        rules.apply(NOW, RuleChange::SetStreamRule(rule.clone()));
        assert_eq!(rules.stream_rule(NOW, &room("a"), &stream("cam")), Some(&rule));
        assert_eq!(rules.stream_rule(NOW, &room("b"), &stream("cam")), None);
        assert_eq!(rules.stream_rule(in_s(60), &room("a"), &stream("cam")), None);
    }

    #[test]
    fn streams_are_forbidden_until_they_are_resumed() {
        let mut rules = Rules::default();
        rules.apply(NOW, RuleChange::ForbidStreams(vec![stream("a"), stream("b")]));
        rules.apply(NOW, RuleChange::ResumeStreams(vec![stream("b"), stream("c")]));
        assert!(rules.is_forbidden(&stream("a")) && !rules.is_forbidden(&stream("b")));
        let many = (0..FORBIDDEN_STREAMS_MAX).map(|n| stream(&format!("s{n}"))).collect();
        let streams_max = FORBIDDEN_STREAMS_MAX;
        assert_eq!(
            rules.check(NOW, &RuleChange::ForbidStreams(many)),
            Err(RuleError::TooManyForbiddenStreams { streams_max })
        );
    }

    #[test]
    fn a_sequence_grows_inside_ten_seconds_and_is_forgotten_after() {
        let mut rules = Rules::default();
        let (a, b) = ([stream("a")], [stream("a"), stream("b")]);
        assert_eq!(rules.check_sequence(NOW, &a, 5), Ok(()));
        rules.record_sequence(NOW, &a, 5);
        let refused = OutOfSequence { stream: stream("a"), last: 5 };
        assert_eq!(rules.check_sequence(NOW, &b, 5), Err(refused));
        assert_eq!(rules.check_sequence(NOW, &b, 6), Ok(()));
        assert_eq!(rules.check_sequence(NOW, &b[1..], 1), Ok(()));
        assert_eq!(rules.check_sequence(in_s(10), &a, 1), Ok(()));
        rules.record_sequence(in_s(9), &a, 6);
        rules.record_sequence(in_s(12), &b[1..], 1);
        assert!(rules.check_sequence(in_s(12), &a, 6).is_err(), "the later one still counts");
        rules.record_sequence(in_s(30), &b[1..], 2);
        assert_eq!((rules.sequences.len(), rules.recorded.len()), (1, 1));
    }
}
