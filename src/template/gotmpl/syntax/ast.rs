//! The tree of a template. Every part knows where it starts; parts write themselves as Go writes
//! them in errors ([`std::fmt::Display`], in `print`).
//!
//! Trees hold no values of a render, so that one can be shared by threads.

use super::super::function::Function;
use super::super::stack;
use super::super::value::Text;
use super::number::Number;
use std::sync::Arc;

/// A text that was parsed, with what must be known of it to tell places.
#[derive(Debug)]
pub struct Source {
    /// The name of the file, which errors tell.
    pub name: Text,
    /// Its text.
    pub text: Text,
    /// Names of variables, in the order of their numbers. The first is `$`.
    pub variables: Vec<Text>,
}

/// One template: the body of a file, or a `define` in it.
#[derive(Debug)]
pub struct Template {
    /// Its name.
    pub name: Text,
    /// The text that it stands in.
    pub source: Arc<Source>,
    /// What it consists of.
    pub body: Body,
    /// True when it holds only space: such a template never replaces another.
    pub blank: bool,
    /// True when its text nests so deep that only a large stack is enough to go through it.
    pub deep: bool,
}

impl Drop for Template {
    fn drop(&mut self) {
        if self.deep {
            let body = std::mem::take(&mut self.body);
            stack::with_room(move || drop(body));
        }
    }
}

/// Nodes in a row.
#[derive(Debug, Default)]
pub struct Body {
    /// Where it starts.
    pub start: usize,
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A piece of a body.
#[derive(Debug)]
pub enum Node {
    /// Text that is written as it is.
    Text(usize, Text),
    /// A pipeline whose value is printed.
    Action(Pipe),
    /// `{{if}}`.
    If(Box<Branch>),
    /// `{{with}}`.
    With(Box<Branch>),
    /// `{{range}}`.
    Range(Box<Branch>),
    /// `{{break}}`.
    Break(usize),
    /// `{{continue}}`.
    Continue(usize),
    /// `{{template}}` or `{{block}}`.
    Call(Box<TemplateCall>),
}

/// A pipeline that decides what of two bodies is done.
#[derive(Debug)]
pub struct Branch {
    /// What decides.
    pub pipe: Pipe,
    /// What is done when it is true, or for each element.
    pub body: Body,
    /// What is done else.
    pub otherwise: Option<Body>,
}

/// `{{template "name" pipeline}}`.
#[derive(Debug)]
pub struct TemplateCall {
    /// Where the name starts.
    pub start: usize,
    /// The template to execute.
    pub name: Text,
    /// What is its dot.
    pub pipe: Option<Pipe>,
}

/// Commands, each of which gets the value of the one before as its last argument.
#[derive(Debug)]
pub struct Pipe {
    /// Where it starts.
    pub start: usize,
    /// Variables that get the value.
    pub variables: Vec<Variable>,
    /// True for `=`, false for `:=`.
    pub assigns: bool,
    /// The commands.
    pub commands: Vec<Command>,
}

/// Operands in a row: a value, or a function and its arguments.
#[derive(Debug)]
pub struct Command {
    /// Where it starts.
    pub start: usize,
    /// The operands, at least one.
    pub operands: Vec<Operand>,
}

/// A variable with the fields that are taken of it.
#[derive(Debug)]
pub struct Variable {
    /// Where it starts.
    pub start: usize,
    /// Its name with the dollar sign.
    pub name: Text,
    /// Its number in the source.
    pub number: usize,
    /// The fields.
    pub fields: Vec<Text>,
}

/// What a command consists of.
#[derive(Debug)]
pub enum Operand {
    /// `.`
    Dot(usize),
    /// `nil`
    Nil(usize),
    /// `true` or `false`
    Bool(usize, bool),
    /// A number or a character.
    Number(usize, Box<Number>),
    /// A text, and how it was written, unless that is as it is between double quotes.
    Text(usize, Text, Option<Text>),
    /// A function.
    Function(usize, &'static Function),
    /// `.a.b`
    Field(usize, Vec<Text>),
    /// `$x.a.b`
    Variable(Variable),
    /// `(pipeline).a.b`, and the same of a function.
    Chain(usize, Box<Operand>, Vec<Text>),
    /// `(pipeline)`
    Pipe(Pipe),
}

impl Node {
    /// Where it starts.
    #[must_use]
    pub fn start(&self) -> usize {
        match self {
            Node::Text(start, _) | Node::Break(start) | Node::Continue(start) => *start,
            Node::Action(pipe) => pipe.start,
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => branch.pipe.start,
            Node::Call(call) => call.start,
        }
    }
}

impl Operand {
    /// Where it starts.
    #[must_use]
    pub fn start(&self) -> usize {
        match self {
            Operand::Dot(start)
            | Operand::Nil(start)
            | Operand::Bool(start, _)
            | Operand::Number(start, _)
            | Operand::Text(start, ..)
            | Operand::Function(start, _)
            | Operand::Field(start, _)
            | Operand::Chain(start, ..) => *start,
            Operand::Variable(variable) => variable.start,
            Operand::Pipe(pipe) => pipe.start,
        }
    }
}
