// std alone: blocking connects, one with a time-out (which is a non-blocking connect and a poll).
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

fn ask(mut s: TcpStream, host: &str, path: &str) {
    write!(s, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    s.read_to_string(&mut text).unwrap();
    print!("{}", text.split_once("\r\n\r\n").unwrap().1);
}

fn main() {
    let host = std::env::args().nth(1).unwrap();
    ask(TcpStream::connect((host.as_str(), 80)).unwrap(), &host, "/connect");
    let addr = (host.as_str(), 80).to_socket_addrs().unwrap().next().unwrap();
    let s = TcpStream::connect_timeout(&addr, Duration::from_secs(10)).unwrap();
    assert_eq!(s.peer_addr().unwrap(), addr);
    ask(s, &host, "/timeout");
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let host = host.clone();
            std::thread::spawn(move || TcpStream::connect((host.as_str(), 80)).unwrap())
        })
        .collect();
    for (n, t) in threads.into_iter().enumerate() {
        ask(t.join().unwrap(), &host, &format!("/thread/{n}"));
    }
    println!("{:?}", TcpStream::connect((host.as_str(), 9)).unwrap_err().kind());
}
