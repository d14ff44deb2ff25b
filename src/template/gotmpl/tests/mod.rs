//! Tests of the language and of the functions, against what Go and Helm answer.

mod bounds;
mod fixture;
mod fuzz;
mod go_cases;
mod limits;
mod robust;
mod speed;
mod sprig_cases;
mod trace;
mod vectors;
