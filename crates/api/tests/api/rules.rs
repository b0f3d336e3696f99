//! Bans and stream control through the real router (ruling 22).

use std::time::Duration;

use odeum_api::StreamHistory;
use odeum_node::LoginFailed;
use odeum_room::{Notice, PublishEndReason, PublishError, PublishState};
use odeum_types::{UnixMillis, UserId};
use serde_json::json;

use crate::backend::{Backend, told};

const SET: &str = "Action=SetForbidUserRule&EffectiveTime=60&DisabledPrivilege[]=1";

#[tokio::test]
async fn a_user_rule_is_set_listed_in_force_and_taken_away() {
    let backend = Backend::start().await;
    let set = backend.call(&format!("{SET}&RuleType=4&RoomId=hall&UserId=ann")).await;
    let end = set["Data"]["ExpireTime"].as_u64().unwrap();
    assert_eq!(set["Code"], 0);
    let listed = backend.call("Action=DescribeForbidUserRules&RuleType=4").await;
    assert_eq!(
        listed["Data"]["RuleList"],
        json!([{ "RuleType": 4, "IP": "", "RoomId": "hall", "UserId": "ann",
            "DisabledPrivilegeList": [1], "ExpireTime": end }])
    );
    let none = backend.call("Action=DescribeForbidUserRules&RuleType=1").await;
    assert_eq!(none["Data"]["RuleList"], json!([]));
    let refused = backend.try_login("hall", "ann").await.err();
    assert_eq!(refused, Some(LoginFailed::Forbidden(UserId::parse("ann").unwrap())));
    backend.login("foyer", "ann").await;
    let delete = "Action=DelForbidUserRule&RuleType=4&RoomId=hall&UserId=ann";
    assert_eq!(backend.code(delete).await, 0);
    assert_eq!(backend.code(delete).await, 50124);
    backend.login("hall", "ann").await;
}

#[tokio::test]
async fn beyond_a_hundred_live_rules_about_addresses_a_further_one_is_refused() {
    let backend = Backend::start().await;
    for number in 0..100 {
        backend.advance(Duration::from_millis(101));
        let code = backend.code(&format!("{SET}&RuleType=1&IP=10.0.0.{number}")).await;
        assert_eq!(code, 0, "rule {number}");
    }
    backend.advance(Duration::from_secs(2));
    assert_eq!(backend.code(&format!("{SET}&RuleType=1&IP=10.0.1.1")).await, 50123);
    assert_eq!(backend.code(&format!("{SET}&RuleType=1&IP=10.0.0.1")).await, 0, "replaced");
    assert_eq!(backend.code(&format!("{SET}&RuleType=3&UserId=ann")).await, 0);
}

#[tokio::test]
async fn a_stream_rule_is_described_with_zeros_for_streams_without_one() {
    let backend = Backend::start().await;
    let set = "Action=SetForbidStreamRule&RoomId=hall&StreamId=cam&DisableVideo=1";
    assert_eq!(backend.code(&format!("{set}&EffectiveTime=100000")).await, 0);
    let describe = "Action=DescribeForbidStreamRules&RoomId=hall&StreamId[]=cam&StreamId[]=desk";
    let data = backend.call(describe).await["Data"].clone();
    assert_eq!(data["RoomId"], "hall");
    let [cam, desk] = &data["ForbidStreamRuleList"].as_array().unwrap()[..] else { panic!() };
    assert_eq!(
        (&cam["StreamId"], &cam["DisableAudio"], &cam["DisableVideo"]),
        (&json!("cam"), &json!(0), &json!(1))
    );
    let lifetime = cam["EffectiveTime"].as_u64().unwrap() - cam["CreateTime"].as_u64().unwrap();
    assert!((86_400..=86_401).contains(&lifetime), "clamped to a day: {lifetime}");
    let zeros = json!({ "StreamId": "desk", "DisableAudio": 0, "DisableVideo": 0,
        "CreateTime": 0, "EffectiveTime": 0 });
    assert_eq!(*desk, zeros);
    let delete = "Action=DelForbidStreamRule&RoomId=hall&StreamId=cam";
    assert_eq!((backend.code(delete).await, backend.code(delete).await), (0, 0));
    backend.advance(Duration::from_secs(1));
    let data = backend.call(describe).await["Data"].clone();
    assert_eq!(data["ForbidStreamRuleList"][0]["DisableVideo"], 0);
}

