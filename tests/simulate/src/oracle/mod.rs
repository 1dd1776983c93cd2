//! What must come out, said by code that is too simple to be wrong and shares nothing with what it judges.

mod around;
pub mod decisions;
pub mod events;
pub mod processes;
pub mod states;
pub mod tables;
pub mod versions;
pub mod world;

use crate::dice::Dice;
use crate::workload::Workload;
use world::{Failure, World};

/// Looks at the tables while things go on; how many feeds were compared.
///
/// # Errors
/// What does not hold.
pub fn look<W: Workload>(world: &World<'_, W>, dice: &mut Dice) -> Result<u64, Failure> {
    tables::look(world)?;
    W::look(world, dice)
}

/// Judges a history that has come to rest; how many feeds were compared.
///
/// # Errors
/// What does not hold.
pub fn judge<W: Workload>(world: &World<'_, W>, dice: &mut Dice) -> Result<u64, Failure> {
    events::judge(world)?;
    let model = decisions::judge(world)?;
    states::judge(world, &model)?;
    processes::judge(world)?;
    tables::judge(world)?;
    W::judge(world, dice)
}
