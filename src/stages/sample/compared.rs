//! The sample held against the population by dimensions that are no strata.

use std::sync::Arc;

use super::Draw;
use crate::frame::{DataType, Value};
use crate::ir::relation::{self, column};
use crate::ir::typing::{TypeError, build};
use crate::ir::{Expr, Measure, MeasureFunc, Named, RelRef, Roles, named};
use crate::models::{SampleGoodness, StratifiedSample};
use crate::stages::context::StageContext;
use crate::stages::registry::Output;
use crate::stages::suppression::{PEOPLE, Rule};
use crate::stages::view::View;

const DIMENSION: &str = "dimension";
const VALUE: &str = "value";

/// The column with the value of a dimension that is compared.
fn compared(place: usize) -> String {
    format!("#compared{place}")
}

impl Draw<'_> {
    /// The values of a row by which the sample is compared, as texts.
    pub(super) fn compared(&self) -> Result<Vec<Named<Expr>>, TypeError> {
        let text = |(place, dimension): (usize, &super::Dimension)| {
            Ok(named(compared(place), build::cast(dimension.expr.clone(), DataType::String)?))
        };
        self.compare.iter().enumerate().map(text).collect()
    }

    /// Shares and tests of units, each with its stratum and values, of which some are drawn.
    pub(super) fn against(
        &self,
        units: &RelRef,
        is_drawn: &Expr,
    ) -> Result<Option<[RelRef; 2]>, TypeError> {
        let mut parts = Vec::new();
        for (place, dimension) in self.compare.iter().enumerate() {
            let keys = vec![
                named(SampleGoodness::STRATUM, column(units, StratifiedSample::STRATUM)?),
                named(SampleGoodness::VALUE, column(units, &compared(place))?),
            ];
            let drawn = Measure::filtered(MeasureFunc::CountRows, Some(is_drawn.clone()));
            let measures = vec![
                named(SampleGoodness::POPULATION, Measure::of(MeasureFunc::CountRows)),
                named(SampleGoodness::SAMPLED, drawn),
            ];
            let counts = relation::aggregate(units, keys, measures)?;
            let name = Expr::literal(Value::text(&dimension.name), DataType::String);
            let name = vec![named(SampleGoodness::DIMENSION, name)];
            parts.push(relation::extend(&counts, name)?);
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let tables = relation::apply(vec![relation::union(parts)?], Arc::new(SampleGoodness));
        let wrong = |_| TypeError {
            message: "a comparison has two tables".into(),
            argument: None,
            help: None,
        };
        <[RelRef; 2]>::try_from(tables).map(Some).map_err(wrong)
    }
}

/// The companions of a comparison, without what would tell of few customers. Of rows it is not known how many customers
/// there are: such tables are not shown where small groups are hidden.
pub(super) fn outputs(
    cx: &mut StageContext,
    tables: [RelRef; 2],
    of_customers: bool,
) -> Option<Vec<Output>> {
    let [mut shares, mut tests] = tables;
    let grains = [vec![DIMENSION.to_owned(), VALUE.to_owned()], vec![DIMENSION.to_owned()]];
    let hides = cx.small_groups.is_some() && of_customers;
    let counted = (|| {
        let population = column(&shares, "population")?;
        let all = Measure::of(MeasureFunc::Sum(population.clone()));
        let of = vec![named(DIMENSION, column(&shares, DIMENSION)?)];
        let totals = relation::aggregate(&shares, of, vec![named(PEOPLE, all)])?;
        let counted = relation::extend(&shares, vec![named(PEOPLE, population)])?;
        // Less a column that is no one's but this one's.
        let fewest = column(&tests, SampleGoodness::FEWEST)?;
        let mut columns = relation::all_columns(&tests);
        columns.retain(|column| column.name != SampleGoodness::FEWEST);
        let plain = relation::project(&tests, columns.clone())?;
        columns.push(named(PEOPLE, fewest));
        let people = relation::project(&tests, columns)?;
        Ok::<_, TypeError>([vec![counted, totals], vec![people], vec![plain]])
    })();
    let [of_shares, of_tests, plain] = cx.typed(counted)?;
    tests = plain.into_iter().next()?;
    if hides {
        let [grain, _] = &grains;
        let levels = vec![vec![(None, vec![0, 1])], vec![(None, vec![0])]];
        let rule = Rule::Groups { dimensions: grain.clone(), levels };
        let kept = grains.to_vec();
        shares = cx.suppress(of_shares, kept, rule)?.into_iter().next()?;
        let dimensions = vec![DIMENSION.to_owned()];
        let rule =
            Rule::Groups { dimensions: dimensions.clone(), levels: vec![vec![(None, vec![0])]] };
        tests = cx.suppress(of_tests, vec![dimensions], rule)?.into_iter().next()?;
    }
    let output = |suffix: &'static str, rel: RelRef, grain: &Vec<String>, views: Vec<View>| {
        Output { suffix: Some(suffix), rel, grain: grain.clone(), roles: Roles::default(), views }
    };
    let [of_shares, of_tests] = &grains;
    Some(vec![
        output("shares", shares, of_shares, vec![View::Rows]),
        output("tests", tests, of_tests, vec![View::SampleTests { shares: "shares" }, View::Rows]),
    ])
}
