//! A package and its values to objects, one file per kind of package.

mod documents;
pub mod helm;
pub mod jinja;
pub mod kustomize;
pub mod overlay;
pub mod plain;

use crate::object::Object;

/// What rendering gives.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The objects, in the order of the files' names and of the documents in them.
    pub objects: Vec<Object>,
    /// Objects that run at times of their own, tests among them.
    pub hooks: Vec<Object>,
    /// Custom resource definitions that must be there before the objects.
    pub crds: Vec<Object>,
    /// Text for the person who installs the package.
    pub notes: Option<String>,
}
