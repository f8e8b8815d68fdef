//! Names as SQL text, for those that are text; [`Identifier`](crate::schema::Identifier) quotes those that may be any bytes.
//!
//! No other place puts quotes around a name: what stands between them unescaped could be read as SQL.

/// A name as SQL writes it: in double quotes, those inside doubled.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_inside_a_name_are_doubled() {
        assert_eq!(quoted("a\"b c"), "\"a\"\"b c\"");
        assert_eq!(quoted(""), "\"\"");
    }
}
