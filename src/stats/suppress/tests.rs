use proptest::prelude::*;

use super::*;

fn group(codes: &[i64], people: u64) -> Group {
    // Negative is the total.
    Group { codes: codes.iter().map(|&code| u32::try_from(code).ok()).collect(), people }
}

/// The codes and people of a table of two dimensions, with the totals of rows and columns and of all.
fn square(cells: &[&[u64]]) -> Vec<Group> {
    let mut groups = Vec::new();
    for (i, row) in (0..).zip(cells) {
        groups.extend((0..).zip(*row).map(|(j, &people)| group(&[i, j], people)));
        groups.push(group(&[i, -1], row.iter().sum()));
    }
    for j in 0..cells[0].len() {
        groups.push(group(&[-1, j as i64], cells.iter().map(|row| row[j]).sum()));
    }
    groups.push(group(&[-1, -1], cells.iter().copied().flatten().sum()));
    groups
}

fn hidden(groups: &[Group], min_group_size: u64) -> Vec<&[Option<u32>]> {
    let hidden = suppressed(groups, min_group_size);
    let rows = groups.iter().zip(hidden).filter(|(_, hidden)| *hidden);
    rows.map(|(group, _)| group.codes.as_slice()).collect()
}

#[test]
fn a_small_group_takes_the_next_one_along() {
    let mut groups =
        vec![group(&[0], 40), group(&[1], 3), group(&[2], 25), group(&[3], 0), group(&[4], 25)];
    // Without the total nothing but the group itself goes, and no empty group.
    assert_eq!(hidden(&groups, 10), [[Some(1)]]);
    groups.push(group(&[-1], 93));
    assert_eq!(hidden(&groups, 10), [[Some(1)], [Some(2)]]);
    assert!(hidden(&groups, 1).is_empty() && hidden(&groups, 0).is_empty());
}

#[test]
fn few_people_together_are_few() {
    // 3 and 4 could not be told apart, but that they are 7 could.
    let groups =
        [group(&[0], 3), group(&[1], 4), group(&[2], 50), group(&[3], 60), group(&[-1], 117)];
    assert_eq!(hidden(&groups, 10), [[Some(0)], [Some(1)], [Some(2)]]);
    // Twelve groups that are not empty, of twelve people: each has one. Only the total can go.
    let mut ones: Vec<Group> = (0..12).map(|code| group(&[code], 1)).collect();
    ones.push(group(&[-1], 12));
    assert_eq!(hidden(&ones, 10).len(), 13);
}

#[test]
fn two_in_each_line_are_not_enough() {
    // Two squares of small cells and a small cell between them. No row and no column has one alone, but the
    // one between is what the rows of the first square have more than its columns.
    let groups = square(&[&[5, 5, 90, 90], &[5, 5, 5, 90], &[90, 90, 5, 5], &[90, 90, 5, 5]]);
    let small = groups.iter().filter(|group| group.people == 5).count();
    assert!(hidden(&groups, 6).len() > small);
    check(&groups, 6);
}

#[test]
fn a_total_goes_where_its_parts_do_not_suffice() {
    // The only cell of its row goes for the sake of its column, and so the row's total must.
    let groups = square(&[&[12, 0, 0], &[3, 40, 40], &[50, 40, 40]]);
    let hidden = hidden(&groups, 10);
    assert_eq!(
        hidden.contains(&[Some(0), Some(0)].as_slice()),
        hidden.contains(&[Some(0), None].as_slice())
    );
    check(&groups, 10);
}

#[test]
fn two_margins_tell_their_common_total() {
    // No grand total is shown, but the second dimension adds up to it.
    let groups =
        [group(&[0, -1], 3), group(&[1, -1], 20), group(&[2, -1], 30), group(&[-1, 0], 53)];
    assert_eq!(hidden(&groups, 10), [[Some(0), None], [Some(1), None]]);
}

#[test]
fn what_one_population_hides_does_not_tell_of_another() {
    // Three buyers and a writer, nine of each, three buyers and nobody who wrote; then the totals. The first row goes
    // for its writer. That nobody of the third one wrote may be known, so it is no cover.
    let codes = [Some(0), Some(1), Some(2), None].map(|code| vec![code]);
    let (buyers, writers) = (vec![3, 9, 3, 15], vec![1, 9, 0, 10]);
    let hidden = suppressed_populations(&codes, &[buyers.clone(), writers.clone()], 2);
    assert_eq!(hidden, [true, true, false, false]);
    // The order of populations and rows does not matter.
    let turned = suppressed_populations(&codes, &[writers, buyers], 2);
    assert_eq!(turned, hidden);
}

