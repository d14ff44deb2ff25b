//! Values as templates see them: Go's, with maps that are shared and can be changed by whoever
//! holds them.

use super::function::Function;
use super::go_type::{self, Type};
use crate::yaml::Node;
use std::any::Any;
use std::borrow::Cow;
use std::cell::{OnceCell, Ref, RefCell, RefMut};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Text as Go has it: bytes that are mostly, but need not be, UTF-8. Cloning shares them.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<[u8]>);

impl Text {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, when it is UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The text, with U+FFFD where it is not UTF-8.
    #[must_use]
    pub fn lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// True when it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Text {
        Text(text.as_bytes().into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Text {
        Text(text.into_bytes().into())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Text {
        Text(bytes.into())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Text {
        Text(bytes.into())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.lossy(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lossy())
    }
}

/// A value. Cloning one is cheap and shares lists, maps and objects.
#[derive(Clone, Default)]
pub enum Value {
    /// Nil without a type: an empty interface, the literal `nil`, a key that is not there.
    #[default]
    Nil,
    /// Nil of a type that has one: a nil map, list, pointer or function.
    NilOf(&'static Type),
    /// `bool`.
    Bool(bool),
    /// A signed integer of a type.
    Int(i64, &'static Type),
    /// An unsigned integer of a type.
    Uint(u64, &'static Type),
    /// A double, or a `float32` that has been widened.
    Float(f64, &'static Type),
    /// `complex128`: real and imaginary part.
    Complex(Rc<(f64, f64)>),
    /// `string`.
    Text(Text),
    /// `[]uint8`.
    Bytes(Text),
    /// A slice of any other type.
    List(List),
    /// A map whose keys are strings.
    Map(Map),
    /// A struct, a pointer to one, or another type of its own.
    Object(Rc<dyn Object>),
    /// A function, bound to its receiver if it is a method.
    Function(&'static Function, Option<Rc<Value>>),
}

/// A slice. Clones are the same slice: sorting is the one change that a template can make to it.
#[derive(Clone)]
pub struct List {
    of: &'static Type,
    slice: Rc<Slice>,
}

struct Slice {
    items: Vec<Value>,
    /// What took the place of the items.
    sorted: OnceCell<Vec<Value>>,
}

impl List {
    /// A list of the given type, such as [`go_type::ANY_LIST`].
    pub fn new(of: &'static Type, items: impl Into<Vec<Value>>) -> List {
        List { of, slice: Rc::new(Slice { items: items.into(), sorted: OnceCell::new() }) }
    }

    /// Its type.
    #[must_use]
    pub fn go_type(&self) -> &'static Type {
        self.of
    }

    /// The same list under another type.
    #[must_use]
    pub fn typed(&self, of: &'static Type) -> List {
        List { of, slice: Rc::clone(&self.slice) }
    }

    /// Sorts it for everyone who holds it. Once is enough: `sortAlpha` has one order.
    pub fn sort_by(&self, compare: impl FnMut(&Value, &Value) -> std::cmp::Ordering) {
        self.slice.sorted.get_or_init(|| {
            let mut items = self.slice.items.clone();
            items.sort_by(compare);
            items
        });
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.of, &**self)
    }
}

impl std::ops::Deref for List {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.slice.sorted.get().unwrap_or(&self.slice.items)
    }
}

/// A map. Clones are the same map: what one changes, all see.
#[derive(Clone)]
pub struct Map {
    entries: Rc<RefCell<Entries>>,
    of: &'static Type,
}

/// The entries of a map, in the order of their keys' bytes.
pub type Entries = BTreeMap<Text, Value>;

impl Map {
    /// A map of the given type, such as [`go_type::ANY_MAP`].
    #[must_use]
    pub fn new(of: &'static Type, entries: Entries) -> Map {
        Map { entries: Rc::new(RefCell::new(entries)), of }
    }

    /// A `map[string]interface {}`.
    #[must_use]
    pub fn any(entries: Entries) -> Map {
        Map::new(&go_type::ANY_MAP, entries)
    }

    /// Its type.
    #[must_use]
    pub fn go_type(&self) -> &'static Type {
        self.of
    }

    /// The same map under another type, as a conversion in Go gives it.
    #[must_use]
    pub fn typed(&self, of: &'static Type) -> Map {
        Map { entries: self.entries.clone(), of }
    }

    /// Its entries, to be read. They must not be held while anything of a template runs.
    #[must_use]
    pub fn entries(&self) -> Ref<'_, Entries> {
        self.entries.borrow()
    }

    /// Its entries, to be changed. They must not be held while anything of a template runs.
    #[must_use]
    pub fn entries_mut(&self) -> RefMut<'_, Entries> {
        self.entries.borrow_mut()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.entries().get(key.as_bytes()).cloned()
    }

    /// Sets a key for everyone who holds the map.
    pub fn set(&self, key: impl Into<Text>, value: Value) {
        self.entries_mut().insert(key.into(), value);
    }

    /// True when both are the same map, not only equal ones.
    #[must_use]
    pub fn is(&self, other: &Map) -> bool {
        Rc::ptr_eq(&self.entries, &other.entries)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.of, self.entries())
    }
}

/// A value with a type of its own.
pub trait Object: fmt::Debug + Any {
    /// Its type, which knows its methods.
    fn go_type(&self) -> &'static Type;

