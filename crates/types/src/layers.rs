//! Which layers of a video: what crosses from the media plane to whoever sends them.

/// A set of a video's layers, by their places in the publisher's SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct LayerSet {
    /// How many layers there are.
    count: u8,
    /// A bit for each that is in the set, the first one lowest.
    bits: u8,
}

impl LayerSet {
    /// None of `count` layers, at most eight.
    pub fn none(count: u8) -> Self {
        Self { count: count.min(8), bits: 0 }
    }

    /// All of `count` layers, at most eight.
    pub fn all(count: u8) -> Self {
        let count = count.min(8);
        Self { count, bits: (0xFF_u16 >> (8 - count)) as u8 }
    }

    /// Adds a layer; one that is not there changes nothing.
    pub fn insert(&mut self, layer: u8) {
        if layer < self.count {
            self.bits |= 1 << layer;
        }
    }

    /// Whether a layer is in it.
    pub fn contains(self, layer: u8) -> bool {
        layer < self.count && self.bits & 1 << layer != 0
    }

    /// Of each layer in turn, whether it is in it.
    pub fn iter(self) -> impl Iterator<Item = bool> {
        (0..self.count).map(move |layer| self.contains(layer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_layers_that_are_there() {
        let mut set = LayerSet::none(3);
        set.insert(2);
        set.insert(3);
        assert_eq!(set.iter().collect::<Vec<_>>(), [false, false, true]);
        assert!(set.contains(2) && !set.contains(0) && !set.contains(200));
        assert_eq!(LayerSet::all(3).iter().collect::<Vec<_>>(), [true; 3]);
        assert_eq!(LayerSet::all(0), LayerSet::none(0));
        assert_eq!(LayerSet::all(9).iter().count(), 8);
    }
}
