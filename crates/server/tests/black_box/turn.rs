//! What the metrics page says of the relay, figure by figure, while clients do what each counts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use odeum_client::{
    Certificate, ConnectOptions, Direction, LoginOptions, PeerConfig, Signalling, TurnAttribute,
    TurnCarrier, TurnClient, TurnMethod, TurnServer, WebRtcPeer,
};

use crate::process::{APP, PATIENCE, Server, get, token};

/// A burst of 10,000 bytes passes, and no more of it.
const RELAY: &str = "[turn]\nhost = \"127.0.0.1\"\nlisten = \"127.0.0.1:0\"\n\
     allocations_max = 3\nallocations_per_login_max = 2\nkbps_per_allocation_max = 80\n";
/// Time between two looks at a figure that is about to change.
const LOOK_AGAIN_IN: Duration = Duration::from_millis(50);

/// A figure with its labels, and its value.
type Figures = BTreeMap<String, u64>;

/// A server with a relay, and who uses it.
struct Rig {
    server: Server,
    runtime: tokio::runtime::Runtime,
    before: Figures,
}

impl Rig {
    fn new(name: &str) -> Self {
        let server = Server::start_with(name, RELAY);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let before = figures(&server);
        Self { server, runtime, before }
    }

    /// Logs somebody in: the session, and what opens the relay to it.
    fn login(&self, user: &str) -> (Signalling, TurnServer) {
        self.runtime.block_on(async {
            let options = ConnectOptions::new(self.server.signal_url());
            let (session, _events) = Signalling::connect(&options).await.expect("a WebSocket");
            let login = LoginOptions::new(APP.0, "hall", user, token(user));
            let told = session.login(login).await.expect("a good token");
            let relay = TurnServer::named_by(&told.ice_servers).expect("a relay");
            (session, relay)
        })
    }

    /// Somebody who was told realm and nonce.
    fn connect(&self, relay: &TurnServer, carrier: TurnCarrier) -> TurnClient {
        self.runtime.block_on(relay.connect(carrier)).expect("it answers")
    }

    /// What has changed on the page since it was last asked.
    fn changed(&mut self) -> Figures {
        let now = figures(&self.server);
        let before = std::mem::replace(&mut self.before, now.clone());
        let grew = |(name, value): (String, u64)| {
            let more = value.checked_sub(before[&name]).filter(|more| *more > 0)?;
            Some((name, more))
        };
        now.into_iter().filter_map(grew).collect()
    }

    /// The code of the refusal of a request, and that it is counted under `word` and nothing else.
    fn refuses(
        &mut self,
        client: &mut TurnClient,
        (method, attributes): (TurnMethod, &[(TurnAttribute, &[u8])]),
        (code, word): (u16, &str),
    ) {
        drop(self.changed());
        let answer = self.runtime.block_on(client.request(method, attributes));
        assert_eq!(answer.expect("it answers"), Err(code), "{word}");
        assert_eq!(self.changed(), refused(word));
    }
}

/// The relay's figures on the metrics page.
fn figures(server: &Server) -> Figures {
    let page = get(server.admin, "/metrics");
    let of_relay = page.lines().filter(|line| line.starts_with("odeum_turn_"));
    let figure = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        (name["odeum_turn_".len()..].to_owned(), value.parse().expect("a whole number"))
    };
    of_relay.map(figure).collect()
}

fn refused(word: &str) -> Figures {
    [(format!("refusals_total{{reason=\"{word}\"}}"), 1)].into()
}

const UDP: (TurnAttribute, &[u8]) = (TurnAttribute::Transport, &[17, 0, 0, 0]);

