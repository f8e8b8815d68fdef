//! Columns of many kinds, those that change among them.

use super::{FRAME_ROWS, ROWS};
use crate::frame::testing::Value;

/// Repeatable noise: the multiplier of Knuth's MMIX generator, the upper bits of its state.
pub(super) fn noise() -> impl FnMut(i64) -> i64 {
    let mut state = 1_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).expect("31 bits") % below
    }
}

/// Columns of many kinds, by name.
pub(super) fn kinds() -> Vec<(&'static str, Vec<Value>)> {
    let mut kinds = numbers();
    kinds.extend(texts());
    kinds.extend(changing());
    kinds
}

pub(super) fn column(value: impl FnMut(i64) -> Value) -> Vec<Value> {
    (0..i64::try_from(ROWS).expect("few")).map(value).collect()
}

/// A number below `below`, small ones far more often than large ones.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "small")]
fn skewed(next: &mut impl FnMut(i64) -> i64, below: i64) -> i64 {
    let share = next(1 << 30) as f64 / f64::from(1 << 30);
    (below as f64).powf(share) as i64 - 1
}

#[expect(clippy::cast_precision_loss, reason = "any reals will do")]
fn numbers() -> Vec<(&'static str, Vec<Value>)> {
    let (integer, real) = (Value::Integer, Value::Real);
    let (mut next, mut level, mut id) = (noise(), 0, 0);
    vec![
        ("counter", column(integer)),
        ("small", column(|_| integer(next(100)))),
        ("large", column(|_| integer(next(1 << 30) << 33 | next(1 << 31)))),
        ("times", column(|row| integer(1_700_000_000_000 + row * 1_000 + next(900)))),
        ("times of one second", column(|row| integer((1_700_000_000 + row / 3) * 1_000_000))),
        ("booleans", column(|_| integer(next(2)))),
        ("rare truths", column(|_| integer(i64::from(next(1_000) == 0)))),
        ("to and fro", column(|row| integer(row % 2))),
        ("around in 7", column(|row| integer(row % 7 * 1_000_003))),
        ("around in 24", column(|row| integer(row % 24))),
        ("around in 60", column(|row| integer(row % 60))),
        ("around in 1,000", column(|row| integer(row % 1_000))),
        ("around in 3,000", column(|row| integer(row % 3_000))),
        ("around in 8,000", column(|row| integer(row % 8_000))),
        ("around in 20,011", column(|row| integer(row * 7_919 % 20_011 * 1_000_003))),
        ("around in 24, with noise", column(|row| integer(if next(50) == 0 { next(24) } else { row % 24 }))),
        (
            "around in 3,000, with noise",
            column(|row| integer(if next(50) == 0 { next(3_000) } else { row % 3_000 })),
        ),
        ("around, each 11 times", column(|row| integer(row / 11 % 100))),
        ("runs of 1,000", column(|row| integer(row / 1_000))),
        ("runs of 50", column(|row| integer(row / 50))),
        ("runs of 17", column(|row| integer(row / 17 * 977))),
        (
            "runs of any length",
            column(|_| {
                id += i64::from(next(20) == 0);
                integer(id)
            }),
        ),
        ("runs from few", column(|row| integer(row / 40 * 7_919 % 50))),
        ("two of each", column(|row| integer(row / 2))),
        ("from 3,000", column(|_| integer(next(3_000)))),
        ("from 8,000 large ones", column(|_| integer(next(8_000) * 1_000_000_007))),
        ("from 20,000", column(|_| integer(next(20_000)))),
        ("from 30,000 large ones", column(|_| integer(next(30_000) * 1_000_000_007))),
        ("skewed", column(|_| integer(skewed(&mut next, 1_000)))),
        ("skewed large ones", column(|_| integer(skewed(&mut next, 100_000) * 1_000_000_007))),
        ("high bits", column(|_| integer(next(1 << 16) << 40))),
        ("extremes", column(|row| integer(if row % 2 == 0 { i64::MIN } else { i64::MAX }))),
        ("mostly none", column(|row| if row % 97 == 0 { integer(row) } else { Value::Null })),
        ("mostly none, few values", column(|row| if row % 97 == 0 { integer(next(9)) } else { Value::Null })),
        ("all none", column(|_| Value::Null)),
        ("one integer", column(|_| integer(42))),
        (
            "walk",
            column(|_| {
                level += next(21) - 10;
                integer(level)
            }),
        ),
        ("reals", column(|_| real(next(1 << 30) as f64 / 7.0))),
        ("prices", column(|_| real(next(100_000) as f64 / 100.0))),
        ("cheap prices", column(|_| real(next(500) as f64 + 0.99))),
        ("rising reals", column(|row| real(row as f64 * 0.1))),
        ("whole reals", column(|_| real(next(5_000) as f64))),
        ("halves", column(|_| real(next(11) as f64 / 2.0))),
        ("reals around in 96", column(|row| real((row % 96) as f64 * 0.3))),
        ("temperatures", column(|row| real(((row as f64 / 3_000.0).sin() * 200.0).round() / 10.0))),
        ("degrees", column(|_| real(47.0 + next(1_000_000) as f64 / 1e6))),
        (
            "whole reals and any",
            column(|row| {
                real(if row % 3 > 0 {
                    next(1_000_000) as f64
                } else {
                    next(1 << 30) as f64 / f64::from(1 << 30)
                })
            }),
        ),
    ]
}

