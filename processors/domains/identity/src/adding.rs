//! Adding a user: at once, or as soon as the address is claimed, if it is verified.

use millrace_kernel::codes::ALREADY_EXISTS;
use millrace_kernel::{Rejections, StateReader, Text, Violation};

use crate::messages::EventData;
use crate::messages::commands::AddUser;
use crate::messages::events::{UserAdded, UserAdditionRequested};
use crate::messages::state::State;
use crate::plan::{Plan, claims_on};
use crate::user::{self, status};
use crate::{email, person};

/// Adds a user whose address nobody has verified; of anybody else it asks whose the address is.
pub(crate) fn add(
    states: &impl StateReader<State = State>,
    actor: Option<&str>,
    change_id: &Text,
    command: &AddUser,
) -> Result<EventData, Rejections> {
    let mut rejections = Rejections::none();
    let of_user = rejections.permitted(actor, &command.user_id, user::WHOSE, states);
    if rejections.well_formed("user_id", &command.user_id)
        && let Some(states) = of_user
    {
        is_free(&mut rejections, states, &command.user_id);
    }
    rejections.words("auth0_id", command.auth0_id.open());
    let address = email::well_formed(&mut rejections, command.email.open());
    rejections.line("first_name", command.first_name.open());
    rejections.line("last_name", command.last_name.open());
    person::picture(&mut rejections, command.picture.open());
    person::locale(&mut rejections, &command.locale);
    let address = rejections.or(|| address)?;
    let added = UserAdded {
        user_id: command.user_id.clone(),
        auth0_id: command.auth0_id.clone(),
        email: command.email.clone(),
        email_verified: command.email_verified,
        first_name: command.first_name.clone(),
        last_name: command.last_name.clone(),
        picture: command.picture.clone(),
        locale: command.locale.clone(),
    };
    Ok(match address.filter(|_| command.email_verified) {
        None => added.into(),
        Some(address) => {
            let plan = Plan::new(&[], &claims_on(states, &address));
            requested(added, change_id, plan.to_claim).into()
        }
    })
}

/// The id must not be taken, also not by somebody who is removed.
fn is_free(rejections: &mut Rejections, states: &impl StateReader<State = State>, user_id: &str) {
    let kept = states.get(&user::id(user_id));
    match user::user(&kept) {
        // whether there will be such a user is not known yet
        Some(user) if user.status == status::ADDING => {
            user::is_at_rest(rejections, user_id, Some(user));
        }
        user => {
            rejections.require(user.is_none(), || {
                let message = format!("user id {user_id} is taken, or was once; choose another");
                Violation::on(ALREADY_EXISTS, "user_id", message)
            });
        }
    }
}

fn requested(added: UserAdded, change_id: &Text, to_claim: Vec<Text>) -> UserAdditionRequested {
    let UserAdded { user_id, auth0_id, email, email_verified, first_name, last_name, picture, locale } =
        added;
    UserAdditionRequested {
        user_id,
        auth0_id,
        email,
        email_verified,
        first_name,
        last_name,
        picture,
        locale,
        change_id: change_id.clone(),
        to_claim,
    }
}
