//! Runs containers: images, and what is made of them.

pub mod image;
