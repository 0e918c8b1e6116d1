//! What a new app consists of: the files under `templates/app`, rendered. Knows no virtualenv and no repository.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};

use super::{AppName, SCHEMA, SCHEMA_FILE};
use crate::problem::{Doing as _, Problem, Result};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/app");

/// Which framework a new app begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A bare WSGI function: no package at all
    Blank,
    #[value(name = "web.py")]
    WebPy,
    Flask,
    Django,
    /// ASGI
    Fastapi,
}

/// A new app, about to be written.
#[derive(Debug)]
pub struct Scaffold {
    pub name: AppName,
    pub template: Template,
}

impl Template {
    /// In the order they are offered.
    pub const ALL: [Self; 5] = [Self::Blank, Self::WebPy, Self::Flask, Self::Django, Self::Fastapi];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::WebPy => "web.py",
            Self::Flask => "flask",
            Self::Django => "django",
            Self::Fastapi => "fastapi",
        }
    }

    /// The packages its code imports, by the names they are installed under.
    pub fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Blank => &[],
            Self::WebPy => &["web.py"],
            Self::Flask => &["flask"],
            Self::Django => &["django"],
            Self::Fastapi => &["fastapi"],
        }
    }

    fn handler(self) -> &'static str {
        match self {
            Self::Fastapi => "asgi_app: app:app",
            _ => "wsgi_app: app:app",
        }
    }
}

impl Scaffold {
    /// Writes the files into `folder`, which is there.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (path, text) in self.files()? {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).doing(|| format!("make the folder `{}`", parent.display()))?;
            }
            std::fs::write(&path, text).doing(|| format!("write `{}`", path.display()))?;
        }
        Ok(())
    }

    /// The files every app has, then the template's own, by their paths below the app's folder.
    fn files(&self) -> Result<Vec<(PathBuf, String)>> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(syntax()?);
        let values = context! {
            name => self.name.as_str(),
            host => self.name.host(),
            template => self.template.as_str(),
            packages => self.template.packages().to_vec(),
            handler => self.template.handler(),
            secret => secret()?,
        };
        let mut files = vec![(PathBuf::from(SCHEMA_FILE), SCHEMA.to_owned())];
        for set in ["common", self.template.as_str()] {
            let Some(dir) = TEMPLATES.get_dir(set) else { continue };
            for (path, text) in contents(dir) {
                let text = environment.render_str(text, &values).map_err(broken)?;
                let path = path.strip_prefix(set).unwrap_or(path);
                files.push((unhidden(path), text));
            }
        }
        Ok(files)
    }
}

/// A line that holds only a block leaves no line behind.
fn syntax() -> Result<SyntaxConfig> {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build().map_err(broken)
}

fn broken(error: minijinja::Error) -> Problem {
    Problem::new("create.template", "a template could not be filled in").because(error)
}

fn contents(dir: &'static Dir<'static>) -> Vec<(&'static Path, &'static str)> {
    let mut files: Vec<_> = dir.files().filter_map(|file| Some((file.path(), file.contents_utf8()?))).collect();
    files.extend(dir.dirs().flat_map(contents));
    files
}

/// `_gitignore` stands for `.gitignore`, which would be obeyed where the templates are kept.
fn unhidden(path: &Path) -> PathBuf {
    match path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("_git")) {
        Some(rest) => path.with_file_name(format!(".git{rest}")),
        None => path.to_owned(),
    }
}

/// 50 characters nobody can guess, for a framework that signs its cookies.
fn secret() -> Result<String> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 50];
    getrandom::fill(&mut bytes)
        .map_err(|error| Problem::new("create.random", "could not make a secret key").because(error))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte % 64)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Manifest, Serves, Worker};

    fn files(template: Template) -> Vec<(PathBuf, String)> {
        Scaffold { name: AppName::parse("my_blog").unwrap(), template }.files().unwrap()
    }

    fn text(files: &[(PathBuf, String)], path: &str) -> String {
        files.iter().find(|(file, _)| file == Path::new(path)).unwrap().1.clone()
    }

    #[test]
    fn app_yaml_has_the_form_of_2012_below_a_line_for_editors() {
        insta::assert_snapshot!(text(&files(Template::Blank), "app.yaml"), @"
        # yaml-language-server: $schema=.dae/app.schema.json
        application: my_blog
        version: 1
        runtime: python
        api_version: 1

        handlers:
        - url: /.*
          wsgi_app: app:app
        ");
    }

    #[test]
    fn every_template_is_whole() {
        for template in Template::ALL {
            let files = files(template);
            let yaml = text(&files, "app.yaml");
            let (manifest, warnings) = Manifest::parse(Path::new("app.yaml"), yaml.as_bytes()).unwrap();
            assert_eq!(warnings, [], "{template:?}");
            let asgi = matches!(manifest.handlers[0].serves, Serves::AsgiApp(_));
            assert_eq!((asgi, manifest.worker == Worker::Asgi), (template == Template::Fastapi, asgi));
            assert!(text(&files, "app.py").contains("app"), "{template:?}");
            let pins: Vec<String> = text(&files, "pip-req.txt").lines().map(str::to_owned).collect();
            assert_eq!(pins, template.packages());
            for (path, text) in &files {
                assert!(text.ends_with('\n') || text.is_empty(), "{template:?} {}", path.display());
                assert!(!text.ends_with("\n\n"), "{template:?} {}", path.display());
                assert!(!path.to_string_lossy().contains('_') || path.ends_with("__init__.py"));
            }
        }
    }

    #[test]
    fn a_secret_is_not_made_twice() {
        let settings = || text(&files(Template::Django), "project/settings.py");
        assert_ne!(settings(), settings());
    }
}
