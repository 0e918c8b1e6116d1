//! A database as a script that makes it again: tables, rows, views, routines, triggers. One snapshot; the server may go on.

use std::io::{self, Write};

use super::client::{Client, Column, Fault, Kind, Row};

/// Rows in one statement, and about as many bytes.
const ROWS: usize = 500;
const BYTES: usize = 1 << 20;

/// Writes the whole of the database that `client` is in.
pub fn dump(client: &mut Client, out: &mut dyn Write) -> Result<(), Fault> {
    writeln!(out, "-- Made by `dae db dump`; `dae db load` runs it, and so does any MySQL client.")?;
    writeln!(out, "SET NAMES utf8mb4;\nSET FOREIGN_KEY_CHECKS=0;\nSET UNIQUE_CHECKS=0;")?;
    writeln!(out, "SET SQL_MODE='NO_AUTO_VALUE_ON_ZERO';\nSET TIME_ZONE='+00:00';")?;
    client.query(b"SET TIME_ZONE='+00:00'")?;
    client.query(b"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
    client.query(b"START TRANSACTION WITH CONSISTENT SNAPSHOT")?;
    let all = client.query(b"SHOW FULL TABLES")?;
    let of = |kind: &str| -> Vec<String> {
        let rows = all.rows.iter().filter(|row| text(row, 1).is_some_and(|found| found == kind));
        rows.filter_map(|row| text(row, 0)).collect()
    };
    let (tables, views) = (of("BASE TABLE"), of("VIEW"));
    for table in &tables {
        let name = quoted(table);
        let made = client.query(format!("SHOW CREATE TABLE {name}").as_bytes())?;
        let made = made.rows.first().and_then(|row| text(row, 1)).unwrap_or_default();
        writeln!(out, "\nDROP TABLE IF EXISTS {name};\n{made};")?;
        rows(client, table, out)?;
    }
    for routine in ["FUNCTION", "PROCEDURE"] {
        let found = client.query(format!("SHOW {routine} STATUS WHERE Db = DATABASE()").as_bytes())?;
        for name in found.rows.iter().filter_map(|row| text(row, 1)) {
            made(client, routine, &name, 2, out)?;
        }
    }
    for name in client.query(b"SHOW TRIGGERS")?.rows.iter().filter_map(|row| text(row, 0)) {
        made(client, "TRIGGER", &name, 2, out)?;
    }
    // A view may stand on a later one; what it stands on need not be there while it is made anew the second time.
    for view in &views {
        let name = quoted(view);
        let made = client.query(format!("SHOW CREATE VIEW {name}").as_bytes())?;
        let made = made.rows.first().and_then(|row| text(row, 1)).unwrap_or_default();
        writeln!(out, "\nDROP VIEW IF EXISTS {name};\n{};", without_definer(&made))?;
    }
    writeln!(out, "\nSET FOREIGN_KEY_CHECKS=1;\nSET UNIQUE_CHECKS=1;")?;
    client.query(b"COMMIT")?;
    out.flush()?;
    Ok(())
}

fn made(client: &mut Client, kind: &str, name: &str, column: usize, out: &mut dyn Write) -> Result<(), Fault> {
    let name = quoted(name);
    let made = client.query(format!("SHOW CREATE {kind} {name}").as_bytes())?;
    let made = made.rows.first().and_then(|row| text(row, column)).unwrap_or_default();
    let made = without_definer(&made);
    writeln!(out, "\nDROP {kind} IF EXISTS {name};\nDELIMITER ;;\n{made} ;;\nDELIMITER ;")?;
    Ok(())
}

fn rows(client: &mut Client, table: &str, out: &mut dyn Write) -> Result<(), Fault> {
    // What the server works out by itself may not be written.
    let columns = client.query(format!("SHOW COLUMNS FROM {}", quoted(table)).as_bytes())?;
    let own = columns.rows.iter().filter(|row| !text(row, 5).is_some_and(|extra| extra.contains("GENERATED")));
    let names: Vec<String> = own.filter_map(|row| text(row, 0)).map(|name| quoted(&name)).collect();
    let names = names.join(",");
    let name = quoted(table);
    let (mut count, mut bytes) = (0, 0);
    client.each(format!("SELECT {names} FROM {name}").as_bytes(), |columns, row| {
        if count == 0 {
            write!(out, "INSERT INTO {name} ({names}) VALUES\n(")?;
        } else {
            write!(out, ",\n(")?;
        }
        bytes += values(columns, &row, out)?;
        write!(out, ")")?;
        count += 1;
        if count == ROWS || bytes > BYTES {
            writeln!(out, ";")?;
            (count, bytes) = (0, 0);
        }
        Ok(())
    })?;
    if count > 0 {
        writeln!(out, ";")?;
    }
    Ok(())
}

fn values(columns: &[Column], row: &Row, out: &mut dyn Write) -> io::Result<usize> {
    let mut written = 0;
    for (at, (column, value)) in columns.iter().zip(row).enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let text = literal(column.kind, value.as_deref());
        out.write_all(&text)?;
        written += text.len();
    }
    Ok(written)
}

/// A value as it stands in a statement.
fn literal(kind: Kind, value: Option<&[u8]>) -> Vec<u8> {
    let Some(value) = value else { return b"NULL".to_vec() };
    match kind {
        Kind::Number => value.to_vec(),
        Kind::Bytes if value.is_empty() => b"''".to_vec(),
        Kind::Bytes => {
            let hex = value.iter().flat_map(|byte| format!("{byte:02X}").into_bytes());
            b"0x".iter().copied().chain(hex).collect()
        }
        Kind::Text => {
            let mut text = vec![b'\''];
            for byte in value {
                match byte {
                    b'\'' | b'\\' => text.extend([b'\\', *byte]),
                    0 => text.extend(b"\\0"),
                    b'\n' => text.extend(b"\\n"),
                    b'\r' => text.extend(b"\\r"),
                    26 => text.extend(b"\\Z"),
                    _ => text.push(*byte),
                }
            }
            text.push(b'\'');
            text
        }
    }
}

/// Whoever loads it will own it: another's name is only known on another server.
fn without_definer(made: &str) -> String {
    let Some(start) = made.find(" DEFINER=") else { return made.to_owned() };
    let rest = &made[start + 1..];
    let mut quote = false;
    let end = rest.find(|c| {
        quote ^= c == '`';
        c == ' ' && !quote
    });
    format!("{}{}", &made[..start], end.map_or("", |end| &rest[end..]))
}

pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn text(row: &Row, at: usize) -> Option<String> {
    row.get(at)?.as_ref().map(|value| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_so_that_they_read_back() {
        for (kind, value, wanted) in [
            (Kind::Number, Some(&b"-1.5"[..]), "-1.5"),
            (Kind::Text, Some(b"it's \\ \n\0"), "'it\\'s \\\\ \\n\\0'"),
            (Kind::Bytes, Some(b"\x00\xff"), "0x00FF"),
            (Kind::Bytes, Some(b""), "''"),
            (Kind::Text, None, "NULL"),
        ] {
            assert_eq!(String::from_utf8(literal(kind, value)).unwrap(), wanted);
        }
    }

    #[test]
    fn a_definer_is_left_out() {
        assert_eq!(without_definer("CREATE DEFINER=`a b`@`%` VIEW `v` AS select 1"), "CREATE VIEW `v` AS select 1");
        assert_eq!(without_definer("CREATE VIEW `v`"), "CREATE VIEW `v`");
    }
}
