//! The total order of each table: asked for, by convention, or by key; and what a file may claim of it.

use crate::error::{Error, ErrorKind, Result};
use crate::schema::{IndexedValue, OrderReason, OrderTerm, Table, TotalOrder};

/// The column that orders events in the apps this comes from.
const CREATED_AT: &str = "_created_at";

/// One `--order-by`: a table and its terms as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedOrder {
    /// The table's name.
    pub table: String,
    /// Column names, and whether each is descending.
    pub terms: Vec<(String, bool)>,
}

impl std::str::FromStr for RequestedOrder {
    type Err = Error;

    /// Reads `events=_created_at desc,"odd, name"`.
    fn from_str(text: &str) -> Result<Self> {
        let usage = || {
            Error::new(ErrorKind::Usage, format!("{text:?} is no order"))
                .hint("write it like --order-by 'events=_created_at desc,id'")
        };
        let (table, rest) = split_outside_quotes(text, '=').ok_or_else(usage)?;
        let mut terms = Vec::new();
        let mut rest = Some(rest);
        while let Some(text) = rest {
            let (term, tail) =
                split_outside_quotes(text, ',').map_or((text, None), |(term, tail)| (term, Some(tail)));
            rest = tail;
            let term = term.trim();
            let lower = term.to_ascii_lowercase();
            let (name, descending) = match () {
                () if lower.ends_with(" desc") => (&term[..term.len() - 5], true),
                () if lower.ends_with(" asc") => (&term[..term.len() - 4], false),
                () => (term, false),
            };
            let name = unquoted(name.trim());
            if name.is_empty() && !term.starts_with('"') {
                return Err(usage());
            }
            terms.push((name, descending));
        }
        Ok(Self { table: unquoted(table.trim()), terms })
    }
}

fn split_outside_quotes(text: &str, separator: char) -> Option<(&str, &str)> {
    let mut quoted = false;
    for (index, character) in text.char_indices() {
        if character == '"' {
            quoted = !quoted;
        } else if character == separator && !quoted {
            return Some((&text[..index], &text[index + separator.len_utf8()..]));
        }
    }
    None
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_string(),
    }
}

/// The order of a table's rows in its snapshot.
///
/// # Errors
/// `Usage` for a requested column the table does not have.
pub(crate) fn order_of(table: &Table, requested: &[RequestedOrder]) -> Result<TotalOrder> {
    let mut order = match requested.iter().find(|order| table.name.is_same(&order.table)) {
        Some(order) => TotalOrder { terms: requested_terms(table, order)?, reason: OrderReason::Requested },
        None => default_order(table),
    };
    // What the order leaves equal is told apart by the key.
    let key =
        if table.has_rowid() { vec![table.rowid_alias] } else { key_columns(table).map(Some).collect() };
    for column in key {
        if !order.terms.iter().any(|term| term.column == column) {
            order.terms.push(OrderTerm { column, descending: false });
        }
    }
    Ok(order)
}

fn default_order(table: &Table) -> TotalOrder {
    let created_at = table.stored_columns().find(|(_, column)| column.name.is_same(CREATED_AT));
    match created_at {
        Some((column, _)) => TotalOrder {
            terms: vec![OrderTerm { column: Some(column), descending: false }],
            reason: OrderReason::CreatedAtConvention,
        },
        None if table.has_rowid() => TotalOrder { terms: Vec::new(), reason: OrderReason::Rowid },
        None => TotalOrder { terms: Vec::new(), reason: OrderReason::PrimaryKey },
    }
}

fn requested_terms(table: &Table, order: &RequestedOrder) -> Result<Vec<OrderTerm>> {
    let mut terms: Vec<OrderTerm> = Vec::new();
    for (name, descending) in &order.terms {
        let column =
            table.stored_columns().find(|(_, column)| column.name.is_same(name)).map(|(index, _)| index);
        let is_rowid = column.is_none()
            && table.has_rowid()
            && ["rowid", "_rowid_", "oid"].iter().any(|rowid| rowid.eq_ignore_ascii_case(name));
        if column.is_none() && !is_rowid {
            let known: Vec<_> = table.stored_columns().map(|(_, column)| column.name.lossy()).collect();
            return Err(Error::new(
                ErrorKind::Usage,
                format!("--order-by names a column {name:?} that is not stored"),
            )
            .in_table(&table.name)
            .hint(format!("the columns are: {}", known.join(", "))));
        }
        let column = if is_rowid { table.rowid_alias } else { column };
        if !terms.iter().any(|term| term.column == column) {
            terms.push(OrderTerm { column, descending: *descending });
        }
    }
    Ok(terms)
}

fn key_columns(table: &Table) -> impl Iterator<Item = usize> {
    table.without_rowid_key.iter().filter(|key| key.is_key).filter_map(|key| match key.value {
        IndexedValue::Column(column) => Some(column),
        _ => None,
    })
}

/// The order in words: `_created_at, rowid`.
#[must_use]
pub fn describe_order(table: &Table, order: &TotalOrder) -> String {
    let term = |term: &OrderTerm| {
        let name = match term.column.and_then(|column| table.columns.get(column)) {
            Some(column) => column.name.lossy().into_owned(),
            None => "rowid".to_string(),
        };
        if term.descending { format!("{name} desc") } else { name }
    };
    order.terms.iter().map(term).collect::<Vec<_>>().join(", ")
}

/// Why a table has its order, in words.
#[must_use]
pub fn describe_reason(reason: OrderReason) -> &'static str {
    match reason {
        OrderReason::Requested => "asked for with --order-by",
        OrderReason::CreatedAtConvention => "the table has a _created_at column",
        OrderReason::Rowid => "the table's rowid",
        OrderReason::PrimaryKey => "the table's primary key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_with_directions_and_quoted_names() -> Result<()> {
        let order: RequestedOrder = "events=_created_at DESC, id asc,\"a, \"\"b\"".parse()?;
        assert_eq!(order.table, "events");
        let expected = [("_created_at", true), ("id", false), ("a, \"b", false)];
        assert_eq!(order.terms, expected.map(|(name, descending)| (name.to_string(), descending)));
        for bad in ["events", "events=", "events=a,,b"] {
            assert!(bad.parse::<RequestedOrder>().is_err(), "{bad}");
        }
        Ok(())
    }
}
