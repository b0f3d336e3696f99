//! [`Description`] to text.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::attribute::{Direction, PayloadFormat};
use super::description::{Description, IceMode, Media};

/// RFC 8445 §5.1.2.1 for a host candidate of component 1: type preference 126; of several addresses
/// the first is preferred.
fn candidate_priority(index: usize) -> u32 {
    let local_preference = 0xFFFF - index.min(0xFFFF) as u32;
    126 << 24 | local_preference << 8 | 255
}

/// RFC 6544 §4.2 for a passive host candidate: direction preference 4, and a type preference below
/// those of all UDP candidates, since a stream that waits for lost bytes suits media badly.
fn tcp_candidate_priority(index: usize) -> u32 {
    let local_preference = 4 << 13 | (0x1FFF - index.min(0x1FFF) as u32);
    90 << 24 | local_preference << 8 | 255
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=0\r\no=- {} {} ", self.session_id, self.session_version)?;
        f.write_str("IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")?;
        if !self.bundle.is_empty() {
            f.write_str("a=group:BUNDLE")?;
            self.bundle.iter().try_for_each(|mid| write!(f, " {mid}"))?;
            f.write_str("\r\n")?;
        }
        if self.ice_mode == IceMode::Lite {
            f.write_str("a=ice-lite\r\n")?;
        }
        if self.extmap_allow_mixed {
            f.write_str("a=extmap-allow-mixed\r\n")?;
        }
        f.write_str("a=msid-semantic: WMS *\r\n")?;
        self.media.iter().try_for_each(|media| write_media(f, media))
    }
}

fn write_media(f: &mut fmt::Formatter<'_>, media: &Media) -> fmt::Result {
    write!(f, "m={} {} {}", media.kind.as_str(), media.port, media.protocol)?;
    if media.formats.is_empty() {
        write!(f, " {}", media.format_list)?;
    }
    media.formats.iter().try_for_each(|format| write!(f, " {}", format.payload_type))?;
    f.write_str("\r\n")?;
    match media.candidates.first().map(SocketAddr::ip) {
        Some(IpAddr::V6(ip)) => write!(f, "c=IN IP6 {ip}\r\n")?,
        Some(IpAddr::V4(ip)) => write!(f, "c=IN IP4 {ip}\r\n")?,
        None => f.write_str("c=IN IP4 0.0.0.0\r\n")?,
    }
    if !media.mid.is_empty() {
        write!(f, "a=mid:{}\r\n", media.mid)?;
    }
    if media.bundle_only {
        f.write_str("a=bundle-only\r\n")?;
    }
    write_transport(f, media)?;
    write!(f, "a={}\r\n", media.direction)?;
    if media.rtcp_mux {
        f.write_str("a=rtcp-mux\r\n")?;
    }
    if media.rtcp_rsize {
        f.write_str("a=rtcp-rsize\r\n")?;
    }
    for (id, kind) in media.extensions.iter() {
        match media.extensions.direction(kind) {
            Direction::SendReceive => write!(f, "a=extmap:{id} {}\r\n", kind.uri())?,
            one_way => write!(f, "a=extmap:{id}/{one_way} {}\r\n", kind.uri())?,
        }
    }
    media.formats.iter().try_for_each(|format| write_format(f, format))?;
    if let Some(usual_ms) = media.packet_times.usual_ms {
        write!(f, "a=ptime:{usual_ms}\r\n")?;
    }
    if let Some(most_ms) = media.packet_times.most_ms {
        write!(f, "a=maxptime:{most_ms}\r\n")?;
    }
    for rid in &media.send_rids {
        write!(f, "a=rid:{rid} send\r\n")?;
    }
    for rid in &media.receive_rids {
        write!(f, "a=rid:{rid} recv\r\n")?;
    }
    if media.simulcast && !media.send_rids.is_empty() {
        write!(f, "a=simulcast:send {}\r\n", media.send_rids.join(";"))?;
    }
    if media.simulcast && !media.receive_rids.is_empty() {
        write!(f, "a=simulcast:recv {}\r\n", media.receive_rids.join(";"))?;
    }
    write_sources(f, media)
}

fn write_transport(f: &mut fmt::Formatter<'_>, media: &Media) -> fmt::Result {
    if let Some(ice) = &media.ice {
        write!(f, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", ice.ufrag, ice.password.expose())?;
    }
    if let Some(fingerprint) = &media.fingerprint {
        write!(f, "a=fingerprint:sha-256 {fingerprint}\r\n")?;
    }
    if let Some(setup) = media.setup {
        write!(f, "a=setup:{setup}\r\n")?;
    }
    for (index, address) in media.candidates.iter().enumerate() {
        let (foundation, priority) = (index + 1, candidate_priority(index));
        let (ip, port) = (address.ip(), address.port());
        write!(f, "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host\r\n")?;
    }
    for (index, address) in media.tcp_candidates.iter().enumerate() {
        let foundation = media.candidates.len() + index + 1;
        let priority = tcp_candidate_priority(index);
        let (ip, port) = (address.ip(), address.port());
        write!(f, "a=candidate:{foundation} 1 tcp {priority} {ip} {port} typ host")?;
        f.write_str(" tcptype passive\r\n")?;
    }
    if media.end_of_candidates {
        f.write_str("a=end-of-candidates\r\n")?;
    }
    Ok(())
}

fn write_format(f: &mut fmt::Formatter<'_>, format: &PayloadFormat) -> fmt::Result {
    let payload_type = format.payload_type;
    if !format.encoding.is_empty() {
        write!(f, "a=rtpmap:{payload_type} {}/{}", format.encoding, format.clock_rate)?;
        if format.channels != 1 {
            write!(f, "/{}", format.channels)?;
        }
        f.write_str("\r\n")?;
    }
    if !format.parameters.is_empty() {
        write!(f, "a=fmtp:{payload_type} {}\r\n", format.parameters)?;
    }
    for feedback in &format.feedback {
        write!(f, "a=rtcp-fb:{payload_type} {feedback}\r\n")?;
    }
    Ok(())
}

fn write_sources(f: &mut fmt::Formatter<'_>, media: &Media) -> fmt::Result {
    if let Some(msid) = &media.msid {
        let separator = if msid.track.is_empty() { "" } else { " " };
        write!(f, "a=msid:{}{separator}{}\r\n", msid.stream, msid.track)?;
    }
    for (source, retransmission) in &media.retransmission_groups {
        write!(f, "a=ssrc-group:FID {source} {retransmission}\r\n")?;
    }
    for source in &media.sources {
        match (&media.cname, &media.msid) {
            (Some(cname), Some(msid)) => {
                write!(f, "a=ssrc:{source} cname:{cname}\r\n")?;
                write!(f, "a=ssrc:{source} msid:{} {}\r\n", msid.stream, msid.track)?;
            }
            (Some(cname), None) => write!(f, "a=ssrc:{source} cname:{cname}\r\n")?,
            (None, _) => write!(f, "a=ssrc:{source}\r\n")?,
        }
    }
    Ok(())
}
