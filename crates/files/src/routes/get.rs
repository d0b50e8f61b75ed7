use axum::{Extension, Json, extract::State};
use kit::{Answer, Hub, Path, Problem, SignedIn};

use crate::{FileId, FileView, Files, rows};

/// Get a file's description
///
/// For who may see a message that uses the file; while none does, for who uploaded it.
#[utoipa::path(get, path = "/files/{id}", tag = "files", params(("id" = FileId, Path)),
    responses((status = 200, body = FileView)))]
pub(crate) async fn get_file(
    principal: SignedIn,
    State(hub): State<Hub>,
    Extension(files): Extension<Files>,
    Path(id): Path<FileId>,
) -> Answer<FileView> {
    let found = hub.db().read(move |tx| {
        let file = rows::get(tx, principal.workspace, id)?.ok_or_else(Problem::not_found)?;
        if files.may_read(tx, &principal, &file)? { Ok(FileView::from(&file)) } else { Err(Problem::not_found()) }
    });
    found.await.map(Json)
}
