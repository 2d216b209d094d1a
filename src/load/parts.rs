//! The parts of a load test: the crowd and the watched viewers, each on a thread, or the crowd in
//! several processes where one has not enough descriptors.
//!
//! ```text
//! lead ── orders ──► thread: watched         (channel)
//!      ── orders ──► thread: crowd           (channel), or
//!      ── orders ──► process: crowd n of m   (lines of JSON: plan and orders in, news out)
//! ```

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::crew::PartViewers;
use super::findings::{News, Order};
use super::plan::{Part, Plan};

/// The command of a process that has a part; not for people.
pub const WORKER_COMMAND: &str = "load-worker";

/// Descriptors kept back: reactors, pipes, the publishers, standard streams.
const DESCRIPTORS_RESERVED: u64 = 64;

/// Where the viewers are.
pub(super) struct Parts {
    handles: Vec<Handle>,
    news: Receiver<(usize, News)>,
}

enum Handle {
    Thread(Sender<Order>),
    Process { child: Child, orders: ChildStdin },
}

/// How many processes take the crowd; 0 for a thread of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Processes(u64);

/// More viewers than descriptors.
#[derive(Debug, thiserror::Error)]
#[error(
    "{asked} viewers need more descriptors than the {limit} that one process may have here; \
         {fits} fit: ask for more processes, or raise the limit (ulimit -n)"
)]
pub struct TooFew {
    asked: u64,
    limit: u64,
    fits: u64,
}

impl Processes {
    /// As many as are needed, or as asked. `publishers` take descriptors, too.
    pub fn choose(plan: &Plan, publishers: u64, asked: Option<u64>) -> Result<Processes, TooFew> {
        let limit = rlimit::increase_nofile_limit(u64::MAX)
            .or_else(|_| rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _hard)| soft))
            .unwrap_or(1024);
        Processes::within(limit, plan, publishers, asked)
    }

    fn within(
        limit: u64,
        plan: &Plan,
        publishers: u64,
        asked: Option<u64>,
    ) -> Result<Processes, TooFew> {
        let fits = limit.saturating_sub(DESCRIPTORS_RESERVED).max(1);
        let here = fits.saturating_sub(publishers);
        let too_few = |viewers| TooFew {
            asked: viewers,
            limit,
            fits,
        };
        let watched = plan.viewers - plan.crowd();
        match asked {
            Some(1) | None if plan.viewers <= here => Ok(Processes(0)),
            _ if watched > here => Err(too_few(watched)),
            Some(count) if plan.crowd().div_ceil(count) > fits => Err(too_few(plan.viewers)),
            Some(count) => Ok(Processes(count)),
            None => Ok(Processes(plan.crowd().div_ceil(fits))),
        }
    }

    pub fn count(self) -> u64 {
        1 + self.0
    }
}

impl Parts {
    pub fn start(plan: &Plan, processes: Processes) -> io::Result<Parts> {
        let (tell, news) = mpsc::channel();
        let mut handles = vec![start_thread(plan, Part::Watched, 0, &tell)];
        match processes.0 {
            0 => {
                let part = Part::Crowd { nth: 0, of: 1 };
                handles.push(start_thread(plan, part, 1, &tell));
            }
            of => {
                for nth in 0..of {
                    let part = Part::Crowd { nth, of };
                    handles.push(start_process(plan, part, handles.len(), &tell)?);
                }
            }
        }
        Ok(Parts { handles, news })
    }

    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// This process, and those that have a part.
    pub fn pids(&self) -> Vec<u32> {
        let children = self.handles.iter().filter_map(|handle| match handle {
            Handle::Thread(_) => None,
            Handle::Process { child, .. } => Some(child.id()),
        });
        std::iter::once(std::process::id())
            .chain(children)
            .collect()
    }

    /// A part that is gone gets no order: it has reported why.
    pub fn order(&mut self, order: Order) {
        for handle in &mut self.handles {
            match handle {
                Handle::Thread(orders) => {
                    let _ = orders.send(order);
                }
                Handle::Process { orders, .. } => {
                    let _ = write_line(orders, &order);
                }
            }
        }
    }

