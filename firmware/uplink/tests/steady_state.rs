//! Publishing over a real socket: once warm, a packet costs no allocation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use uplink::{Address, Options, Packet, Published, SendQueue, Track, publish};

/// A server that says what a friendly one says, and then only reads.
fn serve(listener: &TcpListener) -> usize {
    const ANSWERS: &[u8] = include_bytes!("../fuzz/corpus/session/happy");
    let (mut stream, _) = listener.accept().unwrap();
    let mut hello = [0; 1537];
    stream.read_exact(&mut hello).unwrap();
    let mut answer = [0; 1537];
    answer[0] = 3;
    stream.write_all(&answer).unwrap();
    stream.write_all(&hello[1..]).unwrap();
    stream.write_all(&ANSWERS[1..]).unwrap();
    let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => return total,
            count => total += count,
        }
    }
}

#[test]
fn a_packet_costs_no_allocation() {
    static PICTURE: [u8; 17_000] = [1; 17_000];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rtmp://{}/live/key", listener.local_addr().unwrap());
    let server = thread::spawn(move || serve(&listener));
    let address = Address::parse(&url).unwrap();
    let (options, queue) = (Options::default(), SendQueue::new(Duration::from_secs(3)));
    queue.set_configuration(Track::Video, &[1, 2, 3, 4]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let spent = runtime.block_on(async {
        let (done, finished) = tokio::sync::oneshot::channel::<()>();
        let (started, publishing) = tokio::sync::oneshot::channel();
        let mut started = Some(started);
        let shutdown = async {
            let _ = finished.await;
        };
        let report = |progress| {
            if progress == Published::Permitted {
                let _ = started.take().map(|started| started.send(()));
            }
        };
        let feed = async {
            publishing.await.unwrap();
            let mut before = 0;
            for number in 0..1200 {
                if number == 200 {
                    before = allocations::so_far();
                }
                let time = i64::from(number) * 33_000;
                queue.push(Packet { track: Track::Video, sync: number % 60 == 0, time, data: &PICTURE[..] });
                while queue.queued() > Duration::from_millis(100) {
                    tokio::task::yield_now().await;
                }
            }
            let spent = allocations::so_far() - before;
            while queue.queued() > Duration::ZERO {
                tokio::task::yield_now().await;
            }
            done.send(()).unwrap();
            spent
        };
        let observe = |_: &_| Duration::from_millis(20);
        let publishing = publish(&address, &options, &queue, shutdown, report, observe);
        let (result, spent) = tokio::join!(publishing, feed);
        result.unwrap();
        spent
    });
    assert_eq!(queue.dropped().video, 0);
    assert!(server.join().unwrap() > 1190 * PICTURE.len());
    assert_eq!(spent, 0, "allocations in 1000 packets");
}
