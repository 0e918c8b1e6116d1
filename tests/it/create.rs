//! `dae create`.

use crate::harness::Place;

#[test]
fn the_version_is_printed() {
    insta::assert_snapshot!(Place::new().dae(["--version"]).run(), @r"
    exit: 0
    --- stdout
    dae [VERSION]
    ");
}
