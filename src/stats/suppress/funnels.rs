//! Steps of a funnel.

use std::collections::BTreeSet;

use super::SmallGroups;

/// Which steps of a funnel to hide: of customers who come one step after the other, so that whoever reached a step
/// reached all before it.
///
/// `reached` has the people of each step, which never grow. `stopped(from, to)` is how many of those at a step did not
/// come to a later one (places from 0); what is shown of two steps tells their difference, so these are a group too.
/// Where each of them comes once, that is `reached[from] - reached[to]`.
///
/// 1. A funnel that few people entered is hidden as a whole.
/// 2. A step that few people reached is hidden. One that nobody reached names nobody.
/// 3. With `groups.complementary`, of two steps that are both shown none or enough people stopped in between. The
///    first step stays, then the last, then the others in their order, each unless it stands too close to one that
///    stays.
/// 4. A hidden step lies between the shown ones around it and equals neither, or it would be shown. Where this leaves
///    one number for it, the later of those goes too, or the earlier if nobody reached the later one.
///
/// Without `groups.complementary` steps are hidden by the first two rules alone.
pub fn suppressed_steps(
    reached: &[u64],
    stopped: &dyn Fn(usize, usize) -> u64,
    groups: SmallGroups,
) -> Vec<bool> {
    let few = |people: u64| (1..groups.least).contains(&people);
    if reached.first().is_some_and(|&entered| few(entered)) {
        return vec![true; reached.len()];
    }
    if !groups.complementary {
        return reached.iter().map(|&people| few(people)).collect();
    }
    let steps = 0..reached.len();
    let mut shown: BTreeSet<usize> = BTreeSet::new();
    let order = steps.clone().take(1).chain(steps.clone().rev().take(1)).chain(steps.clone());
    for step in order {
        let before = shown.range(..step).next_back().map(|&before| stopped(before, step));
        let after = shown.range(step + 1..).next().map(|&after| stopped(step, after));
        if !few(reached[step]) && ![before, after].into_iter().flatten().any(few) {
            shown.insert(step);
        }
    }
    while let Some(step) = giving_away(reached, stopped, &shown) {
        shown.remove(&step);
    }
    // Shares of the first step are told of every other.
    steps.map(|step| !shown.contains(&0) || !shown.contains(&step)).collect()
}

