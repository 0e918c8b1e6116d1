//! One app of a node tries to get at another one, at the node, and at more than its share; whichever of its processes it is.

mod groups;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;
use serde_json::{Value, json};

use crate::harness::{Dae, PATIENCE, Place, Running, free_port, get};

/// Whose the node is, and so what keeps its apps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Root's: each app has a user of its own.
    Users,
    /// Root's, and so are the apps: root without root's powers.
    Root,
    /// Somebody's.
    Nobody,
}

const NOBODY: u32 = 65534;
const RIGHT: &str = "import os
def app(environ, start):
    start('200 OK', [])
    return [b'right is well']
";
const LEFT: &str = "import json, os
import attack
def app(environ, start):
    if environ['PATH_INFO'] == '/greedy':
        said = attack.greedy(environ['QUERY_STRING'])
    elif environ['PATH_INFO'] == '/try':
        with open(os.environ['DAE_PERMDIR'] + '/targets.json') as file:
            said = json.dumps(attack.run(json.load(file)))
    else:
        said = 'left is well'
    start('200 OK', [])
    return [said.encode()]
";
const LIMITS: &str = "limits: {processes: 200, memory: 256M, disk: 32M}\n";

struct Pair {
    place: Place,
    port: u16,
    mode: Mode,
    node: Running,
}

impl Pair {
    /// None, and said why, where such a node cannot be.
    fn new(mode: Mode) -> Option<Self> {
        let mut pair = Self::with(mode, LIMITS, |place| Self::serve(place, mode))?;
        let said = pair.node.said();
        assert!(said.contains("landlock, seccomp"), "{said}");
        Some(pair)
    }

    /// One with `limits` in its node.yaml, which `serve` starts.
    fn with(mode: Mode, limits: &str, serve: impl FnOnce(&Place) -> Dae) -> Option<Self> {
        let place = Place::new();
        if !nix::unistd::getuid().is_root() {
            println!("skipped: only root can have apps of several users");
            assert!(std::env::var_os("CI").is_none() || mode == Mode::Root, "run as root: {mode:?}");
            return None;
        }
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let init = ["node", "init", "--json", "--dir", "node", "--domain", "apps.localhost", "--listen", &listen];
        let token = place.dae(init).ok().json()["token"].as_str().unwrap().to_owned();
        let users = if mode == Mode::Root {
            "isolation: {users: false}\n".to_owned()
        } else {
            // Nodes of other tests on this machine have other users.
            format!("isolation: {{first_user: {}}}\n", 20_000 + 16 * u32::from(port % 2500))
        };
        place.write("node/node.yaml", place.read("node/node.yaml") + limits + &users);
        let top = place.path("").parent().unwrap().to_owned();
        if mode != Mode::Root {
            let open = std::fs::Permissions::from_mode(0o755);
            for path in [top.clone(), top.join("work"), top.join("run")] {
                std::fs::set_permissions(path, open.clone()).unwrap();
            }
        }
        if mode == Mode::Nobody {
            for below in ["work/node", "run", "home", "tmp"] {
                let owner = NOBODY.to_string() + ":" + &NOBODY.to_string();
                assert!(Command::new("chown").args(["-R", &owner]).arg(top.join(below)).status().unwrap().success());
            }
        }
        let node = serve(&place).spawn();
        let mut pair = Self { place, port, mode, node };
        let said = pair.node.until("isolation:");
        let wanted = match mode {
            Mode::Users => "isolation: own users, ",
            Mode::Root => "; no users of their own: node.yaml says so",
            Mode::Nobody => "; no users of their own: the node is not root",
        };
        assert!(said.contains(wanted), "{said}");
        // Which of them is there depends on the machine.
        assert!(said.contains(", control groups (") != said.contains("; no control groups: "), "{said}");
        pair.node.until("Ready");
        let url = format!("http://127.0.0.1:{port}");
        pair.place.dae(["remote", "add", "prod", &url]).env("DAE_TOKEN", &token).ok();
        Some(pair)
    }

