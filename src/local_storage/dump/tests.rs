use super::*;

fn read(text: &str) -> Result<Dump> {
    read_dump(text.as_bytes(), &DumpOptions::default())
}

fn with_key(text: &str) -> Result<Dump> {
    read_dump(text.as_bytes(), &DumpOptions { key: Some("store".into()), ..DumpOptions::default() })
}

/// Origin, key and value of every item, and `!` with the message for every problem.
fn told(dump: &Dump) -> Vec<String> {
    let items = dump.reading.storages.iter().flat_map(|storage| {
        let origin = storage.origin.clone().unwrap_or_default();
        storage
            .items
            .iter()
            .map(move |item| format!("{origin} {}={}", item.key, item.value).trim().to_owned())
    });
    let problems = dump.reading.problems.iter().map(|problem| {
        let loss = if problem.may_lose_items { "!!" } else { "!" };
        format!("{loss} {}: {}", problem.place, problem.message)
    });
    items.chain(problems).collect()
}

fn check(text: &str, form: DumpForm, expected: &[&str]) {
    let dump = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!((dump.form, dump.line), (form, None), "{text}");
    assert_eq!(told(&dump), expected, "{text}");
}

#[test]
fn a_storage_is_read_however_it_was_copied() {
    let expected = ["=no name", "a=1", "b=x\ty"];
    for text in [
        r#"{"b":"x\ty","a":"1","":"no name"}"#,
        "\u{feff}{\r\n    \"b\": \"x\\ty\",\r\n    \"a\": \"1\",\r\n    \"\": \"no name\"\r\n}\r\n",
        r#""{\"b\":\"x\\ty\",\"a\":\"1\",\"\":\"no name\"}""#,
        r#"'{"b":"x\\ty","a":"1","":"no name"}'"#,
        r#"`{"b":"x\\ty","a":"1","":"no name"}`;"#,
        r#""\"{\\\"b\\\":\\\"x\\\\ty\\\",\\\"a\\\":\\\"1\\\",\\\"\\\":\\\"no name\\\"}\"""#,
    ] {
        check(text, DumpForm::Object, &expected);
    }
    check(r#"[["b","x\ty"],["a","1"],["","no name"]]"#, DumpForm::Entries, &expected);
    check(
        r#"[{"name":"b","value":"x\ty"},{"value":"1","name":"a"},{"name":"","value":"no name"}]"#,
        DumpForm::Named,
        &expected,
    );
    check(
        r#"[{"key":"b","value":"x\ty"},{"key":"a","value":"1"},{"key":"","value":"no name"}]"#,
        DumpForm::Named,
        &expected,
    );
}

#[test]
fn an_empty_storage_is_a_storage() {
    check("{}", DumpForm::Object, &[]);
    check("[]", DumpForm::Entries, &[]);
    assert_eq!(read("{}").expect("a dump").reading.storages.len(), 1);
}

#[test]
fn utf_16_is_read_in_both_byte_orders() {
    let text = "{\"emoji\":\"😀\", \"b\":\"\\ud83d\"}\r\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for bytes in
        [[b"\xFF\xFE", &little[..]].concat(), [b"\xFE\xFF", &big[..]].concat(), little.clone(), big.clone()]
    {
        assert!(could_be_dump(&bytes));
        let dump = read_dump(&bytes, &DumpOptions::default()).expect("a dump");
        assert_eq!(told(&dump), ["b=\\ud83d", "emoji=😀"]);
        let dumps: Vec<Dump> =
            Dumps::new(&bytes[..], DumpOptions::default()).collect::<Result<_>>().expect("a dump");
        assert_eq!(dumps, [dump]);
    }
}

#[test]
fn surrogates_that_a_file_in_utf_16_has_as_they_are_come_through() {
    let units: Vec<u16> =
        [&"{\"a\":\""[..].encode_utf16().collect::<Vec<_>>()[..], &[0xD83D], &[0x22, 0x7D]].concat();
    let bytes: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit| unit.to_le_bytes()).collect();
    assert_eq!(told(&read_dump(&bytes, &DumpOptions::default()).expect("a dump")), ["a=\\ud83d"]);
}

