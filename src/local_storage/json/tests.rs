use super::*;

fn error(text: &[u8]) -> Syntax {
    Json::parse(text).expect_err("no JSON")
}

#[test]
fn values_keep_their_exact_text() {
    let text = br#" { "a" : [ 1.50 , -0 ,1e400,12345678901234567890 ] , "b" : "\ud83d" } "#;
    let json = Json::parse(text).expect("JSON");
    let tokens: Vec<String> = json.member("a").expect("a member").elements().map(Json::to_text).collect();
    assert_eq!(tokens, ["1.50", "-0", "1e400", "12345678901234567890"]);
    assert_eq!(json.member("b").expect("a member").to_text(), r#""\ud83d""#);
    assert_eq!(json.text().first(), Some(&b'{'));
}

#[test]
fn the_last_member_of_a_name_counts_however_it_is_escaped() {
    let json = Json::parse(br#"{"__proto__":1,"a":1,"\u0061":2,"":3,"b":{"a":4}}"#).expect("JSON");
    let number = |name| json.member(name).and_then(Json::to_i64);
    let [c, a, empty] = json.named(["c", "a", ""]).map(|found| found.and_then(Json::to_i64));
    assert_eq!((c, a, empty), (None, Some(2), Some(3)));
    assert_eq!(
        (number("a"), number("__proto__"), number(""), number("c")),
        (Some(2), Some(1), Some(3), None)
    );
}

#[test]
fn strings_come_through_unit_by_unit() {
    let json = Json::parse(br#""\u0000\ud83d\"\\\/\b\f\n\r\t\uDE00\u00e9 \ud83d\ude00""#).expect("JSON");
    let units = [0, 0xD83D, 0x22, 0x5C, 0x2F, 8, 0xC, 0xA, 0xD, 9, 0xDE00, 0xE9, 0x20, 0xD83D, 0xDE00];
    assert_eq!(json.to_units().expect("a string").as_slice(), units);
    assert_eq!(json.to_utf8(), None);
}

#[test]
fn an_integer_is_digits_only() {
    for (text, number) in [
        ("3", Some(3)),
        ("-3", Some(-3)),
        ("3.0", None),
        ("3e0", None),
        ("9223372036854775808", None),
        ("\"3\"", None),
    ] {
        assert_eq!(Json::parse(text.as_bytes()).expect("JSON").to_i64(), number, "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (text, at, what) in [
        (&b"{\"a\":\"b\"}{}"[..], 9, "something stands behind the end of the document"),
        (b"{\"a\":\"\x01\"}", 6, "a control character stands in a string as it is"),
        (b"{\"a\":\"b\",}", 9, "a member's name in double quotes was expected"),
        (b"[1,]", 3, "a value was expected"),
        (b"{a:1}", 1, "a member's name in double quotes was expected"),
        (b"{\"a\" 1}", 5, "a colon was expected"),
        (b"[01]", 2, "this is no number of JSON"),
        (b"[1.]", 3, "a digit was expected"),
        (b"[NaN]", 1, "a value was expected"),
        (b"[\"\\x41\"]", 2, "JSON has no such escape"),
        (b"[\"\\u12g4\"]", 6, "four hexadecimal digits were expected"),
        (b"[1}", 2, "a comma or a closing bracket was expected"),
        (b"\xEF\xBB\xBF{}", 0, "a value was expected"),
    ] {
        assert_eq!(error(text), Syntax { at, what, cut: Cut::No }, "{}", text.escape_ascii());
    }
}

#[test]
fn every_beginning_of_a_document_is_known_as_one() {
    let text = br#"{"a":[true,false,null,-1.5e+7,"\u00e9\n"],"b":{}}"#;
    assert!(Json::parse(text).is_ok());
    for length in 0..text.len() {
        let cut = error(&text[..length]).cut;
        let quotes = text[..length].split(|&byte| byte == b'"').count() - 1;
        assert_eq!(cut, if quotes % 2 == 1 { Cut::InString } else { Cut::Elsewhere }, "{length}");
    }
}

#[test]
fn nesting_of_any_depth_is_walked_without_a_stack() {
    let text = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
    let json = Json::parse(text.as_bytes()).expect("JSON");
    assert_eq!(json.elements().count(), 1);
    assert!(Json::parse(&text.as_bytes()[..1_500_000]).is_err());
}

#[test]
fn what_is_written_is_read_again() {
    let units = CodeUnits::new(
        (0..=0x100).chain([0xD83D, 0x41, 0xDE00, 0xD83D, 0xDE00, 0x2028, 0xFEFF, 0xFFFF]).collect(),
    );
    let mut text = String::new();
    push_string(&mut text, &units);
    assert_eq!(Json::parse(text.as_bytes()).expect("JSON").to_units(), Some(units));
    let well_formed: String = (0..0x180).filter_map(char::from_u32).chain("\u{2028}😀\"\\".chars()).collect();
    let (mut text, mut same) = (String::new(), String::new());
    push_text(&mut text, &well_formed);
    push_string(&mut same, &CodeUnits::from(&*well_formed));
    assert_eq!(text, same);
    assert_eq!(Json::parse(text.as_bytes()).expect("JSON").to_utf8(), Some(well_formed));
}

#[test]
fn surrogates_that_stand_as_they_are_become_escapes_in_text() {
    let raw = [&b"[\""[..], &CodeUnits::new(vec![0x61, 0xD83D]).to_wtf8(), b"\\udE00\"]"].concat();
    let json = Json::parse(&raw).expect("JSON");
    assert_eq!(json.to_text(), r#"["a\ud83d\udE00"]"#);
    let string = json.elements().next().expect("an element");
    assert_eq!(string.to_utf8().as_deref(), Some("a😀"));
}
