//! Job control of a shell that a person types at: which pipeline has the terminal, which are stopped or in the
//! background. Shells that run scripts have no jobs.
//!
//! Source: mksh R59, `jobs.c`.

use super::state::{Flow, Shell};
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::launch::{Change, Child};
use crate::adapters::virtual_handset::kernel::process::Stop;
use crate::adapters::virtual_handset::kernel::signal::{self, Status};
use crate::adapters::virtual_handset::kernel::terminal::Terminal;
use std::sync::Arc;

/// A pipeline that was stopped or put into the background.
#[derive(Clone)]
pub(crate) struct Job {
    number: usize,
    children: Vec<Child>,
    text: String,
}

impl Job {
    fn group(&self) -> u32 {
        self.children.first().map_or(0, |child| child.pid)
    }

    fn is_stopped(&self) -> bool {
        let mut living = self.children.iter().filter(|c| c.status().is_none());
        living.any(Child::is_stopped)
    }

    /// How its last process ended, once all have.
    fn status(&self) -> Option<Status> {
        let all = self.children.iter().map(Child::status);
        all.collect::<Option<Vec<Status>>>()?.last().copied()
    }

    fn state(&self) -> String {
        match self.status() {
            None if self.is_stopped() => "Stopped".to_owned(),
            None => "Running".to_owned(),
            Some(Status::Exited(0)) => "Done".to_owned(),
            Some(Status::Exited(code)) => format!("Done ({code})"),
            Some(Status::Signaled(number)) => signal::description(number).to_owned(),
        }
    }
}

