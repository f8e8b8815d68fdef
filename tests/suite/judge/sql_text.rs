//! Just enough of SQL's tokens to find a word in a stored definition without being fooled by quotes or comments.

/// The condition of a partial index: what follows WHERE behind the column list.
pub(super) fn index_condition(sql: &str) -> Option<&str> {
    let mut depth = 0_usize;
    let mut columns_seen = false;
    for (start, token) in tokens(sql) {
        match token {
            "(" => depth += 1,
            ")" => {
                depth = depth.saturating_sub(1);
                columns_seen |= depth == 0;
            }
            word if columns_seen && depth == 0 && word.eq_ignore_ascii_case("where") => {
                return Some(&sql[start + word.len()..]);
            }
            _ => {}
        }
    }
    None
}

/// The module of a virtual table, in lower case.
pub(super) fn module(sql: &str) -> Option<String> {
    let mut words = tokens(sql).map(|(_, token)| token);
    words.find(|word| word.eq_ignore_ascii_case("using"))?;
    words.next().map(str::to_ascii_lowercase)
}

/// Tokens with their offsets; white space and comments are left out.
fn tokens(sql: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = &sql[at..];
            let length = token_length(rest)?;
            let token = &rest[..length];
            let start = at;
            at += length;
            let blank = token.starts_with(|c: char| c.is_ascii_whitespace());
            if !blank && !token.starts_with("--") && !token.starts_with("/*") {
                return Some((start, token));
            }
        }
    })
}

fn token_length(rest: &str) -> Option<usize> {
    let first = rest.chars().next()?;
    Some(match first {
        '\'' | '"' | '`' => quoted_length(rest, first),
        '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
        '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |end| end + 1),
        '/' if rest.starts_with("/*") => rest[2..].find("*/").map_or(rest.len(), |end| end + 4),
        c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
        c => c.len_utf8(),
    })
}

/// Up to the closing quote; a doubled quote stands for itself.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(end) = rest[at..].find(quote) {
        at += end + 1;
        if !rest[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    rest.len()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}
