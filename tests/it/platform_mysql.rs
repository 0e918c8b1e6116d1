//! `tests/platform/test_mysql.py`: what drivers, SQLAlchemy, Django and peewee do, through connections that name no host.

use std::path::Path;

use crate::harness::Place;
use crate::mysql::{blog, there_is_a_server};

#[test]
fn drivers_and_frameworks_find_the_apps_own_database() {
    if !there_is_a_server() {
        return;
    }
    let place = Place::new();
    // It has no wheels, and is built where the machine has what it takes.
    let built = std::process::Command::new("mariadb_config").output().is_ok();
    assert!(built || std::env::var_os("CI").is_none(), "libmariadb-dev is missing");
    let mysqlclient = if built { "mysqlclient==2.2.7\n" } else { "" };
    let pins = "pymysql==1.1.1\nsqlalchemy==2.0.41\npeewee==3.18.1\ndjango==5.2.4\npytest==8.4.1\n";
    blog(&place, "plat", &format!("{pins}{mysqlclient}"));
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform/test_mysql.py");
    place.write("plat/test_mysql.py", std::fs::read(suite).unwrap());
    let run = ["-C", "plat", "run", "--", "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mysql.py"];
    let ran = place.dae(run).run();
    assert_eq!(ran.code, 0, "{}", ran.raw());
    assert!(!ran.stdout.contains("skipped") || !built, "{}", ran.raw());
    // PyMySQL alone, under the name of the other.
    blog(&place, "alone", "pymysql==1.1.1\nsqlalchemy==2.0.41\n");
    let code = "import sqlalchemy as s; e = s.create_engine('mysql://'); print(e.connect().scalar(s.text('select database()')))";
    let ran = place.dae(["-C", "alone", "run", "--", "python", "-c", code]).ok();
    assert_eq!(ran.stdout, "alone\n", "{}", ran.raw());
}
