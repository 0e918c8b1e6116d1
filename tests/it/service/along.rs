//! What travels along with a call: which request it is for, and how long its answer is of use.

use super::app;
use crate::harness::{Http, free_port};

const HANDLER: &str = "import logging, time
from dae.api import service
from service_gen.user import UserStorage
from service_gen.user.ttypes import UserProfile

log = logging.getLogger('user')
itself = service.client('daetest', UserStorage)

class UserStorageHandler:
    def store(self, user):
        pass

    def retrieve(self, uid):
        left = service.deadline()
        log.warning('retrieve %s, of use: %s', uid, left is not None and left <= 1)
        if uid == 9:
            time.sleep(30)
        if uid == 7:
            try:
                itself.retrieve(9)
            except OSError as error:
                log.warning('downstream: %s: %s', type(error).__name__, error)
        if uid == 3:
            raise ValueError('three')
        return UserProfile(uid, service.request_id())
";
const WEB: &str = "from service_gen.user import UserStorage
from dae.api import service
users = service.client('daetest', UserStorage)

def app(environ, start_response):
    uid = int(environ['PATH_INFO'].strip('/'))
    try:
        with service.within(1.0 if uid > 5 else None):
            said = users.retrieve(uid).name
    except Exception as error:
        said = type(error).__name__
    start_response('200 OK', [])
    return [said.encode()]
";

#[test]
fn the_request_and_its_deadline_go_along() {
    let place = app();
    place.write("a/user/handler.py", HANDLER).write("a/app.py", WEB);
    let port = free_port();
    let mut serve = place.dae(["serve", "a", "--port", &port.to_string()]).spawn();
    serve.until("Started user.UserStorage");
    let ask = |path: &str, id: &str| {
        let headers = [("X-Request-Id", id)];
        Http::open(port).send("GET", "daetest.localhost", path, &headers, b"").unwrap().text()
    };
    assert_eq!(ask("/5", "from-the-front"), "from-the-front");
    serve.until("WARNING [from-the-front] user: retrieve 5, of use: False");
    // One that has no name gets one.
    let (one, two) = (ask("/5", ""), ask("/5", "not a name"));
    assert!(one.len() == 16 && two.len() == 16 && one != two, "{one} {two}");
    serve.until(&format!("WARNING [{one}] user: retrieve 5"));
    // A failure says for whom.
    assert_eq!(ask("/3", "third"), "TApplicationException");
    serve.until("user.UserStorage.retrieve, for the request third:");
    // Both give up when the first one's time is over, and not after the two seconds of the client.
    assert_eq!(ask("/7", "in-time"), "TimedOut");
    serve.until("WARNING [in-time] user: retrieve 7, of use: True");
    serve.until("WARNING [in-time] user: retrieve 9, of use: True");
    let gave_up = serve.until("WARNING [in-time] user: downstream: TimedOut");
    assert!(gave_up.contains("no answer within 0.") || gave_up.contains("is over"), "{gave_up}");
    serve.stop();
}
