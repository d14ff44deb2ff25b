//! What templates can call: a signature that the engine checks as Go's reflection does, and a body
//! that gets arguments of just these types.

use super::go_type::Type;
use super::value::{Map, Text, Value};
use super::world::World;
use std::fmt;

/// A function, or a method: its receiver is the first argument, but no parameter.
pub struct Function {
    /// Its name in templates.
    pub name: &'static str,
    /// The types of its parameters; of the repeated one, if it is variadic, the type of one.
    pub params: &'static [&'static Type],
    /// True when the last parameter takes any number of arguments.
    pub variadic: bool,
    /// What it does.
    pub body: Body,
}

/// The body of a function. Its arguments have the types of the signature: nil is
/// [`Value::NilOf`] where the parameter is a map, a list or a pointer, and [`Value::Nil`] where it
/// is an interface.
pub type Body = fn(&mut Call<'_>) -> Result<Value, Failure>;

impl Function {
    /// A function with a fixed number of parameters.
    #[must_use]
    pub const fn new(name: &'static str, params: &'static [&'static Type], body: Body) -> Function {
        Function { name, params, variadic: false, body }
    }

    /// A function whose last parameter takes any number of arguments.
    #[must_use]
    pub const fn variadic(
        name: &'static str,
        params: &'static [&'static Type],
        body: Body,
    ) -> Function {
        Function { name, params, variadic: true, body }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "func {}", self.name)
    }
}

/// One call: its arguments, and what a function may reach.
pub struct Call<'a> {
    /// The arguments.
    pub args: &'a [Value],
    /// Clock, chance, and what else is outside of the templates.
    pub world: &'a World,
    /// The other templates.
    pub templates: &'a mut dyn Templates,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.args).finish()
    }
}

/// The templates around a call.
pub trait Templates {
    /// Renders the template of that name.
    ///
    /// # Errors
    /// When there is none, it fails, or templates are nested too deep.
    fn include(&mut self, name: &Text, data: &Value) -> Result<Text, Failure>;

    /// Renders a text as a template that can use all the others.
    ///
    /// # Errors
    /// When it cannot be parsed, or fails.
    fn tpl(&mut self, text: &Text, data: &Value) -> Result<Text, Failure>;

    /// True when charts are only looked over: what is required may be missing then.
    fn lint(&self) -> bool;

    /// Takes fuel for work that grows with its arguments: about one for each value or 64 bytes.
    ///
    /// # Errors
    /// When there is none left.
    fn spend(&mut self, fuel: usize) -> Result<(), Failure>;
}

impl dyn Templates + '_ {
    /// Pays for a text that is about to be made.
    ///
    /// # Errors
    /// When there is no fuel left, or no chart could need a text of that size.
    pub fn pay_text(&mut self, bytes: usize) -> Result<(), Failure> {
        const LARGEST: usize = 64 * 1024 * 1024;
        if bytes > LARGEST {
            return Err(format!("a text of {bytes} bytes is larger than {LARGEST}").into());
        }
        self.spend(bytes / 8)
    }

    /// Pays for the items of a list or the entries of a map that is about to be made.
    ///
    /// # Errors
    /// When there is no fuel left, or no chart could need as many.
    pub fn pay_items(&mut self, count: usize) -> Result<(), Failure> {
        const MOST: usize = 1024 * 1024;
        if count > MOST {
            return Err(format!("{count} items are more than {MOST}").into());
        }
        self.spend(count * 4)
    }
}

impl<'a> Call<'a> {
    /// The text at a parameter of type `string`.
    ///
    /// # Panics
    /// When the signature says otherwise.
    #[must_use]
    pub fn text(&self, index: usize) -> &'a Text {
        let args: &'a [Value] = self.args;
        match &args[index] {
            Value::Text(text) => text,
            other => panic!("argument {index} is a string by its signature, not {other:?}"),
        }
    }

    /// The integer at a parameter of an integer type.
    ///
    /// # Panics
    /// When the signature says otherwise.
    #[must_use]
    pub fn int(&self, index: usize) -> i64 {
        match &self.args[index] {
            Value::Int(int, _) => *int,
            other => panic!("argument {index} is an integer by its signature, not {other:?}"),
        }
    }

    /// The map at a parameter of a map type; nothing when it is nil.
    ///
    /// # Panics
    /// When the signature says otherwise.
    #[must_use]
    pub fn map(&self, index: usize) -> Option<&'a Map> {
        let args: &'a [Value] = self.args;
        match &args[index] {
            Value::Map(map) => Some(map),
            Value::NilOf(_) => None,
            other => panic!("argument {index} is a map by its signature, not {other:?}"),
        }
    }
}

/// Why a call failed: an error that a Go function would have returned, or a panic in it, which
/// templates tell in the same way.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Go's text, up to that of the failure inside.
    pub message: Text,
    /// The failure of a template that the function rendered, for `include` and `tpl`.
    pub inside: Option<Box<super::error::ExecError>>,
}

impl Failure {
    /// A failure with Go's text.
    pub fn new(message: impl Into<Text>) -> Failure {
        Failure { message: message.into(), inside: None }
    }
}

impl<T: Into<Text>> From<T> for Failure {
    fn from(message: T) -> Failure {
        Failure::new(message)
    }
}
