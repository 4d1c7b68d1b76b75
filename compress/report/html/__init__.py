"""The report as one HTML file that asks the network for nothing: data of the page, charts as SVG, and a template."""