#[tokio::test]
async fn a_forbidden_stream_ends_for_its_publisher_and_its_room_and_may_come_back_when_resumed() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    let mut bob = backend.login("hall", "bob").await;
    backend.publish(&ann, "cam", 1).await;
    let state = "Action=DescribeRTCStreamState&StreamId=cam&Sequence=";
    let live = backend.call(&format!("{state}1")).await;
    assert_eq!((&live["Code"], &live["Data"]["close_time"]), (&json!(0), &json!("")));
    told(&mut ann);
    told(&mut bob);
    assert_eq!(
        backend.code("Action=ForbidRTCStream&StreamId=cam&Sequence=1").await,
        2,
        "no growth"
    );
    assert_eq!(backend.code("Action=ForbidRTCStream&StreamId=cam&Sequence=2").await, 0);
    let ended = PublishState::Ended(PublishEndReason::Forbidden);
    assert!(told(&mut ann).iter().any(|notice| matches!(
        &**notice, Notice::PublisherState { state, .. } if *state == ended)));
    assert!(told(&mut bob).iter().any(|notice| matches!(&**notice, Notice::StreamUpdate { .. })));
    let refused = backend.offer(&ann, "cam", 2).await.unwrap();
    assert!(matches!(refused, Err(PublishError::StreamForbidden(_))), "{refused:?}");
    assert_eq!(backend.code(&format!("{state}3")).await, 41004, "no history here");
    assert_eq!(backend.code("Action=ResumeRTCStream&StreamId=cam&Sequence=4").await, 0);
    backend.publish(&ann, "cam", 3).await;
}

#[tokio::test]
async fn a_batch_is_carried_out_whole_or_not_at_all() {
    let backend = Backend::start().await;
    let forbid =
        |ids: &str, sequence: u64| format!("Action=ForbidRTCStreams&{ids}&Sequence={sequence}");
    let both = backend.call(&forbid("StreamId[]=a&StreamId[]=b", 5)).await;
    assert_eq!((&both["Code"], &both["Data"]), (&json!(0), &json!({})), "unknown ids are no error");
    assert_eq!(backend.code(&forbid("StreamId[]=c&StreamId[]=b", 5)).await, 2);
    let is_forbidden = |id: &str| {
        let id = odeum_types::StreamId::parse(id).unwrap();
        backend.node.rules(crate::backend::APP, |_, rules| rules.is_forbidden(&id)).unwrap()
    };
    assert!(is_forbidden("a") && is_forbidden("b") && !is_forbidden("c"));
    let many: Vec<String> = (0..21).map(|number| format!("StreamId[]=s{number}")).collect();
    assert_eq!(backend.code(&forbid(&many.join("&"), 6)).await, 30006);
    assert_eq!(backend.code(&forbid("StreamId[]=a.b", 6)).await, 30006);
    let resume = "Action=ResumeRTCStreams&StreamId[]=a&StreamId[]=never&Sequence=7";
    assert_eq!(backend.code(resume).await, 0);
    assert!(!is_forbidden("a") && is_forbidden("b"));
}

#[tokio::test]
async fn the_media_service_has_its_own_codes_and_its_test_prefix() {
    let backend = Backend::start().await;
    let app = crate::backend::APP;
    let forbid =
        format!("Action=ForbidRTCStream&StreamId=zegotest-{app}-cam&IsTest=true&Sequence=");
    for sequence in 1..=5 {
        assert_eq!(backend.code(&format!("{forbid}{sequence}")).await, 0);
    }
    assert_eq!(
        backend.code(&format!("{forbid}6")).await,
        30002,
        "5 a second in the test environment"
    );
    assert_eq!(
        backend.code("Action=ForbidRTCStream&StreamId=x&IsTest=maybe&Sequence=1").await,
        30004
    );
    let id = odeum_types::StreamId::parse("cam").unwrap();
    assert_eq!(backend.node.rules(app, |_, rules| rules.is_forbidden(&id)), Ok(true));
}

#[tokio::test]
async fn a_stream_that_has_closed_is_told_from_one_that_never_was() {
    let history = StreamHistory::new(|_, stream| async move {
        (stream.as_str() == "cam").then_some((UnixMillis(5_999), UnixMillis(9_000)))
    });
    let backend = Backend::start_with_history(history).await;
    let closed = backend.call("Action=DescribeRTCStreamState&StreamId=cam&Sequence=1").await;
    assert_eq!(closed["Code"], 41006);
    assert_eq!(closed["Data"], json!({ "create_time": "5", "close_time": "9" }));
    assert_eq!(backend.code("Action=DescribeRTCStreamState&StreamId=desk&Sequence=1").await, 41004);
}
