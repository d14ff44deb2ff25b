//! Desired objects against live ones and what the release owned: what has to be done. No I/O.
//!
//! ```text
//! desired.rs  objects of a package, made ready for a release: namespace, ownership stamps
//! settled.rs  proves from a live object alone that applying would change nothing
//! fields.rs   which fields differ; items of keyed lists are matched by key, not by place
//! shown.rs    objects as they may be shown: without noise, secrets masked
//! build.rs    desired x live x owned -> Plan, or everything that stands against it
//! view.rs     a plan as unified diff, JSON, Markdown or HTML
//! file.rs     a plan in a file
//! ```
//!
//! A plan leaves no choice to whoever carries it out: what `apply` does, `diff` has shown.

mod build;
mod desired;
mod fields;
mod file;
mod page;
mod refusal;
mod settled;
mod shown;
mod view;

pub use build::{
    Action, Change, Counts, Forecast, Options, Plan, Subject, Surplus, build, conflicts,
};
pub use desired::{Desired, Intent, PackageFacts, duplicates, is_owned, prepare};
pub use fields::{FieldChange, changes};
pub use file::{FileError, Saved, is_plan, moved};
pub use refusal::{Refusal, Refusals};
pub use settled::is_settled;
pub use shown::{clean, masked_pair};
pub use view::{Format, Paint, render, summary};
