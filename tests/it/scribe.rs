//! Logs: what processes print and Scribe's clients send is kept with its time and level, and found again.

use std::path::Path;

use crate::harness::{Place, get};
use crate::mail::{app, platform, python_with, serve};

const PRINTS: &str = r"
    import logging, sys
    logging.basicConfig(format='%(levelname)s:%(name)s:%(message)s', level='DEBUG')
    logging.getLogger('shop').debug('a detail')
    logging.getLogger('shop').warning('low on tea')
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger('shop').exception('no tea')
    print('printed', file=sys.stderr)
    start_response('200 OK', [])
    return [b'ok']
";

const CLIENTS: &[&str] = &["pytest", "thriftpy2==0.7.1"];

fn logs(place: &Place, args: &[&str]) -> Vec<String> {
    let mut all = vec!["logs", "--json"];
    all.extend(args);
    let lines = place.dae(all).dir("app").ok().json()["lines"].clone();
    let one = |line: &serde_json::Value| {
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        format!(
            "{} {} {}",
            line["process"].as_str().unwrap(),
            line["level"].as_str().unwrap(),
            line["text"].as_str().unwrap()
        )
    };
    lines.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn what_is_logged_is_found_again() {
    let place = app(PRINTS);
    let (mut running, port, _) = serve(&place, &[]);
    let mut follow = place.dae(["logs", "-f", "-n", "0", "--grep", "tea"]).dir("app").spawn();
    // It follows from some moment on, which it does not tell: asked until it hears.
    let mut heard = false;
    for _ in 0..100 {
        assert_eq!(get(port, "app.localhost", "/").text(), "ok");
        heard = follow.until_within("low on tea", std::time::Duration::from_millis(200));
        if heard {
            break;
        }
    }
    assert!(heard, "nothing was followed");
    drop(follow);
    running.until("printed");
    let all = logs(&place, &[]);
    assert!(
        all.contains(&"web debug DEBUG:shop:a detail".into()) && all.contains(&"web info printed".into()),
        "{all:?}"
    );
    let bad = logs(&place, &["--level", "error"]);
    assert_eq!(bad.last().unwrap(), "web error ZeroDivisionError: division by zero");
    assert!(
        bad.contains(&"web error ERROR:shop:no tea".into()) && !bad.iter().any(|line| line.contains("low on tea")),
        "{bad:?}"
    );
    assert!(
        logs(&place, &["--level", "warning", "--grep", "low on"])
            .iter()
            .all(|line| line == "web warning WARNING:shop:low on tea")
    );
    assert_eq!(logs(&place, &["--since", "2099-01-01T00:00:00Z"]), Vec::<String>::new());
    assert!(!logs(&place, &["--since", "1h", "--process", "web"]).is_empty());
    let none = place.dae(["logs", "--process", "nosuch"]).dir("app").run();
    assert_eq!((none.code, none.stderr.contains("there is: web")), (1, true), "{}", none.raw());
    assert_eq!(running.stop().code, 0);
}

#[test]
fn the_platform_and_another_scribe_server_answer_the_same() {
    let place = app("");
    let python = python_with(&place, "scribe", CLIENTS);
    let (mut running, _, values) = serve(&place, &["DAE_SCRIBE"]);
    let folder = place.path("app/.dae/logs/scribe").to_str().unwrap().to_owned();
    let env = [("PLATFORM_SCRIBE", values[0].as_str()), ("PLATFORM_SCRIBE_LOGS", &folder)];
    let ours = platform(&place, &python, "test_scribe.py", &env);
    assert!(ours.contains("7 passed"), "{ours}");
    running.until("was hung up on");
    let kept = logs(&place, &["--process", "scribe/one"]);
    assert_eq!(kept, ["scribe/one info 你好"]);

    place.write("theirs/.keep", "").write("real.py", REAL);
    let folder = place.path("theirs").to_str().unwrap().to_owned();
    let idl = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform/scribe.thrift");
    let mut real = place.command(&python, ["real.py", &folder, idl.to_str().unwrap()]).spawn();
    let address = real.until("listening").trim().trim_start_matches("listening ").to_owned();
    let env = [("PLATFORM_SCRIBE", address.as_str()), ("PLATFORM_SCRIBE_LOGS", &folder)];
    let theirs = platform(&place, &python, "test_scribe.py", &env);
    assert!(theirs.contains("7 passed"), "{theirs}");

    // What comes here goes there too, where dev.yaml says so.
    place.write("app/dev.yaml", format!("scribe: \"{address}\"\n"));
    place.write("app/send.py", SEND);
    place.command(&python, ["app/send.py", idl.to_str().unwrap(), &values[0]]).ok();
    let there = place.path("theirs/forwarded.log");
    for _ in 0..200 {
        if there.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(std::fs::read_to_string(there).unwrap(), "over there\n");
    assert_eq!(logs(&place, &["--process", "scribe/forwarded"]), ["scribe/forwarded info over there"]);
    drop(real);
    assert_eq!(running.stop().code, 0);
}

#[test]
fn the_documentation_is_right() {
    let page = include_str!("../../docs/logs.md");
    let snippet = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let place = app("");
    let python = python_with(&place, "scribe", CLIENTS);
    let idl = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/platform/scribe.thrift");
    place.write("app/scribe.thrift", std::fs::read(idl).unwrap()).write("app/snippet.py", snippet);
    place.dae(["run", "--", python.to_str().unwrap(), "snippet.py"]).dir("app").ok();
    assert_eq!(logs(&place, &["--process", "scribe/orders"]), ["scribe/orders info one more"]);
}

const SEND: &str = r"
import sys
import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.rpc import make_client
from thriftpy2.transport import TFramedTransportFactory

idl = thriftpy2.load(sys.argv[1], module_name='scribe_thrift')
host, _, port = sys.argv[2].rpartition(':')
client = make_client(idl.scribe, host, int(port), proto_factory=TBinaryProtocolFactory(), trans_factory=TFramedTransportFactory())
assert client.Log([idl.LogEntry('forwarded', 'over there')]) == 0
";

/// Scribe itself is in no archive any more: its service, by thriftpy2's own server.
const REAL: &str = r"
import pathlib, sys, time
import thriftpy2
from thriftpy2.protocol import TBinaryProtocolFactory
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor
from thriftpy2.transport import TFramedTransportFactory, TServerSocket

idl = thriftpy2.load(sys.argv[2], module_name='scribe_thrift')
folder, began, counters = pathlib.Path(sys.argv[1]), int(time.time()), {'received': 0}

class Handler:
    def Log(self, messages):
        for entry in messages:
            counters['received'] += 1
            with open(folder / (entry.category + '.log'), 'a', encoding='utf-8') as file:
                file.write(entry.message.rstrip('\n') + '\n')
        return 0
    def getName(self): return 'scribe'
    def getVersion(self): return '2'
    def getStatus(self): return 2
    def getStatusDetails(self): return ''
    def getCounters(self): return counters
    def getCounter(self, key): return counters.get(key, 0)
    def setOption(self, key, value): pass
    def getOptions(self): return {}
    def aliveSince(self): return began
    def reinitialize(self): pass

import socket
listener = socket.create_server(('127.0.0.1', 0))
port = listener.getsockname()[1]
listener.close()
server = TThreadedServer(TProcessor(idl.scribe, Handler()), TServerSocket('127.0.0.1', port), itrans_factory=TFramedTransportFactory(), iprot_factory=TBinaryProtocolFactory(), daemon=True)
server.trans.listen()
print('listening 127.0.0.1:%d' % port, flush=True)
server.trans.listen = lambda: None
server.serve()
";
