//! Hooks that Helm stored in a record. Nothing here runs them; whoever goes on from such a record
//! says which were left out.

use super::progress::{Event, Progress};
use crate::release::Record;
use crate::yaml::Node;

/// Says which hooks of a record would have run at one of the given events.
pub(super) fn tell_skipped(record: &Record, events: [&str; 2], progress: &dyn Progress) {
    let runs = |hook: &&Node| {
        let on = hook.items_at(&["events"]).iter();
        on.filter_map(Node::as_str).any(|event| events.contains(&event))
    };
    for hook in record.hooks().iter().filter(runs) {
        let text = |key| hook.str_at(&[key]).unwrap_or_default();
        progress.event(Event::HookSkipped { kind: text("kind"), name: text("name") });
    }
}
