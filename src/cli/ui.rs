//! What the command line knows of its terminal: colour, width, quiet; and the way to write to it.

use super::args::Global;
use anstream::AutoStream;
use anstream::ColorChoice;
use std::io::{self, IsTerminal, Write};

/// Output of one command: results to stdout, everything else to stderr.
#[derive(Debug)]
pub struct Ui {
    /// The flags of every command.
    pub global: Global,
    color: ColorChoice,
}

impl Ui {
    /// Decides about colour by flag, `NO_COLOR`, and whether there is a terminal.
    #[must_use]
    pub fn new(global: &Global) -> Ui {
        let color = match global.color.as_str() {
            "always" => ColorChoice::Always,
            "never" => ColorChoice::Never,
            _ => ColorChoice::Auto,
        };
        Ui { global: global.clone(), color }
    }

    /// Standard output, buffered; styles are dropped where no colour is wanted.
    #[must_use]
    pub fn out(&self) -> impl Write + use<> {
        io::BufWriter::with_capacity(64 << 10, AutoStream::new(io::stdout(), self.color))
    }

    /// Standard output, buffered, for what is to arrive byte by byte as it is.
    #[must_use]
    pub fn raw_out(&self) -> impl Write + use<> {
        io::BufWriter::with_capacity(64 << 10, io::stdout())
    }

    /// Standard error; styles are dropped where no colour is wanted.
    #[must_use]
    pub fn err(&self) -> impl Write + use<> {
        AutoStream::new(io::stderr(), self.color)
    }

    /// Says something that is no result; nothing with `--quiet`.
    pub fn say(&self, text: impl std::fmt::Display) {
        if !self.global.quiet {
            let _ = writeln!(self.err(), "{text}");
        }
    }

    /// True when standard error is a terminal that wants live progress.
    #[must_use]
    pub fn live(&self) -> bool {
        !self.global.quiet && io::stderr().is_terminal()
    }

    /// True when standard output takes colour.
    #[must_use]
    pub fn colored(&self) -> bool {
        AutoStream::new(io::stdout(), self.color).current_choice() != ColorChoice::Never
    }

    /// True when standard error takes colour.
    #[must_use]
    pub fn err_colored(&self) -> bool {
        AutoStream::new(io::stderr(), self.color).current_choice() != ColorChoice::Never
    }

    /// Runs a future to its end. The runtime starts only for commands that need one.
    ///
    /// # Errors
    /// Those of the future, or when no runtime can be started.
    pub fn block_on<T>(
        &self,
        future: impl Future<Output = Result<T, super::exit::Failure>>,
    ) -> Result<T, super::exit::Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(super::exit::Failure::from)?;
        runtime.block_on(future)
    }
}
