use files::FileView;
use model::{MessageId, Role};
use store::Error;
use testkit::Reply;

use crate::place::{PNG, Place, id, upload};

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_file_comes_back_as_it_went() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let reply = upload(&owner, "two%20by%20three.png", PNG).await.expect(201);
    let file: FileView = serde_json::from_value(reply.json.clone()).expect("a file");
    assert_eq!((file.name.as_str(), file.size, file.media_type.as_str()), ("two by three.png", 29, "image/png"));
    assert_eq!((file.width, file.height, file.duration_ms), (Some(2), Some(3), None));
    assert_eq!(file.created_by.id.map(|it| it.to_string()), Some(owner.know("/user/id")));
    assert_eq!(file.url, format!("/files/{}/two%20by%20three.png", file.id));

    let described: Reply = owner.get(&format!("/api/v1/files/{}", file.id)).await.expect(200);
    assert_eq!(described.json, reply.json);
    let served = owner.get(&file.url).await.expect(200);
    assert_eq!(served.text, String::from_utf8_lossy(PNG));
    assert_eq!(served.header("content-length"), "29");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_content_is_one_blob_and_each_upload_a_file_of_its_own() {
    let place = Place::open().await;
    let (owner, foreign) = (place.hub.owner().await, place.foreign().await);
    let first = id(&upload(&owner, "a.png", PNG).await.expect(201));
    let second = id(&upload(&owner, "b.png", PNG).await.expect(201));
    let elsewhere = id(&upload(&foreign, "c.png", PNG).await.expect(201));
    assert!(first != second && second != elsewhere);
    assert_eq!(place.all_blobs().await.len(), 1);
    foreign.get(&format!("/api/v1/files/{elsewhere}")).await.expect(200);
    for foreign_to_him in [first, second] {
        foreign.get(&format!("/api/v1/files/{foreign_to_him}")).await.expect_problem(404, "not_found");
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_repeated_with_its_key_is_one_file() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let first = upload(&owner, "a.png", PNG).key("once").await.expect(201);
    let again = upload(&owner, "a.png", PNG).key("once").await.expect(201);
    assert_eq!(again.json, first.json);
    upload(&owner, "a.png", b"something else").key("once").await.expect_problem(409, "idempotency_conflict");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_shows_its_files_in_their_order() {
    let place = Place::open().await;
    let (one, two) = (place.put("one.png", PNG).await, place.put("two.txt", b"text").await);
    assert_eq!(place.content(&two).await, b"text");
    let message = place.message_with(&[two.id, one.id]).await;
    let bare: MessageId = place.hub.hub().world().id();
    let workspace = place.workspace().await;
    let shown = place.hub.db().read(move |tx| files::of_messages(tx, workspace, &[bare, message])).await;
    assert_eq!(shown, Ok::<_, Error>(vec![(message, two.clone()), (message, one.clone())]));

    let elsewhere = place.hub.hub().world().id();
    let shown = place.hub.db().read(move |tx| files::of_messages(tx, elsewhere, &[message])).await;
    assert_eq!(shown, Ok::<_, Error>(vec![]));
    let stolen = place.hub.db().write(elsewhere, move |tx| files::use_in(tx, message, &[one.id])).await;
    assert_eq!(stolen, Err(Error::NotFound));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_loses_nothing() {
    let place = Place::open().await;
    let operator = place.hub.member(Role::Operator).await;
    let reply = upload(&operator, "a.png", PNG).await.expect(201);
    let (token, hub) = (operator.token().expect("he is signed in"), place.hub.restart().await);
    let served = hub.with_token(token).get(reply.str("/url")).await.expect(200);
    assert_eq!(served.text, String::from_utf8_lossy(PNG));
    hub.finish().await;
}
