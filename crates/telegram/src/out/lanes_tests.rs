use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const START: Timestamp = Timestamp::from_micros(1_000_000_000);

fn item(position: i64, to: &str, class: DeliveryClass) -> Item {
    let id = DeliveryId::from_uuid(Uuid::from_u128(position.unsigned_abs().into()));
    Item {
        id,
        position,
        class,
        to: to.into(),
        not_before: Timestamp::default(),
        expires_at: None,
        tries: 0,
        refusals: 0,
    }
}

fn reply(position: i64, to: &str) -> Item {
    item(position, to, DeliveryClass::Reply)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn take(lanes: &mut Lanes, now: Timestamp) -> Item {
    match lanes.next(now) {
        Next::Ready(item) => item,
        other => panic!("something should be ready: {other:?}"),
    }
}

/// Takes, settles and advances until nothing is left; returns what left and when.
fn drain(lanes: &mut Lanes, mut now: Timestamp) -> Vec<(Item, Timestamp)> {
    let mut sent = Vec::new();
    while lanes.waiting() > 0 {
        match lanes.next(now) {
            Next::Ready(item) => {
                sent.push((item.clone(), now));
                lanes.settle(item, Settled::Done, now);
            }
            Next::Wait(at) => {
                assert!(at > now, "a wait into the past would spin");
                now = at;
            }
            Next::Idle => panic!("idle with {} waiting", lanes.waiting()),
        }
    }
    sent
}

#[test]
fn an_urgent_item_overtakes_and_the_order_within_a_class_holds() {
    let mut lanes = Lanes::new(Budgets::default());
    lanes.push(item(1, "7", DeliveryClass::Bulk), START);
    lanes.push(reply(2, "7"), START);
    lanes.push(reply(3, "7"), START);
    lanes.push(item(4, "7", DeliveryClass::Critical), START);
    let order: Vec<_> = drain(&mut lanes, START).iter().map(|(item, _)| item.position).collect();
    assert_eq!(order, [4, 2, 3, 1]);
}

#[test]
fn one_item_of_a_lane_is_in_flight_at_a_time() {
    let mut lanes = Lanes::new(Budgets::default());
    lanes.push(reply(1, "7"), START);
    lanes.push(reply(2, "7"), START);
    lanes.push(reply(3, "8"), START);
    let first = take(&mut lanes, START);
    assert_eq!(take(&mut lanes, START).position, 3, "the other chat does not wait");
    assert!(!matches!(lanes.next(START), Next::Ready(_)));
    lanes.settle(first, Settled::Done, START);
    assert_eq!(take(&mut lanes, START).position, 2);
}

#[test]
fn a_refused_item_blocks_its_class_in_its_chat_only() {
    let mut lanes = Lanes::new(Budgets::default());
    for (position, to) in [(1, "7"), (2, "7"), (3, "8")] {
        lanes.push(reply(position, to), START);
    }
    lanes.push(item(4, "7", DeliveryClass::Alert), START);
    let first = take(&mut lanes, START);
    lanes.settle(first, Settled::Again(START + seconds(60)), START);
    assert_eq!(take(&mut lanes, START).position, 3);
    assert_eq!(take(&mut lanes, START).position, 4);
    assert_eq!(lanes.next(START), Next::Wait(START + seconds(60)));
    assert_eq!(take(&mut lanes, START + seconds(60)).position, 1, "the refused one goes before its successor");
}

#[test]
fn a_429_holds_its_chat_and_a_second_chat_soon_after_holds_the_bot() {
    let mut lanes = Lanes::new(Budgets::default());
    for (position, to) in [(1, "7"), (2, "8"), (3, "9")] {
        lanes.push(reply(position, to), START);
    }
    let first = take(&mut lanes, START);
    let hold = lanes.hit(&first.to, seconds(10), START);
    assert_eq!(hold, Hold { chat: Some("7".into()), lasts: seconds(10) });
    lanes.settle(first, Settled::Again(START), START);
    let second = take(&mut lanes, START);
    assert_eq!(second.position, 2, "other chats go on");
    let hold = lanes.hit(&second.to, seconds(3), START + seconds(5));
    assert_eq!(hold, Hold { chat: None, lasts: seconds(3) });
    lanes.settle(second, Settled::Again(START), START + seconds(5));
    assert_eq!(lanes.next(START + seconds(6)), Next::Wait(START + seconds(8)));
    assert_eq!(take(&mut lanes, START + seconds(8)).position, 2);
    assert_eq!(lanes.next(START + seconds(8)), Next::Idle, "one alone after a hold of the bot");
}

#[test]
fn a_long_retry_after_holds_the_bot_at_once_and_the_same_chat_twice_does_not() {
    let mut lanes = Lanes::new(Budgets::default());
    let chat: Arc<str> = "7".into();
    assert!(lanes.hit(&chat, seconds(2), START).chat.is_some());
    assert!(lanes.hit(&chat, seconds(2), START + seconds(2)).chat.is_some());
    assert!(lanes.hit(&chat, seconds(31), START + seconds(60)).chat.is_none());
}

#[test]
fn a_chat_gets_three_at_once_and_lower_classes_leave_one_of_them() {
    let mut lanes = Lanes::new(Budgets::default());
    for position in 1..=4 {
        lanes.push(item(position, "7", DeliveryClass::Bulk), START);
        lanes.push(reply(10 + position, "8"), START);
    }
    let mut at_once = HashMap::new();
    while let Next::Ready(item) = lanes.next(START) {
        *at_once.entry(item.to.to_string()).or_insert(0) += 1;
        lanes.settle(item, Settled::Done, START);
    }
    assert_eq!(at_once, HashMap::from([("7".to_owned(), 2), ("8".to_owned(), 3)]));
    lanes.push(item(99, "7", DeliveryClass::Critical), START);
    assert_eq!(take(&mut lanes, START).position, 99, "room was left for it");
}

#[test]
fn a_group_gets_twenty_in_a_minute_of_which_fifteen_for_the_lower_classes() {
    let mut lanes = Lanes::new(Budgets::default());
    for position in 0..40 {
        lanes.push(item(position, "-100", DeliveryClass::Bulk), START);
        lanes.push(reply(100 + position, "-200"), START);
    }
    let sent = drain(&mut lanes, START);
    for (group, most) in [("-100", 15), ("-200", 20)] {
        let times: Vec<_> = sent.iter().filter(|(item, _)| &*item.to == group).map(|(_, at)| *at).collect();
        assert_eq!(times.len(), 40);
        assert!(most_within(&times, seconds(60)) <= most, "{group}");
        assert!(times[39].since(START) < seconds(3 * 61), "and not much slower than allowed");
    }
}

#[test]
fn a_broadcast_leaves_room_for_replies_at_any_moment() {
    let mut lanes = Lanes::new(Budgets::default());
    for position in 0..200 {
        lanes.push(item(position, &position.to_string(), DeliveryClass::Bulk), START);
    }
    let mut now = START;
    for round in 0..50 {
        while let Next::Ready(item) = lanes.next(now) {
            lanes.settle(item, Settled::Done, now);
        }
        lanes.push(reply(1000 + round, &format!("r{round}")), now);
        assert_eq!(take(&mut lanes, now).position, 1000 + round, "at {now}");
        now = now + Duration::from_millis(300);
    }
}

#[test]
fn an_idle_chat_is_forgotten() {
    let mut lanes = Lanes::new(Budgets::default());
    for n in 0..100 {
        lanes.push(reply(n, &format!("-{n}")), START);
    }
    let sent = drain(&mut lanes, START);
    let mut now = sent.last().expect("sent").1;
    while let Next::Wait(at) = lanes.next(now) {
        now = at;
    }
    assert_eq!((lanes.chats.len(), lanes.timers.len()), (0, 0));
    assert!(now.since(START) < seconds(200));
}

fn most_within(times: &[Timestamp], span: Duration) -> usize {
    let within = |(i, start): (usize, &Timestamp)| times[i..].iter().take_while(|at| at.since(*start) < span).count();
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

/// What a test run does next.
#[derive(Debug, Clone)]
enum Step {
    Push { to: usize, class: usize },
    Next,
    Settle { which: usize, again_after: Option<u64> },
    Hit { to: usize, retry_after: u64 },
    Advance { millis: u64 },
}

const CHATS: [&str; 5] = ["1", "2", "3", "-4", "-5"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..CHATS.len(), 0..CLASSES).prop_map(|(to, class)| Step::Push { to, class }),
        6 => Just(Step::Next),
        4 => (any::<usize>(), prop::option::weighted(0.2, 0u64..90_000))
            .prop_map(|(which, again_after)| Step::Settle { which, again_after }),
        1 => (0..CHATS.len(), 1u64..40).prop_map(|(to, retry_after)| Step::Hit { to, retry_after }),
        3 => (0u64..3_000).prop_map(|millis| Step::Advance { millis }),
    ];
    prop::collection::vec(step, 1..300)
}

