"""How panels look: lines over time, one figure, a heat map, a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import common as style
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from k2_dashboard.select import DATASOURCE

Panel = Builder[dashboard.Panel]

#: The grid is 24 wide: so many panels side by side.
WIDTH = 24
#: Heights on the grid.
FIGURE, CHART = 4, 8


@dataclass(frozen=True)
class Query:
    """What is asked, and how a series of the answer is called (`{{label}}` is replaced)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Limits:
    """From which values on a figure is orange, and red."""

    orange: float | None = None
    red: float | None = None

    def thresholds(self) -> build.ThresholdsConfig:
        """As Grafana has them."""
        steps = [dashboard.Threshold(value=None, color="green")]
        if self.orange is not None:
            steps.append(dashboard.Threshold(value=self.orange, color="orange"))
        if self.red is not None:
            steps.append(dashboard.Threshold(value=self.red, color="red"))
        return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


def _targets(queries: Sequence[Query], *, instant: bool = False) -> list[Dataquery]:
    def target(number: int, query: Query) -> Dataquery:
        asked = Dataquery().ref_id(chr(ord("A") + number)).expr(query.expr).legend_format(query.legend)
        return asked.instant() if instant else asked.range()

    return [target(number, query) for number, query in enumerate(queries)]


def lines(  # noqa: PLR0913
    title: str, says: str, unit: str, *queries: Query, across: int = 2, stacked: bool = False, log: bool = False
) -> Panel:
    """Values over time; `across` is how many such panels stand side by side."""
    legend = (
        style.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.BOTTOM)
        .calcs(["lastNotNull", "max"])
    )
    tooltip = style.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    scale = style.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10)
    mode = common.StackingMode.NORMAL if stacked else common.StackingMode.NONE
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(WIDTH // across)
        .height(CHART)
        .legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(30 if stacked else 0)
        .stacking(style.StackingConfig().mode(mode))
        .targets(list(_targets(queries)))
    )
    return panel.scale_distribution(scale) if log else panel.min(0)


def figure(title: str, says: str, unit: str, query: Query, limits: Limits, *, across: int = 6) -> Panel:  # noqa: PLR0913
    """Show the latest value, coloured by its limits."""
    return (
        stat.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(WIDTH // across)
        .height(FIGURE)
        .thresholds(limits.thresholds())
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.AREA)
        .reduce_options(style.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets(list(_targets([query])))
    )


def heat(title: str, says: str, query: Query, *, across: int = 2) -> Panel:
    """Show how many fell into each bucket of a histogram over time."""
    target = _targets([query])[0].format(PromQueryFormat.HEATMAP)
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Turbo").steps(64)
    axis = heatmap.YAxisConfig().unit("s").axis_placement(common.AxisPlacement.LEFT)
    return (
        heatmap.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .span(WIDTH // across)
        .height(CHART)
        .calculate(calculate=False)
        .color(color)
        .y_axis(axis)
        .show_legend()
        .targets([target])
    )


def rows(title: str, says: str, labels: Sequence[str], columns: dict[str, tuple[str, str]]) -> Panel:
    """Make a table of present values: a row for each set of `labels`, a column for each of `columns`.

    Columns are unit and expression, by name; the first sorts the table, largest first.
    """
    queries = [Query(expr) for _, expr in columns.values()]
    targets = [target.format(PromQueryFormat.TABLE) for target in _targets(queries, instant=True)]
    values = {f"Value #{chr(ord('A') + number)}": name for number, name in enumerate(columns)}
    place = {name: number for number, name in enumerate([*labels, *values])}
    panel = (
        table.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .span(WIDTH)
        .height(CHART)
        .targets(list(targets))
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True}, "indexByName": place, "renameByName": values},
            )
        )
        .sort_by([style.TableSortByFieldState().display_name(next(iter(columns))).desc(desc=True)])
    )
    for name, (unit, _) in columns.items():
        panel = panel.override_by_name(name, [dashboard.DynamicConfigValue(id_val="unit", value=unit)])
    return panel
