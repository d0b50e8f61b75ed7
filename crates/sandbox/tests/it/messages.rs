use crate::client::World;
use serde_json::json;

#[tokio::test]
async fn get_me_tells_the_bot_and_a_wrong_token_is_unauthorized() {
    let world = World::start().await;
    let bot = world.sandbox.create_bot("Corner Shop", None).expect("bot");
    let me = world.ok(&bot, "getMe", json!({})).await;
    assert_eq!(me["id"], bot.id);
    assert_eq!(me["is_bot"], true);
    assert_eq!(me["first_name"], "Corner Shop");
    assert_eq!(me["username"], "corner_shop_bot");
    assert!((1_000_000_000..10_000_000_000).contains(&bot.id));

    let stranger = sandbox::BotInfo { token: format!("{}:wrong", bot.id), ..bot.clone() };
    assert_eq!(world.refused(&stranger, "getMe", json!({})).await, "401 Unauthorized");
    assert_eq!(world.refused(&bot, "makeCoffee", json!({})).await, "404 Not Found");
}

#[tokio::test]
async fn a_sent_message_comes_back_as_telegram_writes_it() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let sent = world
        .ok(
            &bot,
            "sendMessage",
            json!({
                "chat_id": ann.id,
                "text": "Hello <b>Ann</b>",
                "parse_mode": "HTML",
                "reply_parameters": { "message_id": 1 },
                "disable_notification": true,
            }),
        )
        .await;
    assert_eq!(sent["message_id"], 2);
    assert_eq!(sent["text"], "Hello Ann");
    assert_eq!(sent["entities"], json!([{ "type": "bold", "offset": 6, "length": 3 }]));
    assert_eq!(sent["from"]["id"], bot.id);
    assert_eq!(
        sent["chat"],
        json!({ "id": ann.id, "type": "private", "first_name": "Ann", "last_name": "Lee", "username": "annlee" })
    );
    assert_eq!(sent["reply_to_message"]["text"], "/start");
    assert_eq!(sent["reply_to_message"]["entities"][0]["type"], "bot_command");
}

#[tokio::test]
async fn refused_sends_are_worded_as_the_bot_api_words_them() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let never_wrote = world.sandbox.person("Bo", None, None).expect("person");
    for (params, expected) in [
        (json!({ "chat_id": 42, "text": "x" }), "400 Bad Request: chat not found"),
        (json!({ "text": "x" }), "400 Bad Request: chat_id is empty"),
        (json!({ "chat_id": ann.id }), "400 Bad Request: message text is empty"),
        (json!({ "chat_id": ann.id, "text": " \n" }), "400 Bad Request: message text is empty"),
        (json!({ "chat_id": ann.id, "text": "x".repeat(4097) }), "400 Bad Request: message is too long"),
        (
            json!({ "chat_id": never_wrote.id, "text": "x" }),
            "403 Forbidden: bot can't initiate conversation with a user",
        ),
        (
            json!({ "chat_id": ann.id, "text": "x", "reply_parameters": { "message_id": 99 } }),
            "400 Bad Request: message to be replied not found",
        ),
        (
            json!({ "chat_id": ann.id, "text": "<b>x", "parse_mode": "HTML" }),
            "400 Bad Request: can't parse entities: Can't find end tag corresponding to start tag \"b\"",
        ),
        (
            json!({ "chat_id": ann.id, "text": "x", "entities": [{ "type": "bold", "offset": 0, "length": 2 }] }),
            "400 Bad Request: entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 2",
        ),
    ] {
        assert_eq!(world.refused(&bot, "sendMessage", params).await, expected);
    }
    let longest = world.send(&bot, ann.id, &"😀".repeat(4096)).await;
    assert_eq!(longest["message_id"], 2, "refused sends used no message id");
    let lenient = json!({
        "chat_id": ann.id, "text": "x",
        "reply_parameters": { "message_id": 99, "allow_sending_without_reply": true },
    });
    assert!(world.ok(&bot, "sendMessage", lenient).await["reply_to_message"].is_null());
}

#[tokio::test]
async fn parameters_are_read_from_query_form_json_and_multipart() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let path = format!("/bot{}/sendMessage", bot.token);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let parts = "Content-Type: multipart/form-data; boundary=XX\r\n";
    let multipart = format!(
        "--XX\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n{}\r\n\
         --XX\r\nContent-Disposition: form-data; name=\"text\"\r\nContent-Type: text/plain\r\n\r\nin parts\r\nand lines\r\n--XX--\r\n",
        ann.id
    );
    for (method, path, headers, body, text) in [
        ("GET", format!("{path}?chat_id={}&text=by%20query", ann.id), "", String::new(), "by query"),
        ("POST", path.clone(), form, format!("chat_id={}&text=by+form+%C3%A9", ann.id), "by form é"),
        ("POST", format!("{path}?chat_id={}", ann.id), form, "text=both".to_owned(), "both"),
        ("POST", path.clone(), parts, multipart, "in parts\r\nand lines"),
    ] {
        let answer = world.request(method, &path, headers, body.as_bytes()).await;
        let answer = answer.expect("an answer").json();
        assert_eq!(answer["result"]["text"], text, "{answer}");
    }
    let nested = format!("chat_id={}&text=x&reply_parameters=%7B%22message_id%22%3A1%7D", ann.id);
    let answer = world.request("POST", &path, form, nested.as_bytes()).await;
    assert_eq!(answer.expect("an answer").json()["result"]["reply_to_message"]["message_id"], 1);
    let json = "Content-Type: application/json\r\n";
    let answer = world.request("POST", &path, json, b"{nonsense").await;
    assert_eq!(answer.expect("an answer").status, 400);
}

