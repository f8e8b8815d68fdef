//! JSON pointers, with `*` for every member or element.
//!
//! Source: RFC 6901. A step that is `*` alone is ours; a member of that name cannot be pointed to.

use super::{Json, Kind};
use crate::local_storage::code_units::CodeUnits;

/// Where something stands in a JSON document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pointer {
    steps: Vec<Step>,
}

/// Where something was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The pointer to it.
    pub path: String,
    /// The names of the members that wildcards stood for, as code units; of elements of arrays there are none, for they move.
    pub names: Vec<CodeUnits>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Name(String),
    Every,
}

impl Pointer {
    /// Reads a pointer as it is written: empty for the whole document, else steps that each begin with a slash.
    ///
    /// # Errors
    /// What is wrong with it: one line, lower case, no full stop.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let steps = text.strip_prefix('/').ok_or("a JSON pointer begins with a slash")?;
        Ok(Self { steps: steps.split('/').map(step).collect::<Result<_, _>>()? })
    }

    /// Whether it can mean several places.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.steps.contains(&Step::Every)
    }

    /// The names in it, without wildcards.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Name(name) => Some(&**name),
            Step::Every => None,
        })
    }

    /// Whether its last step is `*`.
    #[must_use]
    pub fn ends_with_wildcard(&self) -> bool {
        self.steps.last() == Some(&Step::Every)
    }

    /// What stands there in `json`; `None` where nothing does. A wildcard takes the first.
    #[must_use]
    pub fn find<'a>(&self, json: Json<'a>) -> Option<Json<'a>> {
        find_from(&self.steps, json)
    }

    /// The same where the members of the object that `json` is were taken out before, as they are if many are looked for.
    #[must_use]
    pub fn find_among<'a>(&self, json: Json<'a>, members: &[(Json<'a>, Json<'a>)]) -> Option<Json<'a>> {
        match self.steps.split_first() {
            Some((Step::Name(name), rest)) if json.kind() == Kind::Object => {
                let (_, value) = members.iter().rfind(|(key, _)| key.is_string(name))?;
                find_from(rest, *value)
            }
            _ => self.find(json),
        }
    }

    /// Calls `visit` with everything that stands there in `json`, and where.
    pub fn visit<'a>(&self, json: Json<'a>, visit: &mut dyn FnMut(&Found, Json<'a>)) {
        visit_from(&self.steps, json, &mut Found::default(), visit);
    }

    /// The same where the members of the object that `json` is were taken out before.
    pub fn visit_among<'a>(
        &self,
        json: Json<'a>,
        members: &[(Json<'a>, Json<'a>)],
        visit: &mut dyn FnMut(&Found, Json<'a>),
    ) {
        match self.steps.split_first() {
            Some((Step::Name(name), rest)) if json.kind() == Kind::Object => {
                if let Some((_, value)) = members.iter().rfind(|(key, _)| key.is_string(name)) {
                    let mut found = Found::default();
                    push_step(&mut found.path, name);
                    visit_from(rest, *value, &mut found, visit);
                }
            }
            _ => self.visit(json, visit),
        }
    }
}

fn find_from<'a>(steps: &[Step], json: Json<'a>) -> Option<Json<'a>> {
    steps.iter().try_fold(json, |json, step| match step {
        Step::Name(name) => child(json, name),
        Step::Every => json.members().map(|(_, value)| value).chain(json.elements()).next(),
    })
}

/// As many levels as the pointer has steps.
fn visit_from<'a>(
    steps: &[Step],
    json: Json<'a>,
    found: &mut Found,
    visit: &mut dyn FnMut(&Found, Json<'a>),
) {
    let Some((step, rest)) = steps.split_first() else {
        visit(found, json);
        return;
    };
    let (path, names) = (found.path.len(), found.names.len());
    let mut go = |name: &str, units: Option<CodeUnits>, child: Json<'a>| {
        push_step(&mut found.path, name);
        found.names.extend(units);
        visit_from(rest, child, found, visit);
        found.path.truncate(path);
        found.names.truncate(names);
    };
    match step {
        Step::Name(name) => {
            if let Some(child) = child(json, name) {
                go(name, None, child);
            }
        }
        Step::Every => {
            for (name, value) in json.members() {
                let units = name.to_units().unwrap_or_default();
                go(&units.to_string(), Some(units), value);
            }
            for (index, element) in json.elements().enumerate() {
                go(&index.to_string(), None, element);
            }
        }
    }
}

fn child<'a>(json: Json<'a>, name: &str) -> Option<Json<'a>> {
    match json.kind() {
        Kind::Array => json.elements().nth(index(name)?),
        _ => json.member(name),
    }
}

/// Digits without a zero in front.
fn index(name: &str) -> Option<usize> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    is_plain.then(|| name.parse().ok()).flatten()
}

fn step(text: &str) -> Result<Step, &'static str> {
    if text == "*" {
        return Ok(Step::Every);
    }
    if text.split('~').skip(1).any(|after| !after.starts_with(['0', '1'])) {
        return Err("in a JSON pointer `~` stands before 0 or 1 only");
    }
    Ok(Step::Name(text.replace("~1", "/").replace("~0", "~")))
}

/// Appends one step to a pointer as it is written.
pub fn push_step(path: &mut String, name: &str) {
    path.push('/');
    path.push_str(&name.replace('~', "~0").replace('/', "~1"));
}

/// Appends the step to a member whose name need not be well-formed.
pub fn push_units_step(path: &mut String, name: &CodeUnits) {
    push_step(path, &name.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of RFC 6901, section 5.
    const DOCUMENT: &str =
        r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;

    fn found(pointer: &str) -> Option<String> {
        let json = Json::parse(DOCUMENT.as_bytes()).expect("JSON");
        let pointer = Pointer::parse(pointer).expect("a pointer");
        let found = pointer.find(json);
        assert_eq!(pointer.find_among(json, &json.members().collect::<Vec<_>>()), found);
        found.map(Json::to_text)
    }

    #[test]
    fn the_examples_of_the_rfc_point_where_it_says() {
        assert_eq!(found(""), Some(DOCUMENT.to_owned()));
        assert_eq!(found("/foo"), Some(r#"["bar","baz"]"#.to_owned()));
        assert_eq!(found("/foo/0"), Some(r#""bar""#.to_owned()));
        for (pointer, value) in [
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ] {
            assert_eq!(found(pointer).as_deref(), Some(value), "{pointer}");
        }
        for nothing in ["/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/", "/nothing", "/foo/0/0"] {
            assert_eq!(found(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_told() {
        for wrong in ["foo", "/a~", "/a~2b", "*"] {
            assert!(Pointer::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_star_means_every_member_and_element_with_its_pointer() {
        let json = Json::parse(br#"{"by/Id":{"a":[1,2],"b":[],"c":[3]},"x":9}"#).expect("JSON");
        let mut found = Vec::new();
        let pointer = Pointer::parse("/by~1Id/*/*").expect("a pointer");
        let mut again = Vec::new();
        let told = |at: &Found, json: Json<'_>| format!("{} {:?} {}", at.path, at.names, json.to_text());
        pointer.visit(json, &mut |at, json| found.push(told(at, json)));
        pointer.visit_among(json, &json.members().collect::<Vec<_>>(), &mut |at, json| {
            again.push(told(at, json));
        });
        assert_eq!(found, again);
        assert_eq!(found, [r#"/by~1Id/a/0 ["a"] 1"#, r#"/by~1Id/a/1 ["a"] 2"#, r#"/by~1Id/c/0 ["c"] 3"#]);
    }
}
