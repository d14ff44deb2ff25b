//! What happens during an apply, as it happens: a bar under the lines on a terminal, lines alone
//! in a pipe.

use super::ui::Ui;
use crate::deploy::{Event, Progress};
use crate::object::status::State;
use crate::plan::Change;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Prints one line for each change and each step to being ready.
#[derive(Debug)]
pub struct Steps<'a> {
    ui: &'a Ui,
    /// On a terminal only.
    bar: Option<ProgressBar>,
    /// What is waited for and what it says. Written by every event, read for the bar's text.
    waiting: Mutex<BTreeMap<String, String>>,
    /// What was waited for in lines so far: what comes and goes would fill a log.
    told: Mutex<BTreeSet<String>>,
}

impl<'a> Steps<'a> {
    /// Nothing is shown yet.
    #[must_use]
    pub fn new(ui: &'a Ui) -> Steps<'a> {
        let bar = ui.live().then(|| {
            let style = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg} {elapsed}")
                .expect("a fixed template is right");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            bar.set_style(style);
            bar
        });
        Steps { ui, bar, waiting: Mutex::default(), told: Mutex::default() }
    }

    /// Takes the bar away; the lines stay.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, word: &str, style: anstyle::Style, text: impl std::fmt::Display) {
        let say = || {
            let painted = if self.ui.err_colored() { style } else { anstyle::Style::new() };
            self.ui.say(format_args!("{painted}{word:<9}{painted:#} {text}"));
        };
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    fn begin(&self, total: usize, message: &'static str) {
        if let Some(bar) = self.bar.as_ref().filter(|_| total > 0) {
            bar.reset();
            bar.set_length(total as u64);
            bar.set_message(message);
            bar.enable_steady_tick(Duration::from_millis(100));
        }
    }

    fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Notes what an object that is not ready says; the bar shows the first and how many more.
    fn note(&self, object: String, says: Option<String>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match says {
            Some(says) => waiting.insert(object, says),
            None => waiting.remove(&object),
        };
        let Some(bar) = &self.bar else { return };
        let Some((object, says)) = waiting.first_key_value() else { return };
        let more = match waiting.len() {
            1 => String::new(),
            count => format!(" (and {} more)", count - 1),
        };
        bar.set_message(format!("{object}: {says}{more}"));
    }
}

impl Progress for Steps<'_> {
    fn event(&self, event: Event<'_>) {
        use anstyle::{AnsiColor, Style};
        let plain = Style::new();
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match event {
            Event::TookOver { version, status } => self.line(
                "note",
                plain,
                format_args!(
                    "revision {version} was left {status} by a process that is gone; going on \
                     from it"
                ),
            ),
            Event::Suspects { version } => self.line(
                "note",
                plain,
                format_args!(
                    "revision {version} is being worked on elsewhere; watching whether that is \
                     still so"
                ),
            ),
            Event::Hook { event, id } => {
                self.line("hook", color(AnsiColor::Cyan), format_args!("{id} ({event})"));
            }
            Event::Log { pod, container: None, line } => {
                self.line("log", plain, format_args!("{pod}: {line}"));
            }
            Event::Log { pod, container: Some(container), line } => {
                self.line("log", plain, format_args!("{pod} ({container}): {line}"));
            }
            Event::Begins { total } => self.begin(total, "applying"),
            Event::Waits { total } => self.begin(total, "waiting"),
            Event::Changed { change, id } => {
                let style = match change {
                    Change::Create => color(AnsiColor::Green),
                    Change::Delete => color(AnsiColor::Red),
                    _ => color(AnsiColor::Yellow),
                };
                self.line(change.as_str(), style, id);
                self.step();
            }
            Event::Readiness { id, readiness } if readiness.state == State::Current => {
                self.note(id.to_string(), None);
                if !readiness.message.is_empty() {
                    let text = format_args!("{id}: {}", readiness.message);
                    self.line("ready", color(AnsiColor::Green), text);
                }
                self.step();
            }
            Event::Readiness { id, readiness } => {
                self.note(id.to_string(), Some(readiness.message.clone()));
                let text = format!("{id}: {}", readiness.message);
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                // the bar says it already, and says it shorter
                if self.bar.is_none() && !told.contains(&text) {
                    self.line("waiting", plain, &text);
                    told.insert(text);
                }
            }
            Event::Trouble { id, text } => {
                self.line("trouble", color(AnsiColor::Red), format_args!("{id}: {text}"));
            }
            Event::RollsBack { to: Some(version) } => self.line(
                "undo",
                color(AnsiColor::Yellow),
                format_args!("it failed; rolling back to revision {version}"),
            ),
            Event::RollsBack { to: None } => {
                let text = "it failed; removing the release again";
                self.line("undo", color(AnsiColor::Yellow), text);
            }
        }
    }
}
