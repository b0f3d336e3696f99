//! The metrics page: what node, Server API and signalling count, as Prometheus text (exposition
//! format 0.0.4). Names end in their unit or in `_total`; labels stay few, and each has few values.

use std::fmt::Write as _;

use odeum_api::ApiStatistics;
use odeum_callback::CallbackStatistics;
use odeum_node::{MediaStatistics, NodeStatistics, TurnStatistics};

/// Everything that is shown.
pub(crate) struct Metrics {
    /// The node's counters.
    pub(crate) node: NodeStatistics,
    /// The Server API's counters.
    pub(crate) api: ApiStatistics,
    /// The callbacks' counters.
    pub(crate) callbacks: CallbackStatistics,
    /// WebSockets that are open.
    pub(crate) websockets: usize,
    /// Sessions of WHIP and WHEP.
    pub(crate) whip_sessions: usize,
    /// What the TURN relay counts, where there is one.
    pub(crate) turn: Option<TurnStatistics>,
}

/// Whether a figure only grows.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// One figure of a media worker: its name, what it means, and where it stands.
type MediaFigure = (&'static str, Kind, &'static str, fn(&MediaStatistics) -> u64);

/// The figures of each media worker.
const MEDIA: &[MediaFigure] = &[
    ("odeum_media_peers", Kind::Gauge, "WebRTC transports", |m| m.sfu.peers),
    ("odeum_media_packets_received_total", Kind::Counter, "Datagrams read", |m| {
        m.socket.packets_received
    }),
    ("odeum_media_received_bytes_total", Kind::Counter, "Bytes read", |m| m.socket.bytes_received),
    ("odeum_media_packets_sent_total", Kind::Counter, "Datagrams that the kernel took", |m| {
        m.socket.packets_sent
    }),
    ("odeum_media_sent_bytes_total", Kind::Counter, "Bytes that the kernel took", |m| {
        m.socket.bytes_sent
    }),
    ("odeum_media_dropped_buffer_full_total", Kind::Counter, "Lost: send buffer full", |m| {
        m.socket.dropped_buffer_full
    }),
    ("odeum_media_dropped_refused_total", Kind::Counter, "Lost: refused by the kernel", |m| {
        m.socket.dropped_refused
    }),
    ("odeum_media_receive_errors_total", Kind::Counter, "Reads that failed", |m| {
        m.socket.receive_errors
    }),
    ("odeum_media_restarts_total", Kind::Counter, "Media workers begun anew after a panic", |m| {
        m.restarts
    }),
    ("odeum_media_unknown_source_total", Kind::Counter, "Datagrams from no validated peer", |m| {
        m.sfu.unknown_source
    }),
    ("odeum_stun_refused_total", Kind::Counter, "STUN malformed or not authentic", |m| {
        m.sfu.stun_refused
    }),
    ("odeum_srtp_refused_total", Kind::Counter, "SRTP forged or malformed", |m| m.sfu.srtp_refused),
    ("odeum_srtp_replayed_total", Kind::Counter, "SRTP replayed or too old", |m| {
        m.sfu.srtp_replayed
    }),
    ("odeum_rtp_received_total", Kind::Counter, "RTP taken from publishers", |m| {
        m.sfu.rtp_received
    }),
    ("odeum_rtp_forwarded_total", Kind::Counter, "RTP sent to subscribers", |m| {
        m.sfu.rtp_forwarded
    }),
    ("odeum_rtp_forwarded_bytes_total", Kind::Counter, "Bytes of it", |m| {
        m.sfu.rtp_forwarded_bytes
    }),
    ("odeum_rtp_retransmitted_total", Kind::Counter, "Packets sent again", |m| m.sfu.retransmitted),
    ("odeum_rtp_retransmission_missed_total", Kind::Counter, "Asked for, no longer kept", |m| {
        m.sfu.retransmission_missed
    }),
    ("odeum_rtp_retransmission_refused_total", Kind::Counter, "Asked for beyond the budget", |m| {
        m.sfu.retransmission_refused
    }),
    ("odeum_nacks_sent_total", Kind::Counter, "Packets asked for again at publishers", |m| {
        m.sfu.nacks_sent
    }),
    ("odeum_key_frame_requests_sent_total", Kind::Counter, "Key frames asked for", |m| {
        m.sfu.key_frame_requests_sent
    }),
    ("odeum_media_dropped_queue_full_total", Kind::Counter, "Lost: arena or queue full", |m| {
        m.sfu.dropped_queue_full
    }),
    (
        "odeum_rtp_probe_packets_total",
        Kind::Counter,
        "Sent only to see how fast they arrive",
        |m| m.sfu.probe_packets,
    ),
    ("odeum_layer_changes_total", Kind::Counter, "Viewers given another layer of video", |m| {
        m.sfu.layer_changes
    }),
    (
        "odeum_bandwidth_deals_total",
        Kind::Counter,
        "Times that what reaches a session was dealt out",
        |m| m.sfu.bandwidth_deals,
    ),
    ("odeum_relay_packets_total", Kind::Counter, "Packets put into rings to other workers", |m| {
        m.relay.packets_sent
    }),
    ("odeum_relay_dropped_ring_full_total", Kind::Counter, "Lost: ring to a worker full", |m| {
        m.relay.dropped_ring_full
    }),
    (
        "odeum_peer_panics_total",
        Kind::Counter,
        "Peers dropped because handling them panicked",
        |m| m.sfu.panics,
    ),
];

