//! Garbage at the HTTP port: mutated signed calls, broken HTTP, sizes beyond the limits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use odeum_auth::server_api;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::random::Random;
use crate::process::{APP, SECRET, now_s};

/// Connections at once.
pub(crate) const TASKS: usize = 8;
/// Longest wait for a reply.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

const ACTIONS: [&str; 10] = [
    "AddStream",
    "CloseRoom",
    "DeleteStream",
    "DescribeSimpleStreamList",
    "DescribeUserList",
    "DescribeUserNum",
    "DescribeUsers",
    "KickoutUser",
    "Dance",
    "",
];

const PARAMETERS: [&str; 14] = [
    "RoomId",
    "RoomId[]",
    "UserId",
    "UserId[]",
    "UserName",
    "StreamId",
    "StreamTitle",
    "ExtraInfo",
    "Mode",
    "Limit",
    "Marker",
    "CustomReason",
    "RoomCloseCallback",
    "IsTest",
];

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests by what they were.
    pub(crate) sent: BTreeMap<&'static str, u64>,
    /// Replies by status; 0 for a connection that the server closed without one.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Connections.
    pub(crate) connections: u64,
}

/// What is done after a request was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// The reply is read, and the connection goes on.
    Keep,
    /// The reply is read, and the connection ends.
    Close,
    /// Nothing more is written, so that what is incomplete is not waited for; the reply is read.
    HalfClose,
    /// The connection ends at once.
    Abandon,
}

/// A request that is written.
struct Written {
    what: &'static str,
    bytes: Vec<u8>,
    after: After,
}

/// Sends `count` requests over one connection after another.
pub(crate) async fn run(server: SocketAddr, mut random: Random, count: u64) -> Tally {
    let mut tally = Tally::default();
    let mut connection: Option<TcpStream> = None;
    for _ in 0..count {
        let written = request(&mut random);
        *tally.sent.entry(written.what).or_default() += 1;
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => {
                tally.connections += 1;
                connect(server, &mut random).await
            }
        };
        // The server may close before it has read all; that is an answer too.
        let sent = stream.write_all(&written.bytes).await.is_ok();
        if written.after == After::Abandon {
            continue;
        }
        if written.after == After::HalfClose {
            // It may be closed by the other end already.
            drop(stream.shutdown().await);
        }
        let has_no_body = written.bytes.starts_with(b"HEAD ");
        let reply = tokio::time::timeout(REPLY_TIMEOUT, reply(&mut stream, has_no_body)).await;
        let shown = String::from_utf8_lossy(&written.bytes[..written.bytes.len().min(300)]);
        let reply = reply.unwrap_or_else(|_| panic!("no reply to {}: {shown}", written.what));
        *tally.statuses.entry(reply.unwrap_or(0)).or_default() += 1;
        if sent && reply.is_some() && written.after == After::Keep {
            connection = Some(stream);
        }
    }
    tally
}

/// A connection from one of many addresses, for failures are counted by address.
pub(crate) async fn connect(server: SocketAddr, random: &mut Random) -> TcpStream {
    let [high, low] = [random.below(250), random.below(250)].map(|octet| octet as u8 + 2);
    let socket = TcpSocket::new_v4().expect("a descriptor is free");
    socket.bind(SocketAddr::from(([127, 1, high, low], 0))).expect("all of 127/8 is this machine");
    socket.connect(server).await.expect("the server listens")
}

/// Reads one reply; its status, or none when the connection ended.
async fn reply(stream: &mut TcpStream, has_no_body: bool) -> Option<u16> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    while !has_no_body && bytes.len() < head + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    // Without its end known, the next reply cannot be told from it.
    if text.contains("transfer-encoding") || text.contains("connection: close") {
        drop(stream.shutdown().await);
    }
    Some(status)
}

