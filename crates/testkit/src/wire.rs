//! The way to a server: its address, and a pool of connections.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Response, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::{PATIENCE, Reply};

#[derive(Debug, Clone)]
pub(crate) struct Wire {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Wire {
    pub(crate) fn new(base: String) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), base }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn open(&self, request: hyper::Request<Full<Bytes>>) -> Response<Incoming> {
        let asked = format!("{} {}", request.method(), request.uri());
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{asked} was not answered in {PATIENCE:?}"));
        answer.unwrap_or_else(|error| panic!("{asked}: {error:?}"))
    }

    pub(crate) async fn send(&self, request: hyper::Request<Full<Bytes>>) -> Reply {
        let asked = format!("{} {}", request.method(), request.uri());
        let (parts, body) = self.open(request).await.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await;
        let body = body.unwrap_or_else(|_| panic!("{asked}: the body did not end in {PATIENCE:?}"));
        let body = body.unwrap_or_else(|error| panic!("{asked}: {error}")).to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { asked, status: parts.status, headers: parts.headers, text, json }
    }
}
