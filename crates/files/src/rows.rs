//! The tables `files` and `file_uses`: who has which content under which name, and which messages use it.
//!
//! A file that no message uses is marked deleted after a day, and its row goes a day later; a blob goes when it has no row left.
//! So whatever a backup's snapshot refers to is still there a day after.

use model::{ActorKind, ActorRef, MessageId, Timestamp, WorkspaceId};
use store::{Error, Row, Tx, args};

use crate::{
    Hash,
    model::{Content, File, FileId, Shape},
    name,
};

const COLUMNS: &str = "f.id, f.workspace_id, f.hash, f.size, f.media_type, f.name, f.width, f.height, f.duration_ms, \
                       f.created_by_kind, f.created_by_id, f.created_at";

fn read(row: &Row<'_>) -> Result<File, Error> {
    let kind: String = row.get(9)?;
    let kind = ActorKind::parse(&kind).ok_or_else(|| Error::Corrupt(format!("actor kind {kind}")))?;
    let size: i64 = row.get(3)?;
    Ok(File {
        id: row.get(0)?,
        workspace: row.get(1)?,
        hash: row.get(2)?,
        size: u64::try_from(size).map_err(|_| Error::Corrupt(format!("file size {size}")))?,
        media_type: row.get(4)?,
        name: row.get(5)?,
        shape: Shape { width: row.get(6)?, height: row.get(7)?, duration_ms: row.get(8)? },
        created_by: ActorRef { kind, id: row.get(10)? },
        created_at: row.get(11)?,
    })
}

/// Gives stored content a name and an owner in the command's workspace. The name is made harmless. A file that no message
/// [uses](use_in) is gone after a day.
///
/// # Errors
/// See [`Error`].
pub fn add(tx: &mut Tx<'_>, by: ActorRef, name: &str, content: &Content) -> Result<File, Error> {
    let file = File {
        id: tx.id(),
        workspace: tx.workspace(),
        hash: content.hash,
        size: content.size,
        media_type: content.media_type.to_owned(),
        name: name::clean(name),
        shape: content.shape,
        created_by: by,
        created_at: tx.now(),
    };
    let size = i64::try_from(file.size).map_err(|_| Error::Corrupt("a file of 8 exabytes".to_owned()))?;
    tx.exec(
        "INSERT INTO files (id, workspace_id, hash, size, media_type, name, width, height, duration_ms,
           created_by_kind, created_by_id, created_at, unused_since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)",
        args![
            file.id,
            file.workspace,
            file.hash,
            size,
            file.media_type,
            file.name,
            file.shape.width,
            file.shape.height,
            file.shape.duration_ms,
            by.kind.as_str(),
            by.id,
            file.created_at
        ],
    )?;
    Ok(file)
}

/// A file of a workspace; another's does not exist.
///
/// # Errors
/// See [`Error`].
pub fn get(tx: &mut Tx<'_>, workspace: WorkspaceId, id: FileId) -> Result<Option<File>, Error> {
    Ok(find(tx, id)?.filter(|file| file.workspace == workspace))
}

/// A file of whatever workspace; the caller checks that the reader belongs there.
pub(crate) fn find(tx: &mut Tx<'_>, id: FileId) -> Result<Option<File>, Error> {
    tx.first(&format!("SELECT {COLUMNS} FROM files f WHERE f.id = $1 AND f.deleted_at IS NULL"), args![id], read)
}

/// Notes that a message shows these files, in this order; from now on whoever may see the message may read them. The caller
/// has checked that the sender may use them: [`crate::Files::may_read`].
///
/// # Errors
/// [`Error::NotFound`] when one is no file of the command's workspace (any more).
pub fn use_in(tx: &mut Tx<'_>, message: MessageId, files: &[FileId]) -> Result<(), Error> {
    let workspace = tx.workspace();
    for (position, file) in (0_i64..).zip(files) {
        let kept = tx.exec(
            "UPDATE files SET unused_since = NULL WHERE id = $1 AND workspace_id = $2 AND deleted_at IS NULL",
            args![file, workspace],
        )?;
        if kept == 0 {
            return Err(Error::NotFound);
        }
        tx.exec(
            "INSERT INTO file_uses (message_id, file_id, workspace_id, position) VALUES ($1, $2, $3, $4)
             ON CONFLICT (message_id, file_id) DO NOTHING",
            args![message, file, workspace, position],
        )?;
    }
    Ok(())
}

