//! JSON as text: checked once, then walked in place, so that the exact text of every value is at hand.
//!
//! Text is WTF-8 here (UTF-8 in which unpaired surrogates may stand): engines before 2019 wrote such units into JSON as they
//! are, later ones as `\udXXX`, and both must come through. No value is ever turned into a tree, a float or a Rust string on
//! the way: numbers stay tokens and strings become [`CodeUnits`]. Nothing here recurses as deep as the text nests but [`canonical`], which has a limit,
//! so that nesting of any depth is read.
//!
//! Own code rather than `serde_json`, because the values of a browser need what it does not give: every value's place in the
//! text, at any depth, so that its exact text is kept and what is wrong is told by its byte; unpaired surrogates, in text that
//! is then no UTF-8 and as escapes, which a Rust string cannot hold (one of them would cost the whole document); members of
//! the same name one by one; no recursion and no limit of depth; and whether text that is not JSON was only cut off.
//!
//! Source: RFC 8259. Of members of the same name the last one counts, as in `JSON.parse`.

mod bytes;
pub mod canonical;
pub mod pointer;
mod scan;
mod string;
mod walk;

pub use scan::{Cut, Syntax};
pub use string::{push_string, push_text};
pub use walk::{Elements, Members};

use super::code_units::CodeUnits;

/// What a JSON value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// A number token.
    Number,
    /// `true` or `false`
    Boolean,
    /// `null`
    Null,
}

impl Kind {
    /// With its article, for messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Null => "null",
        }
    }
}

/// One JSON value: its exact text without the white space around it, known to be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a> {
    text: &'a [u8],
}

impl<'a> Json<'a> {
    /// Checks that `text` is one JSON document, white space around it allowed.
    ///
    /// `text` is WTF-8; what stands between quotes is not checked to be that.
    ///
    /// # Errors
    /// The first place where it is not JSON.
    pub fn parse(text: &'a [u8]) -> Result<Self, Syntax> {
        let start = scan::skip_space(text, 0);
        let end = scan::value_end(text, start)?;
        match scan::skip_space(text, end) {
            rest if rest == text.len() => Ok(Self { text: text.get(start..end).unwrap_or_default() }),
            rest => Err(Syntax {
                at: rest,
                what: "something stands behind the end of the document",
                cut: Cut::No,
            }),
        }
    }

    /// Of text that was checked before and has no white space around it.
    pub(in crate::local_storage) fn trusted(text: &'a [u8]) -> Self {
        Self { text }
    }

    /// What it is.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self.text.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The exact text, as WTF-8.
    #[must_use]
    pub fn text(self) -> &'a [u8] {
        self.text
    }

    /// The exact text, unpaired surrogates that stand in it as they are written as the escapes that mean them.
    #[must_use]
    pub fn to_text(self) -> String {
        string::well_formed(self.text)
    }

    /// The exact text as code units.
    #[must_use]
    pub fn text_units(self) -> CodeUnits {
        string::units_of(self.text)
    }

    /// The members of an object, in their order; none of anything else.
    #[must_use]
    pub fn members(self) -> Members<'a> {
        Members::of(self.text)
    }

    /// The elements of an array, in their order; none of anything else.
    #[must_use]
    pub fn elements(self) -> Elements<'a> {
        Elements::of(self.text)
    }

    /// The last member of that name.
    #[must_use]
    pub fn member(self, name: &str) -> Option<Self> {
        self.members().filter(|(key, _)| key.is_string(name)).last().map(|(_, value)| value)
    }

    /// The last member of each of these names, found in one walk.
    #[must_use]
    pub fn named<const N: usize>(self, names: [&str; N]) -> [Option<Self>; N] {
        let mut found = [None; N];
        for (key, value) in self.members() {
            for (name, slot) in names.iter().zip(&mut found) {
                if key.is_string(name) {
                    *slot = Some(value);
                }
            }
        }
        found
    }

    /// A string's code units.
    #[must_use]
    pub fn to_units(self) -> Option<CodeUnits> {
        self.inside_quotes().map(string::unescape)
    }

    /// A string, where it is well-formed.
    #[must_use]
    pub fn to_utf8(self) -> Option<String> {
        let inside = self.inside_quotes()?;
        match std::str::from_utf8(inside) {
            Ok(plain) if !inside.contains(&b'\\') => Some(plain.to_owned()),
            _ => string::unescape(inside).to_utf8(),
        }
    }

    /// A boolean.
    #[must_use]
    pub fn to_bool(self) -> Option<bool> {
        match self.text {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// An integer written as one, digits only, that 64 bits hold.
    #[must_use]
    pub fn to_i64(self) -> Option<i64> {
        (self.kind() == Kind::Number).then(|| std::str::from_utf8(self.text).ok()?.parse().ok()).flatten()
    }

    /// What stands between the quotes of a string of which each byte is one code unit as it stands there.
    pub(super) fn ascii(self) -> Option<&'a [u8]> {
        let is_plain = |inside: &&[u8]| {
            bytes::before(inside, |eight| eight.equal(b'\\') | eight.not_ascii()) == inside.len()
        };
        self.inside_quotes().filter(is_plain)
    }

    fn inside_quotes(self) -> Option<&'a [u8]> {
        self.text.strip_prefix(b"\"")?.strip_suffix(b"\"")
    }

    pub(in crate::local_storage) fn is_string(self, name: &str) -> bool {
        match self.inside_quotes() {
            Some(inside) if inside.contains(&b'\\') => string::unescape(inside) == CodeUnits::from(name),
            Some(inside) => inside == name.as_bytes(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests;
