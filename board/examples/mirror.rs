//! The least that a program can do between a button and a lamp: one GPIO line, which a button pulls low, lights another.
//! `mirror BUTTON LAMP`; the rig measures the firmware against it.

use std::env;
use std::error::Error;

use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, EdgeKind, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = env::args().skip(1).collect();
    let [button, lamp] = names.as_slice() else {
        return Err("give the names of two lines: mirror BUTTON LAMP".into());
    };
    let find = |name: &str| gpiocdev::find_named_line(name).ok_or_else(|| format!("no line {name}"));
    let (button, lamp) = (find(button)?, find(lamp)?);
    let input = Request::builder()
        .on_chip(button.chip)
        .with_line(button.info.offset)
        .with_edge_detection(EdgeDetection::BothEdges)
        .request()?;
    let output = Request::builder()
        .on_chip(lamp.chip)
        .with_line(lamp.info.offset)
        .as_output(Value::Inactive)
        .request()?;
    loop {
        let pressed = input.read_edge_event()?.kind == EdgeKind::Falling;
        output.set_lone_value(pressed.into())?;
    }
}
