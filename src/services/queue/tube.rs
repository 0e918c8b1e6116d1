//! The tubes: each a name, its jobs by state, and who waits for them. A tube is there while it has jobs or somebody uses it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::command::Name;

pub type TubeId = u32;

/// The tube that is always there.
pub const DEFAULT: TubeId = 0;

#[derive(Debug)]
pub struct Tube {
    pub name: Name,
    /// By priority, then by age.
    pub ready: BTreeSet<(u32, u64)>,
    /// By the time they are ready.
    pub delayed: BTreeSet<(u64, u64)>,
    /// In the order they were buried.
    pub buried: BTreeSet<(u64, u64)>,
    /// Connections that wait, longest first.
    pub waiting: BTreeMap<u64, u32>,
    pub urgent: u64,
    pub reserved: u64,
    /// Jobs that were ever put into it.
    pub total: u64,
    pub deletes: u64,
    pub using: u32,
    pub watching: u32,
    pub pauses: u64,
    /// How long it is paused, in nanoseconds, and until when; 0 when it is not.
    pub pause: u64,
    pub paused_until: u64,
}

/// Makes, finds and drops them.
#[derive(Debug)]
pub struct Tubes {
    slots: Vec<Option<Tube>>,
    free: Vec<TubeId>,
    names: HashMap<Name, TubeId>,
    /// As `list-tubes` tells them: beanstalkd puts the last in the place of one that goes.
    pub order: Vec<TubeId>,
}

impl Tube {
    fn new(name: Name) -> Self {
        Self {
            name,
            ready: BTreeSet::new(),
            delayed: BTreeSet::new(),
            buried: BTreeSet::new(),
            waiting: BTreeMap::new(),
            urgent: 0,
            reserved: 0,
            total: 0,
            deletes: 0,
            using: 0,
            watching: 0,
            pauses: 0,
            pause: 0,
            paused_until: 0,
        }
    }

    fn is_unused(&self) -> bool {
        let jobs = self.ready.len() + self.delayed.len() + self.buried.len();
        jobs == 0 && self.reserved == 0 && self.using == 0 && self.watching == 0
    }
}

impl Default for Tubes {
    fn default() -> Self {
        let mut tubes = Self { slots: Vec::new(), free: Vec::new(), names: HashMap::new(), order: Vec::new() };
        tubes.make(&Name::default());
        tubes
    }
}

impl Tubes {
    pub fn find(&self, name: &Name) -> Option<TubeId> {
        self.names.get(name).copied()
    }

    pub fn make(&mut self, name: &Name) -> TubeId {
        if let Some(id) = self.find(name) {
            return id;
        }
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.slots[id as usize] = Some(Tube::new(name.clone()));
        self.names.insert(name.clone(), id);
        self.order.push(id);
        id
    }

    /// Lets it go where nothing needs it any more.
    pub fn tidy(&mut self, id: TubeId) {
        if id != DEFAULT && self.slots[id as usize].as_ref().is_some_and(Tube::is_unused) {
            if let Some(tube) = self.slots[id as usize].take() {
                self.names.remove(&tube.name);
            }
            self.free.push(id);
            if let Some(at) = self.order.iter().position(|known| *known == id) {
                self.order.swap_remove(at);
            }
        }
    }

    pub fn get_mut(&mut self, id: TubeId) -> Option<&mut Tube> {
        self.slots.get_mut(id as usize)?.as_mut()
    }

    /// Those that are there, in no order that means anything.
    pub fn ids(&self) -> Vec<TubeId> {
        self.order.clone()
    }
}

impl std::ops::Index<TubeId> for Tubes {
    type Output = Tube;

    #[expect(clippy::expect_used, reason = "an id is held only by what keeps its tube")]
    fn index(&self, id: TubeId) -> &Tube {
        self.slots[id as usize].as_ref().expect("a tube in use")
    }
}

impl std::ops::IndexMut<TubeId> for Tubes {
    #[expect(clippy::expect_used, reason = "an id is held only by what keeps its tube")]
    fn index_mut(&mut self, id: TubeId) -> &mut Tube {
        self.slots[id as usize].as_mut().expect("a tube in use")
    }
}