#[test]
fn no_population_can_be_solved_for() {
    proptest!(|(cells in prop::collection::vec(prop::collection::vec((0_u64..6, 0_u64..6), 3), 3),
                least in 2_u64..5)| {
        let table = |of: fn(&(u64, u64)) -> u64| {
            let cells: Vec<Vec<u64>> = cells.iter().map(|row| row.iter().map(of).collect()).collect();
            square(&cells.iter().map(Vec::as_slice).collect::<Vec<_>>())
        };
        let tables = [table(|cell| cell.0), table(|cell| cell.1)];
        let codes: Vec<_> = tables[0].iter().map(|group| group.codes.clone()).collect();
        let populations = tables.each_ref().map(|t| t.iter().map(|g| g.people).collect::<Vec<_>>());
        let hidden = suppressed_populations(&codes, &populations, least);
        for groups in &tables {
            // Who knows that a group has nobody of a population sees that.
            let hides = |(group, &hidden): (&Group, &bool)| hidden && group.people > 0;
            let hidden: Vec<bool> = groups.iter().zip(&hidden).map(hides).collect();
            check_hidden(groups, &hidden, least);
        }
    });
}

/// A number of fractions with one denominator.
fn rank(mut rows: Vec<Vec<i128>>) -> usize {
    // Bareiss: all divisions are exact.
    let (mut rank, mut last) = (0, 1);
    let width = rows.first().map_or(0, Vec::len);
    for column in 0..width {
        let Some(pivot) = (rank..rows.len()).find(|&row| rows[row][column] != 0) else {
            continue;
        };
        rows.swap(rank, pivot);
        let pivot = rows[rank].clone();
        for row in &mut rows[rank + 1..] {
            let factor = row[column];
            for (cell, above) in row.iter_mut().zip(&pivot) {
                *cell = (*cell * pivot[column] - factor * above) / last;
            }
        }
        last = pivot[column];
        rank += 1;
    }
    rank
}

/// Fails if a hidden row follows from the visible ones: if it is a linear combination of them, all taken as
/// sums over the finest cells. Written from the meaning of the rows, without the sums of the code above.
#[track_caller]
fn check(groups: &[Group], min_group_size: u64) {
    check_hidden(groups, &suppressed(groups, min_group_size), min_group_size);
}

/// The same of rows that are hidden for whatever reason.
#[track_caller]
fn check_hidden(groups: &[Group], hidden: &[bool], min_group_size: u64) {
    let dimensions = groups[0].codes.len();
    let mut cells: Vec<Vec<u32>> = vec![vec![]];
    for dimension in 0..dimensions {
        let codes: BTreeSet<u32> =
            groups.iter().filter_map(|group| group.codes[dimension]).collect();
        cells = cells
            .iter()
            .flat_map(|cell| codes.iter().map(move |&code| [cell.as_slice(), &[code]].concat()))
            .collect();
    }
    let covers = |codes: &[Option<u32>], cell: &[u32]| {
        codes.iter().zip(cell).all(|(code, part)| code.is_none_or(|code| code == *part))
    };
    let row = |codes: &[Option<u32>]| -> Vec<i128> {
        cells.iter().map(|cell| i128::from(covers(codes, cell))).collect()
    };
    let mut visible: Vec<Vec<i128>> = Vec::new();
    // A row that is not there is one of nobody, if others of its dimensions are.
    let shown: BTreeMap<&[Option<u32>], bool> = groups
        .iter()
        .zip(hidden)
        .map(|(group, &hidden)| (group.codes.as_slice(), hidden))
        .collect();
    let levels: BTreeSet<Vec<bool>> =
        groups.iter().map(|group| group.codes.iter().map(Option::is_some).collect()).collect();
    for level in &levels {
        let all: BTreeSet<Vec<Option<u32>>> = cells
            .iter()
            .map(|cell| cell.iter().zip(level).map(|(&code, &kept)| kept.then_some(code)).collect())
            .collect();
        for codes in all {
            if !shown.get(codes.as_slice()).copied().unwrap_or(false) {
                visible.push(row(&codes));
            }
        }
    }
    let known = rank(visible.clone());
    for (group, &hidden) in groups.iter().zip(hidden) {
        assert!(hidden || !(1..min_group_size).contains(&group.people), "{group:?} is shown");
        if hidden {
            assert!(group.people > 0);
            let mut with = visible.clone();
            with.push(row(&group.codes));
            assert!(rank(with) > known, "{group:?} is solved in {groups:?}, {:?}", shown);
        }
    }
}

