//! Runs templates: Go's evaluator over [`Value`].
//!
//! ```text
//! walk (this file): text, actions, branches, ranges, calls of templates
//!   eval:           pipelines, commands, fields, constants
//!   call:           arguments to the types of parameters, functions, `and` and `or`
//! ```
//!
//! [`Run`] is one template while it runs, as Go's `state`. Everything that outlives a template (its
//! output, fuel, the set of templates) is behind [`Host`], so that nothing here knows of Helm.

mod call;
mod eval;
pub(super) mod output;
pub(super) mod reflected;

use super::error::{ExecError, Frame, Place};
use super::fmt;
use super::function::{Failure, Function, Templates};
use super::stack;
use super::syntax::ast::{
    Body, Branch, Command, Node, Operand, Pipe, Template, TemplateCall, Variable,
};
use super::value::{Text, Value};
use output::Output;
use reflected::{Reflected, truth};
use std::fmt::Display;
use std::sync::Arc;

/// What a template runs in.
pub(super) trait Host: Templates {
    /// The template of a name.
    fn template(&self, name: &Text) -> Option<Arc<Template>>;
    /// Where actions write.
    fn output(&mut self) -> &mut Output;
    /// What a key is that is not there.
    fn missing(&self) -> Missing;
    /// Calls a function with arguments of the types of its parameters.
    fn call(&mut self, function: &'static Function, args: &[Value]) -> Result<Value, Failure>;
}

/// What a key of a map is that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// Nothing at all, as Go has it unless it is told otherwise.
    #[cfg(test)]
    Nothing,
    /// The zero value of the type of the elements.
    Zero,
    /// An error.
    Error,
}

/// Executes a template: writes its text to the output of the host.
pub(super) fn execute(host: &mut dyn Host, template: &Arc<Template>, data: Value) -> Done<()> {
    Run::new(host, template, Reflected::concrete(data), 0).run()
}

/// Errors are boxed since they are large and rare.
type Done<T> = Result<T, Box<ExecError>>;

/// Go's limit on templates that execute each other with `{{template}}`.
const DEPTH: usize = 100_000;

/// One template while it runs.
struct Run<'t, 'h> {
    host: &'h mut dyn Host,
    template: &'t Arc<Template>,
    /// What is being done, for errors.
    at: Option<At<'t>>,
    /// Variables by their numbers; those in front hide others.
    variables: Vec<(usize, Reflected)>,
    depth: usize,
}

