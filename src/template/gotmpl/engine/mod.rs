//! Helm's engine: templates by name, rendered in Helm's order, with `include` and `tpl`.
//!
//! ```text
//! Source (name, text) -> Set, shared -> render(Job: name, data) -> Rendered (text, where it is from)
//! ```
//!
//! Unlike Helm, `tpl` parses its text once and clones nothing: what the text defines lies above the
//! set while the text runs, and is looked up there first.

mod message;
mod reads;
mod set;
mod trace;

use super::error::{ExecError, ParseError};
use super::exec::output::Output;
use super::exec::{self, Host, Missing};
use super::function::{Call, Failure, Function, Templates};
use super::objects::VALUES;
use super::syntax::ast::Template;
use super::value::{Entries, Map, Text, Value};
use super::world::World;
use super::{fmt, stack};
use bytes::Bytes;
use hashbrown::HashMap;
pub use reads::Path;
pub use set::{Set, Source};
use std::sync::Arc;
pub use trace::{Origin, Trace};

/// How templates are rendered.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// A key that is not there is an error.
    pub strict: bool,
    /// What is required may be missing, and `fail` does nothing.
    pub lint: bool,
    /// How many steps may be taken: a step is a node, a command, or 64 bytes of text.
    pub fuel: usize,
    /// How many bytes a template may write.
    pub output: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { strict: false, lint: false, fuel: 100_000_000, output: 64 * 1024 * 1024 }
    }
}

/// A template to be rendered.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: Text,
    /// What it gets: `Values`, `Release` and the others, to which `Template` is added. The jobs of
    /// one chart share the map.
    pub data: Map,
    /// What is `.Template.BasePath`.
    pub base_path: Text,
}

/// A template that was rendered.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Its name.
    pub name: Text,
    /// What it wrote.
    pub text: Bytes,
    /// Where it comes from.
    pub trace: Trace,
}

/// Templates that could not be rendered.
#[derive(Clone, Debug)]
pub struct RenderError {
    /// Helm's text.
    pub message: Text,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong with templates.
#[derive(Clone, Debug)]
pub enum Cause {
    /// A text that is no template.
    Parse(ParseError),
    /// A template that failed.
    Exec(ExecError),
}

/// Renders templates in Helm's order, but for partials, whose names start with `_`.
///
/// Templates may nest deep: see [`stack::with_room`].
///
/// # Errors
/// At the first template that fails.
pub fn render(
    set: &Set,
    jobs: &[Job],
    world: &World,
    options: &Options,
) -> Result<Vec<Rendered>, RenderError> {
    let mut engine = Engine::new(set, world, options);
    let mut order: Vec<&Job> = jobs.iter().filter(|job| !is_partial(&job.name)).collect();
    order.sort_by(|a, b| set::order(&a.name, &b.name));
    order.into_iter().map(|job| engine.job(job)).collect()
}

/// Renders one template as Go does by itself: nothing is taken out, errors are Go's.
#[cfg(test)]
pub(super) fn execute_alone(
    set: &Set,
    name: &Text,
    data: Value,
    world: &World,
) -> Result<Text, Text> {
    let mut engine = Engine::new(set, world, &Options::default());
    engine.missing = Missing::Nothing;
    let template = engine.template(name).expect("the template is in the set");
    exec::execute(&mut engine, &template, data).map_err(|error| error.text())?;
    let (text, ..) = engine.output.finish();
    Ok(text.into())
}

fn is_partial(name: &[u8]) -> bool {
    name.rsplit(|byte| *byte == b'/').next().is_some_and(|base| base.starts_with(b"_"))
}

struct Engine<'a> {
    set: &'a Set,
    world: &'a World,
    options: Options,
    missing: Missing,
    fuel: usize,
    /// What the texts of `tpl` that are running define.
    above: Vec<Arc<Overlay>>,
    /// The texts that `tpl` has parsed.
    texts: HashMap<Text, Arc<Overlay>>,
    /// How often each template includes itself at the moment.
    included: HashMap<Text, usize>,
    /// How many texts for functions are being made inside of each other.
    depth: usize,
    output: Output,
}

/// The templates in a text of `tpl`.
#[derive(Debug)]
struct Overlay {
    /// What is rendered.
    main: Arc<Template>,
    /// What can be included, the text itself among them.
    templates: HashMap<Text, Arc<Template>>,
}

/// The name under which Helm has its templates, which errors show.
const ROOT: &str = "gotpl";
/// How often Helm lets a template include itself.
const RECURSION: usize = 1000;
/// How deep `include` and `tpl` may nest in all, which Helm leaves to its stack.
const DEPTH: usize = 5000;