impl Metrics {
    /// The page.
    pub(crate) fn to_text(&self) -> String {
        let mut page = Page::default();
        page.rooms(&self.node, self.websockets);
        let help = "Streams published and played by WHIP and WHEP";
        page.gauge("odeum_whip_sessions", help, self.whip_sessions as u64);
        page.server_api(&self.api);
        page.callbacks(&self.callbacks);
        if let Some(turn) = &self.turn {
            page.turn(turn);
        }
        for (name, kind, help, read) in MEDIA {
            page.per_worker(name, *kind, help, self.node.media.iter().map(read));
        }
        page.text
    }
}

/// The page while it is written.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn rooms(&mut self, node: &NodeStatistics, websockets: usize) {
        self.gauge("odeum_rooms", "Rooms", node.rooms);
        self.gauge("odeum_users", "Users logged in or about to be", node.users);
        self.gauge("odeum_sessions", "Sessions", node.sessions);
        self.gauge("odeum_streams", "Streams", node.streams);
        self.gauge("odeum_websockets", "WebSockets", websockets as u64);
        let entries = node.journal_entries;
        self.gauge("odeum_journal_entries", "Events and rules not stored yet", entries);
        self.gauge("odeum_journal_bytes", "Their size in memory", node.journal_bytes);
        let control = &node.control;
        for (name, help, value) in [
            ("odeum_logins_total", "Logins that succeeded", control.logins),
            ("odeum_notices_total", "Notices queued for clients", control.notices),
            (
                "odeum_barrages_thinned_total",
                "Barrage messages kept from clients that read slowly",
                control.barrages_thinned,
            ),
            ("odeum_clients_cut_total", "Clients cut: too slow", control.clients_cut),
            ("odeum_room_panics_total", "Rooms dropped by a panic", control.room_panics),
            (
                "odeum_room_worker_panics_total",
                "Panics of room workers outside their rooms",
                control.worker_panics,
            ),
            (
                "odeum_mailbox_refusals_total",
                "Commands refused: mailbox full",
                control.mailbox_refusals,
            ),
            (
                "odeum_media_refusals_total",
                "Offers refused: media queue full",
                control.media_refusals,
            ),
            (
                "odeum_events_refusals_total",
                "Commands refused: too many events wait",
                control.events_refusals,
            ),
            (
                "odeum_deadlines_passed_total",
                "Commands given up at their deadline",
                control.deadlines_passed,
            ),
        ] {
            self.counter(name, help, value);
        }
    }

    fn server_api(&mut self, api: &ApiStatistics) {
        for (name, help, value) in [
            ("odeum_api_requests_total", "Requests at the gateway", api.requests),
            ("odeum_api_succeeded_total", "Answered with code 0", api.succeeded),
            ("odeum_api_failed_authentications_total", "Not authentic", api.failed_authentications),
            ("odeum_api_replays_total", "Nonces used twice", api.replays),
            ("odeum_api_retries_total", "Retries given the stored reply", api.retries),
            ("odeum_api_rate_limited_total", "Over a rate limit", api.rate_limited),
            ("odeum_api_failures_total", "Internal failures", api.failures),
        ] {
            self.counter(name, help, value);
        }
    }

    fn callbacks(&mut self, callbacks: &CallbackStatistics) {
        let backlog = &callbacks.backlog;
        let name = "odeum_callbacks_waiting";
        self.head(name, Kind::Gauge, "Callbacks that wait for their receiver");
        for (app, waiting) in &callbacks.waiting_by_app {
            self.line(format_args!("{name}{{app=\"{app}\"}} {waiting}"));
        }
        self.gauge("odeum_callbacks_late", "Of them, those that have stepped aside", backlog.late);
        self.gauge("odeum_callbacks_under_way", "Attempts under way", backlog.attempts);
        let oldest = callbacks.oldest.map_or(0, |at| at.seconds());
        let help = "Unix time of the event whose callback waits longest; 0 when none waits";
        self.gauge("odeum_callbacks_oldest_timestamp_seconds", help, oldest);
        let spilled = callbacks.spilled;
        self.gauge("odeum_store_spilled_entries", "In memory while the store is away", spilled);
        for (name, help, value) in [
            ("odeum_callback_attempts_total", "Attempts made", callbacks.attempts),
            (
                "odeum_callback_attempts_failed_total",
                "Attempts that failed",
                callbacks.attempts_failed,
            ),
            ("odeum_callbacks_stored_total", "Callbacks stored", callbacks.stored),
            ("odeum_callbacks_delivered_total", "Taken by a receiver", callbacks.delivered),
            ("odeum_callbacks_failed_total", "Tried for the last time", callbacks.failed),
            ("odeum_callbacks_dropped_total", "Given up", callbacks.dropped),
            ("odeum_store_commits_total", "Commits", callbacks.commits),
            ("odeum_store_commits_failed_total", "Commits that failed", callbacks.commits_failed),
        ] {
            self.counter(name, help, value);
        }
    }

    fn turn(&mut self, turn: &TurnStatistics) {
        self.gauge("odeum_turn_allocations", "Allocations of the TURN relay", turn.allocations);
        for (name, help, value) in [
            ("odeum_turn_allocations_made_total", "Allocations made", turn.allocations_made),
            (
                "odeum_turn_ended_with_session_total",
                "Allocations ended because their session did",
                turn.ended_with_session,
            ),
            ("odeum_turn_over_rate_total", "Lost: over an allocation's rate", turn.over_rate),
        ] {
            self.counter(name, help, value);
        }
        let ways = [("to_media", turn.to_media), ("to_clients", turn.to_clients)];
        let name = "odeum_turn_relayed_packets_total";
        self.head(name, Kind::Counter, "Packets relayed");
        for (way, carried) in ways {
            self.line(format_args!("{name}{{direction=\"{way}\"}} {}", carried.packets));
        }
        let name = "odeum_turn_relayed_bytes_total";
        self.head(name, Kind::Counter, "Their bytes, without TURN's own");
        for (way, carried) in ways {
            self.line(format_args!("{name}{{direction=\"{way}\"}} {}", carried.bytes));
        }
        let name = "odeum_turn_refusals_total";
        self.head(name, Kind::Counter, "Requests refused; `challenged` is how every client begins");
        for (reason, count) in &turn.refusals {
            self.line(format_args!("{name}{{reason=\"{reason}\"}} {count}"));
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, Kind::Gauge, help, value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.one(name, Kind::Counter, help, value);
    }

    fn one(&mut self, name: &str, kind: Kind, help: &str, value: u64) {
        self.head(name, kind, help);
        self.line(format_args!("{name} {value}"));
    }

    fn per_worker(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        values: impl Iterator<Item = u64>,
    ) {
        self.head(name, kind, help);
        for (worker, value) in values.enumerate() {
            self.line(format_args!("{name}{{worker=\"{worker}\"}} {value}"));
        }
    }

    fn head(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("writing to a String cannot fail");
    }
}

