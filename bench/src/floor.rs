//! The floor of the fan-out: what the kernel alone takes for the same datagrams.
//!
//! A process of its own that sends what a server must send (as many bytes, in the same bursts, to
//! the same sockets, one UDP_SEGMENT send for each viewer and burst) and does nothing else: nothing
//! is received, encrypted or copied; only each packet's RTP header is written.
//!
//! Commands on stdin: `to PORT…` names the viewers on loopback, `send BURSTS` sends, and is
//! answered by `sent PACKETS refused PACKETS`.

use std::io::{BufRead, Write, stdin, stdout};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::sys::segment_sends;

/// How the floor sends.
#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    /// Bytes of each datagram.
    #[arg(long)]
    packet_bytes: u16,
    /// Packets of each burst.
    #[arg(long)]
    burst_packets: u16,
    /// Microseconds from one burst to the next.
    #[arg(long)]
    interval_us: u64,
}

/// Carries out commands until stdin ends.
///
/// # Errors
/// A command that is none, or a kernel without UDP_SEGMENT.
pub(crate) fn run(args: &FloorArgs) -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    segment_sends(&socket, args.packet_bytes).context("UDP_SEGMENT")?;
    let mut burst = vec![0x5A; usize::from(args.packet_bytes) * usize::from(args.burst_packets)];
    let mut viewers: Vec<SocketAddr> = Vec::new();
    for line in stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        match words.next() {
            Some("to") => {
                let ports = words.map(str::parse).collect::<Result<Vec<u16>, _>>()?;
                viewers = ports.iter().map(|port| (Ipv4Addr::LOCALHOST, *port).into()).collect();
            }
            Some("send") => {
                let bursts = words.next().context("send how many?")?.parse()?;
                let (sent, refused) = send(args, &socket, &mut burst, &viewers, bursts);
                println!("sent {sent} refused {refused}");
                stdout().flush()?;
            }
            _ => bail!("not a command: {line}"),
        }
    }
    Ok(())
}

fn send(
    args: &FloorArgs,
    socket: &UdpSocket,
    burst: &mut [u8],
    viewers: &[SocketAddr],
    bursts: u32,
) -> (u64, u64) {
    let begin = Instant::now();
    let (mut sent, mut refused) = (0, 0);
    for number in 0..bursts {
        let at = begin + Duration::from_micros(args.interval_us) * number;
        pause(at.saturating_duration_since(Instant::now()));
        for (viewer, destination) in viewers.iter().enumerate() {
            for (index, packet) in burst.chunks_mut(usize::from(args.packet_bytes)).enumerate() {
                let sequence = number * u32::from(args.burst_packets) + index as u32;
                packet[..2].copy_from_slice(&[0x80, 96]);
                packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&number.to_be_bytes());
                packet[8..12].copy_from_slice(&(viewer as u32).to_be_bytes());
            }
            match socket.send_to(burst, destination) {
                Ok(_) => sent += u64::from(args.burst_packets),
                Err(_) => refused += u64::from(args.burst_packets),
            }
        }
    }
    (sent, refused)
}

#[expect(clippy::disallowed_methods, reason = "a process that has nothing else to do")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
