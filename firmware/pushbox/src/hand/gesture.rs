//! Gestures: what is done with a button, and what comes of it.

use std::time::Duration;

use media::Timestamp;
use serde::Deserialize;

use super::Action;

/// A second press within this time after the first makes them a double press.
const DOUBLE: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_millis(800);
/// A button that is held repeats after the first of these, then after each of the second.
const HOLD: Duration = Duration::from_millis(500);
const REPEAT: Duration = Duration::from_millis(200);

/// What each gesture of a button does. The fewer it has, the sooner it acts: one that has only `short` at the press itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Bindings {
    pub(crate) short: Option<Action>,
    pub(crate) double: Option<Action>,
    /// 800 ms.
    pub(crate) long: Option<Action>,
    /// After 500 ms and then each 200 ms. Not together with `long`, which it comes before.
    pub(crate) hold: Option<Action>,
}

impl Bindings {
    pub(crate) fn actions(self) -> impl Iterator<Item = Action> + use<> {
        [self.short, self.double, self.long, self.hold].into_iter().flatten()
    }
}

/// How a button came to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Press {
    Short,
    Held,
    /// It is held still.
    Repeated,
}

/// A button and what has been done with it so far. Time is that of the edges, which were debounced.
pub(crate) struct Button {
    /// At home, and while there is a menu.
    at_home: Bindings,
    in_menu: Bindings,
    /// Of what is being done with it.
    bindings: Bindings,
    phase: Phase,
}

enum Phase {
    Up,
    Down {
        /// When being held means something.
        due: Option<Timestamp>,
        /// Whether something came of it: letting go then means nothing.
        done: bool,
    },
    /// Let go; a second press may follow.
    Between {
        until: Timestamp,
    },
}

impl Button {
    pub(crate) fn new(at_home: Bindings, in_menu: Bindings) -> Self {
        Self { at_home, in_menu, bindings: at_home, phase: Phase::Up }
    }

    /// What is done with a button means what it meant when that was begun.
    pub(crate) fn edge(&mut self, pressed: bool, at: Timestamp, is_in_menu: bool) -> Option<Action> {
        if matches!(self.phase, Phase::Up) {
            self.bindings = if is_in_menu { self.in_menu } else { self.at_home };
        }
        let Bindings { short, double, long, hold } = self.bindings;
        let (phase, action) = match (&self.phase, pressed) {
            (Phase::Up, true) if double.or(long).or(hold).is_none() => {
                (Phase::Down { due: None, done: true }, short)
            }
            (Phase::Up, true) => {
                let due = hold.map(|_| at + HOLD).or(long.map(|_| at + LONG));
                (Phase::Down { due, done: false }, None)
            }
            (Phase::Down { done: true, .. }, false) => (Phase::Up, None),
            (Phase::Down { done: false, .. }, false) if double.is_some() => {
                (Phase::Between { until: at + DOUBLE }, None)
            }
            (Phase::Down { done: false, .. }, false) => (Phase::Up, short),
            (Phase::Between { .. }, true) => (Phase::Down { due: None, done: true }, double),
            (Phase::Up | Phase::Between { .. }, false) | (Phase::Down { .. }, true) => return None,
        };
        self.phase = phase;
        action
    }

    /// It can't be read any longer: nothing comes of what was begun.
    pub(crate) fn forget(&mut self) {
        self.phase = Phase::Up;
    }

