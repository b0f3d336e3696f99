//! What must hold after every operation.

use std::collections::BTreeSet;

use odeum_room::{OwnStream, PublicationState, UserListOrder};
use odeum_types::{StreamId, UserId};

use super::World;
use crate::client::{Arrived, View};

impl World {
    /// Every connected client's view, once all has arrived that is on its way, is what the room
    /// says.
    pub(super) fn check_views(&self) {
        for device in &self.devices {
            let Some(session) = &device.session else { continue };
            if session.connection.is_none() {
                continue;
            }
            let mut view = session.view.clone();
            let arrived: Vec<Arrived> =
                session.inbox.iter().map(|delivery| view.apply(delivery)).collect();
            if arrived.contains(&Arrived::Kickout) {
                continue;
            }
            let room = &self.node.rooms[&session.room];
            let snapshot = room.snapshot(session.session).expect("not kicked out");
            let truth = View::new(&snapshot);
            view.assert_equals(&truth, &device.user);
            self.check_messages(session.session, &view.received);
            if view.user_count != truth.user_count {
                let due = room.poll_timeout().expect("a room with users has timeouts");
                let latest = self.node.now.after(room.config().user_count_interval);
                assert!(due <= latest, "the count of users is never told");
            }
            let listed: BTreeSet<StreamId> = (room.streams().into_iter())
                .filter(|listed| listed.user != device.user)
                .map(|listed| listed.stream)
                .collect();
            assert_eq!(truth.streams.into_keys().collect::<BTreeSet<_>>(), listed);
            if room.user_count() <= room.config().user_notices_max {
                let everyone = room.users(UserListOrder::Ascending, room.user_count(), None).users;
                let others: BTreeSet<UserId> = (everyone.into_iter().map(|user| user.user))
                    .filter(|user| *user != device.user)
                    .collect();
                assert_eq!(truth.users, others, "users are complete up to the bound");
            }
        }
    }

    /// A claim has one holder, and who is in a room or a list has the claim.
    pub(super) fn check_claims(&self) {
        let mut users = BTreeSet::new();
        let mut streams = BTreeSet::new();
        let mut transports = 0;
        for room in self.node.rooms.values() {
            let everyone = room.users(UserListOrder::Ascending, room.user_count(), None);
            assert_eq!(everyone.users.len(), room.user_count());
            let mut known: BTreeSet<StreamId> =
                room.streams().into_iter().map(|listed| listed.stream).collect();
            let mut published = BTreeSet::new();
            let mut waiting: BTreeSet<StreamId> = BTreeSet::new();
            let mut played = BTreeSet::new();
            for user in everyone.users {
                assert_eq!(self.node.app.user_session(&user.user), Some(user.session));
                let snapshot = room.snapshot(user.session).expect("it is in the list");
                let interrupted = |own: &&OwnStream| own.state == PublicationState::Interrupted;
                waiting.extend(
                    (snapshot.own_streams.iter().filter(interrupted)).map(|own| own.stream.clone()),
                );
                transports += snapshot.own_streams.len() + snapshot.playing.len();
                published.extend(snapshot.own_streams.into_iter().map(|own| own.stream));
                played.extend(snapshot.playing.into_iter().map(|play| play.stream));
                assert!(users.insert(user.user), "a user is in two rooms");
            }
            assert!(played.is_subset(&published), "a play outlives its publication");
            assert!(played.is_disjoint(&waiting), "a play of what has no transport");
            transports -= waiting.len();
            known.extend(published);
            for stream in known {
                assert_eq!(self.node.app.stream_room(&stream), Some(room.room_session()));
                assert!(streams.insert(stream), "a stream is in two rooms");
            }
        }
        assert_eq!(self.node.app.stream_count(), streams.len(), "claims without a stream");
        assert_eq!(self.live_peers.len(), transports, "transports without a use");
    }

    /// A listed stream is published by its user or was added, and the list's counter has no gap.
    pub(super) fn check_lists(&mut self) {
        let before = std::mem::take(&mut self.lists);
        for (id, room) in &self.node.rooms {
            let session = room.room_session();
            let created = &self.histories[&session].streams;
            let list = room.streams();
            for listed in &list {
                if created.get(&listed.stream) == Some(&(listed.user.clone(), listed.number)) {
                    let user = room.user_status(&listed.user).expect("the publisher is here");
                    let own = room.snapshot(user.session).expect("it is here").own_streams;
                    assert!(own.iter().any(|own| own.stream == listed.stream), "not published");
                } else {
                    let added = self.added.contains(&(session, listed.number));
                    assert!(added, "{} is listed for no reason", listed.stream);
                }
            }
            let numbers: BTreeSet<_> = list.iter().map(|listed| listed.number).collect();
            let (last, old) = match before.get(id) {
                Some((life, last, old)) if *life == session => (*last, old.clone()),
                Some(_) | None => (0, BTreeSet::new()),
            };
            let changes = numbers.symmetric_difference(&old).count() as u64;
            assert_eq!(room.stream_sequence(), last + changes, "stream sequence of {id}");
            self.lists.insert(id.clone(), (session, last + changes, numbers));
        }
    }
}
