//! What a test or a benchmark needs around the product: the Telegram sandbox by its control API, a signed-in owner, a bot.

use serde_json::{Value, json};

use crate::{
    eventually,
    http::{Client, NoAnswer, Reply},
    product::{Product, SETUP_CODE},
};

/// The password of everyone here.
pub const PASSWORD: &str = "correct horse battery";

/// The sandbox, played from outside.
#[derive(Clone)]
pub struct Sandbox(pub Client);

/// A bot that the sandbox has made.
#[derive(Debug, Clone)]
pub struct Bot {
    /// Telegram's id of it.
    pub id: i64,
    /// Its token.
    pub token: String,
    /// Its username, without `@`.
    pub username: String,
}

impl Sandbox {
    /// The sandbox at this address.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self(Client::new(url))
    }

    /// Makes a bot.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn bot(&self, name: &str) -> Bot {
        let made = self.0.post("/control/bots", &json!({ "name": name })).await.expect(200);
        let text = |field: &str| made[field].as_str().expect("a text").to_owned();
        Bot { id: made["id"].as_i64().expect("an id"), token: text("token"), username: text("username") }
    }

    /// Makes a person.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn person(&self, name: &str) -> i64 {
        let made = self.0.post("/control/people", &json!({ "name": name })).await.expect(200);
        made["id"].as_i64().expect("an id")
    }

    /// A person writes to a bot, named by its username.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn say(&self, bot: &str, person: i64, text: &str) {
        let body = json!({ "bot": bot, "from": person, "text": text });
        let _ = self.0.post("/control/messages", &body).await.expect(200);
    }

    /// Arms a fault, in the control API's own form.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn fault(&self, fault: &Value) {
        let _ = self.0.post("/control/faults", fault).await.expect(200);
    }

    /// Lifts every fault.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn calm(&self) {
        let _ = self.0.delete("/control/faults").await.expect(200);
    }

    /// The calls of one Bot API method that the journal holds in memory, behind number `after`.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn calls(&self, method: &str, after: u64) -> Vec<Value> {
        let path = format!("/control/journal?method={method}&after={after}&limit=10000");
        let page = self.0.get(&path).await.expect(200);
        page["calls"].as_array().expect("a list").clone()
    }

    /// How often a text was sent to a person, as far as Telegram is concerned.
    ///
    /// # Panics
    /// When the sandbox refuses.
    pub async fn times_sent(&self, text: &str) -> usize {
        self.calls("sendMessage", 0)
            .await
            .iter()
            .filter(|call| took_effect(call) && call["params"]["text"] == text)
            .count()
    }
}

/// Whether a call of the journal did what it asked for, answered or not.
#[must_use]
pub fn took_effect(call: &Value) -> bool {
    matches!(call["outcome"].as_str(), Some("ok" | "cut_after" | "hang"))
}

/// Signs the first owner up.
///
/// # Panics
/// When the server refuses.
pub async fn set_up(product: &Product) -> Client {
    let body = json!({
        "code": SETUP_CODE, "workspace": "Corner Shop", "name": "Olga Owner", "email": "owner@shop.test", "password": PASSWORD,
    });
    let signed_in = product.client().post("/api/v1/setup", &body).await.expect(201);
    product.client().with(signed_in["access_token"].as_str().expect("a token"))
}

/// Makes an API key with these scopes and gives a client that uses it; unlike an access token it does not expire.
///
/// # Panics
/// When the server refuses.
pub async fn key(owner: &Client, scopes: &[&str]) -> Client {
    let body = json!({ "name": "Machine", "scopes": scopes });
    let made = owner.post("/api/v1/keys", &body).await.expect(201);
    owner.with(made["secret"].as_str().expect("a secret"))
}

/// An API key with every right.
///
/// # Panics
/// When the server refuses.
pub async fn key_with_every_right(owner: &Client) -> Client {
    let me = owner.get("/api/v1/me").await.expect(200);
    let rights: Vec<_> = me["rights"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    key(owner, &rights).await
}

/// Invites somebody, accepts for him, and gives his client.
///
/// # Panics
/// When the server refuses.
pub async fn member(owner: &Client, role: &str) -> Client {
    let invited = json!({ "email": format!("{role}@shop.test"), "role": role });
    let made = owner.post("/api/v1/invitations", &invited).await.expect(201);
    let link = made["link"].as_str().expect("a link");
    let (_, token) = link.split_once('#').expect("the token is a fragment");
    let accepted = json!({ "token": token, "name": format!("Mr {role}"), "password": PASSWORD });
    let signed_in = Client::new(owner.base()).post("/api/v1/invitations/accept", &accepted).await.expect(201);
    owner.with(signed_in["access_token"].as_str().expect("a token"))
}

/// Connects a bot and gives its id here.
///
/// # Panics
/// When the server refuses.
pub async fn connect(owner: &Client, bot: &Bot) -> String {
    let connected = owner.post("/api/v1/bots", &json!({ "token": bot.token })).await.expect(201);
    connected["id"].as_str().expect("an id").to_owned()
}

/// Waits for the conversation of the contact with this name.
///
/// # Panics
/// When it does not come.
pub async fn conversation_of(client: &Client, name: &str) -> Value {
    eventually(format!("a conversation with {name}"), async || {
        let page = client.get("/api/v1/conversations?status=all&limit=200").await.expect(200);
        page["items"].as_array()?.iter().find(|it| it["contact"]["name"] == name).cloned()
    })
    .await
}

/// Replies in a conversation.
///
/// # Errors
/// When no answer came.
pub async fn reply(client: &Client, conversation: &str, key: &str, text: &str) -> Result<Reply, NoAnswer> {
    let path = format!("/api/v1/conversations/{conversation}/messages");
    client.post_once(&path, key, &json!({ "text": text })).await
}

/// Every item of a list, page by page.
///
/// # Panics
/// When the server refuses.
pub async fn all_items(client: &Client, path: &str) -> Vec<Value> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("{path}{joint}limit=200{cursor}")).await.expect(200);
        items.extend(page["items"].as_array().expect("a list").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

/// The whole history of a conversation, oldest first.
///
/// # Panics
/// When the server refuses.
pub async fn history(client: &Client, conversation: &str) -> Vec<Value> {
    let mut messages: Vec<Value> = Vec::new();
    loop {
        let after = messages.last().map_or(0, |it| it["seq"].as_i64().expect("a number"));
        let path = format!("/api/v1/conversations/{conversation}/messages?after={after}&limit=200");
        let page = client.get(&path).await.expect(200);
        messages.extend(page["items"].as_array().expect("a list").iter().cloned());
        if page["has_after"] != true {
            return messages;
        }
    }
}