/// The rules said plainly: looks at every waiting item on every question.
#[derive(Default)]
struct Plain {
    waiting: Vec<Item>,
    busy: Vec<(Arc<str>, DeliveryClass)>,
    bot: BotPace,
    chats: HashMap<Arc<str>, ChatPace>,
    chat_holds: HashMap<Arc<str>, Timestamp>,
    bot_hold: Timestamp,
    cautious: bool,
}

impl Plain {
    fn next(&mut self, budgets: &Budgets, now: Timestamp) -> Option<Item> {
        if (self.cautious && !self.busy.is_empty()) || self.bot_hold > now {
            return None;
        }
        let may = |(index, it): &(usize, &Item)| {
            let first = self.waiting[..*index].iter().all(|other| (&other.to, other.class) != (&it.to, it.class));
            let low = is_low(it.class);
            let chat = self.chats.get(&it.to).map_or(now, |chat| chat.ready_at(budgets, is_group(&it.to), low, now));
            first
                && !self.busy.contains(&(Arc::clone(&it.to), it.class))
                && it.not_before <= now
                && self.chat_holds.get(&it.to).is_none_or(|until| *until <= now)
                && chat <= now
                && self.bot.ready_at(budgets, low, now) <= now
        };
        let found = self.waiting.iter().enumerate().filter(may).min_by_key(|(_, it)| (it.class, it.position));
        let item = self.waiting.remove(found?.0);
        self.busy.push((Arc::clone(&item.to), item.class));
        let (low, group) = (is_low(item.class), is_group(&item.to));
        self.bot.take(budgets, low, now);
        self.chats.entry(Arc::clone(&item.to)).or_default().take(budgets, group, low, now);
        Some(item)
    }

