//! Real small apps of `tests/apps`, each served, asked, edited and asked again: what was saved answers, and the reload was warm;
//! or it was cold, for the right reason.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, PATIENCE, Place, Running, free_port, get};

/// One app, and an edit of it.
struct Sample {
    /// Its folder below `tests/apps`.
    folder: &'static str,
    host: &'static str,
    /// A file of the app's, as a browser fetches it.
    asset: &'static str,
    /// What `/` says, before and after.
    says: [&'static str; 2],
    /// The file that is saved, with one text in the place of another.
    edit: (&'static str, [&'static str; 2]),
}

/// Served from a copy of its folder.
struct Served {
    place: Place,
    serve: Running,
    port: u16,
    host: String,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl Served {
    fn of(folder: &str, host: &str, args: &[&str]) -> Self {
        let place = Place::new();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps").join(folder), &place.path("app"));
        Self::at(place, host, args)
    }

    fn at(place: Place, host: &str, args: &[&str]) -> Self {
        let port = free_port();
        let port_text = port.to_string();
        let all = ["serve", "app", "--json", "--port", &port_text];
        let mut serve = place.dae(all.iter().chain(args)).spawn();
        serve.event("started");
        Self { place, serve, port, host: format!("{host}.localhost") }
    }

    fn get(&self, path: &str) -> Answer {
        get(self.port, &self.host, path)
    }

    /// Saves one text in the place of another, and waits for the answer and for the word of the reload.
    fn edit(&mut self, file: &str, [from, to]: [&str; 2], says: &str) -> Value {
        let file = Path::new("app").join(file);
        let text = self.place.read(&file);
        assert!(text.contains(from), "{} has no `{from}`", file.display());
        self.place.write(&file, text.replace(from, to));
        self.until(says);
        self.serve.event("reloaded")
    }

    fn until(&self, says: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get("/");
            if answer.text().contains(says) {
                return;
            }
            assert!(Instant::now() < deadline, "`{says}` is never answered, but\n{}", answer.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Sample {
    fn follow(&self) {
        let mut served = Served::of(self.folder, self.host, &[]);
        let looks = |served: &Served, says: &str| {
            let page = served.get("/");
            assert!(page.status == 200 && page.text().contains(says), "{}: {}", page.status, page.text());
            let asset = served.get(self.asset);
            let kind = asset.header("content-type").unwrap_or_default();
            assert!(asset.status == 200 && kind.starts_with("text/"), "{} {kind}: {}", asset.status, asset.text());
            // Threads, greenlets, libraries with threads of their own: those apps that have such say whether they live.
            let alive = served.get("/alive");
            assert!(alive.status == 404 || alive.text() == "turns", "{} {}", alive.status, alive.text());
            assert_eq!(served.get("/no/such/page").status, 404);
        };
        looks(&served, self.says[0]);
        let (file, texts) = self.edit;
        let reloaded = served.edit(file, texts, self.says[1]);
        assert_eq!(
            (&reloaded["start"], &reloaded["changed"]),
            (&json!("warm"), &json!([file])),
            "{}",
            served.serve.said()
        );
        looks(&served, self.says[1]);
        // Forked once more, from the same parent or the next one.
        let reloaded = served.edit(file, [texts[1], texts[0]], self.says[0]);
        assert_eq!(reloaded["start"], "warm", "{}", served.serve.said());
        looks(&served, self.says[0]);
        let ran = served.serve.stop();
        assert_eq!(ran.code, 0, "{}", ran.raw());
    }
}

#[test]
fn web_py() {
    let edit = ("templates/index.html", ["Short links", "All links"]);
    let says = ["Short links", "All links"];
    Sample { folder: "webpy", host: "links", asset: "/static/links.css", says, edit }.follow();
}

#[test]
fn flask() {
    let edit = ("notes.py", ["the first note", "a note of old"]);
    let says = ["the first note", "a note of old"];
    Sample { folder: "flask", host: "notes", asset: "/static/notes.css", says, edit }.follow();
}

#[test]
fn django() {
    let edit = ("polls/views.py", ["Polls of the day", "Polls of today"]);
    let says = ["Polls of the day", "Polls of today"];
    Sample { folder: "django", host: "polls", asset: "/static/polls.css", says, edit }.follow();
}

#[test]
fn fastapi() {
    let edit = ("main.py", ["What is to be done", "What was never done"]);
    let says = ["What is to be done", "What was never done"];
    Sample { folder: "fastapi", host: "tasks", asset: "/static/tasks.css", says, edit }.follow();
}

#[test]
fn bottle() {
    let edit = ("views/page.tpl", ["Page {{name}}", "This is {{name}}"]);
    let says = ["Page home", "This is home"];
    Sample { folder: "bottle", host: "wiki", asset: "/static/wiki.css", says, edit }.follow();
}

#[test]
fn pyramid() {
    let edit = ("forum/views.py", ["How to begin", "Where to begin"]);
    let says = ["How to begin", "Where to begin"];
    Sample { folder: "pyramid", host: "forum", asset: "/static/forum.css", says, edit }.follow();
}

#[test]
fn falcon() {
    let edit = ("quotes/resources.py", ["Quotes to keep", "Quotes to forget"]);
    let says = ["Quotes to keep", "Quotes to forget"];
    Sample { folder: "falcon", host: "quotes", asset: "/static/quotes.css", says, edit }.follow();
}

#[test]
fn threads_that_start_at_import() {
    let edit = ("refresh.py", ["\"clear\"", "\"rain, and no end\""]);
    let says = ["clear", "rain, and no end"];
    Sample { folder: "threads", host: "weather", asset: "/static/weather.css", says, edit }.follow();
}

#[test]
fn gevent() {
    let edit = ("chat.py", ["Chat here", "Talk here"]);
    let says = ["Chat here", "Talk here"];
    Sample { folder: "gevent", host: "chat", asset: "/static/chat.js", says, edit }.follow();
}

#[test]
fn numpy() {
    let edit = ("fractal.py", ["A fractal", "The fractal"]);
    let says = ["A fractal", "The fractal"];
    Sample { folder: "numpy", host: "fractal", asset: "/static/fractal.css", says, edit }.follow();
}

#[test]
fn random_numbers_of_a_forked_library_are_not_those_of_the_last_generation() {
    let mut served = Served::of("numpy", "fractal", &[]);
    served.edit("fractal.py", ["A fractal", "One fractal"], "One fractal");
    let first = served.get("/state").json();
    served.edit("fractal.py", ["One fractal", "Two fractals"], "Two fractals");
    let second = served.get("/state").json();
    assert!(first[0] != second[0] && first[1] != second[1], "{first} {second}");
    assert_eq!(served.serve.stop().code, 0);
}

#[test]
fn a_package_of_packages() {
    let edit = ("shop/catalogue/prices.py", ["Decimal(\"9\")", "Decimal(\"12.5\")"]);
    let says = ["9.00 EUR", "12.50 EUR"];
    Sample { folder: "package", host: "shop", asset: "/static/shop.css", says, edit }.follow();
}

#[test]
fn a_single_file() {
    let edit = ("app.py", ["Counted so far", "Counted until now"]);
    let says = ["Counted so far: 0", "Counted until now: 0"];
    Sample { folder: "single", host: "counter", asset: "/style.css", says, edit }.follow();
}

/// Writes a package into the app's virtualenv, as if it had been installed.
fn install(place: &Place, module: &str, code: &str) {
    let lib = std::fs::read_dir(place.path("app/venv/lib")).unwrap();
    let python = lib.flatten().find(|entry| entry.file_name().to_string_lossy().starts_with("python")).unwrap();
    std::fs::write(python.path().join("site-packages").join(module), code).unwrap();
}

#[test]
fn what_is_not_like_a_fresh_start_starts_cold_and_says_why() {
    let mut served = Served::of("single", "counter", &[]);
    let count = std::cell::Cell::new(0);
    // Every time another number is counted.
    let next = |served: &mut Served, with: &str| {
        let [last, now] = [count.get(), count.get() + 1].map(|n| if n == 0 { "so far".into() } else { format!("{n}") });
        count.set(count.get() + 1);
        let text = served.place.read("app/app.py").replace(&format!("Counted {last}:"), &format!("Counted {now}:"));
        served.place.write("app/app.py", format!("{with}{text}"));
        served.until(&format!("Counted {now}:"));
        served.serve.event("reloaded")["start"].clone()
    };
    assert_eq!(next(&mut served, ""), "warm");

    // Imported by the app itself first; then by the next parent, which is made behind and finds what it is like.
    let settles = |served: &mut Served, with: &str, wanted: Value| {
        let text = |at| if at == 0 { with } else { "" };
        let starts = (0..40).map(|at| next(served, text(at))).take_while(|start| *start != wanted);
        let others: Vec<Value> = starts.collect();
        assert!(others.len() < 40, "never {wanted}, but {others:?}");
    };
    let cold = |reason: &str| json!({ "cold": reason });
    let ticks =
        "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), name='ticks', daemon=True).start()\n";
    install(&served.place, "ticks.py", ticks);
    settles(&mut served, "import ticks\n", cold("a package starts a thread when it is imported (ticks)"));

    // Mended in its place: what a parent has imported of it is out of date, and a new one is as good as any.
    install(&served.place, "ticks.py", "ticks = 'mended'\n");
    settles(&mut served, "", cold("a package's file changed (ticks.py)"));
    settles(&mut served, "", json!("warm"));

    install(&served.place, "calls.py", "import socket\nkept = socket.socketpair()\n");
    settles(&mut served, "import calls\n", cold("a package opens a connection when it is imported"));
    install(&served.place, "calls.py", "kept = None\n");
    settles(&mut served, "", json!("warm"));

    // Other packages, another environment.
    served.place.write("app/pip-req.txt", "# nothing yet\n");
    let deadline = Instant::now() + PATIENCE;
    while served.serve.event("reloaded")["start"] != cold("pip-req.txt changed") {
        assert!(Instant::now() < deadline);
    }
    settles(&mut served, "", json!("warm"));
    let yaml = served.place.read("app/app.yaml");
    served.place.write("app/app.yaml", format!("{yaml}worker: sync\n"));
    while served.serve.event("reloaded")["start"] != cold("app.yaml changed") {
        assert!(Instant::now() < deadline);
    }
    settles(&mut served, "", json!("warm"));
    assert_eq!(served.serve.stop().code, 0);

    let mut served = Served::of("single", "counter", &["--cold"]);
    let reloaded = served.edit("app.py", ["Counted so far", "Counted"], "Counted: 0");
    assert_eq!(reloaded["start"], json!({ "cold": "no warm parent is kept here" }));
    assert_eq!(served.serve.stop().code, 0);
}