impl Shell<'_> {
    /// The terminal a person types at.
    pub(super) fn terminal(&self) -> Option<Arc<Terminal>> {
        let mut all = self.process.descriptors.values();
        all.find_map(Descriptor::terminal).cloned()
    }

    /// Waits for the processes that have the terminal. One that is stopped makes all of them a job.
    pub(super) async fn await_foreground(
        &mut self,
        children: &[Child],
    ) -> Result<Vec<Status>, Flow> {
        let terminal = self.terminal();
        let group = children.first().map_or(0, |child| child.pid);
        if let Some(terminal) = &terminal {
            terminal.set_foreground(group);
        }
        let waited = self.statuses(children).await;
        if let Some(terminal) = &terminal {
            terminal.set_foreground(self.process.group);
        }
        let Some(statuses) = waited? else {
            let text = self.state.typed.clone();
            let number = self.keep_job(children.to_vec(), text);
            self.tell_job(number).await?;
            return Ok(vec![Status::Signaled(signal::TSTP)]);
        };
        self.tell_deaths(&statuses).await?;
        Ok(statuses)
    }

    /// How all ended; `None` as soon as one is stopped.
    async fn statuses(&mut self, children: &[Child]) -> Result<Option<Vec<Status>>, Stop> {
        let mut statuses = Vec::new();
        for child in children {
            match self.process.wait_for_change(child).await? {
                Change::Ended(status) => statuses.push(status),
                Change::Stopped => return Ok(None),
            }
        }
        Ok(Some(statuses))
    }

    /// Says by which signals processes ended; Ctrl-C ends what was typed with them.
    async fn tell_deaths(&mut self, statuses: &[Status]) -> Result<(), Flow> {
        let signals = statuses.iter().filter_map(|status| match status {
            Status::Signaled(number) => Some(*number),
            Status::Exited(_) => None,
        });
        let signals: Vec<u8> = signals.collect();
        let said = signals
            .iter()
            .find(|number| !matches!(**number, signal::INT | signal::PIPE));
        if let Some(number) = said {
            let text = format!("{} \n", signal::description(*number));
            self.process.complain(text).await?;
        }
        let key = signals
            .iter()
            .find(|number| matches!(**number, signal::INT | signal::QUIT));
        match key {
            Some(number) => {
                self.process.complain("\n").await?;
                Err(Flow::Fail(Status::Signaled(*number).code()))
            }
            None => Ok(()),
        }
    }

    fn keep_job(&mut self, children: Vec<Child>, typed: String) -> usize {
        let number = self.state.jobs.last().map_or(1, |job| job.number + 1);
        let text = job_text(&typed);
        self.state.jobs.push(Job {
            number,
            children,
            text,
        });
        number
    }

    /// Keeps what was started in the background, and says so.
    pub(super) async fn keep_background(&mut self, child: Child) -> Result<(), Flow> {
        let pid = child.pid;
        let typed = self.state.typed.clone();
        let number = self.keep_job(vec![child], typed);
        self.process.complain(format!("[{number}] {pid}\n")).await?;
        Ok(())
    }

    async fn tell_job(&mut self, number: usize) -> Result<(), Flow> {
        if let Some(line) = self.job_line(number) {
            self.process.complain(line).await?;
        }
        Ok(())
    }

    fn job_line(&self, number: usize) -> Option<String> {
        let jobs = &self.state.jobs;
        let at = jobs.iter().position(|job| job.number == number)?;
        let job = jobs.get(at)?;
        let mark = match jobs.len() - at {
            1 => '+',
            2 => '-',
            _ => ' ',
        };
        Some(format!(
            "[{number}] {mark} {:<20} {}\n",
            job.state(),
            job.text
        ))
    }

    /// Tells of the jobs that have ended since, and forgets them.
    pub(super) async fn tell_ended_jobs(&mut self) -> Result<(), Flow> {
        let numbers: Vec<usize> = self.state.jobs.iter().map(|job| job.number).collect();
        for number in numbers {
            let job = self.state.jobs.iter().find(|job| job.number == number);
            if job.is_some_and(|job| job.status().is_some()) {
                self.tell_job(number).await?;
            }
        }
        self.state.jobs.retain(|job| job.status().is_none());
        Ok(())
    }

    /// `jobs`
    pub(super) async fn jobs(&mut self) -> Result<u8, Flow> {
        let lines: Vec<String> = self
            .state
            .jobs
            .iter()
            .filter_map(|job| self.job_line(job.number))
            .collect();
        self.process.print(lines.concat()).await?;
        self.state.jobs.retain(|job| job.status().is_none());
        Ok(0)
    }

    /// `fg`, `bg [job]`
    pub(super) async fn resume(&mut self, name: &str, arguments: &[String]) -> Result<u8, Flow> {
        if !self.state.options.interactive {
            return self
                .complain(&format!("{name}: job control not enabled"), 1)
                .await;
        }
        let wanted = arguments.first().map_or("%+", String::as_str);
        let Some(at) = self.job_at(wanted) else {
            let text = format!("{name}: {wanted}: no such job");
            return self.complain(&text, 1).await;
        };
        let Some(job) = self.state.jobs.get(at).cloned() else {
            return Ok(1);
        };
        let group = job.group();
        let go_on = |world: &mut crate::adapters::virtual_handset::kernel::world::World| {
            world.processes.kill_group(group, signal::CONT);
        };
        if name == "bg" {
            let text = format!("[{}] {}\n", job.number, job.text);
            self.process.print(text).await?;
            self.process.handset.with(go_on);
            return Ok(0);
        }
        self.process.print(format!("{}\n", job.text)).await?;
        self.state.jobs.remove(at);
        // What is stopped again is called what it was called before.
        self.state.typed.clone_from(&job.text);
        self.process.handset.with(go_on);
        let statuses = self.await_foreground(&job.children).await?;
        Ok(statuses.last().map_or(0, |status| status.code()))
    }

    /// The leader of a job's group, by `%1`, `%+`, `%%`, `%-`, or the beginning of its text.
    pub(super) fn job_leader(&self, wanted: &str) -> Option<u32> {
        let at = self.job_at(wanted)?;
        self.state.jobs.get(at).map(Job::group)
    }

    fn job_at(&self, wanted: &str) -> Option<usize> {
        let jobs = &self.state.jobs;
        let name = wanted.strip_prefix('%').unwrap_or(wanted);
        match name {
            "" | "+" | "%" => jobs.len().checked_sub(1),
            "-" => jobs.len().checked_sub(2),
            _ => match name.parse::<usize>() {
                Ok(number) => jobs.iter().position(|job| job.number == number),
                Err(_) => jobs.iter().rposition(|job| {
                    let text = job.text.trim_start_matches('\\');
                    text.starts_with(name)
                }),
            },
        }
    }

    /// Whether the shell stays because of stopped jobs, which is said once.
    pub(super) async fn stays_for_jobs(&mut self) -> Result<bool, Flow> {
        let stopped = self.state.jobs.iter().any(Job::is_stopped);
        if !self.state.options.interactive || !stopped || self.state.warned {
            return Ok(false);
        }
        self.state.warned = true;
        self.process.complain("You have stopped jobs\n").await?;
        Ok(true)
    }

    /// Ends what is stopped, for nobody could let it go on any more.
    pub(super) fn abandon_jobs(&mut self) {
        for job in std::mem::take(&mut self.state.jobs) {
            if job.is_stopped() {
                self.process.handset.with(|world| {
                    world.processes.kill_group(job.group(), signal::HUP);
                    world.processes.kill_group(job.group(), signal::CONT);
                });
            }
        }
    }
}

/// How a job is called: what was typed, with mksh's mark on the two commands that it has as builtins of its own.
fn job_text(typed: &str) -> String {
    let typed = typed.trim().trim_end_matches('&').trim_end();
    let marked = |part: &str| {
        let part = part.trim();
        let is_own = matches!(part.split(' ').next(), Some("sleep" | "cat"));
        format!("{}{part}", if is_own { "\\" } else { "" })
    };
    let parts: Vec<String> = typed.split('|').map(marked).collect();
    parts.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::job_text;

    #[test]
    fn jobs_are_called_as_mksh_calls_them() {
        for (typed, text) in [
            ("sleep 30\n", "\\sleep 30"),
            ("sleep 20 &\n", "\\sleep 20"),
            ("sleep 10 | cat\n", "\\sleep 10 | \\cat"),
            ("find / -name x &", "find / -name x"),
        ] {
            assert_eq!(job_text(typed), text);
        }
    }
}
