//! Judges that we did not write: Node writes dumps that we read, Python reads JSON beside us.

use std::fmt::Write as _;

use parklite::local_storage::code_units::CodeUnits;
use parklite::local_storage::dump::{DumpOptions, read_dump};
use parklite::local_storage::item::Item;
use parklite::local_storage::json::{Json, Kind};

use super::fixtures::{Random, ask, is_full};
use super::storages::random_storage;
use super::writers::{only_items, quoted};

fn hex(units: &CodeUnits) -> String {
    units.as_slice().iter().fold(String::new(), |mut out, unit| {
        write!(out, "{unit:04x}").expect("a string");
        out
    })
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

#[test]
fn what_javascript_itself_writes_is_read_unit_by_unit() {
    let mut random = Random(5);
    let mut storages: Vec<Vec<Item>> =
        (0..if is_full() { 5000 } else { 300 }).map(|_| random_storage(&mut random)).collect();
    let keys = ["__proto__", "constructor", "length", "10", "2", ""];
    storages.push(
        keys.iter()
            .map(|key| Item { key: (*key).into(), value: CodeUnits::new(vec![0xDE00, 0xD83D]) })
            .collect(),
    );
    let line = |items: &Vec<Item>| {
        let pairs: Vec<String> =
            items.iter().map(|item| format!("[\"{}\",\"{}\"]", hex(&item.key), hex(&item.value))).collect();
        format!("[{}]\n", pairs.join(","))
    };
    let input: String = storages.iter().map(line).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/local_storage/judge.js");
    let Some(output) = ask("node", &[script], input.as_bytes()) else {
        return;
    };
    let output = String::from_utf8(output).expect("text");
    let forms: Vec<(&str, &str)> = output.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!(forms.len(), 9 * storages.len());
    for (forms, items) in forms.chunks(9).zip(&mut storages) {
        items.sort_by(|a, b| a.key.cmp(&b.key));
        for (form, digits) in forms {
            let dump = read_dump(&unhex(digits), &DumpOptions::default());
            let dump = dump.unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(&only_items(dump), items, "{form}");
        }
    }
}

/// Some JSON, or nearly.
fn document(random: &mut Random, depth: usize) -> String {
    const SCALARS: [&str; 12] = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1.50",
        "1e400",
        "-12E-3",
        "12345678901234567890",
        "5",
        "\"\\ud83d\"",
        "\"\\u00E9\\/\"",
    ];
    const WRONG: [&str; 11] =
        ["01", "1.", "+1", "NaN", "-Infinity", "tru", "\"\\x\"", "\"\\u12\"", "\"a\nb\"", "\"", "'a'"];
    const SPACE: [&str; 7] = ["", "", "", " ", "\n", "\t\r ", "  "];
    let space = *random.one_of(&SPACE);
    let value = match random.below(if depth == 0 { 3 } else { 5 }) {
        0 if random.below(12) == 0 => (*random.one_of(&WRONG)).to_owned(),
        0 | 1 => (*random.one_of(&SCALARS)).to_owned(),
        2 => string(random),
        3 => {
            let elements: Vec<String> = (0..random.below(4)).map(|_| document(random, depth - 1)).collect();
            format!("[{}]", elements.join(","))
        }
        _ => {
            let member = |random: &mut Random| format!("{}:{}", string(random), document(random, depth - 1));
            let members: Vec<String> = (0..random.below(4)).map(|_| member(random)).collect();
            format!("{{{}}}", members.join(","))
        }
    };
    format!("{space}{value}{space}")
}

fn string(random: &mut Random) -> String {
    quoted(&random_storage(random)[0].key)
}

/// What Python's judge says of the same.
fn shape(json: Json<'_>) -> String {
    let list = |all: Vec<String>| all.join(",");
    match json.kind() {
        Kind::Null => "z".to_owned(),
        Kind::Boolean => if json.to_bool() == Some(true) { "t" } else { "f" }.to_owned(),
        Kind::Number => format!("n{}", json.to_text()),
        Kind::String => format!("s{}", hex(&json.to_units().expect("a string"))),
        Kind::Array => format!("[{}]", list(json.elements().map(shape).collect())),
        Kind::Object => {
            let member = |(name, value)| format!("{}:{}", shape(name), shape(value));
            format!("{{{}}}", list(json.members().map(member).collect()))
        }
    }
}

#[test]
fn python_finds_the_same_in_any_text_or_nothing_as_well() {
    let mut random = Random(7);
    let mut texts = Vec::new();
    for _ in 0..if is_full() { 50_000 } else { 4000 } {
        let mut text = document(&mut random, 4);
        for _ in 0..random.below(3) {
            // A character is taken out or put in.
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = *random.one_of(&places);
            match random.below(6) {
                0 => drop(text.remove(at)),
                1 => text.insert(
                    at,
                    *random.one_of(&['{', '}', '[', ']', ',', ':', '"', '\\', '0', 'e', '-', ' ', 'u']),
                ),
                2 => text.truncate(at),
                _ => {}
            }
            if text.is_empty() {
                break;
            }
        }
        texts.push(text);
    }
    let digits =
        |text: &String| text.bytes().fold(String::new(), |out, byte| format!("{out}{byte:02x}")) + "\n";
    let input: String = texts.iter().map(digits).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/local_storage/judge.py");
    let Some(output) = ask("python3", &[script], input.as_bytes()) else {
        return;
    };
    let verdicts = String::from_utf8(output).expect("text");
    let verdicts: Vec<&str> = verdicts.lines().collect();
    assert_eq!(verdicts.len(), texts.len());
    let mut good = 0;
    for (text, verdict) in texts.iter().zip(verdicts) {
        let ours = Json::parse(text.as_bytes()).map_or("no".to_owned(), shape);
        assert_eq!(ours, verdict, "{text:?}");
        good += usize::from(ours != "no");
    }
    eprintln!("{good} of {} texts are JSON", texts.len());
    assert!(good * 4 > texts.len() && good < texts.len() * 19 / 20, "{good}");
}

#[test]
fn python_tells_the_same_time_of_any_moment() {
    use parklite::local_storage::moment::Moment;
    let first = Moment::from_date("0001-01-01").expect("a day").ms();
    let last = Moment::from_date("9999-12-31").expect("a day").ms();
    // About every second day of all years, at ever other times of it.
    let moments: Vec<i64> =
        (first..last).step_by(if is_full() { 172_811_123 } else { 9_172_811_123 }).collect();
    let input: String = moments.iter().map(|ms| ms.to_string() + "\n").collect();
    let script = "import sys, datetime\nfor line in sys.stdin:\n  at = datetime.datetime(1970, 1, 1) + \
        datetime.timedelta(milliseconds=int(line))\n  print(at.isoformat(timespec='milliseconds') + 'Z')";
    let Some(output) = ask("python3", &["-c", script], input.as_bytes()) else {
        return;
    };
    let output = String::from_utf8(output).expect("text");
    let texts: Vec<&str> = output.lines().collect();
    assert_eq!(texts.len(), moments.len());
    assert!(texts.len() > 30_000);
    for (ms, text) in moments.iter().zip(texts) {
        let moment = Moment::from_ms(*ms).expect("a moment");
        assert_eq!(moment.to_string(), text);
        assert_eq!(Moment::from_rfc3339(text), Some(moment));
    }
}
