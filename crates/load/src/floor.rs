//! The floor: what the kernel alone takes for the same datagrams.
//!
//! A process of its own that sends what a server must send (as many bytes, in the same bursts, to
//! the same sockets, one UDP_SEGMENT send for each viewer and burst) and does nothing else: nothing
//! is received, encrypted or copied; only each packet's RTP header is written.
//!
//! Commands on stdin: `group BYTES PACKETS INTERVAL_US PHASE_US PORT…` names bursts and who gets
//! them on loopback, `send MILLISECONDS` sends, and is answered by `sent PACKETS refused PACKETS`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::process::Measured;
use crate::server::CORE;
use crate::sys::segment_sends;

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
    pub(crate) fn send(&mut self, time: Duration) -> anyhow::Result<()> {
        writeln!(self.commands, "send {}", time.as_millis())?;
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
        ensure!((12..=1_500).contains(&packet_bytes), "an RTP packet has 12 to 1,500 bytes");
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
    /// To whom.
    viewers: Vec<SocketAddr>,
    /// Bursts sent.
    number: u32,
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
        match words.next() {
            Some("group") => all.push(Bursts::new(FloorGroup::parse(&mut words)?)),
            Some("send") => {
                let millis = words.next().context("send for how long?")?.parse()?;
                let (sent, refused) = send(&socket, &mut all, Duration::from_millis(millis))?;
                println!("sent {sent} refused {refused}");
                stdout().flush()?;
            }
            _ => bail!("not a command: {line}"),
        }
    }
    Ok(())
}

fn send(socket: &UdpSocket, all: &mut [Bursts], time: Duration) -> anyhow::Result<(u64, u64)> {
    let begin = Instant::now();
    let mut next: BinaryHeap<_> =
        all.iter().enumerate().map(|(at, one)| Reverse((begin + one.group.phase, at))).collect();
    let (mut sent, mut refused) = (0, 0);
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
        let (taken, lost) = bursts.send(socket);
        sent += taken;
        refused += lost;
        next.push(Reverse((at + bursts.group.interval, index)));
    }
    Ok((sent, refused))
}

impl Bursts {
    fn new(group: FloorGroup) -> Self {
        let burst = vec![0x5A; group.packet_bytes * group.burst_packets];
        let viewers = group.ports.iter().map(|port| (Ipv4Addr::LOCALHOST, *port).into()).collect();
        Self { group, burst, viewers, number: 0 }
    }

    fn send(&mut self, socket: &UdpSocket) -> (u64, u64) {
        let packets = self.group.burst_packets as u64;
        self.number = self.number.wrapping_add(1);
        let (mut sent, mut refused) = (0, 0);
        for (viewer, destination) in self.viewers.iter().enumerate() {
            let datagrams = self.burst.chunks_mut(self.group.packet_bytes);
            for (index, packet) in datagrams.enumerate() {
                let sequence = u64::from(self.number) * packets + index as u64;
                packet[..2].copy_from_slice(&[0x80, 96]);
                packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&self.number.to_be_bytes());
                packet[8..12].copy_from_slice(&(viewer as u32).to_be_bytes());
            }
            match socket.send_to(&self.burst, destination) {
                Ok(_) => sent += packets,
                Err(_) => refused += packets,
            }
        }
        (sent, refused)
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
        for line in ["", "1200 10 40000", "1200 0 40000 0", "4 1 40000 0", "9 x 1 0", "20 1 0 0 1"]
        {
            assert!(FloorGroup::parse(&mut line.split_whitespace()).is_err(), "{line}");
        }
    }
}
