//! Accounts: a person who can sign in, whatever workspaces he is in.

use kit::Problem;
use model::{SYSTEM_WORKSPACE, Secret};

use crate::{
    Identity,
    model::{User, email, name},
    password, rows,
};

impl Identity {
    /// Makes an account that is in no workspace yet.
    ///
    /// # Errors
    /// 422 when name, address or password cannot be used, 409 `account_exists`, or what the database says.
    pub async fn create_account(&self, own_name: &str, address: &str, password: &Secret) -> Result<User, Problem> {
        let user = User { id: self.0.world.id(), name: name("name", own_name)?, email: email(address)? };
        password::check("password", password)?;
        let password_hash = self.passwords().hash(password).await?;
        let new = user.clone();
        let inserted = self.0.db.write(SYSTEM_WORKSPACE, move |tx| rows::users::insert(tx, &new, &password_hash));
        match inserted.await {
            Ok(()) => Ok(user),
            Err(error) if error.is_duplicate() => Err(account_exists()),
            Err(error) => Err(error.into()),
        }
    }
}

fn account_exists() -> Problem {
    Problem::conflict("account_exists", "There is an account with this e-mail address already. Use its password.")
}
