//! From a scenario's step to the act that carries it out, with the planted values it needs.

use crate::base::secret::Secret;
use crate::engine::act::contact::Contact;
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::act::idle::Sampler;
use crate::engine::act::sms::Message;
use crate::engine::act::{call, contact, idle, location, radio, sms, toggle};
use crate::engine::undo::Undo;
use crate::persona::datum::Persona;
use crate::scenario::matrix::Scenario;
use crate::scenario::step::{Act, Changes, Step, Switch};
use crate::scenario::toggle::{Toggle, ToggleState};

/// What steps refer to.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Whose steps they are.
    pub scenario: &'a Scenario,
    /// The planted values.
    pub persona: &'a Persona,
    /// Every toggle known.
    pub toggles: &'a [Toggle],
}

/// Carries out one step.
///
/// # Errors
/// When it did not happen. That nothing shows it happened is no error, but in the evidence.
pub async fn perform(
    scene: Scene<'_>,
    actor: &mut Actor<'_>,
    step: &Step,
    sampler: &mut dyn Sampler,
) -> Result<ActEvidence, ActError> {
    match &step.act {
        Act::Wifi(switch) => radio::wifi(actor, *switch == Switch::On).await,
        Act::Location(switch) => location::switch(actor, *switch == Switch::On).await,
        Act::AddContact { contact } => {
            let name = planted(scene, &format!("contact-{contact}.name"))?;
            let phone = planted(scene, &format!("contact-{contact}.phone"))?;
            contact::add(actor, Contact { name, phone }).await
        }
        Act::ReceiveSms { from } => sms::receive(actor, message(scene, step, *from)?).await,
        Act::SendSms { to } => sms::send(actor, message(scene, step, *to)?).await,
        Act::Call { to, duration } => {
            let number = planted(scene, &format!("peer-{to}.phone"))?;
            call::place(actor, number, *duration, sampler).await
        }
        Act::Idle(duration) => idle::idle(actor, *duration, sampler).await,
        Act::Toggle { name, state } => switch(scene, actor, name, *state).await,
        Act::Shell { command, changes } => shell(actor, command, changes).await,
    }
}

/// Switches a toggle as a step, or around the steps.
pub async fn switch(
    scene: Scene<'_>,
    actor: &mut Actor<'_>,
    name: &str,
    state: ToggleState,
) -> Result<ActEvidence, ActError> {
    let known = scene.toggles.iter().find(|toggle| toggle.name == name);
    let method = known.and_then(|known| toggle::choose(actor.session, known));
    match (method, state) {
        (Some(method), ToggleState::On) => toggle::set(actor, method, true).await,
        (Some(method), ToggleState::Off) => toggle::set(actor, method, false).await,
        (_, ToggleState::Untouched) => {
            let verified = Verified::of(true, "nothing was written", "");
            Ok(actor.evidence("left as it is", verified, Vec::new()))
        }
        (None, _) => Err(ActError::NotPossible {
            what: format!("the toggle `{name}`"),
            why: "this handset has no such setting that is known".to_owned(),
        }),
    }
}

/// Runs the scenario author's command. It is verified by its exit code, which is all that is known.
async fn shell(
    actor: &mut Actor<'_>,
    command: &str,
    changes: &Changes,
) -> Result<ActEvidence, ActError> {
    if let Changes::UndoneBy(undo) = changes {
        actor.journal.intend(Undo::RunCommand {
            command: undo.clone(),
            root: false,
        })?;
    }
    let answer = actor.session.shell(command).await?;
    let why = format!("it ended with status {}", answer.exit);
    let verified = Verified::of(answer.succeeded(), "its exit status", &why);
    Ok(actor.evidence("ran the scenario's command", verified, Vec::new()))
}

fn message<'a>(scene: Scene<'a>, step: &Step, peer: u32) -> Result<Message<'a>, ActError> {
    let number = scene.scenario.message_of(&step.id).unwrap_or_default();
    Ok(Message {
        peer: planted(scene, &format!("peer-{peer}.phone"))?,
        text: planted(scene, &format!("message-{number}.text"))?,
    })
}

fn planted<'a>(scene: Scene<'a>, id: &str) -> Result<&'a Secret<String>, ActError> {
    let datum = scene
        .persona
        .datum(id)
        .ok_or_else(|| ActError::NotPossible {
            what: format!("`{id}`"),
            why: "it is not part of the persona".to_owned(),
        })?;
    Ok(&datum.value)
}
