use super::findings::Findings;
use super::side::{Pair, Side};

/// Values of the file header that answer to a pragma.
const PRAGMAS: [&str; 6] =
    ["user_version", "application_id", "encoding", "page_size", "auto_vacuum", "default_cache_size"];
/// Where the header says for writers and for readers whether the database is in WAL mode (2) or not (1).
const JOURNAL_MODE_BYTES: std::ops::Range<usize> = 18..20;

pub(super) fn compare(pair: &Pair, findings: &mut Findings) {
    for pragma in PRAGMAS {
        let (original, restored) = pair.ask(|side| value(side, pragma));
        findings.expect_equal(pragma, &original, &restored);
    }
    let (original, restored) =
        pair.ask(|side| side.file_header().get(JOURNAL_MODE_BYTES).map(<[u8]>::to_vec));
    findings.expect_equal("journal mode (header bytes 18 and 19)", &original, &restored);
}

fn value(side: &Side, pragma: &str) -> String {
    let rows = side.rows(&format!("PRAGMA {pragma}"), [], |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str()?.to_owned(),
        })
    });
    format!("{rows:?}")
}
