//! Deliveries out: which goes next, sending it, and what its answer means.

pub(crate) mod budgets;
pub(crate) mod commit;
mod landing;
pub(crate) mod lanes;
pub(crate) mod post;
pub(crate) mod sender;
pub(crate) mod verdict;
