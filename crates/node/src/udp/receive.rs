//! What comes to a UDP socket: many datagrams in one call (recvmmsg), with GRO several packets in
//! one, each with both ends of its way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;

use odeum_sfu::AddressPair;

use super::{CONTROL_BYTES, Control, UdpSocket};
use crate::limits::{DATAGRAM_BYTES_MAX, RECEIVE_BATCH_MAX};

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
