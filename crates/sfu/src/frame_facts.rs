//! What a packet's frame is to the selections of layers inside its stream: who gets it, and who can
//! get others from it on.

use odeum_rtp::codec::{FrameLayer, TemporalSwitch};

use crate::selection::{SPATIAL_MAX, Selection, Selections, TEMPORAL_MAX};

/// What a packet's frame, one spatial layer of a picture, is to the selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameFacts {
    /// Its spatial layer.
    pub(crate) spatial: u8,
    /// Its temporal layer.
    pub(crate) temporal: u8,
    /// The packet is the frame's first.
    pub(crate) begins_frame: bool,
    /// The packet is the frame's last.
    pub(crate) ends_frame: bool,
    /// Whose it is.
    pub(crate) members: Selections,
    /// Who gets it can go on with these.
    pub(crate) opens: Selections,
    /// Who gets the spatial layer below can go up to the frame's own with it.
    pub(crate) enters_spatial: bool,
    /// Who gets at least the first of these temporal layers can go up to the second with it.
    pub(crate) rise: Option<(u8, u8)>,
    /// Who gets its temporal layer can go up to all others with the next picture.
    pub(crate) rises_after: bool,
    /// Higher spatial layers refer to it.
    pub(crate) is_needed_above: bool,
}

impl FrameFacts {
    /// A packet that says nothing: everybody's, and no place for a change.
    pub(crate) const UNKNOWN: Self = Self {
        spatial: 0,
        temporal: 0,
        begins_frame: false,
        ends_frame: false,
        members: Selections::ALL,
        opens: Selections::NONE,
        enters_spatial: false,
        rise: None,
        rises_after: false,
        is_needed_above: true,
    };

    /// What a payload descriptor says.
    ///
    /// `top` is the highest spatial layer since the last key picture, the frame's included: who
    /// gets higher ones gets it too, though no other refers to it.
    pub(crate) fn of(layer: &FrameLayer, top: u8) -> Self {
        let is_needed_above = layer.is_needed_above || layer.spatial >= top;
        let (spatial, temporal) =
            (layer.spatial.min(SPATIAL_MAX - 1), layer.temporal.min(TEMPORAL_MAX - 1));
        let is_member = |selection: Selection| {
            let is_below = spatial < selection.spatial && is_needed_above;
            temporal <= selection.temporal && (spatial == selection.spatial || is_below)
        };
        let rise = match layer.temporal_switch {
            TemporalSwitch::WithFrame if layer.begins_frame && temporal > 0 => {
                Some((temporal - 1, temporal))
            }
            TemporalSwitch::AfterPicture | TemporalSwitch::WithFrame | TemporalSwitch::No => None,
        };
        Self {
            spatial,
            temporal,
            begins_frame: layer.begins_frame,
            ends_frame: layer.ends_frame,
            members: Selections::of(is_member),
            opens: Selections::NONE,
            enters_spatial: layer.enters_spatial_layer && spatial > 0,
            rise,
            rises_after: layer.temporal_switch == TemporalSwitch::AfterPicture,
            is_needed_above,
        }
    }
}
