use link::*;
use uplink::rate::Policy;
struct Oracle(Trace, u64);
impl RateControl for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }
    fn sending(&self) -> Sending {
        Sending { drop: Drop::ToIdr(3000), low_water: Some(16 << 10) }
    }
    fn interval(&self) -> u64 {
        20
    }
    fn target(&mut self, now: std::time::Duration, o: &Observation) -> f64 {
        let now = now.as_millis() as u64;
        let c = self.0.mean(now + 50, now + 50 + self.1);
        let backlog = (o.sample.queue.bytes + o.sample.socket.unacknowledged) as f64 * 8.0;
        (0.97 * c - 64e3 - (backlog - 0.1 * c).max(0.0) / 0.5).clamp(200e3, 4e6)
    }
}
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let only_own = args.get(1).is_some_and(|a| a == "own");
    let verbose = args.get(2).map(String::as_str).unwrap_or("");
    let (min, max) = (200e3, std::env::var("MAX").map_or(4e6, |m| m.parse().unwrap()));
    let step = Trace::steps(&[(30_000, 6e6), (30_000, 1.2e6), (30_000, 6e6)]);
    let att =
        std::fs::read_to_string("/tmp/rate-work/ATT-LTE-driving.up").ok().and_then(|t| Trace::parse(&t));
    let mut list = vec![
        ("step", step.clone(), 90_000, 50, 0.0),
        ("n4", Trace::steps(&[(20_000, 5e6), (30_000, 0.6e6), (70_000, 5e6)]), 120_000, 10, 0.0),
        ("outage", Trace::steps(&[(20_000, 6e6), (5_000, 0.0), (35_000, 6e6)]), 60_000, 50, 0.0),
        ("const3", Trace::steps(&[(30_000, 3e6)]), 60_000, 50, 0.0),
        ("const1 rtt300", Trace::steps(&[(30_000, 1e6)]), 60_000, 300, 0.0),
        ("step rtt300", step.clone(), 90_000, 300, 0.0),
        ("loss2", Trace::steps(&[(30_000, 6e6)]), 60_000, 50, 0.02),
        ("mobile3", Trace::mobile(1, 180, 3e6, 0.6), 180_000, 50, 0.0),
        ("mobile1.5", Trace::mobile(2, 180, 1.5e6, 0.8), 180_000, 50, 0.0),
    ];
    if let Some(att) = att {
        list.push(("att", att, 300_000, 50, 0.0));
    }
    for (name, trace, ms, rtt, loss) in list {
        for buffer in [128_000, 2_000_000] {
            for cc in [CongestionControl::Cubic, CongestionControl::Bbr] {
                if !verbose.is_empty() && verbose != name {
                    continue;
                }
                println!("== {name} buffer {buffer} {cc:?}");
                let mut all: Vec<Box<dyn RateControl>> = vec![
                    Box::new(Own::new(Policy::Live, min, max, 1.8e6)),
                    Box::new(Own::new(Policy::Rtc, min, max, 1.8e6)),
                ];
                all.push(Box::new(Oracle(trace.clone(), 500)));
                if !only_own && cc == CongestionControl::Cubic {
                    all.extend(peers(min, max));
                }
                for mut who in all {
                    let scenario = Scenario {
                        path: PathModel { trace: trace.clone(), buffer, rtt, loss },
                        control: cc,
                        milliseconds: ms,
                        max,
                        start: if who.name().starts_with("Push") { 1.8e6 } else { max },
                        seed: 1,
                    };
                    let out = run(&scenario, who.as_mut());
                    println!(
                        "{:16} p50 {:5.0} p95 {:6.0} p99 {:6.0} used {:5.1}% dropped {:4.1}% back {:>6} changes/min {:5.1} gap {:5}",
                        who.name(),
                        out.delay(0.5),
                        out.delay(0.95),
                        out.delay(0.99),
                        out.used * 100.0,
                        out.dropped as f64 * 100.0 / out.pictures as f64,
                        out.back(if name.starts_with("out") { 25_000 } else { 60_000 }, 0.9 * max)
                            .map_or("-".into(), |b| format!("{:.1}", b as f64 / 1000.0)),
                        out.changes as f64 * 60000.0 / ms as f64,
                        out.sound_gap
                    );
                    if args.len() > 3 && who.name() == args[3] {
                        for (i, s) in out.seconds.iter().enumerate() {
                            println!(
                                "{i:4} link {:5.2} target {:5.2} came {:5.2} delay {:5.0}",
                                s[0] / 1e6,
                                s[1] / 1e6,
                                s[2] / 1e6,
                                s[3]
                            );
                        }
                    }
                }
            }
        }
    }
}
