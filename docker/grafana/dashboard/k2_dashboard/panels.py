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
#: Heights on the grid; with three charts side by side, each has its legend beneath.
FIGURE, CHART, NARROW, TABLE = 4, 8, 10, 14
#: Where two charts stand side by side, each has its legend at the right, so wide.
LEGEND = 340


@dataclass(frozen=True)
class Query:
    """What is asked, and how a series of the answer is called (`{{label}}` is replaced)."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Limits:
    """From which values on a figure is orange, and red; below `least` it is red, too."""

    orange: float | None = None
    red: float | None = None
    least: float | None = None

    def thresholds(self) -> build.ThresholdsConfig:
        """As Grafana has them."""
        steps = [dashboard.Threshold(value=None, color="green" if self.least is None else "red")]
        if self.least is not None:
            steps.append(dashboard.Threshold(value=self.least, color="green"))
        if self.orange is not None:
            steps.append(dashboard.Threshold(value=self.orange, color="orange"))
        if self.red is not None:
            steps.append(dashboard.Threshold(value=self.red, color="red"))
        return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)


@dataclass(frozen=True)
class Look:
    """How values are drawn over time."""

    #: On top of each other.
    stacked: bool = False
    #: On a logarithmic axis.
    log: bool = False
    #: Whole numbers, on an axis that ends here.
    up_to: float | None = None
    #: The axis reaches so far where all values are less.
    at_least: float | None = None
    #: Values that stand alone are seen.
    points: bool = False
    #: What is said where there are none.
    nothing: str = ""


PLAIN = Look()
LOG = Look(log=True)
#: What is there or not.
SWITCH = Look(up_to=1)


def _targets(queries: Sequence[Query], *, instant: bool = False) -> list[Dataquery]:
    def target(number: int, query: Query) -> Dataquery:
        asked = Dataquery().ref_id(chr(ord("A") + number)).expr(query.expr).legend_format(query.legend)
        return asked.instant() if instant else asked.range()

    return [target(number, query) for number, query in enumerate(queries)]


def lines(title: str, says: str, unit: str, *queries: Query, across: int = 2, look: Look = PLAIN) -> Panel:
    """Values over time; `across` is how many such panels stand side by side."""
    legend = (
        style.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(common.LegendDisplayMode.TABLE)
        .calcs(["lastNotNull", "max"])
        .sort_by("Last *")
        .sort_desc(sort_desc=True)
    )
    beside = WIDTH // across > WIDTH // 3
    legend = (
        legend.placement(common.LegendPlacement.RIGHT).width(LEGEND)
        if beside
        else legend.placement(common.LegendPlacement.BOTTOM)
    )
    tooltip = style.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    mode = common.StackingMode.NORMAL if look.stacked else common.StackingMode.NONE
    panel = (
        timeseries.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(WIDTH // across)
        .height(CHART if beside else NARROW)
        .legend(legend)
        .tooltip(tooltip)
        .line_width(1)
        .fill_opacity(30 if look.stacked else 0)
        .show_points(common.VisibilityMode.AUTO if look.points else common.VisibilityMode.NEVER)
        .stacking(style.StackingConfig().mode(mode))
        .targets(list(_targets(queries)))
    )
    if look.nothing:
        panel = panel.no_value(look.nothing)
    if look.up_to is not None:
        panel = panel.max(look.up_to).decimals(0)
    if look.at_least is not None:
        panel = panel.axis_soft_max(look.at_least)
    if look.log:
        return panel.scale_distribution(style.ScaleDistributionConfig().type(common.ScaleDistribution.LOG).log(10))
    return panel.min(0)


def figure(title: str, says: str, unit: str, query: Query, limits: Limits, *, nothing: str = "") -> Panel:  # noqa: PLR0913
    """Show the value of now, coloured by its limits, or `nothing`: an old value would look as if all were well."""
    panel = (
        stat.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(WIDTH // 6)
        .height(FIGURE)
        .thresholds(limits.thresholds())
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(style.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets(list(_targets([query], instant=True)))
    )
    return panel.no_value(nothing) if nothing else panel


def heat(title: str, says: str, query: Query, *, across: int = 2) -> Panel:
    """Show what share fell into each bucket of a histogram over time."""
    target = _targets([query])[0].format(PromQueryFormat.HEATMAP)
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Turbo").steps(64).min(0).max(1)
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
        .cell_values(heatmap.CellValues().unit("percentunit"))
        .show_legend()
        .targets([target])
    )


def rows(title: str, says: str, labels: dict[str, str], columns: dict[str, tuple[str, str]]) -> Panel:
    """Make a table of present values: a row for each set of `labels`, a column for each of `columns`.

    Labels have their headings. Columns are unit and expression, by name; the first sorts the table, largest first.
    """
    queries = [Query(expr) for _, expr in columns.values()]
    targets = [target.format(PromQueryFormat.TABLE) for target in _targets(queries, instant=True)]
    values = {f"Value #{chr(ord('A') + number)}": name for number, name in enumerate(columns)}
    names = labels | values
    place = {name: number for number, name in enumerate(names)}
    panel = (
        table.Panel()
        .title(title)
        .description(says)
        .datasource(DATASOURCE)
        .span(WIDTH)
        .height(TABLE)
        .targets(list(targets))
        .with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val="organize",
                options={"excludeByName": {"Time": True}, "indexByName": place, "renameByName": names},
            )
        )
        .sort_by([style.TableSortByFieldState().display_name(next(iter(columns))).desc(desc=True)])
    )
    for name, (unit, _) in columns.items():
        panel = panel.override_by_name(name, [dashboard.DynamicConfigValue(id_val="unit", value=unit)])
    return panel
