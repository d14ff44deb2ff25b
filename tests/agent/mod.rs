//! The agent as a whole: pods that really run, behind real addresses. Needs root and kubectl.

mod accounts;
mod claims;
mod conformance;
mod faults;
mod image;
mod jobs;
mod kubectl;
mod pods;
mod recovery;
mod services;
mod streams;
mod support;

pub(crate) use support::http;
