//! What leaves a UDP socket: many sends in one call (sendmmsg), each a datagram or with GSO several
//! packets, from an address of this machine where the socket has more than one.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, RawFd};

use odeum_sfu::{AddressPair, Transmit};
use socket2::SockAddr;

use super::{CONTROL_BYTES, Control, Segmentation, UdpSocket};

/// Sends that are handed to the kernel in one call (sendmmsg). More saved nothing more where it was
/// measured.
const SENDS_MAX: usize = 32;

/// What became of packets to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SendTally {
    /// Packets that the kernel took.
    pub(crate) packets_sent: u64,
    /// Bytes of them.
    pub(crate) bytes_sent: u64,
    /// Packets lost because the send buffer was full, as in a network.
    pub(crate) dropped_buffer_full: u64,
    /// Packets that the kernel refused (no route, a firewall).
    pub(crate) dropped_refused: u64,
}

impl SendTally {
    fn sent(&mut self, transmit: &Transmit<'_>) {
        self.packets_sent += transmit.packets() as u64;
        self.bytes_sent += transmit.bytes.len() as u64;
    }

    fn lost(&mut self, transmit: &Transmit<'_>, error: &io::Error) {
        let packets = transmit.packets() as u64;
        match error.raw_os_error() {
            Some(libc::EAGAIN | libc::ENOBUFS) => self.dropped_buffer_full += packets,
            _ => self.dropped_refused += packets,
        }
    }
}

impl UdpSocket {
    /// Sends all of `transmits`, each from its source or whatever the kernel chooses, as many as
    /// it takes in one call. Never blocks.
    pub(crate) fn send_all<'b>(
        &mut self,
        transmits: impl Iterator<Item = Transmit<'b>>,
    ) -> SendTally {
        let mut tally = SendTally::default();
        let segmentation = self.segmentation;
        let mut transmits = transmits.flat_map(|transmit| in_sends(transmit, segmentation));
        let mut batch = [const { None }; SENDS_MAX];
        loop {
            let mut count = 0;
            for (place, transmit) in batch.iter_mut().zip(&mut transmits) {
                *place = Some(Message::new(self.local, transmit));
                count += 1;
            }
            if count == 0 {
                return tally;
            }
            self.send_batch(&batch[..count], &mut tally);
        }
    }

    fn send_batch(&mut self, batch: &[Option<Message<'_>>], tally: &mut SendTally) {
        let mut left = batch;
        while let Some(Some(first)) = left.first() {
            let done = match send_messages::<SENDS_MAX>(self.socket.as_raw_fd(), left) {
                Ok(sent) => {
                    for message in left[..sent].iter().flatten() {
                        tally.sent(&message.transmit);
                    }
                    sent
                }
                // It is of the first; the others were not looked at.
                Err(error) => {
                    self.send_after(&error, &first.transmit, tally);
                    1
                }
            };
            left = &left[done..];
        }
    }

    /// What the kernel refused goes packet by packet where that may help.
    fn send_after(&mut self, error: &io::Error, refused: &Transmit<'_>, tally: &mut SendTally) {
        match (refused.segment_size, error.raw_os_error()) {
            // The network card cannot do it, and never will.
            (Some(_), Some(libc::EIO)) => {
                if self.segmentation == Segmentation::Kernel {
                    tracing::warn!(%error, "segmented sends do not work here; GSO is off");
                }
                self.segmentation = Segmentation::PerPacket;
            }
            // These packets do not fit the path's MTU (EINVAL before Linux 6.14) and may be
            // fragmented one by one, or they are more than the kernel segments.
            (Some(_), Some(libc::EMSGSIZE | libc::EINVAL)) => {}
            _ => return tally.lost(refused, error),
        }
        for packet in in_sends(refused.clone(), Segmentation::PerPacket) {
            let message = Some(Message::new(self.local, packet.clone()));
            match send_messages::<1>(self.socket.as_raw_fd(), &[message]) {
                Ok(_) => tally.sent(&packet),
                Err(error) => tally.lost(&packet, &error),
            }
        }
    }
}

/// `transmit` as it is handed to a kernel that segments, or to one that does not.
fn in_sends(
    transmit: Transmit<'_>,
    segmentation: Segmentation,
) -> impl Iterator<Item = Transmit<'_>> {
    let (size, segment_size) = match (segmentation, transmit.segment_size) {
        (Segmentation::PerPacket, Some(size)) => (size, None),
        (_, segment_size) => (transmit.bytes.len(), segment_size),
    };
    let sends = transmit.bytes.chunks(size.max(1));
    sends.map(move |bytes| Transmit { segment_size, bytes, ..transmit })
}

/// A send as the kernel takes it.
struct Message<'b> {
    /// What is sent.
    transmit: Transmit<'b>,
    /// Where to.
    destination: SockAddr,
    /// Its size of segments and its source.
    controls: ControlWriter,
}

impl<'b> Message<'b> {
    fn new(bound: SocketAddr, transmit: Transmit<'b>) -> Self {
        let way = Way::new(bound, transmit.destination.socket, transmit.source);
        let mut controls = ControlWriter::new();
        // The kernel takes at most 64 KiB in one send, so that a packet's size fits.
        if let Some(size) = transmit.segment_size.and_then(|size| u16::try_from(size).ok()) {
            controls.push(libc::SOL_UDP, libc::UDP_SEGMENT, size);
        }
        match way.source {
            Some(Source::V4(source)) => controls.push(libc::IPPROTO_IP, libc::IP_PKTINFO, source),
            Some(Source::V6(source)) => {
                controls.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, source);
            }
            None => {}
        }
        Self { transmit, destination: way.destination, controls }
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
) -> io::Result<()> {
    let AddressPair { remote: destination, local: source } = to;
    let transmit = Transmit { destination, source, segment_size: None, bytes };
    send_messages::<1>(socket.as_raw_fd(), &[Some(Message::new(bound, transmit))]).map(drop)
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

/// One system call: the messages up to the first that is none, at most `MAX` of them. How many of
/// them the kernel took, one at least.
///
/// # Errors
/// What the kernel says of the first.
fn send_messages<const MAX: usize>(
    fd: RawFd,
    messages: &[Option<Message<'_>>],
) -> io::Result<usize> {
    // SAFETY: all-zero is a valid mmsghdr and a valid iovec (null pointers, zero lengths).
    let mut headers: [libc::mmsghdr; MAX] = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let mut parts: [libc::iovec; MAX] = unsafe { std::mem::zeroed() };
    let mut count = 0;
    for (message, (header, part)) in
        messages.iter().map_while(Option::as_ref).zip(headers.iter_mut().zip(&mut parts))
    {
        let bytes = message.transmit.bytes;
        *part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut header.msg_hdr;
        header.msg_name = message.destination.as_ptr().cast_mut().cast();
        header.msg_namelen = message.destination.len();
        header.msg_iov = part;
        header.msg_iovlen = 1;
        if message.controls.used > 0 {
            header.msg_control = message.controls.control.0.as_ptr().cast_mut().cast();
            header.msg_controllen = message.controls.used as _;
        }
        count += 1;
    }
    // SAFETY: sendmmsg reads names, bytes and control messages, which outlive it, with their real
    // sizes, of `count` headers, and writes only into the headers.
    let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
    match usize::try_from(sent) {
        Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
        Ok(sent) => Ok(sent),
        Err(_) => Err(io::Error::last_os_error()),
    }
}
