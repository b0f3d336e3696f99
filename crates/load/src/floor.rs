//! The floor: what the kernel alone takes for the same datagrams.
//!
//! A process of its own that sends what a server must send (as many bytes, in the same bursts, to
//! the same sockets, one UDP_SEGMENT send for each viewer and burst) and does nothing else: nothing
//! is received, encrypted or copied; only each packet's RTP header is written. Sealed, it does what
//! SRTP asks of any server besides: each viewer's packets are copied and encrypted with a key of
//! its own.
//!
//! Commands on stdin: `group BYTES PACKETS INTERVAL_US PHASE_US PORT…` names bursts and who gets
//! them on loopback, `send plain|sealed MILLISECONDS` sends, and is answered by `sent PACKETS
//! refused PACKETS`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use odeum_srtp::{DtlsKeys, Outbound, Profile};

use crate::process::Measured;
use crate::server::CORE;
use crate::sys::segment_sends;

/// An RTP header and the tag of AES-GCM.
const SEALED_BYTES_MIN: u64 = 12 + 16;

/// Bursts of one size, at regular times, to the same viewers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FloorGroup {
    /// Bytes of each datagram.
    pub(crate) packet_bytes: usize,
    /// Datagrams of a burst.
    pub(crate) burst_packets: usize,
    /// From one burst to the next.
    pub(crate) interval: Duration,
    /// When in the interval they begin.
    pub(crate) phase: Duration,
    /// The viewers' ports.
    pub(crate) ports: Vec<u16>,
}

/// What the floor does to a packet before it sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Nothing.
    Plain,
    /// Copies and encrypts it for each viewer.
    Sealed,
}

/// The running process; ends when dropped.
pub(crate) struct Floor {
    /// The process.
    child: Child,
    /// Takes commands.
    commands: ChildStdin,
    /// Gives results.
    results: BufReader<ChildStdout>,
    /// How its cost is read.
    pub(crate) measured: Measured,
}

impl Floor {
    /// Starts it on the server's core.
    ///
    /// # Errors
    /// `taskset` is missing.
    pub(crate) fn start(groups: &[FloorGroup]) -> anyhow::Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", &CORE.to_string()])
            .arg(std::env::current_exe()?)
            .args(["bench", "floor"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("taskset (util-linux)")?;
        let mut commands = child.stdin.take().context("stdin is piped")?;
        let results = BufReader::new(child.stdout.take().context("stdout is piped")?);
        for group in groups {
            writeln!(commands, "{}", group.line())?;
        }
        let measured = Measured::new(child.id(), Some(CORE));
        Ok(Self { child, commands, results, measured })
    }

    /// Lets it send for `time`.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn send(&mut self, payload: Payload, time: Duration) -> anyhow::Result<()> {
        let payload = match payload {
            Payload::Plain => "plain",
            Payload::Sealed => "sealed",
        };
        writeln!(self.commands, "send {payload} {}", time.as_millis())?;
        Ok(())
    }

