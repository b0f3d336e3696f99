//! The shapes of load: who publishes what in which room, and who plays it.

use crate::args::{AudioArgs, FanoutArgs, RoomsArgs};

/// What a publisher sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Media {
    /// Whether Opus, 50 packets a second.
    pub(crate) audio: bool,
    /// Packets of a video frame; none for no video.
    pub(crate) frame_packets: Option<u32>,
}

/// A stream and who publishes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamPlan {
    /// The room.
    pub(crate) room: String,
    /// The stream.
    pub(crate) stream: String,
    /// Who publishes it.
    pub(crate) user: String,
    /// What is in it.
    pub(crate) media: Media,
}

/// Somebody who plays a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlayPlan {
    /// The stream's place in [`Plan::streams`].
    pub(crate) stream: usize,
    /// Who plays it, in the stream's room.
    pub(crate) user: String,
}

/// Everybody, at one size. The plan of a larger size begins with that of a smaller one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What is published.
    pub(crate) streams: Vec<StreamPlan>,
    /// What is played.
    pub(crate) plays: Vec<PlayPlan>,
    /// How many users that are.
    pub(crate) users: usize,
}

/// A kind of load that has sizes.
pub(crate) trait Shape {
    /// Its name in results.
    fn name(&self) -> &'static str;
    /// What its size counts, in the plural.
    fn unit(&self) -> &'static str;
    /// The sizes to measure, in order.
    fn sizes(&self) -> &[usize];
    /// Everybody at this size.
    fn plan(&self, size: usize) -> Plan;
}

impl Shape for FanoutArgs {
    fn name(&self) -> &'static str {
        "fanout"
    }

    fn unit(&self) -> &'static str {
        "viewers"
    }

    fn sizes(&self) -> &[usize] {
        &self.viewers
    }

    fn plan(&self, size: usize) -> Plan {
        let media = Media { audio: false, frame_packets: Some(self.frame_packets) };
        let plays = (0..size).map(|at| PlayPlan { stream: 0, user: format!("viewer-{at}") });
        Plan {
            streams: vec![stream("fanout", "publisher", media)],
            plays: plays.collect(),
            users: size + 1,
        }
    }
}

impl Shape for RoomsArgs {
    fn name(&self) -> &'static str {
        "rooms"
    }

    fn unit(&self) -> &'static str {
        "rooms"
    }

    fn sizes(&self) -> &[usize] {
        &self.rooms
    }

    fn plan(&self, size: usize) -> Plan {
        let media = Media { audio: true, frame_packets: Some(self.frame_packets) };
        let users = usize::from(self.users);
        let mut plan = Plan { users: size * users, ..Plan::default() };
        for room in 0..size {
            let first = plan.streams.len();
            let names = (0..users).map(|user| format!("user-{room}-{user}"));
            plan.streams.extend(names.map(|user| stream(&format!("room-{room}"), &user, media)));
            for player in first..first + users {
                let others = (first..first + users).filter(|stream| *stream != player);
                let user = &plan.streams[player].user;
                plan.plays.extend(others.map(|stream| PlayPlan { stream, user: user.clone() }));
            }
        }
        plan
    }
}

impl Shape for AudioArgs {
    fn name(&self) -> &'static str {
        "audio"
    }

    fn unit(&self) -> &'static str {
        "listeners"
    }

    fn sizes(&self) -> &[usize] {
        &self.listeners
    }

    fn plan(&self, size: usize) -> Plan {
        let media = Media { audio: true, frame_packets: None };
        let speakers = usize::from(self.speakers);
        let streams: Vec<_> = (0..speakers)
            .map(|speaker| stream("audio", &format!("speaker-{speaker}"), media))
            .collect();
        let mut plays = Vec::new();
        for (own, speaker) in streams.iter().enumerate() {
            let others = (0..speakers).filter(|stream| *stream != own);
            plays.extend(others.map(|stream| PlayPlan { stream, user: speaker.user.clone() }));
        }
        for listener in 0..size {
            let user = format!("listener-{listener}");
            plays.extend((0..speakers).map(|stream| PlayPlan { stream, user: user.clone() }));
        }
        Plan { streams, plays, users: speakers + size }
    }
}

fn stream(room: &str, user: &str, media: Media) -> StreamPlan {
    let stream = format!("{user}-camera");
    StreamPlan { room: room.to_owned(), stream, user: user.to_owned(), media }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    fn args<A: Args + FromArgMatches>() -> A {
        let command = A::augment_args(Command::new("test"));
        A::from_arg_matches(&command.get_matches_from(["test"])).expect("all have defaults")
    }

    fn grows(shape: &impl Shape, small: usize, large: usize) {
        let (small, large) = (shape.plan(small), shape.plan(large));
        assert!(large.streams.starts_with(&small.streams) && large.plays.starts_with(&small.plays));
    }

    #[test]
    fn a_larger_plan_begins_with_the_smaller_one() {
        grows(&args::<FanoutArgs>(), 3, 10);
        grows(&args::<RoomsArgs>(), 2, 5);
        grows(&args::<AudioArgs>(), 4, 9);
    }

    #[test]
    fn everybody_plays_everybody_else() {
        let rooms = args::<RoomsArgs>().plan(3);
        assert_eq!((rooms.streams.len(), rooms.plays.len(), rooms.users), (24, 3 * 8 * 7, 24));
        let plays_itself = |play: &PlayPlan| rooms.streams[play.stream].user == play.user;
        assert!(!rooms.plays.iter().any(plays_itself));
        let audio = args::<AudioArgs>().plan(400);
        assert_eq!((audio.plays.len(), audio.users), (10 * 9 + 400 * 10, 410));
    }
}
