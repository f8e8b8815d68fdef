//! How a column of the file is put together from its leaves: lists, maps and structs.
//!
//! Repetition and definition levels of the leaves tell where a list begins and from where on all is NULL. The shape knows
//! what each level means; it follows the rules by which readers understand the older ways to write lists and maps.
//!
//! Source: Apache Parquet, "Logical Types", "Lists" and "Maps" with their backward-compatibility rules.

use std::fmt::Write as _;
use std::ops::Range;

use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::schema::types::{Type, TypePtr};

use crate::error::{Error, ErrorKind, Result};
use crate::parquet_file::foreign::meaning::{Meaning, leaf_words, logical_words};

/// How deep groups may lie in each other; nobody writes anything near.
const MOST_LEVELS: usize = 64;

/// Length of the words for a type, in bytes, at which they are cut.
const MOST_WORDS: usize = 200;

/// A part of a column.
#[derive(Debug)]
pub(super) struct Node {
    /// The definition level below which it is NULL, or something around it is.
    pub(super) present_at: i16,
    /// The leaves below it, by their place in the file's schema.
    pub(super) leaves: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Leaf(Meaning),
    Struct(Vec<(String, Node)>),
    List(Repeated),
    /// A JSON object: keys are leaves that are never NULL.
    Map {
        repeated: Repeated,
        value: Box<Node>,
    },
}

/// The repeated part of a list or map: its elements, or its keys.
#[derive(Debug)]
pub(super) struct Repeated {
    /// The definition level below which there is no element.
    pub(super) element_at: i16,
    /// The repetition level of a further element.
    pub(super) repetition: i16,
    pub(super) element: Box<Node>,
}

/// The levels around a part of the schema.
#[derive(Debug, Clone, Copy)]
struct Levels {
    definition: i16,
    repetition: i16,
    depth: usize,
}

impl Levels {
    fn optional(self) -> Self {
        Self { definition: self.definition.saturating_add(1), ..self }
    }

    fn repeated(self) -> Self {
        Self { repetition: self.repetition.saturating_add(1), ..self.optional() }
    }

    fn deeper(self) -> Result<Self> {
        if self.depth >= MOST_LEVELS {
            let message = format!("a column is nested in more than {MOST_LEVELS} levels");
            let hint = "leave the column out, or write its parts as columns of their own, with the program that made it";
            return Err(Error::new(ErrorKind::Failed, message).hint(hint));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl Node {
    /// The shape of a column: a field of the schema's root. `next_leaf` counts the leaves seen so far.
    ///
    /// # Errors
    /// `Failed` where it is nested too deeply.
    pub(super) fn of_column(field: &Type, next_leaf: &mut usize) -> Result<Self> {
        Self::of_field(field, Levels { definition: 0, repetition: 0, depth: 0 }, next_leaf)
    }

    /// What a flat column's values mean; `None` for a nested one.
    pub(super) fn flat(&self) -> Option<Meaning> {
        match self.kind {
            Kind::Leaf(meaning) => Some(meaning),
            _ => None,
        }
    }

    /// Whether any leaf below it can be NaN or infinite.
    pub(super) fn has_floating(&self) -> bool {
        match &self.kind {
            Kind::Leaf(meaning) => meaning.is_floating(),
            Kind::Struct(fields) => fields.iter().any(|(_, field)| field.has_floating()),
            Kind::List(repeated) => repeated.element.has_floating(),
            // A key is a text in JSON, and texts say NaN.
            Kind::Map { value, .. } => value.has_floating(),
        }
    }

    fn of_field(field: &Type, around: Levels, next_leaf: &mut usize) -> Result<Self> {
        let around = around.deeper()?;
        match field.get_basic_info().repetition() {
            Repetition::REQUIRED => Self::of_body(field, around, next_leaf),
            Repetition::OPTIONAL => Self::of_body(field, around.optional(), next_leaf),
            // A repeated field outside of a LIST or MAP is a list that is never NULL.
            Repetition::REPEATED => {
                let inside = around.repeated();
                let element = Self::of_body(field, inside, next_leaf)?;
                Ok(Self::list(around, inside, element))
            }
        }
    }

    /// A field whose own repetition is already part of `at`.
    fn of_body(field: &Type, at: Levels, next_leaf: &mut usize) -> Result<Self> {
        if field.is_primitive() {
            let leaf = *next_leaf;
            *next_leaf += 1;
            let kind = Kind::Leaf(Meaning::of(field));
            return Ok(Self { present_at: at.definition, leaves: leaf..leaf + 1, kind });
        }
        match annotation(field) {
            Annotation::List(repeated) => {
                let inside = at.repeated().deeper()?;
                let element = match repeated.get_fields_if_group() {
                    [only] if !is_element_itself(field, repeated, only) => {
                        Self::of_field(only, inside, next_leaf)?
                    }
                    _ => Self::of_body(repeated, inside, next_leaf)?,
                };
                Ok(Self::list(at, inside, element))
            }
            Annotation::Map(entries, key, value) => {
                let inside = at.repeated().deeper()?;
                let first = *next_leaf;
                let key_node = Self::of_field(key, inside, next_leaf)?;
                let is_name = key_node.flat().is_some_and(Meaning::makes_names)
                    && key.get_basic_info().repetition() == Repetition::REQUIRED;
                if !is_name {
                    // What cannot be a name in a JSON object: a list of structs, as the file has it.
                    *next_leaf = first;
                    let element = Self::of_body(entries, inside, next_leaf)?;
                    return Ok(Self::list(at, inside, element));
                }
                let value = Box::new(Self::of_field(value, inside, next_leaf)?);
                let repeated = Repeated {
                    element_at: inside.definition,
                    repetition: inside.repetition,
                    element: Box::new(key_node),
                };
                let leaves = first..*next_leaf;
                Ok(Self { present_at: at.definition, leaves, kind: Kind::Map { repeated, value } })
            }
            Annotation::Struct => {
                let first = *next_leaf;
                let fields = field
                    .get_fields()
                    .iter()
                    .map(|child| Ok((child.name().to_string(), Self::of_field(child, at, next_leaf)?)))
                    .collect::<Result<_>>()?;
                let leaves = first..*next_leaf;
                Ok(Self { present_at: at.definition, leaves, kind: Kind::Struct(fields) })
            }
        }
    }

    fn list(at: Levels, inside: Levels, element: Self) -> Self {
        let leaves = element.leaves.clone();
        let repeated = Repeated {
            element_at: inside.definition,
            repetition: inside.repetition,
            element: Box::new(element),
        };
        Self { present_at: at.definition, leaves, kind: Kind::List(repeated) }
    }
}

/// What a group stands for.
enum Annotation<'a> {
    Struct,
    /// With its repeated field.
    List(&'a Type),
    /// With its repeated field, and the key and value in there.
    Map(&'a Type, &'a Type, &'a Type),
}

/// A group that does not look as its annotation asks is a struct like any other.
fn annotation(group: &Type) -> Annotation<'_> {
    let [repeated] = group.get_fields() else { return Annotation::Struct };
    if repeated.get_basic_info().repetition() != Repetition::REPEATED {
        return Annotation::Struct;
    }
    let info = group.get_basic_info();
    match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::List), _) | (None, ConvertedType::LIST) => Annotation::List(repeated),
        (Some(LogicalType::Map), _) | (None, ConvertedType::MAP | ConvertedType::MAP_KEY_VALUE) => {
            match repeated.get_fields_if_group() {
                [key, value] => Annotation::Map(repeated, key, value),
                // Without values: a set.
                _ => Annotation::List(repeated),
            }
        }
        _ => Annotation::Struct,
    }
}