/// Tables of one to three dimensions, with the totals of some combinations.
fn tables() -> impl Strategy<Value = (Vec<Group>, u64)> {
    let size = prop_oneof![3 => Just(0_u64), 4 => 1..6_u64, 4 => 6..15_u64, 4 => 15..80_u64];
    let lengths = prop::collection::vec(1..5_u32, 1..4);
    (
        lengths,
        prop::collection::vec(size, 64),
        prop::collection::vec(prop::bool::weighted(0.7), 8),
        2..12_u64,
    )
        .prop_map(|(lengths, people, levels, min_group_size)| {
            let mut totals: BTreeMap<Vec<Option<u32>>, u64> = BTreeMap::new();
            let cells: u32 = lengths.iter().product();
            for cell in 0..cells {
                let mut rest = cell;
                let codes: Vec<u32> = lengths
                    .iter()
                    .map(|length| {
                        let code = rest % length;
                        rest /= length;
                        code
                    })
                    .collect();
                for (level, &there) in levels[..1 << lengths.len()].iter().enumerate() {
                    // The cells themselves are there nearly always.
                    if there || level == 0 {
                        let kept = |at: usize| level >> at & 1 == 0;
                        let codes =
                            codes.iter().enumerate().map(|(at, &code)| kept(at).then_some(code));
                        *totals.entry(codes.collect()).or_default() += people[cell as usize];
                    }
                }
            }
            // Some empty groups are rows and some are not there.
            let rows = totals.into_iter().enumerate();
            let rows = rows.filter(|(at, (_, people))| *people > 0 || at % 2 == 0);
            let groups = rows.map(|(_, (codes, people))| Group { codes, people }).collect();
            (groups, min_group_size)
        })
        .prop_filter("a table of nobody", |(groups, _): &(Vec<Group>, u64)| !groups.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn no_hidden_group_can_be_solved((groups, min_group_size) in tables()) {
        check(&groups, min_group_size);
    }

    #[test]
    fn the_order_of_rows_does_not_matter((groups, min_group_size) in tables()) {
        let mut backwards = groups.clone();
        backwards.reverse();
        let mut found = suppressed(&backwards, min_group_size);
        found.reverse();
        prop_assert_eq!(found, suppressed(&groups, min_group_size));
    }
}

fn cell(cohort: i64, age: u32, eligible: u64, retained: u64) -> CohortCell {
    CohortCell { cohort: u32::try_from(cohort).ok(), age, eligible, retained }
}

#[test]
fn few_lost_are_as_few_as_few_retained() {
    let cells = [
        cell(0, 0, 100, 100),
        cell(0, 1, 100, 98),
        cell(0, 2, 100, 50),
        cell(0, 3, 100, 2),
        cell(0, 4, 100, 0),
        cell(1, 0, 4, 4),
        cell(1, 1, 4, 0),
    ];
    let hidden = [false, true, false, true, false, true, true];
    assert_eq!(suppressed_cells(&cells, false, 5), hidden);
    assert_eq!(suppressed_cells(&cells, false, 0), [false; 7]);
}

#[test]
fn nested_cells_tell_by_their_differences() {
    let cells =
        [cell(0, 0, 100, 100), cell(0, 1, 100, 60), cell(0, 2, 100, 58), cell(0, 3, 100, 50)];
    assert_eq!(suppressed_cells(&cells, true, 5), [false, false, true, false]);
    assert_eq!(suppressed_cells(&cells, false, 5), [false; 4]);
    // Two customers have not lived through the next age.
    let cells = [cell(0, 0, 100, 80), cell(0, 1, 98, 60), cell(0, 2, 90, 40)];
    assert_eq!(suppressed_cells(&cells, false, 5), [false, true, false]);
}

#[test]
fn totals_of_cohorts_hide_a_second_one() {
    let cells = [
        cell(0, 0, 50, 50),
        cell(0, 1, 50, 20),
        cell(0, 2, 50, 10),
        cell(1, 0, 3, 3),
        cell(1, 1, 3, 1),
        cell(2, 0, 40, 40),
        cell(2, 1, 40, 17),
        cell(3, 0, 60, 60),
        cell(-1, 0, 153, 153),
        cell(-1, 1, 93, 38),
        cell(-1, 2, 50, 10),
    ];
    // The small cohort takes the next smallest along, at each age.
    let hidden = suppressed_cells(&cells, false, 5);
    let expected = [false, false, false, true, true, true, true, false, false, false, false];
    assert_eq!(hidden, expected);
}

proptest! {
    /// Sizes of cohorts, by the totals of ages, and retained customers at each age.
    #[test]
    fn no_hidden_cell_of_a_triangle_can_be_solved(
        sizes in prop::collection::vec(1..40_u64, 1..7),
        shares in prop::collection::vec(0.0..1.0_f64, 49),
        nested in prop::bool::ANY,
        min_group_size in 2..9_u64,
    ) {
        let n = sizes.len();
        let mut cells = Vec::new();
        for (cohort, &size) in sizes.iter().enumerate() {
            let mut retained = size;
            for age in 0..n - cohort {
                let most = if nested { retained } else { size };
                retained = (most as f64 * shares[cohort * 7 + age]).round() as u64;
                cells.push(cell(cohort as i64, age as u32, size, retained));
            }
        }
        for age in 0..n as u32 {
            let at = |of: fn(&CohortCell) -> u64| {
                let all = cells.iter().filter(|cell| cell.age == age && cell.cohort.is_some());
                all.map(of).sum::<u64>()
            };
            cells.push(cell(-1, age, at(|cell| cell.eligible), at(|cell| cell.retained)));
        }
        let hidden = suppressed_cells(&cells, nested, min_group_size);
        let shown = |wanted: &CohortCell| {
            let same = |cell: &CohortCell| (cell.cohort, cell.age) == (wanted.cohort, wanted.age);
            cells.iter().zip(&hidden).any(|(cell, &hidden)| same(cell) && !hidden)
        };
        let few = |people: u64| (1..min_group_size).contains(&people);
        for age in 0..n as u32 {
            let gone: Vec<&CohortCell> = cells
                .iter()
                .filter(|cell| cell.age == age && cell.cohort.is_some() && !shown(cell))
                .collect();
            if shown(&cell(-1, age, 0, 0)) {
                prop_assert!(gone.len() != 1);
                prop_assert!(!few(gone.iter().map(|cell| cell.retained).sum()));
                prop_assert!(!few(gone.iter().map(|cell| cell.lost()).sum()));
            }
        }
        for (found, &hidden) in cells.iter().zip(&hidden) {
            prop_assert!(hidden || !few(found.eligible) && !few(found.retained) && !few(found.lost()));
            let later = cell(found.cohort.map_or(-1, i64::from), found.age + 1, 0, 0);
            if nested && found.cohort.is_some() && !hidden && shown(&later) {
                let later = cells.iter().find(|cell| (cell.cohort, cell.age) == (later.cohort, later.age));
                prop_assert!(!few(found.retained - later.expect("it is shown").retained));
            }
        }
        // The sizes of cohorts that are nowhere shown, by the totals that are.
        let size_shown: Vec<bool> = (0..n)
            .map(|cohort| cells.iter().any(|cell| cell.cohort == Some(cohort as u32) && shown(cell)))
            .collect();
        let mut equations: Vec<Vec<i128>> = Vec::new();
        for age in (0..n).filter(|&age| shown(&cell(-1, age as u32, 0, 0))) {
            equations.push((0..n).map(|cohort| i128::from(cohort + age < n)).collect());
        }
        let unit = |cohort: usize| (0..n).map(|other| i128::from(other == cohort)).collect();
        equations.extend((0..n).filter(|&cohort| size_shown[cohort]).map(unit));
        let known = rank(equations.clone());
        for cohort in (0..n).filter(|&cohort| few(sizes[cohort])) {
            let mut with = equations.clone();
            with.push(unit(cohort));
            prop_assert!(rank(with) > known, "the size of {cohort}");
        }
    }
}
