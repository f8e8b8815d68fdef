//! What any Parquet file's footer must keep to so that a decoder can be given it: bounds, and nothing of taste.
//!
//! The decoder reserves room for as many row groups, columns and entries as are claimed, and goes down the schema
//! by recursion: a few bytes bring it to ask for gigabytes or to overflow its stack, and neither can be caught.

use super::compact::{Compact, Kind, Parsed};

/// How deep a schema may be: what a decoder goes down by recursion with room to spare, and more than any reader shows.
const MAX_SCHEMA_DEPTH: usize = 500;

/// Most row groups: their number is a 16-bit one.
const MAX_ROW_GROUPS: usize = 32_767;

/// Bytes of all paths of columns, in which the names of groups are repeated for each column below.
const MAX_PATH_BYTES: usize = 64 * 1024 * 1024;

/// What a decoder keeps of one element of the schema, in bytes.
const ELEMENT_BYTES: u64 = 1024;

/// What a decoder keeps of one column chunk, in bytes.
const CHUNK_BYTES: u64 = 1024;

/// What is known of a footer that keeps to the bounds.
#[derive(Debug, Default)]
pub(super) struct Shape<'a> {
    /// The columns that hold values.
    pub(super) columns: usize,
    /// The elements of the schema.
    pub(super) elements: usize,
    /// The row groups.
    pub(super) row_groups: usize,
    /// What wrote the file, in its own words.
    pub(super) created_by: Option<&'a [u8]>,
    /// An upper bound of what decoding the footer takes, in bytes.
    pub(super) decoded_bytes: u64,
}

/// Walks a footer from its first byte to its last.
pub(super) fn walk_footer(footer: &[u8]) -> Parsed<Shape<'_>> {
    let mut compact = Compact::new(footer);
    let mut shape = Shape::default();
    let mut last = 0;
    while let Some((id, kind)) = compact.field(&mut last)? {
        match (id, kind) {
            (2, Kind::List) => (shape.elements, shape.columns) = walk_schema(&mut compact)?,
            (4, Kind::List) => shape.row_groups = walk_row_groups(&mut compact, shape.columns)?,
            (6, Kind::Binary) => shape.created_by = Some(compact.binary()?),
            (2 | 4 | 6, _) => return Err("a field is of another type than Parquet says".into()),
            (8 | 9, _) => return Err("it is encrypted".into()),
            _ => compact.skip(kind)?,
        }
    }
    if shape.elements == 0 {
        return Err("it has no schema".into());
    }
    let chunks = shape.row_groups.saturating_mul(shape.columns) as u64;
    shape.decoded_bytes = (footer.len() as u64)
        .saturating_add(compact.list_bytes)
        .saturating_add((shape.elements as u64).saturating_mul(ELEMENT_BYTES))
        .saturating_add(chunks.saturating_mul(CHUNK_BYTES));
    Ok(shape)
}

/// Walks the schema, a tree written down depth first; returns how many elements it has, and how many leaves.
fn walk_schema(compact: &mut Compact<'_>) -> Parsed<(usize, usize)> {
    let count = compact.structs()?;
    // For each group that is open: how many children are still to come, and the bytes of the path to it.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let (mut leaves, mut path_bytes) = (0, 0_usize);
    for index in 0..count {
        let Element { name_bytes, children, is_leaf } = walk_element(compact)?;
        let above = match open.last_mut() {
            Some((left, bytes)) => {
                *left -= 1;
                *bytes
            }
            None if index == 0 => 0,
            None => return Err("the schema has elements outside its tree".into()),
        };
        let path = above + name_bytes;
        if children > count - index - 1 {
            return Err(format!("a group of the schema claims {children} columns").into());
        } else if children > 0 {
            open.push((children, path));
        } else if index > 0 && is_leaf {
            leaves += 1;
            path_bytes = path_bytes.saturating_add(path);
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            return Err(format!("the schema is more than {MAX_SCHEMA_DEPTH} levels deep").into());
        }
        if path_bytes > MAX_PATH_BYTES {
            return Err("the names of the columns are too long".into());
        }
        while open.last().is_some_and(|(left, _)| *left == 0) {
            open.pop();
        }
    }
    if open.is_empty() { Ok((count, leaves)) } else { Err("the schema lacks columns that it claims".into()) }
}

/// One element of the schema.
struct Element {
    /// The size of its name.
    name_bytes: usize,
    /// How many children it claims.
    children: usize,
    /// Whether it holds values: a group without columns has no chunk.
    is_leaf: bool,
}

fn walk_element(compact: &mut Compact<'_>) -> Parsed<Element> {
    let (mut name_bytes, mut children, mut is_leaf) = (0, 0, false);
    let mut last = 0;
    while let Some((id, kind)) = compact.field(&mut last)? {
        match (id, kind) {
            (4, Kind::Binary) => name_bytes = compact.binary()?.len(),
            (5, Kind::I32) => children = compact.i32()?,
            (1, Kind::I32) => {
                compact.i32()?;
                is_leaf = true;
            }
            (1 | 4 | 5, _) => return Err("a field of the schema is of another type than Parquet says".into()),
            _ => compact.skip(kind)?,
        }
    }
    match usize::try_from(children) {
        Ok(children) => Ok(Element { name_bytes, children, is_leaf }),
        Err(_) => Err(format!("a group of the schema claims {children} columns").into()),
    }
}

fn walk_row_groups(compact: &mut Compact<'_>, columns: usize) -> Parsed<usize> {
    let count = compact.structs()?;
    if count > MAX_ROW_GROUPS {
        return Err(format!("it claims {count} row groups, more than Parquet knows").into());
    }
    for index in 0..count {
        walk_row_group(compact, columns).map_err(|flaw| flaw.in_row_group(index))?;
    }
    Ok(count)
}

fn walk_row_group(compact: &mut Compact<'_>, columns: usize) -> Parsed<()> {
    let mut last = 0;
    while let Some((id, kind)) = compact.field(&mut last)? {
        match (id, kind) {
            (1, Kind::List) => {
                let count = compact.structs()?;
                if count != columns {
                    let what = format!("a row group has {count} columns where the schema has {columns}");
                    return Err(what.into());
                }
                (0..count).try_for_each(|_| compact.skip(Kind::Struct))?;
            }
            (1, _) => return Err("a field of a row group is of another type than Parquet says".into()),
            _ => compact.skip(kind)?,
        }
    }
    Ok(())
}
