//! The terminal of `dae serve`: what happens is shown, and keys are heard.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::super::{Context, foreground};
use super::debugger::Debugger;
use super::filter::{Filter, QUESTION, Typed};
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
    /// Takes lines for a debugger, each with its process.
    pub type_in: mpsc::UnboundedSender<(String, String)>,
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
        debugger: None,
        waiting: Vec::new(),
        filter: Filter::default(),
        behind: Vec::new(),
    };
    loop {
        // The server's end counts, not the last sender's: a process that left the family may hold its output open for ever.
        tokio::select! {
            biased;
            Some((app, event)) = heard.recv() => screen.hear(&app, &event)?,
            Some(key) = pressed.recv() => screen.press(key).await,
            result = &mut running => break result.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic())),
        }
    }
}

struct Screen<'a> {
    apps: Vec<App>,
    open_it: bool,
    keys: Option<Keys>,
    context: &'a Context,
    quit: Option<oneshot::Sender<()>>,
    last_problem: Option<(AppName, Event)>,
    /// In which app one waits.
    debugger: Option<(AppName, Debugger)>,
    /// Those that came while it had the keyboard.
    waiting: Vec<(AppName, Debugger)>,
    filter: Filter,
    /// What is shown when the filter has been typed.
    behind: Vec<(AppName, Event)>,
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
            Event::Started { .. } | Event::Reloaded { .. } | Event::Broken { .. } => {
                // Whoever waited there has gone.
                self.waiting.retain(|(app, _)| app != name);
                if self.debugger.take_if(|(app, _)| app == name).is_some() {
                    self.keys.as_ref().inspect(|keys| keys.singles());
                }
                if matches!(event, Event::Broken { .. }) {
                    self.last_problem = Some((name.clone(), event.clone()));
                }
            }
            Event::Prompt { process, prompt } => {
                self.publish(name, event);
                if let Some(keys) = &self.keys {
                    let other = |(app, debugger): &(AppName, Debugger)| {
                        !debugger.sent && (app != name || debugger.process != *process)
                    };
                    if self.debugger.as_ref().is_some_and(other) || self.filter.is_typed() {
                        self.waiting.push((name.clone(), Debugger::new(process, prompt)));
                        self.show(name, event);
                        return Ok(());
                    }
                    let waits = |(app, debugger): &(AppName, Debugger)| app == name && debugger.process == *process;
                    if !self.debugger.as_ref().is_some_and(waits) {
                        self.show(name, event);
                    }
                    self.debugger = Some((name.clone(), Debugger::new(process, prompt)));
                    self.context.terminal.prompt(prompt);
                    keys.lines();
                } else {
                    self.show(name, event);
                }
                return Ok(());
            }
            Event::Output { process, line }
                if self.debugger.as_ref().is_some_and(|(app, d)| app == name && d.echoes(process, line)) =>
            {
                return Ok(());
            }
            _ => {}
        }
        self.publish(name, event);
        if !self.filter.shows(name, event) {
            return Ok(());
        }
        if self.filter.is_typed() {
            self.behind.push((name.clone(), event.clone()));
        } else {
            self.show(name, event);
        }
        Ok(())
    }

    async fn press(&mut self, key: char) {
        if let Some((app, waiting)) = self.debugger.as_mut().filter(|(_, debugger)| !debugger.sent) {
            if let Some(line) = waiting.press(key) {
                // The server may be going down.
                let app = self.apps.iter().find(|one| one.name == *app);
                app.inspect(|app| drop(app.type_in.send((waiting.process.clone(), line))));
                self.keys.as_ref().inspect(|keys| keys.singles());
            }
            return;
        }
        let context = self.context;
        let line = |word: &str, text: String| context.terminal.line(&Line::new(Tone::Quiet, word, text));
        match self.filter.press(key) {
            Some(Typed::Echo(text)) => return context.terminal.prompt(&text),
            Some(Typed::Settled(text)) => {
                context.terminal.prompt("\n");
                line("showing", text);
                for (app, event) in std::mem::take(&mut self.behind) {
                    self.show(&app, &event);
                }
                return;
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
                context.terminal.prompt(QUESTION);
            }
            's' => self.snapshot().await,
            'd' if self.waiting.is_empty() => {
                line("debugger", "none waits; `breakpoint()` in the code calls it".into());
            }
            'd' => {
                let (app, debugger) = self.waiting.remove(0);
                line("debugger", format!("{} of {app}; `c` goes on", debugger.process));
                context.terminal.prompt(debugger.prompt());
                self.debugger = Some((app, debugger));
                self.keys.as_ref().inspect(|keys| keys.lines());
            }
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
