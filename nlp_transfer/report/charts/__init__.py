"""Charts in, inline SVG and tables of the same numbers out; one module for each kind."""
