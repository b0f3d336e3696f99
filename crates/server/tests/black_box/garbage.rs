//! Garbage at every door of the built server while two real clients talk through it: 10^6
//! datagrams, 10^5 HTTP requests and 10^5 signalling messages, random ones and mutated good ones.
//! The clients notice nothing, and afterwards the server serves, has not panicked, and holds what
//! it held.

mod datagrams;
mod live;
mod messages;
mod random;
mod requests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Instant;

use odeum_auth::server_api;

use crate::process::{APP, PATIENCE, SECRET, Server, get, now_s};
use datagrams::Flood;
use live::Pair;
use messages::Material;
use random::Random;

/// Where all chance comes from, unless `ODEUM_SEED` says another number.
const SEED: u64 = 20_261_123;

/// Datagrams, requests and messages in all; a tenth of them warms the server up.
const DATAGRAMS: u64 = 1_000_000;
const REQUESTS: u64 = 100_000;
const MESSAGES: u64 = 100_000;

/// How much more memory the server may have after everything than after a tenth of it. It keeps the
/// nonces of authentic calls for their ten minutes, which is most of this.
const GROWTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Open files after everything beside those after a tenth of it: connections that are just ending.
const DESCRIPTORS_MORE_MAX: usize = 4;

#[test]
fn garbage_at_every_door_leaves_the_server_serving_and_its_memory_flat() {
    let seed = std::env::var("ODEUM_SEED").map_or(SEED, |seed| seed.parse().expect("a number"));
    println!("ODEUM_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(test(Random::new(seed)));
}

async fn test(mut random: Random) {
    let mut server = Server::start("garbage");
    let pair = Pair::start(&server).await;
    let material = Arc::new(Material::new(pair.offers.clone()));
    pair.assert_alive("before").await;

    throw(&server, &pair, &material, &mut random, 1).await;
    let (bytes, descriptors) = settled(&server).await;
    throw(&server, &pair, &material, &mut random, 9).await;
    let (bytes_after, descriptors_after) = settled(&server).await;

    pair.assert_alive("after all").await;
    for refused in [
        "odeum_media_unknown_source_total",
        "odeum_stun_refused_total",
        "odeum_srtp_refused_total",
        "odeum_srtp_replayed_total",
        "odeum_api_failed_authentications_total",
        "odeum_api_rate_limited_total",
    ] {
        let times = server.metric(refused);
        assert!(times > 1_000, "{refused} is {times}: the garbage did not come so far");
    }
    assert_serves(&server).await;
    server.assert_no_panic();
    let growth = bytes_after.saturating_sub(bytes);
    say(&format!(
        "memory {} KiB, then {} KiB; descriptors {descriptors}, then {descriptors_after}; {} lines \
         of log",
        bytes / 1024,
        bytes_after / 1024,
        server.log_lines()
    ));
    assert!(growth <= GROWTH_BYTES_MAX, "grown by {growth} bytes");
    assert!(descriptors_after <= descriptors + DESCRIPTORS_MORE_MAX);
    drop(pair);
    assert_eq!(server.terminate().code(), Some(0), "{}", server.report());
}

/// Throws so many tenths of everything.
async fn throw(
    server: &Server,
    pair: &Pair,
    material: &Arc<Material>,
    random: &mut Random,
    tenths: u64,
) {
    let began = Instant::now();
    let count = DATAGRAMS / 10 * tenths;
    let read_before = server.metric("odeum_media_packets_received_total");
    let mut flood = Flood::new(server.media, pair);
    tokio::task::block_in_place(|| flood.send(random, count));
    let read = server.metric("odeum_media_packets_received_total") - read_before;
    assert!(read >= count / 100 * 95, "only {read} of {count} datagrams arrived");
    say(&format!("{count} datagrams in {:?}: {:?}", began.elapsed(), flood.sent));
    pair.assert_alive("after datagrams").await;

    let began = Instant::now();
    let count = REQUESTS / 10 * tenths;
    let work = |random, share| requests::run(server.http, random, share);
    let mut sum = requests::Tally::default();
    for tally in share_out(random, count, work).await {
        add(&mut sum.sent, tally.sent);
        add(&mut sum.statuses, tally.statuses);
        sum.connections += tally.connections;
    }
    say(&format!("{count} requests in {:?}: {sum:?}", began.elapsed()));
    for status in [200, 400, 404, 405, 413, 414, 431] {
        assert!(sum.statuses.contains_key(&status), "no {status}: {:?}", sum.statuses);
    }
    pair.assert_alive("after requests").await;

    let began = Instant::now();
    let count = MESSAGES / 10 * tenths;
    let work = |random, share| {
        let (http, material) = (server.http, Arc::clone(material));
        async move { messages::run(http, &material, random, share).await }
    };
    let mut sum = messages::Tally::default();
    for tally in share_out(random, count, work).await {
        add(&mut sum.sent, tally.sent);
        add(&mut sum.answers, tally.answers);
        add(&mut sum.closes, tally.closes);
        sum.sockets += tally.sockets;
    }
    say(&format!("{count} messages in {:?}: {sum:?}", began.elapsed()));
    for kind in ["logged_in", "answer", "done", "error"] {
        assert!(sum.answers.contains_key(kind), "no {kind}: {:?}", sum.answers);
    }
    assert!(sum.closes.contains_key(&4003), "{:?}", sum.closes);
    pair.assert_alive("after messages").await;
    server.assert_no_panic();
}

/// Runs `work` in several tasks that share `count`.
async fn share_out<F, T>(random: &mut Random, count: u64, work: impl Fn(Random, u64) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let share = count.div_ceil(requests::TASKS as u64);
    let running: Vec<_> =
        (0..requests::TASKS).map(|_| tokio::spawn(work(random.fork(), share))).collect();
    let mut tallies = Vec::new();
    for task in running {
        tallies.push(task.await.expect("a task that panicked has said why"));
    }
    tallies
}

fn add<K: Ord>(sum: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (key, count) in more {
        *sum.entry(key).or_default() += count;
    }
}

/// Memory and descriptors once the strangers' connections are closed.
async fn settled(server: &Server) -> (u64, usize) {
    let began = Instant::now();
    // The pair's own two.
    while server.metric("odeum_websockets") > 2 {
        assert!(began.elapsed() < PATIENCE, "WebSockets stay open; {}", server.report());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    (server.resident_bytes(), server.descriptors())
}

/// A login and a signed call do what they should.
async fn assert_serves(server: &Server) {
    let newcomer = Pair::login(server, "newcomer", "after").await;
    let (nonce, timestamp) = ("afterwards", now_s() as i64);
    let signature = server_api::make(APP, nonce, SECRET.as_bytes(), timestamp);
    let query = format!(
        "/?Action=DescribeUserNum&AppId={APP}&SignatureNonce={nonce}&Timestamp={timestamp}\
         &SignatureVersion=2.0&Signature={signature}&RoomId[]=after"
    );
    let reply = get(server.http, &query);
    assert!(reply.contains("\"Code\":0,") && reply.contains("\"UserCount\":1"), "{reply}");
    drop(newcomer);
}

/// Prints past the capture of the test's output, so that the counts are in every log.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error is open");
}
