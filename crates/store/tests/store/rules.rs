//! Rules: read back as they were set, and what replaces, takes away and purges them.

use odeum_room::{CutMedia, RuleChange, StreamRule, UserPrivileges, UserRule, UserRuleKey};
use odeum_store::{Change, Purge, Store};
use odeum_types::{AppId, UnixMillis};

use crate::scene::{APP, START, fresh, later, room, stream, user};

fn user_rule(key: UserRuleKey, disabled: UserPrivileges, expires_at: UnixMillis) -> RuleChange {
    RuleChange::SetUserRule(UserRule { key, disabled, expires_at })
}

fn stream_rule(name: &str, cut: CutMedia, expires_at: UnixMillis) -> RuleChange {
    RuleChange::SetStreamRule(StreamRule {
        room: room("r"),
        stream: stream(name),
        cut,
        created_at: START,
        expires_at,
    })
}

fn set(store: &mut Store, app: AppId, changes: &[RuleChange]) {
    let changes: Vec<Change> =
        changes.iter().map(|change| Change::Rule { app, change: change.clone() }).collect();
    store.commit(&changes).unwrap();
}

/// Every kind of rule there is.
fn one_of_each() -> Vec<RuleChange> {
    vec![
        user_rule(
            UserRuleKey::Ip("2001:db8::1".parse().unwrap()),
            UserPrivileges::Both,
            later(1_000),
        ),
        user_rule(UserRuleKey::Room(room("r")), UserPrivileges::Login, later(2_000)),
        user_rule(UserRuleKey::User(user("ann")), UserPrivileges::Publish, later(3_000)),
        user_rule(
            UserRuleKey::RoomUser(room("r"), user("ann")),
            UserPrivileges::Login,
            later(4_000),
        ),
        stream_rule("a", CutMedia::Audio, later(1_000)),
        stream_rule("b", CutMedia::Both, later(3_000)),
        stream_rule("v", CutMedia::Video, later(3_000)),
        RuleChange::ForbidStreams(vec![stream("x"), stream("y")]),
    ]
}

#[test]
fn every_kind_is_read_back_after_the_store_was_opened_anew() {
    let (folder, mut store) = fresh();
    set(&mut store, APP, &one_of_each());
    set(&mut store, AppId(8), &one_of_each());
    drop(store);

    let store = Store::open(folder.path()).unwrap();
    let mut read = store.reader().unwrap().rules().unwrap();
    for app in [APP, AppId(8)] {
        for change in one_of_each() {
            let wanted = (app, change);
            let at = read.iter().position(|each| *each == wanted);
            read.remove(at.unwrap_or_else(|| panic!("{wanted:?} is missing: {read:?}")));
        }
    }
    assert_eq!(read, []);
}

#[test]
fn a_rule_with_the_same_key_replaces_the_older_one() {
    let (_folder, mut store) = fresh();
    let key = || UserRuleKey::User(user("ann"));
    set(&mut store, APP, &[user_rule(key(), UserPrivileges::Login, later(1_000))]);
    set(&mut store, APP, &[stream_rule("a", CutMedia::Audio, later(1_000))]);
    let newer = [
        user_rule(key(), UserPrivileges::Both, later(2_000)),
        stream_rule("a", CutMedia::Video, later(2_000)),
    ];
    set(&mut store, APP, &newer);
    let read = store.reader().unwrap().rules().unwrap();
    assert_eq!(read, newer.map(|change| (APP, change)));
}

#[test]
fn what_is_taken_away_is_gone_for_its_app_alone() {
    let (_folder, mut store) = fresh();
    set(&mut store, APP, &one_of_each());
    set(&mut store, AppId(8), &one_of_each());
    let before = store.reader().unwrap().rules().unwrap();
    set(
        &mut store,
        APP,
        &[
            RuleChange::DeleteUserRule(UserRuleKey::Ip("2001:db8::1".parse().unwrap())),
            RuleChange::DeleteUserRule(UserRuleKey::Room(room("r"))),
            RuleChange::DeleteUserRule(UserRuleKey::User(user("ann"))),
            RuleChange::DeleteUserRule(UserRuleKey::RoomUser(room("r"), user("ann"))),
            RuleChange::DeleteStreamRule { room: room("r"), stream: stream("a") },
            RuleChange::DeleteStreamRule { room: room("r"), stream: stream("b") },
            RuleChange::DeleteStreamRule { room: room("r"), stream: stream("v") },
            RuleChange::ResumeStreams(vec![stream("x"), stream("y"), stream("never-forbidden")]),
        ],
    );
    let mut expected = before;
    expected.retain(|(app, _)| *app == AppId(8));
    assert_eq!(store.reader().unwrap().rules().unwrap(), expected);
}

#[test]
fn purging_forgets_what_expired_and_nothing_else() {
    let (_folder, mut store) = fresh();
    set(&mut store, APP, &one_of_each());
    let purge = |steps_max| Purge {
        ended_before: START,
        keep_max: u64::MAX,
        rules_before: later(2_500),
        steps_max,
    };
    assert_eq!(store.purge(&purge(1)).unwrap(), 2, "one of each kind");
    assert_eq!(store.purge(&purge(100)).unwrap(), 1);
    let read = store.reader().unwrap().rules().unwrap();
    assert_eq!(read.len(), one_of_each().len() - 3, "{read:?}");
    for (_, change) in read {
        match change {
            RuleChange::SetUserRule(rule) => assert!(rule.expires_at > later(2_500)),
            RuleChange::SetStreamRule(rule) => assert!(rule.expires_at > later(2_500)),
            RuleChange::ForbidStreams(streams) => assert_eq!(streams.len(), 2),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn ten_thousand_forbidden_streams_come_back_in_changes_of_a_bounded_size() {
    let (_folder, mut store) = fresh();
    let names: Vec<_> = (0..10_000).map(|number| stream(&format!("s{number:05}"))).collect();
    set(&mut store, APP, &[RuleChange::ForbidStreams(names.clone())]);
    let mut found = Vec::new();
    for (_, change) in store.reader().unwrap().rules().unwrap() {
        let RuleChange::ForbidStreams(streams) = change else { panic!("{change:?}") };
        assert!(streams.len() <= 1_000);
        found.extend(streams);
    }
    assert_eq!(found, names);
}
