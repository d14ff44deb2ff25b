//! How figures are measured, compared and shown; the cases say what is measured.

mod agent;
mod figure;
mod image;
mod input;
mod process;
mod race;
mod table;

pub(crate) use agent::Agent;
pub(crate) use figure::{Bound, Figure, Peer, Samples, Unit};
pub(crate) use image::Image;
pub(crate) use input::{deployments, megabytes};
pub(crate) use process::{Tool, on_one_core, peak, processor, wall, wall_of_any, wharf};
pub(crate) use race::Race;
pub(crate) use table::table;
