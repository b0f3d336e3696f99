//! The kernel's side of the media plane: one UDP socket read in batches with GRO, written with GSO,
//! and an eventfd that wakes its thread. The only file of this crate with unsafe code; each call is
//! as thin as the kernel's own.
//!
//! GSO (`UDP_SEGMENT`) hands the kernel up to 64 packets of one size in one call, GRO (`UDP_GRO`)
//! brings packets of one source in one buffer. Both are tried at start; a socket without them sends
//! and reads packet by packet. A network card that cannot segment (EIO) turns GSO off for good;
//! packets too large for the path (EINVAL) are sent one by one that time.
//!
//! A socket that is bound to all addresses is told which of them each packet came to (`IP_PKTINFO`,
//! `IPV6_RECVPKTINFO`), and sends from the one that it is given; left alone, the kernel chooses by
//! its routes. A socket that has one address is spared that.
#![allow(unsafe_code)]

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use odeum_sfu::AddressPair;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::limits::{DATAGRAM_BYTES_MAX, RECEIVE_BATCH_MAX};

/// Bytes for the control messages of one buffer: 24 for a size of segments, 40 for an address.
const CONTROL_BYTES: usize = 64;

/// Whether the kernel cuts one large send into packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segmentation {
    /// `UDP_SEGMENT` works.
    Kernel,
    /// One system call per packet.
    PerPacket,
}

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

/// A bound, non-blocking UDP socket.
pub(crate) struct UdpSocket {
    /// The socket itself.
    socket: Socket,
    /// Where it is bound, with the real port.
    local: SocketAddr,
    /// Whether sends may be segmented by the kernel.
    segmentation: Segmentation,
    /// Whether the kernel may hand over several packets in one buffer.
    gro: bool,
    /// Receive and send buffer sizes that the kernel granted, in bytes.
    buffers: (usize, usize),
}