fn request(random: &mut Random) -> Written {
    let keep = |what, bytes: String| Written { what, bytes: bytes.into(), after: After::Keep };
    let half_close = |what, bytes: Vec<u8>| Written { what, bytes, after: After::HalfClose };
    match random.below(20) {
        0..2 => {
            let query = signed(random);
            keep("signed call", get(&query))
        }
        2..8 => {
            let query = signed(random);
            let query = escaped(&random.mutated(query.as_bytes()));
            keep("mutated signed call", get(&query))
        }
        8 => {
            let length = random.below(300);
            keep("random query", get(&escaped(&random.bytes(length))))
        }
        9 => {
            let (query, body) = (signed(random), body(random));
            let head = format!("POST /?{query} HTTP/1.1\r\nHost: a\r\nContent-Length: ");
            let mut bytes = format!("{head}{}\r\n\r\n", body.len()).into_bytes();
            bytes.extend(body);
            Written { what: "call with a body", bytes, after: After::Keep }
        }
        10 => {
            let method = *random.pick(&["PUT", "DELETE", "OPTIONS", "TRACE", "HEAD", "PATCH", "X"]);
            keep("another method", format!("{method} /?a=b HTTP/1.1\r\nHost: a\r\n\r\n"))
        }
        11 => {
            let path = *random.pick(&[
                "/signal",
                "/healthz",
                "/metrics",
                "/try",
                "/try/session",
                "/sdk/odeum.js",
                "/sdk/../../etc/passwd",
                "//",
                "/%00",
                "/?",
                "*",
                "http://other/",
            ]);
            keep("another path", format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
        }
        12 => large(random),
        13..15 => {
            let query = signed(random);
            half_close("mutated request", random.mutated(get(&query).as_bytes()))
        }
        15 => {
            let length = random.below(400);
            let mut bytes = random.bytes(length);
            bytes.extend(b"\r\n\r\n");
            half_close("random bytes", bytes)
        }
        16 => half_close("broken HTTP", broken(random).into()),
        17 => half_close("broken WebSocket", upgrade(random)),
        18 => {
            let query = signed(random);
            let mut bytes = get(&query).into_bytes();
            bytes.truncate(random.below(bytes.len()));
            Written { what: "half a request", bytes, after: After::Abandon }
        }
        _ => {
            let calls = get(&format!("Action=DescribeUserNum&AppId={APP}")).repeat(5);
            Written { what: "five at once", bytes: calls.into(), after: After::Close }
        }
    }
}

fn get(query: &str) -> String {
    format!("GET /?{query} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// An authentic query of a known action or another one, with whatever parameters.
fn signed(random: &mut Random) -> String {
    let nonce = format!("{:016x}", random.next());
    // One in eight is out of time.
    let timestamp = match random.one_in(8) {
        true => random.next() as i32 as i64,
        false => now_s() as i64,
    };
    let signature = server_api::make(APP, &nonce, SECRET.as_bytes(), timestamp);
    let action = random.pick(&ACTIONS);
    let mut query = format!(
        "Action={action}&AppId={APP}&SignatureNonce={nonce}&Timestamp={timestamp}\
         &SignatureVersion=2.0&Signature={signature}"
    );
    for _ in 0..random.below(6) {
        let name = random.pick(&PARAMETERS);
        let value = value(random);
        query.push_str(&format!("&{name}={}", escaped(value.as_bytes())));
    }
    query
}

fn value(random: &mut Random) -> String {
    match random.below(8) {
        0..4 => format!("g{}", random.below(5)),
        4 => (random.next() as i64 >> random.below(64)).to_string(),
        5 => {
            let length = random.below(2_000);
            random.text(length)
        }
        6 => (*random.pick(&["", "true", "false", "null", "[]", "-1", "0"])).to_owned(),
        _ => {
            let length = random.below(20);
            random.text(length)
        }
    }
}

fn body(random: &mut Random) -> Vec<u8> {
    let name = random.pick(&PARAMETERS);
    let value = value(random);
    let json = serde_json::json!({ *name: value, "Limit": random.next() as i16, "UserId": ["a"] });
    match random.below(3) {
        0 => json.to_string().into_bytes(),
        1 => random.mutated(json.to_string().as_bytes()),
        _ => {
            let length = random.below(200);
            random.bytes(length)
        }
    }
}

/// More than the server takes: a query, a body, headers.
fn large(random: &mut Random) -> Written {
    let bytes = match random.below(4) {
        0 => get(&"a".repeat(16 * 1024 + 1 + random.below(30_000))),
        1 => format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(80 * 1024)),
        2 => format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: x\r\n".repeat(200)),
        _ => {
            let announced = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n";
            format!("{announced}{}", "x".repeat(20_000))
        }
    };
    Written { what: "too large", bytes: bytes.into(), after: After::Close }
}

fn broken(random: &mut Random) -> &'static str {
    const REQUESTS: &[&str] = &[
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \x01\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    ];
    let picked: &&str = random.pick(REQUESTS);
    picked
}

fn upgrade(random: &mut Random) -> Vec<u8> {
    let good = "GET /signal HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let length = random.below(100);
    match random.below(3) {
        0 => random.mutated(good.as_bytes()),
        1 => good.replace("13", "12").into(),
        _ => [good.as_bytes(), &random.bytes(length)].concat(),
    }
}

/// Percent-encodes what may not stand in a request's first line.
fn escaped(bytes: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'!'..=b'~' => char::from(*byte).to_string(),
        other => format!("%{other:02x}"),
    };
    bytes.iter().map(escape).collect()
}
