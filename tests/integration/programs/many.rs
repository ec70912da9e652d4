// many HOST_ADDRESS COUNT SILENT: so many connects from one epoll loop; then what std does with a time-out.
//
// As mio does it, by libc's own calls: socket and connect without blocking, epoll for the outcome, edge-triggered.
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::FromRawFd;
use std::time::{Duration, Instant};

#[repr(C)]
#[cfg_attr(target_arch = "x86_64", repr(packed))]
#[derive(Clone, Copy)]
struct Event {
    events: u32,
    data: u64,
}

#[repr(C)]
struct Address {
    family: u16,
    port: u16,
    host: [u8; 4],
    zero: [u8; 8],
}

extern "C" {
    fn socket(family: i32, kind: i32, protocol: i32) -> i32;
    fn connect(fd: i32, address: *const Address, len: u32) -> i32;
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(ep: i32, op: i32, fd: i32, event: *mut Event) -> i32;
    fn epoll_wait(ep: i32, events: *mut Event, max: i32, timeout_ms: i32) -> i32;
}

const AF_INET: i32 = 2;
const STREAM_NONBLOCK_CLOEXEC: i32 = 1 | 0o4000 | 0o2000000;
const EPOLL_CTL_ADD: i32 = 1;
const IN_OUT_RDHUP_EDGE: u32 = 0x001 | 0x004 | 0x2000 | (1 << 31);
const TICK: Duration = Duration::from_millis(5);

fn begin(ep: i32, n: usize, to: &Address) -> TcpStream {
    unsafe {
        let fd = socket(AF_INET, STREAM_NONBLOCK_CLOEXEC, 0);
        assert!(fd >= 0);
        assert_eq!(connect(fd, to, 16), -1);
        let error = std::io::Error::last_os_error();
        assert_eq!(error.raw_os_error(), Some(115), "{error}");
        let mut event = Event { events: IN_OUT_RDHUP_EDGE, data: n as u64 };
        assert_eq!(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &mut event), 0);
        TcpStream::from_raw_fd(fd)
    }
}

fn page(s: &mut TcpStream, host: &str, n: usize) -> bool {
    s.set_nonblocking(false).unwrap();
    write!(s, "GET /{n} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    s.read_to_string(&mut text).unwrap();
    text.ends_with(&format!("\r\n\r\nyou asked {host} for /{n}\n"))
}

fn with_time_out(to: SocketAddr, host: &str, silent: SocketAddr) {
    let mut s = TcpStream::connect_timeout(&to, Duration::from_secs(60)).unwrap();
    println!("with a time-out: {}", page(&mut s, host, 0));
    let started = Instant::now();
    let error = TcpStream::connect_timeout(&silent, Duration::from_millis(700)).unwrap_err();
    let early = started.elapsed() < Duration::from_millis(700);
    println!("silent: {:?}, early: {early}", error.kind());
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let count: usize = words[2].parse().unwrap();
    let host: std::net::Ipv4Addr = words[1].parse().unwrap();
    let silent: std::net::Ipv4Addr = words[3].parse().unwrap();
    with_time_out((host, 80).into(), &words[1], (silent, 80).into());

    let to = Address {
        family: AF_INET as u16,
        port: 80u16.to_be(),
        host: host.octets(),
        zero: [0; 8],
    };
    let ep = unsafe { epoll_create1(0) };
    let started = Instant::now();
    let (mut at, mut stall, mut ticks, mut before) = (started, Duration::ZERO, 0, None);
    let mut sockets: Vec<_> = (0..count).map(|n| begin(ep, n, &to)).collect();
    let mut done = 0;
    let mut told = vec![0; count];
    while done < count {
        let mut events = [Event { events: 0, data: 0 }; 64];
        let left = TICK.saturating_sub(at.elapsed()).as_millis() as i32 + 1;
        let got = unsafe { epoll_wait(ep, events.as_mut_ptr(), 64, left) };
        if at.elapsed() >= TICK {
            stall = stall.max(at.elapsed() - TICK);
            at = Instant::now();
            ticks += 1;
        }
        for event in &events[..got.max(0) as usize] {
            let n = event.data as usize;
            assert!(sockets[n].take_error().unwrap().is_none());
            assert_eq!(sockets[n].peer_addr().unwrap(), (host, 80).into());
            before.get_or_insert(ticks);
            told[n] += 1;
            done += 1;
        }
    }
    let wall = started.elapsed();
    assert!(told.iter().all(|&times| times == 1));
    let right = sockets.iter_mut().enumerate().filter_map(|(n, s)| page(s, &words[1], n).then_some(n));
    println!("{} right", right.count());
    println!(
        "{{\"wall_ms\": {}, \"stall_ms\": {}, \"ticks\": {}}}",
        wall.as_secs_f64() * 1e3,
        stall.as_secs_f64() * 1e3,
        before.unwrap()
    );
}