#[cfg(test)]
mod tests {
    use odeum_node::Carried;

    use super::*;

    #[test]
    fn every_figure_has_help_type_and_value() {
        let node = NodeStatistics {
            rooms: 3,
            media: vec![MediaStatistics::default(); 2],
            ..NodeStatistics::default()
        };
        let api = ApiStatistics { requests: 7, ..ApiStatistics::default() };
        let callbacks = CallbackStatistics {
            waiting_by_app: [(odeum_types::AppId(9), 4)].into(),
            ..CallbackStatistics::default()
        };
        let turn = Some(TurnStatistics {
            allocations: 8,
            allocations_made: 9,
            ended_with_session: 1,
            to_media: Carried { packets: 10, bytes: 1_000 },
            to_clients: Carried { packets: 11, bytes: 1_100 },
            over_rate: 2,
            refusals: vec![("forbidden", 3), ("quota", 0)],
        });
        let metrics = Metrics { node, api, callbacks, websockets: 5, whip_sessions: 6, turn };
        let text = metrics.to_text();
        for line in [
            "odeum_turn_allocations 8\n",
            "odeum_turn_relayed_packets_total{direction=\"to_media\"} 10\n",
            "odeum_turn_relayed_bytes_total{direction=\"to_clients\"} 1100\n",
            "odeum_turn_refusals_total{reason=\"forbidden\"} 3\n",
            "odeum_turn_over_rate_total 2\n",
        ] {
            assert!(text.contains(line), "{line} is missing in {text}");
        }
        assert!(text.contains("odeum_callbacks_waiting{app=\"9\"} 4\n"), "{text}");
        assert!(text.contains("# TYPE odeum_rooms gauge\nodeum_rooms 3\n"), "{text}");
        assert!(text.contains("odeum_websockets 5\n") && text.contains("odeum_whip_sessions 6\n"));
        assert!(text.contains("odeum_api_requests_total 7\n"));
        assert!(
            text.contains("odeum_media_peers{worker=\"0\"} 0\nodeum_media_peers{worker=\"1\"} 0\n")
        );
        let lines = |prefix: &str| text.lines().filter(|line| line.starts_with(prefix)).count();
        assert_eq!(lines("# HELP"), lines("# TYPE"));
    }
}
