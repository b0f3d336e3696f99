//! Events of rooms as signed callbacks.
