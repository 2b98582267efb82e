//! A bad line between a client and a server on this machine: what passes, what waits and what is lost is switched while it runs.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a thread waits before it looks at the switches again.
const LOOK: Duration = Duration::from_millis(5);

/// What the line does to what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every piece waits so long.
    Delay(Duration),
    /// Pieces of one byte.
    Slice,
    /// Everything is swallowed, both ways, and nobody is told: a half-open link.
    BlackHole,
    /// New connections are dropped at once.
    Refuse,
}

/// The line. It ends when it is dropped.
pub struct FaultProxy {
    /// Where the client connects.
    pub port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    fault: Mutex<Fault>,
    ended: AtomicBool,
    /// Both ends of every connection: the client's, the server's.
    open: Mutex<Vec<(TcpStream, TcpStream)>>,
}

impl FaultProxy {
    /// A line to a server on this machine.
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared =
            Arc::new(Shared { fault: Mutex::new(Fault::None), ended: AtomicBool::new(false), open: Mutex::new(Vec::new()) });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, server, &theirs));
        Self { port, shared, thread: Some(thread) }
    }

    /// From now on the line does this.
    pub fn set(&self, fault: Fault) {
        *self.shared.fault.lock().unwrap() = fault;
    }

    /// Resets every connection: both ends get an error in the middle of whatever they do.
    pub fn reset(&self) {
        for (client, server) in self.shared.open.lock().unwrap().drain(..) {
            for socket in [client, server] {
                let _: Result<(), _> = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                let _: Result<(), _> = socket.shutdown(Shutdown::Both);
            }
        }
    }

    /// Closes the way back of every connection: the client reads the end and may still write.
    pub fn half_close(&self) {
        for (client, _) in self.shared.open.lock().unwrap().iter() {
            let _: Result<(), _> = client.shutdown(Shutdown::Write);
        }
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        self.reset();
        self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

fn accept(listener: &TcpListener, server: u16, shared: &Arc<Shared>) {
    let mut pumps = Vec::new();
    while !shared.has_ended() {
        let Ok((client, _)) = listener.accept() else {
            std::thread::sleep(LOOK);
            continue;
        };
        if shared.fault() == Fault::Refuse {
            continue;
        }
        let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
        client.set_nonblocking(false).unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
            socket.set_read_timeout(Some(LOOK)).unwrap();
        }
        let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
        for (from, to) in [(ends.0, ends.1), (server.try_clone().unwrap(), client.try_clone().unwrap())] {
            let shared = Arc::clone(shared);
            pumps.push(std::thread::spawn(move || pump(from, to, &shared)));
        }
        shared.open.lock().unwrap().push((client, server));
    }
    pumps.into_iter().for_each(|pump| drop(pump.join()));
}

fn pump(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let mut buffer = [0; 16_384];
    while !shared.has_ended() {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => break,
        };
        let sent = match shared.fault() {
            Fault::BlackHole => Ok(()),
            Fault::Delay(time) => {
                std::thread::sleep(time);
                to.write_all(&buffer[..count])
            }
            Fault::Slice => buffer[..count].chunks(1).try_for_each(|byte| to.write_all(byte)),
            Fault::None | Fault::Refuse => to.write_all(&buffer[..count]),
        };
        if sent.is_err() {
            break;
        }
    }
    let _: Result<(), _> = to.shutdown(Shutdown::Write);
}
