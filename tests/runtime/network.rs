//! Pods that talk to each other, to Services, and the host to them.
