//! Schema objects that only one side has, or that are written otherwise.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::diff::Side;
use crate::diff::shown::{shown, shown_pair};
use crate::schema::{Cell, ObjectKind, SchemaObject, SqlText};

/// A schema object that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SchemaDifference {
    /// `table`, `index`, `view` or `trigger`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name, readable form.
    pub name: String,
    /// The side that alone has it; `None` where both have it, with another text.
    pub only_in: Option<Side>,
    /// Its text in A, shortened to where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// Its text in B, shortened to where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
}

/// Compares schemas by kind and name, whatever their order; of the objects that belong to tables that `is_meant`.
///
/// An automatic index is told only where its table's text is the same on both sides: else that text says it already.
pub(super) fn differences(
    a: &[SchemaObject],
    b: &[SchemaObject],
    is_meant: impl Fn(&[u8]) -> bool,
) -> Vec<SchemaDifference> {
    let (by_name_a, by_name_b) = (by_name(a), by_name(b));
    let table_is_same = |object: &SchemaObject| {
        let key = (ObjectKind::Table.name(), object.table_name.as_bytes().to_ascii_lowercase());
        match (by_name_a.get(&key), by_name_b.get(&key)) {
            (Some(a), Some(b)) => a.sql == b.sql,
            _ => false,
        }
    };
    let mut names: Vec<_> = by_name_a.keys().chain(by_name_b.keys()).collect();
    names.sort();
    names.dedup();
    let mut found = Vec::new();
    for name in names {
        let (a, b) = (by_name_a.get(name).copied(), by_name_b.get(name).copied());
        let Some(any) = a.or(b) else { continue };
        let is_automatic = any.kind == ObjectKind::Index && any.sql.is_none();
        if !is_meant(any.table_name.as_bytes()) || (is_automatic && !table_is_same(any)) {
            continue;
        }
        found.extend(match (a, b) {
            (Some(a), Some(b)) => other_text(a, b),
            (only_in_a, _) => Some(SchemaDifference {
                kind: any.kind.name(),
                name: any.name.lossy().into_owned(),
                only_in: Some(if only_in_a.is_some() { Side::A } else { Side::B }),
                a: only_in_a.map(short_text),
                b: if only_in_a.is_some() { None } else { Some(short_text(any)) },
            }),
        });
    }
    found
}

type Name = (&'static str, Vec<u8>);

fn by_name(objects: &[SchemaObject]) -> BTreeMap<Name, &SchemaObject> {
    let name = |object: &SchemaObject| (object.kind.name(), object.name.as_bytes().to_ascii_lowercase());
    objects.iter().map(|object| (name(object), object)).collect()
}

fn other_text(a: &SchemaObject, b: &SchemaObject) -> Option<SchemaDifference> {
    if a.sql == b.sql && a.name == b.name && a.table_name == b.table_name {
        return None;
    }
    let texts = if a.sql == b.sql {
        // Texts are the same, and names are not quite: only a schema that was written by hand has that.
        let names =
            |object: &SchemaObject| format!("{} on {}", object.name.lossy(), object.table_name.lossy());
        (names(a), names(b))
    } else {
        let (a, b) = shown_pair(sql_cell(a.sql.as_ref()), sql_cell(b.sql.as_ref()));
        (a.value, b.value)
    };
    Some(SchemaDifference {
        kind: a.kind.name(),
        name: a.name.lossy().into_owned(),
        only_in: None,
        a: Some(texts.0),
        b: Some(texts.1),
    })
}

fn sql_cell(sql: Option<&SqlText>) -> Cell<'_> {
    match sql {
        None => Cell::Null,
        Some(SqlText::Valid(text)) => Cell::Text(text),
        Some(SqlText::Raw(bytes)) => Cell::RawText(bytes),
    }
}

fn short_text(object: &SchemaObject) -> String {
    shown(sql_cell(object.sql.as_ref())).value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: ObjectKind, name: &str, table: &str, sql: Option<&str>) -> SchemaObject {
        let text = |text: &str| SqlText::Valid(text.to_string());
        SchemaObject {
            rowid: 1,
            kind,
            name: text(name),
            table_name: text(table),
            has_storage: true,
            sql: sql.map(text),
        }
    }

    #[test]
    fn objects_are_matched_by_kind_and_name_whatever_their_order() {
        let table = object(ObjectKind::Table, "t", "t", Some("CREATE TABLE t(a UNIQUE)"));
        let automatic = object(ObjectKind::Index, "sqlite_autoindex_t_1", "t", None);
        let index = object(ObjectKind::Index, "i", "t", Some("CREATE INDEX i ON t(a)"));
        let whole = [table.clone(), automatic.clone(), index.clone()];
        assert_eq!(differences(&whole, &[index.clone(), table.clone(), automatic.clone()], |_| true), []);
        let found = differences(&whole, &[table.clone(), automatic.clone()], |_| true);
        assert_eq!((found.len(), found[0].kind, found[0].only_in), (1, "index", Some(Side::A)));
        let other = object(ObjectKind::Index, "i", "t", Some("CREATE INDEX i ON t(a DESC)"));
        let found = differences(&whole, &[table.clone(), automatic, other.clone()], |_| true);
        assert_eq!((found.len(), found[0].only_in), (1, None));
        assert_ne!(found[0].a, found[0].b);
        // Without its constraint the table has no such index, which goes without saying.
        let plain = object(ObjectKind::Table, "t", "t", Some("CREATE TABLE t(a)"));
        assert_eq!(differences(&whole, &[plain.clone(), index.clone()], |_| true).len(), 1);
        assert_eq!(differences(&whole, &[plain, other], |name| name != b"t"), []);
    }
}
