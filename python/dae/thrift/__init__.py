"""Thrift: the app's services, and calling those of others. Nothing here is imported before somebody needs it."""