/// Whether the repeated group of a list is the element, and not a layer around it, although it has one field only.
fn is_element_itself(list: &Type, repeated: &Type, only: &Type) -> bool {
    repeated.name() == "array"
        || repeated.name().strip_suffix("_tuple") == Some(list.name())
        || only.get_basic_info().repetition() == Repetition::REPEATED
}

/// The children of what may be no group.
trait Children {
    fn get_fields_if_group(&self) -> &[TypePtr];
}

impl Children for Type {
    fn get_fields_if_group(&self) -> &[TypePtr] {
        match self {
            Type::GroupType { fields, .. } => fields,
            Type::PrimitiveType { .. } => &[],
        }
    }
}

/// A column's type as people write it: `LIST<STRUCT<a: INT64, b: STRING>>`, cut where it gets long.
pub(super) fn type_words(field: &Type) -> String {
    if field.is_primitive() && field.get_basic_info().repetition() != Repetition::REPEATED {
        return leaf_words(field);
    }
    let mut words = String::new();
    push_type(&mut words, field);
    if words.len() > MOST_WORDS {
        let end = (0..=MOST_WORDS).rev().find(|&end| words.is_char_boundary(end)).unwrap_or(0);
        words.truncate(end);
        words.push('…');
    }
    words
}

/// As deep as [`Node::of_column`] went, and no further than the words are long.
fn push_type(words: &mut String, field: &Type) {
    if words.len() > MOST_WORDS {
        return;
    }
    let is_repeated = field.get_basic_info().repetition() == Repetition::REPEATED;
    words.push_str(if is_repeated { "LIST<" } else { "" });
    push_body(words, field);
    words.push_str(if is_repeated { ">" } else { "" });
}

fn push_body(words: &mut String, field: &Type) {
    if field.is_primitive() {
        let logical = logical_words(field).unwrap_or_else(|| field.get_physical_type().to_string());
        words.push_str(&logical);
        return;
    }
    match annotation(field) {
        Annotation::List(repeated) => {
            words.push_str("LIST<");
            match repeated.get_fields_if_group() {
                [only] if !is_element_itself(field, repeated, only) => push_type(words, only),
                _ => push_body(words, repeated),
            }
        }
        Annotation::Map(_, key, value) => {
            words.push_str("MAP<");
            push_type(words, key);
            words.push_str(", ");
            push_type(words, value);
        }
        Annotation::Struct => {
            words.push_str(&logical_words(field).filter(|word| word == "VARIANT").unwrap_or("STRUCT".into()));
            words.push('<');
            for (index, child) in field.get_fields().iter().enumerate() {
                if words.len() > MOST_WORDS {
                    return;
                }
                // Writing into a string cannot fail.
                let _ = write!(words, "{}{}: ", if index > 0 { ", " } else { "" }, child.name());
                push_type(words, child);
            }
        }
    }
    words.push('>');
}
