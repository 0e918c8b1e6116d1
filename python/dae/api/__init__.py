"""The platform API: one module a service, each a thin front over the service's wire protocol."""
