//! A node's surroundings as other programs read them: configurations made of `templates/node`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use minijinja::{Environment, Value, context};

use super::Config;
use crate::problem::{Problem, Result};

const NGINX: &str = include_str!("../../../templates/node/nginx.conf");
const KEEPALIVED: &str = include_str!("../../../templates/node/keepalived.conf");
const SYSTEMD: &str = include_str!("../../../templates/node/dae.service");

/// A web server in front, listening at `port`.
pub fn nginx(config: &Config, port: u16) -> Result<String> {
    filled(NGINX, context! { upstream => upstream(config).to_string(), port, domain => config.domain.clone() })
}

/// An address that moves to a machine whose node answers.
pub fn keepalived(config: &Config, address: &str, interface: &str) -> Result<String> {
    let upstream = upstream(config).to_string();
    filled(KEEPALIVED, context! { upstream, address, interface, domain => config.domain.clone() })
}

/// A unit that runs `program` as a node in `dir`, both absolute.
pub fn systemd(program: &Path, dir: &Path, user: Option<&str>) -> Result<String> {
    let word = |path: &Path| -> Result<String> {
        let text = path.to_str().filter(|text| !text.contains(|c: char| c.is_control() || "\"\\%$".contains(c)));
        let text = text.ok_or_else(|| {
            Problem::new("node.unit", format!("`{}` cannot stand in a unit of systemd", path.display()))
                .hint("move it to a folder with a plain name")
        })?;
        Ok(if text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() })
    };
    filled(SYSTEMD, context! { program => word(program)?, dir => word(dir)?, user })
}

/// Where the node is reached from the same machine.
fn upstream(config: &Config) -> SocketAddr {
    let SocketAddr::V4(listen) = config.listen.0 else { return config.listen.0 };
    let ip = if listen.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *listen.ip() };
    SocketAddr::new(IpAddr::V4(ip), listen.port())
}

fn filled(template: &str, values: Value) -> Result<String> {
    let environment = Environment::new();
    environment
        .render_str(template, values)
        .map_err(|error| Problem::new("node.render", "a template of dae's own could not be filled in").because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_reached_where_it_listens() {
        for (listen, wanted) in [(":8000", "127.0.0.1:8000"), ("10.0.0.7:80", "10.0.0.7:80"), ("[::1]:8", "[::1]:8")] {
            let config = Config::new("apps.example.com", listen.parse().unwrap()).unwrap();
            assert_eq!(upstream(&config).to_string(), wanted);
        }
    }

    #[test]
    fn a_unit_names_a_folder_whole() {
        let unit = systemd(Path::new("/usr/local/bin/dae"), Path::new("/srv/my node"), Some("dae")).unwrap();
        assert!(unit.contains("ExecStart=/usr/local/bin/dae node serve --dir \"/srv/my node\"\n"));
        assert!(unit.contains("ExecReload=/usr/local/bin/dae node upgrade --dir \"/srv/my node\"\nUser=dae\nRestart"));
        assert!(!systemd(Path::new("/d"), Path::new("/n"), None).unwrap().contains("User="));
        assert_eq!(systemd(Path::new("/d"), Path::new("/100%"), None).unwrap_err().code, "node.unit");
    }
}
