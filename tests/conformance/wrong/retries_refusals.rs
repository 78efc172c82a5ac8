// Wrong on purpose: asks again after a 403, a 404 and a 400, each call in a thread.
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::thread::{sleep, spawn};
use std::time::Duration;

/// The text of a field of the line.
fn field(line: &str, name: &str) -> String {
    let after = line.split_once(&format!("\"{name}\"")).expect("the field").1;
    after.split('"').nth(1).expect("its text").to_string()
}

/// The status of one answer.
fn ask(address: &str, path: &str) -> io::Result<u16> {
    let mut connection = TcpStream::connect(address)?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::UnexpectedEof.into())
}

fn call(address: &str, path: &str) -> bool {
    for _ in 0..3 {
        if matches!(ask(address, path), Ok(status) if status < 400) {
            return true;
        }
        sleep(Duration::from_millis(200));
    }
    false
}

fn main() {
    let mut lines = io::stdin().lock().lines().map(|line| line.expect("a line"));
    let first = lines.next().expect("the first line");
    let address = field(&first, "endpoint").replace("http://", "");
    let bucket = field(&first, "bucket");
    println!("{{\"ready\": true, \"kinds\": [\"get\"]}}");
    for line in lines {
        let key = field(&line, "key");
        let (address, path) = (address.clone(), format!("/{bucket}/{key}"));
        spawn(move || println!("{{\"key\": \"{key}\", \"ok\": {}, \"error\": \"refused\"}}", call(&address, &path)));
    }
}
