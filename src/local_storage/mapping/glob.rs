//! Patterns over keys: `*` is any run of characters, `?` one code unit; everything else means itself.
//!
//! Not the crate `globset`, which matches paths: keys are 16-bit units that need not be Unicode, so that they have no UTF-8 to
//! hand it, and `/`, `.`, `[` and `{` mean nothing in them.

/// Whether `pattern` can match several keys.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// Whether `units` match `pattern`.
pub(super) fn matches(pattern: &str, units: &[u16]) -> bool {
    const ANY: u16 = b'*' as u16;
    const ONE: u16 = b'?' as u16;
    let pattern: Vec<u16> = pattern.encode_utf16().collect();
    let (mut at, mut unit) = (0, 0);
    // Where to go on if what follows the last star does not fit: behind it, and one unit later.
    let mut retry = None;
    while unit < units.len() {
        match pattern.get(at) {
            Some(&ANY) => {
                retry = Some((at + 1, unit));
                at += 1;
            }
            Some(&wanted) if wanted == ONE || Some(&wanted) == units.get(unit) => {
                at += 1;
                unit += 1;
            }
            _ => match retry {
                Some((behind, from)) => {
                    retry = Some((behind, from + 1));
                    (at, unit) = (behind, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).unwrap_or_default().iter().all(|&rest| rest == ANY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything", true),
            ("liftbook-*", "liftbook-store", true),
            ("liftbook-*", "liftbook", false),
            ("*-store", "a-store-store", true),
            ("*-store", "a-store-x", false),
            ("a*b*c", "a12b34c", true),
            ("a*b*c", "a12c34b", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("", "a", false),
            ("[x]", "[x]", true),
            ("[x]", "x", false),
        ] {
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(matches(pattern, &units), expected, "{pattern} {text}");
        }
    }
}
