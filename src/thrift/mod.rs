//! Thrift: interfaces read and checked, compared with those that clients were made from, and the Python that speaks them.
//! Knows no processes and no network.
//!
//! The reader of .thrift files is our own. What a problem needs is the place of everything in the file, and what old files
//! hold (fields without numbers, `async`, annotations without a value, `Type &`) must be read too; no parser there is gives both.

mod check;
mod client;
mod idl;
mod lexer;
mod lint;
mod parser;
mod python;
mod syntax;
mod typed;

pub use client::{Answers, ClientPackage, Offer, client_package, service_package};
pub use idl::{Idl, Interfaces};
pub use lint::{Breach, compare};
pub use python::Written;
pub use syntax::{Document, Function, Service, parse};
