//! Calls: arguments become what parameters want, by the rules of Go's reflection.

use super::super::function::Function;
use super::super::go_type::{ANY, Kind, REFLECT, Type};
use super::super::syntax::ast::Operand;
use super::super::value::{Text, Value};
use super::reflected::{Reflected, retyped, truth, zero};
use super::{At, Done, Run};
use std::rc::Rc;

impl<'t> Run<'t, '_> {
    /// Calls a function; `last` comes after all other arguments.
    pub(super) fn call(
        &mut self,
        dot: &Reflected,
        function: &'static Function,
        at: At<'t>,
        arguments: &'t [Operand],
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        self.check_count(function, arguments.len(), last.is_some())?;
        match function.name {
            "and" => self.until(false, dot, arguments, last),
            "or" => self.until(true, dot, arguments, last),
            "call" => {
                // Its errors tell the function as it is written.
                let callee = match (arguments.first(), &last) {
                    (Some(first), _) => first.to_string().into(),
                    (None, Some(Reflected { value: Value::Text(text), .. })) => text.clone(),
                    (None, Some(last)) => match last.go_type() {
                        Some(of) => format!("<{of} Value>").into(),
                        None => "<invalid Value>".into(),
                    },
                    (None, None) => Text::default(),
                };
                let mut values = vec![Value::text(callee)];
                self.arguments(dot, function, arguments, last, &mut values)?;
                self.apply(function, at, &values)
            }
            _ => {
                let mut values = Vec::with_capacity(arguments.len() + 1);
                self.arguments(dot, function, arguments, last, &mut values)?;
                self.apply(function, at, &values)
            }
        }
    }

    /// Calls a method.
    pub(super) fn call_method(
        &mut self,
        dot: &Reflected,
        method: &'static Function,
        receiver: Value,
        at: At<'t>,
        arguments: &'t [Operand],
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        self.check_count(method, arguments.len(), last.is_some())?;
        let mut values = vec![receiver];
        self.arguments(dot, method, arguments, last, &mut values)?;
        self.apply(method, at, &values)
    }

    fn check_count(&self, function: &Function, given: usize, piped: bool) -> Done<()> {
        let (name, params) = (function.name, function.params.len());
        let all = given + usize::from(piped);
        if function.variadic {
            let wanted = params - 1;
            if all < wanted {
                return self.fail(format!(
                    "wrong number of args for {name}: want at least {wanted} got {given}"
                ));
            }
        } else if all != params {
            return self.fail(format!("wrong number of args for {name}: want {params} got {all}"));
        }
        Ok(())
    }

    fn arguments(
        &mut self,
        dot: &Reflected,
        function: &Function,
        arguments: &'t [Operand],
        last: Option<Reflected>,
        values: &mut Vec<Value>,
    ) -> Done<()> {
        let param = |index: usize| function.params[index.min(function.params.len() - 1)];
        for (index, argument) in arguments.iter().enumerate() {
            let value = self.argument(dot, param(index), argument)?;
            values.push(value);
        }
        if let Some(last) = last {
            values.push(self.fit(last, param(arguments.len()))?);
        }
        Ok(())
    }

    fn apply(
        &mut self,
        function: &'static Function,
        at: At<'t>,
        args: &[Value],
    ) -> Done<Reflected> {
        let result = self.host.call(function, args);
        match result {
            Ok(Value::Nil) => Ok(Reflected::nil_interface()),
            Ok(value) => Ok(Reflected::concrete(value)),
            Err(failure) => {
                self.at = Some(at);
                self.fail_with(format!("error calling {}: ", function.name), failure)
            }
        }
    }

    /// `and` and `or`: the first argument whose truth is `wanted`, or the last. What follows it is
    /// not evaluated, but for the value of the command before, which has been already.
    fn until(
        &mut self,
        wanted: bool,
        dot: &Reflected,
        arguments: &'t [Operand],
        last: Option<Reflected>,
    ) -> Done<Reflected> {
        let mut value = Reflected::default();
        for argument in arguments {
            value = self.reflect(dot, argument)?;
            if truth(&value.value) == wanted {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }

    /// An argument for a parameter of type `reflect.Value`.
    fn reflect(&mut self, dot: &Reflected, operand: &'t Operand) -> Done<Reflected> {
        self.at = Some(At::Operand(operand));
        match operand {
            Operand::Nil(_) => Ok(Reflected::default()),
            other => self.operand(dot, other),
        }
    }

    /// An argument for a parameter of a type.
    fn argument(
        &mut self,
        dot: &Reflected,
        param: &'static Type,
        operand: &'t Operand,
    ) -> Done<Value> {
        self.at = Some(At::Operand(operand));
        match operand {
            Operand::Nil(_) if param.kind.can_be_nil() || param == &REFLECT => Ok(zero(param)),
            Operand::Nil(_) => self.fail(format!("cannot assign nil to {param}")),
            Operand::Bool(..) | Operand::Text(..) | Operand::Number(..) => {
                self.literal(param, operand)
            }
            _ => {
                let value = self.operand(dot, operand)?;
                self.fit(value, param)
            }
        }
    }

    /// A constant for a parameter of a type.
    fn literal(&mut self, param: &'static Type, operand: &'t Operand) -> Done<Value> {
        let number = match operand {
            Operand::Number(_, number) => Some(number),
            _ => None,
        };
        let (found, wanted) = match param.kind {
            Kind::Bool => match operand {
                Operand::Bool(_, bool) => (Some(Value::Bool(*bool)), "bool"),
                _ => (None, "bool"),
            },
            Kind::String => match operand {
                Operand::Text(_, text, _) => (Some(Value::Text(text.clone())), "string"),
                _ => (None, "string"),
            },
            Kind::Complex64 | Kind::Complex128 => {
                let parts = number.and_then(|number| number.complex);
                (parts.map(|parts| Value::Complex(Rc::new(parts))), "complex")
            }
            kind if kind.is_float() => {
                let float = number.and_then(|number| number.float);
                (float.map(|float| Value::Float(float, param)), "float")
            }
            kind if kind.is_int() => {
                let int = number.and_then(|number| number.int);
                (int.map(|int| Value::Int(int, param)), "integer")
            }
            kind if kind.is_uint() => {
                let int = number.and_then(|number| number.uint);
                (int.map(|int| Value::Uint(int, param)), "unsigned integer")
            }
            _ if param == &ANY || param == &REFLECT => return self.constant(operand),
            _ => return self.fail(format!("can't handle {operand} for arg of type {param}")),
        };
        match found {
            Some(value) => Ok(value),
            None => self.fail(format!("expected {wanted}; found {operand}")),
        }
    }

    /// A value as a parameter of a type takes it.
    fn fit(&self, given: Reflected, param: &'static Type) -> Done<Value> {
        let Some(of) = given.go_type() else {
            if param.kind.can_be_nil() || param == &REFLECT {
                return Ok(zero(param));
            }
            return self.fail(format!("invalid value; expected {param}"));
        };
        if param == &REFLECT {
            return Ok(match given.interface {
                Some(interface) if given.is_nil_interface() => Value::NilOf(interface),
                _ => given.value,
            });
        }
        if param == &ANY {
            return Ok(given.value);
        }
        if given.is_nil_interface() {
            return self.fail(format!("wrong type for value; expected {param}; got {of}"));
        }
        let of = given.value.go_type().unwrap_or(of);
        if param.takes(of) {
            return Ok(retyped(given.value, param));
        }
        if of.kind == Kind::Ptr && of.elem.is_some_and(|elem| param.takes(elem)) {
            return match &given.value {
                Value::Object(object) => {
                    Ok(object.pointee().unwrap_or_else(|| given.value.clone()))
                }
                _ => self.fail(format!("dereference of nil pointer of type {param}")),
            };
        }
        // A struct is reached through a pointer, so it has an address.
        if of.kind == Kind::Struct && param.kind == Kind::Ptr && param.elem == Some(of) {
            return Ok(given.value);
        }
        self.fail(format!("wrong type for value; expected {param}; got {of}"))
    }
}