    /// The next news, and the part that it comes from.
    pub fn next(&self, timeout: Duration) -> Option<(usize, News)> {
        self.news.recv_timeout(timeout).ok()
    }
}

/// Without the lead there is no use for viewers that go on.
impl Drop for Parts {
    fn drop(&mut self) {
        for handle in &mut self.handles {
            if let Handle::Process { child, .. } = handle {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}

fn start_thread(plan: &Plan, part: Part, index: usize, tell: &Sender<(usize, News)>) -> Handle {
    let (orders, received) = mpsc::channel();
    let plan = Plan {
        part,
        ..plan.clone()
    };
    let tell = tell.clone();
    std::thread::spawn(move || {
        // The lead may be gone before the last news.
        let mut tell = |news| drop(tell.send((index, news)));
        if let Err(error) = PartViewers::new(&plan).and_then(|crew| crew.run(&received, &mut tell))
        {
            tell(News::Failed(error.to_string()));
        }
    });
    Handle::Thread(orders)
}

fn start_process(
    plan: &Plan,
    part: Part,
    index: usize,
    tell: &Sender<(usize, News)>,
) -> io::Result<Handle> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(WORKER_COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut orders = child.stdin.take().expect("it was asked to be piped");
    let stdout = child.stdout.take().expect("it was asked to be piped");
    // By the pipe, not as an argument: it may hold a key, and arguments are for all to see.
    write_line(
        &mut orders,
        &Plan {
            part,
            ..plan.clone()
        },
    )?;
    let tell = tell.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(news) => drop(tell.send((index, news))),
                Err(error) => drop(tell.send((index, News::Failed(error.to_string())))),
            }
        }
        let _ = tell.send((index, News::Failed("one of its processes ended".into())));
    });
    Ok(Handle::Process { child, orders })
}

/// What a process does that has a part: the plan and the orders come on standard input.
pub fn worker() -> io::Result<()> {
    // An interrupt is for the lead, which will ask for the report.
    let ignored = std::sync::Arc::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, std::sync::Arc::clone(&ignored))?;
    }
    // Inherited as far as the hard limit; the soft one is this process's own.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let plan: Plan = serde_json::from_str(&line)?;
    let (tell, orders) = mpsc::channel();
    std::thread::spawn(move || {
        // At the end of the input, the channel closes.
        for line in io::stdin().lines().map_while(Result::ok) {
            let Ok(order) = serde_json::from_str(&line) else {
                return;
            };
            if tell.send(order).is_err() {
                return;
            }
        }
    });
    let mut stdout = io::stdout().lock();
    PartViewers::new(&plan)?.run(&orders, |news| {
        // When the reader is gone, the orders end as well.
        let _ = write_line(&mut stdout, &news);
    })
}

fn write_line(to: &mut impl Write, value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    fn choose(limit: u64, viewers: u64, asked: Option<u64>) -> Result<u64, String> {
        let plan = Plan {
            viewers,
            sample: 20,
            ..plan()
        };
        let chosen = Processes::within(limit, &plan, 1, asked);
        chosen
            .map(|processes| processes.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn there_are_as_many_processes_as_the_descriptors_ask_for() {
        assert_eq!(choose(1064, 999, None), Ok(0));
        assert_eq!(choose(1064, 1000, None), Ok(1));
        assert_eq!(choose(1064, 1021, None), Ok(2));
        assert_eq!(choose(1064, 10_020, None), Ok(10));
        assert_eq!(choose(1064, 500, Some(1)), Ok(0));
        assert_eq!(choose(1064, 500, Some(3)), Ok(3));
    }

    #[test]
    fn too_few_processes_are_refused_with_the_number_that_fits() {
        let error = choose(1064, 5000, Some(2)).unwrap_err();
        assert!(error.contains("1000 fit"), "{error}");
    }
}
