//! Tests of the language and of the functions, against what Go and Helm answer.

mod bounds;
mod fixture;
mod go_cases;
mod robust;
mod speed;
mod sprig_cases;
mod vectors;
