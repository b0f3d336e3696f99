//! Properties: any operations in any order, shrunk to the few that matter when one fails.

use odeum_room::{DeleteStreamMode, RoomConfig, UserListOrder};
use odeum_types::{RoomId, UserId};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::node::{LoginOptions, Node};
use crate::operation::Operation;
use crate::world::World;

/// Runs a property over cases that are the same every time.
fn holds<S: Strategy>(strategy: &S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, random).run(strategy, property);
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    vec(any::<[u8; 4]>().prop_map(Operation::from_numbers), 1..200)
}

fn invariants_hold(mode: DeleteStreamMode) {
    holds(&operations(), |operations| {
        let config = RoomConfig {
            delete_stream: mode,
            replay_messages_max: 4,
            missed_messages_max: 3,
            user_notices_max: 3,
            ..RoomConfig::default()
        };
        let mut world = World::new(config);
        for operation in operations {
            world.run(operation);
        }
        world.run_out();
        Ok(())
    });
}

#[test]
fn any_operations_keep_the_invariants_in_mode_stop() {
    invariants_hold(DeleteStreamMode::Stop);
}

#[test]
fn any_operations_keep_the_invariants_in_mode_notify() {
    invariants_hold(DeleteStreamMode::Notify);
}

/// Users log in and out while a backend reads the list page by page: each user who was there all
/// the time is on exactly one page, and nobody is on two.
#[test]
fn paging_sees_everyone_who_stays_once() {
    let order = prop_oneof![Just(UserListOrder::Ascending), Just(UserListOrder::Descending)];
    let steps = vec((0..12_usize, any::<bool>()), 0..60);
    holds(&(order, 1..4_usize, steps), |(order, limit, steps)| {
        let mut node = Node::new(RoomConfig::default());
        let room = RoomId::parse("r").expect("a room id");
        let user = |number: usize| UserId::parse(&format!("u{number}")).expect("a user id");
        let options = LoginOptions::default();
        let keeper = user(99);
        prop_assert!(node.login(&keeper, &room, &options).is_ok());
        let mut seen = Vec::new();
        let mut stayed: Vec<UserId> = (0..6).map(user).collect();
        for user in &stayed {
            prop_assert!(node.login(user, &room, &options).is_ok());
        }
        stayed.push(keeper);
        let mut marker = None;
        let mut steps = steps.into_iter();
        loop {
            let page = node.rooms[&room].users(order, limit, marker);
            prop_assert!(page.users.len() <= limit);
            seen.extend(page.users.into_iter().map(|user| user.user));
            marker = page.next;
            if marker.is_none() {
                break;
            }
            let Some((number, comes)) = steps.next() else { continue };
            let user = user(number);
            stayed.retain(|stayed| *stayed != user);
            let now = node.now;
            let session = node.rooms[&room].user_status(&user).map(|user| user.session);
            match (comes, session) {
                (true, _) => prop_assert!(node.login(&user, &room, &options).is_ok()),
                (false, Some(session)) => {
                    let left = node.with(&room, |room, _| room.logout(now, session));
                    prop_assert_eq!(left, Some(Ok(())));
                }
                (false, None) => {}
            }
        }
        for user in &stayed {
            let count = seen.iter().filter(|seen| *seen == user).count();
            prop_assert_eq!(count, 1, "{} in {:?}", user, seen);
        }
        Ok(())
    });
}
