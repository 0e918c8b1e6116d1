//! A server killed in the middle of its work, again and again.
