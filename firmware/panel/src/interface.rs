//! Where a person is, and what the keys do there.

use std::time::Duration;

use embedded_graphics::geometry::Size;
use live_pusher::{Code, Kind, Property, State, Time, Transition};
use serde_json::{Value, json};

use crate::canvas::Canvas;
use crate::line::Line;
use crate::menu::{Item, Page};
use crate::messages::Messages;
use crate::screens;
use crate::value::{Setting, stepped};
use crate::view::{Phase, View};
use crate::words::Language;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Up,
    Down,
    Ok,
    Back,
}

/// What the box is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A method of the context, by its name and without arguments; [`Interface::answered`] wants to know what became of it.
    Call(&'static str),
    /// A property by its name in the model. What it refuses is told by [`Interface::answered`] too, as -2.
    Set { property: &'static str, value: Value },
    /// Another language was chosen, to be kept.
    Speak(Language),
}

/// What came of an action that did not fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Done,
    Snapshot,
    /// The zoom that there is now.
    Zoom(f64),
}

/// Without a key for so long, the display goes home.
const PATIENCE: Duration = Duration::from_secs(60);
/// For so long an answer is shown.
const ANSWER: Duration = Duration::from_secs(3);
/// For so long a camera or a microphone may be missing while it is opened or switched.
const OPENING: Duration = Duration::from_secs(2);
/// Pages of a message that has more than one take turns.
const TURN: Duration = Duration::from_secs(4);
/// Steps of a long press.
const LEAP: i32 = 10;
/// The main menu, a menu, a property, and how to set it.
const DEPTH: usize = 4;

/// Where on the display the small window is (12.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Corner {
    #[default]
    LowerRight,
    UpperRight,
    UpperLeft,
    LowerLeft,
}

impl Corner {
    fn next(self) -> Self {
        match self {
            Self::LowerRight => Self::UpperRight,
            Self::UpperRight => Self::UpperLeft,
            Self::UpperLeft => Self::LowerLeft,
            Self::LowerLeft => Self::LowerRight,
        }
    }

    pub(crate) fn is_left(self) -> bool {
        matches!(self, Self::UpperLeft | Self::LowerLeft)
    }

    pub(crate) fn is_lower(self) -> bool {
        matches!(self, Self::LowerRight | Self::LowerLeft)
    }
}

/// A page, and the line of it that is marked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) page: Page,
    pub(crate) line: usize,
}

/// The display's side of the conversation: what is shown, and what was not yet seen.
pub struct Interface {
    pub(crate) language: Language,
    /// Home where it is empty.
    places: Vec<Place>,
    pub(crate) messages: Messages,
    /// Page of the message that was turned to, and when.
    pub(crate) turned: (usize, Time),
    answer: Option<(Result<Answer, i32>, Time)>,
    /// Since when camera and microphone deliver nothing, where they are wanted.
    no_camera: Option<Time>,
    no_microphone: Option<Time>,
    pub(crate) corner: Corner,
    /// How home was left, where that moves the preview to the small window.
    moved: Option<Transition>,
    /// Whether it was closed since.
    window_closed: bool,
    last_key: Time,
}

impl Interface {
    pub fn new(language: Language) -> Self {
        Self {
            language,
            places: Vec::with_capacity(DEPTH),
            messages: Messages::new(),
            turned: (0, Time::ZERO),
            answer: None,
            no_camera: None,
            no_microphone: None,
            corner: Corner::default(),
            moved: None,
            window_closed: false,
            last_key: Time::ZERO,
        }
    }

    /// A status of the box. A fault waits until it was acknowledged or is over.
    pub fn tell(&mut self, now: Time, code: Code) {
        let before = self.messages.first();
        self.messages.tell(now, code);
        if self.messages.first() != before {
            self.turned = (0, now);
        }
    }

    /// What became of an action; else the code of its failure (6.3).
    pub fn answered(&mut self, now: Time, result: Result<Answer, i32>) {
        self.answer = Some((result, now));
    }

    /// Why the preview is in the small window of a display with colours, if it is: home was left by opening a menu on it, or
    /// by going back from it, and the property names that (12.5).
    pub fn window(&self, view: &View<'_>) -> Option<Transition> {
        // Nothing may cover the code that is to be scanned.
        let is_beside = self.places.last().is_some_and(|place| place.page != Page::SetUp);
        let is_wanted = view.shows_preview && !view.transitions().is_empty();
        self.moved.filter(|_| is_beside && is_wanted && !self.window_closed)
    }

    /// Whether the small window was closed, rather than that home was gone back to or that there is no preview any longer.
    pub fn is_window_closed(&self) -> bool {
        self.window_closed
    }

