use files::FileId;
use model::{Right, Role};
use serde_json::json;
use testkit::Actor;

use crate::place::{PNG, Place, cookie, id, upload};

/// What somebody gets for a file in the API and when he is served it; both have to say the same.
async fn status(who: &Actor, file: FileId) -> u16 {
    let described = who.get(&format!("/api/v1/files/{file}")).await.status;
    let served = who.get(&format!("/files/{file}/a.png")).await.status;
    assert_eq!(described, served);
    served.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_no_message_is_its_uploaders_and_one_in_a_conversation_its_readers() {
    let place = Place::open().await;
    let (operator, other) = (place.hub.member(Role::Operator).await, place.hub.member(Role::Operator).await);
    let (moderator, member) = (place.hub.member(Role::Moderator).await, place.hub.member(Role::Member).await);
    let file = id(&upload(&operator, "a.png", PNG).await.expect(201));
    for (who, want) in [(&operator, 200), (&other, 404), (&moderator, 404), (&member, 404)] {
        assert_eq!(status(who, file).await, want);
    }
    place.message_with(&[file]).await;
    for (who, want) in [(&operator, 200), (&other, 200), (&moderator, 200), (&member, 404)] {
        assert_eq!(status(who, file).await, want);
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_right_loses_the_file_with_the_next_request() {
    let place = Place::open().await;
    let (owner, operator) = (place.hub.owner().await, place.hub.member(Role::Operator).await);
    let file = id(&upload(&operator, "a.png", PNG).await.expect(201));
    place.message_with(&[file]).await;
    let browser = cookie(&operator).await;
    let address = format!("/files/{file}/a.png");
    place.hub.stranger().get(&address).header("cookie", &browser).await.expect(200);
    let path = format!("/api/v1/members/{}", operator.know("/user/id"));
    owner.patch(&path, json!({ "role": "member" })).await.expect(200);
    place.hub.stranger().get(&address).header("cookie", &browser).await.expect_problem(401, "unauthenticated");
    operator.refresh().await.expect(200);
    let browser = cookie(&operator).await;
    place.hub.stranger().get(&address).header("cookie", &browser).await.expect_problem(404, "not_found");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_session_is_refused_with_the_next_request() {
    let place = Place::open().await;
    let operator = place.hub.member(Role::Operator).await;
    let phone = place.hub.login(&operator.know("/user/email")).await;
    let file = upload(&operator, "a.png", PNG).await.expect(201);
    let browser = cookie(&phone).await;
    let ask = || place.hub.stranger().get(file.str("/url")).header("cookie", &browser);
    ask().await.expect(200);
    let session = phone.get("/api/v1/me").await.expect(200).str("/session_id").to_owned();
    operator.delete(&format!("/api/v1/auth/sessions/{session}")).await.expect(204);
    ask().await.expect_problem(401, "unauthenticated");
    ask().header("range", "bytes=0-0").await.expect_problem(401, "unauthenticated");
    operator.get(file.str("/url")).await.expect(200);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_workspace_does_not_exist() {
    let place = Place::open().await;
    let (owner, foreign) = (place.hub.owner().await, place.foreign().await);
    let file = upload(&owner, "a.png", PNG).await.expect(201);
    place.message_with(&[id(&file)]).await;
    assert_eq!(status(&foreign, id(&file)).await, 404);
    let theirs = cookie(&foreign).await;
    let ask = place.hub.stranger().get(file.str("/url")).header("cookie", &theirs);
    let refused = ask.await.expect_problem(404, "not_found");
    let absent = place.hub.hub().world().id::<()>();
    let missing = place.hub.stranger().get(&format!("/files/{absent}/a.png")).header("cookie", &theirs).await;
    assert_eq!(missing.expect_problem(404, "not_found").json["detail"], refused.json["detail"]);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_of_two_workspaces_do_not_take_the_cookie_from_each_other() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let there = place.second_workspace(&owner).await;
    let both = format!("theme=dark; {}; {}", cookie(&owner).await, cookie(&there).await);
    for who in [&owner, &there] {
        let file = upload(who, "a.png", PNG).await.expect(201);
        place.hub.stranger().get(file.str("/url")).header("cookie", &both).await.expect(200);
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_hidden_opens_nothing_else_and_ends_with_the_token() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    let file = upload(&owner, "a.png", PNG).await.expect(201);
    let set = owner.post("/api/v1/files/session", json!({})).await.expect(204).header("set-cookie").to_owned();
    let attributes: Vec<_> = set.split("; ").skip(1).collect();
    assert_eq!(attributes, ["Path=/files", "Max-Age=900", "HttpOnly", "SameSite=Strict"]);
    let browser = set.split(';').next().expect("a cookie").to_owned();
    let value = browser.split_once('=').expect("a value").1.to_owned();
    assert!(!set.contains(&owner.token().expect("he is signed in")));
    place.hub.with_token(value).get("/api/v1/me").await.expect_problem(401, "unauthenticated");
    place.hub.stranger().get("/api/v1/me").header("cookie", &browser).await.expect_problem(401, "unauthenticated");

    let ask = |cookie: &str| place.hub.stranger().get(file.str("/url")).header("cookie", cookie);
    ask(&browser).await.expect(200);
    // Every changed character is a forgery, and so is another workspace's name on it.
    for at in [0, 20, browser.len() - 1] {
        let mut forged = browser.clone().into_bytes();
        forged[at] = if forged[at] == b'1' { b'2' } else { b'1' };
        let forged = String::from_utf8(forged).expect("ASCII");
        ask(&forged).await.expect_problem(401, "unauthenticated");
    }
    place.hub.clock().advance(std::time::Duration::from_secs(901));
    ask(&browser).await.expect_problem(401, "unauthenticated");
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sends_its_token_and_gets_no_cookie() {
    let place = Place::open().await;
    let writer = place.hub.key(&[Right::ConversationsReply]).await;
    let reader = place.hub.key(&[Right::ConversationsRead]).await;
    let file = upload(&writer, "a.png", PNG).await.expect(201);
    writer.get(file.str("/url")).await.expect(200);
    upload(&reader, "a.png", PNG).await.expect_problem(403, "forbidden");
    upload(&place.hub.stranger(), "a.png", PNG).await.expect_problem(401, "unauthenticated");
    writer.post("/api/v1/files/session", json!({})).await.expect_problem(409, "session_needed");
    assert_eq!(status(&reader, id(&file)).await, 404);
    place.message_with(&[id(&file)]).await;
    assert_eq!(status(&reader, id(&file)).await, 200);
    assert_eq!(status(&writer, id(&file)).await, 404);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_id_names_nothing() {
    let place = Place::open().await;
    let owner = place.hub.owner().await;
    for path in ["/api/v1/files/..%2f..%2fetc", "/files/nonsense/a.png", "/files/%2e%2e%2f/passwd", "/files/tmp/x"] {
        owner.get(path).await.expect_problem(404, "not_found");
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_cookie_never_travels_without() {
    let place = Place::behind_tls().await;
    let set = place.hub.owner().await.post("/api/v1/files/session", json!({})).await.expect(204);
    assert!(set.header("set-cookie").ends_with("; SameSite=Strict; Secure"));
    place.close().await;
}
