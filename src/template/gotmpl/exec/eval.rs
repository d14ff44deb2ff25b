//! Pipelines, commands, fields and constants.

use super::super::go_type::{ANY, Kind};
use super::super::stack;
use super::super::syntax::ast::{Command, Operand, Pipe, Variable};
use super::super::syntax::number::Number;
use super::super::value::{Text, Value};
use super::reflected::Reflected;
use super::{At, Done, Missing, Run};
use std::rc::Rc;

impl<'t> Run<'t, '_> {
    /// The value of a pipeline, which its variables get too.
    pub(super) fn pipeline(&mut self, dot: &Reflected, pipe: &'t Pipe) -> Done<Reflected> {
        self.at = Some(At::Pipe(pipe));
        if !stack::has_room() {
            return self.fail("pipelines are nested too deep");
        }
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?.dug());
        }
        let value = value.unwrap_or_default();
        for variable in &pipe.variables {
            if pipe.assigns {
                self.assign(variable, value.clone())?;
            } else {
                self.variables.push((variable.number, value.clone()));
            }
        }
        Ok(value)
    }

    /// Gives a declared variable another value.
    pub(super) fn assign(&mut self, variable: &Variable, value: Reflected) -> Done<()> {
        let index = self.find(variable)?;
        self.variables[index].1 = value;
        Ok(())
    }

    fn find(&mut self, variable: &Variable) -> Done<usize> {
        match self.variables.iter().rposition(|(number, _)| *number == variable.number) {
            Some(index) => {
                self.spend((self.variables.len() - index) / 16)?;
                Ok(index)
            }
            None => self.fail(format!("undefined variable: {}", variable.name)),
        }
    }

    /// A command; `last` is the value of the command before, which becomes the last argument.
    fn command(
        &mut self,
        dot: &Reflected,
        command: &'t Command,
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        self.spend(1)?;
        let (first, arguments) = command.operands.split_first().expect("a command has an operand");
        match first {
            Operand::Field(_, fields) => {
                self.at = Some(At::Operand(first));
                let receiver = dot.clone();
                self.fields(dot, receiver, At::Operand(first), fields, arguments, last)
            }
            Operand::Chain(_, inner, fields) => {
                self.chain(dot, first, inner, fields, arguments, last)
            }
            Operand::Function(_, function) => {
                self.at = Some(At::Operand(first));
                self.call(dot, function, At::Command(command), arguments, last)
            }
            Operand::Pipe(pipe) => {
                self.not_a_function(first, arguments, last.as_ref())?;
                self.pipeline(dot, pipe)
            }
            Operand::Variable(variable) => self.variable(dot, first, variable, arguments, last),
            _ => {
                self.at = Some(At::Operand(first));
                self.not_a_function(first, arguments, last.as_ref())?;
                match first {
                    Operand::Dot(_) => Ok(dot.clone()),
                    Operand::Nil(_) => self.fail("nil is not a command"),
                    other => Ok(Reflected::concrete(self.constant(other)?)),
                }
            }
        }
    }

    fn not_a_function(
        &self,
        first: &Operand,
        arguments: &[Operand],
        last: Option<&Reflected>,
    ) -> Done<()> {
        if !arguments.is_empty() || last.is_some() {
            return self.fail(format!("can't give argument to non-function {first}"));
        }
        Ok(())
    }

    /// An operand by itself, without arguments: all but constants.
    pub(super) fn operand(&mut self, dot: &Reflected, operand: &'t Operand) -> Done<Reflected> {
        match operand {
            Operand::Dot(_) => Ok(dot.clone()),
            Operand::Field(_, fields) => {
                self.at = Some(At::Operand(operand));
                self.fields(dot, dot.clone(), At::Operand(operand), fields, &[], None)
            }
            Operand::Variable(variable) => self.variable(dot, operand, variable, &[], None),
            Operand::Pipe(pipe) => self.pipeline(dot, pipe),
            Operand::Function(_, function) => {
                self.at = Some(At::Operand(operand));
                self.call(dot, function, At::Operand(operand), &[], None)
            }
            Operand::Chain(_, inner, fields) => self.chain(dot, operand, inner, fields, &[], None),
            other => Ok(Reflected::concrete(self.constant(other)?)),
        }
    }

    fn variable(
        &mut self,
        dot: &Reflected,
        operand: &'t Operand,
        variable: &'t Variable,
        arguments: &'t [Operand],
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        self.at = Some(At::Variable(variable));
        let index = self.find(variable)?;
        let value = self.variables[index].1.clone();
        if variable.fields.is_empty() {
            self.not_a_function(operand, arguments, last.as_ref())?;
            return Ok(value);
        }
        self.fields(dot, value, At::Variable(variable), &variable.fields, arguments, last)
    }

    fn chain(
        &mut self,
        dot: &Reflected,
        chain: &'t Operand,
        inner: &'t Operand,
        fields: &'t [Text],
        arguments: &'t [Operand],
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        self.at = Some(At::Operand(chain));
        if let Operand::Nil(_) = inner {
            return self.fail(format!("indirection through explicit nil in {chain}"));
        }
        self.at = Some(At::Operand(inner));
        let receiver = self.operand(dot, inner)?;
        self.fields(dot, receiver, At::Operand(chain), fields, arguments, last)
    }

    /// Fields of fields; the last, if it is a method, gets the arguments.
    fn fields(
        &mut self,
        dot: &Reflected,
        mut receiver: Reflected,
        at: At<'t>,
        fields: &'t [Text],
        arguments: &'t [Operand],
        mut last: Option<Reflected>,
    ) -> Done<Reflected> {
        for (index, field) in fields.iter().enumerate() {
            let is_last = index + 1 == fields.len();
            let arguments = if is_last { arguments } else { &[] };
            let last = if is_last { last.take() } else { None };
            receiver = self.field(dot, receiver, at, field, arguments, last)?;
        }
        Ok(receiver)
    }

    fn field(
        &mut self,
        dot: &Reflected,
        receiver: Reflected,
        at: At<'t>,
        field: &Text,
        arguments: &'t [Operand],
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        let Some(of) = receiver.go_type() else {
            if self.host.missing() == Missing::Error {
                let field = super::fmt::quote::quote(field);
                return self.fail(format!("nil data; no entry for key {field}"));
            }
            return Ok(Reflected::default());
        };
        if receiver.is_nil_interface() {
            return self.fail(format!("nil pointer evaluating {of}.{field}"));
        }
        let value = receiver.value;
        let inner = value.go_type().unwrap_or(&ANY);
        let name = field.as_str().unwrap_or_default();
        if let Some(method) = (inner.method)(name) {
            return self.call_method(dot, method, value, at, arguments, last);
        }
        let given = !arguments.is_empty() || last.is_some();
        match &value {
            Value::Map(_) | Value::NilOf(_) if inner.kind == Kind::Map => {
                if given {
                    return self.fail(format!("{field} is not a method but has arguments"));
                }
                let found = match &value {
                    Value::Map(map) => map.entries().get(field.bytes()).cloned(),
                    _ => None,
                };
                match (found, self.host.missing()) {
                    (Some(found), _) => Ok(Reflected::element(found, inner.elem)),
                    (None, Missing::Zero) => Ok(Reflected::zero(inner.elem)),
                    (None, Missing::Error) => {
                        let field = super::fmt::quote::quote(field);
                        self.fail(format!("map has no entry for key {field}"))
                    }
                    #[cfg(test)]
                    (None, Missing::Nothing) => Ok(Reflected::default()),
                }
            }
            Value::Object(object) => match object.field(name) {
                Some(_) if given => {
                    self.fail(format!("{field} has arguments but cannot be invoked as function"))
                }
                Some(Value::Nil) => Ok(Reflected::nil_interface()),
                Some(value) => Ok(Reflected { value, interface: None, addressed: true }),
                None if object.printed_fields().iter().any(|(hidden, _)| *hidden == name) => {
                    self.fail(format!("{field} is an unexported field of struct type {of}"))
                }
                None => self.fail(format!("can't evaluate field {field} in type {of}")),
            },
            Value::NilOf(_) if inner.kind == Kind::Ptr => {
                self.fail(format!("nil pointer evaluating {of}.{field}"))
            }
            _ => self.fail(format!("can't evaluate field {field} in type {of}")),
        }
    }

    /// A constant where nothing tells which type it must have.
    pub(super) fn constant(&mut self, operand: &'t Operand) -> Done<Value> {
        self.at = Some(At::Operand(operand));
        match operand {
            Operand::Bool(_, bool) => Ok(Value::Bool(*bool)),
            Operand::Text(_, text, _) => Ok(Value::Text(text.clone())),
            Operand::Number(_, number) => self.number(number),
            other => self.fail(format!("can't evaluate command {:?}", other.to_string())),
        }
    }

    fn number(&self, number: &Number) -> Done<Value> {
        let written = number.text.bytes();
        let has = |letters: &[u8]| written.iter().any(|byte| letters.contains(byte));
        let hexadecimal = matches!(written, [b'0', b'x' | b'X', _, ..]) && !has(b"pP");
        if let Some(parts) = number.complex {
            return Ok(Value::Complex(Rc::new(parts)));
        }
        if let Some(float) = number.float
            && !hexadecimal
            && !written.starts_with(b"'")
            && has(b".eEpP")
        {
            return Ok(Value::float(float));
        }
        match (number.int, number.uint) {
            (Some(int), _) => Ok(Value::int(int)),
            (None, Some(_)) => self.fail(format!("{} overflows int", number.text)),
            (None, None) => Ok(Value::Nil),
        }
    }
}
