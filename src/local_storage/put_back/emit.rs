//! What a browser, or Playwright, takes. All of it is ASCII, so that no editor, clipboard or page changes a unit of it.

use std::fmt::Write as _;

use crate::local_storage::code_units::CodeUnits;

/// The storage of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Whose it is; `None` where nobody knows.
    pub origin: Option<String>,
    /// Keys and values.
    pub items: Vec<(CodeUnits, CodeUnits)>,
}

/// A file for Playwright's `storageState`. An origin that is not known is left out.
///
/// Source: playwright.dev, `BrowserContext.storageState`.
#[must_use]
pub fn storage_state(storages: &[Restored]) -> String {
    let mut text = String::from("{\n  \"cookies\": [],\n  \"origins\": [");
    let known = storages.iter().filter_map(|storage| Some((storage.origin.as_deref()?, &storage.items)));
    for (index, (origin, items)) in known.enumerate() {
        text.push_str(if index > 0 { ",\n    {\n      \"origin\": " } else { "\n    {\n      \"origin\": " });
        push_literal(&mut text, &CodeUnits::from(origin));
        text.push_str(",\n      \"localStorage\": [");
        for (index, (key, value)) in items.iter().enumerate() {
            text.push_str(if index > 0 { ",\n        { \"name\": " } else { "\n        { \"name\": " });
            push_literal(&mut text, key);
            text.push_str(", \"value\": ");
            push_literal(&mut text, value);
            text.push_str(" }");
        }
        text.push_str("\n      ]\n    }");
    }
    text.push_str("\n  ]\n}\n");
    text
}

/// What is pasted into the console of a page: it asks before it replaces anything, undoes what it did where the browser has
/// no room for all of it, and loads the page anew, so that the app reads what is there now.
#[must_use]
pub fn console(storage: &Restored) -> String {
    let mut text = String::from("(() => {\n  const origin = ");
    match &storage.origin {
        Some(origin) => push_literal(&mut text, &CodeUnits::from(&**origin)),
        None => text.push_str("null"),
    }
    text.push_str(";\n  const items = [");
    for (index, (key, value)) in storage.items.iter().enumerate() {
        text.push_str(if index > 0 { ",\n    [" } else { "\n    [" });
        push_literal(&mut text, key);
        text.push_str(", ");
        push_literal(&mut text, value);
        text.push(']');
    }
    text.push_str(
        r#"
  ];
  if (origin !== null && location.origin !== origin) {
    throw new Error("nothing was changed: open " + origin + " first, this page is " + location.origin);
  }
  const before = items.map(([key]) => [key, localStorage.getItem(key)]);
  const replaced = items.filter(([, value], at) => before[at][1] !== null && before[at][1] !== value);
  if (replaced.length > 0 && !confirm("Replace what is stored here under " + replaced.map(([key]) => key).join(", ") + "?")) {
    return "nothing was changed";
  }
  try {
    for (const [key, value] of items) localStorage.setItem(key, value);
  } catch (error) {
    for (const [key] of items) localStorage.removeItem(key);
    for (const [key, value] of before) if (value !== null) localStorage.setItem(key, value);
    throw new Error("nothing was changed: " + error);
  }
  location.reload();
  return items.length + " keys were put back";
})();
"#,
    );
    text
}

/// A string literal of JSON and of JavaScript, which ends neither a script nor a comment of the page around it.
fn push_literal(out: &mut String, units: &CodeUnits) {
    out.push('"');
    for &unit in units.as_slice() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => out.extend(['\\', char::from(byte)]),
            Ok(byte @ b' '..=b'~') if byte != b'<' && byte != b'>' => out.push(char::from(byte)),
            // Writing into a string cannot fail.
            _ => drop(write!(out, "\\u{unit:04x}")),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_storage::json::Json;

    #[test]
    fn every_unit_comes_back_and_nothing_ends_a_script() {
        let units: Vec<u16> = (0..=u16::MAX).rev().chain("</script><!--".encode_utf16()).collect();
        let units = CodeUnits::new(units);
        let mut literal = String::new();
        push_literal(&mut literal, &units);
        assert!(literal.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'<' && byte != b'>'));
        assert_eq!(Json::parse(literal.as_bytes()).expect("JSON").to_units(), Some(units));
    }
}
