//! Rules of the app in the world, and what must hold of them: the media plane cuts exactly what a
//! rule in force cuts, and nothing forbidden is published.

use std::time::Duration;

use odeum_room::{
    CutMedia, RuleChange, StreamCut, StreamRule, UserPrivileges, UserRule, UserRuleKey,
};
use odeum_types::{PeerId, RoomId, StreamId};

use super::{World, room_id, stream_id, user_id};

/// A change of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    Cut(CutMedia),
    GiveBack,
    Forbid,
    Resume,
    Ban,
    Pardon,
}

/// What the media plane was told about a publishing transport.
#[derive(Debug, Clone)]
pub(crate) struct Publishing {
    pub(crate) room: RoomId,
    pub(crate) stream: StreamId,
    pub(crate) cut: Option<CutMedia>,
}

impl World {
    /// The change that an operation stands for, if it may be made.
    pub(crate) fn rule_change(
        &self,
        room: usize,
        stream: usize,
        user: usize,
        seconds: u64,
        rule: Rule,
    ) -> Option<RuleChange> {
        let now = self.node.now;
        let (room, stream) = (room_id(room), stream_id(stream));
        let expires_at = now.after(Duration::from_secs(seconds));
        let key = UserRuleKey::User(user_id(user));
        let change = match rule {
            Rule::Cut(cut) => RuleChange::SetStreamRule(StreamRule {
                room,
                stream,
                cut,
                created_at: now,
                expires_at,
            }),
            Rule::GiveBack => RuleChange::DeleteStreamRule { room, stream },
            Rule::Forbid => RuleChange::ForbidStreams(vec![stream]),
            Rule::Resume => RuleChange::ResumeStreams(vec![stream]),
            Rule::Ban => {
                let disabled = UserPrivileges::Publish;
                RuleChange::SetUserRule(UserRule { key, disabled, expires_at })
            }
            Rule::Pardon => RuleChange::DeleteUserRule(key),
        };
        self.node.app.rules().check(now, &change).is_ok().then_some(change)
    }

    /// What a node does once the change is stored: the app first, then the room that is concerned.
    pub(super) fn put_in_force(&mut self, change: RuleChange) {
        let now = self.node.now;
        self.node.app.rules_mut().apply(now, change.clone());
        match change {
            RuleChange::SetStreamRule(rule) => {
                let cut = StreamCut { media: rule.cut, until: rule.expires_at };
                let cut = (rule.expires_at > now).then_some(cut);
                self.node.with(&rule.room, |room, _| room.cut_stream(&rule.stream, cut));
            }
            RuleChange::DeleteStreamRule { room, stream } => {
                self.node.with(&room, |room, _| room.cut_stream(&stream, None));
            }
            RuleChange::ForbidStreams(streams) => {
                for stream in streams {
                    let holder = self.node.app.stream_holder(&stream).cloned();
                    if let Some(holder) = holder {
                        self.node.with(&holder.room, |room, _| room.forbid_stream(now, &stream));
                        self.faults.streams_forbidden += 1;
                    }
                }
            }
            RuleChange::SetUserRule(_)
            | RuleChange::DeleteUserRule(_)
            | RuleChange::ResumeStreams(_) => {}
        }
    }

    /// A transport publishes from now on, and began with this cut.
    pub(super) fn publishes(
        &mut self,
        peer: PeerId,
        room: &RoomId,
        stream: &StreamId,
        cut: Option<CutMedia>,
    ) {
        let (room, stream) = (room.clone(), stream.clone());
        self.faults.publications_begun_cut += u64::from(cut.is_some());
        self.publishing.insert(peer, Publishing { room, stream, cut });
    }

    /// The media plane hears what is cut of a transport.
    pub(super) fn cut(&mut self, peer: PeerId, media: Option<CutMedia>) {
        let publishing = self.publishing.get_mut(&peer).expect("only what publishes is cut");
        assert_ne!(publishing.cut, media, "told without a change");
        publishing.cut = media;
        match media {
            Some(_) => self.faults.streams_cut += 1,
            None => self.faults.cuts_ended += 1,
        }
    }

    pub(super) fn check_rules(&mut self) {
        let live = &self.live_peers;
        self.publishing.retain(|peer, _| live.contains_key(peer));
        let rules = self.node.app.rules();
        for (peer, publishing) in &self.publishing {
            let Publishing { room, stream, cut } = publishing;
            let rule = rules.stream_rule(self.node.now, room, stream).map(|rule| rule.cut);
            assert_eq!(*cut, rule, "what is cut of {stream} in {room} by transport {peer:?}");
            assert!(!rules.is_forbidden(stream), "{stream} is forbidden and published");
        }
    }
}
