//! The recent events of a room: a run without gaps that ends at the newest known one, bounded by number and weight.

use std::{collections::VecDeque, sync::Arc};

use model::{Event, Seq};

use super::frame::Frame;

/// Events that a ring holds at most, and their weight in bytes.
const MOST: usize = 4096;
const HEAVIEST: usize = 8 << 20;
/// Frames of one batch.
const BATCH: usize = 128;

#[derive(Default)]
pub(super) struct Ring {
    frames: VecDeque<Arc<Frame>>,
    weight: usize,
    /// Filling up to here was tried and there was no room for all of it.
    refused: Seq,
}

impl Ring {
    /// Adds the newest event. One that is here already is left out; after a gap the ring starts anew.
    pub(super) fn push(&mut self, event: &Arc<Event>) {
        match self.last() {
            Some(last) if event.seq <= last => return,
            Some(last) if event.seq > last + 1 => self.clear(),
            _ => {}
        }
        // Bodies that were blanked in the log must not live on here.
        if event.kind.ends_with(".erased") {
            self.clear();
        }
        let frame = Arc::new(Frame::new(event.clone()));
        self.weight += frame.weight();
        self.frames.push_back(frame);
        while self.frames.len() > MOST || (self.weight > HEAVIEST && self.frames.len() > 1) {
            let oldest = self.frames.pop_front().expect("there is one");
            self.weight -= oldest.weight();
        }
    }

    fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn first(&self) -> Option<Seq> {
        self.frames.front().map(|frame| frame.seq())
    }

    fn last(&self) -> Option<Seq> {
        self.frames.back().map(|frame| frame.seq())
    }

    /// Whether it is worth trying to fill the ring back to `position`.
    pub(super) fn may_grow_to(&self, position: Seq) -> bool {
        position >= self.refused && self.frames.len() < MOST / 2 && self.weight < HEAVIEST / 2
    }

    /// Puts the events after `position`, in order, in front: as many of the newest as fit without a gap.
    pub(super) fn prepend(&mut self, older: Vec<Arc<Frame>>, position: Seq) {
        for frame in older.into_iter().rev() {
            match self.first() {
                // The hook was faster.
                Some(first) if frame.seq() >= first => continue,
                Some(first) if frame.seq() + 1 < first => break,
                _ => {}
            }
            if self.frames.len() == MOST || self.weight + frame.weight() > HEAVIEST {
                break;
            }
            self.weight += frame.weight();
            self.frames.push_front(frame);
        }
        if self.first().is_none_or(|first| first > position + 1) {
            self.refused = position + 1;
        }
    }

    /// The next frames after `position`, if they are here.
    pub(super) fn after(&self, position: Seq) -> Option<Vec<Arc<Frame>>> {
        let skip = position + 1 - self.first()?;
        let skip = usize::try_from(skip).ok().filter(|skip| *skip < self.frames.len())?;
        Some(self.frames.range(skip..).take(BATCH).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use model::{ActorRef, Audience, SYSTEM_WORKSPACE, Timestamp};
    use serde_json::value::RawValue;

    use super::*;

    fn event(seq: Seq, kind: &'static str, size: usize) -> Arc<Event> {
        let body = RawValue::from_string(format!("\"{}\"", "x".repeat(size))).expect("JSON");
        Arc::new(Event {
            workspace: SYSTEM_WORKSPACE,
            seq,
            at: Timestamp::default(),
            kind: kind.into(),
            version: 1,
            actor: ActorRef::SYSTEM,
            audience: Audience::Everyone,
            chat: None,
            entity: None,
            body: Some(body),
        })
    }

    fn ring(seqs: impl IntoIterator<Item = Seq>) -> Ring {
        let mut ring = Ring::default();
        seqs.into_iter().for_each(|seq| ring.push(&event(seq, "it.happened", 10)));
        ring
    }

    fn frames(seqs: impl IntoIterator<Item = Seq>, size: usize) -> Vec<Arc<Frame>> {
        seqs.into_iter().map(|seq| Arc::new(Frame::new(event(seq, "it.happened", size)))).collect()
    }

    fn span(ring: &Ring) -> Option<(Seq, Seq)> {
        assert!(ring.frames.iter().zip(ring.frames.iter().skip(1)).all(|(a, b)| a.seq() + 1 == b.seq()), "no gaps");
        assert_eq!(ring.weight, ring.frames.iter().map(|frame| frame.weight()).sum::<usize>());
        ring.first().zip(ring.last())
    }

    #[test]
    fn repeats_are_left_out_and_a_gap_starts_anew() {
        assert_eq!(span(&ring([1, 2, 2, 1, 3])), Some((1, 3)));
        assert_eq!(span(&ring([1, 2, 5, 6])), Some((5, 6)));
        let ring = ring([5, 6, 7]);
        assert_eq!(ring.after(4).map(|it| it.len()), Some(3));
        assert_eq!(ring.after(6).map(|it| it.len()), Some(1));
        assert!(ring.after(3).is_none() && ring.after(7).is_none() && ring.after(99).is_none());
    }

    #[test]
    fn it_is_bounded_by_number_and_by_weight() {
        assert_eq!(span(&ring(1..=5_000)), Some((5_000 - 4_095, 5_000)));
        let mut heavy = Ring::default();
        (1..=100).for_each(|seq| heavy.push(&event(seq, "it.happened", 200_000)));
        assert!(heavy.weight <= HEAVIEST && span(&heavy).is_some_and(|(first, last)| first > 80 && last == 100));
        heavy.push(&event(101, "it.happened", HEAVIEST));
        assert_eq!(span(&heavy), Some((101, 101)), "one event is kept whatever its weight");
    }

    #[test]
    fn it_is_filled_backwards_as_far_as_there_is_room() {
        let mut partly = ring([10, 11]);
        partly.prepend(frames(5..=10, 10), 4);
        assert_eq!(span(&partly), Some((5, 11)));
        let mut apart = ring([10, 11]);
        apart.prepend(frames(5..=8, 10), 4);
        assert_eq!(span(&apart), Some((10, 11)));
        assert!(!apart.may_grow_to(4) && apart.may_grow_to(5));
        let mut heavy = ring([101]);
        heavy.prepend(frames(1..=100, 200_000), 0);
        assert!(span(&heavy).is_some_and(|(first, last)| first > 80 && last == 101));
        assert!(!heavy.may_grow_to(0));
        let mut empty = Ring::default();
        empty.prepend(frames(3..=4, 10), 2);
        assert_eq!(span(&empty), Some((3, 4)));
    }

    #[test]
    fn an_erasure_forgets_what_was_before_it() {
        let mut ring = ring([1, 2]);
        ring.push(&event(3, "contact.erased", 10));
        assert_eq!(span(&ring), Some((3, 3)));
    }
}