    /// How many datagrams that were, once they are sent.
    ///
    /// # Errors
    /// The kernel refused some.
    pub(crate) fn has_sent(&mut self) -> anyhow::Result<u64> {
        let mut line = String::new();
        self.results.read_line(&mut line)?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["sent", sent, "refused", refused] = words[..] else {
            bail!("the floor says: {line}");
        };
        ensure!(refused == "0", "the kernel refused {refused} datagrams of the floor");
        Ok(sent.parse()?)
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl FloorGroup {
    fn line(&self) -> String {
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let (interval, phase) = (self.interval.as_micros(), self.phase.as_micros());
        let (bytes, packets) = (self.packet_bytes, self.burst_packets);
        format!("group {bytes} {packets} {interval} {phase} {}", ports.join(" "))
    }

    /// Reads what follows `group`.
    fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> anyhow::Result<Self> {
        let mut number = || -> anyhow::Result<u64> {
            Ok(words.next().context("a group has four numbers and ports")?.parse()?)
        };
        let (packet_bytes, burst_packets) = (number()?, number()?);
        let (interval, phase) = (number()?, number()?);
        ensure!(interval > 0 && burst_packets > 0, "a group has bursts and an interval");
        ensure!(
            (SEALED_BYTES_MIN..=1_500).contains(&packet_bytes),
            "an SRTP packet has {SEALED_BYTES_MIN} to 1,500 bytes"
        );
        Ok(Self {
            packet_bytes: packet_bytes as usize,
            burst_packets: burst_packets as usize,
            interval: Duration::from_micros(interval),
            phase: Duration::from_micros(phase),
            ports: words.map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

/// A group, ready to be sent.
struct Bursts {
    /// What and when.
    group: FloorGroup,
    /// The bytes of a burst.
    burst: Vec<u8>,
    /// The same, for one viewer.
    sealed: Vec<u8>,
    /// To whom.
    viewers: Vec<Viewer>,
    /// Bursts sent.
    number: u32,
}

/// One of those who get a group.
struct Viewer {
    /// Where it is.
    destination: SocketAddr,
    /// Encrypts for it.
    outbound: Outbound,
}

/// Datagrams that the kernel took, and those that it refused.
#[derive(Default)]
struct Outcome {
    /// Taken.
    sent: u64,
    /// Refused.
    refused: u64,
}

/// Carries out commands until stdin ends.
///
/// # Errors
/// A command that is none, or a kernel without UDP_SEGMENT.
pub(crate) fn run() -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut all: Vec<Bursts> = Vec::new();
    for line in stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match (words.next(), &*words.clone().collect::<Vec<_>>()) {
            (Some("group"), _) => all.push(Bursts::new(FloorGroup::parse(&mut words)?)?),
            (Some("send"), [payload @ ("plain" | "sealed"), millis]) => {
                let payload = if *payload == "plain" { Payload::Plain } else { Payload::Sealed };
                let time = Duration::from_millis(millis.parse()?);
                let Outcome { sent, refused } = send(&socket, &mut all, payload, time)?;
                println!("sent {sent} refused {refused}");
                stdout().flush()?;
            }
            _ => bail!("not a command: {line}"),
        }
    }
    Ok(())
}

fn send(
    socket: &UdpSocket,
    all: &mut [Bursts],
    payload: Payload,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let begin = Instant::now();
    let mut next: BinaryHeap<_> =
        all.iter().enumerate().map(|(at, one)| Reverse((begin + one.group.phase, at))).collect();
    let mut outcome = Outcome::default();
    let mut segment_bytes = 0;
    while let Some(Reverse((at, index))) = next.pop()
        && at < begin + time
    {
        pause(at.saturating_duration_since(Instant::now()));
        let bursts = &mut all[index];
        if segment_bytes != bursts.group.packet_bytes {
            segment_bytes = bursts.group.packet_bytes;
            segment_sends(socket, u16::try_from(segment_bytes)?).context("UDP_SEGMENT")?;
        }
        bursts.send(socket, payload, &mut outcome)?;
        next.push(Reverse((at + bursts.group.interval, index)));
    }
    Ok(outcome)
}

impl Bursts {
    fn new(group: FloorGroup) -> anyhow::Result<Self> {
        let burst = vec![0x5A; group.packet_bytes * group.burst_packets];
        let viewers =
            group.ports.iter().map(|port| Viewer::new(*port)).collect::<Result<_, _>>()?;
        Ok(Self { group, sealed: burst.clone(), burst, viewers, number: 0 })
    }

    fn send(
        &mut self,
        socket: &UdpSocket,
        payload: Payload,
        outcome: &mut Outcome,
    ) -> anyhow::Result<()> {
        let packets = self.group.burst_packets as u64;
        self.number = self.number.wrapping_add(1);
        for (ssrc, viewer) in (0..).zip(&mut self.viewers) {
            let datagrams = self.burst.chunks_mut(self.group.packet_bytes);
            for (index, packet) in (0..).zip(datagrams) {
                let sequence = u64::from(self.number) * packets + index;
                packet[..2].copy_from_slice(&[0x80, 96]);
                packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&self.number.to_be_bytes());
                packet[8..12].copy_from_slice(&u32::to_be_bytes(ssrc));
            }
            let bytes = match payload {
                Payload::Plain => &self.burst,
                Payload::Sealed => {
                    self.sealed.copy_from_slice(&self.burst);
                    for packet in self.sealed.chunks_mut(self.group.packet_bytes) {
                        viewer.outbound.protect_rtp(packet)?;
                    }
                    &self.sealed
                }
            };
            match socket.send_to(bytes, viewer.destination) {
                Ok(_) => outcome.sent += packets,
                Err(_) => outcome.refused += packets,
            }
        }
        Ok(())
    }
}

impl Viewer {
    fn new(port: u16) -> anyhow::Result<Self> {
        let profile = Profile::AeadAes128Gcm;
        let material: Vec<u8> = (0..56).map(|byte| byte ^ port as u8).collect();
        let keys = DtlsKeys::split(profile, &material)?;
        let destination = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self { destination, outbound: Outbound::new(profile, &keys.server) })
    }
}

#[expect(clippy::disallowed_methods, reason = "a process that has nothing else to do")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_read_as_it_is_written() {
        let group = FloorGroup {
            packet_bytes: 1_200,
            burst_packets: 10,
            interval: Duration::from_millis(40),
            phase: Duration::from_micros(7),
            ports: vec![40_000, 40_001],
        };
        let line = group.line();
        let mut words = line.split_whitespace().skip(1);
        assert_eq!(FloorGroup::parse(&mut words).expect("it is one"), group);
    }

    #[test]
    fn what_is_no_group_is_refused() {
        for line in
            ["", "1200 10 40000", "1200 0 40000 0", "27 1 40000 0", "99 x 1 0", "40 1 0 0 1"]
        {
            assert!(FloorGroup::parse(&mut line.split_whitespace()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_sealed_is_a_viewers_own_and_what_is_plain_is_not() {
        let (from, to) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0"));
        let to = to.unwrap();
        let port = to.local_addr().unwrap().port();
        let interval = Duration::from_millis(40);
        let group = FloorGroup {
            packet_bytes: 100,
            burst_packets: 2,
            interval,
            phase: Duration::ZERO,
            ports: vec![port],
        };
        let mut all = [Bursts::new(group).unwrap()];
        let mut burst = |payload| {
            let sent = send(&from, &mut all, payload, Duration::from_millis(1)).unwrap();
            assert_eq!((sent.sent, sent.refused), (2, 0));
            [[0; 200]; 2].map(|mut bytes| {
                assert_eq!(to.recv(&mut bytes).unwrap(), 100);
                bytes
            })
        };
        for packet in burst(Payload::Plain) {
            assert_eq!(packet[12..100], [0x5A; 88]);
        }
        let material: Vec<u8> = (0..56).map(|byte| byte ^ port as u8).collect();
        let keys = DtlsKeys::split(Profile::AeadAes128Gcm, &material).unwrap();
        let mut inbound = odeum_srtp::Inbound::new(Profile::AeadAes128Gcm, &keys.server);
        for mut packet in burst(Payload::Sealed) {
            assert_ne!(packet[12..84], [0x5A; 72]);
            assert_eq!(inbound.unprotect_rtp(&mut packet[..100]).unwrap(), 84);
            assert_eq!(packet[12..84], [0x5A; 72]);
        }
    }
}
