"""The page of a run, reports/index.html: page gathers, from charts, gallery, protocol and published."""
