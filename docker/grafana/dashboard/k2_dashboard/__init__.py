"""The Grafana dashboard of k2-feed.

`board` puts it together, `rows` has a module for each of its rows, `panels` says how panels look, `select` how they are
narrowed by the variables at the top.
"""
