//! Each rule with an object that breaks it; sound objects break none.
