"""Figures and page of the report: a module per topic, which both share, and what they are made of.

`topics` lists the topics; `plot` draws their figures, `page` writes their sections. `captions`
holds what the summary says of the figures.
"""
