//! Where keys stand, for strict reading: a key may not stand twice, be it through a merge.

use std::collections::HashSet;
use std::sync::Arc;

/// Where the entries of a value stand.
pub(super) enum Places {
    Map(Vec<Place>),
    List(Vec<Option<Arc<Places>>>),
}

/// A key as go-yaml compares it, in Go's syntax, and the line of its value, from 0.
#[derive(Clone)]
pub(super) struct Place {
    pub key: String,
    pub line: usize,
}

/// The keys of a map so far.
#[derive(Default)]
pub(super) struct Seen {
    places: Vec<Place>,
    known: HashSet<String>,
}

impl Seen {
    /// Takes in a key; it comes back if it has been there.
    pub fn add(&mut self, place: Place) -> Option<Place> {
        if !self.known.insert(place.key.clone()) {
            return Some(place);
        }
        self.places.push(place);
        None
    }

    /// The keys in their order.
    pub fn into_places(self) -> Vec<Place> {
        self.places
    }
}
