//! Rules: safe before they are in force, at once in the room that is concerned, in force after a
//! restart.

use std::time::Duration;

use odeum_node::{
    CommandError, LoginFailed, NodeHandle, NotRecorded, PublishFailed, Record, RuleFailed,
};
use odeum_room::{
    CutMedia, PublishError, RuleChange, RuleError, StreamRule, UserPrivileges, UserRule,
    UserRuleKey,
};

use crate::support::*;

fn ban(id: &str, disabled: UserPrivileges) -> RuleChange {
    let expires_at = odeum_types::UnixMillis(u64::MAX / 2);
    RuleChange::SetUserRule(UserRule { key: UserRuleKey::User(user(id)), disabled, expires_at })
}

fn forbid(id: &str) -> RuleChange {
    RuleChange::ForbidStreams(vec![stream(id)])
}

#[tokio::test]
async fn a_banned_user_is_refused_at_the_next_login_and_goes_on_with_the_present_one() {
    let node = start(config());
    let ada = node.login("lobby", "ada").await;
    node.handle.change_rule(APP, ban("ada", UserPrivileges::Login), None).await.unwrap();
    assert_eq!(node.handle.heartbeat(&ada.session, 0).await, Ok(Ok(())));
    let refused = node.try_login("lobby", "ada").await.err();
    assert_eq!(refused, Some(LoginFailed::Forbidden(user("ada"))));
    node.login("lobby", "bob").await;
    let pardon = RuleChange::DeleteUserRule(UserRuleKey::User(user("ada")));
    node.handle.change_rule(APP, pardon.clone(), None).await.unwrap();
    node.login("lobby", "ada").await;
    let again = node.handle.change_rule(APP, pardon, None).await;
    assert_eq!(again, Err(RuleFailed::Rule(RuleError::NoUserRule)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_holds_for_a_login_that_is_under_way_when_it_comes_into_force() {
    let node = start(config());
    node.login("lobby", "bob").await;
    // The room is busy, so that ada's login waits for it.
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let busy = {
        let handle = node.handle.clone();
        tokio::spawn(async move {
            handle.query(APP, &room("lobby"), move |_| wait.recv().unwrap()).await.unwrap();
        })
    };
    let login = {
        let handle = node.handle.clone();
        tokio::spawn(async move { handle.login(APP, &room("lobby"), request("ada")).await.err() })
    };
    // Once the user is claimed, the first question about bans is behind the login.
    while node.handle.statistics().await.users < 2 {
        tokio::task::yield_now().await;
    }
    node.handle.change_rule(APP, ban("ada", UserPrivileges::Login), None).await.unwrap();
    go_on.send(()).unwrap();
    busy.await.unwrap();
    assert_eq!(login.await.unwrap(), Some(LoginFailed::Forbidden(user("ada"))));
    assert_eq!(node.users("lobby").await, Some(1));
    assert_eq!(node.handle.statistics().await.users, 1, "its claim is given back");
}

#[tokio::test]
async fn who_may_not_publish_or_publishes_what_is_forbidden_is_refused_before_its_offer_is_read() {
    let node = start(config());
    let ada = node.login("lobby", "ada").await.session;
    let publish = || node.handle.publish(&ada, SOURCE, stream("cam"), "no SDP".into(), "".into());
    for disabled in [UserPrivileges::Login, UserPrivileges::Publish] {
        node.handle.change_rule(APP, ban("ada", disabled), None).await.unwrap();
        let error = PublishError::UserForbidden(user("ada"));
        assert_eq!(publish().await, Err(PublishFailed::Room(error)));
    }
    let pardon = RuleChange::DeleteUserRule(UserRuleKey::User(user("ada")));
    node.handle.change_rule(APP, pardon, None).await.unwrap();
    node.handle.change_rule(APP, forbid("cam"), Some(7)).await.unwrap();
    let error = PublishError::StreamForbidden(stream("cam"));
    assert_eq!(publish().await, Err(PublishFailed::Room(error)));
    let resume = RuleChange::ResumeStreams(vec![stream("cam")]);
    let late = node.handle.change_rule(APP, resume.clone(), Some(7)).await;
    assert!(matches!(late, Err(RuleFailed::OutOfSequence(_))), "{late:?}");
    node.handle.change_rule(APP, resume, Some(8)).await.unwrap();
    assert!(matches!(publish().await, Err(PublishFailed::Offer(_))));
}

#[tokio::test]
async fn a_rule_that_cannot_be_stored_is_not_in_force_and_its_sequence_not_taken() {
    let (handle, mut journal) = NodeHandle::start(config()).unwrap();
    let refuse = tokio::spawn(async move {
        let mut entry = journal.recv().await.unwrap();
        assert!(matches!(entry.record, Record::Rule { app: APP, .. }));
        entry.acknowledge(Err(NotRecorded));
        journal
    });
    let refused = handle.change_rule(APP, forbid("cam"), Some(5)).await;
    assert_eq!(refused, Err(RuleFailed::NotRecorded));
    assert_eq!(handle.rules(APP, |_, rules| rules.is_forbidden(&stream("cam"))), Ok(false));
    assert_eq!(handle.take_sequence(APP, &stream("cam"), 5), Ok(()));
    drop(refuse.await.unwrap());
    let nobody = handle.change_rule(APP, forbid("cam"), Some(6)).await;
    assert_eq!(nobody, Err(RuleFailed::NotRecorded), "without a store nothing is durable");
}

#[tokio::test]
async fn a_rule_is_in_force_only_once_it_is_stored_and_others_wait_for_their_turn() {
    let mut config = config();
    config.limits.command_deadline = Duration::from_millis(300);
    let (handle, mut journal) = NodeHandle::start(config).unwrap();
    let is_forbidden = |id: &str| handle.rules(APP, |_, rules| rules.is_forbidden(&stream(id)));
    let late = handle.change_rule(APP, forbid("cam"), None).await;
    assert_eq!(late, Err(RuleFailed::Command(CommandError::DeadlinePassed)));
    assert_eq!(is_forbidden("cam"), Ok(false));
    let second = tokio::spawn({
        let handle = handle.clone();
        async move { handle.change_rule(APP, forbid("desk"), None).await }
    });
    let mut entry = journal.recv().await.unwrap();
    assert!(journal.try_recv().is_none(), "the second one waits for the first");
    entry.acknowledge(Ok(()));
    let mut entry = journal.recv().await.unwrap();
    assert_eq!(is_forbidden("cam"), Ok(true), "what is stored comes into force all the same");
    entry.acknowledge(Ok(()));
    assert_eq!(second.await.unwrap(), Ok(()));
    assert_eq!(is_forbidden("desk"), Ok(true));
}

#[tokio::test]
async fn stored_rules_are_in_force_from_the_start_and_survive_a_reload_without_the_app() {
    let mut config = config();
    let apps = config.apps.clone();
    let rule = StreamRule {
        room: room("lobby"),
        stream: stream("cam"),
        cut: CutMedia::Audio,
        created_at: odeum_types::UnixMillis(0),
        expires_at: odeum_types::UnixMillis(u64::MAX / 2),
    };
    config.rules = vec![(APP, forbid("desk")), (APP, RuleChange::SetStreamRule(rule.clone()))];
    let node = start(config);
    let read = || {
        node.handle.rules(APP, |now, rules| {
            let found = rules.stream_rule(now, &room("lobby"), &stream("cam")).cloned();
            (rules.is_forbidden(&stream("desk")), found)
        })
    };
    assert_eq!(read(), Ok((true, Some(rule.clone()))));
    node.handle.update_apps(Vec::new());
    node.handle.update_apps(apps);
    assert_eq!(read(), Ok((true, Some(rule))));
}
