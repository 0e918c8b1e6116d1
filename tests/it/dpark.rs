//! `dae.api.dpark` in an app: scripts by `dae run`, requests under `dae serve`; its suite; what its page says.

use std::path::Path;

use nix::sys::signal::Signal;

use crate::harness::{Http, Place, get};
use crate::mail::{app, platform, python_with, serve};

const SCRIPT: &str = r#"
from dae.api import dpark

print(dpark.textFile("poem.txt").flatMap(str.split).hot(2))
"#;

/// As it was written for dpark itself.
const OLD: &str = r"
from dpark import DparkContext, optParser
import dpark.conf
from dpark.dependency import Aggregator

dc = DparkContext()
options, args = optParser.parse_args()
words = dc.textFile(args[0]).flatMap(lambda line: line.split()).map(lambda word: (word, 1))
counted = words.reduceByKey(lambda x, y: x + y, numSplits=3)
print(sorted(counted.collect()), dc.defaultParallelism, dpark.conf.__name__)
";

fn poem(place: &Place) {
    place.write("app/poem.txt", "a rose is a rose\nis a rose\n");
}

/// What jobs have left behind in the app.
fn left(place: &Place) -> Vec<std::ffi::OsString> {
    let Ok(folder) = std::fs::read_dir(place.path("app/.dae/dpark")) else { return Vec::new() };
    folder.map(|entry| entry.unwrap().file_name()).filter(|name| name != "lock").collect()
}

#[test]
fn a_script_finds_a_context_and_an_old_one_its_dpark() {
    let place = app("");
    poem(&place);
    place.write("app/words.py", SCRIPT).write("app/old.py", OLD);
    let ran = place.dae(["run", "--", "python", "words.py"]).dir("app").ok();
    assert_eq!(ran.stdout, "[('a', 3), ('rose', 3)]\n");
    assert!(!ran.stderr.contains("dpark"), "nobody looks on: {}", ran.stderr);
    let ran = place.dae(["run", "--", "python", "old.py", "-m", "process", "-p", "3", "poem.txt"]).dir("app").ok();
    assert_eq!(ran.stdout, "[('a', 3), ('is', 2), ('rose', 3)] 3 dae.dpark.conf\n");
    assert_eq!(left(&place), [""; 0]);
    // What the app has under that name is the app's.
    place.write("app/dpark.py", "mine = True\n");
    let own = ["run", "--", "python", "-c", "import dpark; print(dpark.mine)"];
    assert_eq!(place.dae(own).dir("app").ok().stdout, "True\n");
}

const MEETS: &str = r"
    import time
    from dae.api import dpark
    if environ['PATH_INFO'] == '/mark':
        open('mark', 'w').close()
        start_response('200 OK', [])
        return [b'marked']
    def wait(x):
        until = time.monotonic() + 60
        while not os.path.exists('mark') and time.monotonic() < until:
            time.sleep(0.01)
        return x * x, os.getpid()
    found = dpark.makeRDD(range(4), 2).map(wait).collect()
    start_response('200 OK', [])
    alone = os.getpid() not in {pid for _, pid in found}
    return [json.dumps([[x for x, _ in found], alone, os.path.exists('mark')]).encode()]
";

#[test]
fn a_request_computes_while_its_worker_answers_others() {
    let place = app(MEETS);
    place.write("app/app.yaml", "application: app\nnworkers: 1\nhandlers:\n- url: /.*\n  wsgi_app: app:app\n");
    let (mut serve, port, _) = serve(&place, &[]);
    // Its tasks end once the other request, of the same worker, is answered.
    let computing = std::thread::spawn(move || get(port, "app.localhost", "/").text());
    assert_eq!(Http::open(port).get("app.localhost", "/mark").unwrap().text(), "marked");
    assert_eq!(computing.join().unwrap(), "[[0, 1, 4, 9], true, true]");
    // Of a job in a request no progress is told: it would be in the midst of the log.
    assert!(!serve.said().contains("tasks"), "{}", serve.said());
    assert_eq!(serve.stop().code, 0);
    assert_eq!(left(&place), [""; 0]);
}

