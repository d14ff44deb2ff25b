//! A value and how it was reached: what Go's reflection knows of it. The same text taken from a map
//! of anything is an `interface {}` that holds a string, from a variable it is a string; errors tell
//! the difference.

use super::super::go_type::{ANY, Kind, REFLECT, Type};
use super::super::value::{Text, Value};

/// A value with the interface through which it was reached.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Reflected {
    pub(in super::super) value: Value,
    /// The type of the interface that holds it; nothing when the value stands for itself.
    pub(in super::super) interface: Option<&'static Type>,
    /// True for a field of something that a pointer points to: methods of pointers to it are its
    /// own then.
    pub(super) addressed: bool,
}

impl Reflected {
    /// A value that stands for itself. Nil without a type is no value at all, for Go an invalid one.
    pub(super) fn concrete(value: Value) -> Reflected {
        Reflected { value, interface: None, addressed: false }
    }

    /// What a map, a list or a function holds whose elements are of that type.
    pub(super) fn element(value: Value, of: Option<&'static Type>) -> Reflected {
        let interface = of.filter(|of| of.kind == Kind::Interface);
        Reflected { value, interface, addressed: false }
    }

    /// What is there before anything is put there, for an element of that type.
    pub(in super::super) fn zero(of: Option<&'static Type>) -> Reflected {
        Reflected::element(of.map_or(Value::Nil, zero), of)
    }

    /// Nil in an interface that takes anything.
    pub(super) fn nil_interface() -> Reflected {
        Reflected { interface: Some(&ANY), ..Reflected::default() }
    }

    /// True for an interface that holds nothing.
    pub(super) fn is_nil_interface(&self) -> bool {
        self.interface.is_some() && matches!(self.value, Value::Nil)
    }

    /// The type by which it was reached; nothing when it is invalid.
    pub(super) fn go_type(&self) -> Option<&'static Type> {
        self.interface.or_else(|| self.value.go_type())
    }

    /// The value itself: what pipelines do with an interface.
    pub(super) fn dug(self) -> Reflected {
        Reflected { interface: None, ..self }
    }
}

/// The zero value of a type.
pub(in super::super) fn zero(of: &'static Type) -> Value {
    match of.kind {
        Kind::Bool => Value::Bool(false),
        kind if kind.is_int() => Value::Int(0, of),
        kind if kind.is_uint() => Value::Uint(0, of),
        kind if kind.is_float() => Value::Float(0.0, of),
        Kind::String => Value::Text(Text::default()),
        Kind::Interface | Kind::Invalid => Value::Nil,
        _ if of == &REFLECT => Value::Nil,
        _ => Value::NilOf(of),
    }
}

/// What a value is when templates ask whether it is true.
pub(in super::super) fn truth(value: &Value) -> bool {
    match value {
        Value::Nil | Value::NilOf(_) => false,
        Value::Bool(bool) => *bool,
        Value::Int(int, _) => *int != 0,
        Value::Uint(int, _) => *int != 0,
        Value::Float(float, _) => *float != 0.0,
        Value::Complex(parts) => **parts != (0.0, 0.0),
        Value::Text(text) | Value::Bytes(text) => !text.is_empty(),
        Value::List(list) => !list.is_empty(),
        Value::Map(map) => !map.entries().is_empty(),
        Value::Object(_) | Value::Function(..) => true,
    }
}

/// A value under the type of a parameter that takes it.
pub(super) fn retyped(value: Value, of: &'static Type) -> Value {
    if of == &ANY {
        return value;
    }
    match value {
        Value::Map(map) if map.go_type() != of => Value::Map(map.typed(of)),
        Value::List(list) if list.go_type() != of => Value::List(list.typed(of)),
        Value::NilOf(_) => Value::NilOf(of),
        other => other,
    }
}
