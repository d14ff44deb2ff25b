//! Parts of a template as Go writes them in errors: what was parsed, with single spaces.

use super::super::value::Text;
use super::ast::{Body, Branch, Command, Node, Operand, Pipe, TemplateCall, Variable};
use std::fmt::{Display, Formatter, Result};

impl Display for Body {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.nodes.iter().try_for_each(|node| node.fmt(f))
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Node::Text(_, text) => text.fmt(f),
            Node::Action(pipe) => write!(f, "{{{{{pipe}}}}}"),
            Node::If(branch) => write_branch(f, "if", branch),
            Node::With(branch) => write_branch(f, "with", branch),
            Node::Range(branch) => write_branch(f, "range", branch),
            Node::Break(_) => f.write_str("{{break}}"),
            Node::Continue(_) => f.write_str("{{continue}}"),
            Node::Call(call) => call.fmt(f),
        }
    }
}

fn write_branch(f: &mut Formatter<'_>, keyword: &str, branch: &Branch) -> Result {
    write!(f, "{{{{{keyword} {}}}}}{}", branch.pipe, branch.body)?;
    if let Some(otherwise) = &branch.otherwise {
        write!(f, "{{{{else}}}}{otherwise}")?;
    }
    f.write_str("{{end}}")
}

impl Display for TemplateCall {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{{{{template {}", super::quote(&self.name))?;
        if let Some(pipe) = &self.pipe {
            write!(f, " {pipe}")?;
        }
        f.write_str("}}")
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, variable) in self.variables.iter().enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            variable.fmt(f)?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (index, command) in self.commands.iter().enumerate() {
            f.write_str(if index > 0 { " | " } else { "" })?;
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, operand) in self.operands.iter().enumerate() {
            f.write_str(if index > 0 { " " } else { "" })?;
            write_operand(f, operand)?;
        }
        Ok(())
    }
}

/// An operand inside of another thing: a pipeline stands in parentheses there.
fn write_operand(f: &mut Formatter<'_>, operand: &Operand) -> Result {
    match operand {
        Operand::Pipe(pipe) => write!(f, "({pipe})"),
        other => other.fmt(f),
    }
}

impl Display for Variable {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.name.fmt(f)?;
        write_fields(f, &self.fields)
    }
}

fn write_fields(f: &mut Formatter<'_>, fields: &[Text]) -> Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Operand::Dot(_) => f.write_str("."),
            Operand::Nil(_) => f.write_str("nil"),
            Operand::Bool(_, value) => value.fmt(f),
            Operand::Number(_, number) => number.text.fmt(f),
            Operand::Text(_, _, Some(written)) => written.fmt(f),
            Operand::Text(_, text, None) => write!(f, "\"{text}\""),
            Operand::Function(_, function) => f.write_str(function.name),
            Operand::Field(_, fields) => write_fields(f, fields),
            Operand::Variable(variable) => variable.fmt(f),
            Operand::Chain(_, operand, fields) => {
                write_operand(f, operand)?;
                write_fields(f, fields)
            }
            Operand::Pipe(pipe) => pipe.fmt(f),
        }
    }
}
