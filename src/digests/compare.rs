//! What of a subject is not as a list of digests says.

use serde::Serialize;

use crate::content::select_tables;
use crate::digests::{DigestList, DigestReport, TableDigest};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Identifier;

/// Something that is not as the list says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListDifference {
    /// `header`, `schema` or `table`.
    pub what: &'static str,
    /// The table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<Identifier>,
    /// In which way it differs.
    pub finding: String,
}

impl std::fmt::Display for ListDifference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.table {
            Some(table) => write!(f, "table {:?}: {}", table.lossy(), self.finding),
            None => write!(f, "{}: {}", self.what, self.finding),
        }
    }
}

/// Names every difference between `report`, which is of the tables that `patterns` name or of all, and `list`.
///
/// # Errors
/// `Usage` for a list that says nothing of header and schema although all tables are meant: it was made of some tables.
pub fn compare_with_list(
    report: &DigestReport,
    list: &DigestList,
    patterns: &[String],
) -> Result<Vec<ListDifference>> {
    let mut found = Vec::new();
    if patterns.is_empty() {
        let (Some(header), Some(schema)) = (&list.header, &list.schema) else {
            return Err(Error::new(
                ErrorKind::Usage,
                "the list of digests has no line for the header or for the schema",
            )
            .hint(
                "if it was made with --table, say --table again; else make it anew with `parklite digest`",
            ));
        };
        found.extend(header_differences(report, header));
        if report.schema != *schema {
            found.push(ListDifference {
                what: "schema",
                table: None,
                finding: "tables, indexes, views or triggers are not those of the list".into(),
            });
        }
    }
    let listed = meant(&list.tables, patterns);
    for table in &listed {
        let of_subject = report.tables.iter().find(|own| own.name == table.name);
        found.extend(table_difference(table, of_subject));
    }
    for table in &report.tables {
        if !listed.iter().any(|listed| listed.name == table.name) {
            let finding = format!("not in the list ({} rows)", table.digest.row_count);
            found.push(ListDifference { what: "table", table: Some(table.name.clone()), finding });
        }
    }
    Ok(found)
}

/// The tables of the list that the patterns mean; a pattern that means none of them means none.
fn meant<'l>(tables: &'l [TableDigest], patterns: &[String]) -> Vec<&'l TableDigest> {
    if patterns.is_empty() {
        return tables.iter().collect();
    }
    let names: Vec<&Identifier> = tables.iter().map(|table| &table.name).collect();
    let matching =
        patterns.iter().filter_map(|pattern| select_tables(std::slice::from_ref(pattern), &names).ok());
    let meant: std::collections::BTreeSet<usize> = matching.flatten().collect();
    meant.into_iter().map(|index| &tables[index]).collect()
}

fn header_differences(report: &DigestReport, listed: &crate::content::ContentHeader) -> Vec<ListDifference> {
    let own = &report.header;
    let facts = [
        ("user_version", own.user_version.to_string(), listed.user_version.to_string()),
        ("application_id", own.application_id.to_string(), listed.application_id.to_string()),
        ("encoding", own.encoding.name().to_string(), listed.encoding.name().to_string()),
    ];
    let differing = facts.into_iter().filter(|(_, own, listed)| own != listed);
    differing
        .map(|(fact, own, listed)| ListDifference {
            what: "header",
            table: None,
            finding: format!("{fact} is {own} instead of {listed}"),
        })
        .collect()
}

fn table_difference(listed: &TableDigest, own: Option<&TableDigest>) -> Option<ListDifference> {
    let finding = match own {
        None => format!("missing ({} rows in the list)", listed.digest.row_count),
        Some(own) if own.digest.row_count != listed.digest.row_count => {
            format!("{} rows instead of {}", own.digest.row_count, listed.digest.row_count)
        }
        Some(own) if own.digest != listed.digest => {
            format!("other content in the same number of rows ({})", own.digest.row_count)
        }
        Some(_) => return None,
    };
    Some(ListDifference { what: "table", table: Some(listed.name.clone()), finding })
}
