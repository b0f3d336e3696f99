//! Steps that change the app's rules, as a node carries them out once they are stored.

use std::time::Duration;

use odeum_room::{
    CutMedia, RuleChange, StreamCut, StreamRule, UserPrivileges, UserRule, UserRuleKey,
};
use odeum_types::RoomId;

use super::{Player, stream_id, user_id};

impl Player {
    pub(super) fn rule(&mut self, room: &RoomId, words: &[&str]) {
        let now = self.node.now;
        let after = |seconds: &str| now.after(Duration::from_secs(seconds.parse().expect("s")));
        match *words {
            ["cuts", media, "of", stream, "for", seconds] => {
                let media = match media {
                    "audio" => CutMedia::Audio,
                    "video" => CutMedia::Video,
                    "both" => CutMedia::Both,
                    other => panic!("media {other}"),
                };
                let (stream, expires_at) = (stream_id(stream), after(seconds));
                self.node.app.rules_mut().apply(
                    now,
                    RuleChange::SetStreamRule(StreamRule {
                        room: room.clone(),
                        stream: stream.clone(),
                        cut: media,
                        created_at: now,
                        expires_at,
                    }),
                );
                let cut = Some(StreamCut { media, until: expires_at });
                self.node.with(room, |room, _| room.cut_stream(&stream, cut));
            }
            ["gives", "back", stream] => {
                let stream = stream_id(stream);
                let (room_id, of) = (room.clone(), stream.clone());
                let change = RuleChange::DeleteStreamRule { room: room_id, stream: of };
                self.node.app.rules_mut().apply(now, change);
                self.node.with(room, |room, _| room.cut_stream(&stream, None));
            }
            ["forbids", stream] => {
                let stream = stream_id(stream);
                let change = RuleChange::ForbidStreams(vec![stream.clone()]);
                self.node.app.rules_mut().apply(now, change);
                self.node.with(room, |room, _| room.forbid_stream(now, &stream));
            }
            ["resumes", stream] => {
                let change = RuleChange::ResumeStreams(vec![stream_id(stream)]);
                self.node.app.rules_mut().apply(now, change);
            }
            ["bans", user, "for", seconds] => {
                let (key, disabled) = (UserRuleKey::User(user_id(user)), UserPrivileges::Publish);
                let rule = UserRule { key, disabled, expires_at: after(seconds) };
                self.node.app.rules_mut().apply(now, RuleChange::SetUserRule(rule));
            }
            ref other => panic!("rule {other:?}"),
        }
    }
}
