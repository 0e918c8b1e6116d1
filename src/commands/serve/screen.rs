//! The terminal of `dae serve`: what happens is shown, and keys are heard.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::super::{Context, foreground};
use super::debugger::{self, Debugger, Debuggers, Stands};
use super::filter::{self, Filter};
use crate::app::AppName;
use crate::dev_server::{DevServer, Event, Feed, Server, Session, Tagged};
use crate::problem::Result;
use crate::services::state::{self, Order};
use crate::term::{self, Keys, Line, Tone};

const KEYS: &str = "[o]pen  [e]rrors  [r]estart  [l]og filter  [d]ebugger  [s]napshot  [?]  [q]uit";

/// An app that is served, as the terminal knows it.
pub struct App {
    pub name: AppName,
    pub session: Session,
    pub feed: Arc<Feed>,
    /// Takes lines for a debugger, each with the terminal it waits at.
    pub type_in: mpsc::UnboundedSender<(u64, String)>,
    /// Where whoever hosts its services hears of their state.
    pub state: Option<PathBuf>,
    pub serving: Option<Server>,
}

pub async fn run(server: DevServer, apps: Vec<App>, open_it: bool, context: &Context) -> Result<()> {
    let (events, mut heard) = mpsc::unbounded_channel();
    let (press, mut pressed) = mpsc::unbounded_channel();
    let (quit, quitting) = oneshot::channel::<()>();
    let signal = foreground::stop()?;
    let stop = async {
        tokio::select! { () = signal => {} Ok(()) = quitting => {} }
    };
    let mut running = tokio::spawn(server.run(events, stop));
    let keys = Keys::listen(&context.terminal, move |key| {
        // After the end nobody hears keys.
        let _ = press.send(key);
    });
    let mut screen = Screen {
        apps,
        open_it,
        keys,
        context,
        quit: Some(quit),
        last_problem: None,
        debuggers: Debuggers::default(),
        filter: Filter::default(),
    };
    let ended = loop {
        // The server's end counts, not the last sender's: a process that left the family may hold its output open for ever.
        tokio::select! {
            biased;
            Some((app, event)) = heard.recv() => screen.hear(&app, &event)?,
            Some(key) = pressed.recv() => screen.press(key).await,
            result = &mut running => break result.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
        }
    };
    context.terminal.unprompt();
    ended
}

struct Screen<'a> {
    apps: Vec<App>,
    open_it: bool,
    keys: Option<Keys>,
    context: &'a Context,
    quit: Option<oneshot::Sender<()>>,
    last_problem: Option<(AppName, Event)>,
    debuggers: Debuggers,
    filter: Filter,
}

