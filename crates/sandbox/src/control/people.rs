//! The people who write to bots.

use super::{ControlError, sound_username};
use crate::Sandbox;
use crate::state::{Person, Record};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

impl Sandbox {
    /// Makes a person. `language` is an IETF tag such as `de`.
    ///
    /// # Errors
    /// An empty name, or a username that Telegram would refuse.
    pub fn person(&self, name: &str, username: Option<&str>, language: Option<&str>) -> Result<Person, ControlError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(ControlError::Empty);
        }
        let person = Person {
            id: self.0.fresh_id(),
            name: name.to_owned(),
            username: username.map(sound_username).transpose()?,
            language: language.map(str::to_owned),
        };
        self.0.ledger.keep(|| Record::Person(person.clone()));
        self.0.add_person(person.clone());
        Ok(person)
    }

    /// All people, by name.
    pub fn people(&self) -> Vec<Person> {
        let people = self.0.people();
        people.iter().map(|p| Person::clone(p)).collect()
    }
}

#[derive(Deserialize)]
pub(super) struct NewPerson {
    name: String,
    username: Option<String>,
    language: Option<String>,
}

pub(super) async fn create(
    State(sandbox): State<Sandbox>,
    Json(new): Json<NewPerson>,
) -> Result<Json<Person>, ControlError> {
    sandbox.person(&new.name, new.username.as_deref(), new.language.as_deref()).map(Json)
}

pub(super) async fn list(State(sandbox): State<Sandbox>) -> Json<Vec<Person>> {
    Json(sandbox.people())
}
