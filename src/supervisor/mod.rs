//! Child processes: started, listened to, ended with all they started. Knows no apps.

pub mod confine;
pub mod groups;
pub mod guardian;
mod memory;
mod outlet;
mod output;
pub mod parent;
mod process;

pub use confine::{Confinement, Owner};
pub use memory::memory_of_group;
pub use nix::sys::signal::Signal;
pub use outlet::{Keyboard, Outlet, Window};
pub use output::Heard;
pub use process::{End, Io, Process, Spec};
