//! Commands that a person types.

use live_pusher::Method;
use serde_json::{Map, Value, json};

use super::rpc::{self, Fault, Outcome};
use super::{Answer, Client, at_once};
use crate::events::Event;

const HELP: &str = "  status                     what the box does
  get [NAME ...]             properties
  set NAME VALUE             sets one; also set NAME=VALUE ...
  reset [NAME ...]           back to the default
  save                       ok once all that was set is on the flash; else that takes up to 12 s
  start, stop, pause, resume, startPreview, stopPreview, switchCamera, snapshot, toggleTorch
  METHOD [NAME=VALUE ...]    any method, such as setZoom 2, sendMessage hello world, snapshot quality=raw
  watch, quiet               tells events as they come, or no more
  exit                       hangs up
A value with NAME= after it stands in quotes: \"like this\"
";

impl Client {
    pub(super) async fn obey(&mut self, text: &str) -> Answer {
        let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        let words: Vec<&str> = rest.split_whitespace().collect();
        let outcome = match command {
            "help" | "?" => return at_once(HELP.into()),
            "exit" | "quit" => {
                self.leaves = true;
                return at_once("ok\n".into());
            }
            "status" => self.execute("status", Map::new()).await,
            "get" => self.execute("props.get", names(&words)).await,
            "save" => self.execute("props.save", Map::new()).await,
            "reset" => self.execute("props.reset", names(&words)).await,
            "set" => match values(rest) {
                Some(values) => self.execute("props.set", values).await,
                None => return at_once("? set NAME VALUE, or set NAME=VALUE ...\n".into()),
            },
            "watch" => {
                let events = json!(["statechange", "error", "netstatus"]);
                self.execute("subscribe", Map::from_iter([("events".to_owned(), events)])).await
            }
            "quiet" => self.execute("unsubscribe", Map::new()).await,
            method => match arguments(&spelled(method), rest) {
                Some(arguments) => self.execute(&spelled(method), arguments).await,
                None => return at_once("? METHOD NAME=VALUE ...; type help\n".into()),
            },
        };
        match outcome {
            Ok(Outcome::Now(result)) => at_once(readable(&result)),
            Ok(Outcome::Later(reply)) => Answer::new(0, async {
                rpc::result(reply).await.map_or_else(|fault| complaint(&fault), |result| readable(&result))
            }),
            Err(fault) => at_once(complaint(&fault)),
        }
    }
}

/// The name of a method, whatever its case and hyphens.
fn spelled(name: &str) -> String {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let wanted = plain(name);
    let known = Method::names().find(|known| plain(known) == wanted);
    known.unwrap_or(name).to_owned()
}

fn names(words: &[&str]) -> Map<String, Value> {
    Map::from_iter([("names".to_owned(), json!(words))])
}

/// `NAME=VALUE ...`, or `NAME VALUE`, where the value is the rest of the line.
fn values(rest: &str) -> Option<Map<String, Value>> {
    let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.contains('=') {
        return pairs(rest);
    }
    (!value.is_empty()).then(|| Map::from_iter([(name.to_owned(), json!(value.trim()))]))
}

/// Methods with one argument, which needs no name.
const SOLE: [(&str, &str); 5] = [
    ("setZoom", "zoom"),
    ("setMICVolume", "volume"),
    ("setBGMVolume", "volume"),
    ("sendMessage", "msg"),
    ("playBGM", "url"),
];

fn arguments(method: &str, rest: &str) -> Option<Map<String, Value>> {
    let sole = SOLE.iter().find(|(name, _)| *name == method).map(|(_, argument)| *argument);
    match sole.filter(|_| !rest.is_empty()) {
        Some(name) if !rest.split_whitespace().next()?.contains('=') => {
            Some(Map::from_iter([(name.to_owned(), json!(rest))]))
        }
        _ => pairs(rest),
    }
}