/// A part of a template that can be what is being done.
#[derive(Clone, Copy)]
enum At<'t> {
    Node(&'t Node),
    Call(&'t TemplateCall),
    Pipe(&'t Pipe),
    Command(&'t Command),
    Operand(&'t Operand),
    Variable(&'t Variable),
}

impl At<'_> {
    fn start(&self) -> usize {
        match self {
            At::Node(node) => node.start(),
            At::Call(call) => call.start,
            At::Pipe(pipe) => pipe.start,
            At::Command(command) => command.start,
            At::Operand(operand) => operand.start(),
            At::Variable(variable) => variable.start,
        }
    }
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            At::Node(node) => node.fmt(f),
            At::Call(call) => call.fmt(f),
            At::Pipe(pipe) => pipe.fmt(f),
            At::Command(command) => command.fmt(f),
            At::Operand(operand) => operand.fmt(f),
            At::Variable(variable) => variable.fmt(f),
        }
    }
}

/// How a body ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t, 'h> Run<'t, 'h> {
    fn new(
        host: &'h mut dyn Host,
        template: &'t Arc<Template>,
        data: Reflected,
        depth: usize,
    ) -> Run<'t, 'h> {
        Run { host, template, at: None, variables: vec![(0, data)], depth }
    }

    fn run(&mut self) -> Done<()> {
        let dot = self.variables[0].1.clone();
        self.host.output().enter(self.template);
        self.walk(&dot, &self.template.body)?;
        self.host.output().leave();
        Ok(())
    }

    // Errors.

    fn fail<T>(&self, message: impl Into<Text>) -> Done<T> {
        Err(Box::new(ExecError { frames: vec![self.frame(message.into(), None)] }))
    }

    /// The error that a function gave, as one of this template.
    fn fail_with<T>(&self, message: impl Into<Text>, failure: Failure) -> Done<T> {
        let frame = self.frame(message.into(), Some(failure.message));
        let mut error =
            failure.inside.unwrap_or_else(|| Box::new(ExecError { frames: Vec::new() }));
        error.frames.push(frame);
        Err(error)
    }

    fn frame(&self, message: Text, cause: Option<Text>) -> Frame {
        let source = &self.template.source;
        Frame {
            place: self.at.map(|at| Place::of(&source.name, &source.text, at.start())),
            template: self.template.name.clone(),
            node: self.at.map(|at| at.to_string()).unwrap_or_default(),
            message,
            cause,
        }
    }

    /// An error that is none of a function, but of a limit or of printing.
    fn limit<T>(&self, failure: Failure) -> Done<T> {
        match failure.inside {
            None => self.fail(failure.message),
            Some(_) => self.fail_with("", failure),
        }
    }

    fn spend(&mut self, fuel: usize) -> Done<()> {
        match self.host.spend(fuel) {
            Ok(()) => Ok(()),
            Err(failure) => self.limit(failure),
        }
    }

    // Nodes.

    fn walk(&mut self, dot: &Reflected, body: &'t Body) -> Done<Flow> {
        for node in &body.nodes {
            let flow = self.node(dot, node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn node(&mut self, dot: &Reflected, node: &'t Node) -> Done<Flow> {
        self.at = Some(At::Node(node));
        self.spend(1)?;
        match node {
            Node::Text(start, text) => {
                if let Err(failure) = self.host.output().text(*start, text) {
                    return self.limit(failure);
                }
            }
            Node::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.at = Some(At::Node(node));
                    self.print(pipe.start, &value.value, value.addressed)?;
                }
            }
            Node::If(branch) => return self.branch(dot, branch, false),
            Node::With(branch) => return self.branch(dot, branch, true),
            Node::Range(branch) => return self.range(dot, node, branch),
            Node::Break(_) => return Ok(Flow::Break),
            Node::Continue(_) => return Ok(Flow::Continue),
            Node::Call(call) => self.call_template(dot, call)?,
        }
        Ok(Flow::Next)
    }

    fn print(&mut self, start: usize, value: &Value, addressed: bool) -> Done<()> {
        if let Value::Object(object) = value {
            if addressed && let Some(text) = object.addressed_text() {
                return self.print(start, &Value::Text(text), false);
            }
            if let Some(pointee) = object.pointee() {
                return self.print(start, &pointee, false);
            }
        }
        match self.host.output().action(start, |out| fmt::print(out, value)) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let node = self.at.map(|at| at.to_string()).unwrap_or_default();
                let of = value.go_type().map_or("<nil>", |of| of.name);
                self.fail(format!("can't print {node} of type {of}"))
            }
            Err(failure) => self.limit(failure),
        }
    }

    fn branch(&mut self, dot: &Reflected, branch: &'t Branch, sets_dot: bool) -> Done<Flow> {
        if !stack::has_room() {
            return self.fail("templates are nested too deep");
        }
        let mark = self.variables.len();
        let value = self.pipeline(dot, &branch.pipe)?;
        let flow = if truth(&value.value) {
            self.walk(if sets_dot { &value } else { dot }, &branch.body)?
        } else if let Some(otherwise) = &branch.otherwise {
            self.walk(dot, otherwise)?
        } else {
            Flow::Next
        };
        self.variables.truncate(mark);
        Ok(flow)
    }

    fn range(&mut self, dot: &Reflected, node: &'t Node, branch: &'t Branch) -> Done<Flow> {
        if !stack::has_room() {
            return self.fail("templates are nested too deep");
        }
        self.at = Some(At::Node(node));
        let mark = self.variables.len();
        let mut over = self.pipeline(dot, &branch.pipe)?;
        if let Value::Object(object) = &over.value
            && let Some(pointee) = object.pointee()
        {
            over = Reflected::concrete(pointee);
        }
        let ran = self.iterate(&over, branch)?;
        let flow = match &branch.otherwise {
            Some(otherwise) if !ran => self.walk(dot, otherwise)?,
            _ => Flow::Next,
        };
        self.variables.truncate(mark);
        // A `break` in the `else` of a range ends that range, as Go has it.
        Ok(if flow == Flow::Continue { flow } else { Flow::Next })
    }

    /// Runs the body for each element, and tells whether there was one.
    fn iterate(&mut self, over: &Reflected, branch: &'t Branch) -> Done<bool> {
        let element = over.value.go_type().and_then(|of| of.elem);
        match &over.value {
            Value::Int(count, of) => {
                self.one_variable(&over.value, branch)?;
                for int in 0..*count {
                    let value = Reflected::concrete(Value::Int(int, of));
                    if self.once(Reflected::default(), &value, branch)? == Flow::Break {
                        break;
                    }
                }
                Ok(*count > 0)
            }
            Value::Uint(count, of) => {
                self.one_variable(&over.value, branch)?;
                for int in 0..*count {
                    let value = Reflected::concrete(Value::Uint(int, of));
                    if self.once(Reflected::default(), &value, branch)? == Flow::Break {
                        break;
                    }
                }
                Ok(*count > 0)
            }
            Value::List(list) => {
                for (index, value) in (0..).zip(list.iter()) {
                    let index = Reflected::concrete(Value::int(index));
                    let value = Reflected::element(value.clone(), element);
                    if self.once(index, &value, branch)? == Flow::Break {
                        break;
                    }
                }
                Ok(!list.is_empty())
            }
            Value::Bytes(bytes) => {
                for (index, byte) in (0..).zip(bytes.iter()) {
                    let index = Reflected::concrete(Value::int(index));
                    let byte = Value::Uint(u64::from(*byte), &super::go_type::UINT8);
                    if self.once(index, &Reflected::concrete(byte), branch)? == Flow::Break {
                        break;
                    }
                }
                Ok(!bytes.is_empty())
            }
            Value::Map(map) => {
                // The body may change the map; Go goes over what it was before.
                let entries: Vec<_> =
                    map.entries().iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                self.spend(entries.len())?;
                let ran = !entries.is_empty();
                for (key, value) in entries {
                    let key = Reflected::concrete(Value::Text(key));
                    let value = Reflected::element(value, element);
                    if self.once(key, &value, branch)? == Flow::Break {
                        break;
                    }
                }
                Ok(ran)
            }
            Value::Nil => Ok(false),
            Value::NilOf(of)
                if matches!(of.kind, super::go_type::Kind::Map | super::go_type::Kind::Slice) =>
            {
                Ok(false)
            }
            other => self.cannot("range can't iterate over ", other, ""),
        }
    }

    fn one_variable(&self, over: &Value, branch: &Branch) -> Done<()> {
        if branch.pipe.variables.len() > 1 {
            return self.cannot("can't use ", over, " to iterate over more than one variable");
        }
        Ok(())
    }

    fn cannot<T>(&self, before: &str, value: &Value, after: &str) -> Done<T> {
        let mut text = Vec::new();
        if let Err(failure) = fmt::print(&mut text, value) {
            return self.limit(failure);
        }
        self.fail([before.as_bytes(), &text, after.as_bytes()].concat())
    }

    /// One round of a range.
    fn once(&mut self, index: Reflected, value: &Reflected, branch: &'t Branch) -> Done<Flow> {
        self.spend(1)?;
        let top = self.variables.len();
        match (branch.pipe.variables.as_slice(), branch.pipe.assigns) {
            ([], _) => {}
            ([variable], true) => self.assign(variable, value.clone())?,
            ([variable, second, ..], true) => {
                self.assign(variable, index)?;
                self.assign(second, value.clone())?;
            }
            ([_], false) => self.variables[top - 1].1 = value.clone(),
            ([_, _, ..], false) => {
                self.variables[top - 1].1 = value.clone();
                self.variables[top - 2].1 = index;
            }
        }
        let flow = self.walk(value, &branch.body)?;
        self.variables.truncate(top);
        Ok(flow)
    }

    fn call_template(&mut self, dot: &Reflected, call: &'t TemplateCall) -> Done<()> {
        self.at = Some(At::Call(call));
        let Some(template) = self.host.template(&call.name) else {
            let name = fmt::quote::quote(&call.name);
            return self.fail(format!("template {name} not defined"));
        };
        if self.depth == DEPTH {
            return self.fail(format!("exceeded maximum template depth ({DEPTH})"));
        }
        if !stack::has_room() {
            return self.fail(format!("exceeded maximum template depth ({})", self.depth));
        }
        let data = match &call.pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Reflected::default(),
        };
        Run::new(self.host, &template, data, self.depth + 1).run()
    }
}
