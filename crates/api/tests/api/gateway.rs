//! The gateway through the router: HTTP's own refusals, the order of the rest, replays, reloads.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use odeum_auth::{Environment, Service, Services};
use odeum_types::AppId;

use crate::backend::{APP, Backend, credentials, told};

async fn status(backend: &Backend, method: Method, uri: &str, body: Body) -> StatusCode {
    let request = Request::builder().method(method).uri(uri).body(body).unwrap();
    backend.send(request).await.0
}

#[tokio::test]
async fn http_refuses_other_paths_methods_and_sizes() {
    let backend = Backend::start().await;
    let check = async |method: Method, uri: &str, bytes: usize| {
        status(&backend, method, uri, Body::from(vec![b' '; bytes])).await
    };
    assert_eq!(check(Method::GET, "/other", 0).await, StatusCode::NOT_FOUND);
    for method in [Method::PUT, Method::DELETE, Method::HEAD, Method::OPTIONS, Method::PATCH] {
        assert_eq!(check(method, "/", 0).await, StatusCode::METHOD_NOT_ALLOWED);
    }
    let longest = format!("/?{}", "a".repeat(16 * 1024));
    assert_eq!(check(Method::GET, &longest, 0).await, StatusCode::OK);
    assert_eq!(check(Method::GET, &format!("{longest}a"), 0).await, StatusCode::URI_TOO_LONG);
    assert_eq!(check(Method::POST, "/", 1024 * 1024).await, StatusCode::OK);
    assert_eq!(check(Method::POST, "/", 1024 * 1024 + 1).await, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn after_the_signature_faults_are_told_one_by_one_in_their_order() {
    let backend = Backend::start().await;
    backend.apps.replace([(APP, {
        let mut app = credentials(Environment::Production);
        app.services = Services::only(&[Service::Mix]);
        app.calls_per_second.insert("DeleteStream".to_owned(), 0);
        app
    })]);
    assert_eq!(backend.code("IsTest=x&RoomId=").await, 100000006);
    assert_eq!(backend.code("Action=Nothing&IsTest=x").await, 100000007);
    assert_eq!(backend.code("Action=StartMix&IsTest=x").await, 100000007);
    assert_eq!(backend.code("Action=DeleteStream&IsTest=x&RoomId=").await, 2);
    assert_eq!(backend.code("Action=DeleteStream&IsTest=true&RoomId=").await, 100000016);
    assert_eq!(backend.code("Action=DeleteStream&RoomId=").await, 100000017);
    let mut app = credentials(Environment::Production);
    app.calls_per_second.insert("DeleteStream".to_owned(), 0);
    backend.apps.replace([(APP, app)]);
    assert_eq!(backend.code("Action=DeleteStream&RoomId=").await, 206);
    backend.apps.replace([(APP, credentials(Environment::Production))]);
    assert_eq!(backend.code("Action=DeleteStream&RoomId=").await, 2);
    let right = "Action=DeleteStream&RoomId=r&UserId=u&StreamId=s";
    assert_eq!(backend.code(right).await, 104);
    backend.apps.replace([(AppId(1), credentials(Environment::Production))]);
    assert_eq!(backend.code(right).await, 100000010);
}

#[tokio::test]
async fn a_replayed_request_gets_its_reply_and_does_not_act_twice() {
    let backend = Backend::start().await;
    let mut ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    let delete = "Action=DeleteStream&RoomId=hall&UserId=operator&StreamId=camera";
    let query = format!("{}&{delete}", backend.signed_with("once"));
    let first = backend.get(&query).await;
    assert_eq!(first["Code"], 0);
    backend.publish(&ann, "camera", 2).await;
    told(&mut ann);
    for _ in 0..20 {
        assert_eq!(backend.get(&query).await, first, "and no rate limit is used");
    }
    assert!(told(&mut ann).is_empty(), "the new stream is left alone");

    let other = format!("{}&{delete}2", backend.signed_with("once"));
    assert_eq!(backend.get(&other).await["Code"], 100000005);
    let posted = format!("{}&{delete}", backend.signed_with("once"));
    let with_body = backend.post(&posted, r#"{"UserName":"x"}"#).await;
    assert_eq!(with_body["Code"], 100000005);
    let statistics = backend.state.statistics();
    assert_eq!((statistics.retries, statistics.replays), (20, 2));

    backend.advance(Duration::from_secs(601));
    assert_eq!(backend.get(&query).await["Code"], 100000004);
    let later = format!("{}&{delete}", backend.signed_with("once"));
    assert_eq!(backend.get(&later).await["Code"], 0, "the nonce is free again");
}

#[tokio::test]
async fn requests_at_once_under_one_nonce_act_once() {
    let backend = Backend::start().await;
    let ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    let query = format!(
        "{}&Action=DeleteStream&RoomId=hall&UserId=operator&StreamId=camera",
        backend.signed()
    );
    let (a, b, c) = tokio::join!(backend.get(&query), backend.get(&query), backend.get(&query));
    assert_eq!(a["Code"], 0);
    assert_eq!((&a, &a), (&b, &c), "the same RequestId as well");
}

#[tokio::test]
async fn a_call_goes_on_when_its_caller_goes_away() {
    let backend = Backend::start().await;
    let ann = backend.login("hall", "ann").await;
    backend.publish(&ann, "camera", 1).await;
    let query = format!(
        "{}&Action=DeleteStream&RoomId=hall&UserId=operator&StreamId=camera",
        backend.signed()
    );
    let mut given_up = Box::pin(backend.get(&query));
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(given_up.as_mut().poll(context).is_pending())
    });
    assert!(polled.await, "the answer takes another task");
    drop(given_up);
    assert_eq!(backend.get(&query).await["Code"], 0, "the retry has the first one's reply");
    assert_eq!(backend.state.statistics().retries, 1);
}

#[tokio::test]
async fn a_post_takes_parameters_from_its_body_and_the_query_wins() {
    let backend = Backend::start().await;
    let _ann = backend.login("hall", "ann").await;
    let query = format!("{}&Action=DescribeUserNum", backend.signed());
    let reply = backend.post(&query, r#"{"RoomId":["hall","cellar"],"Unknown":{}}"#).await;
    assert_eq!(
        reply["Data"]["UserCountList"],
        serde_json::json!([
            {"RoomId": "hall", "UserCount": 1, "AdminUserCount": 0},
            {"RoomId": "cellar", "UserCount": 0, "AdminUserCount": 0},
        ])
    );
    let query = format!("{}&Action=DescribeUserNum&RoomId[]=attic", backend.signed());
    let reply = backend.post(&query, r#"{"RoomId":["hall"]}"#).await;
    assert_eq!(reply["Data"]["UserCountList"][0]["RoomId"], "attic");
    let query = format!("{}&Action=DescribeUserNum", backend.signed());
    assert_eq!(backend.post(&query, "{").await["Code"], 2);
    let query = format!("{}&RoomId[]=attic", backend.signed());
    let reply = backend.post(&query, r#"{"Action":"DescribeUserNum"}"#).await;
    assert_eq!(reply["Code"], 100000006, "common parameters are the query's alone");
}

#[tokio::test]
async fn failed_authentications_are_counted_and_cost_nobody_an_allowance() {
    let backend = Backend::start().await;
    let call = "Action=DeleteStream&RoomId=r&UserId=u&StreamId=s";
    for _ in 0..20 {
        let wrong = backend.signed().replace("&Signature=", "&Signature=0");
        assert_eq!(backend.get(&format!("{wrong}&{call}")).await["Code"], 100000005);
    }
    assert_eq!(backend.code(call).await, 104);
    let statistics = backend.state.statistics();
    assert_eq!((statistics.failed_authentications, statistics.rate_limited), (20, 0));
}

#[tokio::test]
async fn a_reply_has_its_keys_in_order_and_a_request_id_of_its_own() {
    let backend = Backend::start().await;
    let uri = format!("/?{}&Action=DescribeUserNum&RoomId[]=r", backend.signed());
    let (_, text) = backend.send(Request::get(uri).body(Body::empty()).unwrap()).await;
    let at = |key: &str| text.find(key).unwrap();
    assert!(at("\"Code\"") < at("\"Message\"") && at("\"Message\"") < at("\"RequestId\""));
    assert!(at("\"RequestId\"") < at("\"Data\""));
    let one = backend.call("Action=Nothing").await["RequestId"].as_str().unwrap().to_owned();
    let two = backend.call("Action=Nothing").await["RequestId"].as_str().unwrap().to_owned();
    assert_ne!(one, two);
    assert!(one.bytes().all(|byte| byte.is_ascii_digit()));
}