/// `NAME=VALUE ...`. A value ends with its word, where others follow that have a `=`; with its second `"`, if it begins with
/// one; with the line otherwise.
fn pairs(mut rest: &str) -> Option<Map<String, Value>> {
    let mut pairs = Map::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let (value, next) = if let Some(quoted) = after.strip_prefix('"') {
            quoted.split_once('"')?
        } else {
            let (word, next) = after.split_once(char::is_whitespace).unwrap_or((after, ""));
            if next.contains('=') { (word, next) } else { (after, "") }
        };
        if name.is_empty() || name.contains(char::is_whitespace) {
            return None;
        }
        pairs.insert(name.to_owned(), json!(value));
        rest = next.trim();
    }
    Some(pairs)
}

/// A result in lines: `ok` where there is nothing to tell.
fn readable(result: &Value) -> String {
    let Value::Object(fields) = result else {
        return format!("{result}\n");
    };
    let told = |name| fields.get(name).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let (refused, warnings) = (told("refused"), told("warnings"));
    if !refused.is_empty() {
        let lines: Vec<String> =
            refused.iter().chain(warnings).map(|it| format!("? {}\n", reason(it))).collect();
        return lines.concat();
    }
    if let Some(warning) = warnings.first() {
        return format!("ok, but {}\n", reason(warning));
    }
    if fields.contains_key("refused") {
        return "ok\n".into();
    }
    if fields.is_empty() {
        return "ok\n".into();
    }
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let lines: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name:width$}  {}\n", plain(value))).collect();
    lines.concat()
}

fn reason(of: &Value) -> String {
    format!("{}: {}", plain(&of["property"]), plain(&of["reason"]))
}

fn complaint(fault: &Fault) -> String {
    format!("? {} ({}); type help\n", fault.message, fault.code)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// An event in one line.
pub(super) fn event(event: &Event) -> String {
    let detail = &event.detail;
    match (detail["code"].as_i64(), detail["message"].as_str()) {
        (Some(code), Some(message)) => {
            let params = match &detail["params"] {
                Value::Object(params) if !params.is_empty() => format!(" {}", detail["params"]),
                _ => String::new(),
            };
            format!("* {code} {message}{params}\n")
        }
        _ => format!("* {} {detail}\n", event.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_pairs_or_the_rest_of_the_line() {
        let set = |text: &str| values(text.strip_prefix("set").unwrap().trim());
        let one = |name: &str, value: &str| Some(Map::from_iter([(name.to_owned(), json!(value))]));
        assert_eq!(set("set url rtmp://host/app/key?a=b"), one("url", "rtmp://host/app/key?a=b"));
        assert_eq!(
            set("set waiting-image /data/my picture.png"),
            one("waiting-image", "/data/my picture.png")
        );
        assert_eq!(set("set fps=15 mode=HD").map(|values| values.len()), Some(2));
        assert_eq!(set("set url=rtmp://h/a/k?x=y"), one("url", "rtmp://h/a/k?x=y"));
        assert_eq!(set("set waiting-image=/a picture.png"), one("waiting-image", "/a picture.png"));
        assert_eq!(set("set waiting-image="), one("waiting-image", ""));
        let quoted = set("set waiting-image=\"/a b=c.png\" fps=15").unwrap();
        assert_eq!((&quoted["waiting-image"], &quoted["fps"]), (&json!("/a b=c.png"), &json!("15")));
        assert_eq!((set("set"), set("set fps"), set("set a=b c d=e")), (None, None, None));
    }

    #[test]
    fn one_argument_needs_no_name() {
        let one = |name: &str, value: &str| Some(Map::from_iter([(name.to_owned(), json!(value))]));
        assert_eq!(arguments("setZoom", "2"), one("zoom", "2"));
        assert_eq!(arguments("sendMessage", "hello world"), one("msg", "hello world"));
        assert_eq!(arguments("sendMessage", "msg=hello world"), one("msg", "hello world"));
        assert_eq!((arguments("stop", ""), arguments("snapshot", "raw")), (Some(Map::new()), None));
    }

    #[test]
    fn methods_are_known_in_any_spelling() {
        assert_eq!(spelled("startpreview"), "startPreview");
        assert_eq!(spelled("switch-camera"), "switchCamera");
        assert_eq!(spelled("Set_BGM_volume"), "setBGMVolume");
        assert_eq!(spelled("nonsense"), "nonsense");
    }
}