impl<'a> Engine<'a> {
    fn new(set: &'a Set, world: &'a World, options: &Options) -> Engine<'a> {
        Engine {
            set,
            world,
            options: *options,
            missing: if options.strict { Missing::Error } else { Missing::Zero },
            fuel: options.fuel,
            above: Vec::new(),
            texts: HashMap::new(),
            included: HashMap::new(),
            depth: 0,
            output: Output::plain(options.output),
        }
    }

    fn job(&mut self, job: &Job) -> Result<Rendered, RenderError> {
        let about = Entries::from([
            ("Name".into(), Value::Text(job.name.clone())),
            ("BasePath".into(), Value::Text(job.base_path.clone())),
        ]);
        job.data.set("Template", Value::Map(Map::new(&VALUES, about)));
        self.output = Output::marked(self.options.output);
        let result = match self.template(&job.name) {
            Some(template) => exec::execute(self, &template, Value::Map(job.data.typed(&VALUES))),
            None => Ok(()),
        };
        let output = std::mem::replace(&mut self.output, Output::plain(self.options.output));
        match result {
            Ok(()) => {
                let (text, trace) = trace::finish(output);
                Ok(Rendered { name: job.name.clone(), text: text.into(), trace })
            }
            Err(error) => Err(RenderError {
                message: message::of(&job.name, &error),
                cause: Cause::Exec(*error),
            }),
        }
    }

    /// Executes a template whose text a function gets.
    fn text_of(&mut self, template: &Arc<Template>, data: &Value) -> Result<Vec<u8>, Failure> {
        if self.depth == DEPTH || !stack::has_room() {
            return Err(Failure::new("templates are nested too deep"));
        }
        self.depth += 1;
        let outer = std::mem::replace(&mut self.output, Output::plain(self.options.output));
        let result = exec::execute(self, template, data.clone());
        self.depth -= 1;
        let inner = std::mem::replace(&mut self.output, outer);
        result.map_err(|error| Failure::from(*error))?;
        let (text, ..) = inner.finish();
        self.spend(text.len() / 64)?;
        Ok(text)
    }

    fn parsed(&mut self, text: &Text) -> Result<Arc<Overlay>, Failure> {
        if let Some(parsed) = self.texts.get(text) {
            return Ok(Arc::clone(parsed));
        }
        self.spend(text.len() / 8)?;
        let root = Text::from(ROOT);
        let templates =
            super::syntax::parse(&root, text, self.set.functions()).map_err(|error| {
                let text = fmt::quote::quote(text);
                Failure::new(format!("cannot parse template {text}: {}", error.message))
            })?;
        let templates: HashMap<_, _> =
            templates.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect();
        let main = Arc::clone(templates.get(&root).expect("a text is parsed to a template"));
        let overlay = Arc::new(Overlay { main, templates });
        self.texts.insert(text.clone(), Arc::clone(&overlay));
        Ok(overlay)
    }
}

impl Host for Engine<'_> {
    fn template(&self, name: &Text) -> Option<Arc<Template>> {
        let mut blank = None;
        for overlay in self.above.iter().rev() {
            match overlay.templates.get(name) {
                // A blank template replaces none that is there.
                Some(template) if template.blank => blank = Some(template),
                Some(template) => return Some(Arc::clone(template)),
                None => {}
            }
        }
        self.set.get(name).or(blank).cloned()
    }

    fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    fn missing(&self) -> Missing {
        self.missing
    }

    fn call(&mut self, function: &'static Function, args: &[Value]) -> Result<Value, Failure> {
        // Whatever a function does with a text, it goes through it at least once.
        let read = args.iter().map(|arg| match arg {
            Value::Text(text) | Value::Bytes(text) => text.len() / 64,
            _ => 0,
        });
        self.spend(read.sum())?;
        let world = self.world;
        (function.body)(&mut Call { args, world, templates: self })
    }
}

impl Templates for Engine<'_> {
    fn include(&mut self, name: &Text, data: &Value) -> Result<Text, Failure> {
        let depth = self.included.entry(name.clone()).or_default();
        if *depth > RECURSION {
            return Err(Failure::new(format!(
                "rendering template has a nested reference name: {name}: unable to execute template"
            )));
        }
        *depth += 1;
        let result = match self.template(name) {
            Some(template) => self.text_of(&template, data),
            None => {
                let (name, root) = (fmt::quote::quote(name), fmt::quote::quote(ROOT.as_bytes()));
                Err(format!("template: no template {name} associated with template {root}").into())
            }
        };
        if let Some(depth) = self.included.get_mut(name) {
            *depth -= 1;
        }
        result.map(Text::from)
    }

    fn tpl(&mut self, text: &Text, data: &Value) -> Result<Text, Failure> {
        let overlay = self.parsed(text)?;
        self.above.push(Arc::clone(&overlay));
        let result = self.text_of(&overlay.main, data);
        self.above.pop();
        let written = result.map_err(|failure| {
            let text = fmt::quote::quote(text);
            let before = format!("error during tpl function execution for {text}: ");
            let message = [before.as_bytes(), &failure.message].concat();
            Failure { message: message.into(), inside: failure.inside }
        })?;
        Ok(trace::without_no_value(written).into())
    }

    fn lint(&self) -> bool {
        self.options.lint
    }

    fn spend(&mut self, fuel: usize) -> Result<(), Failure> {
        match self.fuel.checked_sub(fuel) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => {
                self.fuel = 0;
                let steps = self.options.fuel;
                Err(Failure::new(format!("templates took more than {steps} steps")))
            }
        }
    }
}
