"""Every page, looked at by the tools that strangers would point at it: `make audit` and `make screenshots`."""
