//! The frame dependency structure: templates, decode targets, and the chains that protect them.

use super::frame::FrameDependencies;
use super::{DecodeTargets, DependencyError, Head};
use crate::bits::{BitReader, OutOfBits};
use crate::codec::PictureSize;

/// Templates of a structure: one for each id that six bits can say; one with more is refused.
pub const TEMPLATES_MAX: usize = 64;

/// Decode targets of a structure: as many as five bits can say.
pub const DECODE_TARGETS_MAX: usize = 32;

/// Spatial layers of a structure: as many as AV1 (AV1 §5.3.3) can number in two bits.
const SPATIAL_LAYERS_MAX: usize = 4;

/// Temporal layers of a structure: as many as AV1 and VP9 can number in three bits.
const TEMPORAL_LAYERS_MAX: u8 = 8;

/// What the frames of a coded video sequence have in common. About 5 KB, without pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependencyStructure {
    /// The first template's id.
    template_id_offset: u8,
    /// How many templates there are.
    template_count: usize,
    /// What frames refer to.
    templates: [FrameDependencies; TEMPLATES_MAX],
    /// How many decode targets there are.
    decode_target_count: usize,
    /// What a viewer can choose of.
    decode_targets: [DecodeTarget; DECODE_TARGETS_MAX],
    /// How many chains there are.
    chain_count: usize,
    /// The largest pictures of the spatial layers.
    sizes: [Option<PictureSize>; SPATIAL_LAYERS_MAX],
}

/// A choice of layers that can be decoded without the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecodeTarget {
    /// Its highest spatial layer.
    pub spatial_layer: u8,
    /// Its highest temporal layer.
    pub temporal_layer: u8,
    /// The chain that protects it; None in a structure without chains.
    pub chain: Option<u8>,
}

impl Default for DependencyStructure {
    /// The one before the first: it has no templates, so that no descriptor can be read with it.
    fn default() -> Self {
        Self {
            template_id_offset: 0,
            template_count: 0,
            templates: [FrameDependencies::NONE; TEMPLATES_MAX],
            decode_target_count: 0,
            decode_targets: [DecodeTarget::default(); DECODE_TARGETS_MAX],
            chain_count: 0,
            sizes: [None; SPATIAL_LAYERS_MAX],
        }
    }
}

impl DependencyStructure {
    /// The structure that an extension's value brings; None when it brings none. It is in force
    /// from the value's packet on, in the order of sequence numbers.
    ///
    /// # Errors
    /// Each of [`DependencyError`] but for the unknown template.
    pub fn parse(value: &[u8]) -> Result<Option<Self>, DependencyError> {
        let (head, mut bits) = Head::read(value)?;
        if !head.brings_structure {
            return Ok(None);
        }
        Self::read(&mut bits).map(Some)
    }

    /// Takes `template_dependency_structure` (A.8.2).
    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Self, DependencyError> {
        let mut structure = Self {
            template_id_offset: bits.number(6)? as u8,
            decode_target_count: bits.number(5)? as usize + 1,
            ..Self::default()
        };
        structure.read_layers(bits)?;
        let targets = structure.decode_target_count;
        for template in structure.templates_mut() {
            template.read_indications(bits, targets)?;
        }
        for template in structure.templates_mut() {
            template.read_template_referred_frames(bits)?;
        }
        structure.read_chains(bits)?;
        structure.find_target_layers();
        if bits.flag()? {
            structure.read_sizes(bits)?;
        }
        Ok(structure)
    }

    /// The decode targets, in the sender's order.
    pub fn decode_targets(&self) -> &[DecodeTarget] {
        &self.decode_targets[..self.decode_target_count]
    }

    /// The decode targets that need no higher layers than these: what is active for a viewer that
    /// gets no others.
    pub fn decode_targets_within(&self, spatial_layer: u8, temporal_layer: u8) -> DecodeTargets {
        let mut within = DecodeTargets::default();
        for (index, target) in self.decode_targets().iter().enumerate() {
            if target.spatial_layer <= spatial_layer && target.temporal_layer <= temporal_layer {
                within.insert(index);
            }
        }
        within
    }

