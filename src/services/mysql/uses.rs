//! Whether an app looks as if it will use its database: then the server starts with the app, and not with its first query.

use std::path::Path;

use super::schema;

/// Packages that speak to a MySQL server, by the names they are installed under.
const DRIVERS: &[&str] =
    &["pymysql", "mysqlclient", "mysql-python", "mysql-connector-python", "aiomysql", "asyncmy", "mariadb"];
/// Modules that do, and the platform's own front.
const MODULES: &[&str] = &["dae.api.mysql", "dae.api.sqlstore", "MySQLdb", "pymysql", "mysql.connector"];
/// Of an app's modules at its top, as many are looked at.
const LOOKED_AT: usize = 50;

/// Why the app of `root` is taken to use mysql; none: nothing says so.
pub fn uses(root: &Path) -> Option<String> {
    if !schema::files(root).is_empty() {
        return Some("databases/ holds a schema".into());
    }
    if let Some(driver) = driver(&std::fs::read_to_string(root.join("pip-req.txt")).unwrap_or_default()) {
        return Some(format!("pip-req.txt has `{driver}`"));
    }
    let files = root.read_dir().ok()?.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|end| end == "py")).take(LOOKED_AT);
    let mut importing = files.filter(|path| std::fs::read_to_string(path).is_ok_and(|code| imports(&code)));
    importing.next().map(|path| format!("`{}` imports it", path.file_name().unwrap_or_default().to_string_lossy()))
}

fn driver(pins: &str) -> Option<&'static str> {
    let name = |line: &str| {
        let end = line.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(line.len());
        line[..end].to_ascii_lowercase().replace(['_', '.'], "-")
    };
    let mut names = pins.lines().map(|line| name(line.trim()));
    names.find_map(|name| DRIVERS.iter().find(|driver| **driver == name).copied())
}

fn imports(code: &str) -> bool {
    code.lines().map(str::trim_start).any(|line| {
        if let Some(names) = line.strip_prefix("from dae.api import ") {
            return names.contains("mysql") || names.contains("sqlstore");
        }
        let module = line.strip_prefix("import ").or(line.strip_prefix("from "));
        module.is_some_and(|rest| MODULES.iter().any(|module| rest.starts_with(module)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_or_an_import_says_so() {
        assert_eq!(driver("# x\nflask==3\nPyMySQL[rsa]==1.1 # y\n"), Some("pymysql"));
        assert_eq!(driver("pymysql-pool==1\n"), None);
        for (code, wanted) in [
            ("import dae.api.mysql", true),
            ("  from dae.api.sqlstore import store", true),
            ("from dae.api import permdir, mysql", true),
            ("from dae.api import permdir", false),
            ("import MySQLdb", true),
            ("import pymysql.cursors", true),
            ("# import pymysql", false),
            ("text = 'import pymysql'", false),
        ] {
            assert_eq!(imports(code), wanted, "{code}");
        }
    }
}