#[test]
fn the_last_of_a_key_that_comes_twice_counts_and_the_loss_is_told() {
    check(r#"{"a":"1","\u0061":"1"}"#, DumpForm::Object, &["a=1"]);
    let twice =
        "the key stands there twice with different values; the last one was taken, as JSON.parse does";
    check(r#"{"a":"1","b":"2","\u0061":"3"}"#, DumpForm::Object, &["a=3", "b=2", &format!("!! /a: {twice}")]);
    check(r#"[["a","1"],["a","2"]]"#, DumpForm::Entries, &["a=2", &format!("!! /1: {twice}")]);
}

#[test]
fn keys_of_javascripts_own_are_keys() {
    check(
        r#"{"__proto__":"p","constructor":"c","length":"1"}"#,
        DumpForm::Object,
        &["__proto__=p", "constructor=c", "length=1"],
    );
}

#[test]
fn values_that_are_json_already_keep_their_exact_text() {
    let problem = "! /count: 3 of 4 values are not strings but JSON already: the exact text of each was taken, which need not \
        be what the browser stored";
    check(
        r#"{"count": 3.0, "theme": "dark", "s": {"a" : [1e400]}, "n":null}"#,
        DumpForm::ParsedObject,
        &["count=3.0", "n=null", r#"s={"a" : [1e400]}"#, "theme=dark", problem],
    );
}

#[test]
fn the_value_of_a_single_store_needs_the_key_of_the_caller() {
    let redux = r#"{"auth":"{}","_persist":"{\"version\":-1,\"rehydrated\":true}"}"#;
    let no_version = r#"{"state":{"a":1}}"#;
    let odd_version = r#"{"version":"3","state":{"a":1}}"#;
    for text in [
        r#" {"state":{"a":"\ud83d"}, "version":2}"#,
        no_version,
        odd_version,
        redux,
        r#"{"a":1,"__mps__":{"version":2}}"#,
    ] {
        let error = read(text).expect_err("no key");
        assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
        assert!(error.hint_text().expect("a hint").contains("--key"));
        let dump = with_key(text).expect("a dump");
        assert_eq!(dump.form, DumpForm::SingleValue);
        assert_eq!(told(&dump), [format!("store={}", text.trim())]);
    }
    // Nothing but the key says so of these.
    for text in [r#"{"nickname":"x","goals":[]}"#, r#"[{"d":1}]"#] {
        assert_eq!(told(&with_key(text).expect("a dump")), [format!("store={text}")]);
    }
    assert!(with_key(r#"[{"name":"sid","value":"1","domain":"a.example"}]"#).is_err());
    // What is a dump stays one.
    for text in [r#"{"state":"x","version":"1"}"#, r#"[["a","b"]]"#, r#"[{"name":"a","value":"b"}]"#] {
        assert_ne!(with_key(text).expect("a dump").form, DumpForm::SingleValue, "{text}");
    }
}

#[test]
fn a_storage_state_gives_its_origins_and_names_what_was_left_out() {
    let text = r#"{"cookies":[{"name":"token","value":"secret"}],"origins":[
        {"origin":"https://b.example/","localStorage":[{"name":"k","value":"v"},{"name":"half"}],
         "indexedDB":[{"name":"db"}],"sessionStorage":[{"name":"s","value":"t"}]},
        {"origin":"https://a.example","localStorage":[],"indexedDB":[]},
        {"origin":"https://b.example","localStorage":[{"name":"l","value":"w"}]}]}"#;
    check(
        text,
        DumpForm::StorageState,
        &[
            "https://b.example k=v",
            "https://b.example l=w",
            "! /cookies: here is cookies, which are never read (entries: 1)",
            "!! /origins/0/localStorage/1: this is not a name and its value; it was left out",
            "! /origins/0/indexedDB: here is an indexedDB, which is not read (entries: 1)",
            "! /origins/0/sessionStorage: here is a sessionStorage, which is not read (entries: 1)",
        ],
    );
    let origins: Vec<_> =
        read(text).expect("a dump").reading.storages.into_iter().map(|storage| storage.origin).collect();
    assert_eq!(origins, [Some("https://a.example".to_owned()), Some("https://b.example".to_owned())]);
}

#[test]
fn one_origin_made_by_hand_is_read() {
    let expected = ["https://a.example k=v"];
    check(r#"{"origin":"https://a.example","localStorage":{"k":"v"}}"#, DumpForm::OneOrigin, &expected);
    let array = r#"{"origin":"https://a.example","localStorage":[{"name":"k","value":"v"}]}"#;
    check(array, DumpForm::OneOrigin, &expected);
    // Two keys of some app.
    check(r#"{"origin":"x","localStorage":"y"}"#, DumpForm::Object, &["localStorage=y", "origin=x"]);
}

#[test]
fn what_helper_scripts_make_of_origins_is_not_taken_for_keys() {
    let expected = ["https://a.example k=v", "https://b.example:80 l=w"];
    for text in [
        r#"[{"origin":"https://a.example/","localStorage":[{"name":"k","value":"v"}]},
            {"origin":"https://b.example:80","localStorage":{"l":"w"}}]"#,
        r#"{"https://b.example:80/":[["l","w"]],"https://a.example":{"k":"v"}}"#,
    ] {
        check(text, DumpForm::Origins, &expected);
    }
    let left_out = "! /sessionStorage: here is a sessionStorage, which is not read (entries: 1)";
    for (text, expected) in [
        (r#"{"localStorage":{"k":"v"},"sessionStorage":{}}"#, &["k=v"][..]),
        (
            r#"{"sessionStorage":{"s":"t"},"localStorage":[{"key":"k","value":"v"}],"cookies":""}"#,
            &["k=v", left_out, "! /cookies: here is cookies, which are never read (entries: 0)"],
        ),
        (r#"{"localStorage":[["k","v"]]}"#, &["k=v"]),
    ] {
        check(text, DumpForm::OneOrigin, expected);
    }
    // Members that a page does not have, strings as every dump has them, and paths: these are keys.
    for text in [
        r#"{"localStorage":{"k":"v"},"theme":"dark"}"#,
        r#"{"localStorage":"{}"}"#,
        r#"{"https://a.example/v1":{"k":"v"}}"#,
        r#"{"https://a.example":"x"}"#,
    ] {
        let dump = read(text).expect("a dump");
        assert!(matches!(dump.form, DumpForm::Object | DumpForm::ParsedObject), "{text}");
    }
}

#[test]
fn very_many_problems_are_counted_and_the_first_are_told() {
    let many = "0,".repeat(super::problems::MAX_PROBLEMS + 5);
    let twice = r#","a":"c","a":"b""#.repeat(super::problems::MAX_PROBLEMS);
    for text in [
        format!(r#"[["a","b"],{many}0]"#),
        format!(r#"{{"cookies":[],"origins":[{many}0]}}"#),
        format!(r#"{{"origin":"https://a.example","localStorage":[{many}0]}}"#),
        format!(r#"{{"a":"b"{twice}}}"#),
    ] {
        let problems = read(&text).expect("a dump").reading.problems;
        assert_eq!(problems.len(), super::problems::MAX_PROBLEMS + 1);
        let last = problems.last().expect("a problem");
        assert!(last.may_lose_items && last.message.contains("only counted"), "{last:?}");
    }
}

#[test]
fn what_is_no_dump_is_refused_with_the_byte_where_it_shows() {
    for (text, message) in [
        ("", "the file is empty, at byte 0"),
        (" \n", "the file is empty, at byte 2"),
        (r#"["a","b"]"#, "this array is no dump, at byte 1"),
        ("12", "this is no dump but a number, at byte 0"),
        (" true", "this is no dump but a boolean, at byte 1"),
        ("dark", "it does not begin like a dump, at byte 0"),
        (r#"{"a":"1"}{"b":"2"}"#, "a second document begins, at byte 9"),
        ("{\"a\":\"1\"}\n{\"b\":\"2\"}", "a second document begins, at byte 10"),
        ("{\"a\":\"1\"} x", "something stands behind the end of the document, at byte 10"),
        ("{\"a\":\"1\n\"}", "a control character stands in a string as it is, at byte 7"),
        ("\u{feff}{\"a\":\"1\t\"}", "a control character stands in a string as it is, at byte 10"),
        (r#"{"a":"1"#, "the text ends inside a string, at byte 7"),
        (r#"{"a":"1","#, "the text ends inside an object, at byte 9"),
        ("'{\"a\":\"1", "the text ends inside a string, at byte 8"),
        (r#" "{\"a\":}""#, "inside the quotes: a value was expected (byte 5 of what they hold), at byte 1"),
        (
            "\"dark\"",
            "inside the quotes: it does not begin like a dump (byte 0 of what they hold), at byte 0",
        ),
        (
            r#"[{"name":"sid","value":"1","domain":"a.example","httpOnly":true}]"#,
            "these are cookies, which are not read, at byte 1",
        ),
    ] {
        let error = read(text).expect_err(text);
        assert_eq!(error.message(), message, "{text}");
        assert_eq!(error.kind(), ErrorKind::Damaged, "{text}");
        assert!(error.hint_text().is_some(), "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    for (bytes, message) in [
        (&b"{\"a\":\"\xFF\"}"[..], "this is not UTF-8, at byte 6"),
        (b"\xEF\xBB\xBF{\"a\":\"\xC3\"}", "this is not UTF-8, at byte 9"),
        // A surrogate of its own is no UTF-8.
        (b"{\"a\":\"\xED\xA0\xBD\"}", "this is not UTF-8, at byte 6"),
        (b"\xFF\xFE{\0\"\0a", "a file of two-byte units ends inside one of them, at byte 6"),
        (b"\xFF\xD8\xFF\xE0\0\x10JFIF\0", "this is no text, at byte 0"),
        (b"\xFF\xFE{\0\"\0\x01\0", "a control character stands in a string as it is, at byte 6"),
    ] {
        let error = read_dump(bytes, &DumpOptions::default()).expect_err("no text");
        assert_eq!(error.message(), message);
    }
}

#[test]
fn limits_are_told() {
    let options = DumpOptions { max_bytes: 20, max_value_units: 3, ..DumpOptions::default() };
    let error = read_dump(br#"{"a":"123456789012345"}"#, &options).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::Damaged);
    let dump = read_dump(br#"{"a":"1234","b":"1"}"#, &options).expect("a dump");
    assert_eq!(
        told(&dump),
        ["b=1", "!! /a: a value of 4 units is longer than any browser allows (3 are read); it was left out"]
    );
}

/// The line and what it holds, or what is wrong.
type Told = std::result::Result<(Option<u64>, Vec<String>), String>;

fn lines(text: &str) -> Vec<Told> {
    Dumps::new(text.as_bytes(), DumpOptions { max_bytes: 100, ..DumpOptions::default() })
        .map(|dump| dump.map(|dump| (dump.line, told(&dump))).map_err(|error| error.message().to_owned()))
        .collect()
}

fn items(line: u64, items: &[&str]) -> Told {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() { Err(String::new()) } else { Ok((Some(line), items)) }
}

#[test]
fn one_dump_per_line_is_read_line_by_line() {
    assert_eq!(
        lines("\u{feff}\r\n{\"a\":\"1\"}\r\n\r\n[[\"b\",\"2\"]]\n'{\"c\":3}'"),
        [
            items(2, &["a=1"]),
            items(4, &["b=2"]),
            items(
                5,
                &[
                    "c=3",
                    "! line 5, /c: 1 of 1 values are not strings but JSON already: the exact text of each was taken, which \
                     need not be what the browser stored"
                ]
            )
        ]
    );
}

#[test]
fn a_line_that_is_no_dump_costs_that_line_only() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(100));
    assert_eq!(
        lines(&format!("{{\"a\":\"1\"}}\n{{\"b\":\n{long}\n\"x\"\n{{\"c\":\"3\"}}\n{{\"d\"")),
        [
            items(1, &["a=1"]),
            Err("the text ends where a value was expected, at byte 16 (line 2)".to_owned()),
            Err("the dump is larger than 100 bytes (line 3)".to_owned()),
            Err("inside the quotes: it does not begin like a dump (byte 0 of what they hold), at byte 125 (line 4)"
                .to_owned()),
            items(5, &["c=3"]),
            Err("the text ends inside an object, at byte 143 (line 6)".to_owned()),
        ]
    );
}

#[test]
fn a_damaged_first_line_costs_that_line_only() {
    let cut = Err("the text ends inside a string, at byte 6 (line 1)".to_owned());
    assert_eq!(lines("{\"a\":\"\n{\"b\":\"2\"}\n")[1], items(2, &["b=2"]));
    assert!(lines("{\"a\":\"\n{\"b\":\"2\"}\n")[0].is_err());
    assert_eq!(lines("{\"a\":\""), [cut.map_err(|text: String| text.replace(" (line 1)", ""))]);
    // What could be the beginning of one longer document is no dump, and its second line is none either.
    assert_eq!(lines("[\n{\"name\":\"a\",\"value\":\"b\"}\n").len(), 1);
    assert!(lines("[\n{\"name\":\"a\",\"value\":\"b\"}\n")[0].is_err());
}

#[test]
fn a_first_line_that_is_damaged_or_too_long_costs_that_line_only_however_long_the_file_is() {
    let good = "{\"b\":\"2\"}\n".repeat(50);
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(100));
    for first in ["{\"a\":\"b}\n", "x\n", "'{\"a\":\n", &long] {
        let told = lines(&format!("{first}\n{good}"));
        assert_eq!(told.len(), 51, "{first}");
        assert!(told[0].as_ref().is_err_and(|message| message.ends_with("(line 1)")), "{:?}", told[0]);
        assert_eq!(told[1], items(3, &["b=2"]));
        assert_eq!(told[50], items(52, &["b=2"]));
    }
    assert_eq!(lines(&long), [Err("the dump is larger than 100 bytes".to_owned())]);
}

#[test]
fn lines_in_quotes_of_any_kind_are_read() {
    for quote in ["'", "`", "\""] {
        let line = |key: &str| match quote {
            "\"" => format!("\"{{\\\"{key}\\\":\\\"1\\\"}}\"\n"),
            quote => format!("{quote}{{\"{key}\":\"1\"}}{quote};\n"),
        };
        assert_eq!(lines(&format!("{}{}", line("a"), line("b"))), [items(1, &["a=1"]), items(2, &["b=1"])]);
    }
}

/// Every bad line once looked at all lines before it.
#[test]
fn where_a_line_of_utf_16_is_damaged_is_told_by_its_byte_however_many_there_are() {
    let count = 100_000;
    let text = "{\"a\":\"é😀\"}\nx\n".repeat(count);
    let bytes: Vec<u8> = [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let errors: Vec<String> = Dumps::new(&bytes[..], DumpOptions::default())
        .filter_map(|dump| dump.err().map(|error| error.message().to_owned()))
        .collect();
    assert_eq!(errors.len(), count);
    for (index, message) in errors.iter().enumerate().step_by(9_999) {
        let at = 2 + 2 * (index * 14 + 12);
        assert_eq!(*message, format!("it does not begin like a dump, at byte {at} (line {})", 2 * index + 2));
    }
}

#[test]
fn a_file_of_one_dump_has_no_lines() {
    for text in ["{\"a\":\"1\"}", "\n{\n\"a\":\n\"1\"}\n\n", "{\"a\":\"1\"}\n\n", "`{\"a\":\n\"1\"}`"] {
        assert_eq!(lines(text), [Ok((None, vec!["a=1".to_owned()]))], "{text}");
    }
    assert_eq!(lines(""), [Err("the file is empty, at byte 0".to_owned())]);
    assert_eq!(lines(&"[".repeat(101)), [Err("the dump is larger than 100 bytes".to_owned())]);
    assert_eq!(
        lines("\n{\"a\":\n\n1x}"),
        [Err("a comma or a closing brace was expected, at byte 9".to_owned())]
    );
}

#[test]
fn however_few_bytes_come_at_a_time_the_result_is_the_same() {
    let text = "\u{feff}{\"a\":\"é\"}\n{\"b\":\"2\"}\nx\n";
    let whole: Vec<_> = Dumps::new(text.as_bytes(), DumpOptions::default()).map(Result::ok).collect();
    let slow = std::io::BufReader::with_capacity(1, text.as_bytes());
    assert_eq!(Dumps::new(slow, DumpOptions::default()).map(Result::ok).collect::<Vec<_>>(), whole);
    assert_eq!(whole.len(), 3);
}

#[test]
fn what_cannot_be_a_dump_is_seen_by_its_beginning() {
    for head in [&b"{"[..], b"  [", b"\xEF\xBB\xBF\r\n\"", b"'{", b"`", b"\x0C'", b"\xFF\xFE{\0"] {
        assert!(could_be_dump(head), "{}", head.escape_ascii());
    }
    for head in [&b""[..], b"SQLite format 3\0", b"\x89PNG", b"dark", b"\0\0"] {
        assert!(!could_be_dump(head), "{}", head.escape_ascii());
    }
}
