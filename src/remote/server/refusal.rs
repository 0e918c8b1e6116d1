//! How a node says no: RFC 9457 problems, which under `/v2/` also carry the errors the OCI specification asks for.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::disk;
use crate::problem::Problem;
use crate::remote::api::{PROBLEM_TYPE, Refusal};

#[derive(Debug)]
pub struct Refused {
    status: StatusCode,
    problem: Box<Problem>,
    /// Errors of the OCI distribution specification.
    errors: Vec<Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

pub type Answer = Result<Response, Refused>;

impl Refused {
    pub fn new(status: StatusCode, problem: Problem) -> Self {
        Self { status, problem: Box::new(problem), errors: Vec::new(), headers: Vec::new() }
    }

    /// One of the codes of the OCI specification.
    pub fn registry(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let kind = format!("registry.{}", code.to_lowercase().replace('_', "-"));
        Self::new(status, Problem::new(kind, message.clone())).error(code, &message, Value::Null)
    }

    pub fn error(mut self, code: &str, message: &str, detail: Value) -> Self {
        self.errors.push(json!({ "code": code, "message": message, "detail": detail }));
        self
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        *self.problem = self.problem.hint(hint);
        self
    }

    /// What is told where there is no answer to refuse.
    pub fn into_problem(self) -> Problem {
        *self.problem
    }

    pub fn header(mut self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        if let Ok(value) = value.try_into() {
            self.headers.push((name, value));
        }
        self
    }
}

/// What went wrong on the node itself.
impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        let full = problem.code == disk::FULL;
        let status = if full { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::INTERNAL_SERVER_ERROR };
        let message = problem.to_string();
        Self::new(status, problem).error(if full { "DENIED" } else { "UNKNOWN" }, &message, Value::Null)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let refusal = Refusal::new(self.status.as_u16(), *self.problem);
        let mut body = serde_json::to_value(refusal).unwrap_or_default();
        if !self.errors.is_empty() {
            body["errors"] = self.errors.into();
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_TYPE));
        headers.extend(self.headers);
        response
    }
}
