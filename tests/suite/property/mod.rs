//! Random databases: any schema, any values, as data first and as a file only when built.
//!
//! A [`DatabaseRecipe`] is a plain value, so that proptest can shrink it and print it. Building it skips rows that
//! SQLite itself refuses (a duplicate key, a wrong class in a STRICT table): whatever gets in is a fair database.

mod arbitrary;
mod build;
mod recipe;
#[cfg(test)]
mod tests;

pub(crate) use arbitrary::arbitrary_database;
pub(crate) use recipe::DatabaseRecipe;
