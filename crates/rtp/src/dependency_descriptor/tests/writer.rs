//! A writer of dependency descriptors that follows the syntax of A.8.2.

use super::super::{FrameDependencies, Indication};

/// One bit each.
#[derive(Default)]
pub(super) struct BitWriter(Vec<bool>);

impl BitWriter {
    pub(super) fn put(&mut self, width: u32, value: u32) {
        assert!(width == 32 || value >> width == 0, "{value} has more than {width} bits");
        self.0.extend((0..width).rev().map(|bit| value >> bit & 1 == 1));
    }

    /// `write_ns`.
    pub(super) fn put_below(&mut self, count: u32, value: u32) {
        let width = u32::BITS - count.leading_zeros();
        let short = (1 << width) - count;
        if value < short {
            self.put(width - 1, value);
        } else {
            self.put(width, value + short);
        }
    }

    /// The bytes, filled up with zeros.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at))
        };
        self.0.chunks(8).map(byte).collect()
    }
}

/// A frame or a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) layers: (u8, u8),
    /// As in table A.1: `-DSR`.
    pub(super) indications: String,
    pub(super) referred: Vec<u16>,
    pub(super) chains: Vec<u8>,
}

impl Frame {
    /// Reads a row of the tables of A.10.2: spatial and temporal layer, referred frames, chains,
    /// indications.
    pub(super) fn of_row(row: &str) -> Self {
        let columns: Vec<_> = row.split_whitespace().collect();
        let numbers = |text: &str| text.split(',').map(|n| n.parse().unwrap()).collect::<Vec<_>>();
        let referred = if columns[2] == "none" { Vec::new() } else { numbers(columns[2]) };
        Self {
            layers: (columns[0].parse().unwrap(), columns[1].parse().unwrap()),
            indications: columns[4].to_owned(),
            referred,
            chains: numbers(columns[3]).into_iter().map(|chain| chain as u8).collect(),
        }
    }

    /// What the parser made of it, of so many decode targets and chains.
    pub(super) fn of_parsed(frame: &FrameDependencies, targets: usize, chains: usize) -> Self {
        let symbol = |target| match frame.indication(target) {
            Indication::NotPresent => '-',
            Indication::Discardable => 'D',
            Indication::Switch => 'S',
            Indication::Required => 'R',
        };
        Self {
            layers: (frame.spatial_layer, frame.temporal_layer),
            indications: (0..targets).map(symbol).collect(),
            referred: frame.referred_frames().to_vec(),
            chains: (0..chains).map(|chain| frame.chain(chain)).collect(),
        }
    }

    pub(super) fn put_indications(&self, bits: &mut BitWriter) {
        for symbol in self.indications.chars() {
            bits.put(2, "-DSR".find(symbol).unwrap() as u32);
        }
    }
}

/// A structure.
#[derive(Debug, Clone)]
pub(super) struct Structure {
    pub(super) offset: u8,
    pub(super) templates: Vec<Frame>,
    /// `decode_target_protected_by`; without chains its length still is the decode targets'.
    pub(super) protected_by: Vec<u8>,
    pub(super) sizes: Vec<(u16, u16)>,
}

impl Structure {
    pub(super) fn of_rows(
        offset: u8,
        rows: &[&str],
        protected_by: &[u8],
        sizes: &[(u16, u16)],
    ) -> Self {
        let templates = rows.iter().map(|row| Frame::of_row(row)).collect();
        Self { offset, templates, protected_by: protected_by.into(), sizes: sizes.into() }
    }

    pub(super) fn chains(&self) -> usize {
        self.templates[0].chains.len()
    }

    pub(super) fn put(&self, bits: &mut BitWriter) {
        bits.put(6, self.offset.into());
        bits.put(5, self.protected_by.len() as u32 - 1);
        for pair in self.templates.windows(2) {
            bits.put(
                2,
                match (pair[0].layers, pair[1].layers) {
                    (before, after) if before == after => 0,
                    ((before, _), (after, _)) if before == after => 1,
                    _ => 2,
                },
            );
        }
        bits.put(2, 3);
        self.templates.iter().for_each(|template| template.put_indications(bits));
        for template in &self.templates {
            for difference in &template.referred {
                bits.put(5, 0b1_0000 | u32::from(difference - 1));
            }
            bits.put(1, 0);
        }
        let chains = self.chains() as u32;
        bits.put_below(self.protected_by.len() as u32 + 1, chains);
        if chains > 0 {
            self.protected_by.iter().for_each(|chain| bits.put_below(chains, (*chain).into()));
            let of_templates = self.templates.iter().flat_map(|template| &template.chains);
            of_templates.for_each(|difference| bits.put(4, (*difference).into()));
        }
        bits.put(1, u32::from(!self.sizes.is_empty()));
        for (width, height) in &self.sizes {
            bits.put(16, u32::from(width - 1));
            bits.put(16, u32::from(height - 1));
        }
    }
}

/// A descriptor: flags of begin and end, template by its index, number, and what it brings.
#[derive(Debug, Clone, Default)]
pub(super) struct Descriptor {
    pub(super) begins_frame: bool,
    pub(super) ends_frame: bool,
    pub(super) template: u8,
    pub(super) number: u16,
    pub(super) structure: Option<Structure>,
    pub(super) active: Option<u32>,
    pub(super) indications: Option<String>,
    pub(super) referred: Option<Vec<u16>>,
    pub(super) chains: Option<Vec<u8>>,
}

impl Descriptor {
    pub(super) fn bits(&self, in_force: &Structure) -> BitWriter {
        let mut bits = BitWriter::default();
        bits.put(1, self.begins_frame.into());
        bits.put(1, self.ends_frame.into());
        bits.put(6, u32::from(in_force.offset + self.template) % 64);
        bits.put(16, self.number.into());
        let flags = [
            self.structure.is_some(),
            self.active.is_some(),
            self.indications.is_some(),
            self.referred.is_some(),
            self.chains.is_some(),
        ];
        if !flags.contains(&true) {
            return bits;
        }
        flags.iter().for_each(|flag| bits.put(1, (*flag).into()));
        if let Some(structure) = &self.structure {
            structure.put(&mut bits);
        }
        if let Some(active) = self.active {
            bits.put(in_force.protected_by.len() as u32, active);
        }
        if let Some(indications) = &self.indications {
            let frame = Frame { indications: indications.clone(), ..Frame::default() };
            frame.put_indications(&mut bits);
        }
        if let Some(referred) = &self.referred {
            for difference in referred {
                let size = (u16::BITS - (difference - 1).leading_zeros()).div_ceil(4).max(1);
                bits.put(2, size);
                bits.put(4 * size, u32::from(difference - 1));
            }
            bits.put(2, 0);
        }
        for difference in self.chains.iter().flatten() {
            bits.put(8, (*difference).into());
        }
        bits
    }

    pub(super) fn expected(&self, in_force: &Structure) -> Frame {
        let template = in_force.templates[usize::from(self.template)].clone();
        Frame {
            layers: template.layers,
            indications: self.indications.clone().unwrap_or(template.indications),
            referred: self.referred.clone().unwrap_or(template.referred),
            chains: self.chains.clone().unwrap_or(template.chains),
        }
    }
}
