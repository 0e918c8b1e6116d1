//! Child processes: started, listened to, ended with all they started. Knows no apps.

pub mod confine;
#[cfg(target_os = "linux")]
mod fork;
pub mod groups;
pub mod guardian;
mod memory;
mod outlet;
mod output;
pub mod parent;
mod process;
mod siblings;
mod successor;

pub use confine::{Confinement, Owner};
pub use memory::memory_of_group;
pub use nix::sys::signal::Signal;
pub use outlet::{Keyboard, Outlet, Window};
pub use output::{Heard, Output};
pub use process::{End, Io, Left, Process, Spec};
pub use siblings::end_younger;
pub use successor::{Bundle, Channel, HandedProcess, Number, Successor};