/// Notes that a message shows no files any more, because it was deleted or erased.
///
/// # Errors
/// See [`Error`].
pub fn release(tx: &mut Tx<'_>, message: MessageId) -> Result<(), Error> {
    let (workspace, now) = (tx.workspace(), tx.now());
    let freed: Vec<FileId> = tx.query(
        "DELETE FROM file_uses WHERE message_id = $1 AND workspace_id = $2 RETURNING file_id",
        args![message, workspace],
        |row| row.get(0),
    )?;
    for file in freed {
        tx.exec(
            "UPDATE files SET unused_since = $2
             WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM file_uses u WHERE u.file_id = $1)",
            args![file, now],
        )?;
    }
    Ok(())
}

/// The files of each of these messages, for a page of history.
///
/// # Errors
/// See [`Error`].
pub fn of_messages(
    tx: &mut Tx<'_>,
    workspace: WorkspaceId,
    messages: &[MessageId],
) -> Result<Vec<(MessageId, File)>, Error> {
    let mut found = Vec::new();
    for message in messages {
        let files = tx.query(
            &format!(
                "SELECT {COLUMNS} FROM file_uses u JOIN files f ON f.id = u.file_id
                 WHERE u.message_id = $1 AND u.workspace_id = $2 AND f.deleted_at IS NULL ORDER BY u.position, u.file_id"
            ),
            args![message, workspace],
            read,
        )?;
        found.extend(files.into_iter().map(|file| (*message, file)));
    }
    Ok(found)
}

/// The latest messages that use a file.
pub(crate) fn users_of(tx: &mut Tx<'_>, file: FileId, most: i64) -> Result<Vec<MessageId>, Error> {
    tx.query(
        "SELECT message_id FROM file_uses WHERE file_id = $1 ORDER BY message_id DESC LIMIT $2",
        args![file, most],
        |row| row.get(0),
    )
}

/// A row that the clean-up has to do with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) workspace: WorkspaceId,
    pub(crate) id: FileId,
    pub(crate) hash: Hash,
}

fn read_due(row: &Row<'_>) -> Result<Due, Error> {
    Ok(Due { workspace: row.get(0)?, id: row.get(1)?, hash: row.get(2)? })
}

/// Files of all workspaces that nothing has used since `before`.
pub(crate) fn unused(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<Vec<Due>, Error> {
    tx.query(
        "SELECT workspace_id, id, hash FROM files WHERE unused_since <= $1 AND deleted_at IS NULL
         ORDER BY unused_since LIMIT $2",
        args![before, most],
        read_due,
    )
}

/// Marks a file deleted and forgets its name, if it is still unused.
pub(crate) fn mark_deleted(tx: &mut Tx<'_>, id: FileId, before: Timestamp) -> Result<(), Error> {
    let now = tx.now();
    tx.exec(
        "UPDATE files SET deleted_at = $2, name = '' WHERE id = $1 AND unused_since <= $3 AND deleted_at IS NULL",
        args![id, now, before],
    )?;
    Ok(())
}

/// Files of all workspaces that were marked deleted before `before`.
pub(crate) fn deleted(tx: &mut Tx<'_>, before: Timestamp, most: i64) -> Result<Vec<Due>, Error> {
    tx.query(
        "SELECT workspace_id, id, hash FROM files WHERE deleted_at <= $1 ORDER BY deleted_at LIMIT $2",
        args![before, most],
        read_due,
    )
}

/// Removes the row of a file that was marked deleted.
pub(crate) fn remove(tx: &mut Tx<'_>, id: FileId) -> Result<(), Error> {
    tx.exec("DELETE FROM files WHERE id = $1 AND deleted_at IS NOT NULL", args![id])?;
    Ok(())
}

/// Whether any row, deleted ones included, refers to a blob.
pub(crate) fn refers_to(tx: &mut Tx<'_>, hash: Hash) -> Result<bool, Error> {
    let found = tx.first("SELECT size FROM files WHERE hash = $1 LIMIT 1", args![hash], |row| row.get::<i64>(0))?;
    Ok(found.is_some())
}