fn texts() -> Vec<(&'static str, Vec<Value>)> {
    let (mut next, text) = (noise(), Value::Text);
    let bytes = |count: i64, next: &mut dyn FnMut(i64) -> i64| {
        Value::Blob((0..count).map(|_| next(256).to_le_bytes()[0]).collect())
    };
    let uuid = |next: &mut dyn FnMut(i64) -> i64| {
        let (a, b, c, d) = (next(1 << 31), next(1 << 16), next(1 << 12), next(1 << 31));
        format!("{a:08x}-{b:04x}-4{c:03x}-{d:08x}")
    };
    let word = |of: i64| {
        ["open", "closed", "waiting", "a longer word than a view"][usize::try_from(of % 4).expect("small")]
    };
    let pages: Vec<String> = (0..20)
        .map(|page| {
            let words: Vec<String> =
                (0..300).map(|_| format!("{} {}", word(next(4)), next(1_000) + page)).collect();
            words.join(" ")
        })
        .collect();
    let users: Vec<String> = (0..2_000).map(|_| uuid(&mut next)).collect();
    let pick = |of: &[String], index: i64| text(of[usize::try_from(index).expect("small")].clone());
    vec![
        ("uuids", column(|_| text(uuid(&mut next)))),
        ("uuids of 2,000 users", column(|_| pick(&users, next(2_000)))),
        ("uuids of skewed users", column(|_| pick(&users, skewed(&mut next, 2_000)))),
        ("uuids of users in turn", column(|row| pick(&users, row % 2_000))),
        ("uuids of users, 70 rows each", column(|row| pick(&users, row / 70))),
        (
            "iso times",
            column(|row| {
                let (day, hour, minute) = (1 + row / 5_000, row / 90 % 24, row % 60);
                text(format!("2026-11-{day:02}T{hour:02}:{minute:02}:{:02}.{:03}Z", next(60), next(1000)))
            }),
        ),
        ("days", column(|row| text(format!("2026-{:02}-{:02}", 1 + row / 14_000, 1 + row / 500 % 28)))),
        ("days in no order", column(|_| text(format!("2026-{:02}-{:02}", 1 + next(12), 1 + next(28))))),
        ("minutes of a day", column(|row| text(format!("{:02}:{:02}", row / 60 % 24, row % 60)))),
        (
            "json",
            column(|row| {
                let (user, tag, score) = (next(900), next(9), next(100_000));
                text(format!(r#"{{"id":{row},"name":"user {user}","tags":["a","b{tag}"],"score":{score}}}"#))
            }),
        ),
        (
            "json of few forms",
            column(|_| text(format!(r#"{{"theme":"dark","size":{},"tags":["a","b"]}}"#, next(300)))),
        ),
        ("words", column(|_| text(word(next(4)).into()))),
        ("words in turn", column(|row| text(word(row).into()))),
        ("skewed words", column(|_| text(word(skewed(&mut next, 4)).into()))),
        ("categories in turn", column(|row| text(format!("category {}", row % 37)))),
        (
            "categories in turn, with noise",
            column(|row| text(format!("category {}", if next(30) == 0 { next(37) } else { row % 37 }))),
        ),
        (
            "urls",
            column(|_| text(format!("https://www.example.com/products/{}/view?page={}", next(300), next(5)))),
        ),
        ("addresses", column(|_| text(format!("10.{}.{}.{}", next(4), next(256), next(256))))),
        ("mail", column(|row| text(format!("user.{row}@example.com")))),
        ("scattered hexadecimal", column(|row| text(format!("{:x}", (row * 2_654_435_761) & 0xffff_ffff)))),
        ("numbers as texts", column(|row| text(format!("{row:09}")))),
        ("empty texts", column(|_| text(String::new()))),
        (
            "sometimes a text",
            column(|row| if next(3) == 0 { text(format!("note {row}")) } else { Value::Null }),
        ),
        ("pages of 20", column(|row| if row % 16 == 0 { pick(&pages, next(20)) } else { Value::Null })),
        (
            "long texts",
            column(|row| {
                let all: String = (0..60).map(|_| word(next(4))).collect();
                if row % 16 == 0 { text(format!("{row} {all}")) } else { Value::Null }
            }),
        ),
        ("noise", column(|_| bytes(16, &mut next))),
        ("hashes", column(|_| bytes(32, &mut next))),
        ("zeros", column(|row| Value::Blob(vec![0; usize::try_from(row % 200).expect("small")]))),
        ("letters", column(|_| text(char::from(b'a' + u8::try_from(next(26)).expect("small")).to_string()))),
    ]
}

/// Columns whose first rows tell nothing of those that follow.
fn changing() -> Vec<(&'static str, Vec<Value>)> {
    let (integer, text, mut next) = (Value::Integer, Value::Text, noise());
    let frame = i64::try_from(FRAME_ROWS).expect("small");
    let half = i64::try_from(ROWS / 2).expect("small");
    vec![
        ("one, then any", column(|row| integer(if row < frame { 1 } else { next(1 << 30) }))),
        ("one, then from 10", column(|row| integer(if row < frame { 1 } else { next(10) }))),
        ("one, then from 1,000", column(|row| integer(if row < frame { 1 } else { next(1_000) }))),
        ("any, then one", column(|row| integer(if row < frame { next(1 << 30) } else { 1 }))),
        ("in turn, then any of 100", column(|row| integer(if row < frame { row % 100 } else { next(100) }))),
        ("any of 100, then in turn", column(|row| integer(if row < frame { next(100) } else { row % 100 }))),
        ("in order, then in none", column(|row| integer(if row < frame { row / 100 } else { next(1_000) }))),
        ("in none, then in order", column(|row| integer(if row < frame { next(1_000) } else { row / 100 }))),
        (
            "counter, then large",
            column(|row| integer(if row < half { row } else { next(1 << 30) << 33 | next(1 << 31) })),
        ),
        (
            "large, then counter",
            column(|row| integer(if row < half { next(1 << 30) << 33 | next(1 << 31) } else { row })),
        ),
        (
            "words, then json",
            column(|row| {
                text(if row < frame {
                    "word".into()
                } else {
                    format!(r#"{{"id":{row},"score":{}}}"#, next(100_000))
                })
            }),
        ),
        (
            "json, then words",
            column(|row| {
                text(if row < frame {
                    format!(r#"{{"id":{row},"score":{}}}"#, next(100_000))
                } else {
                    "word".into()
                })
            }),
        ),
        (
            "short, then long",
            column(|row| {
                text(if row < half {
                    format!("{}", next(1_000_000))
                } else {
                    format!("a sentence about {row} things, of which {} matter", next(1_000))
                })
            }),
        ),
        ("none, then few", column(|row| if row < frame * 3 { Value::Null } else { integer(next(20)) })),
        (
            "none for a page, then digits",
            column(|row| if row < 20_480 { Value::Null } else { text(format!("{row:09}")) }),
        ),
        ("none, or digits", column(|row| if row % 2 > 0 { Value::Null } else { text(format!("{row:09}")) })),
        (
            "few rows, then many",
            column(|row| if row < frame && row % 1_000 > 0 { Value::Null } else { integer(row * 3) }),
        ),
    ]
}
