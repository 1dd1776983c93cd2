//! What the people of the network buy, when they have time, and what they pay each other.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::words::line;

/// How many of the people have orders, calendars and accounts.
const CUSTOMERS: usize = 40;
const CARRIERS: [&str; 4] = ["DHL", "UPS", "Hermes", "Post"];
const TITLES: [&str; 8] =
    ["Dentist", "Stand-up", "Lunch with the team", "Interview", "Yoga", "Review", "Call the bank", "Piano"];
const REASONS: [&str; 3] = ["ordered twice", "too late", "found it cheaper"];
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// 1970-01-05, a Monday.
const FIRST_MONDAY: i64 = 4 * DAY;

struct Generator<'a> {
    random: StdRng,
    domain: &'a str,
    lines: Vec<String>,
}

/// Commands of these people for one domain, one line each, as `millrace load` reads them. The same seed gives
/// the same ones in the same week; `now` is in microseconds since the epoch.
pub fn lines(domain: &str, seed: u64, people: &[String], now: i64) -> Vec<String> {
    let people = &people[..people.len().min(CUSTOMERS)];
    // other numbers than the network is made of
    let mut generator = Generator { random: StdRng::seed_from_u64(!seed), domain, lines: Vec::new() };
    let monday = (now - FIRST_MONDAY).div_euclid(WEEK) * WEEK + FIRST_MONDAY;
    generator.begin(people);
    // what follows needs accounts and calendars: a barrier
    generator.lines.push(String::new());
    for person in people {
        generator.buy(person);
        generator.plan(person, monday);
    }
    generator.pay(people);
    generator.lines
}

impl Generator<'_> {
    fn begin(&mut self, people: &[String]) {
        for person in people {
            self.say("calendar.CreateCalendar", person, &json!({"calendar_id": person}));
            let account = json!({"account_id": person, "owner_id": person, "currency": "EUR"});
            self.say("accounting.OpenAccount", person, &account);
        }
    }

    /// A few orders, most of them on their way, and now and then somebody who changes their mind too late.
    fn buy(&mut self, person: &str) {
        for number in 1..=self.random.random_range(1..=6) {
            let order = format!("{person}-{number}");
            let total = self.random.random_range(5..400) * 100 - 1;
            let data = json!({"order_id": order, "user_id": person, "total": total});
            self.say("orders.CreateOrder", person, &data);
            let what = self.random.random_range(0..10);
            if what < 6 {
                let carrier = self.pick(&CARRIERS);
                let tracking_number = format!("T{:08}", self.random.random_range(0..100_000_000));
                let data = json!({"order_id": order, "carrier": carrier, "tracking_number": tracking_number});
                self.say("orders.ShipOrder", "shop", &data);
            }
            if matches!(what, 5 | 6) {
                let data = json!({"order_id": order, "reason": self.pick(&REASONS)});
                self.say("orders.CancelOrder", person, &data);
            }
        }
    }

    /// Two weeks of working days, in which somebody sometimes wants the same hour twice.
    fn plan(&mut self, person: &str, monday: i64) {
        let mut number = 0;
        for day in [0, 1, 2, 3, 4, 7, 8, 9, 10, 11] {
            for _ in 0..self.random.random_range(1..=3) {
                number += 1;
                let start = monday + day * DAY + self.random.random_range(14..36) * HOUR / 2;
                let end = start + self.random.random_range(1..=4) * HOUR / 2;
                let (slot, title) = (format!("slot-{number}"), self.pick(&TITLES));
                let data = json!({
                    "calendar_id": person, "timeslot_id": slot, "title": title, "start": start, "end": end,
                });
                self.say("calendar.ScheduleTimeslot", person, &data);
            }
        }
        let data = json!({"calendar_id": person, "timeslot_id": "slot-1"});
        self.say("calendar.RemoveScheduledTimeslot", person, &data);
    }

    fn pay(&mut self, people: &[String]) {
        for person in people {
            let amount = self.random.random_range(1_000..4_000) * 100;
            let salary =
                json!({"account_id": person, "amount": amount, "currency": "EUR", "reference": "salary"});
            self.say("accounting.Deposit", person, &salary);
        }
        // who sends what has not come yet is refused
        self.lines.push(String::new());
        for number in 0..people.len() * 2 {
            let (Some(from), Some(to)) = (people.choose(&mut self.random), people.choose(&mut self.random))
            else {
                return;
            };
            let amount = self.random.random_range(1..2_000) * 100;
            let (from, to) = (from.clone(), to.clone());
            let data = json!({
                "transfer_id": format!("demo-{number}"), "from": from, "to": to, "amount": amount, "currency": "EUR",
            });
            self.say("accounting.Transfer", &from, &data);
        }
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words.choose(&mut self.random).copied().unwrap_or_default()
    }

    /// Adds a command, if it is one of the domain's.
    fn say(&mut self, kind: &str, actor: &str, data: &Value) {
        let line = line(&mut self.random, kind, Some(actor), data);
        if kind.split_once('.').is_some_and(|(domain, _)| domain == self.domain) {
            self.lines.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(domain: &str, seed: u64, now: i64) -> Vec<String> {
        let people: Vec<String> = (0..60).map(|n| format!("p{n}")).collect();
        lines(domain, seed, &people, now)
    }

    #[test]
    fn the_same_seed_makes_the_same_shop_all_week() {
        let sunday = 1_764_460_800_000_000; // 2025-11-30
        let week = made("calendar", 1, sunday + DAY);
        assert_ne!(made("calendar", 1, sunday), week);
        assert_eq!(week, made("calendar", 1, sunday + 8 * DAY - 1));
        assert_ne!(week, made("calendar", 2, sunday + DAY));
        for (domain, kinds) in [
            ("orders", ["CreateOrder", "ShipOrder", "CancelOrder"]),
            ("calendar", ["CreateCalendar", "ScheduleTimeslot", "RemoveScheduledTimeslot"]),
            ("accounting", ["OpenAccount", "Deposit", "Transfer"]),
        ] {
            let lines = made(domain, 1, sunday);
            let of = format!("\"type\":\"{domain}.");
            assert!(lines.iter().all(|line| line.is_empty() || line.contains(&of)));
            for kind in kinds {
                assert!(lines.iter().filter(|line| line.contains(kind)).count() > 10, "{kind}");
            }
        }
    }
}