#[tokio::test]
async fn a_message_can_be_edited_and_deleted() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    for text in ["one", "two", "three"] {
        world.send(&bot, ann.id, text).await;
    }
    let edit = |id: i64, text: &str| json!({ "chat_id": ann.id, "message_id": id, "text": text });
    let edited = world.ok(&bot, "editMessageText", edit(2, "uno")).await;
    assert_eq!(edited["text"], "uno");
    assert!(edited["edit_date"].is_i64());
    for (params, expected) in [
        (edit(2, "uno"), "400 Bad Request: message is not modified"),
        (edit(1, "mine"), "400 Bad Request: message can't be edited"),
        (edit(77, "x"), "400 Bad Request: message to edit not found"),
    ] {
        let refusal = world.refused(&bot, "editMessageText", params).await;
        assert!(refusal.starts_with(expected), "{refusal}");
    }
    let one = json!({ "chat_id": ann.id, "message_id": 3 });
    assert_eq!(world.ok(&bot, "deleteMessage", one.clone()).await, true);
    assert_eq!(world.refused(&bot, "deleteMessage", one).await, "400 Bad Request: message to delete not found");
    let many = json!({ "chat_id": ann.id, "message_ids": [3, 4] });
    assert_eq!(world.ok(&bot, "deleteMessages", many).await, true);
    let left = world.sandbox.messages(bot.id, ann.id).expect("the chat");
    let texts: Vec<_> = left.iter().map(|m| m["text"].clone()).collect();
    assert_eq!(texts, ["/start", "uno"]);
    let next = world.send(&bot, ann.id, "four").await;
    assert_eq!(next["message_id"], 5, "ids are never used again");
}

#[tokio::test]
async fn a_button_press_becomes_a_callback_query_that_is_answered_once() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let keyboard = json!({ "inline_keyboard": [[{ "text": "Yes", "callback_data": "y" }]] });
    let sent =
        world.ok(&bot, "sendMessage", json!({ "chat_id": ann.id, "text": "Well?", "reply_markup": keyboard })).await;
    assert_eq!(sent["reply_markup"], keyboard);
    let press = json!({ "bot": bot.id, "from": ann.id, "message_id": 2, "data": "y" });
    assert_eq!(world.control("POST", "press", press).await.0, 200);
    let updates = world.ok(&bot, "getUpdates", json!({})).await;
    let query = &updates[0]["callback_query"];
    assert_eq!(query["data"], "y");
    assert_eq!(query["from"]["id"], ann.id);
    assert_eq!(query["message"]["message_id"], 2);
    let answer = json!({ "callback_query_id": query["id"], "text": "Noted" });
    assert_eq!(world.ok(&bot, "answerCallbackQuery", answer.clone()).await, true);
    assert_eq!(
        world.refused(&bot, "answerCallbackQuery", answer).await,
        "400 Bad Request: query is too old and response timeout expired or query ID is invalid"
    );
}

#[tokio::test]
async fn chats_members_actions_and_files_are_answered() {
    let world = World::start().await;
    let (bot, ann) = world.met().await;
    let bo = world.sandbox.person("Bo", None, None).expect("person");
    let chat = world.ok(&bot, "getChat", json!({ "chat_id": ann.id })).await;
    assert_eq!(chat["type"], "private");
    assert_eq!(chat["first_name"], "Ann");
    let group = world.sandbox.group(bot.id, "Neighbours", &[ann.id]).expect("group");
    let status = async |user: i64| {
        let params = json!({ "chat_id": group.id, "user_id": user });
        world.ok(&bot, "getChatMember", params).await["status"].clone()
    };
    assert_eq!(status(ann.id).await, "creator");
    assert_eq!(status(bo.id).await, "left");
    assert_eq!(status(bot.id).await, "administrator");
    let action = |action: &str| json!({ "chat_id": ann.id, "action": action });
    assert_eq!(world.ok(&bot, "sendChatAction", action("typing")).await, true);
    assert_eq!(
        world.refused(&bot, "sendChatAction", action("dance")).await,
        "400 Bad Request: wrong parameter action in request"
    );
    assert_eq!(
        world.refused(&bot, "getFile", json!({ "file_id": "x" })).await,
        "400 Bad Request: wrong file_id or the file is temporarily unavailable"
    );
    assert_eq!(
        world.refused(&bot, "getChat", json!({ "chat_id": "@nobody" })).await,
        "400 Bad Request: chat not found"
    );
}
