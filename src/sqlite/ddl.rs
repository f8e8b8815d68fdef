//! Reading the head of a schema object's text the way SQLite's tokenizer does, without running any of it.
//!
//! What is learned here decides only whether a text may go into a database at all. What a text means is never
//! decided here: SQLite itself is asked, once it has parsed it (`catalog`).

use std::borrow::Cow;

use crate::schema::{ObjectKind, SqlText, TextEncoding};

/// What a text says it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// What kind of object.
    pub(crate) kind: ObjectKind,
    /// Whether it is a virtual table.
    pub(crate) is_virtual: bool,
    /// Its name, without quotes.
    pub(crate) name: Vec<u8>,
    /// For an index or a trigger: the table or view it belongs to.
    pub(crate) table: Option<Vec<u8>>,
    /// For a table whose text is nothing but names of columns: those names.
    pub(crate) bare_columns: Option<Vec<Vec<u8>>>,
    /// Whether the word CHECK stands somewhere in it.
    pub(crate) mentions_check: bool,
}

/// Reads the one CREATE statement that `text` must be; the error says why it is not one.
///
/// Refused is what SQLite never stores: objects of the temporary database, another database's name before an
/// object's, a table made of a query, anything behind the statement's end.
pub(crate) fn read_head(text: &[u8]) -> Result<Head, &'static str> {
    let tokens: Vec<Token<'_>> = Tokens { text, at: 0 }.collect();
    if tokens.contains(&Token::Illegal) {
        return Err("holds something that is not SQL");
    }
    let mut rest = Cursor { tokens: &tokens, at: 0 };
    if !rest.take_word("CREATE") {
        return Err("does not begin with CREATE");
    }
    if rest.take_word("TEMP") || rest.take_word("TEMPORARY") {
        return Err("makes something temporary");
    }
    let is_unique = rest.take_word("UNIQUE");
    let is_virtual = rest.take_word("VIRTUAL");
    let words = [
        ("TABLE", ObjectKind::Table),
        ("INDEX", ObjectKind::Index),
        ("VIEW", ObjectKind::View),
        ("TRIGGER", ObjectKind::Trigger),
    ];
    let kind = words.into_iter().find(|(word, _)| rest.take_word(word)).map(|(_, kind)| kind);
    let kind = kind.ok_or("makes none of table, index, view and trigger")?;
    if (is_unique && kind != ObjectKind::Index) || (is_virtual && kind != ObjectKind::Table) {
        return Err("makes none of table, index, view and trigger");
    }
    let begin = rest.at;
    if !(rest.take_word("IF") && rest.take_word("NOT") && rest.take_word("EXISTS")) {
        rest.at = begin;
    }
    let name = rest.take_name().ok_or("does not name what it makes")?;
    if rest.peek() == Some(&Token::Dot) {
        return Err("names a database");
    }
    let table = match kind {
        ObjectKind::Table | ObjectKind::View => None,
        ObjectKind::Index | ObjectKind::Trigger => Some(rest.take_table().ok_or("does not name its table")?),
    };
    if kind == ObjectKind::Table && !is_virtual && rest.peek_word("AS") {
        return Err("makes a table of a query");
    }
    let is_evaluated = matches!(kind, ObjectKind::Table | ObjectKind::Index) && !is_virtual;
    if is_evaluated && tokens.windows(2).any(calls_forbidden) {
        return Err("calls a function that no schema may call");
    }
    if !ends_once(&tokens, kind == ObjectKind::Trigger) {
        return Err("is more than one statement");
    }
    let bare_columns = if kind == ObjectKind::Table { rest.bare_columns() } else { None };
    let mentions_check = tokens.iter().any(|token| token.is_word("CHECK"));
    Ok(Head { kind, is_virtual, name, table, bare_columns, mentions_check })
}

