//! A circuit breaker for one remote host: after some failures in a row it lets nothing through for a while, then one
//! probe; the probe's outcome closes it or opens it for longer. It only delays: whoever is told to wait keeps his item.

use std::time::Duration;

/// How a breaker behaves.
#[derive(Debug, Clone, Copy)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub threshold: u32,
    /// How long it stays open the first time; doubled after each failed probe.
    pub first_pause: Duration,
    /// The longest that it stays open between two probes.
    pub longest_pause: Duration,
    /// After this long without its outcome a probe counts as lost and another may go.
    pub probe_limit: Duration,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            threshold: 5,
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(60),
            probe_limit: Duration::from_secs(60),
        }
    }
}

/// Where a breaker stands, for metrics and views.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Everything passes.
    Closed,
    /// Nothing passes for now.
    Open,
    /// One probe is on its way.
    Probing,
}

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// It may, as the only one: its outcome decides.
    Probe,
    /// Not before this moment (on the clock that `now` came from).
    Wait(Duration),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Duration, pause: Duration },
    Probing { since: Duration, pause: Duration },
}

/// The state of one host. All moments are readings of one clock that never goes back.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(settings: BreakerSettings) -> Self {
        Self { settings, state: State::Closed { failures: 0 } }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing { .. } => BreakerState::Probing,
        }
    }

    /// Asks whether a request may go now. After [`Admission::Probe`] the caller reports the outcome, or calls
    /// [`Breaker::withdraw`] when he had nothing to send after all.
    pub fn admit(&mut self, now: Duration) -> Admission {
        match self.state {
            State::Closed { .. } => Admission::Go,
            State::Open { until, .. } if now < until => Admission::Wait(until),
            State::Probing { since, .. } if now < since + self.settings.probe_limit => {
                Admission::Wait(since + self.settings.probe_limit)
            }
            State::Open { pause, .. } | State::Probing { pause, .. } => {
                self.state = State::Probing { since: now, pause };
                Admission::Probe
            }
        }
    }

    /// Gives an unused probe back; the next caller gets it.
    pub fn withdraw(&mut self, now: Duration) {
        if let State::Probing { pause, .. } = self.state {
            self.state = State::Open { until: now, pause };
        }
    }

    /// The host answered sensibly.
    pub fn success(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// The host could not be reached, did not answer, or answered that it is in trouble.
    pub fn failure(&mut self, now: Duration) {
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < self.settings.threshold => {
                State::Closed { failures: failures + 1 }
            }
            State::Closed { .. } => {
                let pause = self.settings.first_pause;
                State::Open { until: now + pause, pause }
            }
            // What was in flight when it opened; it tells nothing new.
            open @ State::Open { .. } => open,
            State::Probing { pause, .. } => {
                let pause = (pause * 2).min(self.settings.longest_pause);
                State::Open { until: now + pause, pause }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..5 {
            assert_eq!(breaker.admit(seconds(0)), Admission::Go);
            breaker.failure(seconds(0));
        }
        breaker
    }

    #[test]
    fn opens_after_five_failures_in_a_row_and_not_before() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..4 {
            breaker.failure(seconds(0));
        }
        breaker.success();
        for _ in 0..4 {
            breaker.failure(seconds(0));
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.failure(seconds(0));
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.admit(seconds(1)), Admission::Wait(seconds(2)));
    }

    #[test]
    fn one_probe_goes_and_its_success_closes() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(seconds(2)), Admission::Probe);
        assert_eq!(breaker.admit(seconds(3)), Admission::Wait(seconds(62)), "the second has to wait for the probe");
        breaker.success();
        assert_eq!(breaker.admit(seconds(3)), Admission::Go);
    }

    #[test]
    fn failed_probes_double_the_pause_up_to_its_limit() {
        let mut breaker = opened();
        let (mut now, mut pauses) = (seconds(2), Vec::new());
        for _ in 0..7 {
            assert_eq!(breaker.admit(now), Admission::Probe);
            breaker.failure(now);
            let Admission::Wait(until) = breaker.admit(now) else { panic!("open after a failed probe") };
            pauses.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_withdrawn_or_lost_probe_blocks_nobody() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(seconds(2)), Admission::Probe);
        breaker.withdraw(seconds(2));
        assert_eq!(breaker.admit(seconds(2)), Admission::Probe);
        assert_eq!(breaker.admit(seconds(62)), Admission::Probe, "the first probe never reported");
    }
}
