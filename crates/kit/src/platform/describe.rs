//! The API description (OpenAPI 3.1) and a small reference page that renders it without anything from elsewhere.

use std::sync::Arc;

use axum::{
    http::{HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use bytes::Bytes;
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, Content, HttpMethod, Info, OpenApi, Ref, RefOr, Required, Response as Answer,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{ObjectBuilder, Type},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::problem::{FieldProblem, ProblemBody};

/// The finished description as it is served.
pub(crate) struct Description {
    pub(crate) json: Bytes,
}

pub(crate) async fn openapi(description: Arc<Description>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], description.json.clone()).into_response()
}

pub(crate) async fn docs() -> Html<&'static str> {
    Html(include_str!("docs.html"))
}

pub(crate) async fn docs_script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("docs.js"))
}

/// Adds what holds for the whole API: title, security scheme, the problem answer, the idempotency key of writes.
pub(crate) fn complete(mut api: OpenApi, version: &str) -> OpenApi {
    let mut info = Info::new("Switchboard", version);
    info.description = Some(
        "Every error is an RFC 9457 problem with a stable `code`. Lists are paged by `cursor`. `x-right` names the right that an \
         operation needs."
            .to_owned(),
    );
    api.info = info;
    let components = api.components.get_or_insert_with(Components::new);
    components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    for (name, schema) in [(ProblemBody::name(), ProblemBody::schema()), (FieldProblem::name(), FieldProblem::schema())]
    {
        components.schemas.insert(name.into_owned(), schema);
    }
    for (path, item) in &mut api.paths.paths {
        let exempt = path.contains("/auth/");
        for (method, operation) in operations(item) {
            let writes = !matches!(method, HttpMethod::Get | HttpMethod::Head);
            // An idempotency key belongs to a principal, so what anybody may call takes none.
            if writes && !exempt && operation.security.is_some() {
                operation.parameters.get_or_insert_default().push(idempotency_key());
            }
            operation.responses.responses.entry("default".to_owned()).or_insert_with(problem);
        }
    }
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    let all = [
        (HttpMethod::Get, &mut item.get),
        (HttpMethod::Put, &mut item.put),
        (HttpMethod::Post, &mut item.post),
        (HttpMethod::Delete, &mut item.delete),
        (HttpMethod::Patch, &mut item.patch),
    ];
    all.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

fn idempotency_key() -> RefOr<Parameter> {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(128));
    let text = text.pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("A repeat with the same key and body gets the first answer."))
        .schema(Some(text))
        .build()
        .into()
}

fn problem() -> RefOr<Answer> {
    let mut answer = Answer::new("A problem");
    answer
        .content
        .insert("application/problem+json".to_owned(), Content::new(Some(Ref::from_schema_name("Problem"))).into());
    answer.into()
}
