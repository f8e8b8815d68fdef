//! Facts of two headers that differ: those that are content, and those of layout.

use serde::Serialize;

use crate::content::Content;
use crate::schema::{ObjectKind, SchemaObject};

/// A fact that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactDifference {
    /// The fact, such as `user_version`.
    pub fact: &'static str,
    /// What it is in A.
    pub a: String,
    /// What it is in B.
    pub b: String,
}

/// `user_version`, `application_id` and the encoding, which decides how texts compare in indexes.
pub(super) fn content_differences(a: &Content, b: &Content) -> Vec<FactDifference> {
    let (a, b) = (a.content_header(), b.content_header());
    differing([
        ("user_version", a.user_version.to_string(), b.user_version.to_string()),
        ("application_id", a.application_id.to_string(), b.application_id.to_string()),
        ("encoding", a.encoding.name().into(), b.encoding.name().into()),
    ])
}

/// Everything else of the header, and the order of schema objects, which `VACUUM` changes.
pub(super) fn layout_differences(a: &Content, b: &Content) -> Vec<FactDifference> {
    let ((a, objects_a), (b, objects_b)) = ((a.header(), a.objects()), (b.header(), b.objects()));
    let format = |is_legacy: bool| if is_legacy { "before 4" } else { "4" }.to_string();
    let cache = |pages: Option<i32>| pages.map_or("never set".to_string(), |pages| pages.to_string());
    let mut found = differing([
        ("page_size", a.page_size.to_string(), b.page_size.to_string()),
        ("auto_vacuum", a.auto_vacuum.name().into(), b.auto_vacuum.name().into()),
        ("journal_mode", a.journal_mode.name().into(), b.journal_mode.name().into()),
        ("schema format", format(a.legacy_format), format(b.legacy_format)),
        ("default_cache_size", cache(a.default_cache_size), cache(b.default_cache_size)),
    ]);
    let (order_a, order_b) = (common_names(objects_a, objects_b), common_names(objects_b, objects_a));
    if let Some((first_a, first_b)) = order_a.iter().zip(&order_b).find(|(a, b)| a != b) {
        let place = |(kind, name): &(ObjectKind, Vec<u8>)| {
            format!("{} {:?} first", kind.name(), String::from_utf8_lossy(name))
        };
        found.push(FactDifference { fact: "order of schema objects", a: place(first_a), b: place(first_b) });
    }
    found
}

fn common_names(of: &[SchemaObject], others: &[SchemaObject]) -> Vec<(ObjectKind, Vec<u8>)> {
    let name = |object: &SchemaObject| (object.kind.name(), object.name.as_bytes().to_ascii_lowercase());
    let known: std::collections::HashSet<_> = others.iter().map(name).collect();
    let common = of.iter().filter(|object| known.contains(&name(object)));
    common.map(|object| (object.kind, object.name.as_bytes().to_ascii_lowercase())).collect()
}

fn differing<const N: usize>(facts: [(&'static str, String, String); N]) -> Vec<FactDifference> {
    let differing = facts.into_iter().filter(|(_, a, b)| a != b);
    differing.map(|(fact, a, b)| FactDifference { fact, a, b }).collect()
}