/// Functions that SQLite refuses in a schema it does not trust, which makes the whole schema unreadable. (Not all
/// of them: other names are tables' and columns' as well.)
fn calls_forbidden(pair: &[Token<'_>]) -> bool {
    let [function, Token::Open] = pair else { return false };
    ["load_extension", "fts3_tokenizer"].iter().any(|name| match function {
        Token::Word(word) => word.eq_ignore_ascii_case(name.as_bytes()),
        Token::Quoted(word) => word.eq_ignore_ascii_case(name.as_bytes()),
        _ => false,
    })
}

/// The text as SQLite's parser gets it, which is UTF-8 whatever the database stores.
pub(crate) fn as_parsed(text: &SqlText, encoding: TextEncoding) -> Cow<'_, [u8]> {
    let unit = match (text, encoding) {
        (SqlText::Valid(_), _) | (_, TextEncoding::Utf8) => return Cow::Borrowed(text.as_bytes()),
        (_, TextEncoding::Utf16Le) => u16::from_le_bytes,
        (_, TextEncoding::Utf16Be) => u16::from_be_bytes,
    };
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    let mut units = pairs.iter().map(|&pair| u32::from(unit(pair)));
    let mut parsed = String::new();
    while let Some(first) = units.next() {
        // SQLite makes one character of any surrogate and whatever follows it.
        let code = match first {
            0xd800..0xe000 => units.next().map_or(first, |second| {
                (second & 0x03ff) + ((first & 0x003f) << 10) + (((first & 0x03c0) + 0x0040) << 10)
            }),
            _ => first,
        };
        parsed.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    Cow::Owned(parsed.into_bytes())
}

/// Whether nothing but semicolons stands behind the statement's end.
fn ends_once(tokens: &[Token<'_>], is_trigger: bool) -> bool {
    let end = if is_trigger {
        // Statements within a trigger end with a semicolon each; only its own END follows one directly.
        let is_end = |pair: &[Token<'_>]| matches!(pair, [Token::Semicolon, end] if end.is_word("END"));
        match tokens.windows(2).position(is_end) {
            Some(at) => at + 2,
            None => return false,
        }
    } else {
        tokens.iter().position(|token| *token == Token::Semicolon).unwrap_or(tokens.len())
    };
    tokens[end..].iter().all(|token| *token == Token::Semicolon)
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token<'a> {
    /// A name or keyword without quotes.
    Word(&'a [u8]),
    /// A name or string in any of SQLite's quotes, without them.
    Quoted(Vec<u8>),
    Dot,
    Comma,
    Open,
    Close,
    Semicolon,
    Other,
    /// What SQLite's tokenizer refuses.
    Illegal,
}

impl Token<'_> {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found.eq_ignore_ascii_case(word.as_bytes()))
    }
}

struct Cursor<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<&Token<'_>> {
        self.tokens.get(self.at)
    }

    fn peek_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|token| token.is_word(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is_there = self.peek_word(word);
        self.at += usize::from(is_there);
        is_there
    }

    fn take_name(&mut self) -> Option<Vec<u8>> {
        let name = match self.peek()? {
            Token::Word(word) => word.to_vec(),
            Token::Quoted(name) => name.clone(),
            _ => return None,
        };
        self.at += 1;
        Some(name)
    }

    /// The name behind the next ON, which nothing but a keyword can be there; a database's name before it is left out.
    fn take_table(&mut self) -> Option<Vec<u8>> {
        let on = self.tokens.get(self.at..)?.iter().position(|token| token.is_word("ON"))?;
        self.at += on + 1;
        let name = self.take_name()?;
        if self.peek() != Some(&Token::Dot) {
            return Some(name);
        }
        self.at += 1;
        self.take_name()
    }

    /// Names of columns in parentheses, and nothing else up to the end.
    fn bare_columns(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut columns = Vec::new();
        let mut expected = Token::Open;
        while *self.peek()? == expected {
            self.at += 1;
            columns.push(self.take_name()?);
            expected = Token::Comma;
        }
        let is_end = matches!(self.tokens.get(self.at..), Some([Token::Close, rest @ ..])
            if rest.iter().all(|token| *token == Token::Semicolon));
        is_end.then_some(columns)
    }
}

/// SQLite's tokens, without spaces and comments.
///
/// Source: SQLite, tokenize.c (`sqlite3GetToken`).
struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let begin = self.at;
        let first = *self.text.get(begin)?;
        self.at += 1;
        Some(match first {
            b'.' if !self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) => Token::Dot,
            b',' => Token::Comma,
            b'(' => Token::Open,
            b')' => Token::Close,
            b';' => Token::Semicolon,
            b'\'' | b'"' | b'`' => self.quoted(first),
            b'[' => self.bracketed(),
            b'0'..=b'9' | b'.' => {
                self.skip_while(|byte| is_word_byte(byte) || byte == b'.');
                Token::Other
            }
            b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => {
                self.skip_while(is_word_byte);
                Token::Word(&self.text[begin..self.at])
            }
            b'$' | b'@' | b'#' | b':' => {
                self.skip_while(is_word_byte);
                Token::Other
            }
            b'-' | b'+' | b'*' | b'/' | b'%' | b'=' | b'<' | b'>' | b'!' | b'|' | b'&' | b'~' | b'?' => {
                Token::Other
            }
            _ => Token::Illegal,
        })
    }
}

impl<'a> Tokens<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn skip_while(&mut self, is_part: impl Fn(u8) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.iter().position(|&byte| !is_part(byte)).unwrap_or(rest.len());
    }

    fn skip_blanks(&mut self) {
        loop {
            match (self.peek(0), self.peek(1)) {
                // A vertical tab is a blank too, but not as the first of them.
                (Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0c), _) => {
                    self.skip_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'));
                }
                // A byte order mark, wherever it stands.
                (Some(0xef), Some(0xbb)) if self.peek(2) == Some(0xbf) => self.at += 3,
                (Some(b'-'), Some(b'-')) => self.skip_while(|byte| byte != b'\n'),
                // At the very end this is a division sign.
                (Some(b'/'), Some(b'*')) if self.peek(2).is_some() => {
                    let body = &self.text[self.at + 2..];
                    let end = body.windows(2).position(|pair| pair == b"*/").map(|end| end + 2);
                    self.at += 2 + end.unwrap_or(body.len());
                }
                _ => return,
            }
        }
    }

    /// The rest of a name or string whose quote was taken; a doubled quote is one.
    fn quoted(&mut self, quote: u8) -> Token<'a> {
        let mut name = Vec::new();
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            if byte == quote {
                if self.peek(0) != Some(quote) {
                    return Token::Quoted(name);
                }
                self.at += 1;
            }
            name.push(byte);
        }
        Token::Illegal
    }

    fn bracketed(&mut self) -> Token<'a> {
        let begin = self.at;
        self.skip_while(|byte| byte != b']');
        let name = self.text[begin..self.at].to_vec();
        if self.peek(0).is_none() {
            return Token::Illegal;
        }
        self.at += 1;
        Token::Quoted(name)
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

#[cfg(test)]
mod tests;
