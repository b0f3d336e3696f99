//! Which of the spatial and temporal layers inside one stream a viewer gets.

/// Spatial layers that are told apart; those above the third belong to it.
pub(crate) const SPATIAL_MAX: u8 = 3;

/// Temporal layers that are told apart; those above the third belong to it.
pub(crate) const TEMPORAL_MAX: u8 = 3;

/// How many selections there are.
pub(crate) const SELECTIONS: usize = (SPATIAL_MAX * TEMPORAL_MAX) as usize;

/// A highest spatial and a highest temporal layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The highest spatial layer.
    pub(crate) spatial: u8,
    /// The highest temporal layer.
    pub(crate) temporal: u8,
}

impl Selection {
    /// All layers, and what a stream without any has.
    pub(crate) const TOP: Self = Self { spatial: SPATIAL_MAX - 1, temporal: TEMPORAL_MAX - 1 };

    /// Every selection, by its index.
    pub(crate) fn every() -> impl Iterator<Item = Self> {
        (0..SPATIAL_MAX)
            .flat_map(|spatial| (0..TEMPORAL_MAX).map(move |temporal| Self { spatial, temporal }))
    }

    /// Its place in arrays of [`SELECTIONS`].
    pub(crate) fn index(self) -> usize {
        usize::from(self.spatial * TEMPORAL_MAX + self.temporal)
    }
}

/// A set of selections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Selections(u16);

impl Selections {
    /// All of them.
    pub(crate) const ALL: Self = Self((1 << SELECTIONS) - 1);

    /// None of them.
    pub(crate) const NONE: Self = Self(0);

    /// Those for which `belongs` holds.
    pub(crate) fn of(belongs: impl Fn(Selection) -> bool) -> Self {
        let mut set = Self::default();
        for selection in Selection::every().filter(|selection| belongs(*selection)) {
            set.0 |= 1 << selection.index();
        }
        set
    }

    /// Whether a selection is one of them.
    pub(crate) fn contains(self, selection: Selection) -> bool {
        self.0 >> selection.index() & 1 == 1
    }
}
