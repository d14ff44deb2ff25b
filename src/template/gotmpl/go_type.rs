//! Types as Go's reflection names them. Templates show them: `typeOf`, `printf "%T"`, and the texts
//! of errors.

use super::function::Function;
use super::value::Text;
use std::fmt;

/// The kinds of Go's types (package `reflect`) that a template can meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Nothing at all: what `reflect.ValueOf(nil)` is.
    Invalid,
    /// `bool`.
    Bool,
    /// `int`.
    Int,
    /// `int8`.
    Int8,
    /// `int16`.
    Int16,
    /// `int32`.
    Int32,
    /// `int64`.
    Int64,
    /// `uint`.
    Uint,
    /// `uint8`.
    Uint8,
    /// `uint16`.
    Uint16,
    /// `uint32`.
    Uint32,
    /// `uint64`.
    Uint64,
    /// `uintptr`.
    Uintptr,
    /// `float32`.
    Float32,
    /// `float64`.
    Float64,
    /// `complex64`.
    Complex64,
    /// `complex128`.
    Complex128,
    /// An array of fixed length.
    Array,
    /// A channel.
    Chan,
    /// A function.
    Func,
    /// An interface.
    Interface,
    /// A map.
    Map,
    /// A pointer.
    Ptr,
    /// A slice.
    Slice,
    /// `string`.
    String,
    /// A struct.
    Struct,
}

impl Kind {
    /// The name that `kindOf` gives.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::Bool => "bool",
            Kind::Int => "int",
            Kind::Int8 => "int8",
            Kind::Int16 => "int16",
            Kind::Int32 => "int32",
            Kind::Int64 => "int64",
            Kind::Uint => "uint",
            Kind::Uint8 => "uint8",
            Kind::Uint16 => "uint16",
            Kind::Uint32 => "uint32",
            Kind::Uint64 => "uint64",
            Kind::Uintptr => "uintptr",
            Kind::Float32 => "float32",
            Kind::Float64 => "float64",
            Kind::Complex64 => "complex64",
            Kind::Complex128 => "complex128",
            Kind::Array => "array",
            Kind::Chan => "chan",
            Kind::Func => "func",
            Kind::Interface => "interface",
            Kind::Map => "map",
            Kind::Ptr => "ptr",
            Kind::Slice => "slice",
            Kind::String => "string",
            Kind::Struct => "struct",
        }
    }

    /// True for signed integers.
    #[must_use]
    pub fn is_int(self) -> bool {
        matches!(self, Kind::Int | Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64)
    }

    /// True for unsigned integers.
    #[must_use]
    pub fn is_uint(self) -> bool {
        use Kind::{Uint, Uint8, Uint16, Uint32, Uint64, Uintptr};
        matches!(self, Uint | Uint8 | Uint16 | Uint32 | Uint64 | Uintptr)
    }

    /// True for `float32` and `float64`.
    #[must_use]
    pub fn is_float(self) -> bool {
        matches!(self, Kind::Float32 | Kind::Float64)
    }

    /// True when a value of the kind can be nil.
    #[must_use]
    pub fn can_be_nil(self) -> bool {
        use Kind::{Chan, Func, Interface, Map, Ptr, Slice};
        matches!(self, Chan | Func | Interface | Map | Ptr | Slice)
    }
}

/// A Go type. Two are the same when their names are.
pub struct Type {
    /// What `%T` prints.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What a list or a map holds, or a pointer points to.
    pub elem: Option<&'static Type>,
    /// Its methods by name; the receiver is their first argument.
    pub method: fn(&str) -> Option<&'static Function>,
    /// What the `String` method of an integer type gives; an object says it itself.
    pub text: Option<fn(i64) -> Text>,
}

impl Type {
    /// A type without methods.
    #[must_use]
    pub const fn plain(name: &'static str, kind: Kind) -> Type {
        Type { name, kind, elem: None, method: no_method, text: None }
    }

    /// The type with methods.
    #[must_use]
    pub const fn with(self, method: fn(&str) -> Option<&'static Function>) -> Type {
        Type { method, ..self }
    }

    /// True when a value of another type can be given for one of this, as Go's assignments allow:
    /// the types are the same, this is the empty interface, or they differ in nothing but a name
    /// that one of them has.
    #[must_use]
    pub fn takes(&self, other: &Type) -> bool {
        let named = |of: &Type| !of.name.starts_with('[') && !of.name.starts_with("map[");
        self == other
            || self == &ANY
            || matches!(self.kind, Kind::Map | Kind::Slice)
                && self.kind == other.kind
                && self.elem == other.elem
                && !(named(self) && named(other))
    }

    /// A type that holds others.
    #[must_use]
    pub const fn of(name: &'static str, kind: Kind, elem: &'static Type) -> Type {
        Type { name, kind, elem: Some(elem), method: no_method, text: None }
    }
}

/// For types without methods.
#[must_use]
pub fn no_method(_: &str) -> Option<&'static Function> {
    None
}

impl PartialEq for Type {
    fn eq(&self, other: &Type) -> bool {
        std::ptr::eq(self, other) || self.name == other.name
    }
}

impl Eq for Type {}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// `interface {}`: a parameter of this type takes anything.
pub static ANY: Type = Type::plain("interface {}", Kind::Interface);
/// `error`.
pub static ERROR: Type = Type::plain("error", Kind::Interface);
/// `reflect.Value`: a parameter of this type takes the argument with what the engine knows of it.
pub static REFLECT: Type = Type::plain("reflect.Value", Kind::Struct);
/// `bool`.
pub static BOOL: Type = Type::plain("bool", Kind::Bool);
/// `int`, 64 bits.
pub static INT: Type = Type::plain("int", Kind::Int);
/// `int32`, which characters are too.
pub static INT32: Type = Type::plain("int32", Kind::Int32);
/// `int64`.
pub static INT64: Type = Type::plain("int64", Kind::Int64);
/// `uint`.
pub static UINT: Type = Type::plain("uint", Kind::Uint);
/// `uint8`, a byte.
pub static UINT8: Type = Type::plain("uint8", Kind::Uint8);
/// `uint16`.
pub static UINT16: Type = Type::plain("uint16", Kind::Uint16);
/// `uint32`.
pub static UINT32: Type = Type::plain("uint32", Kind::Uint32);
/// `uint64`.
pub static UINT64: Type = Type::plain("uint64", Kind::Uint64);
/// `float64`.
pub static FLOAT64: Type = Type::plain("float64", Kind::Float64);
/// `complex128`.
pub static COMPLEX128: Type = Type::plain("complex128", Kind::Complex128);
/// `string`.
pub static STRING: Type = Type::plain("string", Kind::String);
/// `[]interface {}`.
pub static ANY_LIST: Type = Type::of("[]interface {}", Kind::Slice, &ANY);
/// `[]string`.
pub static STRING_LIST: Type = Type::of("[]string", Kind::Slice, &STRING);
/// `[]int`.
pub static INT_LIST: Type = Type::of("[]int", Kind::Slice, &INT);
/// `[]uint8`.
pub static BYTES: Type = Type::of("[]uint8", Kind::Slice, &UINT8);
/// `map[string]interface {}`.
pub static ANY_MAP: Type = Type::of("map[string]interface {}", Kind::Map, &ANY);
/// `map[string]string`.
pub static STRING_MAP: Type = Type::of("map[string]string", Kind::Map, &STRING);
/// What functions are, whatever their signature.
pub static FUNC: Type = Type::plain("func()", Kind::Func);
