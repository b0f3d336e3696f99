//! Callbacks of the built server, through crashes and a full disk, at a real receiver.

mod crash;
mod full_disk;
mod operator;
mod publisher;
mod receiver;

use std::net::SocketAddr;

use odeum_auth::server_api;
use odeum_client::{ConnectOptions, Events, LoginOptions, RequestError, Signalling};
use serde_json::Value;

use crate::process::{APP, SECRET, get, now_s, token};

/// Signs callbacks.
const CALLBACK_SECRET: &str = "callback-secret";

/// Lines of the app that send its callbacks to `receiver`.
fn to(receiver: SocketAddr) -> String {
    format!("callback_secret = \"{CALLBACK_SECRET}\"\ncallback_url = \"http://{receiver}/\"\n")
}

/// Logs a user in over a WebSocket of its own.
async fn login(url: &str, room: &str, user: &str) -> Result<Signalling, RequestError> {
    Ok(login_to_listen(url, room, user).await?.0)
}

/// As [`login`], with what the server tells the user.
async fn login_to_listen(
    url: &str,
    room: &str,
    user: &str,
) -> Result<(Signalling, Events), RequestError> {
    let options = ConnectOptions::new(url.to_owned());
    let (signalling, events) =
        Signalling::connect(&options).await.map_err(|_| RequestError::Closed)?;
    signalling.login(LoginOptions::new(APP.0, room, user, token(user))).await?;
    Ok((signalling, events))
}

/// Calls the Server API.
fn call(server: SocketAddr, query: &str) -> Value {
    let (nonce, time) = (format!("{:016x}", rand::random::<u64>()), now_s());
    let signature = server_api::make(APP, &nonce, SECRET.as_bytes(), time as i64);
    let path = format!(
        "/?{query}&AppId={APP}&SignatureNonce={nonce}&Timestamp={time}&SignatureVersion=2.0\
         &Signature={signature}"
    );
    let reply = get(server, &path);
    let body = reply.split("\r\n\r\n").nth(1).expect("a head and a body");
    serde_json::from_str(body).expect("a JSON reply")
}
