//! Many handsets at once: shells on each of them, one after the other.

use crate::Measure;
use crate::bench::{run_shells, runtime, timed};
use crate::handset::{Adbd, Handset};
use crate::server::{Server, handsets};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::ports::transport::Transport;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// How long a handset of [`delayed_shells`] takes to answer.
const ANSWER_DELAY: Duration = Duration::from_millis(20);

/// Handsets that take their time to answer, over connections of our own.
pub(crate) fn delayed_shells(count: usize, steps: u32) -> Measure {
    let adbd = Adbd {
        answers_after: ANSWER_DELAY,
    };
    direct(count, steps, adbd)
}

/// Handsets that answer at once, over connections of our own.
pub(crate) fn direct_shells(count: usize, steps: u32) -> Measure {
    direct(count, steps, Adbd::default())
}

fn direct(count: usize, steps: u32, adbd: Adbd) -> Measure {
    let runtime = runtime();
    let mut transports: Vec<Arc<dyn Transport>> = Vec::new();
    let mut held = Vec::new();
    for _ in 0..count {
        let (transport, handset) = runtime.block_on(Handset::over_tcp(adbd));
        transports.push(Arc::new(transport));
        held.push(handset);
    }
    measure(runtime, transports, held, steps)
}

/// The same handsets behind a stock adb server, through our client.
pub(crate) fn server_shells(server: &Rc<Server>, count: usize, steps: u32) -> Measure {
    let runtime = runtime();
    let (transports, held) = runtime.block_on(async {
        let mut transports: Vec<Arc<dyn Transport>> = Vec::new();
        let mut held = Vec::new();
        for (serial, handset) in handsets(server, count).await {
            transports.push(Arc::new(server.transport(&serial).await));
            held.push(handset);
        }
        (transports, held)
    });
    measure(runtime, transports, held, steps)
}

fn measure(
    runtime: Runtime,
    transports: Vec<Arc<dyn Transport>>,
    held: Vec<Handset>,
    steps: u32,
) -> Measure {
    let clock = Arc::new(SystemClock::new());
    Box::new(move || {
        let _held = &held;
        let all: JoinSet<()> = {
            let _inside = runtime.enter();
            let start = |transport: &Arc<dyn Transport>| {
                run_shells(Arc::clone(transport), Arc::clone(&clock), steps)
            };
            transports.iter().map(start).collect()
        };
        timed(|| drop(runtime.block_on(all.join_all())))
    })
}
