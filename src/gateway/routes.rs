//! Which host is answered by what, and who is still being answered.

#[derive(Debug, Default)]
pub struct Routes;
#[derive(Debug)]
pub struct Route;
#[derive(Debug)]
pub struct Upstream;
#[derive(Debug)]
pub struct Lease;