impl Screen<'_> {
    fn hear(&mut self, name: &AppName, event: &Event) -> Result<()> {
        match event {
            Event::Ready { status, address } => {
                let with = self.apps.iter().filter(|app| app.name != *name).map(|app| app.name.to_string()).collect();
                let (app, url) = (status.app.clone(), status.url.clone());
                let server = Server { app, pid: status.pid, url, address: *address, with };
                self.greet(name, server)?;
            }
            Event::Broken { .. } => self.last_problem = Some((name.clone(), event.clone())),
            Event::Prompt { process, terminal, prompt } if self.keys.is_some() => {
                self.publish(name, event);
                let (app, process, prompt) = (name.clone(), process.clone(), prompt.clone());
                self.wants(Debugger { app, process, terminal: *terminal, prompt });
                return Ok(());
            }
            Event::Left { terminal, .. } => {
                self.debuggers.left(*terminal);
                self.give_keyboard();
            }
            Event::Output { process, line } if self.debuggers.echoes(name, process, line) => return Ok(()),
            _ => {}
        }
        self.publish(name, event);
        if self.filter.shows(name, event) {
            self.show(name, event);
        }
        Ok(())
    }

    /// A debugger waits for a line.
    fn wants(&mut self, debugger: Debugger) {
        let named = self.named(&debugger);
        match self.debuggers.wants(debugger, !self.filter.is_typed()) {
            Stands::On => {}
            Stands::First => self.tell_turn(),
            Stands::Behind => {
                let until = match self.debuggers.current() {
                    Some(current) => format!("; `c` or Ctrl-N in {} gives it the keyboard", self.named(current)),
                    None => String::new(),
                };
                self.say_of_debuggers(format!("{named} waits{until}"));
            }
        }
        self.draw_bottom();
    }

    /// To the debugger that waits longest, where nobody types anything else.
    fn give_keyboard(&mut self) {
        if !self.filter.is_typed() && self.debuggers.give_next().is_some() {
            self.tell_turn();
        }
        self.draw_bottom();
    }

    fn tell_turn(&self) {
        if let Some(current) = self.debuggers.current() {
            let named = self.named(current);
            self.say_of_debuggers(format!("{named} has the keyboard; `c` goes on, Ctrl-N puts it aside"));
        }
    }

    fn say_of_debuggers(&self, text: String) {
        self.context.terminal.line(&Line::new(Tone::Warning, "debugger", text));
    }

    fn named(&self, debugger: &Debugger) -> String {
        if self.apps.len() > 1 { format!("{}/{}", debugger.app, debugger.process) } else { debugger.process.clone() }
    }

    fn draw_bottom(&self) {
        match self.filter.line().or_else(|| self.debuggers.line()) {
            Some(line) => self.context.terminal.prompt(&line),
            None => self.context.terminal.unprompt(),
        }
    }

    async fn press(&mut self, key: char) {
        let context = self.context;
        let line = |word: &str, text: String| context.terminal.line(&Line::new(Tone::Quiet, word, text));
        match self.filter.press(key) {
            Some(filter::Pressed::Typed) => return self.draw_bottom(),
            Some(filter::Pressed::Settled(text)) => {
                context.terminal.settle();
                line("showing", text);
                return self.give_keyboard();
            }
            None => {}
        }
        match self.debuggers.press(key, Instant::now()) {
            Some(debugger::Pressed::Typed) => return self.draw_bottom(),
            Some(debugger::Pressed::Line(debugger, typed)) => {
                context.terminal.settle();
                // The server may be going down.
                let app = self.apps.iter().find(|one| one.name == debugger.app);
                app.inspect(|app| drop(app.type_in.send((debugger.terminal, typed))));
                return self.give_keyboard();
            }
            Some(debugger::Pressed::Aside(debugger)) => {
                context.terminal.unprompt();
                line("debugger", format!("{} is put aside; `d` turns to it", self.named(&debugger)));
                self.tell_turn();
                return self.draw_bottom();
            }
            None => {}
        }
        match key {
            'q' => drop(self.quit.take().map(|quit| quit.send(()))),
            'o' => {
                if let Some(server) = self.apps.first().and_then(|app| app.serving.as_ref()) {
                    open(context, &server.url);
                }
            }
            'r' => {
                for server in self.apps.iter().filter_map(|app| app.serving.as_ref()) {
                    // What comes of it is told.
                    let _ = server.restart().await;
                }
            }
            'e' => match &self.last_problem {
                Some((app, problem)) => self.show(app, problem),
                None => context.say("errors", "none so far"),
            },
            'l' => {
                self.filter.begin();
                self.draw_bottom();
            }
            's' => self.snapshot().await,
            'd' if self.debuggers.turn().is_some() => {
                self.tell_turn();
                self.draw_bottom();
            }
            'd' => line("debugger", "none waits; `breakpoint()` in the code calls it".into()),
            '?' => line("keys", KEYS.into()),
            _ => {}
        }
    }

    /// As `dae state save` does, under a name that tells when.
    async fn snapshot(&self) {
        let name = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        for (app, socket) in self.apps.iter().filter_map(|app| Some((app, app.state.clone()?))) {
            let order = Order::Save { name: name.clone(), again: false };
            let asked = tokio::task::spawn_blocking(move || state::ask(&socket, &order)).await;
            match asked.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())) {
                // That it was saved is told by whoever did it.
                Ok(()) => {
                    let text = format!("`dae state restore {name}` brings {} back to this moment", app.name);
                    self.context.terminal.line(&Line::new(Tone::Quiet, "snapshot", text));
                }
                Err(problem) => self.context.warn(&problem),
            }
        }
    }

    /// The port is open.
    fn greet(&mut self, name: &AppName, server: Server) -> Result<()> {
        let context = self.context;
        let Some(app) = self.apps.iter_mut().find(|app| app.name == *name) else { return Ok(()) };
        app.session.tell(&server)?;
        context.say("serving", format!("`{}`", server.url));
        app.serving = Some(server);
        if self.apps.iter().any(|app| app.serving.is_none()) {
            return Ok(());
        }
        let (word, text) = if self.keys.is_some() { ("keys", KEYS) } else { ("stop", "Ctrl-C") };
        context.terminal.line(&Line::new(Tone::Quiet, word, text));
        for server in self.apps.iter().filter_map(|app| app.serving.as_ref()).filter(|_| self.open_it) {
            open(context, &server.url);
        }
        Ok(())
    }

    fn publish(&self, name: &AppName, event: &Event) {
        self.apps.iter().filter(|app| app.name == *name).for_each(|app| app.feed.publish(event));
    }

    /// Among several apps it says whose it is.
    fn show(&self, name: &AppName, event: &dyn term::Event) {
        if self.apps.len() > 1 {
            self.context.terminal.tell(&Tagged::new(name.as_str(), event));
        } else {
            self.context.terminal.tell(event);
        }
    }
}

/// Opens a page with the program the system has for it.
fn open(context: &Context, url: &str) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if let Err(error) = Command::new(program).arg(url).spawn() {
        context.terminal.line(&Line::warning(format!("could not open a browser with `{program}`: {error}")));
    }
}