    fn settle(&mut self, mut item: Item, how: Settled) {
        self.busy.retain(|busy| *busy != (Arc::clone(&item.to), item.class));
        match how {
            Settled::Done => self.cautious = false,
            Settled::Again(at) => {
                item.not_before = at;
                self.waiting.insert(0, item);
            }
        }
    }

    fn hold(&mut self, hold: &Hold, now: Timestamp) {
        let until = now + hold.lasts;
        match &hold.chat {
            Some(chat) => {
                let held = self.chat_holds.entry(Arc::clone(chat)).or_default();
                *held = until.max(*held);
            }
            None => {
                self.bot_hold = self.bot_hold.max(until);
                self.cautious = true;
            }
        }
    }
}

fn check_budgets(sent: &[(Item, Timestamp)]) -> Result<(), TestCaseError> {
    let of = |keep: &dyn Fn(&Item) -> bool| -> Vec<Timestamp> {
        sent.iter().filter(|(item, _)| keep(item)).map(|(_, at)| *at).collect()
    };
    let low = |item: &Item| item.class >= DeliveryClass::Alert;
    // A burst, and what drips in afterwards.
    prop_assert!(most_within(&of(&|_| true), seconds(10)) <= 30 + 10 * 30);
    prop_assert!(most_within(&of(&|_| true), Duration::from_millis(1)) <= 30);
    prop_assert!(most_within(&of(&low), Duration::from_millis(1)) <= 25);
    for to in CHATS {
        prop_assert!(most_within(&of(&|item| &*item.to == to), Duration::from_millis(999)) <= 3);
        prop_assert!(most_within(&of(&|item| &*item.to == to), seconds(60)) <= 3 + 60);
        prop_assert!(most_within(&of(&|item| &*item.to == to && low(item)), Duration::from_millis(999)) <= 2);
        if is_group(to) {
            prop_assert!(most_within(&of(&|item| &*item.to == to), seconds(60)) <= 20);
            prop_assert!(most_within(&of(&|item| &*item.to == to && low(item)), seconds(60)) <= 15);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_lanes_do_what_the_plain_rules_say_within_budget_in_order_and_to_the_end(steps in steps()) {
        let budgets = Budgets::default();
        let (mut lanes, mut plain, mut now) = (Lanes::new(budgets), Plain::default(), START);
        let (mut flying, mut sent, mut position) = (Vec::<Item>::new(), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Push { to, class } => {
                    position += 1;
                    let item = item(position, CHATS[to], DeliveryClass::ALL[class]);
                    plain.waiting.push(item.clone());
                    lanes.push(item, now);
                }
                Step::Next => {
                    let expected = plain.next(&budgets, now);
                    let got = lanes.next(now);
                    match expected {
                        Some(item) => {
                            prop_assert_eq!(&got, &Next::Ready(item.clone()));
                            sent.push((item.clone(), now));
                            flying.push(item);
                        }
                        None => match got {
                            Next::Ready(item) => prop_assert!(false, "too early: {item:?}"),
                            Next::Wait(at) => prop_assert!(at > now),
                            Next::Idle => {}
                        },
                    }
                }
                Step::Settle { which, again_after } => {
                    if !flying.is_empty() {
                        let item = flying.swap_remove(which % flying.len());
                        let how = again_after.map_or(Settled::Done, |ms| Settled::Again(now + Duration::from_millis(ms)));
                        lanes.settle(item.clone(), how, now);
                        plain.settle(item, how);
                    }
                }
                Step::Hit { to, retry_after } => {
                    let hold = lanes.hit(&CHATS[to].into(), seconds(retry_after), now);
                    plain.hold(&hold, now);
                }
                Step::Advance { millis } => now = now + Duration::from_millis(millis),
            }
        }
        for item in flying.drain(..) {
            lanes.settle(item, Settled::Done, now);
        }
        // Whatever happened before, everything leaves in the end: nobody starves.
        let rest = drain(&mut lanes, now);
        prop_assert_eq!(lanes.waiting(), 0);
        sent.extend(rest);
        check_budgets(&sent)?;
    }

    #[test]
    fn within_a_lane_items_leave_in_the_order_they_came(
        pushes in prop::collection::vec((0..CHATS.len(), 0..CLASSES), 1..120),
    ) {
        let mut lanes = Lanes::new(Budgets::default());
        for (position, (to, class)) in (1i64..).zip(pushes) {
            lanes.push(item(position, CHATS[to], DeliveryClass::ALL[class]), START);
        }
        let sent = drain(&mut lanes, START);
        let mut last: HashMap<(Arc<str>, DeliveryClass), i64> = HashMap::new();
        for (item, _) in sent {
            let before = last.insert((Arc::clone(&item.to), item.class), item.position);
            prop_assert!(before.is_none_or(|before| before < item.position));
        }
    }
}