/// A shown step that leaves one number only for those hidden behind or before it.
fn giving_away(
    reached: &[u64],
    stopped: &dyn Fn(usize, usize) -> u64,
    shown: &BTreeSet<usize>,
) -> Option<usize> {
    shown.iter().find_map(|&step| {
        let next = shown.range(step + 1..).next().copied();
        let hidden = next.unwrap_or(reached.len()) > step + 1;
        // Behind the last step comes nobody.
        let later = next.filter(|&next| reached[next] > 0);
        let between = later.map_or(reached[step], |later| stopped(step, later));
        (hidden && between < 3).then_some(later.unwrap_or(step))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: SmallGroups = SmallGroups { least: 5, complementary: true };

    fn places(reached: &[u64], groups: SmallGroups) -> Vec<usize> {
        let hidden = suppressed_steps(reached, &|from, to| reached[from] - reached[to], groups);
        (0..reached.len()).filter(|&step| hidden[step]).collect()
    }

    #[test]
    fn few_who_came_and_few_who_stopped() {
        let check = |reached: &[u64], expected: &[usize]| {
            assert_eq!(places(reached, ALL), expected, "{reached:?}");
        };
        check(&[100, 60, 20], &[]);
        check(&[100, 60, 0, 0], &[]);
        check(&[100, 100, 95, 95], &[]);
        check(&[4, 0, 0], &[0, 1, 2]);
        check(&[0, 0], &[]);
        check(&[100, 50, 3, 0], &[2]);
        // The end stays rather than what is close to it, and the beginning rather than the end.
        check(&[100, 60, 58], &[1]);
        check(&[100, 98, 97], &[1, 2]);
        check(&[100, 98, 95], &[1]);
        check(&[100, 98, 96, 60, 57, 30], &[1, 2, 4]);
        let primary = SmallGroups { complementary: false, ..ALL };
        assert_eq!(places(&[100, 98, 3, 1], primary), [2, 3]);
        assert_eq!(places(&[3, 0], primary), [0, 1]);
    }

    #[test]
    fn one_number_is_no_cover() {
        let two = SmallGroups { least: 2, complementary: true };
        // Between 10 and 8 there is 9 only, between 2 and nobody 1 only.
        assert_eq!(places(&[10, 9, 8], two), [1, 2]);
        assert_eq!(places(&[10, 9, 7], two), [1]);
        assert_eq!(places(&[2, 1], two), [0, 1]);
        assert_eq!(places(&[9, 2, 1, 0], two), [1, 2]);
    }

    #[test]
    fn those_who_enter_often_are_counted_once() {
        // Ten customers, of whom two stopped after the first step ten times each.
        let stopped = |from: usize, to: usize| [[0, 2, 10], [0, 0, 9], [0; 3]][from][to];
        assert_eq!(suppressed_steps(&[10, 10, 6], &stopped, ALL), [false, true, false]);
    }

    /// Every funnel that fits what is shown: the numbers of steps never grow, and a hidden one has people and is
    /// not what a shown one beside it is. For each step its least and its greatest number.
    fn possible(reached: &[u64], hidden: &[bool]) -> Vec<(u64, u64)> {
        let mut ways: Vec<Vec<u64>> = vec![Vec::new()];
        let mut found = vec![(u64::MAX, 0); reached.len()];
        for step in 0..reached.len() {
            let mut longer: BTreeSet<Vec<u64>> = BTreeSet::new();
            let next = (step..reached.len()).find(|&step| !hidden[step]);
            let floor = next.map_or(0, |next| reached[next]);
            for way in &ways {
                // Nobody knows how many entered where that is hidden: a few more than there are will do.
                let ceiling = way.last().copied().unwrap_or(reached[0] + 2);
                let last_shown = (0..step).rev().find(|&step| !hidden[step]);
                for people in floor..=ceiling {
                    let fits = match hidden[step] {
                        false => people == reached[step],
                        true => last_shown.is_none_or(|at| floor < people && people < reached[at]),
                    };
                    if fits {
                        longer.insert([way.as_slice(), &[people]].concat());
                    }
                }
            }
            ways = longer.into_iter().collect();
        }
        for way in &ways {
            for (found, &people) in found.iter_mut().zip(way) {
                *found = (found.0.min(people), found.1.max(people));
            }
        }
        found
    }

    fn funnels() -> impl Strategy<Value = (Vec<u64>, u64)> {
        let steps = prop::collection::vec(prop_oneof![Just(0_u64), 0..4_u64, 0..9_u64], 1..5);
        (0..20_u64, steps, 2..8_u64).prop_map(|(entered, lost, least)| {
            let rest = lost.iter().scan(entered, |people, lost| {
                *people = people.saturating_sub(*lost);
                Some(*people)
            });
            ([entered].into_iter().chain(rest).collect(), least)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

        #[test]
        fn no_hidden_step_can_be_solved((reached, least) in funnels()) {
            let groups = SmallGroups { least, complementary: true };
            let hidden = suppressed_steps(&reached, &|from, to| reached[from] - reached[to], groups);
            let few = |people: u64| (1..least).contains(&people);
            let shown: Vec<u64> =
                reached.iter().zip(&hidden).filter(|(_, hidden)| !**hidden).map(|(n, _)| *n).collect();
            for (at, people) in shown.iter().enumerate() {
                prop_assert!(!few(*people), "{people} of {reached:?} are shown");
                for later in &shown[at + 1..] {
                    prop_assert!(!few(people - later), "{people} and {later} of {reached:?} are shown");
                }
            }
            for (step, (least, most)) in possible(&reached, &hidden).into_iter().enumerate() {
                prop_assert!(least <= reached[step] && reached[step] <= most);
                prop_assert!(!hidden[step] || least < most, "{step} of {reached:?} is {most}");
            }
        }

        /// What is far from the minimum, as are all of its neighbours, stays.
        #[test]
        fn what_many_reached_and_many_left_is_shown((reached, least) in funnels()) {
            let groups = SmallGroups { least, complementary: true };
            let stretched: Vec<u64> = reached.iter().map(|people| people * least.max(3)).collect();
            prop_assert_eq!(places(&stretched, groups), Vec::<usize>::new());
            // One that stands too close to another takes no more along than one of them, wherever it is.
            let far: Vec<u64> = (0..=reached.len() as u64).rev().map(|n| n * 100).collect();
            for place in 1..far.len() {
                let close = [&far[..place], &[far[place] + least - 1], &far[place..]].concat();
                prop_assert_eq!(places(&close, groups).len(), 1, "{:?}", close);
            }
        }
    }
}