    fn serve(place: &Place, mode: Mode) -> Dae {
        let args = ["node", "serve", "--dir", "node"];
        if mode != Mode::Nobody {
            return place.dae(args);
        }
        // Where the program and the caches of the tests lie, others may not look.
        let program = place.path("").parent().unwrap().join("dae");
        if !program.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_dae"), &program).unwrap();
        }
        let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
        let before = [&user, &group, "--clear-groups", program.to_str().unwrap()];
        let cache = place.home(".cache");
        place.command("setpriv", before.into_iter().chain(args)).env("XDG_CACHE_HOME", cache.to_str().unwrap())
    }

    /// An app that serves, with this in its app.yaml.
    fn app(&self, name: &str, code: &str, yaml: &str) {
        let head = format!("application: {name}\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
        let at = |file: &str| format!("{name}/{file}");
        self.place.write(at("app.yaml"), head + yaml).write(at("app.py"), code).write(at("pip-req.txt"), "");
        self.place.write(at("attack.py"), include_str!("attack.py"));
        self.place.write(at("secret.py"), format!("KEY = 'the secret of {name}'\n"));
        self.dae(name, &["deploy"]).ok();
    }

    fn dae(&self, app: &str, args: &[&str]) -> Dae {
        self.place.dae(args).dir(app)
    }

    fn says(&self, app: &str, path: &str) -> String {
        get(self.port, &format!("{app}.apps.localhost"), path).text()
    }

    fn own(&self, app: &str) -> PathBuf {
        self.place.path("node/apps").join(app)
    }

    /// What left goes for.
    fn targets(&self, shared: &Shared) -> Value {
        let print = "import json, os; print(json.dumps(dict(os.environ)))";
        let env = self.dae("right", &["run", "--remote", "prod", "--", "python", "-c", print]).ok().json();
        let of = |name: &str| env[name].as_str().unwrap();
        let port = |name: &str| of(name).rsplit([':', '@']).next().unwrap().split('/').next().unwrap().parse::<u16>();
        let at = |name: &str| json!(["127.0.0.1", port(name).unwrap()]);
        let ps = self.dae("right", &["ps", "--json"]).ok().json();
        let web = ps["processes"].as_array().unwrap().iter().find(|one| one["process"] == "web").unwrap().clone();
        let root = of("DAE_APPROOT");
        let node = self.place.path("node");
        let image = std::fs::read_dir(self.own("left").join("releases")).unwrap().flatten();
        let image = image.map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
        let state = of("DAE_STATE");
        let permdir = of("DAE_PERMDIR");
        let folder = |path: &Path| path.to_string_lossy().into_owned();
        std::fs::write(Path::new(permdir).join("kept"), "of right").unwrap();
        let visits = node.join("access/right.log");
        assert!(visits.is_file());
        let mut services = json!({
            "memcache": [at("DAE_MEMCACHE"), "version\r\n"],
            "beansdb": [at("DAE_BEANSDB"), "version\r\n"],
            "queue": [at("DAE_QUEUE"), "stats\r\n"],
            "mail": [at("DAE_SMTP"), "HELP\r\n"],
            "errors": [at("SENTRY_DSN"), "GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
            "state": [state, "{}\n"],
        });
        if self.mode == Mode::Users {
            // Elsewhere nobody knows what they are called.
            services["database"] = json!([of("DAE_MYSQL_SOCKET"), ""]);
        }
        json!({
            "pid": web["pid"],
            "node": self.place.read("node/lock").trim().parse::<u32>().unwrap(),
            "shared": shared.0,
            "mysql_port": of("DAE_MYSQL_PORT").parse::<u16>().unwrap(),
            "files": {
                "code": format!("{root}/app.py"), "secret": format!("{root}/secret.py"),
                "permanent": format!("{permdir}/kept"), "store": node.join("store.sqlite"), "key": node.join("key"),
                "log": node.join("logs/right/web.log"), "visits": visits, "shadow": "/etc/shadow", "sockets": "/proc/1/net/unix",
            },
            "folders": {
                "code": root, "permanent": permdir, "data": folder(&self.own("right").join("data")),
                "node": folder(&node), "layers": folder(&node.join("layers")), "temporary": of("TMPDIR"),
                "sockets": Path::new(state).parent().unwrap(), "tmp": "/tmp",
            },
            "writes": {
                "code": format!("{root}/app.py"), "permanent": format!("{permdir}/mine"),
                "own code": image.join("app/app.py"), "packages": of("PYTHONPATH").to_owned() + "/x.py",
                "elsewhere": "/tmp/left-was-here",
            },
            "services": services,
        })
    }
}

/// Shared memory of System V's kind, of a user's, by its key; gone with this.
struct Shared(i32);

impl Shared {
    fn of(user: u32, mode: Mode) -> Self {
        let key = i32::try_from(std::process::id()).unwrap() << 4 | mode as i32;
        // SAFETY: the description is read and written while it lives, and is plain numbers.
        unsafe {
            let number = libc::shmget(key, 64, libc::IPC_CREAT | libc::IPC_EXCL | 0o600);
            let mut what: libc::shmid_ds = std::mem::zeroed();
            assert_eq!(libc::shmctl(number, libc::IPC_STAT, &raw mut what), 0, "{}", std::io::Error::last_os_error());
            (what.shm_perm.uid, what.shm_perm.gid) = (user, user);
            assert_eq!(libc::shmctl(number, libc::IPC_SET, &raw mut what), 0, "{}", std::io::Error::last_os_error());
        }
        Self(key)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: both take numbers.
        unsafe { libc::shmctl(libc::shmget(self.0, 0, 0), libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

/// Attempts that must come to nothing came to nothing.
fn check(who: &str, told: &Value, mode: Mode) {
    let told = told.as_object().unwrap_or_else(|| panic!("{who}: {told}"));
    let mut wrong = Vec::new();
    for (attempt, what) in told {
        let what = what.as_str().unwrap();
        // What others run may be seen where there are users, and not looked into.
        let may_be = attempt == "read sockets" && mode == Mode::Users;
        let good = match attempt.as_str() {
            "own" => what == "v 7 1",
            "root" => what.starts_with("refused") || what == "no",
            _ => what.starts_with("refused") || what == "hung up",
        };
        if !good && !may_be {
            wrong.push(format!("{attempt}: {what}"));
        }
    }
    assert!(wrong.is_empty(), "{who}, {mode:?}: {wrong:#?}");
    assert!(told.len() > 30, "{who} tried {}", told.len());
}

fn nothing_is_reached(mode: Mode) {
    let Some(pair) = Pair::new(mode) else { return };
    pair.app("right", RIGHT, "protected_files: [secret.py]\n");
    assert_eq!(pair.says("right", "/"), "right is well");
    pair.app("left", LEFT, "");
    let shared = Shared::of(std::fs::metadata(pair.own("right").join("permdir")).unwrap().uid(), mode);
    let targets = pair.targets(&shared);
    let permdir = pair.own("left").join("permdir");
    std::fs::write(permdir.join("targets.json"), targets.to_string()).unwrap();
    std::fs::set_permissions(permdir.join("targets.json"), std::fs::Permissions::from_mode(0o644)).unwrap();

    let told = |who: &str| {
        let path = permdir.join(format!("told-{who}.json"));
        let until = Instant::now() + PATIENCE;
        while !path.exists() {
            assert!(Instant::now() < until, "{who} told nothing; {:?}", std::fs::read_dir(&permdir).unwrap().count());
            std::thread::sleep(Duration::from_millis(20));
        }
        serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap()
    };
    // A process of its own, then one forked from a parent that imported before.
    check("web", &serde_json::from_str(&pair.says("left", "/try")).unwrap(), mode);
    let yaml = "release: attack.py release\ndaemons:\n- {name: evil, script: attack.py daemon}\n\
                cron:\n- {name: nightly, schedule: \"* * * * *\", script: attack.py cron}\n";
    pair.app("left", LEFT, yaml);
    check("warm web", &serde_json::from_str(&pair.says("left", "/try")).unwrap(), mode);
    check("release command", &told("release"), mode);
    check("daemon", &told("daemon"), mode);
    pair.dae("left", &["run", "--remote", "prod", "--", "attack.py", "run"]).ok();
    check("run", &told("run"), mode);
    check("cron", &told("cron"), mode);

    // Right never noticed.
    assert_eq!(pair.says("right", "/"), "right is well");
    let ps = pair.dae("right", &["ps", "--json"]).ok().json();
    let pids: Vec<_> = ps["processes"].as_array().unwrap().iter().map(|one| one["pid"].clone()).collect();
    assert!(pids.contains(&targets["pid"]), "{pids:?} {targets}");
    assert!(!Path::new("/tmp/left-was-here").exists());
}

#[test]
fn an_app_with_a_user_of_its_own_reaches_nothing_of_another() {
    nothing_is_reached(Mode::Users);
}

#[test]
fn root_without_its_powers_reaches_nothing_of_another() {
    nothing_is_reached(Mode::Root);
}

#[test]
fn on_a_node_without_root_an_app_reaches_nothing_of_another() {
    nothing_is_reached(Mode::Nobody);
}

/// Takes too much, and is told so; the other app answers all the while.
fn no_more_than_its_share(mode: Mode) {
    let Some(mut pair) = Pair::new(mode) else { return };
    pair.app("right", RIGHT, "");
    pair.app("left", LEFT, "");
    let greedy = |what: &str| {
        let run = pair.dae("left", &["run", "--remote", "prod", "--", "attack.py", "greedy", what]).run();
        format!("{} {}", run.code, run.stdout.trim())
    };
    assert_eq!(greedy("memory"), "0 refused: MemoryError");
    assert_eq!(greedy("disk"), "0 refused: OSError");
    assert_eq!(greedy("together"), "0 ended by 9");
    assert_eq!(pair.says("right", "/"), "right is well");
    let forks = greedy("forks");
    match mode {
        Mode::Users => assert_eq!(forks, "0 refused: BlockingIOError"),
        // All of it is ended.
        _ => assert!(forks.starts_with("137") || forks.starts_with("0 400"), "{forks}"),
    }
    assert_eq!(pair.says("right", "/"), "right is well");
    pair.node.until("writes no more");
    // By the kernel, or by the node.
    pair.node.until("ended");
    if forks.starts_with("137") {
        pair.node.until("are ended");
    }
    // All processors, and more processes than there are.
    let mut spin = pair.dae("left", &["run", "--remote", "prod", "--", "attack.py", "greedy", "spin"]).spawn();
    while !spin.ended() {
        assert_eq!(pair.says("right", "/"), "right is well");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(spin.wait().stdout.trim(), "spun");
    // It comes back by itself.
    let until = Instant::now() + PATIENCE;
    while pair.says("left", "/") != "left is well" {
        assert!(Instant::now() < until, "left is gone for good");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_app_with_a_user_of_its_own_takes_its_share_and_no_more() {
    no_more_than_its_share(Mode::Users);
}

#[test]
fn on_a_node_without_root_an_app_takes_its_share_and_no_more() {
    no_more_than_its_share(Mode::Nobody);
}
