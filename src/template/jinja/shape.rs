//! Refuses templates with blocks that are not closed, and those that are written so deep that the engine, which follows expressions by
//! recursion, would run out of stack before it could say so.

use crate::base::diag::Diagnostic;
use crate::base::source::{FileId, Span};
use minijinja::machinery::{Span as At, Token};

/// Operators, attributes and filters that one expression may chain, counted through its brackets.
const MAX_CHAIN: usize = 250;

/// Blocks that have an end, beside `set`.
const BLOCKS: &[&str] = &["autoescape", "block", "call", "filter", "for", "if", "macro", "with"];

/// Branches that one `if` may have.
const MAX_BRANCHES: usize = 100;

/// Checks the tokens of a template.
pub(super) fn check(tokens: &[(Token<'_>, At)], file: FileId) -> Result<(), Diagnostic> {
    blocks(tokens, file)?;
    let mut chain = Chain::default();
    let mut branches: Vec<usize> = Vec::new();
    for (at, (token, span)) in tokens.iter().enumerate() {
        let here = || Span::new(file, span.start_offset as usize, span.end_offset as usize);
        match token {
            Token::VariableStart => chain = Chain::default(),
            Token::BlockStart => {
                chain = Chain::default();
                match tokens.get(at + 1) {
                    Some((Token::Ident("if"), _)) => branches.push(0),
                    Some((Token::Ident("endif"), _)) => {
                        branches.pop();
                    }
                    Some((Token::Ident("elif"), _)) => {
                        if let Some(count) = branches.last_mut() {
                            *count += 1;
                            if *count > MAX_BRANCHES {
                                let message =
                                    format!("an `if` has more than {MAX_BRANCHES} branches");
                                return Err(too_deep(message).at(here(), "this is one too many"));
                            }
                        }
                    }
                    _ => {}
                }
            }
            _ => {
                chain.token(token);
                if chain.length > MAX_CHAIN {
                    let message =
                        format!("an expression has more than {MAX_CHAIN} operations in a row");
                    return Err(too_deep(message)
                        .at(here(), "this is one too many")
                        .help("take parts of it out with `{% set %}`"));
                }
            }
        }
    }
    Ok(())
}

/// Every block must be closed, the innermost first. The engine sees it too, and says where it
/// noticed; what helps is where the block begins.
fn blocks(tokens: &[(Token<'_>, At)], file: FileId) -> Result<(), Diagnostic> {
    let span = |at: At| Span::new(file, at.start_offset as usize, at.end_offset as usize);
    let unclosed = |name: &str, at: Span| {
        let message = format!("the template cannot be read: `{name}` is not closed");
        Diagnostic::error("wharf::template::syntax", message).at(at, "begins here")
    };
    let mut open: Vec<(&str, Span)> = Vec::new();
    for (at, (token, begin)) in tokens.iter().enumerate() {
        let Some((Token::Ident(name), word)) = tokens.get(at + 1) else { continue };
        if !matches!(token, Token::BlockStart) {
            continue;
        }
        let tag = span(*begin).to(span(*word));
        let block = match *name {
            "set" => {
                let inner = tokens[at..].iter().map(|(token, _)| token);
                let mut inner = inner.take_while(|token| !matches!(token, Token::BlockEnd));
                !inner.any(|token| matches!(token, Token::Assign))
            }
            name => BLOCKS.contains(&name),
        };
        if block {
            open.push((name, tag));
        } else if let Some(closed) = name.strip_prefix("end")
            && (closed == "set" || BLOCKS.contains(&closed))
        {
            match open.pop() {
                Some((name, _)) if name == closed => {}
                Some((name, at)) => {
                    return Err(unclosed(name, at)
                        .at(tag, "this closes another block")
                        .help(format!("write `{{% end{name} %}}` before it")));
                }
                None => {
                    let message =
                        format!("the template cannot be read: no `{closed}` is open here");
                    return Err(Diagnostic::error("wharf::template::syntax", message).at(tag, ""));
                }
            }
        }
    }
    match open.pop() {
        Some((name, at)) => {
            Err(unclosed(name, at).help(format!("write `{{% end{name} %}}` where it ends")))
        }
        None => Ok(()),
    }
}

fn too_deep(message: String) -> Diagnostic {
    Diagnostic::error("wharf::template::too_deep", message)
}

/// How many operations lie over the place that is being read.
#[derive(Default)]
struct Chain {
    /// Operations before the place, of this bracket and of those around it.
    length: usize,
    /// Operations of the innermost bracket.
    here: usize,
    /// Those of the brackets around it.
    outer: Vec<usize>,
}

impl Chain {
    fn token(&mut self, token: &Token<'_>) {
        match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => {
                self.add();
                self.outer.push(std::mem::take(&mut self.here));
            }
            Token::ParenClose | Token::BracketClose | Token::BraceClose => {
                self.length -= self.here;
                self.here = self.outer.pop().unwrap_or_default();
            }
            // items of a list stand side by side
            Token::Comma => {
                self.length -= self.here;
                self.here = 0;
            }
            Token::Ident("not" | "and" | "or" | "if" | "else" | "is" | "in") => self.add(),
            Token::Ident(_)
            | Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_)
            | Token::Colon
            | Token::Assign
            | Token::TemplateData(_)
            | Token::VariableEnd
            | Token::BlockEnd => {}
            _ => self.add(),
        }
    }

    fn add(&mut self) {
        self.here += 1;
        self.length += 1;
    }
}
