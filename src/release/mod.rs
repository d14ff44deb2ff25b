//! Releases: named installations and their numbered revisions, stored as Helm stores them, so that
//! Helm can list, inspect and roll back what wharf released, and wharf what Helm did.
//!
//! ```text
//! record.rs   one revision: a view on Helm's release JSON; fields it does not know survive
//! codec.rs    record <-> Secret: base64(gzip(JSON)), labels, size limit
//! history.rs  all revisions of one release: which is last, deployed, next, to be forgotten
//! store.rs    records in a cluster
//! ```
//!
//! Only `store` does I/O; which status follows which is decided by whoever deploys.

mod codec;
mod error;
mod history;
mod record;
mod store;

pub use codec::{RECORD_LIMIT, from_object, object_name, to_secret};
pub use error::ReleaseError;
pub use history::History;
pub use record::{Chart, Draft, HookRun, Record, Status};
pub use store::{MANAGER, Store};
