//! Writing: the untouched value, the event that it is, those of its elements, and where each was seen.

use std::collections::BTreeMap;

use super::read::Kept;
use super::{Context, Import};
use crate::error::Result;
use crate::local_storage::item::Item;
use crate::local_storage::mapping::event::{CAPTURED_AT, capture_identity};
use crate::local_storage::mapping::{Mapped, MappedEvent, TimeOfEvent, Warning, map_again};
use crate::sqlite::events::{Added, Event, EventWriter, Migration, Original, Sighting};

impl Import<'_> {
    /// Stores the untouched value, the event that it is, and those of its elements.
    pub(super) fn write(
        &mut self,
        context: &Context<'_>,
        item: &Item,
        mapped: &Mapped,
        kept: &Kept,
    ) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let sha256 = &kept.sha256;
        let key = item.key.to_wtf8();
        let captured_at = context.captured_at.to_string();
        let source =
            [Some(context.format), self.options.device.as_deref(), context.origin, context.partition];
        let import_id = capture_identity(source, &item.key, sha256, context.captured_at);
        writer.note_import(&import_id)?;
        match &kept.text {
            Some(text) => writer.add_original(sha256, Original::Text(text))?,
            None => writer.add_original(sha256, Original::Utf16Le(&item.value.to_utf16le()))?,
        };
        let totals = &mut self.report.totals;
        let mut odd = Vec::new();
        let mut add = |event: &MappedEvent, position: u64| -> Result<bool> {
            let created_at = event.created_at.to_string();
            let row = Event {
                id: &event.id,
                created_at: &created_at,
                is_when_seen: event.created_from == CAPTURED_AT,
                event_type: &event.event_type,
                payload: &event.payload,
            };
            let added = writer.add_event(&row)?;
            let is_new = added == Added::New;
            if let Added::Differs(stored) = added {
                let remapped = remap(writer, &stored, event, &row)?;
                totals.events_filled += u64::from(remapped.is_filled);
                totals.events_differing += u64::from(remapped.differs);
                odd.extend(remapped.odd);
            }
            totals.events_new += u64::from(is_new);
            totals.events_known += u64::from(!is_new);
            writer.add_sighting(&Sighting {
                event_id: &event.id,
                import_id: &import_id,
                device: self.options.device.as_deref(),
                origin: context.origin,
                partition: context.partition,
                format: context.format,
                store_key: &key,
                store_version: mapped.version,
                value_sha256: sha256,
                pointer: &event.pointer,
                position,
                line: context.line,
                captured_at: &captured_at,
            })?;
            Ok(is_new)
        };
        add(&kept.event, 0)?;
        let (mut new, mut known, mut skipped) = (0, 0, 0);
        // Of each, how many, and whether one of them is new.
        let mut programs: BTreeMap<&str, (u64, bool)> = BTreeMap::new();
        for (position, event) in (0..).zip(mapped.events.iter().flatten()) {
            let program = event.slot.as_ref().map(|slot| &*slot.program);
            if program.is_some_and(|program| context.left_out.contains(program)) {
                skipped += 1;
                continue;
            }
            let is_new = add(event, position)?;
            if is_new {
                new += 1;
            } else {
                known += 1;
            }
            if let Some(program) = program {
                let (sessions, adds) = programs.entry(program).or_default();
                *sessions += 1;
                *adds |= is_new;
            }
        }
        totals.elements_new += new;
        totals.elements_known += known;
        totals.skipped_as_migrated += skipped;
        for (program, (sessions, adds)) in programs {
            let is_doubled = kept.doubled.contains(program);
            let migration = Migration { program, value_sha256: sha256, sessions, is_doubled, adds };
            writer.add_migration(&migration)?;
        }
        self.note_odd(context, item, odd);
        Ok(())
    }
}

/// What became of an event that was there with another payload.
#[derive(Default)]
struct Remapped {
    is_filled: bool,
    /// Whether it is not as the mapping has it.
    differs: bool,
    /// Where, and what the mapping says otherwise.
    odd: Vec<Warning>,
}

/// Gives an event that is there what it lacks, and says what stays.
fn remap(
    writer: &mut EventWriter<'_>,
    stored: &str,
    event: &MappedEvent,
    row: &Event<'_>,
) -> Result<Remapped> {
    let again = map_again(stored, event);
    let mut remapped = Remapped { differs: !again.kept.is_empty(), ..Remapped::default() };
    if again.time == TimeOfEvent::Earlier {
        writer.lower_time(row)?;
    }
    if let Some(payload) = again.payload {
        let created_at = (again.time == TimeOfEvent::OfMapping).then_some(row.created_at);
        remapped.is_filled = writer.change_event(&event.id, &payload, created_at)?;
        remapped.differs |= !remapped.is_filled;
    }
    remapped.odd =
        again.kept.into_iter().map(|message| Warning { pointer: event.pointer.clone(), message }).collect();
    Ok(remapped)
}
