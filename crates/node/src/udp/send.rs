//! What leaves a UDP socket: a datagram, or with GSO several packets in one call, from an address
//! of this machine where the socket has more than one.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};

use odeum_sfu::AddressPair;
use socket2::SockAddr;

use super::{CONTROL_BYTES, Control, Segmentation, UdpSocket};

/// What became of one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Every packet was taken by the kernel.
    All,
    /// The send buffer was full: the packets that it did not take are lost, as in a network.
    BufferFull,
    /// The kernel refused (no route, a firewall): the packets are lost.
    Refused,
}

impl UdpSocket {
    /// Sends `bytes` to `destination`, as packets of `segment_size` bytes (the last may be
    /// shorter), or as one packet, from `source` or whatever the kernel chooses. Never blocks.
    pub(crate) fn send(
        &mut self,
        destination: SocketAddr,
        source: Option<IpAddr>,
        bytes: &[u8],
        segment_size: Option<usize>,
    ) -> Sent {
        let way = Way::new(self.local, destination, source);
        let Some(size) = segment_size.filter(|size| *size < bytes.len()) else {
            return outcome(self.send_packet(&way, bytes));
        };
        if self.segmentation == Segmentation::Kernel {
            match send_message(self.socket.as_raw_fd(), &way, bytes, Some(size)) {
                // The network card cannot do it, and never will.
                Err(error) if error.raw_os_error() == Some(libc::EIO) => {
                    tracing::warn!(%error, "segmented sends do not work here; GSO is off");
                    self.segmentation = Segmentation::PerPacket;
                }
                // These packets do not fit the path's MTU: they may be fragmented one by one.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
                result => return outcome(result),
            }
        }
        let mut worst = Sent::All;
        for packet in bytes.chunks(size) {
            match outcome(self.send_packet(&way, packet)) {
                Sent::All => {}
                lost => worst = lost,
            }
        }
        worst
    }

    fn send_packet(&self, way: &Way, packet: &[u8]) -> io::Result<usize> {
        match way.source {
            None => self.socket.send_to(packet, &way.destination),
            Some(_) => send_message(self.socket.as_raw_fd(), way, packet, None),
        }
    }
}

/// Both ends of a send, as the kernel takes them.
struct Way {
    /// Where to.
    destination: SockAddr,
    /// From where; none: the kernel chooses.
    source: Option<Source>,
}

/// An address of this machine, for the control message that a socket of its IP version takes.
enum Source {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Way {
    /// For a socket that is bound to `bound`: one of IPv6 takes IPv4 in mapped form only.
    fn new(bound: SocketAddr, destination: SocketAddr, source: Option<IpAddr>) -> Self {
        let destination = match (bound, destination) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            (_, other) => other.into(),
        };
        // Interface 0: the routes say by which one, given this source.
        let source = source.and_then(|ip| match (bound, ip) {
            (SocketAddr::V6(_), ip) => Some(Source::V6(libc::in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: in_v6(ip).octets() },
                ipi6_ifindex: 0,
            })),
            (SocketAddr::V4(_), IpAddr::V4(v4)) => Some(Source::V4(libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from(v4).to_be() },
                ipi_addr: libc::in_addr { s_addr: 0 },
            })),
            (SocketAddr::V4(_), IpAddr::V6(_)) => None,
        });
        Self { destination, source }
    }
}

/// IPv4 in mapped form.
fn in_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Sends one datagram of a socket that is bound to `bound` without waiting.
///
/// # Errors
/// What the kernel says, also `WouldBlock` when its buffer is full.
pub(crate) fn send_one(
    socket: &impl AsRawFd,
    bound: SocketAddr,
    to: AddressPair,
    bytes: &[u8],
) -> io::Result<usize> {
    let way = Way::new(bound, to.remote.socket, to.local);
    send_message(socket.as_raw_fd(), &way, bytes, None)
}

fn outcome(result: io::Result<usize>) -> Sent {
    match result {
        Ok(_) => Sent::All,
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS) => Sent::BufferFull,
            _ => Sent::Refused,
        },
    }
}

/// Control messages in the making.
struct ControlWriter {
    /// Their bytes.
    control: Control,
    /// How many of them are used.
    used: usize,
}

impl ControlWriter {
    fn new() -> Self {
        Self { control: Control([0; CONTROL_BYTES]), used: 0 }
    }

    fn push<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) {
        let size = size_of::<T>() as u32;
        // SAFETY: both only compute.
        let (space, length) = unsafe { (libc::CMSG_SPACE(size) as usize, libc::CMSG_LEN(size)) };
        let place = &mut self.control.0[self.used..self.used + space];
        let header = place.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: `place` has the bytes for one header and its value; it is aligned for a header,
        // since the buffer is and CMSG_SPACE keeps it so.
        unsafe {
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            (*header).cmsg_len = length as _;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        self.used += space;
    }
}

/// One system call: `bytes` as packets of `segment_size`, or as one.
fn send_message(
    fd: RawFd,
    way: &Way,
    bytes: &[u8],
    segment_size: Option<usize>,
) -> io::Result<usize> {
    let mut controls = ControlWriter::new();
    if let Some(size) = segment_size {
        let size = u16::try_from(size).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        controls.push(libc::SOL_UDP, libc::UDP_SEGMENT, size);
    }
    match way.source {
        Some(Source::V4(source)) => controls.push(libc::IPPROTO_IP, libc::IP_PKTINFO, source),
        Some(Source::V6(source)) => controls.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, source),
        None => {}
    }
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    // SAFETY: all-zero is a valid msghdr (null pointers, zero lengths).
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = way.destination.as_ptr().cast_mut().cast();
    message.msg_namelen = way.destination.len();
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    if controls.used > 0 {
        message.msg_control = controls.control.0.as_mut_ptr().cast();
        message.msg_controllen = controls.used as _;
    }
    // SAFETY: sendmsg reads name, bytes and control messages, which outlive it, with their real
    // sizes.
    let sent = unsafe { libc::sendmsg(fd, &message, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}
