//! Carries out plans: the only part of the client side that changes a cluster.
//!
//! ```text
//! prepare:  package + history ──> live state, dry runs ──> plan          (changes nothing)
//! execute:  claim ──> pending record ──> waves ──> wait until ready ──> deployed | failed
//!             │                            │             └ not ready: the cause is looked up
//!             └ a record left pending by   └ stops at the first wave with a failure
//!               a killed process is taken over
//! ```
//!
//! Rollback is the plan for an earlier manifest, uninstall the plan for no objects.

mod apply;
mod cause;
mod claim;
mod error;
mod hook_log;
mod hooks;
mod judge;
mod live;
mod manifest;
mod observe;
mod progress;
mod remove;
mod rollback;
mod saved;
mod test;
mod waves;

pub use apply::{Outcome, Settings, execute};
pub use cause::explain;
pub use error::{DeployError, FailedHook, NotReady};
pub use judge::judge;
pub use live::{Package, Prepared, owned, prepare};
pub use manifest::{hooks_of, manifest_text, parse_documents};
pub use observe::observe_once;
pub use progress::{Event, Progress};
pub use remove::{Removal, RemoveOptions, prepare_removal, uninstall};
pub use rollback::rollback;
pub use saved::check as check_saved;
pub use test::{TestOptions, Tested, test};
