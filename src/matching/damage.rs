//! Where a data file whose bytes are not those that were written is damaged, by sizes and hashes alone.

use std::path::Path;

use crate::error::Result;
use crate::matching::finding::{DataFinding, Place};
use crate::parquet_file::{DamageKind, DamagedPart, FilePart, damaged_parts};
use crate::run::Run;
use crate::snapshot::{DataFile, TableEntry};

/// What is said of a column chunk whose hash is another.
pub(crate) const CHANGED_CHUNK: &str = "the bytes of the column chunk are not those that were written";

/// Most column chunks that are named one by one; more of them tell nothing more.
const MOST_NAMED: usize = 100;

/// Names the row group and column of every column chunk that is not as it was written, and every other part of the
/// file that is not. The file is known to be damaged. Nothing of it is decoded.
///
/// # Errors
/// I/O failures; `Interrupted`.
pub fn name_damage(
    path: &Path,
    entry: &TableEntry,
    file: &DataFile,
    run: Run<'_>,
) -> Result<Vec<DataFinding>> {
    let place = Place { path, entry };
    let parts = damaged_parts(path, &file.row_groups, file.tail.as_ref(), run.interrupt)?;
    let (changed, cut): (Vec<DamagedPart>, Vec<DamagedPart>) =
        parts.into_iter().partition(|part| part.kind == DamageKind::Changed);
    let (chunks, others): (Vec<_>, Vec<_>) =
        changed.iter().map(|part| part.part).partition(|part| matches!(part, FilePart::Chunk { .. }));
    let mut findings = Vec::new();
    for part in chunks.iter().take(MOST_NAMED) {
        findings.push(of_part(place, *part, CHANGED_CHUNK));
    }
    if chunks.len() > MOST_NAMED {
        let more = chunks.len() - MOST_NAMED;
        findings.push(
            place.finding(format!("{more} more column chunks do not have the bytes that were written")),
        );
    }
    for part in others {
        findings.push(match part {
            FilePart::BeyondEnd => {
                place.finding("the file goes on after the end that it had when it was written")
            }
            part => place.finding(format!("the bytes of {part} are not those that were written")),
        });
    }
    // Where the file ends is one place, whatever else would have followed.
    if let Some(first) = cut.first() {
        let lost = cut.iter().filter(|part| matches!(part.part, FilePart::Chunk { .. })).count();
        findings.push(match first.part {
            FilePart::Chunk { .. } if lost > 1 => of_part(
                place,
                first.part,
                &format!("the file is cut off here, which loses {lost} column chunks"),
            ),
            FilePart::Chunk { .. } => of_part(place, first.part, "the file is cut off here"),
            part => place.finding(format!("the file is cut off in {part}")),
        });
    }
    Ok(findings)
}

fn of_part(place: Place<'_>, part: FilePart, finding: &str) -> DataFinding {
    match part {
        FilePart::Chunk { row_group, column } => {
            place.finding_in(row_group, place.column_name(column), finding)
        }
        _ => place.finding(finding),
    }
}
