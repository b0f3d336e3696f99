//! What is told: progress, a table, and the same as data.

use std::fmt::Arguments;
use std::io::{IsTerminal, Write, stderr};

use serde_json::{Value, json};

use crate::percentiles::{Percentiles, median};

/// Share of a core up to which a server is taken to do well.
pub(crate) const CORE_SHARE_MAX: f64 = 0.8;

/// A line on the terminal that says what is under way; nothing where stderr is a file.
pub(crate) struct Progress {
    /// Whether anybody looks.
    is_watched: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_watched: stderr().is_terminal() }
    }

    /// Says what is under way, in place of what was said before.
    pub(crate) fn say(&mut self, text: Arguments<'_>) {
        if self.is_watched {
            // A terminal that went away is no reason to stop.
            write!(stderr(), "\r\x1b[K{text}").unwrap_or(());
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.is_watched {
            write!(stderr(), "\r\x1b[K").unwrap_or(());
        }
    }
}

/// What one size gave.
pub(crate) struct Row {
    /// The size.
    pub(crate) size: usize,
    /// How many users that are.
    pub(crate) users: usize,
    /// How many streams.
    pub(crate) publishers: usize,
    /// How many times somebody plays one.
    pub(crate) plays: usize,
    /// Packets delivered in a second.
    pub(crate) packets_per_second: f64,
    /// The server's CPU time for each delivered packet, by window, microseconds; empty if it cannot
    /// be seen from here.
    pub(crate) server_us: Vec<f64>,
    /// The floor's.
    pub(crate) floor_us: Vec<f64>,
    /// That of the floor which encrypts for each viewer.
    pub(crate) sealed_floor_us: Vec<f64>,
    /// Packets that should have arrived.
    pub(crate) due: u64,
    /// Packets that did not.
    pub(crate) lost: u64,
    /// Of the floor's packets, how many did not arrive.
    pub(crate) floor_lost: u64,
    /// Share of a core that the server used.
    pub(crate) core_share: Option<f64>,
    /// Resident memory more than with the first publishers and nobody else, for each play.
    pub(crate) viewer_bytes: Option<f64>,
    /// Of it, what WebSockets and sessions took before they played.
    pub(crate) session_bytes: Option<f64>,
    /// Delays at the sampled viewers.
    pub(crate) delays: Percentiles,
    /// The same of the last packet of each video frame.
    pub(crate) frame_delays: Percentiles,
    /// How much later than planned publishers sent.
    pub(crate) send_delays: Percentiles,
}

impl Row {
    pub(crate) fn new(size: usize, publishers: usize, plays: usize) -> Self {
        Self {
            size,
            users: 0,
            publishers,
            plays,
            packets_per_second: 0.0,
            server_us: Vec::new(),
            floor_us: Vec::new(),
            sealed_floor_us: Vec::new(),
            due: 0,
            lost: 0,
            floor_lost: 0,
            core_share: None,
            viewer_bytes: None,
            session_bytes: None,
            delays: Percentiles::default(),
            frame_delays: Percentiles::default(),
            send_delays: Percentiles::default(),
        }
    }

    /// Microseconds of the server for a packet.
    pub(crate) fn server(&self) -> Option<f64> {
        middle(&self.server_us)
    }

    /// Microseconds of the floor for a packet.
    pub(crate) fn floor(&self) -> Option<f64> {
        middle(&self.floor_us)
    }