impl UdpSocket {
    /// Binds `address`, asks for buffers of `buffer_bytes` each way and tries GSO and GRO.
    ///
    /// # Errors
    /// What the kernel says: the port is taken, the address is not of this machine.
    pub(crate) fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() && address.ip().is_unspecified() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        // A kernel that grants less than was asked for does not say so; what it granted is read
        // back.
        socket.set_recv_buffer_size(buffer_bytes)?;
        socket.set_send_buffer_size(buffer_bytes)?;
        let buffers = (socket.recv_buffer_size()?, socket.send_buffer_size()?);
        let local = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        ask_for_local(&socket, local)?;
        let gro = set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_GRO, 1).is_ok();
        // Zero sets no segment size for plain sends; a kernel before 4.18 does not know the option.
        let gso = set_option(socket.as_raw_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok();
        let segmentation = if gso { Segmentation::Kernel } else { Segmentation::PerPacket };
        Ok(Self { socket, local, segmentation, gro, buffers })
    }

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

    /// Where it is bound, with the real port.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether sends are segmented by the kernel.
    pub(crate) fn segmentation(&self) -> Segmentation {
        self.segmentation
    }

    /// Whether one read may bring several packets.
    pub(crate) fn gro(&self) -> bool {
        self.gro
    }

    /// Receive and send buffer sizes that the kernel granted, in bytes (it doubles what was asked
    /// for).
    pub(crate) fn buffers(&self) -> (usize, usize) {
        self.buffers
    }

    /// Turns kernel segmentation off, as a kernel without it would.
    #[cfg(test)]
    fn forget_segmentation(&mut self) {
        self.segmentation = Segmentation::PerPacket;
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

/// Has the kernel say of each packet which address of this machine it came to, where `socket` is
/// bound to all of them.
///
/// # Errors
/// What the kernel says; it has had both options since IPv6.
pub(crate) fn ask_for_local(socket: &impl AsRawFd, bound: SocketAddr) -> io::Result<()> {
    let fd = socket.as_raw_fd();
    match bound.ip() {
        ip if !ip.is_unspecified() => Ok(()),
        IpAddr::V4(_) => set_option(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        IpAddr::V6(_) => set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// Reads one datagram without waiting: its size and where it came from and to. A datagram that is
/// larger than `buffer` is cut.
///
/// # Errors
/// What the kernel says, also `WouldBlock` when nothing is there.
pub(crate) fn receive_one(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
) -> io::Result<(usize, AddressPair)> {
    // SAFETY: all-zero is a valid sockaddr_storage, of family AF_UNSPEC, and a valid msghdr.
    let (mut source, mut message): (libc::sockaddr_storage, libc::msghdr) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let mut control = Control([0; CONTROL_BYTES]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    message.msg_name = std::ptr::from_mut(&mut source).cast();
    message.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL_BYTES as _;
    // SAFETY: the header points at the caller's buffer and at this frame, which outlive the call,
    // with their real sizes.
    let size = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_DONTWAIT) };
    let size = usize::try_from(size).map_err(|_| io::Error::last_os_error())?;
    let remote = source_address(&source).ok_or(io::ErrorKind::InvalidData)?;
    let local = Told::of(&message).local;
    Ok((size, AddressPair { remote: canonical(remote).into(), local }))
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

fn set_option(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let pointer: *const libc::c_int = &value;
    // SAFETY: `fd` is an open socket of the caller, `pointer` points at a live int of the size
    // given.
    let result = unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            pointer.cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A control buffer with the alignment that `cmsghdr` needs.
#[repr(align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

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

/// Buffers for one `recvmmsg`: [`RECEIVE_BATCH_MAX`] of [`DATAGRAM_BYTES_MAX`] bytes, made once.
pub(crate) struct ReceiveBatch {
    /// The bytes of all buffers, one after the other.
    storage: Vec<u8>,
    /// Who sent each buffer.
    sources: Vec<libc::sockaddr_storage>,
    /// The control messages of each buffer.
    controls: Vec<Control>,
    /// How the last read filled the buffers.
    filled: Vec<Filled>,
}

/// One buffer that a read filled.
#[derive(Clone, Copy)]
struct Filled {
    /// Who sent it; none for an address family that is not IP.
    source: Option<SocketAddr>,
    /// Which address of this machine it came to, where the socket has several.
    local: Option<IpAddr>,
    /// Bytes in it.
    size: usize,
    /// Size of each packet in it but the last.
    segment: usize,
}

impl ReceiveBatch {
    /// Allocates the buffers: 2 MiB.
    pub(crate) fn new() -> Self {
        // SAFETY: all-zero is a valid sockaddr_storage, of family AF_UNSPEC.
        let nobody: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        Self {
            storage: vec![0; RECEIVE_BATCH_MAX * DATAGRAM_BYTES_MAX],
            sources: vec![nobody; RECEIVE_BATCH_MAX],
            controls: vec![Control([0; CONTROL_BYTES]); RECEIVE_BATCH_MAX],
            filled: Vec::with_capacity(RECEIVE_BATCH_MAX),
        }
    }

    /// Reads what waits at `socket`, at most one batch. True when every buffer was filled, so that
    /// more may wait; false when the socket is empty.
    ///
    /// # Errors
    /// What the kernel says, but for EAGAIN, EINTR and the ICMP errors of earlier sends.
    pub(crate) fn receive(&mut self, socket: &UdpSocket) -> io::Result<bool> {
        self.filled.clear();
        // SAFETY: all-zero is a valid mmsghdr and a valid iovec.
        let mut messages: [libc::mmsghdr; RECEIVE_BATCH_MAX] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut parts: [libc::iovec; RECEIVE_BATCH_MAX] = unsafe { std::mem::zeroed() };
        let buffers = self.storage.chunks_exact_mut(DATAGRAM_BYTES_MAX);
        let memory = buffers.zip(&mut self.sources).zip(&mut self.controls);
        for (((buffer, source), control), (message, part)) in
            memory.zip(messages.iter_mut().zip(&mut parts))
        {
            *part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut message.msg_hdr;
            header.msg_name = std::ptr::from_mut(source).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = part;
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES as _;
        }
        // SAFETY: every header points at buffers of `self` and of this frame that live through the
        // call, with their real sizes; a null timeout with MSG_DONTWAIT returns at once.
        let count = unsafe {
            libc::recvmmsg(
                socket.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                RECEIVE_BATCH_MAX as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::EAGAIN) => Ok(false),
                // An ICMP error of an earlier send is told once and is no state of the socket.
                Some(libc::EINTR | libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH) => {
                    Ok(true)
                }
                _ => Err(error),
            };
        };
        for (message, source) in messages[..count].iter().zip(&self.sources) {
            let size = message.msg_len as usize;
            let told = Told::of(&message.msg_hdr);
            self.filled.push(Filled {
                source: source_address(source).map(canonical),
                local: told.local,
                size,
                segment: told.segment.unwrap_or(size),
            });
        }
        Ok(count == RECEIVE_BATCH_MAX)
    }

    /// Every packet of the last read, in the order of arrival.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (AddressPair, &mut [u8])> {
        let buffers = self.storage.chunks_exact_mut(DATAGRAM_BYTES_MAX);
        self.filled.iter().zip(buffers).flat_map(|(filled, buffer)| {
            let bytes = if filled.source.is_some() { &mut buffer[..filled.size] } else { &mut [] };
            let source = filled.source.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
            let way = AddressPair { remote: source.into(), local: filled.local };
            bytes.chunks_mut(filled.segment.max(1)).map(move |packet| (way, packet))
        })
    }
}

/// The address that the kernel wrote; none for a family that is not IP.
fn source_address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let pointer = std::ptr::from_ref(storage);
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: a sockaddr_storage is large and aligned enough for every sockaddr, all bytes
            // of it are initialised, and its family says which one it holds.
            let v4 = unsafe { &*pointer.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some((ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*pointer.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// IPv4 in its own form also when a dual-stack socket reports it mapped.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => (v4, address.port()).into(),
        // Kept whole, with the scope that a link-local peer is answered on.
        IpAddr::V6(_) => address,
    }
}

/// What the kernel says of one received buffer.
#[derive(Default)]
struct Told {
    /// The size of the packets that it was joined from.
    segment: Option<usize>,
    /// The address of this machine that they came to.
    local: Option<IpAddr>,
}

impl Told {
    fn of(header: &libc::msghdr) -> Self {
        let mut told = Self::default();
        // SAFETY: the kernel set msg_control and msg_controllen to well-formed control messages
        // inside the live control buffer; CMSG_NXTHDR ends at its length; each kind carries the
        // type that is read.
        unsafe {
            let mut next = libc::CMSG_FIRSTHDR(header);
            while let Some(control) = next.as_ref() {
                let data = libc::CMSG_DATA(next);
                match (control.cmsg_level, control.cmsg_type) {
                    (libc::SOL_UDP, libc::UDP_GRO) => {
                        let size = data.cast::<libc::c_int>().read_unaligned();
                        told.segment = usize::try_from(size).ok().filter(|size| *size > 0);
                    }
                    (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                        let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                        let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                        told.local = Some(ip.into());
                    }
                    (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                        let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                        let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                        told.local = Some(ip.to_canonical());
                    }
                    _ => {}
                }
                next = libc::CMSG_NXTHDR(header, next);
            }
        }
        told
    }
}

/// A counter in the kernel that one thread waits for and any thread raises.
pub(crate) struct Waker(OwnedFd);

impl Waker {
    /// Makes the eventfd.
    ///
    /// # Errors
    /// What the kernel says: out of file descriptors.
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` is new and nobody else owns it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Wakes the thread that waits, or lets its next wait return at once.
    pub(crate) fn wake(&self) {
        let one = 1u64;
        // SAFETY: eight live bytes are written to an open eventfd. Its only failure is a counter at
        // its maximum, and then the thread is awake already.
        unsafe { libc::write(self.0.as_raw_fd(), std::ptr::from_ref(&one).cast(), 8) };
    }

    /// Sets the counter back, so that the next wait sleeps.
    pub(crate) fn clear(&self) {
        let mut counter = 0u64;
        // SAFETY: eight live bytes are read into; EAGAIN means that it was clear.
        unsafe { libc::read(self.0.as_raw_fd(), std::ptr::from_mut(&mut counter).cast(), 8) };
    }
}

/// What ended a wait; nothing, when its time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ready {
    /// The socket has something to read.
    pub(crate) socket: bool,
    /// The waker was raised.
    pub(crate) waker: bool,
    /// Something happened at the TCP descriptor.
    pub(crate) tcp: bool,
}

/// Sleeps until `socket` has something to read, `waker` is raised, something happens at `tcp` or
/// `timeout` passes (none: forever).
///
/// # Errors
/// What the kernel says; EINTR is no error.
pub(crate) fn wait(
    socket: &UdpSocket,
    waker: &Waker,
    tcp: Option<RawFd>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    // The kernel passes over a negative descriptor.
    let descriptors = [socket.socket.as_raw_fd(), waker.0.as_raw_fd(), tcp.unwrap_or(-1)];
    let mut descriptors =
        descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    let time = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().min(3600) as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the array and the timespec live through the call; no signal mask is given.
    let result = unsafe { libc::ppoll(descriptors.as_mut_ptr(), 3, time, std::ptr::null()) };
    match io::Error::last_os_error() {
        error if result < 0 && error.raw_os_error() != Some(libc::EINTR) => Err(error),
        _ if result <= 0 => Ok(Ready::default()),
        _ => {
            let [socket, waker, tcp] = descriptors.map(|one| one.revents != 0);
            Ok(Ready { socket, waker, tcp })
        }
    }
}

#[cfg(test)]
mod tests;
