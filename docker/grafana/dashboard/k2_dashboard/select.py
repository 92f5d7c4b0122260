"""The variables at the top of the dashboard, and the label matchers that heed them."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import VariableOption, VariableRefresh, VariableSort

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

#: In the order in which a trade takes them, and the whole.
HOPS = ("recv", "decode", "encode", "ring", "produce", "ack", "total")

INSTANCE = 'instance=~"$instance"'
EXCHANGE = f'{INSTANCE},exchange=~"$exchange"'
SYMBOL = f'{EXCHANGE},symbol=~"$symbol"'
CORE = f'{INSTANCE},core=~"$core"'


def datasource() -> DatasourceVariable:
    """Which Prometheus is asked."""
    return DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def _values(name: str, label: str, series: str) -> QueryVariable:
    """Make a variable of the values that a label has among these series."""
    return (
        QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(f"label_values({series}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _some_of(name: str, label: str, series: str) -> QueryVariable:
    """Make one of which any number can be chosen, all at first."""
    every = VariableOption(selected=True, text="All", value="$__all")
    return _values(name, label, series).multi(multi=True).include_all(include_all=True).all_value(".*").current(every)


def _hop() -> CustomVariable:
    """Make the one of which hop is looked at closely; titles name it whether there are data or not."""
    total = VariableOption(selected=True, text="total", value="total")
    return CustomVariable("hop").label("Hop").values(",".join(HOPS)).current(total)


def variables() -> list[QueryVariable | CustomVariable]:
    """All but the data source: each narrows those after it."""
    return [
        _some_of("instance", "Engine", "k2_feed_build_info"),
        _some_of("exchange", "Exchange", f"k2_feed_trades_total{{{INSTANCE}}}"),
        _some_of("symbol", "Symbol", f"k2_feed_trades_total{{{EXCHANGE}}}"),
        _some_of("core", "Core", f"k2_feed_core_cpu_seconds_total{{{INSTANCE}}}"),
        _hop(),
    ]
