//! What the server promises about time, one by one.