#[test]
fn each_refusal_is_on_the_page_under_its_reason() {
    let mut rig = Rig::new("turn-refusals");
    let (ann_session, ann) = rig.login("ann");
    let (_bob_session, bob) = rig.login("bob");
    let allocate = TurnMethod::Allocate;
    drop(rig.changed());
    let mut client = rig.connect(&ann, TurnCarrier::Udp);
    assert_eq!(rig.changed(), refused("challenged"));

    client.show(&TurnServer { credential: "another".to_owned(), ..ann.clone() });
    rig.refuses(&mut client, (allocate, &[UDP]), (401, "unauthenticated"));
    client.show(&ann);
    let nonce = std::mem::replace(&mut client.nonce, b"1-of-somebody-else".to_vec());
    rig.refuses(&mut client, (allocate, &[UDP]), (438, "stale_nonce"));
    client.nonce = nonce;
    rig.refuses(&mut client, (allocate, &[]), (400, "bad_request"));
    let even = (TurnAttribute::EvenPort, &[0x80][..]);
    rig.refuses(&mut client, (allocate, &[UDP, even]), (420, "unknown_attribute"));
    let tcp = (TurnAttribute::Transport, &[6, 0, 0, 0][..]);
    rig.refuses(&mut client, (allocate, &[tcp]), (442, "transport_unsupported"));
    let v6 = (TurnAttribute::Family, &[2, 0, 0, 0][..]);
    rig.refuses(&mut client, (allocate, &[UDP, v6]), (440, "family_unsupported"));
    rig.refuses(&mut client, (TurnMethod::Refresh, &[]), (437, "allocation_mismatch"));

    assert_eq!(rig.runtime.block_on(client.allocate()).expect("an answer"), Ok(()));
    rig.refuses(&mut client, (allocate, &[UDP]), (437, "allocation_mismatch"));
    client.show(&bob);
    rig.refuses(&mut client, (TurnMethod::Refresh, &[]), (441, "wrong_user"));
    client.show(&ann);
    let stranger: SocketAddr = (Ipv4Addr::LOCALHOST, 9).into();
    drop(rig.changed());
    let answer = rig.runtime.block_on(client.bind(stranger)).expect("an answer");
    assert_eq!((answer, rig.changed()), (Err(403), refused("forbidden")));
    // This server has no media port of IPv6; at one that has, this were family_mismatch.
    let far = SocketAddr::new("2001:db8::1".parse().expect("an address"), 9);
    let answer = rig.runtime.block_on(client.bind(far)).expect("an answer");
    assert_eq!((answer, rig.changed()), (Err(403), refused("forbidden")));

    let mut second = rig.connect(&ann, TurnCarrier::Tcp);
    assert_eq!(rig.runtime.block_on(second.allocate()).expect("an answer"), Ok(()));
    let mut third = rig.connect(&ann, TurnCarrier::Tcp);
    rig.refuses(&mut third, (allocate, &[UDP]), (486, "quota"));
    let mut bobs = rig.connect(&bob, TurnCarrier::Udp);
    assert_eq!(rig.runtime.block_on(bobs.allocate()).expect("an answer"), Ok(()));
    let mut bobs_second = rig.connect(&bob, TurnCarrier::Udp);
    rig.refuses(&mut bobs_second, (allocate, &[UDP]), (508, "capacity"));

    rig.runtime.block_on(ann_session.logout("hall")).expect("who is in may leave");
    rig.refuses(&mut third, (allocate, &[UDP]), (401, "session_ended"));
    rig.server.assert_no_panic();
}

#[test]
fn allocations_and_what_they_carry_are_on_the_page() {
    let mut rig = Rig::new("turn-carried");
    let (session, relay) = rig.login("ann");
    drop(rig.changed());
    // A real transport: the media port answers nothing but good checks.
    let certificate = Certificate::generate().expect("a certificate");
    let mut peer = WebRtcPeer::new(PeerConfig::new(Direction::Send, certificate, 1));
    let offer = peer.offer();
    let answer = rig.runtime.block_on(session.publish("hall", "camera", "", &offer));
    peer.accept_answer(Instant::now(), &answer.expect("an answer")).expect("a good one");
    let check = peer.poll_transmit().expect("it begins with a check");
    let opened = rig.runtime.block_on(relay.open(TurnCarrier::Udp, rig.server.media));
    let mut client = opened.expect("a channel");
    let made = rig.changed();
    assert_eq!((made["allocations"], made["allocations_made_total"]), (1, 1), "{made:?}");

    let mut buffer = [0; 2_048];
    let came = rig.runtime.block_on(async {
        client.send(&check.bytes);
        tokio::time::timeout(PATIENCE, client.receive(&mut buffer)).await
    });
    let came = came.expect("the check is answered").expect("the relay is there");
    let answer_bytes = came.expect("it comes by the channel").len() as u64;
    let of = |what: &str, way: &str| format!("relayed_{what}_total{{direction=\"{way}\"}}");
    let expected: Figures = [
        (of("packets", "to_media"), 1),
        (of("bytes", "to_media"), check.bytes.len() as u64),
        (of("packets", "to_clients"), 1),
        (of("bytes", "to_clients"), answer_bytes),
    ]
    .into();
    assert_eq!(rig.changed(), expected);

    rig.runtime.block_on(async { (0..20).for_each(|_| client.send(&[0; 1_000])) });
    let mut seen = Figures::new();
    wait_for(&mut rig, |rig| {
        rig.changed().into_iter().for_each(|(name, more)| *seen.entry(name).or_default() += more);
        seen.values().filter(|value| **value < 1_000).sum::<u64>() == 20
    });
    let (passed, lost) = (seen[&of("packets", "to_media")], seen["over_rate_total"]);
    assert!(lost >= 5 && passed >= 5 && passed + lost == 20, "{seen:?}");
    assert_eq!(seen[&of("bytes", "to_media")], passed * 1_000);

    rig.runtime.block_on(session.logout("hall")).expect("who is in may leave");
    let mut ended = 0;
    wait_for(&mut rig, |rig| {
        ended += rig.changed().get("ended_with_session_total").copied().unwrap_or_default();
        ended > 0 && rig.before["allocations"] == 0
    });
    assert_eq!((ended, rig.before["allocations_made_total"]), (1, 1));
    rig.server.assert_no_panic();
}

#[expect(clippy::disallowed_methods, reason = "another process is waited for, to a deadline")]
fn wait_for(rig: &mut Rig, mut holds: impl FnMut(&mut Rig) -> bool) {
    let began = Instant::now();
    while !holds(rig) {
        assert!(began.elapsed() < PATIENCE, "{:?}; {}", rig.before, rig.server.report());
        std::thread::sleep(LOOK_AGAIN_IN);
    }
}