const FAILS: &str = r"
from dae.api import dpark

def divide(x):
    return 1 // (x - 3)

dpark.makeRDD(range(6), 2).map(divide).collect()
";

const ENDLESS: &str = r"
import os, time
from dae.api import dpark

def work(x):
    os.write(1, b'working %d\n' % os.getpid())
    time.sleep(600)

dpark.makeRDD(range(2), 2).map(work).collect()
";

#[test]
fn a_failure_is_told_and_nothing_outlives_an_interrupt() {
    let place = app("");
    place.write("app/fails.py", FAILS).write("app/endless.py", ENDLESS);
    let ran = place.dae(["run", "--", "python", "fails.py"]).dir("app").run();
    assert_eq!(ran.code, 1, "{}", ran.raw());
    assert!(ran.stderr.contains("in divide") && ran.stderr.contains("ZeroDivisionError"), "{}", ran.raw());
    let mut endless = place.dae(["run", "--", "python", "endless.py"]).dir("app").spawn();
    let pids: Vec<String> =
        (0..2).map(|_| endless.until("working").rsplit(' ').next().unwrap_or_default().to_owned()).collect();
    endless.signal(Signal::SIGINT);
    let ran = endless.wait();
    assert_eq!(ran.code, 130, "{}", ran.raw());
    for pid in pids {
        assert!(!Path::new("/proc").join(&pid).exists(), "{pid} is still there");
    }
    assert_eq!(left(&place), [""; 0]);
}

const SLOW: &str = r"
import time
from dae.api import dpark

def work(x):
    time.sleep(0.4)
    return x % 2, x

print(dpark.makeRDD(range(4), 4).map(work).reduceByKey(max, 1).collect())
";

#[test]
fn a_cluster_without_its_client_is_told_of() {
    let place = app("");
    poem(&place);
    place.write("app/words.py", SCRIPT).write("app/dev.yaml", "dpark: dask://127.0.0.1:1\n");
    let ran = place.dae(["run", "--", "python", "words.py"]).dir("app").run();
    assert_eq!(ran.code, 1, "{}", ran.raw());
    assert!(ran.stderr.contains("`dask://127.0.0.1:1` is a Dask cluster"), "{}", ran.raw());
    assert!(ran.stderr.contains("dae install 'dask[distributed]'"), "{}", ran.raw());
}

#[test]
fn at_a_terminal_each_stage_has_a_line() {
    let place = app("");
    place.write("app/slow.py", SLOW);
    let mut run = place.dae(["run", "--", "python", "slow.py"]).dir("app").seated();
    run.until("slow.py:9 map");
    run.until("4/4 tasks");
    run.until("[(0, 2), (1, 3)]");
    assert_eq!(run.wait(), 0);
}

#[test]
fn every_engine_here_passes_its_suite() {
    let place = Place::new();
    let python = python_with(&place, "dpark", &["pytest"]);
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("python");
    for (master, passed) in [("local", "16 passed, 6 skipped"), ("process", "22 passed")] {
        let env = [("PLATFORM_DPARK", master), ("PYTHONPATH", package.to_str().unwrap())];
        let said = platform(&place, &python, "test_dpark.py", &env);
        assert!(said.contains(passed), "{said}");
    }
}

#[test]
fn the_documentation_is_right() {
    let page = include_str!("../../docs/dpark.md");
    let snippets: Vec<&str> = page.split("```python\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let place = app("");
    place.write("app/logs/a.log", "ok 10\nerror 5\n").write("app/logs/b.log", "error 7\n");
    for (number, snippet) in snippets.iter().enumerate() {
        place.write(format!("app/snippet{number}.py"), snippet);
        place.dae(["run", "--", "python", &format!("snippet{number}.py")]).dir("app").ok();
    }
    assert_eq!(place.read("app/permdir/levels/0000.csv").lines().count(), 2);
    assert_eq!(snippets.len(), 2);
}