    /// Microseconds of the floor that encrypts for a packet.
    fn sealed_floor(&self) -> Option<f64> {
        middle(&self.sealed_floor_us)
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.server()? / self.floor()?.max(f64::MIN_POSITIVE))
    }

    fn sealed_ratio(&self) -> Option<f64> {
        Some(self.server()? / self.sealed_floor()?.max(f64::MIN_POSITIVE))
    }

    /// Share of a core that the floor would use for as many packets.
    pub(crate) fn floor_share(&self) -> Option<f64> {
        Some(self.floor()? * self.packets_per_second / 1e6)
    }

    /// Users at [`CORE_SHARE_MAX`] of a core, in proportion.
    fn users_per_core(&self) -> Option<f64> {
        Some(self.users as f64 * CORE_SHARE_MAX / self.core_share?.max(f64::MIN_POSITIVE))
    }

    /// The row of the table.
    pub(crate) fn line(&self) -> String {
        let figure = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let mut line = format!(
            "| {} | {} | {} | {:.0} | {} | {} | {} | {} | {} | {} | {} | {:.2} | {:.2} | {} | {} | {} \
             | {} |",
            self.size,
            self.users,
            self.plays,
            self.packets_per_second,
            figure(self.server(), 2),
            figure(self.floor(), 2),
            figure(self.ratio(), 2),
            figure(self.sealed_floor(), 2),
            figure(self.sealed_ratio(), 2),
            self.lost,
            self.due,
            self.delays.milliseconds(50.0),
            self.delays.milliseconds(99.0),
            match self.frame_delays.count() {
                0 => "-".to_owned(),
                _ => format!("{:.2}", self.frame_delays.milliseconds(50.0)),
            },
            figure(self.viewer_bytes.map(|bytes| bytes / 1024.0), 1),
            self.core_share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0)),
            figure(self.users_per_core(), 0),
        );
        if self.floor_lost > 0 {
            line += &format!("\n(the floor lost {} at {})", self.floor_lost, self.size);
        }
        line
    }

    /// The same as data.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "size": self.size,
            "users": self.users,
            "publishers": self.publishers,
            "plays": self.plays,
            "packets_per_second": self.packets_per_second,
            "server_us_per_packet": self.server(),
            "server_us_per_packet_by_window": self.server_us,
            "floor_us_per_packet": self.floor(),
            "floor_us_per_packet_by_window": self.floor_us,
            "ratio": self.ratio(),
            "sealed_floor_us_per_packet": self.sealed_floor(),
            "sealed_floor_us_per_packet_by_window": self.sealed_floor_us,
            "ratio_to_sealed_floor": self.sealed_ratio(),
            "packets_due": self.due,
            "packets_lost": self.lost,
            "floor_packets_lost": self.floor_lost,
            "delay": self.delays.to_json(),
            "frame_delay": self.frame_delays.to_json(),
            "send_delay": self.send_delays.to_json(),
            "bytes_per_play": self.viewer_bytes,
            "session_bytes_per_play": self.session_bytes,
            "core_share": self.core_share,
            "users_per_core": self.users_per_core(),
        })
    }
}

/// The median; none of nothing.
fn middle(windows: &[f64]) -> Option<f64> {
    (!windows.is_empty()).then(|| median(windows.iter().copied()))
}

/// The head of the table; `unit` is what sizes count.
pub(crate) fn header(unit: &str) -> String {
    format!(
        "| {unit} | users | plays | packets/s | server us/packet | floor us/packet | ratio \
         | sealed floor us/packet | ratio | lost | of | delay p50 ms | p99 ms | frame p50 ms \
         | KB/play | core | users/core |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_as_many_cells_as_the_head() {
        let cells = |line: &str| line.matches('|').count();
        let head = header("rooms");
        let lines: Vec<_> = head.lines().collect();
        let mut row = Row::new(3, 1, 2);
        assert_eq!(cells(&row.line()), cells(lines[0]));
        assert_eq!(cells(lines[1]), cells(lines[0]));
        // What cannot be seen is not told as zero.
        assert!(row.line().contains("| - |"));
        row.server_us = vec![3.0, 1.0, 2.0];
        row.floor_us = vec![1.0];
        row.sealed_floor_us = vec![1.6];
        row.core_share = Some(0.4);
        row.users = 10;
        assert_eq!((row.ratio(), row.users_per_core()), (Some(2.0), Some(20.0)));
        assert!(
            row.line().contains("| 2.00 | 1.00 | 2.00 | 1.60 | 1.25 |")
                && row.line().ends_with("| 20 |")
        );
    }
}
