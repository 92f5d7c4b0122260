//! Whether an expression of Prometheus asks for what there is: each metric, each label, and of each label a value that
//! it has; and labels that two sides share where they are to match.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::label::{METRIC_NAME, Matcher};
use promql_parser::parser::token::{T_LAND, T_LOR, T_LUNLESS};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector, parse};

/// A series' labels, its name among them.
type Series = BTreeMap<String, String>;
/// The labels of what an expression comes to; none of a number, which fits everywhere.
pub(crate) type Labels = Option<BTreeSet<String>>;

/// What can be asked for.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    series: Vec<Series>,
    /// What Prometheus computes from them, by name.
    recorded: BTreeMap<String, Expr>,
}

impl Shown {
    /// Adds what is served in the text format, with the labels that Prometheus gives to whoever serves it.
    pub(crate) fn add(&mut self, text: &str, target: &[(&str, &str)]) {
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, _) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value in {line:?}"));
            // The notation is that of a selector by all labels.
            let Ok(Expr::VectorSelector(selector)) = parse(series) else { panic!("no series in {line:?}") };
            let mut labels: Series = selector.matchers.matchers.into_iter().map(|one| (one.name, one.value)).collect();
            labels.extend(selector.name.map(|name| (METRIC_NAME.to_string(), name)));
            labels.extend(target.iter().map(|(name, value)| (name.to_string(), value.to_string())));
            self.series.push(labels);
        }
    }

    /// Adds a recording rule.
    pub(crate) fn record(&mut self, name: &str, expression: &str) {
        let expression = parse(expression).unwrap_or_else(|error| panic!("{name}: {error}: {expression}"));
        self.recorded.insert(name.into(), expression);
    }

    /// The labels of what an expression comes to, or what it asks for that is not there.
    pub(crate) fn labels(&self, expression: &str) -> Result<Labels, String> {
        self.of(&parse(expression)?, &[])
    }

    /// The same; `within` are the recording rules that led here, as one may look at its own past.
    fn of(&self, expression: &Expr, within: &[&str]) -> Result<Labels, String> {
        match expression {
            Expr::VectorSelector(selector) => self.of_selector(selector, within),
            Expr::MatrixSelector(matrix) => self.of_selector(&matrix.vs, within),
            Expr::Aggregate(aggregate) => self.of_aggregate(aggregate, within),
            Expr::Binary(binary) => self.of_binary(binary, within),
            Expr::Call(call) => self.of_call(call, within),
            Expr::Paren(inner) => self.of(&inner.expr, within),
            Expr::Subquery(inner) => self.of(&inner.expr, within),
            Expr::Unary(inner) => self.of(&inner.expr, within),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => Ok(None),
        }
    }

    fn of_selector(&self, selector: &VectorSelector, within: &[&str]) -> Result<Labels, String> {
        let name = selector.name.as_deref().ok_or_else(|| format!("{selector}: a selector without a name"))?;
        if within.contains(&name) {
            return Ok(None);
        }
        let labels = match self.recorded.get_key_value(name) {
            Some((name, expression)) => self.of(expression, &[within, &[name]].concat())?,
            None => Some(self.common(name)?),
        };
        let series = self.behind(name);
        for matcher in &selector.matchers.matchers {
            has(labels.as_ref(), &matcher.name, name)?;
            if !series.iter().any(|series| fits(series, matcher)) {
                return Err(format!("no series of {name} has {matcher}"));
            }
        }
        let fits_all = |series: &&Series| selector.matchers.matchers.iter().all(|matcher| fits(series, matcher));
        match series.is_empty() || series.iter().any(fits_all) {
            true => Ok(labels),
            false => Err(format!("no series is selected by {selector}")),
        }
    }

    /// The labels that all series of a metric have.
    fn common(&self, name: &str) -> Result<BTreeSet<String>, String> {
        let of = |series: &Series| series.keys().filter(|label| *label != METRIC_NAME).cloned().collect();
        let all = self.behind(name).into_iter().map(of);
        all.reduce(|one: BTreeSet<_>, other| &one & &other).ok_or_else(|| format!("there is no metric {name}"))
    }

    /// The series of a metric, or those that a recording rule looks at.
    fn behind(&self, name: &str) -> Vec<&Series> {
        let named = |name: &str| self.series.iter().filter(move |series| series[METRIC_NAME] == name).collect();
        match self.recorded.get(name) {
            None => named(name),
            Some(expression) => {
                let mut names = BTreeSet::new();
                self.sources(expression, &mut names);
                names.iter().flat_map(|name| -> Vec<_> { named(name) }).collect()
            }
        }
    }

    /// The names of all metrics that an expression looks at in the end.
    fn sources(&self, expression: &Expr, names: &mut BTreeSet<String>) {
        match expression {
            Expr::VectorSelector(VectorSelector { name: Some(name), .. }) => {
                if names.insert(name.clone())
                    && let Some(expression) = self.recorded.get(name)
                {
                    self.sources(expression, names);
                }
            }
            Expr::MatrixSelector(matrix) => self.sources(&Expr::VectorSelector(matrix.vs.clone()), names),
            Expr::Aggregate(aggregate) => self.sources(&aggregate.expr, names),
            Expr::Binary(binary) => [&binary.lhs, &binary.rhs].iter().for_each(|side| self.sources(side, names)),
            Expr::Call(call) => call.args.args.iter().for_each(|argument| self.sources(argument, names)),
            Expr::Paren(inner) => self.sources(&inner.expr, names),
            Expr::Subquery(inner) => self.sources(&inner.expr, names),
            Expr::Unary(inner) => self.sources(&inner.expr, names),
            _ => {}
        }
    }

    fn of_aggregate(&self, aggregate: &AggregateExpr, within: &[&str]) -> Result<Labels, String> {
        let Some(inner) = self.of(&aggregate.expr, within)? else { return Ok(None) };
        // topk and its like leave labels as they are.
        if aggregate.param.is_some() {
            return Ok(Some(inner));
        }
        let Some(modifier) = &aggregate.modifier else { return Ok(Some(BTreeSet::new())) };
        let named = modifier.labels().labels.iter().cloned().collect::<BTreeSet<_>>();
        named.iter().try_for_each(|label| has(Some(&inner), label, &aggregate.expr.to_string()))?;
        Ok(Some(if modifier.is_include() { named } else { &inner - &named }))
    }

    fn of_call(&self, call: &Call, within: &[&str]) -> Result<Labels, String> {
        let arguments = call.args.args.iter().map(|argument| self.of(argument, within));
        let mut labels = arguments.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().next();
        match call.func.name {
            "vector" => labels = Some(BTreeSet::new()),
            "scalar" => labels = None,
            _ => {}
        }
        if call.func.name == "histogram_quantile" && !labels.as_mut().is_some_and(|labels| labels.remove("le")) {
            return Err(format!("{call} has no `le`"));
        }
        Ok(labels)
    }

    fn of_binary(&self, binary: &BinaryExpr, within: &[&str]) -> Result<Labels, String> {
        let (Some(left), Some(right)) = (self.of(&binary.lhs, within)?, self.of(&binary.rhs, within)?) else {
            let sides = [&binary.lhs, &binary.rhs].map(|side| self.of(side, within));
            return Ok(sides.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().next());
        };
        let modifier = binary.modifier.as_ref();
        let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
        for label in matching.iter().flat_map(|matching| &matching.labels().labels) {
            has(Some(&left), label, &binary.lhs.to_string())?;
            has(Some(&right), label, &binary.rhs.to_string())?;
        }
        let by = |side: &BTreeSet<String>| match matching {
            Some(LabelModifier::Include(labels)) => labels.labels.iter().cloned().collect(),
            Some(LabelModifier::Exclude(labels)) => side - &labels.labels.iter().cloned().collect(),
            None => side.clone(),
        };
        if binary.op.id() == T_LOR {
            return Ok(Some(&left & &right));
        }
        if by(&left) != by(&right) {
            return Err(format!("the sides never match, {left:?} and {right:?}: {binary}"));
        }
        let keeps_left = [T_LAND, T_LUNLESS].contains(&binary.op.id())
            || modifier.is_none_or(|modifier| modifier.matching.is_none() || modifier.card.labels().is_some());
        Ok(Some(if keeps_left { left } else { by(&left) }))
    }
}

/// An error unless the label is among them.
pub(crate) fn has(labels: Option<&BTreeSet<String>>, label: &str, whose: &str) -> Result<(), String> {
    match labels.is_none_or(|labels| labels.contains(label)) {
        true => Ok(()),
        false => Err(format!("there is no label {label}: {whose}")),
    }
}

fn fits(series: &Series, matcher: &Matcher) -> bool {
    series.get(&matcher.name).is_some_and(|value| matcher.is_match(value))
}