    /// The size of the preview's place on a display with colours of `display` pixels; none while nothing of it is to be seen.
    /// A picture of another size is scaled, and cut where its shape is another.
    pub fn preview_size(&self, view: &View<'_>, display: Size) -> Option<Size> {
        screens::preview_place(self, view, display).map(|place| place.size)
    }

    /// Whether there is a menu: keys mean something else than at home.
    pub fn is_in_menu(&self) -> bool {
        !self.places.is_empty()
    }

    /// Nobody sees it any longer.
    pub fn go_home(&mut self) {
        self.places.clear();
    }

    /// Closes the small window until home is left again.
    pub fn close_window(&mut self) {
        self.window_closed = true;
    }

    /// A key was pressed; `long` for more than about half a second.
    pub fn press(&mut self, key: Key, long: bool, view: &View<'_>) -> Option<Action> {
        self.settle(view);
        self.last_key = view.now;
        if view.phase != Phase::Running {
            return None;
        }
        let Some(place) = self.places.last().copied() else {
            return self.press_at_home(key, long, view);
        };
        match (key, long) {
            (Key::Back, true) if self.window(view).is_some() => self.window_closed = true,
            (Key::Back, true) => self.places.clear(),
            (Key::Back, false) => _ = self.places.pop(),
            (Key::Up, _) => self.step(place, -1, long, view),
            (Key::Down, _) => self.step(place, 1, long, view),
            (Key::Ok, _) => return self.choose(place, view),
        }
        None
    }

    /// A key that was pressed for long is held still: the mark or the number moves on, all else was done.
    pub fn repeat(&mut self, key: Key, view: &View<'_>) -> Option<Action> {
        let is_number = self.places.last().is_some_and(|place| matches!(place.page, Page::Number { .. }));
        let moves_window = self.window(view).is_some() && !is_number;
        if moves_window || matches!(key, Key::Ok | Key::Back) {
            self.last_key = view.now;
            return None;
        }
        self.press(key, true, view)
    }

    fn press_at_home(&mut self, key: Key, long: bool, view: &View<'_>) -> Option<Action> {
        if self.messages.first().is_some() {
            match key {
                Key::Ok | Key::Back => self.messages.acknowledge(view.now),
                Key::Up | Key::Down => {}
            }
            let page = if matches!(key, Key::Ok | Key::Back) { 0 } else { self.message_page(view.now) + 1 };
            self.turned = (page, view.now);
            return None;
        }
        match (key, long) {
            (Key::Ok, true) => Some(Action::Call(if view.state.has_session() { "stop" } else { "start" })),
            (Key::Ok, false) => {
                self.leave_home(Transition::Push, view);
                None
            }
            // Without it there is nowhere to go.
            (Key::Back, _) if view.shows_preview && view.transitions().contains(&Transition::Pop) => {
                self.leave_home(Transition::Pop, view);
                None
            }
            (Key::Up | Key::Down | Key::Back, _) => None,
        }
    }

    /// What the property says when home is left counts until it is gone back to.
    fn leave_home(&mut self, transition: Transition, view: &View<'_>) {
        self.moved = view.transitions().contains(&transition).then_some(transition);
        self.window_closed = false;
        self.open(Page::Main, 0);
    }

    /// Moves the mark or the number; a long press moves the small window, or the number by more.
    fn step(&mut self, place: Place, by: i32, long: bool, view: &View<'_>) {
        let (has_window, count) = (self.window(view).is_some(), self.items(place.page, view).count());
        let Some(here) = self.places.last_mut() else {
            return;
        };
        if let Page::Number { property, value } = &mut here.page {
            if let Kind::Number { low, high, rounding } = property.kind {
                // Up is more.
                *value = stepped(*value, (low, high), rounding, -by * if long { LEAP } else { 1 });
            }
        } else if long && has_window {
            self.corner = self.corner.next();
        } else if count > 0 {
            here.line = (here.line as i32 + by).rem_euclid(count as i32) as usize;
        }
    }

    fn choose(&mut self, place: Place, view: &View<'_>) -> Option<Action> {
        match place.page {
            Page::Number { property, value } => {
                self.places.pop();
                return Some(set(property, number(value)));
            }
            Page::Text(_) => self.open(Page::SetUp, 0),
            _ => {}
        }
        let item = self.items(place.page, view).nth(place.line)?;
        match item {
            Item::Page(page) => {
                let at = self.items(page, view).position(|item| item.is_chosen(view, self.language));
                self.open(page, at.unwrap_or(0));
            }
            Item::Method(name) => return Some(Action::Call(name)),
            Item::Property(property) => return self.enter(property, view),
            Item::Choice(property, at) => {
                if !matches!(property.kind, Kind::Words(_)) {
                    self.places.pop();
                }
                return chosen(property, at, view).map(|value| set(property, value));
            }
            Item::Language(language) => {
                self.language = language;
                self.places.pop();
                return Some(Action::Speak(language));
            }
            Item::Past(past) => {
                self.turned = (0, view.now);
                self.open(Page::Fault(past.code), 0);
            }
            Item::Fact(_) => {}
        }
        None
    }

