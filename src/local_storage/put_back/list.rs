//! The list of sessions in the text of a store: where it is, and the same text with another list.

use std::collections::BTreeSet;

use crate::local_storage::envelope::Library;
use crate::local_storage::json::pointer::Pointer;
use crate::local_storage::json::{Json, Kind};
use crate::local_storage::mapping::event::WORKOUT_SESSION;
use crate::local_storage::mapping::{Mapped, MappedEvent};

/// A list in a text that stays as it is.
pub(super) struct List {
    /// The pointer to it, as it is written.
    pub(super) place: String,
    start: usize,
    end: usize,
    /// Where each element begins and ends.
    spans: Vec<(usize, usize)>,
}

impl List {
    /// The array that stands there.
    pub(super) fn find(text: &[u8], place: &str) -> Result<Self, &'static str> {
        let json = Json::parse(text).map_err(|_| "it is no JSON")?;
        let pointer = Pointer::parse(place).map_err(|_| "its elements stand in no one place")?;
        let array = pointer.find(json).filter(|found| found.kind() == Kind::Array);
        let array = array.ok_or("it has no list where the others have their sessions")?;
        let span = |json: Json<'_>| {
            let start = json.text().as_ptr().addr().saturating_sub(text.as_ptr().addr());
            (start, start + json.text().len())
        };
        let (start, end) = span(array);
        Ok(Self { place: place.to_owned(), start, end, spans: array.elements().map(span).collect() })
    }

    /// One of its elements in the text in which it was found.
    pub(super) fn element<'a>(&self, text: &'a [u8], at: usize) -> Option<&'a [u8]> {
        let (start, end) = self.spans.get(at)?;
        text.get(*start..*end)
    }

    /// Its elements, in their order.
    pub(super) fn elements<'a>(&self, text: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.spans.iter().filter_map(move |(start, end)| text.get(*start..*end))
    }

    /// `text` with other elements in it.
    pub(super) fn with<T: AsRef<[u8]>>(&self, text: &[u8], elements: &[T]) -> Vec<u8> {
        let before = text.get(..self.start).unwrap_or_default();
        let after = text.get(self.end..).unwrap_or_default();
        let size: usize = elements.iter().map(|element| element.as_ref().len() + 1).sum();
        let mut out = Vec::with_capacity(before.len() + after.len() + size + 2);
        out.extend_from_slice(before);
        out.push(b'[');
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(element.as_ref());
        }
        out.push(b']');
        out.extend_from_slice(after);
        out
    }
}

/// Where a store has its sessions, also where it has none; `None` where only other stores can tell.
pub(super) fn place_of(mapped: &Mapped) -> Result<Option<String>, &'static str> {
    let events = mapped.events.as_deref().ok_or("no rule says how to merge it")?;
    if mapped.library == Library::ReduxPersist {
        return Err("its slices are text inside of text");
    }
    if events.iter().any(|event| event.event_type != WORKOUT_SESSION) {
        return Err("it holds no sessions");
    }
    if mapped.list.is_some() {
        return Ok(mapped.list.clone());
    }
    let mut places = BTreeSet::new();
    for event in events {
        index_of(event).ok_or("its sessions are no list")?;
        places.insert(event.pointer.rsplit_once('/').unwrap_or_default().0);
    }
    let place = places.pop_first();
    if places.is_empty() { Ok(place.map(str::to_owned)) } else { Err("its sessions stand in several places") }
}

/// Which element of its list an event is of.
pub(super) fn index_of(event: &MappedEvent) -> Option<usize> {
    event.pointer.rsplit_once('/')?.1.parse().ok()
}
