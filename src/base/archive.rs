//! Bounded tar and gzip: packages in and out of archives.