    /// Its exported fields, in the order in which they are declared.
    fn fields(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// An exported field.
    fn field(&self, name: &str) -> Option<Value> {
        self.fields().into_iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// All its fields, those that are not exported too, which only printing shows.
    fn printed_fields(&self) -> Vec<(&'static str, Value)> {
        self.fields()
    }

    /// What its `Error` or `String` method gives, which is what gets printed.
    fn text(&self) -> Option<Text> {
        None
    }

    /// What its `GoString` method gives, which is what `%#v` prints.
    fn syntax(&self) -> Option<Text> {
        None
    }

    /// What the `String` method of a pointer to it gives. Templates print that, since they reach a
    /// field through a pointer; functions get the value alone.
    fn addressed_text(&self) -> Option<Text> {
        None
    }

    /// Its fields under the names that encoders write, in their order.
    fn encoded_fields(&self) -> Vec<(&'static str, Value)> {
        self.fields()
    }

    /// What it points to, if it is a pointer to something that is no struct.
    fn pointee(&self) -> Option<Value> {
        None
    }

    /// Itself, to be looked at as what it is.
    fn as_any(&self) -> &dyn Any;

    /// What encoders write in its place, where that is not a map of its fields.
    fn encoded(&self) -> Option<Value> {
        None
    }
}

impl Value {
    /// `int`.
    #[must_use]
    pub fn int(int: i64) -> Value {
        Value::Int(int, &go_type::INT)
    }

    /// `int64`.
    #[must_use]
    pub fn int64(int: i64) -> Value {
        Value::Int(int, &go_type::INT64)
    }

    /// `float64`.
    #[must_use]
    pub fn float(float: f64) -> Value {
        Value::Float(float, &go_type::FLOAT64)
    }

    /// `string`.
    pub fn text(text: impl Into<Text>) -> Value {
        Value::Text(text.into())
    }

    /// `[]interface {}`.
    pub fn list(items: impl Into<Vec<Value>>) -> Value {
        Value::List(List::new(&go_type::ANY_LIST, items))
    }

    /// `[]string`.
    pub fn texts<T: Into<Text>>(items: impl IntoIterator<Item = T>) -> Value {
        let items: Vec<Value> = items.into_iter().map(Value::text).collect();
        Value::List(List::new(&go_type::STRING_LIST, items))
    }

    /// `map[string]interface {}`.
    #[must_use]
    pub fn map(entries: Entries) -> Value {
        Value::Map(Map::any(entries))
    }

    /// Its type; nothing for nil without a type.
    #[must_use]
    pub fn go_type(&self) -> Option<&'static Type> {
        Some(match self {
            Value::Nil => return None,
            Value::NilOf(of) | Value::Int(_, of) | Value::Uint(_, of) | Value::Float(_, of) => of,
            Value::Bool(_) => &go_type::BOOL,
            Value::Complex(_) => &go_type::COMPLEX128,
            Value::Text(_) => &go_type::STRING,
            Value::Bytes(_) => &go_type::BYTES,
            Value::List(list) => list.of,
            Value::Map(map) => map.of,
            Value::Object(object) => object.go_type(),
            Value::Function(..) => &go_type::FUNC,
        })
    }

    /// A value of YAML or JSON as Helm's reader gives it: every number is a double, nothing has an
    /// origin any more.
    #[must_use]
    pub fn from_node(node: &Node) -> Value {
        use crate::yaml::Value as Yaml;
        match &node.value {
            Yaml::Null => Value::Nil,
            Yaml::Bool(bool) => Value::Bool(*bool),
            Yaml::Number(number) => Value::float(number.as_f64()),
            Yaml::String(text) => Value::text(text.as_str()),
            Yaml::List(items) => {
                Value::list(items.iter().map(Value::from_node).collect::<Vec<_>>())
            }
            Yaml::Map(map) => Value::map(
                map.iter()
                    .map(|entry| (Text::from(entry.key.as_str()), Value::from_node(&entry.value)))
                    .collect(),
            ),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::NilOf(of) => write!(f, "{of}(nil)"),
            Value::Bool(bool) => write!(f, "{bool}"),
            Value::Int(int, of) => write!(f, "{of}({int})"),
            Value::Uint(int, of) => write!(f, "{of}({int})"),
            Value::Float(float, of) => write!(f, "{of}({float})"),
            Value::Complex(parts) => write!(f, "complex128{parts:?}"),
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Bytes(text) => write!(f, "[]uint8({text:?})"),
            Value::List(list) => write!(f, "{list:?}"),
            Value::Map(map) => write!(f, "{map:?}"),
            Value::Object(object) => write!(f, "{object:?}"),
            Value::Function(function, _) => write!(f, "func {}", function.name),
        }
    }
}
