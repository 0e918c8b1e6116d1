//! What runs beside the web processes of the generation that serves: daemons, queue workers.
//!
//! Theory of operation. An app has one crew, and one task owns it. That task is told which generation serves, and only the
//! newest word counts. At a change every daemon of the last crew is stopped, and gone, before anything of the next is started:
//! there are never two of one daemon, nor one under code that serves no more. A queue worker takes no further job then, but
//! may do the one it holds to its end, beside the next crew.

mod member;
mod post;

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Duty, Generation, Seen, Surroundings};
use crate::supervisor::Left;
pub(super) use member::{Leaves, Member};
use post::{Post, Watch};

/// The outside of a crew.
#[derive(Debug)]
pub(super) struct Crew {
    wanted: watch::Sender<Option<Wanted>>,
    posts: Arc<Mutex<Posts>>,
    /// All of it is left to another process.
    leave: CancellationToken,
    left: Arc<Mutex<Vec<(String, Left)>>>,
    task: JoinHandle<()>,
}

/// Members that another process has left, by their labels: the next ones of these labels are they.
type Taken = HashMap<String, Left>;

#[derive(Debug, Clone)]
struct Wanted {
    number: u64,
    generation: Arc<Generation>,
}

/// Who is at work, and who of an earlier crew has a job to finish.
#[derive(Debug, Default)]
struct Posts {
    at_work: Vec<Posted>,
    leaving: Vec<Posted>,
    taken: Taken,
}

/// Of which release.
#[derive(Debug, Clone)]
struct Posted {
    release: Option<String>,
    post: Arc<Post>,
}

impl Crew {
    pub fn open(surroundings: Surroundings) -> Self {
        let (wanted, word) = watch::channel(None);
        let posts = Arc::new(Mutex::new(Posts::default()));
        let (leave, left) = (CancellationToken::new(), Arc::default());
        let crew = Whole { posts: posts.clone(), leave: leave.clone(), left: Arc::clone(&left), surroundings };
        let task = tokio::spawn(crew.follow(word));
        Self { wanted, posts, leave, left, task }
    }

    /// Another process has left these: they are of the crew that serves next.
    pub fn take_up(&self, taken: Taken) {
        self.lock().taken = taken;
    }

    /// Who of an earlier crew still has a job to finish.
    pub fn leaving(&self) -> Option<String> {
        let posts = self.lock();
        let mut leaving = posts.leaving.iter().map(|posted| &posted.post);
        leaving.find(|post| post.pid.load(Ordering::Relaxed) != 0).map(|post| post.label.clone())
    }

    /// Gives all of it up, for another process.
    pub async fn leave(self) -> Vec<(String, Left)> {
        self.leave.cancel();
        // A task that panicked has left nobody.
        let _ = self.task.await;
        std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Posts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `generation` serves: its crew takes over. One that is at work already stays.
    pub fn serve(&self, number: u64, generation: &Arc<Generation>) {
        self.wanted.send_if_modified(|wanted| {
            let stays = wanted.as_ref().is_some_and(|wanted| Arc::ptr_eq(&wanted.generation, generation));
            if !stays {
                *wanted = Some(Wanted { number, generation: generation.clone() });
            }
            !stays
        });
    }

    /// Nothing serves.
    pub fn dismiss(&self) {
        self.wanted.send_if_modified(|wanted| wanted.take().is_some());
    }

    /// Those that run at this moment.
    pub fn seen(&self) -> Vec<Seen> {
        let posts = self.lock();
        let seen = |Posted { release, post }: &Posted| Seen {
            process: post.label.clone(),
            release: release.clone(),
            duty: Duty::Serves,
            leader: post.pid.load(Ordering::Relaxed),
        };
        posts.at_work.iter().chain(&posts.leaving).map(seen).filter(|seen| seen.leader != 0).collect()
    }

    /// Starts anew the member of this label, or all instances of this name; the answer is how many.
    pub fn again(&self, name: &str) -> usize {
        let posts = self.lock();
        let meant = |post: &&Arc<Post>| {
            let number = post.label.strip_prefix(name).map(|rest| rest.strip_prefix('.').unwrap_or(rest));
            number.is_some_and(|number| post.label == name || number.parse::<u16>().is_ok())
        };
        posts.at_work.iter().map(|posted| &posted.post).filter(meant).map(|post| post.again.notify_one()).count()
    }

    /// Ends all of it.
    pub async fn end(self) {
        drop(self.wanted);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}

/// The inside of a crew.
struct Whole {
    posts: Arc<Mutex<Posts>>,
    leave: CancellationToken,
    left: Arc<Mutex<Vec<(String, Left)>>>,
    surroundings: Surroundings,
}

impl Whole {
    async fn follow(self, mut word: watch::Receiver<Option<Wanted>>) {
        let Self { posts, leave, left, surroundings } = self;
        let (mut stop, end) = (CancellationToken::new(), CancellationToken::new());
        let (mut daemons, mut workers) = (JoinSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                changed = word.changed() => if changed.is_err() { break },
                () = leave.cancelled() => break,
            }
            stop.cancel();
            while daemons.join_next().await.is_some() {}
            while workers.try_join_next().is_some() {}
            stop = CancellationToken::new();
            // What was said while they ended counts too.
            let wanted = word.borrow_and_update().clone();
            let mut now = Vec::new();
            if let Some(Wanted { number, generation }) = wanted {
                let mut taken = std::mem::take(&mut posts.lock().unwrap_or_else(PoisonError::into_inner).taken);
                for member in member::members(&generation) {
                    let post = Arc::new(Post { label: member.label.clone(), ..Post::default() });
                    now.push(Posted { release: generation.release.clone(), post: post.clone() });
                    let (generation, surroundings) = (generation.clone(), surroundings.clone());
                    let (stop, end, leaves) = (stop.clone(), end.clone(), member.leaves);
                    let (leave, left, taken) = (leave.clone(), left.clone(), taken.remove(&member.label));
                    let watch = Watch { member, post, number, generation, surroundings, stop, end, leave, left, taken };
                    match leaves {
                        Leaves::AtOnce => daemons.spawn(watch.keep()),
                        Leaves::AfterItsJob => workers.spawn(watch.keep()),
                    };
                }
            }
            posts.lock().unwrap_or_else(PoisonError::into_inner).follow_with(now);
        }
        if !leave.is_cancelled() {
            end.cancel();
            stop.cancel();
        }
        while daemons.join_next().await.is_some() {}
        while workers.join_next().await.is_some() {}
    }
}

impl Posts {
    fn follow_with(&mut self, now: Vec<Posted>) {
        self.leaving.extend(std::mem::replace(&mut self.at_work, now));
        // What has ended, and what never began, is not coming back.
        self.leaving.retain(|posted| posted.post.pid.load(Ordering::Relaxed) != 0);
    }
}