    /// When [`Button::timer`] has something to do.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Up => None,
            Phase::Down { due, .. } => due,
            Phase::Between { until } => Some(until),
        }
    }

    /// What has come due.
    pub(crate) fn timer(&mut self, now: Timestamp) -> Option<(Action, Press)> {
        let due = self.deadline().filter(|due| now.since(*due) >= 0)?;
        let press = match self.phase {
            Phase::Down { done: true, .. } => Press::Repeated,
            Phase::Down { done: false, .. } => Press::Held,
            Phase::Up | Phase::Between { .. } => Press::Short,
        };
        let (phase, action) = match self.bindings.hold {
            _ if press == Press::Short => (Phase::Up, self.bindings.short),
            Some(hold) => (Phase::Down { due: Some(due + REPEAT), done: true }, Some(hold)),
            None => (Phase::Down { due: None, done: true }, self.bindings.long),
        };
        self.phase = phase;
        action.map(|action| (action, press))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Action = Action::StartStop;
    const B: Action = Action::Snapshot;
    const C: Action = Action::Mute;

    fn ms(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(milliseconds * 1000)
    }

    /// What comes of a button that changes at these times, each with its time; it begins let go.
    fn play(bindings: Bindings, edges: &[i64]) -> Vec<(i64, Action)> {
        let mut button = Button::new(bindings, Bindings::default());
        let (mut pressed, mut seen) = (false, Vec::new());
        for time in 0..4000 {
            if edges.contains(&time) {
                pressed = !pressed;
                seen.extend(button.edge(pressed, ms(time), false).map(|action| (time, action)));
            }
            seen.extend(button.timer(ms(time)).map(|(action, press)| {
                assert_eq!(press != Press::Short, pressed);
                (time, action)
            }));
        }
        seen
    }

    #[test]
    fn a_button_with_one_meaning_acts_at_once() {
        let bindings = Bindings { short: Some(A), ..Bindings::default() };
        assert_eq!(play(bindings, &[10, 2000, 2010, 2020]), [(10, A), (2010, A)]);
    }

    #[test]
    fn a_long_press_acts_while_it_is_held_and_a_short_one_when_let_go() {
        let bindings = Bindings { short: Some(A), long: Some(B), ..Bindings::default() };
        assert_eq!(play(bindings, &[10, 100, 500, 2500]), [(100, A), (1300, B)]);
    }

    #[test]
    fn two_presses_are_one_gesture_if_the_second_comes_soon() {
        let bindings = Bindings { short: Some(A), double: Some(B), ..Bindings::default() };
        assert_eq!(play(bindings, &[10, 100, 300, 400]), [(300, B)]);
        assert_eq!(play(bindings, &[10, 100, 500, 600]), [(400, A), (900, A)]);
    }

    #[test]
    fn all_three_can_be_told_apart() {
        let bindings = Bindings { short: Some(A), double: Some(B), long: Some(C), hold: None };
        assert_eq!(
            play(bindings, &[0, 100, 200, 300, 1000, 1900, 3000, 3100]),
            [(200, B), (1800, C), (3400, A)]
        );
    }

    #[test]
    fn nothing_comes_of_what_was_begun_with_a_button_that_is_gone() {
        let bindings = Bindings { short: Some(A), double: Some(B), long: Some(C), hold: None };
        for edges in [&[(true, 0)][..], &[(true, 0), (false, 100)], &[(true, 0), (false, 100), (true, 200)]] {
            let mut button = Button::new(bindings, bindings);
            for (pressed, at) in edges {
                button.edge(*pressed, ms(*at), false);
            }
            button.forget();
            assert_eq!((button.timer(ms(3000)), button.deadline()), (None, None));
            assert_eq!(button.edge(false, ms(3000), false), None);
        }
    }

    #[test]
    fn what_was_begun_in_a_menu_is_ended_as_there() {
        let home = Bindings { short: Some(A), ..Bindings::default() };
        let mut button = Button::new(home, Bindings { short: Some(B), hold: Some(C), ..Bindings::default() });
        assert_eq!(button.edge(true, ms(0), true), None);
        assert_eq!(button.timer(ms(500)), Some((C, Press::Held)));
        assert_eq!(button.timer(ms(700)), Some((C, Press::Repeated)));
        assert_eq!(button.edge(false, ms(800), false), None);
        assert_eq!(button.edge(true, ms(900), false), Some(A));
    }

    #[test]
    fn a_held_button_repeats() {
        let bindings = Bindings { short: Some(A), hold: Some(B), ..Bindings::default() };
        assert_eq!(play(bindings, &[0, 1000, 2000, 2100]), [(500, B), (700, B), (900, B), (2100, A)]);
    }
}
