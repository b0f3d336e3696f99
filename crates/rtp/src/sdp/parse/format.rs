//! Attributes about payload types and extension ids. None: malformed.

use crate::ExtensionKind;
use crate::sdp::attribute::{Direction, Feedback, PayloadFormat};
use crate::sdp::description::Media;

/// `<payload type> <encoding>/<clock rate>[/<channels>]`; types that the m-line lacks are skipped.
pub(super) fn rtpmap(media: &mut Media, value: &str) -> Option<()> {
    let (payload_type, rest) = value.split_once(' ')?;
    let payload_type: u8 = payload_type.parse().ok()?;
    let mut parts = rest.trim().split('/');
    let encoding = parts.next().filter(|encoding| !encoding.is_empty())?;
    let clock_rate = parts.next()?.parse().ok()?;
    let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok())?;
    if let Some(format) = format_mut(media, payload_type) {
        format.encoding = encoding.to_owned();
        format.clock_rate = clock_rate;
        format.channels = channels;
    }
    Some(())
}

pub(super) fn fmtp(media: &mut Media, value: &str) -> Option<()> {
    let (payload_type, parameters) = value.split_once(' ')?;
    if let Some(format) = format_mut(media, payload_type.parse().ok()?) {
        format.parameters = parameters.trim().to_owned();
    }
    Some(())
}

pub(super) fn rtcp_fb(media: &mut Media, value: &str) -> Option<()> {
    let (payload_type, feedback) = value.split_once(' ')?;
    let wanted: Option<u8> = match payload_type {
        "*" => None,
        number => Some(number.parse().ok()?),
    };
    let Some(feedback) = Feedback::parse(feedback.trim()) else { return Some(()) };
    for format in &mut media.formats {
        let is_meant = wanted.is_none_or(|wanted| wanted == format.payload_type);
        if is_meant && !format.feedback.contains(&feedback) {
            format.feedback.push(feedback);
        }
    }
    Some(())
}

/// `<id>[/<direction>] <uri> [..]`; kinds and directions that Odeum does not know, and ids that
/// clash, are skipped.
pub(super) fn extmap(media: &mut Media, value: &str) -> Option<()> {
    let mut words = value.split_ascii_whitespace();
    let id = words.next()?;
    let (id, direction) = match id.split_once('/') {
        Some((id, direction)) => (id, Direction::parse(direction)),
        None => (id, Some(Direction::SendReceive)),
    };
    let id: u16 = id.parse().ok()?;
    let kind = ExtensionKind::from_uri(words.next()?);
    // What cannot be inserted is an extension less, not a broken offer.
    if let (Ok(id), Some(kind), Some(direction)) = (u8::try_from(id), kind, direction)
        && media.extensions.id(kind).is_none()
        && media.extensions.insert(id, kind)
    {
        media.extensions.set_direction(kind, direction);
    }
    Some(())
}

fn format_mut(media: &mut Media, payload_type: u8) -> Option<&mut PayloadFormat> {
    media.formats.iter_mut().find(|format| format.payload_type == payload_type)
}