    /// The decode target of the highest layers among these; None of none.
    pub fn highest_of(&self, targets: DecodeTargets) -> Option<usize> {
        let all = self.decode_targets().iter().enumerate();
        let candidates = all.filter(|(index, _)| targets.contains(*index));
        let highest = candidates.max_by_key(|(_, t)| (t.spatial_layer, t.temporal_layer))?;
        Some(highest.0)
    }

    /// Whether all templates that are a decode target's are another one's as well, so that who gets
    /// that one gets all of this.
    pub fn is_part_of(&self, target: usize, other: usize) -> bool {
        let templates = &self.templates[..self.template_count];
        templates.iter().all(|template| !template.is_present(target) || template.is_present(other))
    }

    /// How many chains there are.
    pub fn chain_count(&self) -> usize {
        self.chain_count
    }

    /// The largest picture of a spatial layer, when the structure says it.
    pub fn size(&self, spatial_layer: u8) -> Option<PictureSize> {
        *self.sizes.get(usize::from(spatial_layer))?
    }

    /// The template of an id; ids go on with 0 after 63.
    pub(super) fn template(&self, id: u8) -> Option<&FrameDependencies> {
        let index = usize::from(id.wrapping_sub(self.template_id_offset)) % TEMPLATES_MAX;
        self.templates[..self.template_count].get(index)
    }

    fn templates_mut(&mut self) -> &mut [FrameDependencies] {
        &mut self.templates[..self.template_count]
    }

    /// Takes `template_layers`: each template's layers as a step from the one before.
    fn read_layers(&mut self, bits: &mut BitReader<'_>) -> Result<(), DependencyError> {
        let (mut spatial, mut temporal) = (0, 0);
        loop {
            let template = self.templates.get_mut(self.template_count);
            let template = template.ok_or(DependencyError::TooManyTemplates)?;
            (template.spatial_layer, template.temporal_layer) = (spatial, temporal);
            self.template_count += 1;
            match bits.number(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => return Ok(()),
            }
            if usize::from(spatial) >= SPATIAL_LAYERS_MAX || temporal >= TEMPORAL_LAYERS_MAX {
                return Err(DependencyError::TooManyLayers);
            }
        }
    }

    /// Takes `template_chains`.
    fn read_chains(&mut self, bits: &mut BitReader<'_>) -> Result<(), OutOfBits> {
        let chains = bits.below(self.decode_target_count as u32 + 1)?;
        if chains == 0 {
            return Ok(());
        }
        self.chain_count = chains as usize;
        for target in &mut self.decode_targets[..self.decode_target_count] {
            target.chain = Some(bits.below(chains)? as u8);
        }
        for template in self.templates_mut() {
            template.read_chains(bits, chains as usize, 4)?;
        }
        Ok(())
    }

    /// A decode target's layers are the highest of its templates (A.8.2, `decode_target_layers`).
    fn find_target_layers(&mut self) {
        let templates = &self.templates[..self.template_count];
        for (index, target) in
            self.decode_targets[..self.decode_target_count].iter_mut().enumerate()
        {
            let of_target = templates.iter().filter(|template| template.is_present(index));
            for template in of_target {
                target.spatial_layer = target.spatial_layer.max(template.spatial_layer);
                target.temporal_layer = target.temporal_layer.max(template.temporal_layer);
            }
        }
    }

    /// Takes `render_resolutions`, of each spatial layer that has a template.
    fn read_sizes(&mut self, bits: &mut BitReader<'_>) -> Result<(), OutOfBits> {
        // The templates' layers only rise.
        let highest = self.templates[self.template_count - 1].spatial_layer;
        for size in &mut self.sizes[..=usize::from(highest)] {
            // Less one on the wire; 65,536 is taken for one less.
            let width = (bits.number(16)? as u16).saturating_add(1);
            let height = (bits.number(16)? as u16).saturating_add(1);
            *size = Some(PictureSize { width, height });
        }
        Ok(())
    }
}
