//! Which values an action reads, told from its template alone: `.Values.image.tag` by name, through
//! variables, and through the `with` and `range` around it. What functions compute stays unknown.

use super::super::syntax::ast::{Body, Branch, Node, Operand, Pipe, Template};
use super::super::value::Text;

/// Keys from the values to the one that is read.
pub type Path = Vec<Text>;

/// The values that the part of a template at an offset reads, each once.
pub(super) fn reads(template: &Template, offset: usize) -> Vec<Path> {
    let mut walk = Walk { offset, variables: vec![(0, Some(Path::new()))], found: Vec::new() };
    walk.body(&template.body, Some(&Path::new()));
    let mut paths: Vec<Path> = Vec::new();
    for mut path in walk.found {
        if path.first().is_some_and(|first| *first == *"Values") {
            path.remove(0);
            if !path.is_empty() && !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

struct Walk {
    offset: usize,
    /// Where the value of each variable comes from, if that is known.
    variables: Vec<(usize, Option<Path>)>,
    found: Vec<Path>,
}

impl Walk {
    /// Goes to the part that is sought, and tells whether it is in the body.
    fn body(&mut self, body: &Body, dot: Option<&Path>) -> bool {
        let declared = self.variables.len();
        let found = body.nodes.iter().any(|node| self.node(node, dot));
        self.variables.truncate(declared);
        found
    }

    fn node(&mut self, node: &Node, dot: Option<&Path>) -> bool {
        let here = node.start() == self.offset;
        let pipe = match node {
            Node::Action(pipe) => Some(pipe),
            Node::Call(call) => call.pipe.as_ref(),
            Node::If(branch) => return self.branch(branch, dot, dot.cloned().as_ref(), here),
            // An element of a list is told by the list.
            Node::With(branch) | Node::Range(branch) => {
                let inner = self.origin(&branch.pipe, dot);
                return self.branch(branch, dot, inner.as_ref(), here);
            }
            Node::Text(..) | Node::Break(_) | Node::Continue(_) => None,
        };
        let Some(pipe) = pipe else { return here };
        if here {
            self.collect(pipe, dot);
        } else {
            self.declare(pipe, dot);
        }
        here
    }

    fn branch(
        &mut self,
        branch: &Branch,
        dot: Option<&Path>,
        inner: Option<&Path>,
        here: bool,
    ) -> bool {
        if here {
            self.collect(&branch.pipe, dot);
            return true;
        }
        let declared = self.variables.len();
        self.declare(&branch.pipe, dot);
        let found = self.body(&branch.body, inner)
            || branch.otherwise.as_ref().is_some_and(|otherwise| self.body(otherwise, dot));
        self.variables.truncate(declared);
        found
    }

    fn declare(&mut self, pipe: &Pipe, dot: Option<&Path>) {
        if pipe.variables.is_empty() {
            return;
        }
        let origin = self.origin(pipe, dot);
        for variable in &pipe.variables {
            self.variables.push((variable.number, origin.clone()));
        }
    }

    /// Where the value of a pipeline comes from: the last value that it reads, which is what
    /// `default` and its like mostly return.
    fn origin(&mut self, pipe: &Pipe, dot: Option<&Path>) -> Option<Path> {
        let outer = std::mem::take(&mut self.found);
        self.collect(pipe, dot);
        std::mem::replace(&mut self.found, outer).pop()
    }

    /// Everything that a pipeline reads.
    fn collect(&mut self, pipe: &Pipe, dot: Option<&Path>) {
        for operand in pipe.commands.iter().flat_map(|command| &command.operands) {
            self.operand(operand, dot);
        }
    }

    fn operand(&mut self, operand: &Operand, dot: Option<&Path>) {
        let path = match operand {
            Operand::Dot(_) => dot.cloned(),
            Operand::Field(_, fields) => joined(dot, fields),
            Operand::Variable(variable) => {
                let known = self.variables.iter().rfind(|(number, _)| *number == variable.number);
                joined(known.and_then(|(_, path)| path.as_ref()), &variable.fields)
            }
            Operand::Chain(_, inner, fields) => match &**inner {
                Operand::Pipe(pipe) => {
                    let origin = self.origin(pipe, dot);
                    joined(origin.as_ref(), fields)
                }
                _ => None,
            },
            Operand::Pipe(pipe) => return self.collect(pipe, dot),
            _ => None,
        };
        self.found.extend(path);
    }
}

fn joined(path: Option<&Path>, fields: &[Text]) -> Option<Path> {
    Some([path?.as_slice(), fields].concat())
}