    /// A switch is switched, for anything else there is a page.
    fn enter(&mut self, property: &'static Property, view: &View<'_>) -> Option<Action> {
        match (Setting::of(view.store, property), property.kind) {
            (Setting::Switch(value), _) => return Some(set(property, json!(!value))),
            (Setting::Number(value), Kind::Number { .. }) => self.open(Page::Number { property, value }, 0),
            (_, Kind::Text | Kind::Md5) => self.open(Page::Text(property), 0),
            _ => {
                let page = Page::Choices(property);
                let at = self.items(page, view).position(|item| item.is_chosen(view, self.language));
                self.open(page, at.unwrap_or(0));
            }
        }
        None
    }

    fn open(&mut self, page: Page, line: usize) {
        if self.places.len() < DEPTH {
            self.places.push(Place { page, line });
        }
    }

    /// What time does.
    fn settle(&mut self, view: &View<'_>) {
        let first = self.messages.first();
        self.messages.settle(view);
        if self.messages.first() != first {
            self.turned = (0, view.now);
        }
        if view.now.saturating_sub(self.last_key) >= PATIENCE {
            self.places.clear();
        }
        if let Some(place) = self.places.last_mut() {
            // A menu of another state may be shorter.
            let count = place.page.items(view, self.messages.past()).count();
            place.line = place.line.min(count.saturating_sub(1));
        }
        let since = |missing: bool, since: Option<Time>| missing.then(|| since.unwrap_or(view.now));
        self.no_camera = since(view.wants_camera() && !view.camera_runs, self.no_camera);
        self.no_microphone = since(view.wants_microphone() && view.volume.is_none(), self.no_microphone);
        self.answer = self.answer.filter(|(_, since)| view.now.saturating_sub(*since) < ANSWER);
    }

    /// The page of the message whose turn it is.
    pub(crate) fn message_page(&self, now: Time) -> usize {
        let (page, since) = self.turned;
        page + (now.saturating_sub(since).as_millis() / TURN.as_millis()) as usize
    }

    /// Draws what is to be seen now. [`Canvas::changes`] tells then what differs from the last time.
    pub fn draw(&mut self, view: &View<'_>, canvas: &mut Canvas) {
        self.settle(view);
        screens::draw(self, view, canvas);
        canvas.finish();
    }

    /// Whether a camera is wanted, and delivers nothing.
    pub(crate) fn lacks_camera(&self, now: Time) -> bool {
        self.no_camera.is_some_and(|since| now.saturating_sub(since) >= OPENING)
    }

    pub(crate) fn lacks_microphone(&self, now: Time) -> bool {
        self.no_microphone.is_some_and(|since| now.saturating_sub(since) >= OPENING)
    }

    pub(crate) fn items(&self, page: Page, view: &View<'_>) -> impl Iterator<Item = Item> {
        page.items(view, self.messages.past())
    }

    pub(crate) fn place(&self) -> Option<Place> {
        self.places.last().copied()
    }

    /// In words; none where there is nothing to be told.
    pub(crate) fn answer(&self) -> Option<(Line, bool)> {
        let words = self.language.words();
        let line = |text: &str| Line::of(format_args!("{text}"));
        self.answer.map(|(result, _)| match result {
            Ok(Answer::Done) => (line(words.done), true),
            Ok(Answer::Snapshot) => (line(words.snapshot_taken), true),
            Ok(Answer::Zoom(zoom)) => (Line::of(format_args!("{} {zoom:.1}x", words.zoom)), true),
            Err(number) => (line((words.failure)(number)), false),
        })
    }

    /// Whether the display of a resting box asks to be set up.
    pub(crate) fn asks_for_set_up(view: &View<'_>) -> bool {
        !view.is_provisioned() && matches!(view.state, State::Unbound | State::Idle)
    }
}

fn set(property: &'static Property, value: Value) -> Action {
    Action::Set { property: property.name, value }
}

/// Without a fraction where there is none.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 { json!(value as i64) } else { json!(value) }
}

/// The value after the choice at a place was made; of several, it is added or taken away.
fn chosen(property: &Property, place: usize, view: &View<'_>) -> Option<Value> {
    match (property.kind, Setting::of(view.store, property)) {
        (Kind::Choice(known), _) => known.get(place).map(|word| json!(word)),
        (Kind::Code(codes), _) => codes.get(place).map(|code| json!(code)),
        (Kind::Words(known), Setting::List(list)) => {
            let word = known.get(place)?;
            let has = |word: &str| list.iter().any(|value| value == word);
            Some(known.iter().filter(|it| has(it) != (it == &word)).copied().collect())
        }
        _ => None,
    }
}
