//! getMe.

use super::{ApiError, Ctx, Reply};
use crate::wire;

pub(super) fn run(ctx: &Ctx<'_>) -> Result<Reply, ApiError> {
    Ok(Reply::new(wire::me(&ctx.bot.info)))
}
