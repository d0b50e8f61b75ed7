use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use kit::{Hub, Path, Problem};

use crate::{
    File, FileId, Files, is_inline, name,
    range::{Wanted, wanted},
    reader::Reader,
    rows,
};

/// Serves a file: shown in place only when it was sniffed as one of the harmless kinds, saved otherwise, and never able to run
/// anything. The name in the address is for people; the stored one counts.
pub(crate) async fn serve_file(
    reader: Reader,
    State(hub): State<Hub>,
    Extension(files): Extension<Files>,
    Path((id, _name)): Path<(FileId, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = readable(&hub, &files, &reader, id).await?;
    let tag = format!("\"{}\"", file.hash);
    if text(&headers, header::IF_NONE_MATCH).is_some_and(|it| names(it, &tag)) {
        return Ok(dressed(StatusCode::NOT_MODIFIED, &file, &tag, Body::empty()));
    }
    let fresh = text(&headers, header::IF_RANGE).is_none_or(|it| it == tag);
    let range = text(&headers, header::RANGE).filter(|_| fresh);
    let (status, part) = match wanted(range, file.size) {
        Wanted::Whole => (StatusCode::OK, 0..file.size),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => {
            let refusal = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable", "No such part")
                .detail(format!("The file has {} bytes.", file.size));
            return Ok(([(header::CONTENT_RANGE, format!("bytes */{}", file.size))], refusal).into_response());
        }
    };
    let content = files.open(file.hash, part.clone()).await?;
    let mut response = dressed(status, &file, &tag, Body::from_stream(content));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
    if status == StatusCode::PARTIAL_CONTENT {
        let text = format!("bytes {}-{}/{}", part.start, part.end - 1, file.size);
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&text).expect("numbers are ASCII"));
    }
    Ok(response)
}

/// The file, if it exists for this reader.
async fn readable(hub: &Hub, files: &Files, reader: &Reader, id: FileId) -> Result<File, Problem> {
    let file = hub.db().read(move |tx| rows::find(tx, id)).await?.ok_or_else(Problem::not_found)?;
    let principal = reader.within(file.workspace).ok_or_else(Problem::not_found)?;
    let (files, asked) = (files.clone(), file.clone());
    let may = hub.db().read(move |tx| files.may_read(tx, &principal, &asked)).await?;
    if may { Ok(file) } else { Err(Problem::not_found()) }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|it| it.to_str().ok())
}

/// Whether an `If-None-Match` names this tag.
fn names(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

/// An answer with the headers that every answer about a file has. Access is asked each time, so nothing is used from a cache
/// without asking.
fn dressed(status: StatusCode, file: &File, tag: &str, body: Body) -> Response {
    let value = |text: &str| HeaderValue::from_str(text).expect("types, tags and encoded names are ASCII");
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&file.media_type));
    headers.insert(header::CONTENT_DISPOSITION, value(&name::disposition(is_inline(&file.media_type), &file.name)));
    headers.insert(header::ETAG, value(tag));
    for (name, text) in [
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(text));
    }
    response
}
