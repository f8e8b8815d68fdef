//! Numbers, names and tables as people read them.
//!
//! Names come from databases and may hold anything: line breaks, escape sequences, marks that turn the
//! direction of writing. Nothing of that may reach a terminal, so every name is printed through [`safe`],
//! every foreign sentence through [`one_line`], and every JSON text through [`safe_json`].

use std::fmt::Write as _;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for the part of a text that found no room.
const ELLIPSIS: &str = "…";

/// What separates two columns of a [`Table`].
const COLUMN_GAP: &str = "  ";

/// The least width in cells to which a column of a [`Table`] is cut.
const MIN_COLUMN_WIDTH: usize = 8;

/// A number of rows with its thousands separated: `1,234,567`.
pub(crate) fn rows(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the largest binary unit that fits: `517 B`, `1.2 GiB`, `312 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut unit_size = 1024_u128;
    let mut text = String::new();
    for unit in UNITS {
        let tenths = (u128::from(count) * 10 + unit_size / 2) / unit_size;
        let whole = (u128::from(count) + unit_size / 2) / unit_size;
        text = if tenths < 1000 {
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        } else {
            format!("{whole} {unit}")
        };
        if whole < 1024 {
            break;
        }
        unit_size *= 1024;
    }
    text
}

/// A length of time to about two digits: `40 ms`, `8.4 s`, `42 s`, `1 min 12 s`, `2 h 05 min`, `3 d 4 h`.
pub(crate) fn duration(time: Duration) -> String {
    let milliseconds = time.as_millis();
    if milliseconds == 0 {
        return "0 s".to_owned();
    }
    if milliseconds < 100 {
        return format!("{milliseconds} ms");
    }
    let tenths = (milliseconds + 50) / 100;
    if tenths < 100 {
        return match tenths % 10 {
            0 => format!("{} s", tenths / 10),
            tenth => format!("{}.{tenth} s", tenths / 10),
        };
    }
    let seconds = (milliseconds + 500) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// How much of `whole` is `part`: `62 %`. Rounded down, so that `100 %` means all; `<1 %` is not nothing.
///
/// All of nothing is `100 %`.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "100 %".to_owned();
    }
    match u128::from(part) * 100 / u128::from(whole) {
        0 if part > 0 => "<1 %".to_owned(),
        share => format!("{share} %"),
    }
}

/// A counted noun: `1 row`, `1,234 rows`.
pub(crate) fn quantity(count: u64, singular: &str, plural: &str) -> String {
    format!("{} {}", rows(count), if count == 1 { singular } else { plural })
}

/// A name that is harmless on a terminal and stays on one line.
///
/// Control characters, line breaks, invisible and direction-changing characters become escapes such as
/// `\n` and `\u{1b}`; everything printable stays, backslashes too, so this is for eyes and not for reading
/// back (JSON documents hold the exact name).
pub(crate) fn safe(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if is_harmless(character) {
            text.push(character);
        } else {
            text.extend(character.escape_debug());
        }
    }
    text
}

/// A foreign sentence as one harmless line: its line breaks become spaces, the rest is [`safe`].
pub(crate) fn one_line(sentence: &str) -> String {
    let pieces = sentence.split(['\n', '\r', '\t']).map(str::trim).filter(|piece| !piece.is_empty());
    safe(&pieces.collect::<Vec<_>>().join(" "))
}

/// A JSON text of the same value in which no character can harm a terminal.
///
/// JSON already escapes the ASCII control characters; the rest can only stand inside strings, where
/// `\u` escapes mean the same.
pub(crate) fn safe_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if (character.is_ascii() && character != '\x7f') || is_harmless(character) {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// Whether a character can be seen and does nothing but to be seen.
///
/// The standard library knows what is unprintable. Combining marks pass because they stand behind another
/// character; alone they would be escaped.
fn is_harmless(character: char) -> bool {
    if matches!(character, '"' | '\'' | '\\') || matches!(character, ' '..='~') {
        return true;
    }
    let mut pair = [b'a'; 5];
    let size = 1 + character.encode_utf8(&mut pair[1..]).len();
    str::from_utf8(&pair[..size]).is_ok_and(|pair| pair.escape_debug().count() == 2)
}

/// How many terminal cells a text without control characters takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// A text cut to at most `max_width` cells; what was cut ends in `…`.
pub(crate) fn fit(text: &str, max_width: usize) -> String {
    if width(text) <= max_width {
        return text.to_owned();
    }
    let room = max_width.saturating_sub(width(ELLIPSIS));
    let mut used = 0;
    let mut cut = String::new();
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > room {
            break;
        }
        cut.push(character);
    }
    if max_width > 0 {
        cut.push_str(ELLIPSIS);
    }
    cut
}

/// On which side of a column its cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A plain text table: a line of headers, then one line per row, columns two spaces apart.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    aligns: Vec<Align>,
    /// The headers, then the rows; every line has as many cells as there are columns.
    lines: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new<'a>(headers: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let (headers, aligns): (Vec<_>, Vec<_>) =
            headers.into_iter().map(|(header, align)| (safe(header), align)).unzip();
        Self { aligns, lines: vec![headers] }
    }

    /// Adds a row; its cells are made [`safe`], missing ones are empty.
    ///
    /// # Panics
    /// If there are more cells than columns.
    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        let mut line: Vec<String> = cells.into_iter().map(|cell| safe(cell.as_ref())).collect();
        assert!(line.len() <= self.aligns.len(), "a row has as many cells as the table has columns");
        line.resize(self.aligns.len(), String::new());
        self.lines.push(line);
        self
    }

    /// The lines, each with its line break and without trailing spaces.
    ///
    /// With a `max_width` in cells the widest text columns are cut until the table fits; numbers never are.
    pub(crate) fn render(&self, max_width: Option<usize>) -> String {
        let widths = self.column_widths(max_width);
        let mut text = String::new();
        for line in &self.lines {
            let cells = line.iter().zip(&self.aligns).zip(&widths);
            let padded: Vec<_> = cells.map(|((cell, align), width)| pad(cell, *align, *width)).collect();
            text.push_str(padded.join(COLUMN_GAP).trim_end());
            text.push('\n');
        }
        text
    }

    fn column_widths(&self, max_width: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.aligns.len())
            .map(|index| self.lines.iter().map(|line| width(&line[index])).max().unwrap_or(0))
            .collect();
        let gaps = self.aligns.len().saturating_sub(1) * COLUMN_GAP.len();
        let mut excess =
            max_width.map_or(0, |max_width| (widths.iter().sum::<usize>() + gaps).saturating_sub(max_width));
        while excess > 0 {
            let cuttable = widths.iter_mut().zip(&self.aligns);
            let widest = cuttable
                .filter(|(width, align)| **align == Align::Left && **width > MIN_COLUMN_WIDTH)
                .max_by_key(|(width, _)| **width);
            let Some((width, _)) = widest else { break };
            *width -= 1;
            excess -= 1;
        }
        widths
    }
}

fn pad(cell: &str, align: Align, column_width: usize) -> String {
    let cell = fit(cell, column_width);
    let spaces = " ".repeat(column_width.saturating_sub(width(&cell)));
    match align {
        Align::Left => cell + &spaces,
        Align::Right => spaces + &cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let counts = [0, 12, 999, 1000, 1_234_567, u64::MAX];
        let expected = ["0", "12", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"];
        assert_eq!(counts.map(rows), expected);
        assert_eq!(quantity(1, "row", "rows"), "1 row");
        assert_eq!(quantity(0, "row", "rows"), "0 rows");
        assert_eq!(quantity(1234, "row", "rows"), "1,234 rows");
    }

    #[test]
    fn bytes_take_the_largest_unit_that_fits_also_when_rounding_up() {
        const MIB: u64 = 1 << 20;
        assert_eq!([0, 517, 1023].map(bytes), ["0 B", "517 B", "1023 B"]);
        assert_eq!([1024, 1536, 102_348].map(bytes), ["1.0 KiB", "1.5 KiB", "99.9 KiB"]);
        assert_eq!([102_399, MIB - 1, MIB - 1024].map(bytes), ["100 KiB", "1.0 MiB", "1023 KiB"]);
        assert_eq!([312 * MIB, 1_288_490_189].map(bytes), ["312 MiB", "1.2 GiB"]);
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn durations_show_about_two_digits() {
        let times = [0, 40, 100, 8_400, 8_000, 9_960, 42_000, 59_600, 72_000, 7_500_000, 273_600_000];
        let expected = [
            "0 s",
            "40 ms",
            "0.1 s",
            "8.4 s",
            "8 s",
            "10 s",
            "42 s",
            "1 min 00 s",
            "1 min 12 s",
            "2 h 05 min",
            "3 d 4 h",
        ];
        assert_eq!(times.map(|time| duration(Duration::from_millis(time))), expected);
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(percent(999_999, 1_000_000), "99 %");
        assert_eq!(percent(1_000_000, 1_000_000), "100 %");
        assert_eq!(percent(1, 1_000_000), "<1 %");
        assert_eq!(percent(0, 7), "0 %");
        assert_eq!(percent(0, 0), "100 %");
        assert_eq!(percent(u64::MAX, 1), "1844674407370955161500 %");
    }

    #[test]
    fn names_keep_what_is_printable_and_lose_what_acts() {
        assert_eq!(safe("events"), "events");
        assert_eq!(safe("größe 表 🙂 it's \"x\" C:\\y"), "größe 表 🙂 it's \"x\" C:\\y");
        assert_eq!(safe("e\u{301}"), "e\u{301}");
        assert_eq!(safe("a\nb\r\tc\0"), "a\\nb\\r\\tc\\0");
        assert_eq!(safe("\x1b[2J\u{9b}31m\x7f"), "\\u{1b}[2J\\u{9b}31m\\u{7f}");
        assert_eq!(safe("\u{202e}gpj\u{2066}\u{200b}\u{2028}"), "\\u{202e}gpj\\u{2066}\\u{200b}\\u{2028}");
    }

    #[test]
    fn foreign_sentences_become_one_line() {
        assert_eq!(one_line("first\r\n\tsecond \n\n third\n"), "first second third");
        assert_eq!(one_line("a\x1b[1mb"), "a\\u{1b}[1mb");
    }

    #[test]
    fn safe_json_is_the_same_value() {
        let name = "a\u{9b}\x7f\u{202e}\u{e0001}é\n\"";
        let json = serde_json::to_string(name).expect("a string is valid JSON");
        let text = safe_json(&json);
        assert_eq!(text, "\"a\\u009b\\u007f\\u202e\\udb40\\udc01é\\n\\\"\"");
        assert_eq!(serde_json::from_str::<String>(&text).expect("still JSON"), name);
    }

    #[test]
    fn texts_are_cut_by_cells_not_by_bytes() {
        assert_eq!(fit("events", 6), "events");
        assert_eq!(fit("events", 5), "even…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("events", 1), "…");
        assert_eq!(fit("events", 0), "");
    }

    #[test]
    fn a_table_aligns_its_columns_and_cuts_only_texts() {
        let mut table = Table::new([("table", Align::Left), ("rows", Align::Right), ("note", Align::Left)]);
        table.row(["events", "1,250,000", ""]).row(["日本\n", "7", "has a rather long note"]).row(["x"]);
        let expected = "\
table        rows  note
events  1,250,000
日本\\n          7  has a rather long note
x
";
        assert_eq!(table.render(None), expected);
        assert_eq!(table.render(Some(80)), expected);
        let narrow = "\
table        rows  note
events  1,250,000
日本\\n          7  has a rath…
x
";
        assert_eq!(table.render(Some(30)), narrow);
        assert!(table.render(Some(3)).contains("1,250,000"));
    }
}
