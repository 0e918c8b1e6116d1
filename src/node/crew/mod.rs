//! What runs beside the web processes of the generation that serves: daemons, queue workers.
//!
//! Theory of operation. An app has one crew, and one task owns it. That task is told which generation serves, and only the
//! newest word counts. At a change every daemon of the last crew is stopped, and gone, before anything of the next is started:
//! there are never two of one daemon, nor one under code that serves no more. A queue worker takes no further job then, but
//! may do the one it holds to its end, beside the next crew.

mod member;
mod post;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Duty, Generation, Seen, Surroundings};
pub(super) use member::{Leaves, Member};
use post::{Post, Watch};

/// The outside of a crew.
#[derive(Debug)]
pub(super) struct Crew {
    wanted: watch::Sender<Option<Wanted>>,
    posts: Arc<Mutex<Posts>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone)]
struct Wanted {
    number: u64,
    generation: Arc<Generation>,
}

/// Who is at work, and who of an earlier crew has a job to finish.
#[derive(Debug, Default)]
struct Posts {
    posts: Vec<Posted>,
    leaving: Vec<Posted>,
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
        let task = tokio::spawn(follow(word, posts.clone(), surroundings));
        Self { wanted, posts, task }
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
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = |Posted { release, post }: &Posted| Seen {
            process: post.label.clone(),
            release: release.clone(),
            duty: Duty::Serves,
            leader: post.pid.load(Ordering::Relaxed),
        };
        posts.posts.iter().chain(&posts.leaving).map(seen).filter(|seen| seen.leader != 0).collect()
    }

    /// Starts anew the member of this label, or all instances of this name; the answer is how many.
    pub fn again(&self, name: &str) -> usize {
        let posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = |post: &&Arc<Post>| {
            let number = post.label.strip_prefix(name).map(|rest| rest.strip_prefix('.').unwrap_or(rest));
            number.is_some_and(|number| post.label == name || number.parse::<u16>().is_ok())
        };
        posts.posts.iter().map(|posted| &posted.post).filter(meant).map(|post| post.again.notify_one()).count()
    }

    /// Ends all of it.
    pub async fn end(self) {
        drop(self.wanted);
        // A task that panicked has ended as well.
        let _ = self.task.await;
    }
}

async fn follow(mut word: watch::Receiver<Option<Wanted>>, posts: Arc<Mutex<Posts>>, surroundings: Surroundings) {
    let (mut stop, end) = (CancellationToken::new(), CancellationToken::new());
    let (mut daemons, mut workers) = (JoinSet::new(), JoinSet::new());
    while word.changed().await.is_ok() {
        stop.cancel();
        while daemons.join_next().await.is_some() {}
        while workers.try_join_next().is_some() {}
        stop = CancellationToken::new();
        // What was said while they ended counts too.
        let wanted = word.borrow_and_update().clone();
        let mut now = Vec::new();
        if let Some(Wanted { number, generation }) = wanted {
            for member in member::members(&generation) {
                let post = Arc::new(Post { label: member.label.clone(), ..Post::default() });
                now.push(Posted { release: generation.release.clone(), post: post.clone() });
                let (generation, surroundings) = (generation.clone(), surroundings.clone());
                let (stop, end, leaves) = (stop.clone(), end.clone(), member.leaves);
                let watch = Watch { member, post, number, generation, surroundings, stop, end };
                match leaves {
                    Leaves::AtOnce => daemons.spawn(watch.keep()),
                    Leaves::AfterItsJob => workers.spawn(watch.keep()),
                };
            }
        }
        posts.lock().unwrap_or_else(PoisonError::into_inner).follow_with(now);
    }
    end.cancel();
    stop.cancel();
    while daemons.join_next().await.is_some() {}
    while workers.join_next().await.is_some() {}
}

impl Posts {
    fn follow_with(&mut self, now: Vec<Posted>) {
        self.leaving.extend(std::mem::replace(&mut self.posts, now));
        // What has ended, and what never began, is not coming back.
        self.leaving.retain(|posted| posted.post.pid.load(Ordering::Relaxed) != 0);
    }
}
