//! A count and what is counted, for messages.

/// "1 item", "2 items".
pub(in crate::local_storage) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
