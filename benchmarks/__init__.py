"""How fast and how frugal the gateway is, measured against what users would call without it. `make bench` runs all."""
